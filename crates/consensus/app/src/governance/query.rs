//! What clients ask about governance.
//!
//! Source: go/consensus/tendermint/apps/governance/query.go.

pub use super::{
    export as genesis,
    state::{active_proposals, params as consensus_parameters, pending_upgrades, proposal, proposals, votes},
};
