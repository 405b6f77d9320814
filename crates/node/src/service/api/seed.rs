//! What a seed answers on its socket: about itself and its network. It has no blocks and no state.
//!
//! Source: go/consensus/tendermint/seed/seed.go; go/oasis-node/cmd/node/node.go, `NewNode`; go/control/control.go.

use std::{
    collections::BTreeMap,
    fs, io,
    sync::{Arc, Mutex, PoisonError},
};

use oasis_consensus_app::upgrade::Upgrader;
use oasis_consensus_net::NetworkHandle;
use oasis_consensus_types::{
    consensus::ERR_UNSUPPORTED,
    transaction::SignedTransaction,
    upgrade::{Descriptor, PendingUpgrade},
};
use oasis_mkvs::proof::{GetPrefixesRequest, GetRequest, IterateRequest};
use oasis_primitives::{
    cbor::{self, Decode},
    version::CONSENSUS_PROTOCOL,
};

use super::{Answer, EstimateGasRequest, METHODS, coded, has, nothing, ok, query, read, status::BACKEND, stopping, unknown};
use crate::{
    api::{
        SERVICE_PREFIX,
        light::EvidenceMessage,
        query::SignerNonceRequest,
        status::{ConsensusStatus, IdentityStatus, RegistrationStatus, Status},
    },
    files,
    grpc::{ApiError, Reply, Service},
    service::{Prepared, StartError, Stopper},
};

/// The services of a seed.
const SERVICES: [&str; 3] = ["NodeController", "Consensus", "ConsensusLight"];
/// The only method that would answer with a stream.
const WATCH_BLOCKS: &str = "WatchBlocks";

/// Answers calls to a seed.
#[derive(Clone)]
pub struct SeedApi {
    prepared: Arc<Prepared>,
    peers: NetworkHandle,
    upgrader: Arc<Mutex<Upgrader>>,
    stopper: Stopper,
}

impl SeedApi {
    /// An API of a running seed.
    pub fn new(prepared: Arc<Prepared>, peers: NetworkHandle, stopper: Stopper) -> Result<Self, StartError> {
        let path = prepared.paths.seed_upgrades();
        let upgrades: Vec<PendingUpgrade> = match fs::read(&path) {
            Ok(bytes) => cbor::from_slice(&bytes).map_err(|e| StartError::at(&path, e))?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(e) => return Err(StartError::at(&path, e)),
        };
        Ok(Self { prepared, peers, upgrader: Arc::new(Mutex::new(Upgrader::resume(upgrades))), stopper })
    }

    fn has(service: &str, method: &str) -> bool {
        SERVICES.contains(&service)
            && (has(METHODS, service, method) || has(query::METHODS, service, method) || (service == "Consensus" && method == WATCH_BLOCKS))
    }

    async fn answer(self, service: String, method: String, request: Vec<u8>) -> Answer {
        match (service.as_str(), method.as_str()) {
            ("NodeController", "RequestShutdown") => {
                let _: bool = read(&request)?;
                self.stopper.stop();
                nothing()
            }
            ("NodeController", "IsSynced") => ok(&true),
            ("NodeController", "WaitSync") => nothing(),
            // A seed has no workers that could be ready.
            ("NodeController", "IsReady") => ok(&false),
            ("NodeController", "WaitReady") => {
                self.stopper.stopped().await;
                Err(stopping())
            }
            ("NodeController", "UpgradeBinary") => {
                let descriptor: Descriptor = read(&request)?;
                descriptor.validate_basic()?;
                self.change_upgrades(|upgrader| Ok(upgrader.submit(descriptor)?))
            }
            ("NodeController", "CancelUpgrade") => {
                let descriptor: Descriptor = read(&request)?;
                self.change_upgrades(|upgrader| Ok(upgrader.cancel(&descriptor)?))
            }
            ("NodeController", "GetStatus") => ok(&self.status()),
            ("Consensus", "GetStatus") => ok(&self.consensus_status()),
            ("Consensus", "GetGenesisDocument") => ok(&self.prepared.network.document),
            ("Consensus", "GetChainContext") => ok(self.prepared.network.chain_context.as_str()),
            ("Consensus" | "ConsensusLight", "SubmitTx" | "SubmitTxNoWait") => unsupported::<SignedTransaction>(&request),
            ("Consensus", "EstimateGas") => unsupported::<EstimateGasRequest>(&request),
            ("Consensus", "GetSignerNonce") => unsupported::<SignerNonceRequest>(&request),
            ("Consensus", "GetUnconfirmedTransactions" | WATCH_BLOCKS) => Err(coded(ERR_UNSUPPORTED)),
            ("ConsensusLight", "SubmitEvidence") => unsupported::<EvidenceMessage>(&request),
            ("ConsensusLight", "StateSyncGet") => no_state::<GetRequest>(&request),
            ("ConsensusLight", "StateSyncGetPrefixes") => no_state::<GetPrefixesRequest>(&request),
            ("ConsensusLight", "StateSyncIterate") => no_state::<IterateRequest>(&request),
            // What is left asks for a height.
            _ => unsupported::<i64>(&request),
        }
    }

    fn change_upgrades(&self, change: impl FnOnce(&mut Upgrader) -> Result<(), ApiError>) -> Answer {
        let mut upgrader = self.upgrader.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changed = upgrader.clone();
        change(&mut changed)?;
        let path = self.prepared.paths.seed_upgrades();
        files::make_private_directory(&self.prepared.paths.memory()).map_err(unknown)?;
        files::replace(&path, &cbor::to_vec(changed.pending()), 0o600).map_err(unknown)?;
        *upgrader = changed;
        nothing()
    }

    fn status(&self) -> Status {
        let identity = &self.prepared.identity;
        let upgrades = self.upgrader.lock().unwrap_or_else(PoisonError::into_inner).pending().to_vec();
        Status {
            software_version: env!("CARGO_PKG_VERSION").to_owned(),
            identity: IdentityStatus {
                node: identity.node.public_key(),
                p2p: identity.p2p.public_key(),
                consensus: identity.consensus.public_key(),
                tls: identity.tls_keys().into(),
            },
            consensus: self.consensus_status(),
            runtimes: BTreeMap::new().into(),
            registration: RegistrationStatus::default(),
            pending_upgrades: upgrades.into_iter().map(Into::into).collect::<Vec<_>>().into(),
        }
    }

    /// Source: go/consensus/tendermint/seed/seed.go, `GetStatus`.
    fn consensus_status(&self) -> ConsensusStatus {
        let peers: Vec<String> = self.peers.peers().iter().map(|peer| peer.remote.to_string()).collect();
        ConsensusStatus {
            version: CONSENSUS_PROTOCOL,
            backend: BACKEND.to_owned(),
            mode: "seed".to_owned(),
            node_peers: peers.into(),
            ..ConsensusStatus::default()
        }
    }
}

/// Refuses a request, once it is read.
fn unsupported<T: Decode>(request: &[u8]) -> Answer {
    let _: T = read(request)?;
    Err(coded(ERR_UNSUPPORTED))
}

/// Source: go/storage/mkvs/syncer/syncer.go, `NopReadSyncer`.
fn no_state<T: Decode>(request: &[u8]) -> Answer {
    let _: T = read(request)?;
    Err(unknown("mkvs: method not supported"))
}

impl Service for SeedApi {
    fn call(&self, service: &str, method: &str, request: Vec<u8>) -> Option<Reply> {
        let service = service.strip_prefix(SERVICE_PREFIX)?;
        if !Self::has(service, method) {
            return None;
        }
        Some(Reply::Unary(Box::pin(self.clone().answer(service.to_owned(), method.to_owned(), request))))
    }

    fn is_stream(&self, service: &str, method: &str) -> Option<bool> {
        let service = service.strip_prefix(SERVICE_PREFIX)?;
        Self::has(service, method).then_some(method == WATCH_BLOCKS)
    }

    fn knows(&self, service: &str) -> bool {
        service.strip_prefix(SERVICE_PREFIX).is_some_and(|service| SERVICES.contains(&service))
    }
}
