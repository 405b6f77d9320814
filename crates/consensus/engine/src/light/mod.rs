//! Light client: trust in one header carried over to others, without the blocks between.
//!
//! Source: tendermint `light/client.go`, `light/verifier.go`, `light/detector.go`, `types/light.go`;
//! go/consensus/tendermint/light/client.go.

mod block;
mod client;
mod detector;
mod source;
mod verify;

pub use block::TrustedBlock;
pub use client::{LightClient, Mode, TrustOptions};
pub use source::{LightBlockSource, SourceError};
pub use verify::{LightError, LightRules, SignatureVerifier, TrustLevel, verify, verify_backwards};

use crate::{proto::Commit, state::ChainState};

/// What a node needs to go on from a height that it did not execute itself.
#[derive(Clone, Debug, PartialEq)]
pub struct TrustedState {
    /// The state after the height's block; the application's protocol is that of the parameters.
    pub state: ChainState,
    /// The commit of the height's block.
    pub commit: Commit,
}
