//! State, parameters and genesis of the root hash app.
//!
//! Source: go/roothash/api/api.go.

use std::collections::BTreeMap;

use oasis_primitives::{
    cbor::{Cbor, NilVec, OrNil},
    hash::Hash,
    json::Json,
    namespace::Namespace,
    signature::Signature,
};

use super::{ERR_MAX_MESSAGES_TOO_BIG, block::Block, commitment::Pool, events::MessageEvent};
use crate::{
    errors::CodedError,
    registry::{LogEntry, Runtime},
    transaction::Costs,
};

/// The state of a runtime.
///
/// Source: go/roothash/api/api.go, `RuntimeState`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct RuntimeState {
    /// The descriptor as of this epoch.
    pub runtime: OrNil<Runtime>,
    /// Whether the runtime is suspended.
    #[cbor(omitempty)]
    pub suspended: bool,
    /// The first block.
    pub genesis_block: OrNil<Block>,
    /// The last block.
    pub current_block: OrNil<Block>,
    /// Height of the consensus block that made it.
    pub current_block_height: i64,
    /// Round of the last block with results, also of messages.
    pub last_normal_round: u64,
    /// Height of the consensus block that made it.
    pub last_normal_height: i64,
    /// The round in progress; none while there is no committee.
    pub executor_pool: Option<Pool>,
}

/// The parameters.
///
/// Source: go/roothash/api/api.go, `ConsensusParameters`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct ConsensusParameters {
    /// Gas by operation.
    #[cbor(omitempty)]
    pub gas_costs: Costs,
    /// Whether runtimes without committee or stake go on; for tests only.
    #[cbor(omitempty)]
    pub debug_do_not_suspend_runtimes: bool,
    /// Whether stake is ignored; for tests only.
    #[cbor(omitempty)]
    pub debug_bypass_stake: bool,
    /// The most messages of a runtime in a round.
    pub max_runtime_messages: u32,
    /// For how many rounds evidence is accepted.
    pub max_evidence_age: u64,
}

impl ConsensusParameters {
    /// Checks what a runtime's descriptor asks for.
    ///
    /// Source: go/roothash/api/api.go, `VerifyRuntimeParameters`.
    pub fn verify_runtime(&self, runtime: &Runtime) -> Result<(), CodedError> {
        if runtime.executor.max_messages > self.max_runtime_messages { Err(ERR_MAX_MESSAGES_TOO_BIG.into()) } else { Ok(()) }
    }
}

/// A runtime's state in the genesis document.
///
/// Source: go/roothash/api/api.go, `GenesisRuntimeState`, with go/registry/api/runtime.go, `RuntimeGenesis`, embedded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct GenesisRuntimeState {
    /// Root of the state.
    pub state_root: Hash,
    /// The state; always empty.
    pub state: NilVec<LogEntry>,
    /// Storage receipts of the state.
    pub storage_receipts: NilVec<Signature>,
    /// The round.
    pub round: u64,
    /// Results of the last round's messages.
    #[cbor(omitempty)]
    pub message_results: Vec<OrNil<MessageEvent>>,
}

/// The root hash part of the genesis document.
///
/// Source: go/roothash/api/api.go, `Genesis`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct Genesis {
    /// The parameters.
    #[cbor(rename = "params")]
    pub parameters: ConsensusParameters,
    /// The states of runtimes.
    #[cbor(omitempty)]
    pub runtime_states: BTreeMap<Namespace, OrNil<GenesisRuntimeState>>,
}

impl Genesis {
    /// Checks the genesis state; `unsafe_allowed` where the node runs with debug options allowed.
    ///
    /// Source: go/roothash/api/api.go, `Genesis.SanityCheck`. Runtime states have no further checks at genesis.
    pub fn sanity_check(&self, unsafe_allowed: bool) -> Result<(), String> {
        if (self.parameters.debug_do_not_suspend_runtimes || self.parameters.debug_bypass_stake) && !unsafe_allowed {
            return Err("roothash: sanity check failed: one or more unsafe debug flags set".into());
        }
        Ok(())
    }
}
