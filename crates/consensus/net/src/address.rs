//! Where nodes are found.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
};

use oasis_consensus_engine::PeerId;

use crate::wire::NetAddressMessage;

/// Why a text or a message is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// There is no ID.
    #[error("address {0:?}: expected ID@IP:port")]
    NoId(String),
    /// The ID is no ID.
    #[error("address {0:?}: the ID has not 40 hexadecimal digits")]
    Id(String),
    /// The host or port is none.
    #[error("address {0:?}: expected IP:port or host:port")]
    Host(String),
    /// The host has no address.
    #[error("address {0:?}: the host has no address: {1}")]
    Lookup(String, String),
}

/// A node at an IP address.
///
/// Source: tendermint `p2p/netaddress.go`, `NetAddress`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetAddress {
    /// Its name.
    pub id: PeerId,
    /// Its IP address, IPv4 never mapped into IPv6.
    pub ip: IpAddr,
    /// Its port.
    pub port: u16,
}

impl NetAddress {
    /// A node behind a socket.
    pub fn new(id: PeerId, socket: SocketAddr) -> Self {
        Self { id, ip: socket.ip().to_canonical(), port: socket.port() }
    }

    /// The socket to dial.
    pub fn socket(&self) -> SocketAddr {
        SocketAddr::new(self.ip, self.port)
    }

    /// From a message of a peer. Source: `NetAddressFromProto`; here the ID must be one, too.
    pub fn from_message(message: &NetAddressMessage) -> Result<Self, AddressError> {
        let id = message.id.parse().map_err(|_| AddressError::Id(short(&message.id)))?;
        let ip: IpAddr = message.ip.parse().map_err(|_| AddressError::Host(short(&message.ip)))?;
        let port = message.port.try_into().map_err(|_| AddressError::Host(message.port.to_string()))?;
        Ok(Self { id, ip: ip.to_canonical(), port })
    }

    /// For a message to a peer.
    pub fn to_message(self) -> NetAddressMessage {
        NetAddressMessage { id: self.id.to_string(), ip: self.ip.to_string(), port: self.port.into() }
    }

    /// Whether an address can be of a node at all. Source: `Valid`.
    pub fn is_valid(&self) -> bool {
        let documentation = matches!(self.ip, IpAddr::V6(ip) if starts(ip, [0x2001, 0x0db8], 32));
        !self.ip.is_unspecified() && !documentation && self.ip != IpAddr::V4(Ipv4Addr::BROADCAST)
    }

    /// Whether an address is of this machine. Source: `Local`.
    pub fn is_local(&self) -> bool {
        self.ip.is_loopback() || matches!(self.ip, IpAddr::V4(ip) if ip.octets().first() == Some(&0))
    }

    /// Whether the internet leads to an address. Source: `Routable`.
    pub fn is_routable(&self) -> bool {
        let inner = match self.ip {
            IpAddr::V4(ip) => ip.is_private() || ip.is_link_local(),
            // Unique local, ORCHID, link local.
            IpAddr::V6(ip) => starts(ip, [0xfc00, 0], 7) || starts(ip, [0x2001, 0x0010], 28) || starts(ip, [0xfe80, 0], 64),
        };
        self.is_valid() && !inner && !self.is_local()
    }

    /// The part of the network that an address is in, by which the address book spreads addresses.
    ///
    /// Source: tendermint `p2p/pex/addrbook.go`, `groupKeyFor`.
    pub fn group(&self, strict: bool) -> String {
        if strict && self.is_local() {
            return "local".to_owned();
        }
        if strict && !self.is_routable() {
            return "unroutable".to_owned();
        }
        let v4 = |ip: [u8; 4]| format!("{}.{}.0.0", ip[0], ip[1]);
        let ip = match self.ip {
            IpAddr::V4(ip) => return v4(ip.octets()),
            IpAddr::V6(ip) => ip,
        };
        let [.., a, b, c, d] = ip.octets();
        if starts(ip, [0x0064, 0xff9b], 96) {
            return v4([a, b, c, d]);
        }
        if starts(ip, [0x2002, 0], 16) {
            let [_, _, a, b, c, d, ..] = ip.octets();
            return v4([a, b, c, d]);
        }
        if starts(ip, [0x2001, 0], 32) {
            return v4([!a, !b, !c, !d]);
        }
        if ip.octets().starts_with(&[0xfd, 0x87, 0xd8, 0x7e, 0xeb, 0x43]) {
            return format!("tor:{}", ip.octets()[6] & 0x0f);
        }
        let bits = if starts(ip, [0x2001, 0x0470], 32) { 36 } else { 32 };
        Ipv6Addr::from_bits(ip.to_bits() & mask(bits)).to_string()
    }
}

/// Whether an IPv6 address starts with the first bits of another.
fn starts(ip: Ipv6Addr, [first, second]: [u16; 2], bits: u32) -> bool {
    let prefix = Ipv6Addr::new(first, second, 0, 0, 0, 0, 0, 0);
    (ip.to_bits() ^ prefix.to_bits()) & mask(bits) == 0
}

fn mask(bits: u32) -> u128 {
    u128::MAX.checked_shl(128u32.saturating_sub(bits)).unwrap_or(0)
}

/// The first part of a text that a peer may have made long.
fn short(text: &str) -> String {
    text.chars().take(80).collect()
}

impl fmt::Display for NetAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.id, self.socket())
    }
}

impl FromStr for NetAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let address: PeerAddress = text.parse()?;
        address.ip().ok_or_else(|| AddressError::Host(short(text)))
    }
}

/// A node as the configuration names it: `ID@IP:port` or `ID@host:port`.
///
/// Source: tendermint `p2p/netaddress.go`, `NewNetAddressString`; Oasis puts the whole text into lower case first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerAddress {
    /// Its name.
    pub id: PeerId,
    /// Its host's name or IP address.
    pub host: String,
    /// Its port.
    pub port: u16,
}

impl PeerAddress {
    /// The address, where the host is one.
    pub fn ip(&self) -> Option<NetAddress> {
        let ip: IpAddr = self.host.parse().ok()?;
        Some(NetAddress { id: self.id, ip: ip.to_canonical(), port: self.port })
    }

    /// Looks the host up.
    pub async fn resolve(&self) -> Result<NetAddress, AddressError> {
        if let Some(address) = self.ip() {
            return Ok(address);
        }
        let failed = |e: String| AddressError::Lookup(self.to_string(), e);
        let mut found = tokio::net::lookup_host((self.host.as_str(), self.port)).await.map_err(|e| failed(e.to_string()))?;
        found.next().map(|socket| NetAddress::new(self.id, socket)).ok_or_else(|| failed("none found".to_owned()))
    }
}

impl From<NetAddress> for PeerAddress {
    fn from(address: NetAddress) -> Self {
        Self { id: address.id, host: address.ip.to_string(), port: address.port }
    }
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "{}@[{}]:{}", self.id, self.host, self.port),
            false => write!(f, "{}@{}:{}", self.id, self.host, self.port),
        }
    }
}

impl FromStr for PeerAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let whole = text.trim().to_lowercase();
        let rest = whole.split_once("://").map_or(whole.as_str(), |(_, rest)| rest);
        let (id, host_port) = rest.split_once('@').ok_or_else(|| AddressError::NoId(short(text)))?;
        let id = id.parse().map_err(|_| AddressError::Id(short(text)))?;
        let (host, port) = split_host_port(host_port).ok_or_else(|| AddressError::Host(short(text)))?;
        Ok(Self { id, host: host.to_owned(), port })
    }
}

/// Cuts `host:port` or `[host]:port`. Source: Go's `net.SplitHostPort`.
pub(crate) fn split_host_port(text: &str) -> Option<(&str, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let host = match host.strip_prefix('[') {
        Some(host) => host.strip_suffix(']')?,
        None if host.contains(':') => return None,
        None => host,
    };
    let plain = !host.is_empty() && !host.contains(['[', ']', '@']) && port.bytes().all(|b| b.is_ascii_digit());
    plain.then_some((host, port.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "00112233445566778899aabbccddeeff00112233";

    fn at(ip: &str) -> NetAddress {
        NetAddress { id: PeerId::default(), ip: ip.parse().unwrap(), port: 1 }
    }

    #[test]
    fn addresses_are_read_as_the_original_reads_them() {
        for (text, written) in [
            (format!("{ID}@127.0.0.1:8080"), format!("{ID}@127.0.0.1:8080")),
            (format!("tcp://{ID}@127.0.0.1:8080"), format!("{ID}@127.0.0.1:8080")),
            (format!("{}@[::1]:26656", ID.to_uppercase()), format!("{ID}@[::1]:26656")),
            (format!(" {ID}@seed.Example.org:1 "), format!("{ID}@seed.example.org:1")),
        ] {
            assert_eq!(text.parse::<PeerAddress>().unwrap().to_string(), written);
        }
        for text in [
            "127.0.0.1:80",
            "@127.0.0.1:80",
            &format!("{ID}@"),
            &format!("{ID}@127.0.0.1"),
            &format!("{ID}@:80"),
            &format!("{ID}@::1:80"),
            &format!("{ID}@1.2.3.4:65536"),
            &format!("{ID}@1.2.3.4:+80"),
            &format!("{ID}0@1.2.3.4:80"),
            &format!("{ID}@{ID}@1.2.3.4:80"),
            "",
        ] {
            assert!(text.parse::<PeerAddress>().is_err(), "{text}");
        }
    }

    #[test]
    fn routes_lead_where_the_original_says() {
        for (ip, valid, routable) in [
            ("0.0.0.0", false, false),
            ("255.255.255.255", false, false),
            ("127.0.0.1", true, false),
            ("10.1.2.3", true, false),
            ("169.254.1.1", true, false),
            ("8.8.8.8", true, true),
            ("2001:db8::1", false, false),
            ("fd00::1", true, false),
            ("fe80::1", true, false),
            ("2001:10::1", true, false),
            ("2600::1", true, true),
        ] {
            assert_eq!((at(ip).is_valid(), at(ip).is_routable()), (valid, routable), "{ip}");
        }
    }

    #[test]
    fn groups_are_those_of_the_original() {
        for (ip, group) in [
            ("127.0.0.1", "local"),
            ("10.1.2.3", "unroutable"),
            ("8.9.1.2", "8.9.0.0"),
            ("64:ff9b::1.2.3.4", "1.2.0.0"),
            ("2002:0102:0304::1", "1.2.0.0"),
            ("2001::fefd:fcfb", "1.2.0.0"),
            ("2001:470:fedc::1", "2001:470:f000::"),
            ("2600:1:2::3", "2600:1::"),
        ] {
            assert_eq!(at(ip).group(true), group, "{ip}");
        }
        assert_eq!(at("127.0.0.1").group(false), "127.0.0.0");
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in "\\PC{0,60}") {
            let _ = text.parse::<PeerAddress>();
        }

        #[test]
        fn messages_come_back(id: [u8; 20], ip: std::net::Ipv4Addr, port: u16) {
            let address = NetAddress { id: PeerId(id), ip: ip.into(), port };
            prop_assert_eq!(NetAddress::from_message(&address.to_message()), Ok(address));
            prop_assert_eq!(address.to_string().parse(), Ok(address));
        }
    }
}
