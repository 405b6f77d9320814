//! The network of peers, as the configuration wants it.

use std::{
    net::{IpAddr, SocketAddr, UdpSocket},
    time::Duration,
};

use oasis_consensus_engine::messages::{CHANNELS, ChannelId};
use oasis_consensus_net::{ChannelDescriptor, NetConfig};
use oasis_consensus_types::consensus::TENDERMINT_APP_VERSION;

use super::prepare::{Prepared, StartError};
use crate::config::Mode;

/// A seed lets its peers go after this time. Source: go/consensus/tendermint/seed/seed.go, `SeedDisconnectWaitPeriod`.
const SEED_DISCONNECT: Duration = Duration::from_secs(28 * 3600);

/// The node's channels.
pub fn channels() -> Vec<ChannelDescriptor> {
    let user = CHANNELS.iter().filter(|c| c.id != ChannelId::PEX);
    let descriptor = |c: &oasis_consensus_engine::messages::ChannelInfo| ChannelDescriptor {
        send_queue_capacity: c.send_queue,
        recv_message_capacity: c.max_message,
        ..ChannelDescriptor::new(c.id.0, c.priority)
    };
    user.map(descriptor).collect()
}

/// The network's settings. Source: go/consensus/tendermint/full/full.go, `lazyInit`; seed/seed.go, `New`.
pub fn config(prepared: &Prepared) -> NetConfig {
    let settings = &prepared.settings.p2p;
    let seed = prepared.settings.mode == Mode::Seed;
    let mut config = NetConfig::new(prepared.network.engine.chain_id.clone(), TENDERMINT_APP_VERSION);
    config.listen = Some(settings.listen);
    config.external_address = settings.external.as_ref().map(|(host, port)| format!("tcp://{host}:{port}"));
    config.version = env!("CARGO_PKG_VERSION").to_owned();
    if seed {
        config.moniker = format!("oasis-seed-{}", prepared.identity.p2p.public_key());
        config.seed_mode = true;
        config.seed_disconnect_after = SEED_DISCONNECT;
    }
    config.seeds.clone_from(&settings.seeds);
    config.persistent_peers.clone_from(&settings.persistent);
    config.persistent_peers_max_dial_period = Some(settings.max_dial_period).filter(|period| !period.is_zero());
    config.private_peer_ids = settings.private.iter().copied().collect();
    config.unconditional_peer_ids = settings.unconditional.iter().copied().collect();
    config.max_inbound = settings.max_inbound;
    config.max_outbound = settings.max_outbound;
    config.allow_duplicate_ip = settings.allow_duplicate_ip;
    config.pex = settings.peer_exchange || seed;
    config.address_book = Some(prepared.paths.address_book());
    config.address_book_strict = !settings.lenient;
    config.connection.send_rate = settings.send_rate;
    config.connection.recv_rate = settings.recv_rate;
    config
}

/// Why there is no network, with the key to set.
pub fn failed(error: oasis_consensus_net::StartError) -> StartError {
    match error {
        oasis_consensus_net::StartError::Listen(address, error) => StartError(format!(
            "consensus.tendermint.core.listen_address: expected an address and a port that are free, found {address}: {error}"
        )),
        other => StartError(other.to_string()),
    }
}

/// Where others reach this node: as configured, else the address it listens on, with the machine's own address for "any".
///
/// Source: go/consensus/tendermint/common/common.go, `GetExternalAddress`.
pub fn external_address(prepared: &Prepared) -> Option<(String, u16)> {
    let settings = &prepared.settings.p2p;
    if let Some(external) = &settings.external {
        return Some(external.clone());
    }
    let ip = if settings.listen.ip().is_unspecified() { outgoing_address()? } else { settings.listen.ip() };
    Some((ip.to_string(), settings.listen.port()))
}

/// The address that this machine would use towards the internet; nothing is sent.
///
/// Source: go/common/address.go, `GuessExternalAddress`.
fn outgoing_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind(SocketAddr::from(([0, 0, 0, 0], 0))).ok()?;
    socket.connect(SocketAddr::from(([8, 8, 8, 8], 1))).ok()?;
    socket.local_addr().ok().map(|address| address.ip())
}
