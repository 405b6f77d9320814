//! The backend of secret sharing: rounds of commits and reveals, and the epochs that follow them.
//!
//! Source: go/consensus/tendermint/apps/beacon/backend_pvss.go.

use std::collections::{BTreeMap, BTreeSet};

use oasis_consensus_types::{
    beacon::{ConsensusParameters, EpochTime, PvssParameters, PvssState, RoundState},
    staking::SlashReason,
};
use oasis_primitives::{
    drbg::{Hash, HmacDrbg},
    mathrand::MathRand,
    pvss::Instance,
    signature::PublicKey,
};

use super::{DEBUG_ENTROPY, DEBUG_ENTROPY_CONTEXT, ENTROPY_CONTEXT, events, new_beacon, schedule_epoch, slashing, state};
use crate::{
    context::{Context, missing},
    epoch::EPOCH_INVALID,
    error::{Error, Result},
    registry, scheduler,
};

/// What the entropy that orders validators of equal power is mixed with.
const VALIDATOR_ENTROPY_CONTEXT: &[u8] = b"EkB-validator";

/// Moves the round on, or starts the scheduled epoch where its height is reached.
///
/// Source: go/consensus/tendermint/apps/beacon/backend_pvss.go, `OnBeginBlock`.
pub(super) fn begin_block(ctx: &mut Context<'_>, params: &ConsensusParameters) -> Result<()> {
    let round = state::pvss_state(ctx.store)?;
    let Some(future) = state::future_epoch(ctx.store)? else {
        let epoch = state::epoch(ctx.store)?.epoch;
        return match round {
            Some(round) => advance_round(ctx, params, round, epoch),
            // The first epoch, or one that just started.
            None => start_round(ctx, params, None, epoch.wrapping_add(1)),
        };
    };
    let round = round.ok_or_else(|| missing("beacon: the round of the scheduled epoch"))?;
    expect_state(&round, RoundState::COMPLETE)?;
    let height = ctx.current_height();
    if future.height < height {
        return Err(Error::fatal(format!("beacon: epoch {} was due at height {}, it is {height}", future.epoch, future.height)));
    }
    if future.height > height {
        return Ok(());
    }
    state::set_epoch(ctx.store, future.epoch, height);
    state::clear_future_epoch(ctx.store);
    ctx.emit(events::epoch(future.epoch));
    if params.debug_deterministic {
        new_beacon(ctx, future.epoch, DEBUG_ENTROPY_CONTEXT, DEBUG_ENTROPY);
    } else {
        new_beacon(ctx, future.epoch, ENTROPY_CONTEXT, &round.entropy);
    }
    // The next block starts a round, after the scheduler has chosen validators.
    state::clear_pvss_state(ctx.store);
    Ok(())
}

fn expect_state(round: &PvssState, expected: RoundState) -> Result<()> {
    if round.state != expected {
        return Err(Error::fatal(format!("beacon: round is in state {}, expected {expected}", round.state)));
    }
    Ok(())
}

pub(super) fn instance(round: &PvssState) -> Result<&Instance> {
    round.instance.as_ref().ok_or_else(|| missing("beacon: the round's secret sharing"))
}

/// Source: go/consensus/tendermint/apps/beacon/backend_pvss.go, `doRoundPeriodic`.
fn advance_round(ctx: &mut Context<'_>, params: &ConsensusParameters, mut round: PvssState, epoch: EpochTime) -> Result<()> {
    let height = ctx.current_height();
    // The height at which the epoch would have changed without a failure.
    if height == round.runtime_disable_height && round.state != RoundState::COMPLETE {
        ctx.emit(events::disable_runtimes());
    }
    if params.debug_mock_backend && hurry(&mut round, height)? {
        state::set_pvss_state(ctx.store, &round);
    }
    if height == round.commit_deadline {
        return end_commits(ctx, params, round, epoch);
    }
    if height == round.reveal_deadline {
        return end_reveals(ctx, params, round);
    }
    if round.state == RoundState::COMPLETE
        && params.debug_mock_backend
        && let Some(pending) = state::pending_mock_epoch(ctx.store)?
    {
        state::clear_pending_mock_epoch(ctx.store);
        return schedule_epoch(ctx, pending, height.saturating_add(1));
    }
    Ok(())
}

/// Ends a phase of a test network's round early where all participants have done their part. Whether deadlines changed.
fn hurry(round: &mut PvssState, height: i64) -> Result<bool> {
    let all = round.participants.len();
    let mut delta = 0;
    match round.state {
        RoundState::COMMIT if instance(round)?.may_reveal() == (true, all) => {
            delta = round.commit_deadline.saturating_sub(height);
            round.commit_deadline = height;
            round.reveal_deadline = round.reveal_deadline.saturating_sub(delta);
        }
        RoundState::REVEAL if instance(round)?.may_recover() == (true, all) => {
            delta = round.reveal_deadline.saturating_sub(height);
            round.reveal_deadline = height;
        }
        _ => {}
    }
    if delta <= 0 {
        return Ok(false);
    }
    round.runtime_disable_height = round.runtime_disable_height.saturating_sub(delta);
    round.transition_height = round.transition_height.saturating_sub(delta);
    Ok(true)
}

/// Marks the participants whose part is missing.
fn mark_failures(round: &mut PvssState, done: impl Fn(&Instance, i64) -> bool) -> Result<()> {
    let instance = instance(round)?;
    let failures: Vec<PublicKey> = (0i64..).zip(&round.participants).filter(|(i, _)| !done(instance, *i)).map(|(_, id)| *id).collect();
    round.bad_participants.extend(failures.into_iter().map(|id| (id, true)));
    Ok(())
}

fn end_commits(ctx: &mut Context<'_>, params: &ConsensusParameters, mut round: PvssState, epoch: EpochTime) -> Result<()> {
    expect_state(&round, RoundState::COMMIT)?;
    mark_failures(&mut round, |instance, index| instance.commits.get(&index).is_some())?;
    if !instance(&round)?.may_reveal().0 {
        let epoch = round.epoch;
        return start_round(ctx, params, Some(round), epoch);
    }
    make_nodes_eligible(ctx, epoch)?;
    round.height = ctx.current_height();
    round.state = RoundState::REVEAL;
    state::set_pvss_state(ctx.store, &round);
    ctx.emit(events::round(&round));
    Ok(())
}

/// Lets nodes into committees that registered since the last round.
///
/// Source: go/consensus/tendermint/apps/beacon/backend_pvss.go, `updateNodeStatus`.
fn make_nodes_eligible(ctx: &mut Context<'_>, epoch: EpochTime) -> Result<()> {
    for node in registry::state::nodes(ctx.store)? {
        let mut status = registry::state::node_status(ctx.store, &node.id)?;
        if status.election_eligible_after == EPOCH_INVALID {
            status.election_eligible_after = epoch;
            registry::state::set_node_status(ctx.store, &node.id, &status);
        }
    }
    Ok(())
}

fn end_reveals(ctx: &mut Context<'_>, params: &ConsensusParameters, mut round: PvssState) -> Result<()> {
    expect_state(&round, RoundState::REVEAL)?;
    mark_failures(&mut round, |instance, index| instance.reveals.get(&index).is_some())?;
    let sharing = instance(&round)?;
    if !sharing.may_recover().0 {
        let epoch = round.epoch;
        return start_round(ctx, params, Some(round), epoch);
    }
    let (entropy, good) = sharing.recover().map_err(|e| Error::fatal(format!("beacon: failed to recover entropy: {e}")))?;
    round.entropy = entropy.to_vec();
    round.height = ctx.current_height();
    round.state = RoundState::COMPLETE;
    state::set_pvss_state(ctx.store, &round);
    for (index, id) in (0i64..).zip(&round.participants) {
        if !good.contains(&index) {
            slashing::on_misbehavior(ctx, id, SlashReason::BEACON_NONPARTICIPATION)?;
        }
    }
    ctx.emit(events::round(&round));
    if params.debug_mock_backend {
        return Ok(());
    }
    schedule_epoch(ctx, round.epoch, round.transition_height)
}

/// Draws participants for a first or another attempt to make an epoch's beacon.
///
/// Source: go/consensus/tendermint/apps/beacon/backend_pvss.go, `initRound`.
fn start_round(ctx: &mut Context<'_>, params: &ConsensusParameters, last: Option<PvssState>, epoch: EpochTime) -> Result<()> {
    let params = params.pvss_parameters.as_ref().ok_or_else(|| missing("beacon: parameters of the secret sharing backend"))?;
    let mut round = match last {
        Some(mut last) if last.epoch == epoch => {
            last.round = last.round.wrapping_add(1);
            last
        }
        _ => PvssState { epoch, ..PvssState::default() },
    };
    let (points, participants) = draw(ctx, params, &round)?;
    let sharing = Instance::new(points, i64::from(params.threshold));
    round.instance = Some(sharing.map_err(|e| Error::fatal(format!("beacon: failed to initialize PVSS instance: {e}")))?);
    round.participants = participants;

    let height = ctx.current_height();
    round.commit_deadline = height.wrapping_add(params.commit_interval);
    round.reveal_deadline = round.commit_deadline.wrapping_add(params.reveal_interval);
    round.transition_height = round.reveal_deadline.wrapping_add(params.transition_delay);
    if round.runtime_disable_height == 0 {
        round.runtime_disable_height = round.transition_height;
    }
    round.height = height;
    round.state = RoundState::COMMIT;
    state::set_pvss_state(ctx.store, &round);
    ctx.emit(events::round(&round));
    Ok(())
}

/// The validators of highest power that have a beacon key and have not failed; their points and node keys.
fn draw(ctx: &Context<'_>, params: &PvssParameters, round: &PvssState) -> Result<(Vec<oasis_primitives::pvss::Point>, Vec<PublicKey>)> {
    let entropy = state::find_beacon(ctx.store)?;
    let mut validators = scheduler::state::current_validators(ctx.store)?;
    let mut candidates = force(ctx, params, &mut validators)?;
    candidates.extend(by_voting_power(&validators, entropy.as_deref().unwrap_or_default())?);

    let wanted = usize::try_from(params.participants).map_err(|_| Error::fatal("beacon: too many participants"))?;
    let (mut points, mut ids) = (Vec::new(), Vec::new());
    for validator in candidates {
        if points.len() == wanted {
            break;
        }
        let Some(node) = registry::state::find_node_by_sub_key(ctx.store, &validator)? else { continue };
        let Some(beacon) = &node.beacon else { continue };
        if round.bad_participants.get(&node.id).copied().unwrap_or_default() {
            continue;
        }
        points.push(beacon.point);
        ids.push(node.id);
    }
    if points.len() < wanted {
        return Err(Error::fatal(format!("beacon: insufficient beacon participants: {} (want {wanted})", points.len())));
    }
    Ok((points, ids))
}

/// The consensus keys of nodes that a test network forces to take part; they are taken out of `validators`.
fn force(ctx: &Context<'_>, params: &PvssParameters, validators: &mut BTreeMap<PublicKey, i64>) -> Result<Vec<PublicKey>> {
    let (mut seen, mut out) = (BTreeSet::new(), Vec::new());
    for id in &params.debug_forced_participants {
        if seen.contains(id) {
            continue;
        }
        let Some(node) = registry::state::find_node(ctx.store, id)? else { continue };
        validators.remove(&node.consensus.id);
        seen.insert(*id);
        out.push(node.consensus.id);
    }
    Ok(out)
}

/// Validators by descending power; those of equal power in an order that the last beacon decides.
///
/// Source: go/consensus/tendermint/apps/beacon/backend_pvss.go, `validatorsByVotingPower`.
fn by_voting_power(validators: &BTreeMap<PublicKey, i64>, entropy: &[u8]) -> Result<Vec<PublicKey>> {
    let mut sorted: Vec<(PublicKey, i64)> = validators.iter().map(|(id, power)| (*id, *power)).collect();
    if !entropy.is_empty() {
        let fatal = |e| Error::fatal(format!("beacon: couldn't shuffle validators: {e}"));
        let drbg = HmacDrbg::new(Hash::Sha512, entropy, &[], VALIDATOR_ENTROPY_CONTEXT).map_err(fatal)?;
        MathRand::new(drbg).and_then(|mut rng| rng.shuffle(&mut sorted)).map_err(fatal)?;
    }
    sorted.sort_by_key(|(_, power)| std::cmp::Reverse(*power));
    Ok(sorted.into_iter().map(|(id, _)| id).collect())
}
