//! Versions of protocols and software.
//!
//! Source: go/common/version/version.go.

use std::fmt;

use crate::{cbor::Cbor, json::Json};

/// A version: the major part changes where compatibility ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Cbor, Json)]
pub struct Version {
    /// Major part.
    #[cbor(omitempty)]
    pub major: u16,
    /// Minor part.
    #[cbor(omitempty)]
    pub minor: u16,
    /// Patch part.
    #[cbor(omitempty)]
    pub patch: u16,
}

/// Versions everything that the consensus layer decides.
///
/// Source: go/common/version/version.go, `ConsensusProtocol`.
pub const CONSENSUS_PROTOCOL: Version = Version::new(4, 0, 0);
/// Versions the protocol between a node and its runtimes.
///
/// Source: go/common/version/version.go, `RuntimeHostProtocol`.
pub const RUNTIME_HOST_PROTOCOL: Version = Version::new(4, 0, 0);
/// Versions the protocol between the members of a runtime's committee.
///
/// Source: go/common/version/version.go, `RuntimeCommitteeProtocol`.
pub const RUNTIME_COMMITTEE_PROTOCOL: Version = Version::new(3, 0, 0);
/// The application version in Tendermint headers.
///
/// Source: go/common/version/version.go, `TendermintAppVersion`.
pub const TENDERMINT_APP_VERSION: u64 = CONSENSUS_PROTOCOL.mask_non_major().to_u64();
/// The versions of this implementation.
///
/// Source: go/common/version/version.go, `Versions`.
pub const VERSIONS: ProtocolVersions = ProtocolVersions {
    consensus_protocol: CONSENSUS_PROTOCOL,
    runtime_host_protocol: RUNTIME_HOST_PROTOCOL,
    runtime_committee_protocol: RUNTIME_COMMITTEE_PROTOCOL,
};

impl Version {
    /// A version of three parts.
    pub const fn new(major: u16, minor: u16, patch: u16) -> Self {
        Self { major, minor, patch }
    }

    /// The parts in one number, 16 bits each, the major one highest.
    ///
    /// Source: go/common/version/version.go, `ToU64`.
    pub const fn to_u64(self) -> u64 {
        ((self.major as u64) << 32) | ((self.minor as u64) << 16) | (self.patch as u64)
    }

    /// Takes the parts out of one number; bits above 48 are dropped.
    ///
    /// Source: go/common/version/version.go, `FromU64`.
    pub const fn from_u64(packed: u64) -> Self {
        let [_, _, a, b, c, d, e, f] = packed.to_be_bytes();
        Self::new(u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]), u16::from_be_bytes([e, f]))
    }

    /// The major part alone, for comparing compatibility.
    ///
    /// Source: go/common/version/version.go, `MaskNonMajor`.
    pub const fn mask_non_major(self) -> Self {
        Self::new(self.major, 0, 0)
    }

    /// Whether the version is not 0.0.0.
    ///
    /// Source: go/common/version/version.go, `Version.ValidateBasic`.
    pub fn is_valid(&self) -> bool {
        *self != Self::default()
    }

    /// Reads `major[.minor[.patch]]`; what follows a third point, `-` or `+` is passed over.
    ///
    /// Source: go/common/version/version.go, `FromString`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.split(['-', '+']).next()?;
        let mut parts = [0; 3];
        for (place, part) in parts.iter_mut().zip(text.split('.')) {
            if part.is_empty() || !part.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            *place = part.parse().ok()?;
        }
        let [major, minor, patch] = parts;
        Some(Self::new(major, minor, patch))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// The versions of the protocols that a node speaks.
///
/// Source: go/common/version/version.go, `ProtocolVersions`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct ProtocolVersions {
    /// The consensus layer.
    pub consensus_protocol: Version,
    /// Node and runtime.
    pub runtime_host_protocol: Version,
    /// Members of a committee.
    pub runtime_committee_protocol: Version,
}

impl ProtocolVersions {
    /// Whether no version is 0.0.0.
    ///
    /// Source: go/common/version/version.go, `ProtocolVersions.ValidateBasic`.
    pub fn is_valid(&self) -> bool {
        self.consensus_protocol.is_valid() && self.runtime_host_protocol.is_valid() && self.runtime_committee_protocol.is_valid()
    }

    /// Whether the major parts are the same.
    ///
    /// Source: go/common/version/version.go, `Compatible`.
    pub fn is_compatible_with(&self, other: &Self) -> bool {
        let majors = |v: &Self| [v.consensus_protocol.major, v.runtime_host_protocol.major, v.runtime_committee_protocol.major];
        majors(self) == majors(other)
    }
}

impl fmt::Display for ProtocolVersions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Consensus protocol: {}, Runtime Host protocol: {}, Runtime Committee protocol: {}",
            self.consensus_protocol, self.runtime_host_protocol, self.runtime_committee_protocol
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_pack_16_bits_a_part() {
        assert_eq!(Version::new(4, 3, 2).to_u64(), 0x0004_0003_0002);
        assert_eq!(Version::from_u64(0xffff_0004_0003_0002), Version::new(4, 3, 2));
        assert_eq!(TENDERMINT_APP_VERSION, 4 << 32);
    }

    #[test]
    fn text_needs_a_major_part_only() {
        assert_eq!(Version::parse("1"), Some(Version::new(1, 0, 0)));
        assert_eq!(Version::parse("1.2.3.x-rc1+commit"), Some(Version::new(1, 2, 3)));
        assert_eq!(Version::parse("1.2+a.b.c"), Some(Version::new(1, 2, 0)));
        for bad in ["", ".1", "1.", "1.+2", "1.65536", "v1"] {
            assert_eq!(Version::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn zero_parts_are_left_out_of_the_encoding() {
        assert_eq!(crate::cbor::to_vec(&Version::new(4, 0, 0)), hex::decode("a1656d616a6f7204").unwrap());
        assert_eq!(crate::cbor::to_vec(&Version::default()), [0xa0]);
    }
}
