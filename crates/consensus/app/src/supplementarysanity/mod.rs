//! Checks of the whole state at the end of blocks, as an option; nothing is written.
//!
//! The original picks one block of each interval at random; here it is the one whose height the interval divides, so that two
//! runs check the same blocks.
//!
//! Source: go/consensus/tendermint/apps/supplementarysanity.

use std::collections::BTreeMap;

use oasis_consensus_types::{
    beacon::{EPOCH_INVALID, EpochTime},
    governance::{sanity_check_pending_upgrades, sanity_check_proposals, sanity_check_votes},
    staking::{sanity_check_account, sanity_check_account_shares, sanity_check_debonding_delegations, sanity_check_delegations},
};
use oasis_primitives::quantity::Quantity;

use crate::{
    context::Context,
    epoch,
    error::{Error, Result},
    governance, keymanager, registry, roothash, staking,
};

/// A runtime's block may be this many seconds ahead of the consensus layer's: an hour and a minute.
const MAX_BLOCK_AHEAD: u64 = 61 * 60;

type Check = fn(&Context<'_>, EpochTime) -> Result<()>;

const CHECKS: [(&str, Check); 7] = [
    ("epoch", check_epoch),
    ("registry", registry::sanity::check_state),
    ("root hash", check_roothash),
    ("staking", check_staking),
    ("key manager", check_keymanager),
    ("governance", check_governance),
    ("stake claims", |ctx, _| registry::sanity::check_stake_state(ctx)),
];

/// Checks the state where the options ask for it at this height; what does not hold stops the node.
///
/// Source: go/consensus/tendermint/apps/supplementarysanity/supplementarysanity.go, `endBlockImpl`.
pub fn end_block(ctx: &mut Context<'_>) -> Result<()> {
    let Some(interval) = ctx.env.options.supplementary_sanity_interval else { return Ok(()) };
    let height = ctx.current_height();
    if height == 1 || height.unsigned_abs().checked_rem(interval) != Some(0) {
        return Ok(());
    }
    check_state(ctx)
}

/// Checks the state in every way; an error says which check failed and is fatal.
pub fn check_state(ctx: &Context<'_>) -> Result<()> {
    let now = epoch::current(ctx.store)?.epoch;
    for (name, check) in CHECKS {
        check(ctx, now).map_err(|e| Error::fatal(format!("supplementary sanity check of {name}: {e}")))?;
    }
    Ok(())
}

fn check_epoch(_: &Context<'_>, now: EpochTime) -> Result<()> {
    if now == EPOCH_INVALID { Err(Error::unknown("current epoch is invalid")) } else { Ok(()) }
}

/// Source: go/consensus/tendermint/apps/supplementarysanity/checks.go, `checkRootHash`. Blocks are held against the time of
/// this block, not of a clock.
fn check_roothash(ctx: &Context<'_>, _: EpochTime) -> Result<()> {
    let latest = ctx.now().seconds.unsigned_abs().saturating_add(MAX_BLOCK_AHEAD);
    let mut runtimes = BTreeMap::new();
    for runtime in roothash::state::runtime_states(ctx.store)? {
        if runtime.current_block.header.timestamp.0 > latest {
            return Err(Error::unknown("roothash: block header timestamp is more than 1h1m in the future"));
        }
        runtimes.insert(runtime.runtime.id, runtime);
    }
    for (height, id) in roothash::state::round_timeouts(ctx.store)? {
        if height < ctx.block_height() {
            return Err(Error::unknown(format!("round timeout for runtime {id} was scheduled at {height} but did not trigger")));
        }
        let pool = runtimes.get(&id).and_then(|runtime| runtime.executor_pool.as_ref());
        if !pool.is_some_and(|pool| pool.is_timeout(height)) {
            return Err(Error::unknown(format!("runtime {id} scheduled for timeout at {height} but would not actually trigger")));
        }
    }
    Ok(())
}

/// Source: go/consensus/tendermint/apps/supplementarysanity/checks.go, `checkStaking`.
fn check_staking(ctx: &Context<'_>, now: EpochTime) -> Result<()> {
    use staking::state;
    let store = &*ctx.store;
    let params = state::params(store)?;
    let mut ledger = BTreeMap::new();
    let mut total = Quantity::ZERO;
    for address in state::addresses(store)? {
        let account = state::account(store, &address)?;
        sanity_check_account(&mut total, &params, now, &address, &account)?;
        ledger.insert(address, account);
    }
    let (deposits, pool, fees) = (state::governance_deposits(store)?, state::common_pool(store)?, state::last_block_fees(store)?);
    for part in [&deposits, &pool, &fees] {
        total.add(part);
    }
    let supply = state::total_supply(store)?;
    if total != supply {
        return Err(Error::unknown(format!(
            "balances in accounts plus governance deposits ({deposits}), plus common pool ({pool}), plus last block fees ({fees}), are \
             {total} and not the total supply ({supply})"
        )));
    }
    let delegations = state::delegations(store)?;
    for (address, to) in &delegations {
        sanity_check_delegations(address, &state::account(store, address)?, to)?;
    }
    let debonding = state::debonding_delegations(store)?;
    for (address, to) in &debonding {
        sanity_check_debonding_delegations(address, &state::account(store, address)?, to)?;
    }
    for (address, account) in &ledger {
        sanity_check_account_shares(address, account, delegations.get(address), debonding.get(address))?;
    }
    Ok(())
}

/// Source: go/consensus/tendermint/apps/supplementarysanity/checks.go, `checkKeyManager`.
fn check_keymanager(ctx: &Context<'_>, _: EpochTime) -> Result<()> {
    keymanager::check_statuses(&ctx.env.rules, &keymanager::state::statuses(ctx.store)?)
}

/// Source: go/consensus/tendermint/apps/supplementarysanity/checks.go, `checkGovernance`.
fn check_governance(ctx: &Context<'_>, now: EpochTime) -> Result<()> {
    use governance::state;
    let params = state::params(ctx.store)?;
    params.sanity_check()?;
    let proposals = state::proposals(ctx.store)?;
    sanity_check_proposals(&proposals, now, &staking::state::governance_deposits(ctx.store)?)?;
    for proposal in &proposals {
        sanity_check_votes(proposal, &state::votes(ctx.store, proposal.id)?)?;
    }
    let upgrades = state::pending_upgrades(ctx.store)?;
    sanity_check_pending_upgrades(&upgrades.iter().collect::<Vec<_>>(), now, &params)?;
    Ok(())
}
