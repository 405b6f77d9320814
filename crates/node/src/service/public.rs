//! What the node serves to anybody: the light consensus service, over TLS.
//!
//! Source: go/worker/consensusrpc/worker.go, go/worker/common.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use oasis_consensus_types::node::{Address, TlsAddress};
use oasis_primitives::signature::PublicKey;
use tokio::net::TcpListener;

use super::{
    api::NodeApi,
    full::Running,
    prepare::{Prepared, StartError},
    stop::Stop,
};
use crate::{
    config::ConsensusRpcSettings,
    grpc::{self, Reply, ServerKey, Service},
    identity::Identity,
    metrics::Counted,
    workers::registration::may_register,
};

/// The only service that is public.
const SERVICE: &str = "oasis-core.ConsensusLight";

/// The part of the API that is for anybody.
struct PublicApi(NodeApi);

impl Service for PublicApi {
    fn call(&self, service: &str, method: &str, request: Vec<u8>) -> Option<Reply> {
        (service == SERVICE).then(|| self.0.call(service, method, request))?
    }

    fn is_stream(&self, service: &str, method: &str) -> Option<bool> {
        (service == SERVICE).then(|| self.0.is_stream(service, method))?
    }

    fn knows(&self, service: &str) -> bool {
        service == SERVICE
    }
}

/// The key of the servers over TLS, if the node has any.
pub fn key(prepared: &Prepared) -> Result<Option<ServerKey>, StartError> {
    let serves = prepared.settings.consensus_rpc.is_some() || prepared.settings.sentry.is_some();
    serves.then(|| ServerKey::new(prepared.identity.tls.clone())).transpose().map_err(|e| StartError(e.to_string()))
}

/// Takes the port, if the node is to serve.
pub async fn bind(prepared: &Prepared) -> Result<Option<TcpListener>, StartError> {
    match &prepared.settings.consensus_rpc {
        Some(settings) => listen("worker.client.port", settings.port).await.map(Some),
        None => Ok(None),
    }
}

/// Starts to serve, if that is configured. Ends when the node stops.
pub fn start(running: &Running, listener: Option<TcpListener>, stop: &Stop) {
    let (Some(listener), Some(key)) = (listener, running.tls.clone()) else { return };
    tracing::info!(target: "worker/consensusrpc", address = ?listener.local_addr().ok(), "serving the public consensus RPC");
    let service = Counted::over(Arc::new(PublicApi(NodeApi::new(running.clone()))), running.prepared.metrics.as_ref());
    let stop = stop.receiver();
    tokio::spawn(async move {
        if let Err(error) = grpc::serve_tls(listener, key, grpc::Clients::Anybody, service, stop).await {
            tracing::error!(target: "worker/consensusrpc", %error, "the public consensus RPC has stopped");
        }
    });
}

/// Listens on all addresses, of both kinds where there are both.
pub(crate) async fn listen(key: &str, port: u16) -> Result<TcpListener, StartError> {
    if let Ok(listener) = TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).await {
        return Ok(listener);
    }
    let bound = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await;
    bound.map_err(|e| StartError(format!("{key}: expected a port that is free, found {port}: {e}")))
}

/// The addresses that are registered: those configured, else all of this machine's but loopback, each with the keys that are used there.
///
/// Source: go/worker/registration/worker.go, `gatherTLSAddresses`; go/worker/common/config.go, `GetNodeAddresses`.
pub fn tls_addresses(settings: &ConsensusRpcSettings, identity: &Identity, allow_unroutable: bool) -> Vec<TlsAddress> {
    let own;
    let addresses = if settings.addresses.is_empty() {
        own = own_addresses().into_iter().map(|ip| SocketAddr::new(ip, settings.port)).collect();
        &own
    } else {
        &settings.addresses
    };
    let next = identity.next_tls.as_ref().map(|key| key.public_key());
    let keys: Vec<PublicKey> = std::iter::once(identity.tls.public_key()).chain(next).collect();
    let known = addresses.iter().filter_map(|address| Address::from_text(&address.to_string()));
    let reached = known.filter(|address| may_register(address, allow_unroutable));
    reached.flat_map(|address| keys.iter().map(move |key| TlsAddress { pub_key: *key, address: address.clone() })).collect()
}

/// This machine's addresses, without loopback and link-local. Source: go/common/address.go, `FindAllAddresses`.
fn own_addresses() -> Vec<IpAddr> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let v4 = v4_addresses(&read("/proc/net/fib_trie")).into_iter().map(IpAddr::V4);
    let v6 = v6_addresses(&read("/proc/net/if_inet6")).into_iter().map(IpAddr::V6);
    v4.chain(v6).collect()
}

/// Addresses are given as `|-- ADDRESS`, and below them what they are; each may be there several times.
fn v4_addresses(table: &str) -> Vec<Ipv4Addr> {
    let mut found = Vec::new();
    let mut last = None;
    for line in table.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            last = address.parse::<Ipv4Addr>().ok();
        } else if line == "/32 host LOCAL"
            && let Some(address) = last
            && !(address.is_loopback() || address.is_link_local() || found.contains(&address))
        {
            found.push(address);
        }
    }
    found
}

/// Each line begins with the 32 digits of an address.
fn v6_addresses(table: &str) -> Vec<Ipv6Addr> {
    let address = |line: &str| u128::from_str_radix(line.split(' ').next()?, 16).ok().map(Ipv6Addr::from_bits);
    let ours = |address: &Ipv6Addr| !(address.is_loopback() || address.is_unicast_link_local() || address.is_multicast());
    table.lines().filter_map(address).filter(ours).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_addresses_are_read_without_loopback() {
        let table = "Main:\n  |-- 127.0.0.1\n    /32 host LOCAL\n  |-- 192.0.2.0\n    /24 link UNICAST\n  |-- 192.0.2.2\n    /32 host LOCAL\n\
                     Local:\n  |-- 192.0.2.2\n    /32 host LOCAL\n";
        assert_eq!(v4_addresses(table), [Ipv4Addr::new(192, 0, 2, 2)]);
        let table = "fe8000000000000000fc00fffe000001 04 40 20 80 eth0\n00000000000000000000000000000001 01 80 10 80 lo\n\
                     20010db8000000000000000000000002 04 40 00 82 eth0\n";
        assert_eq!(v6_addresses(table), ["2001:db8::2".parse::<Ipv6Addr>().unwrap()]);
    }

    #[test]
    fn an_address_is_registered_with_all_keys() {
        let dir = tempfile::tempdir().unwrap();
        let identity = Identity::load_or_generate(dir.path()).unwrap();
        let addresses = vec!["127.0.0.1:9100".parse().unwrap(), "8.8.8.8:9100".parse().unwrap()];
        let settings = ConsensusRpcSettings { port: 9100, addresses };
        let keys = 1 + usize::from(identity.next_tls.is_some());
        assert_eq!(tls_addresses(&settings, &identity, false).len(), keys);
        assert_eq!(tls_addresses(&settings, &identity, true).len(), 2 * keys);
        assert_eq!(tls_addresses(&settings, &identity, false)[0].pub_key, identity.tls.public_key());
    }
}
