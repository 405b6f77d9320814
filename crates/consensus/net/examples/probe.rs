//! Connects to nodes of a network as a stranger and tells what they send: `probe CHAIN APP_VERSION ID@HOST:PORT ...`.
//!
//! CHAIN is the chain context (its first 50 characters count), APP_VERSION the application's protocol as a number.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use oasis_consensus_net::{ChannelDescriptor, NetConfig, NetEvent, Network};
use oasis_primitives::signature::MemorySigner;

/// The engine's channels.
const CHANNELS: [u8; 9] = [0x40, 0x20, 0x21, 0x22, 0x23, 0x30, 0x38, 0x60, 0x61];

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let chain: String = args.next().context("which chain?")?.chars().take(50).collect();
    let version = args.next().context("which version of the application?")?.parse()?;
    let peers = args.map(|a| a.parse()).collect::<Result<Vec<_>, _>>()?;
    let config = NetConfig {
        listen: None,
        persistent_peers: peers,
        allow_duplicate_ip: true,
        address_book_strict: false,
        dial_jitter: Duration::from_millis(10),
        moniker: "probe".to_owned(),
        ..NetConfig::new(chain, version)
    };
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|e| anyhow::anyhow!("{e}"))?;
    let channels = CHANNELS.map(|id| ChannelDescriptor::new(id, 1)).to_vec();
    let (handle, mut events) = Network::start(config, Arc::new(MemorySigner::from_seed(&seed)), channels).await?;
    println!("we are {}", handle.id());
    let mut heard = BTreeMap::<_, (usize, usize)>::new();
    let end = tokio::time::sleep(Duration::from_secs(20));
    tokio::pin!(end);
    loop {
        tokio::select! {
            () = &mut end => break,
            event = events.recv() => match event.context("the network ended")? {
                NetEvent::Message { peer, channel, bytes } => {
                    let count = heard.entry((peer, channel)).or_default();
                    *count = (count.0 + 1, count.1 + bytes.len());
                }
                event => println!("{event:?}"),
            },
        }
    }
    for ((peer, channel), (messages, bytes)) in heard {
        println!("{peer} channel {channel:#04x}: {messages} messages, {bytes} bytes");
    }
    for peer in handle.peers() {
        println!("{} {:?}: {} bytes sent, {} received", peer.id, peer.connected_for, peer.bytes_sent, peer.bytes_received);
    }
    handle.shutdown().await;
    Ok(())
}
