//! Transactions of the secret sharing backend.
//!
//! Source: go/consensus/tendermint/apps/beacon/backend_pvss.go.

use oasis_consensus_types::{
    beacon::{
        ConsensusParameters, EpochTime, METHOD_PVSS_COMMIT, METHOD_PVSS_REVEAL, METHOD_SET_EPOCH, PvssCommit, PvssReveal, PvssState,
        RoundState,
    },
    registry::ERR_NO_SUCH_NODE,
    staking::SlashReason,
    transaction::Transaction,
};
use oasis_primitives::{cbor, pvss::Instance};

use super::{slashing, state};
use crate::{
    context::{Context, missing},
    error::{Error, Result},
    registry,
};

/// Why a commit or reveal is refused, and whether its sender is to blame.
struct Refusal {
    slash: bool,
    reason: String,
}

fn blame<T>(reason: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { slash: true, reason: reason.into() })
}

fn refuse<T>(reason: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { slash: false, reason: reason.into() })
}

/// Source: go/consensus/tendermint/apps/beacon/backend_pvss.go, `ExecuteTx`.
pub(super) fn execute(ctx: &mut Context<'_>, params: &ConsensusParameters, tx: &Transaction) -> Result<()> {
    match tx.method.as_str() {
        METHOD_PVSS_COMMIT | METHOD_PVSS_REVEAL => {
            check_sender(ctx)?;
            execute_pvss(ctx, tx)
        }
        METHOD_SET_EPOCH if params.debug_mock_backend => set_epoch(ctx, tx),
        METHOD_SET_EPOCH => Err(Error::unknown(format!("beacon: method '{METHOD_SET_EPOCH}' is disabled via consensus"))),
        other => Err(Error::unknown(format!("beacon: invalid method: {other}"))),
    }
}

/// Only a block's proposer may put a transaction of the beacon into it, and only one: others would cost the network time.
fn check_sender(ctx: &mut Context<'_>) -> Result<()> {
    let signer = ctx.tx_signer();
    if ctx.is_check_only() {
        if ctx.env.options.own_tx_signer != Some(signer) {
            return Err(Error::unknown(format!("beacon: rejecting non-local beacon tx: {signer}")));
        }
    } else if !ctx.is_simulation() {
        let proposer = registry::state::find_node_id_by_consensus_address(ctx.store, &ctx.block.proposer)?;
        let proposer = proposer.ok_or_else(|| Error::from(ERR_NO_SUCH_NODE))?;
        if signer != proposer {
            let reason = format!("beacon: rejecting beacon tx not from proposer (proposer: {proposer} signer: {signer})");
            return Err(Error::unknown(reason));
        }
        if ctx.block.beacon_tx_included {
            return Err(Error::unknown("beacon: rejecting multiple beacon txes per block"));
        }
        ctx.block.beacon_tx_included = true;
    }
    Ok(())
}

/// Source: go/consensus/tendermint/apps/beacon/backend_pvss.go, `doPVSSTx`.
fn execute_pvss(ctx: &mut Context<'_>, tx: &Transaction) -> Result<()> {
    let round = state::pvss_state(ctx.store)?;
    let mut round = round.ok_or_else(|| Error::unknown("beacon: no PVSS state, round not in progress"))?;
    let signer = ctx.tx_signer();
    let node = registry::state::find_node(ctx.store, &signer)?.ok_or_else(|| Error::unknown("beacon: tx not from a node"))?;
    let beacon = node.beacon.as_ref().ok_or_else(|| Error::unknown("beacon: tx signer missing beacon metadata"))?;
    if round.bad_participants.get(&signer).copied().unwrap_or_default() {
        return Err(Error::unknown("beacon: rejecting tx from bad participant"));
    }
    let position = round.participants.iter().position(|id| *id == node.id);
    let position = position.ok_or_else(|| Error::unknown("beacon: tx signer not a participant in the current round"))?;
    let mut sharing = round.instance.take().ok_or_else(|| missing("beacon: the round's secret sharing"))?;
    if sharing.participants.get(position) != Some(&beacon.point) {
        return Err(Error::unknown("beacon: tx signer point updated in registry"));
    }
    let index = i64::try_from(position).map_err(|_| Error::fatal("beacon: too many participants"))?;
    let (result, reason) = if tx.method == METHOD_PVSS_COMMIT {
        (commit(&round, &mut sharing, tx, index), SlashReason::BEACON_INVALID_COMMIT)
    } else {
        (reveal(&round, &mut sharing, tx, index), SlashReason::BEACON_INVALID_REVEAL)
    };
    if let Err(refusal) = result {
        if refusal.slash {
            // Where that fails too, the sender sees why the transaction was refused.
            match slashing::on_misbehavior(ctx, &node.id, reason) {
                Err(fatal) if fatal.is_fatal() => return Err(fatal),
                _ => {}
            }
        }
        return Err(Error::unknown(refusal.reason));
    }
    round.instance = Some(sharing);
    state::set_pvss_state(ctx.store, &round);
    Ok(())
}

fn check_round(round: &PvssState, epoch: EpochTime, attempt: u64) -> Result<(), Refusal> {
    if epoch != round.epoch {
        return refuse(format!("beacon: epoch mismatch in tx: {epoch} (expected {})", round.epoch));
    }
    if attempt != round.round {
        return refuse(format!("beacon: round mismatch in tx: {attempt} (expected {})", round.round));
    }
    Ok(())
}

/// Source: go/consensus/tendermint/apps/beacon/backend_pvss.go, `doCommitTx`.
fn commit(round: &PvssState, sharing: &mut Instance, tx: &Transaction, index: i64) -> Result<(), Refusal> {
    if round.state != RoundState::COMMIT {
        return refuse("beacon: unexpected commit tx");
    }
    // A missing body is one of epoch 0, whose sender is not to blame.
    let body: PvssCommit = match tx.body() {
        Ok(body) => body,
        Err(e) => return blame(format!("beacon: failed to deserialize commit tx: {e}")),
    };
    check_round(round, body.epoch, body.round)?;
    let Some(commit) = body.commit else { return blame("beacon: commit tx missing actual commitment") };
    if commit.index != index {
        return blame(format!("beacon: commit tx index mismatch: {} (expected {index})", commit.index));
    }
    // The original means to let a repeated commit pass without a penalty, but compares what it stored around the commit
    // with the commit itself, which never are the same bytes.
    if sharing.commits.get(&index).is_some() {
        return blame(format!("beacon: participant attempted to alter commit: {index}"));
    }
    sharing.on_commit(commit).or_else(|e| blame(format!("beacon: failed to process commit tx: {e}")))
}

/// Source: go/consensus/tendermint/apps/beacon/backend_pvss.go, `doRevealTx`.
fn reveal(round: &PvssState, sharing: &mut Instance, tx: &Transaction, index: i64) -> Result<(), Refusal> {
    let body: PvssReveal = match tx.body() {
        Ok(body) => body,
        Err(e) => return blame(format!("beacon: failed to deserialize reveal tx: {e}")),
    };
    check_round(round, body.epoch, body.round)?;
    let Some(reveal) = body.reveal else { return blame("beacon: reveal tx missing actual reveal") };
    if reveal.index != index {
        return blame(format!("beacon: reveal tx index mismatch: {} (expected {index})", reveal.index));
    }
    if let Some(old) = sharing.reveals.get(&index) {
        if cbor::to_vec(old) == cbor::to_vec(&reveal) {
            // Anybody may send it again.
            return refuse(format!("beacon: reveal tx already received for participant: {index}"));
        }
        return blame(format!("beacon: participant attempted to alter reveal: {index}"));
    }
    match round.state {
        RoundState::REVEAL => {}
        RoundState::COMMIT => return blame("beacon: early reveal tx"),
        RoundState::COMPLETE => return refuse("beacon: ignoring late reveal tx"),
        _ => return refuse("beacon: unexpected reveal tx"),
    }
    sharing.on_reveal(reveal).or_else(|e| blame(format!("beacon: failed to process reveal tx: {e}")))
}

/// Asks for an epoch that starts when the round is over; in test networks only.
///
/// Source: go/consensus/tendermint/apps/beacon/backend_pvss.go, `doSetEpochTx`.
fn set_epoch(ctx: &mut Context<'_>, tx: &Transaction) -> Result<()> {
    let now = state::epoch(ctx.store)?.epoch;
    let epoch: EpochTime = tx.body()?;
    match state::pending_mock_epoch(ctx.store)? {
        Some(pending) if pending == epoch => return Ok(()),
        Some(_) => return Err(Error::unknown("beacon: explicit epoch transition already pending")),
        None => {}
    }
    if epoch <= now {
        return Err(Error::unknown("beacon: explicit epoch chronology violation"));
    }
    state::set_pending_mock_epoch(ctx.store, epoch);
    Ok(())
}
