//! What the node answers on its socket.
//!
//! Source: go/control, go/consensus/api/grpc.go, go/consensus/tendermint/full.

use oasis_consensus_app::{epoch, executor::KEY_PARAMETERS, staking};
use oasis_consensus_engine::{address_of, ports::Store as _, proto};
use oasis_consensus_types::{
    consensus::{ERR_NO_COMMITTED_BLOCKS, ERR_VERSION_NOT_FOUND, Parameters},
    errors::CodedError,
    transaction::{SignedTransaction, Transaction},
    upgrade::Descriptor,
};
use oasis_mkvs::{Root, RootType};
use oasis_primitives::{
    address::Address,
    cbor::{self, Cbor, Decode, Encode, RawCbor},
    hash::Hash,
    namespace::Namespace,
    signature::{PublicKey, Signer as _},
    version::CONSENSUS_PROTOCOL,
};
use prost::Message;

use super::full::Running;
use crate::{
    api::{
        SERVICE_PREFIX,
        block::{Block, timestamp},
        light::{EvidenceMessage, LightBlock, ParametersMessage},
        status::{ConsensusStatus, FEATURE_FULL_NODE, FEATURE_SERVICES, IdentityStatus, Status},
    },
    config::Mode,
    grpc::{ApiError, GrpcCode, Reply, Service},
};

/// Name of the engine. Source: go/consensus/tendermint/api/api.go, `BackendName`.
const BACKEND: &str = "tendermint";

/// Methods, by service. Others are served by later parts.
const METHODS: &[(&str, &[&str])] = &[
    ("NodeController", &["RequestShutdown", "WaitSync", "IsSynced", "WaitReady", "IsReady", "UpgradeBinary", "CancelUpgrade", "GetStatus"]),
    (
        "Consensus",
        &["SubmitTx", "EstimateGas", "GetSignerNonce", "GetChainContext", "GetGenesisDocument", "GetStatus", "GetBlock", "GetTransactions"],
    ),
    ("ConsensusLight", &["SubmitTxNoWait", "SubmitEvidence", "GetLightBlock", "GetParameters"]),
];

/// Answers calls from the node's parts.
pub struct NodeApi {
    running: Running,
}

#[derive(Clone, Debug, Default, Cbor)]
struct EstimateGasRequest {
    signer: PublicKey,
    transaction: Option<Transaction>,
}

#[derive(Clone, Debug, Default, Cbor)]
struct SignerNonceRequest {
    account_address: Address,
    height: i64,
}

type Answer = Result<Vec<u8>, ApiError>;

fn read<T: Decode>(request: &[u8]) -> Result<T, ApiError> {
    let wrong = |e: cbor::Error| ApiError::grpc(GrpcCode::Internal, format!("grpc: error unmarshalling request: {e}"));
    cbor::from_slice_higher_limits(request).map_err(wrong)
}

fn ok<T: Encode + ?Sized>(value: &T) -> Answer {
    Ok(cbor::to_vec(value))
}

/// The answer of methods that say nothing: an empty message, as gRPC for Go sends for nil.
fn nothing() -> Answer {
    Ok(Vec::new())
}

fn coded(code: oasis_consensus_types::errors::Code) -> ApiError {
    CodedError::from(code).into()
}

fn app_error(error: oasis_consensus_app::error::Error) -> ApiError {
    let (module, code) = error.module_and_code();
    ApiError { module: module.to_owned(), code, message: error.to_string(), grpc: GrpcCode::Unknown }
}

fn internal(error: impl std::fmt::Display) -> ApiError {
    ApiError::unknown(error.to_string())
}

impl Service for NodeApi {
    fn call(&self, service: &str, method: &str, request: Vec<u8>) -> Option<Reply> {
        self.is_stream(service, method)?;
        let service = service.strip_prefix(SERVICE_PREFIX)?.to_owned();
        let (method, running) = (method.to_owned(), self.running.clone());
        Some(Reply::Unary(Box::pin(async move { running.answer(&service, &method, request).await })))
    }

    fn is_stream(&self, service: &str, method: &str) -> Option<bool> {
        let service = service.strip_prefix(SERVICE_PREFIX)?;
        let (_, methods) = METHODS.iter().find(|(name, _)| *name == service)?;
        methods.contains(&method).then_some(false)
    }
}

impl NodeApi {
    /// An API of a running node.
    pub fn new(running: Running) -> Self {
        Self { running }
    }
}

impl Running {
    async fn answer(&self, service: &str, method: &str, request: Vec<u8>) -> Answer {
        match (service, method) {
            ("NodeController", "RequestShutdown") => self.leave(read(&request)?).await,
            ("NodeController", "IsSynced" | "IsReady") => ok(&self.is_synced()),
            ("NodeController", "WaitSync" | "WaitReady") => self.wait_synced().await,
            ("NodeController", "UpgradeBinary") => {
                let descriptor: Descriptor = read(&request)?;
                self.machine.lock().submit_upgrade(descriptor).map_err(app_error)?;
                nothing()
            }
            ("NodeController", "CancelUpgrade") => {
                let descriptor: Descriptor = read(&request)?;
                self.machine.lock().cancel_upgrade(&descriptor).map_err(app_error)?;
                nothing()
            }
            ("NodeController", "GetStatus") => ok(&self.status()?),
            ("Consensus", "GetStatus") => ok(&self.consensus_status()?),
            ("Consensus", "SubmitTx") => self.submit(&request, true).await,
            ("ConsensusLight", "SubmitTxNoWait") => self.submit(&request, false).await,
            ("ConsensusLight", "SubmitEvidence") => self.submit_evidence(&request).await,
            ("ConsensusLight", "GetLightBlock") => self.light_block(read(&request)?),
            ("ConsensusLight", "GetParameters") => self.parameters(read(&request)?),
            ("Consensus", "GetChainContext") => ok(self.prepared.network.chain_context.as_str()),
            ("Consensus", "GetGenesisDocument") => ok(&self.prepared.network.document),
            ("Consensus", "GetBlock") => self.block(read(&request)?),
            ("Consensus", "GetTransactions") => self.transactions(read(&request)?),
            ("Consensus", "GetSignerNonce") => {
                let SignerNonceRequest { account_address, height } = read(&request)?;
                let machine = self.machine.lock();
                let state = machine.executor().query(height).map_err(app_error)?;
                ok(&staking::query::signer_nonce(&state, &account_address).map_err(app_error)?)
            }
            ("Consensus", "EstimateGas") => {
                let EstimateGasRequest { signer, transaction } = read(&request)?;
                let invalid = || coded(oasis_consensus_types::consensus::ERR_INVALID_ARGUMENT);
                ok(&self.machine.lock().executor().estimate_gas(signer, &transaction.ok_or_else(invalid)?).map_err(app_error)?)
            }
            _ => Err(ApiError::unimplemented(&format!("{SERVICE_PREFIX}{service}"), method)),
        }
    }

    /// Lets the node leave; where asked to, answers only when it stops.
    async fn leave(&self, wait: bool) -> Answer {
        self.leaving.ask().map_err(internal)?;
        // Looks at once, not only at the next block.
        tokio::spawn(super::leave::watch(self.clone()));
        if wait {
            self.stopper.stopped().await;
        }
        nothing()
    }

    /// Whether the node has all blocks; an archive always has.
    fn is_synced(&self) -> bool {
        self.prepared.settings.mode == Mode::Archive || self.engine.is_synced()
    }

    async fn wait_synced(&self) -> Answer {
        let mut views = self.engine.watch();
        while !self.is_synced() {
            views.changed().await.map_err(|_| ApiError::grpc(GrpcCode::Unavailable, "the node is stopping"))?;
        }
        nothing()
    }

    async fn submit(&self, request: &[u8], wait: bool) -> Answer {
        if self.prepared.settings.mode == Mode::Archive {
            return Err(coded(oasis_consensus_types::consensus::ERR_UNSUPPORTED));
        }
        let tx: SignedTransaction = read(request)?;
        self.engine.submit(cbor::to_vec(&tx), wait).await?;
        nothing()
    }

    /// Source: go/consensus/tendermint/full/full.go, `SubmitEvidence`.
    async fn submit_evidence(&self, request: &[u8]) -> Answer {
        if self.prepared.settings.mode == Mode::Archive {
            return Err(coded(oasis_consensus_types::consensus::ERR_UNSUPPORTED));
        }
        let EvidenceMessage { meta } = read(request)?;
        let evidence =
            proto::Evidence::decode(meta.as_slice()).map_err(|e| internal(format_args!("tendermint: malformed evidence: {e}")))?;
        self.engine.submit_evidence(evidence).await.map_err(|e| internal(format_args!("tendermint: failed to broadcast evidence: {e}")))?;
        nothing()
    }

    /// The height of a block that is asked for: 0 stands for the last. Source: `heightToTendermintHeight`.
    fn height(&self, height: i64) -> Result<i64, ApiError> {
        if height != 0 {
            return Ok(height);
        }
        match self.blocks.range().1 {
            0 => Err(coded(ERR_NO_COMMITTED_BLOCKS)),
            last => Ok(last.min(self.engine.view().height.max(self.machine.lock().height()))),
        }
    }

    /// Source: go/consensus/tendermint/full/common.go, `GetLightBlock`.
    fn light_block(&self, height: i64) -> Answer {
        let height = self.height(height)?;
        let missing = || coded(ERR_VERSION_NOT_FOUND);
        let set = self.blocks.validators(height).map_err(internal)?.ok_or_else(missing)?;
        let header = self.blocks.header(height).map_err(internal)?;
        let commit = match self.blocks.commit(height).map_err(internal)? {
            Some(commit) => Some(commit),
            None => self.blocks.seen_commit(height).map_err(internal)?,
        };
        let signed_header = header.map(|header| proto::SignedHeader { header: Some(header), commit });
        let block = proto::LightBlock { signed_header, validator_set: Some(set.to_message()) };
        ok(&LightBlock { height, meta: block.encode_to_vec() })
    }

    /// Source: go/consensus/tendermint/full/common.go, `GetBlock`.
    fn block(&self, height: i64) -> Answer {
        let height = self.height(height)?;
        let header = self.blocks.header(height).map_err(internal)?.ok_or_else(|| coded(ERR_VERSION_NOT_FOUND))?;
        let commit = self.blocks.commit(height.saturating_sub(1)).map_err(internal)?;
        ok(&Block::new(&header, commit.as_ref()))
    }

    /// Source: go/consensus/tendermint/full/light.go, `GetParameters`.
    fn parameters(&self, height: i64) -> Answer {
        let at = self.height(height)?;
        let params = self.blocks.params(at).map_err(internal)?.ok_or_else(|| coded(ERR_VERSION_NOT_FOUND))?;
        let parameters = {
            let machine = self.machine.lock();
            let state = machine.executor().query(height).map_err(app_error)?;
            let parameters: Option<Parameters> = state.get_cbor(KEY_PARAMETERS).map_err(app_error)?;
            parameters.ok_or_else(|| coded(ERR_VERSION_NOT_FOUND))?
        };
        ok(&ParametersMessage { height: at, parameters: RawCbor(cbor::to_vec(&parameters)), meta: params.encode_to_vec() })
    }

    fn transactions(&self, height: i64) -> Answer {
        let height = self.height(height)?;
        let encoded = self.blocks.block(height).map_err(internal)?.ok_or_else(|| coded(ERR_VERSION_NOT_FOUND))?;
        let block = proto::Block::decode(encoded.as_slice()).map_err(internal)?;
        ok(&block.data.txs)
    }

    fn status(&self) -> Result<Status, ApiError> {
        let identity = &self.prepared.identity;
        let upgrades = self.machine.lock().executor().upgrader().map(|u| u.pending().to_vec()).unwrap_or_default();
        Ok(Status {
            software_version: env!("CARGO_PKG_VERSION").to_owned(),
            identity: IdentityStatus {
                node: identity.node.public_key(),
                p2p: identity.p2p.public_key(),
                consensus: identity.consensus.public_key(),
                tls: self.registration.tls_keys(identity).into(),
            },
            consensus: self.consensus_status()?,
            runtimes: std::collections::BTreeMap::new().into(),
            registration: self.registration.status(self),
            pending_upgrades: upgrades.into_iter().map(Into::into).collect::<Vec<_>>().into(),
        })
    }

    /// Source: go/consensus/tendermint/full/common.go, `GetStatus`.
    fn consensus_status(&self) -> Result<ConsensusStatus, ApiError> {
        let network = &self.prepared.network;
        let genesis_height = network.document.height;
        let mode = if self.prepared.settings.mode == Mode::Archive { "archive" } else { "full" };
        let mut status = ConsensusStatus {
            version: CONSENSUS_PROTOCOL,
            backend: BACKEND.to_owned(),
            mode: mode.to_owned(),
            features: FEATURE_SERVICES | FEATURE_FULL_NODE,
            genesis_height,
            chain_context: network.chain_context.clone(),
            genesis_hash: self.hash(genesis_height)?,
            ..ConsensusStatus::default()
        };
        if let Some(peers) = &self.peers {
            let peers: Vec<String> = peers.peers().iter().map(|peer| peer.remote.to_string()).collect();
            status.node_peers = peers.into();
        }
        let (earliest, state) = {
            let machine = self.machine.lock();
            (machine.earliest_height(), machine.executor().query(0).ok())
        };
        status.last_retained_height = earliest.unwrap_or_default().max(genesis_height);
        status.last_retained_hash = self.hash(status.last_retained_height)?;
        let last = self.height(0).unwrap_or_default();
        if let Some(meta) = self.blocks.block_meta(last).map_err(internal)? {
            status.latest_height = last;
            status.latest_hash = Hash::from_slice(&meta.block_id.hash).unwrap_or_default();
            status.latest_time = timestamp(&meta.header.time);
            status.latest_state_root = Root {
                namespace: Namespace::default(),
                version: u64::try_from(last.saturating_sub(1)).unwrap_or_default(),
                root_type: RootType::STATE,
                hash: Hash::from_slice(&meta.header.app_hash).unwrap_or_default(),
            };
            if let Some(state) = &state {
                status.latest_epoch = epoch::current(state).map_err(app_error)?.epoch;
            }
        }
        let next = last.saturating_add(1).max(genesis_height);
        let own = address_of(&self.prepared.identity.consensus.public_key().0);
        status.is_validator = self.blocks.validators(next).map_err(internal)?.is_some_and(|set| set.get(&own).is_some());
        Ok(status)
    }

    /// A block's hash; the empty hash where the block is not there.
    fn hash(&self, height: i64) -> Result<Hash, ApiError> {
        let meta = self.blocks.block_meta(height).map_err(internal)?;
        Ok(meta.and_then(|meta| Hash::from_slice(&meta.block_id.hash)).unwrap_or_default())
    }
}
