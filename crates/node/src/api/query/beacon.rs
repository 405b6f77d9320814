//! Epochs and randomness. Source: go/beacon/api/grpc.go; go/consensus/tendermint/beacon/beacon.go.

use oasis_consensus_app::beacon::query;

use super::{Answer, Source, app_error, at, current_epoch, ok, read, state, unknown, wrapped};
use crate::grpc::ApiError;

pub(super) const METHODS: &[&str] =
    &["GetBaseEpoch", "GetEpoch", "GetFutureEpoch", "GetEpochBlock", "GetBeacon", "StateToGenesis", "ConsensusParameters", "GetPVSSState"];

pub(super) fn answer(source: &dyn Source, method: &str, request: &[u8]) -> Option<Answer> {
    Some(match method {
        "GetBaseEpoch" => ok(&source.network().document.beacon.base),
        "GetEpoch" => at(source, request, |state| query::epoch(state).map(|known| known.epoch)),
        "GetFutureEpoch" => at(source, request, query::future_epoch),
        "GetEpochBlock" => read(request).and_then(|epoch| ok(&epoch_block(source, epoch)?)),
        "GetBeacon" => at(source, request, |state| query::beacon(state).map(|value| value.to_vec())),
        "StateToGenesis" => at(source, request, query::state_to_genesis),
        "ConsensusParameters" => read(request)
            .and_then(|height| state(source, height).map_err(|e| wrapped("beacon: genesis query failed", app_error(e))))
            .and_then(|state| ok(&query::consensus_parameters(&state).map_err(app_error)?)),
        "GetPVSSState" => at(source, request, query::pvss_state),
        _ => return None,
    })
}

/// The height at which an epoch began.
///
/// Source: `GetEpochBlock`.
fn epoch_block(source: &dyn Source, epoch: u64) -> Result<i64, ApiError> {
    let (now, height) = current_epoch(source).map_err(app_error)?;
    if epoch == now {
        return Ok(height);
    }
    let document = &source.network().document;
    let base = document.beacon.base;
    if epoch < base {
        return Err(unknown(format_args!("epoch predates base (base: {base} requested: {epoch})")));
    }
    if epoch == base {
        return Ok(document.height);
    }
    // Each step leads into an earlier epoch.
    let mut height = 0;
    loop {
        let failed = |e| wrapped("failed to query epoch", app_error(e));
        let past = query::epoch(&state(source, height).map_err(failed)?).map_err(failed)?;
        if past.epoch == epoch {
            return Ok(past.height);
        }
        // In later epochs the state's own height is not above the one that was asked for.
        if height > 0 && past.height > height {
            return Err(unknown(format_args!("epoch {} began at height {}, after {height}", past.epoch, past.height)));
        }
        height = past.height.saturating_sub(1);
        if past.epoch == 0 || height <= 1 {
            return Err(unknown(format_args!("failed to find historic epoch (minimum: {} requested: {epoch})", past.epoch)));
        }
    }
}
