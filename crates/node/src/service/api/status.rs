//! What the node tells of itself.

use std::collections::BTreeMap;

use oasis_consensus_app::{epoch, registry, roothash};
use oasis_consensus_engine::{address_of, ports::Store as _};
use oasis_mkvs::{Root, RootType};
use oasis_primitives::{hash::Hash, namespace::Namespace, version::CONSENSUS_PROTOCOL};

use super::{Running, app_error, query, unknown};
use crate::{
    api::{
        block::timestamp,
        query::Source as _,
        status::{ConsensusStatus, FEATURE_FULL_NODE, FEATURE_SERVICES, IdentityStatus, RuntimeStatus, Status},
    },
    grpc::ApiError,
};

/// Name of the engine. Source: go/consensus/tendermint/api/api.go, `BackendName`.
pub(super) const BACKEND: &str = "tendermint";

impl Running {
    /// Source: go/control/control.go, `GetStatus`.
    pub(super) fn status(&self) -> Result<Status, ApiError> {
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
            runtimes: self.runtimes()?.into(),
            registration: self.registration.status(self),
            pending_upgrades: upgrades.into_iter().map(Into::into).collect::<Vec<_>>().into(),
        })
    }

    /// What the consensus layer knows of the runtimes that are configured. Source: go/oasis-node/cmd/node/control.go, `GetRuntimeStatus`.
    fn runtimes(&self) -> Result<BTreeMap<Namespace, RuntimeStatus>, ApiError> {
        let ids = &self.prepared.settings.runtimes;
        if ids.is_empty() || self.source.last_height() == 0 {
            return Ok(ids.iter().map(|id| (*id, RuntimeStatus::default())).collect());
        }
        let state = query::state(&self.source, 0).map_err(app_error)?;
        let status = |id: &Namespace| {
            // What is not known is left out, as by the original.
            let mut status = RuntimeStatus { descriptor: registry::query::runtime(&state, id).ok(), ..RuntimeStatus::default() };
            if let Ok(block) = roothash::query::latest_block(&state, id) {
                let header = &block.header;
                status.latest_round = header.round;
                status.latest_hash = header.encoded_hash();
                status.latest_time = header.timestamp;
                status.latest_state_root =
                    Root { namespace: header.namespace, version: header.round, root_type: RootType::STATE, hash: header.state_root };
            }
            if let Ok(block) = roothash::query::genesis_block(&state, id) {
                status.genesis_round = block.header.round;
                status.genesis_hash = block.header.encoded_hash();
            }
            (*id, status)
        };
        Ok(ids.iter().map(status).collect())
    }

    /// Source: go/consensus/tendermint/full/common.go, `GetStatus`.
    pub(super) fn consensus_status(&self) -> Result<ConsensusStatus, ApiError> {
        let network = &self.prepared.network;
        let genesis_height = network.document.height;
        let mut status = ConsensusStatus {
            version: CONSENSUS_PROTOCOL,
            backend: BACKEND.to_owned(),
            mode: if self.is_archive() { "archive" } else { "full" }.to_owned(),
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
        status.last_retained_height = self.blocks.range().0.max(genesis_height);
        status.last_retained_hash = self.hash(status.last_retained_height)?;
        let last = self.source.last_height();
        if let Some(meta) = self.blocks.block_meta(last).map_err(unknown)? {
            status.latest_height = last;
            status.latest_hash = Hash::from_slice(&meta.block_id.hash).unwrap_or_default();
            status.latest_time = timestamp(&meta.header.time);
            status.latest_state_root = Root {
                namespace: Namespace::default(),
                version: u64::try_from(last.saturating_sub(1)).unwrap_or_default(),
                root_type: RootType::STATE,
                hash: Hash::from_slice(&meta.header.app_hash).unwrap_or_default(),
            };
            let state = query::state(&self.source, last).map_err(app_error)?;
            status.latest_epoch = epoch::current(&state).map_err(app_error)?.epoch;
        }
        let next = last.saturating_add(1).max(genesis_height);
        let own = address_of(&self.prepared.identity.consensus.public_key().0);
        status.is_validator = self.blocks.validators(next).map_err(unknown)?.is_some_and(|set| set.get(&own).is_some());
        Ok(status)
    }

    /// A block's hash; the empty hash where the block is not there.
    fn hash(&self, height: i64) -> Result<Hash, ApiError> {
        let meta = self.blocks.block_meta(height).map_err(unknown)?;
        Ok(meta.and_then(|meta| Hash::from_slice(&meta.block_id.hash)).unwrap_or_default())
    }
}
