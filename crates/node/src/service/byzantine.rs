//! A validator that keeps back its part of the random beacon: it looks at each block, and stops the node where the network does not
//! count it as it should.
//!
//! Source: go/oasis-node/cmd/debug/byzantine/beacon.go, `doBeaconScenario`.

use oasis_consensus_app::beacon::query;

use super::{
    full::Running,
    prepare::StartError,
    workers::{next_block, sign_and_submit, with_state},
};
use crate::{config::BeaconMode, identity::entropy, workers::byzantine::Straggler};

/// Takes part in rounds until one does not go as it should; without end where the node is an honest one.
pub async fn run(running: &Running) -> StartError {
    let Some(settings) = running.prepared.settings.byzantine else { return std::future::pending().await };
    match rounds(running, settings.mode).await {
        Err(e) => StartError(format!("debug byzantine beacon: {e}")),
        // The engine has ended, and says why.
        Ok(()) => std::future::pending().await,
    }
}

async fn rounds(running: &Running, mode: BeaconMode) -> Result<(), String> {
    if running.prepared.network.document.beacon.parameters.pvss_parameters.is_none() {
        return Err("the network's beacon is not made by secret sharing; it needs a genesis document with the backend pvss".to_owned());
    }
    let identity = &running.prepared.identity;
    let mut straggler = Straggler::new(identity.node.public_key(), &identity.beacon, mode);
    let mut last = 0;
    let mut completed = 0u64;
    while next_block(running, &mut last).await.is_some() {
        let round = with_state(running, query::pvss_state).map_err(|e| e.to_string())?;
        let Some(round) = round else { continue };
        let act = straggler.step(&round, &mut entropy)?;
        if let Some(tx) = act.transaction {
            let method = tx.method.clone();
            sign_and_submit(running, &*identity.node, tx).await.map_err(|e| format!("{method}: {e}"))?;
            tracing::info!(target: "cmd/byzantine", method, epoch = round.epoch, round = round.round, "sent");
        }
        if act.completed {
            completed = completed.saturating_add(1);
            let log_event = "byzantine/beacon/round_completed";
            tracing::info!(target: "cmd/byzantine", log_event, mode = mode.name(), epoch = round.epoch, completed, "round completed");
        }
    }
    Ok(())
}
