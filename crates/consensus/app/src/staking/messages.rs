//! Messages of runtimes.
//!
//! Source: go/consensus/tendermint/apps/staking/staking.go, `ExecuteMessage`.

use oasis_consensus_types::{roothash::StakingMessage, staking::ERR_INVALID_ARGUMENT};

use super::{escrow_tx, tx};
use crate::{context::Context, error::Result};

/// Executes a runtime's message for the caller of `ctx`, which is the runtime's account.
pub fn execute(ctx: &mut Context<'_>, message: &StakingMessage) -> Result<()> {
    match message {
        StakingMessage { transfer: Some(transfer), .. } => tx::transfer(ctx, transfer),
        StakingMessage { withdraw: Some(withdraw), .. } => tx::withdraw(ctx, withdraw),
        StakingMessage { add_escrow: Some(escrow), .. } => escrow_tx::add_escrow(ctx, escrow),
        StakingMessage { reclaim_escrow: Some(reclaim), .. } => escrow_tx::reclaim_escrow(ctx, reclaim),
        _ => Err(ERR_INVALID_ARGUMENT.into()),
    }
}
