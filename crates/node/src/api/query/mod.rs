//! Answers that follow from blocks and states alone: the same in a running node and over a replayed chain.

mod beacon;
mod blocks;
mod consensus;
mod events;
mod governance;
mod keymanager;
mod light;
mod registry;
mod request;
mod roothash;
mod scheduler;
mod staking;

use oasis_consensus_abci::Network;
use oasis_consensus_app::{
    error::{Error, Result as AppResult},
    store::Store as State,
};
use oasis_consensus_engine::ports::Store as Blocks;
use oasis_consensus_types::{
    consensus::{ERR_NO_COMMITTED_BLOCKS, ERR_VERSION_NOT_FOUND},
    errors::{Code, CodedError},
};
use oasis_mkvs::{Root, Tree};
use oasis_primitives::cbor::{self, Encode, NilVec};

pub use blocks::Recent;
pub use consensus::{SignerNonceRequest, document};
pub use events::{BlockEvents, api_events};
pub use light::light_block_of;
pub use registry::node_list;
pub use request::read;

use crate::grpc::ApiError;

/// Where answers come from.
pub trait Source: Send + Sync {
    /// The network.
    fn network(&self) -> &Network;

    /// Whether this is an archive, which refuses some calls.
    fn is_archive(&self) -> bool;

    /// The blocks.
    fn blocks(&self) -> &dyn Blocks;

    /// Where blocks that were asked for are remembered, if they are.
    fn recent(&self) -> Option<&Recent> {
        None
    }

    /// Height of the last state, 0 before the first block.
    fn last_height(&self) -> i64;

    /// The state after a block; none where it is not kept.
    fn state_at(&self, height: i64) -> AppResult<Option<State>>;

    /// The tree with a root; none where it is not kept.
    fn tree(&self, root: &Root) -> AppResult<Option<Tree>>;
}

/// An encoded answer, or why there is none.
pub type Answer = Result<Vec<u8>, ApiError>;

/// The methods that are answered here, by service.
pub const METHODS: &[(&str, &[&str])] = &[
    ("Beacon", beacon::METHODS),
    ("Consensus", consensus::METHODS),
    ("ConsensusLight", light::METHODS),
    ("Governance", governance::METHODS),
    ("KeyManager", keymanager::METHODS),
    ("Registry", registry::METHODS),
    ("RootHash", roothash::METHODS),
    ("Scheduler", scheduler::METHODS),
    ("Staking", staking::METHODS),
];

/// Methods that look up a few keys of the state or one block: what they take is less than to hand them to another thread.
pub const QUICK: &[(&str, &[&str])] = &[
    ("Beacon", &["GetBaseEpoch", "GetEpoch", "GetBeacon"]),
    ("Consensus", &["GetSignerNonce", "GetBlock", "GetTransactions", "GetChainContext"]),
    ("Registry", &["GetEntity", "GetNode", "GetNodeStatus", "GetRuntime"]),
    ("Staking", &["TokenSymbol", "TokenValueExponent", "TotalSupply", "CommonPool", "LastBlockFees", "Threshold", "Account", "Allowance"]),
];

/// Answers a call; none where this is no such method. The service's name is without its prefix.
pub fn answer(source: &dyn Source, service: &str, method: &str, request: &[u8]) -> Option<Answer> {
    match service {
        "Beacon" => beacon::answer(source, method, request),
        "Consensus" => consensus::answer(source, method, request),
        "ConsensusLight" => light::answer(source, method, request),
        "Governance" => governance::answer(source, method, request),
        "KeyManager" => keymanager::answer(source, method, request),
        "Registry" => registry::answer(source, method, request),
        "RootHash" => roothash::answer(source, method, request),
        "Scheduler" => scheduler::answer(source, method, request),
        "Staking" => staking::answer(source, method, request),
        _ => None,
    }
}

/// The state that a query of a height reads: the last for 0, below 0, and beyond the last.
///
/// Source: go/consensus/tendermint/api/state.go, `NewImmutableState`.
pub fn state(source: &dyn Source, height: i64) -> AppResult<State> {
    let last = source.last_height();
    if last == 0 {
        return Err(ERR_NO_COMMITTED_BLOCKS.into());
    }
    let height = if height <= 0 || height > last { last } else { height };
    source.state_at(height)?.ok_or_else(|| ERR_VERSION_NOT_FOUND.into())
}

/// The epoch that the node is in, and the height at which it began; zeros in an archive, which is told of none.
///
/// Source: go/consensus/tendermint/beacon/beacon.go, `currentEpochBlock`.
pub fn current_epoch(source: &dyn Source) -> AppResult<(u64, i64)> {
    if source.is_archive() || source.last_height() == 0 {
        return Ok((0, 0));
    }
    let epoch = oasis_consensus_app::beacon::query::epoch(&state(source, 0)?)?;
    Ok((epoch.epoch, epoch.height))
}

/// Encodes an answer.
pub fn ok<T: Encode + ?Sized>(value: &T) -> Answer {
    Ok(cbor::to_vec(value))
}

/// A registered error.
pub fn coded(code: Code) -> ApiError {
    CodedError::from(code).into()
}

/// An error of the state machine.
pub fn app_error(error: Error) -> ApiError {
    match error {
        Error::Failed(error) => error.into(),
        error @ Error::Fatal(_) => ApiError::unknown(error.to_string()),
    }
}

/// An error without a code.
pub fn unknown(error: impl std::fmt::Display) -> ApiError {
    ApiError::unknown(error.to_string())
}

/// An error with words before its text, as Go wraps errors: module and code stay.
fn wrapped(prefix: impl std::fmt::Display, error: ApiError) -> ApiError {
    ApiError { message: format!("{prefix}: {}", error.message), ..error }
}

/// What an app answers from the state of a height.
fn look<T: Encode>(source: &dyn Source, height: i64, look: impl FnOnce(&State) -> AppResult<T>) -> Answer {
    let state = state(source, height).map_err(app_error)?;
    ok(&look(&state).map_err(app_error)?)
}

/// What an app answers from the state of the height that the request consists of.
fn at<T: Encode>(source: &dyn Source, request: &[u8], see: impl FnOnce(&State) -> AppResult<T>) -> Answer {
    look(source, read(request)?, see)
}

/// A list as Go has it: nil where it is empty.
fn list<T>(items: Vec<T>) -> NilVec<T> {
    items.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quick_is_known() {
        for (service, quick) in QUICK {
            let known = METHODS.iter().find(|(name, _)| name == service).unwrap().1;
            assert!(quick.iter().all(|method| known.contains(method)), "{service}");
        }
    }

    #[test]
    fn methods_are_named_once() {
        for (service, methods) in METHODS {
            let mut sorted = methods.to_vec();
            sorted.sort_unstable();
            sorted.dedup();
            assert_eq!(sorted.len(), methods.len(), "{service}");
        }
    }
}
