//! A seed: it tells nodes of other nodes, and of itself who asks on its socket.
//!
//! Source: go/consensus/tendermint/seed/seed.go.

use std::{sync::Arc, time::Duration};

use oasis_consensus_net::{NetAddress, Network as Peers, PeerId};
use oasis_consensus_types::{genesis::Document, node::Roles};

use super::{
    api::seed::SeedApi,
    net, numbers,
    prepare::{Prepared, StartError},
    stop::{Stop, Stopper},
};
use crate::{grpc, metrics};

/// How long those who asked before a seed stops wait for their answer at most.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

/// Runs a seed until it is told to stop.
pub async fn run(prepared: Prepared, stopper: Stopper, stop: &mut Stop) -> Result<(), StartError> {
    let prepared = Arc::new(prepared);
    let socket = prepared.settings.socket.clone().unwrap_or_else(|| prepared.paths.root.join(grpc::SOCKET_FILE));
    let socket = grpc::UnixServer::bind(&socket).await.map_err(|e| StartError(e.to_string()))?;
    if let (Some(server), Some(metrics)) = (numbers::bind(&prepared).await?, &prepared.metrics) {
        metrics::start(server, Arc::clone(metrics), metrics::Nothing, stop.receiver());
    }
    let config = net::config(&prepared);
    let started = Peers::start(config, prepared.identity.p2p.clone(), Vec::new()).await;
    let (handle, mut events) = started.map_err(net::failed)?;
    if !prepared.settings.p2p.seed_without_genesis {
        handle.add_addresses(validators(&prepared.network.document));
    }
    let service = Arc::new(SeedApi::new(Arc::clone(&prepared), handle.clone(), stopper)?);
    let receiver = stop.receiver();
    let mut server = tokio::spawn(async move { socket.serve(service, receiver).await });
    tracing::info!(target: "consensus/tendermint/seed", id = %handle.id(), listening = ?handle.listening(), "seed node started");
    loop {
        tokio::select! {
            event = events.recv() => match event {
                Some(event) => tracing::debug!(target: "consensus/tendermint/seed", ?event, "peer"),
                None => break,
            },
            () = stop.wait() => break,
        }
    }
    // What was asked is still answered.
    let _ = tokio::time::timeout(LAST_ANSWERS, &mut server).await;
    handle.shutdown().await;
    Ok(())
}

/// Addresses of the validators of a genesis document. Source: `populateAddrBookFromGenesis`.
fn validators(document: &Document) -> Vec<NetAddress> {
    let nodes = document.registry.nodes.iter().filter_map(|node| node.untrusted().ok()).filter(|node| node.roles.has(Roles::VALIDATOR));
    let addresses = nodes.flat_map(|node| node.consensus.addresses.iter().cloned().collect::<Vec<_>>());
    addresses
        .filter_map(|address| {
            let socket = address.address.to_string().parse().ok()?;
            Some(NetAddress::new(PeerId::of_key(&address.id.0), socket))
        })
        .collect()
}
