//! The workers' tasks: after each block they look at the state, and send what the workers decide.

use std::{
    fs,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use oasis_consensus_app::{epoch, error::Error, registry, staking, store::Store};
use oasis_consensus_types::{
    consensus::ERR_NO_COMMITTED_BLOCKS,
    entity::Entity,
    node::{ConsensusAddress, Node, Roles, TlsAddress},
    transaction::{ERR_INVALID_NONCE, ERR_UPGRADE_PENDING, Fee, SignedTransaction, Transaction},
};
use oasis_primitives::{
    address::Address,
    cbor, json,
    quantity::Quantity,
    signature::{PublicKey, Signer},
    time::Timestamp,
};
use tokio::{
    task::{self, JoinHandle},
    time::sleep,
};

use super::{engine, full::Running, net, prepare::StartError, public, sentry, stop::Stop};
use crate::{
    api::{query::app_error, status::RegistrationStatus},
    config::Mode,
    entity::test_signer,
    files,
    grpc::ApiError,
    identity::{Identity, entropy},
    workers::{
        beacon::{Memory, Participant},
        registration::{self, Deferred, Profile, Schedule, may_register},
    },
};

/// A transaction is tried again for so long. Source: go/consensus/api/submission.go, `maxSubmissionRetryElapsedTime`.
const RETRY_FOR: Duration = Duration::from_secs(60);
/// Longest pause between tries. Source: go/consensus/api/submission.go, `maxSubmissionRetryInterval`.
const RETRY_PAUSE: Duration = Duration::from_secs(10);

/// What was registered, for the API.
#[derive(Clone, Default)]
pub struct RegistrationState(Arc<Mutex<Registered>>);

#[derive(Clone, Default)]
struct Registered {
    time: Timestamp,
    node: Option<Node>,
    tls: Option<Vec<PublicKey>>,
    last_failed: bool,
}

impl RegistrationState {
    fn lock(&self) -> MutexGuard<'_, Registered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The keys of the node's TLS certificates.
    pub fn tls_keys(&self, identity: &Identity) -> Vec<PublicKey> {
        self.lock().tls.clone().unwrap_or_else(|| identity.tls_keys())
    }

    /// Whether the node is registered, as far as it knows. Source: go/worker/registration/worker.go, `workerNodeRegistered`.
    pub fn is_registered(&self) -> bool {
        let registered = self.lock();
        registered.node.is_some() && !registered.last_failed
    }

    /// What the API says of the registration.
    pub fn status(&self, running: &Running) -> RegistrationStatus {
        let registered = self.lock().clone();
        let node_status =
            registered.node.as_ref().and_then(|node| with_state(running, |state| registry::query::node_status(state, &node.id)).ok());
        RegistrationStatus { last_registration: registered.time, descriptor: registered.node.clone(), node_status }
    }
}

/// Starts the workers that the configuration asks for. Ends when the node stops.
pub fn start(running: &Running, stop: &Stop) -> JoinHandle<()> {
    let running = running.clone();
    let mut stop = stop.clone();
    tokio::spawn(async move {
        if running.prepared.settings.mode == Mode::Archive {
            return;
        }
        tokio::select! {
            () = stop.wait() => {}
            ((), ()) = async { tokio::join!(register(running.clone()), beacon(running.clone())) } => {}
        }
    })
}

/// Waits for the next block, or for the first when the node has caught up.
pub(super) async fn next_block(running: &Running, last: &mut i64) -> Option<()> {
    let mut views = running.engine.watch();
    loop {
        {
            let view = views.borrow_and_update();
            if running.engine.is_synced() && view.height > *last {
                *last = view.height;
                return Some(());
            }
        }
        views.changed().await.ok()?;
    }
}

/// Looks at the state after the last block.
pub(super) fn with_state<T>(running: &Running, look: impl FnOnce(&Store) -> Result<T, Error>) -> Result<T, Error> {
    // Looking may take long: the engine goes on meanwhile, and so do the peers.
    task::block_in_place(|| {
        let state = running.machine.lock().executor().query(0)?;
        look(&state)
    })
}

/// Gives a transaction its nonce and fee, signs it, and waits until it is in a block.
///
/// Source: go/consensus/api/submission.go, `SignAndSubmitTx`.
pub async fn sign_and_submit(running: &Running, signer: &dyn Signer, mut tx: Transaction) -> Result<(), ApiError> {
    let settings = &running.prepared.settings;
    let address = Address::of_public_key(&signer.public_key());
    let since = std::time::Instant::now();
    let mut pause = Duration::from_millis(500);
    loop {
        let chain = &running.prepared.network.rules.chain;
        let mut sign = || {
            let machine = running.machine.lock();
            let state = machine.executor().query(0).map_err(app_error)?;
            tx.nonce = staking::query::signer_nonce(&state, &address).map_err(app_error)?;
            if tx.fee.is_none() {
                let gas = machine.executor().estimate_gas(signer.public_key(), &tx).map_err(app_error)?;
                let amount = Quantity::from(u128::from(settings.submission_gas_price) * u128::from(gas));
                let most = Quantity::from(settings.submission_max_fee);
                if !most.is_zero() && amount > most {
                    return Err(ApiError::unknown(format!("computed fee exceeds configured maximum: {amount} (max: {most})")));
                }
                tx.fee = Some(Fee { amount, gas });
            }
            SignedTransaction::sign(signer, chain, &tx).map_err(|e| ApiError::unknown(e.to_string()))
        };
        let retried = [ERR_INVALID_NONCE, ERR_UPGRADE_PENDING, ERR_NO_COMMITTED_BLOCKS];
        let again = |e: &ApiError| retried.iter().any(|code| code.module == e.module && code.code == e.code);
        let submitted = match task::block_in_place(&mut sign) {
            Ok(signed) => running.engine.submit(cbor::to_vec(&signed), true).await,
            Err(error) => Err(error),
        };
        match submitted {
            Ok(()) => return Ok(()),
            Err(e) if again(&e) && since.elapsed() < RETRY_FOR => {
                sleep(pause).await;
                pause = (pause * 2).min(RETRY_PAUSE);
            }
            Err(e) => return Err(e),
        }
    }
}

/// The owner, and who signs registrations. Source: go/worker/registration/worker.go, `GetRegistrationSigner`.
fn owner(running: &Running) -> Result<Option<(PublicKey, Arc<dyn Signer>)>, StartError> {
    let settings = &running.prepared.settings;
    if settings.test_entity {
        let signer = test_signer();
        return Ok(Some((signer.public_key(), Arc::new(signer))));
    }
    let Some(path) = &settings.registration.entity else { return Ok(None) };
    let entity = read_entity(path)?;
    Ok(Some((entity.id, running.prepared.identity.node.clone())))
}

/// Reads an entity's descriptor.
pub(super) fn read_entity(path: &Path) -> Result<Entity, StartError> {
    let fail = |e: &dyn std::fmt::Display| StartError(format!("worker.registration.entity: {}: {e}", path.display()));
    let text = fs::read(path).map_err(|e| fail(&e))?;
    let value = json::parse(&text).map_err(|e| fail(&e))?;
    json::read(&value).map_err(|e| fail(&e))
}

/// Where the node is reached: by validators if it is one, and by anybody if it serves them. Where it has sentries, only they are told of.
///
/// Source: go/worker/registration/worker.go, `gatherConsensusAddresses`, `gatherTLSAddresses`.
async fn addresses(
    running: &Running,
    identity: &Identity,
    allow_unroutable: bool,
) -> Result<(Vec<ConsensusAddress>, Vec<TlsAddress>), String> {
    let settings = &running.prepared.settings;
    let sentries = &settings.registration.sentries;
    let hidden = !sentries.is_empty();
    let (mut consensus, mut tls) = if hidden { sentry::query_all(sentries, identity).await } else { Default::default() };
    consensus.retain(|found| may_register(&found.address, allow_unroutable));
    tls.retain(|found| may_register(&found.address, allow_unroutable));
    if !settings.validator {
        consensus.clear();
    } else if hidden {
        if consensus.is_empty() {
            return Err("no sentry gives an address that can be registered (worker.sentry.address)".to_owned());
        }
    } else {
        const KEY: &str = "consensus.tendermint.core.external_address";
        let external = net::external_address(&running.prepared).ok_or_else(|| format!("this node's address is not known; set {KEY}"))?;
        consensus = vec![registration::consensus_address(identity, &external, allow_unroutable).map_err(|e| format!("{KEY}: {e}"))?];
    }
    match &settings.consensus_rpc {
        None => tls.clear(),
        Some(_) if hidden => {}
        Some(rpc) => tls = public::tls_addresses(rpc, identity, allow_unroutable),
    }
    if settings.consensus_rpc.is_some() && tls.is_empty() {
        return Err("no address of the public consensus RPC can be registered; set worker.client.addresses".to_owned());
    }
    Ok((consensus, tls))
}

/// Registers the node at each epoch. Source: go/worker/registration/worker.go, `registrationLoop`.
async fn register(running: Running) {
    let settings = &running.prepared.settings;
    let (entity, registrar) = match owner(&running) {
        Ok(Some(owner)) => owner,
        Ok(None) => {
            tracing::warn!(target: "worker/registration", "no entity is configured for this node (worker.registration.entity): it never registers");
            return std::future::pending().await;
        }
        Err(error) => {
            tracing::error!(target: "worker/registration", %error, "the node can't register");
            return std::future::pending().await;
        }
    };
    let activation = settings.byzantine.map_or(0, |byzantine| byzantine.activation_epoch);
    let roles = [(settings.validator, Roles::VALIDATOR), (settings.consensus_rpc.is_some(), Roles::CONSENSUS_RPC)];
    let roles = roles.iter().filter(|(has, _)| *has).fold(Roles::default(), |all, (_, role)| all.with(*role));
    if roles == Roles::default() {
        return std::future::pending().await;
    }
    let mut identity = running.prepared.identity.clone();
    let allow_unroutable = running.prepared.network.document.registry.parameters.debug_allow_unroutable_addresses;
    sentry::introduce(&settings.registration.sentries, &identity).await;
    let mut schedule = Schedule::default();
    let mut last = 0;
    let mut rotated = None;
    let mut told = None;
    while next_block(&running, &mut last).await.is_some() {
        if running.leaving.is_asked() {
            continue;
        }
        let due = with_state(&running, |state| schedule.due(state, &entity, &identity.node.public_key()));
        let epoch = match due {
            Ok(Ok(epoch)) if epoch >= activation => epoch,
            Ok(Ok(_) | Err(Deferred::Done)) => continue,
            Ok(Err(deferred)) => {
                if told.as_ref() != Some(&deferred) {
                    tracing::warn!(target: "worker/registration", ?deferred, %entity, node = %identity.node.public_key(), "registration waits");
                    told = Some(deferred);
                }
                continue;
            }
            Err(error) => {
                tracing::error!(target: "worker/registration", %error, "the state can't be read");
                continue;
            }
        };
        told = None;
        let every = settings.registration.rotate_certs;
        if let (true, Some(at)) = (every > 0, rotated)
            && epoch.saturating_sub(at) >= every
        {
            match identity.rotate_tls() {
                Ok(()) => {
                    // Again only after the new key was registered.
                    rotated = None;
                    if let Some(Err(error)) = running.tls.as_ref().map(|key| key.replace(identity.tls.clone())) {
                        tracing::error!(target: "worker/registration", %error, "the new TLS key is not served");
                    }
                }
                Err(error) => tracing::error!(target: "worker/registration", %error, "TLS keys were not rotated"),
            }
        }
        let (consensus_addresses, tls_addresses) = match addresses(&running, &identity, allow_unroutable).await {
            Ok(addresses) => addresses,
            Err(error) => {
                tracing::error!(target: "worker/registration", error, "the node can't register");
                continue;
            }
        };
        let profile = Profile { entity, roles, consensus_addresses, tls_addresses };
        let node = registration::descriptor(&identity, &profile, epoch);
        let tx = match registration::transaction(&identity, &*registrar, &node) {
            Ok(tx) => tx,
            Err(error) => {
                tracing::error!(target: "worker/registration", %error, "the descriptor was not signed");
                continue;
            }
        };
        match sign_and_submit(&running, &*registrar, tx).await {
            Ok(()) => {
                tracing::info!(target: "worker/registration", epoch, "node registered");
                if let Err(error) = with_state(&running, |state| {
                    schedule.done(state, &entity, epoch);
                    Ok(())
                }) {
                    tracing::error!(target: "worker/registration", %error, "the state can't be read");
                }
                rotated.get_or_insert(epoch);
                let now = engine::now();
                let mut registered = running.registration.lock();
                registered.time = Timestamp::from_unix(now.seconds, u32::try_from(now.nanos).unwrap_or_default());
                registered.node = Some(node);
                registered.tls = Some(identity.tls_keys());
                registered.last_failed = false;
            }
            Err(error) => {
                running.registration.lock().last_failed = true;
                tracing::error!(target: "worker/registration", epoch, %error, "the node was not registered; it tries again after the next block");
            }
        }
    }
}

/// Takes part in the random beacon, unless the node is one that fails on purpose. Source: go/worker/beacon/worker.go, `worker`.
async fn beacon(running: Running) {
    if running.prepared.settings.byzantine.is_some() {
        return std::future::pending().await;
    }
    let identity = running.prepared.identity.clone();
    let path = running.prepared.paths.memory().join("beacon");
    let mut memory: Option<Memory> = match fs::read(&path) {
        Ok(bytes) => cbor::from_slice_trusted(&bytes)
            .inspect_err(
                |error| tracing::error!(target: "worker/beacon", %error, path = %path.display(), "the remembered round can't be read"),
            )
            .ok(),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => {
            tracing::error!(target: "worker/beacon", %error, path = %path.display(), "the remembered round can't be read");
            None
        }
    };
    let mut last = 0;
    let mut sent: Option<(u64, Transaction)> = None;
    while next_block(&running, &mut last).await.is_some() {
        let participant = Participant { id: identity.node.public_key(), scalar: &identity.beacon };
        let step =
            with_state(&running, |state| Ok((epoch::current(state)?.epoch, participant.step(state, memory.as_ref(), &mut entropy)?)));
        let (epoch, step) = match step {
            Ok(step) => step,
            Err(error) => {
                tracing::error!(target: "worker/beacon", %error, "the state can't be read");
                continue;
            }
        };
        if let Some(note) = step.note {
            tracing::warn!(target: "worker/beacon", note, "not taking part in this round");
        }
        if let Some(remember) = step.remember {
            if let Err(error) = keep(&path, remember.as_ref()) {
                // What can't be remembered is not sent: after a crash the node could not reveal it.
                tracing::error!(target: "worker/beacon", %error, path = %path.display(), "the round can't be remembered");
                continue;
            }
            memory = remember;
        }
        let Some(tx) = step.transaction else { continue };
        if sent.as_ref() == Some(&(epoch, tx.clone())) {
            continue;
        }
        // The round goes on whether this is in a block or not.
        let sending = sign_and_submit(&running, &*identity.node, tx.clone());
        let result = tokio::time::timeout(RETRY_FOR, sending).await.unwrap_or_else(|_| Err(ApiError::unknown("no block took it in time")));
        match result {
            Ok(()) => {
                tracing::info!(target: "worker/beacon", method = tx.method, "sent");
                sent = Some((epoch, tx));
            }
            Err(error) => {
                tracing::warn!(target: "worker/beacon", method = tx.method, %error, "not sent; it tries again after the next block")
            }
        }
    }
}

fn keep(path: &Path, memory: Option<&Memory>) -> std::io::Result<()> {
    match memory {
        Some(memory) => {
            if let Some(parent) = path.parent() {
                files::make_private_directory(parent)?;
            }
            files::replace(path, &cbor::to_vec(memory), 0o600)
        }
        None => match fs::remove_file(path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        },
    }
}
