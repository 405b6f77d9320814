//! Network addresses in node descriptors.
//!
//! Source: go/common/node/address.go, go/common/address.go.

use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
};

use oasis_primitives::{
    cbor::{Cbor, NilVec},
    json,
    signature::PublicKey,
};

/// A TCP address; in CBOR with the keys of Go's `net.TCPAddr`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Cbor)]
pub struct Address {
    /// 4 or 16 bytes; an address is an address only with one of these lengths.
    #[cbor(rename = "IP")]
    pub ip: NilVec<u8>,
    /// The port; not checked to be one.
    #[cbor(rename = "Port")]
    pub port: i64,
    /// The zone of an IPv6 address.
    #[cbor(rename = "Zone")]
    pub zone: String,
}

/// Networks that are not reachable from everywhere: the bytes of the address and the number of leading bits that count.
///
/// Source: go/common/address.go, `reservedRanges`: the IANA registries of special-purpose addresses.
const RESERVED_V4: &[([u8; 4], u32)] = &[
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([240, 0, 0, 0], 4),
    ([127, 0, 0, 0], 8),
];

const RESERVED_V6: &[([u16; 8], u32)] = &[
    ([0, 0, 0, 0, 0, 0, 0, 1], 128),
    ([0; 8], 128),
    ([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48),
    ([0x100, 0, 0, 0, 0, 0, 0, 0], 64),
    ([0x2001, 2, 0, 0, 0, 0, 0, 0], 48),
    ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32),
    ([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10),
    ([0x2001, 0, 0, 0, 0, 0, 0, 0], 23),
    ([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7),
];

impl Address {
    /// The IPv4 address, also where it is written as an IPv6 one.
    fn v4(&self) -> Option<Ipv4Addr> {
        if let Ok(bytes) = <[u8; 4]>::try_from(self.ip.as_slice()) {
            return Some(bytes.into());
        }
        self.v6()?.to_ipv4_mapped()
    }

    fn v6(&self) -> Option<Ipv6Addr> {
        <[u8; 16]>::try_from(self.ip.as_slice()).ok().map(Into::into)
    }

    /// Source: Go's `net.IP.IsGlobalUnicast`.
    pub fn is_global_unicast(&self) -> bool {
        if let Some(ip) = self.v4() {
            return !(ip.is_broadcast() || ip.is_unspecified() || ip.is_loopback() || ip.is_multicast() || ip.is_link_local());
        }
        self.v6().is_some_and(|ip| !(ip.is_unspecified() || ip.is_loopback() || ip.is_multicast() || ip.is_unicast_link_local()))
    }

    /// Whether the address is outside all reserved networks; true of what is no address.
    ///
    /// Source: go/common/address.go, `IsProbablyGloballyReachable`.
    pub fn is_routable(&self) -> bool {
        if let Some(ip) = self.v4() {
            let ip = u32::from(ip);
            return !RESERVED_V4.iter().any(|(net, bits)| leading_bits_equal(u128::from((u32::from_be_bytes(*net)) ^ ip) << 96, *bits));
        }
        let Some(ip) = self.v6() else { return true };
        !RESERVED_V6.iter().any(|(net, bits)| leading_bits_equal(u128::from(Ipv6Addr::from(*net)) ^ u128::from(ip), *bits))
    }

    /// Reads `host:port` with a literal address, as JSON has it; names are not resolved.
    ///
    /// Source: go/common/node/address.go, `Address.UnmarshalText`. IPv4 addresses get their 16-byte form.
    pub fn from_text(text: &str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        let port = if port.is_empty() { 0 } else { i64::from(port.parse::<u16>().ok()?) };
        if host.is_empty() {
            return Some(Self { ip: NilVec::NIL, port, zone: String::new() });
        }
        if let Ok(ip) = host.parse::<Ipv4Addr>() {
            return Some(Self { ip: ip.to_ipv6_mapped().octets().to_vec().into(), port, zone: String::new() });
        }
        let inner = host.strip_prefix('[')?.strip_suffix(']')?;
        let (ip, zone) = inner.split_once('%').unwrap_or((inner, ""));
        let ip: Ipv6Addr = ip.parse().ok()?;
        Some(Self { ip: ip.octets().to_vec().into(), port, zone: zone.to_owned() })
    }
}

fn leading_bits_equal(difference: u128, bits: u32) -> bool {
    difference.leading_zeros() >= bits
}

impl fmt::Display for Address {
    /// Source: Go's `net.TCPAddr.String`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut host = match (self.v4(), self.v6()) {
            (Some(ip), _) => ip.to_string(),
            (None, Some(ip)) => ip.to_string(),
            (None, None) if self.ip.is_empty() => String::new(),
            (None, None) => format!("?{}", hex::encode(self.ip.as_slice())),
        };
        if !self.zone.is_empty() {
            host = format!("{host}%{}", self.zone);
        }
        if host.contains(':') { write!(f, "[{host}]:{}", self.port) } else { write!(f, "{host}:{}", self.port) }
    }
}

json::text_json!(Address, "address as host:port", Address::from_text);

macro_rules! keyed_address {
    ($type:ident, $key:ident, $what:literal) => {
        impl $type {
            /// Reads `key@host:port`.
            pub fn from_text(text: &str) -> Option<Self> {
                let (key, address) = text.split_once('@')?;
                if address.contains('@') {
                    return None;
                }
                Some(Self { $key: PublicKey::from_base64(key)?, address: Address::from_text(address)? })
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}@{}", self.$key, self.address)
            }
        }

        json::text_json!($type, $what, $type::from_text);
    };
}

/// Where a node is reached as a member of consensus; the key may be a sentry's.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Cbor)]
pub struct ConsensusAddress {
    /// The key of the node that answers there.
    pub id: PublicKey,
    /// Its address.
    pub address: Address,
}

/// Where a node is reached by TLS; the key may be a sentry's.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Cbor)]
pub struct TlsAddress {
    /// The key of the certificate used there.
    pub pub_key: PublicKey,
    /// Its address.
    pub address: Address,
}

keyed_address!(ConsensusAddress, id, "consensus address as id@host:port");
keyed_address!(TlsAddress, pub_key, "TLS address as key@host:port");

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn address(text: &str) -> Address {
        Address::from_text(text).unwrap()
    }

    #[test]
    fn text_round_trips() {
        for text in ["127.0.0.1:9000", "[::1]:9000", "[fe80::1%eth0]:1", "[2001:4860:4860::8888]:443", ":26656"] {
            assert_eq!(address(text).to_string(), text);
        }
    }

    #[test]
    fn private_and_special_addresses_are_not_routable() {
        for text in ["10.1.2.3:1", "172.31.0.1:1", "192.168.1.1:1", "127.0.0.1:1", "[::1]:1", "[fd00::1]:1", "[2001:db8::1]:1"] {
            assert!(!(address(text).is_global_unicast() && address(text).is_routable()), "{text}");
        }
        for text in ["8.8.8.8:1", "172.32.0.1:1", "[2a00:1450::1]:1"] {
            assert!(address(text).is_global_unicast() && address(text).is_routable(), "{text}");
        }
    }

    #[test]
    fn bytes_of_another_length_are_no_global_unicast_address() {
        let odd = Address { ip: vec![8; 5].into(), port: 1, zone: String::new() };
        assert!(!odd.is_global_unicast());
        assert_eq!(odd.to_string(), "?0808080808:1");
    }
}
