//! A seed: it tells nodes of other nodes, and nothing else.
//!
//! Source: go/consensus/tendermint/seed/seed.go.

use std::sync::Arc;

use oasis_consensus_net::{NetAddress, Network as Peers, PeerId};
use oasis_consensus_types::genesis::Document;

use super::{
    net, numbers,
    prepare::{Prepared, StartError},
    stop::Stop,
};
use crate::metrics;

/// Runs a seed until it is told to stop.
pub async fn run(prepared: &Prepared, stop: &mut Stop) -> Result<(), StartError> {
    if let (Some(server), Some(metrics)) = (numbers::bind(prepared).await?, &prepared.metrics) {
        metrics::start(server, Arc::clone(metrics), metrics::Nothing, stop.receiver());
    }
    let config = net::config(prepared);
    let started = Peers::start(config, prepared.identity.p2p.clone(), Vec::new()).await;
    let (handle, mut events) = started.map_err(net::failed)?;
    handle.add_addresses(validators(&prepared.network.document));
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
    handle.shutdown().await;
    Ok(())
}

/// Addresses of the validators of a genesis document. Source: `populateAddrBookFromGenesis`.
fn validators(document: &Document) -> Vec<NetAddress> {
    let nodes = document.registry.nodes.iter().filter_map(|node| node.untrusted().ok());
    let addresses = nodes.flat_map(|node| node.consensus.addresses.iter().cloned().collect::<Vec<_>>());
    addresses
        .filter_map(|address| {
            let socket = address.address.to_string().parse().ok()?;
            Some(NetAddress::new(PeerId::of_key(&address.id.0), socket))
        })
        .collect()
}
