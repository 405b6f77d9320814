//! The keys of a node and of an entity, and where they are kept.
//!
//! Source: go/common/identity/identity.go, go/common/crypto/signature/signers/file/file_signer.go.

use std::fmt;

/// What a key signs for.
///
/// Source: go/common/crypto/signature/signer.go, `SignerRole`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SignerRole {
    /// An entity, which owns nodes and runtimes.
    Entity,
    /// A node.
    Node,
    /// A node's connections to its committees.
    P2p,
    /// A validator's votes.
    Consensus,
}

impl SignerRole {
    /// Every role.
    pub const ALL: [Self; 4] = [Self::Entity, Self::Node, Self::P2p, Self::Consensus];

    /// The role's name.
    ///
    /// Source: go/common/crypto/signature/signer.go, `SignerRole.String`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Entity => "entity",
            Self::Node => "node",
            Self::P2p => "p2p",
            Self::Consensus => "consensus",
        }
    }

    /// The role of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }

    /// The role's number in the protocol of remote signers.
    pub fn number(self) -> u8 {
        match self {
            Self::Entity => 1,
            Self::Node => 2,
            Self::P2p => 3,
            Self::Consensus => 4,
        }
    }

    /// The file of the private key, in the data directory (an entity's: in its own).
    ///
    /// Source: go/common/crypto/signature/signers/file/file_signer.go, `rolePEMFiles`.
    pub fn private_key_file(self) -> &'static str {
        match self {
            Self::Entity => "entity.pem",
            Self::Node => "identity.pem",
            Self::P2p => "p2p.pem",
            Self::Consensus => "consensus.pem",
        }
    }

    /// The file of the public key; an entity has none, its descriptor holds it.
    ///
    /// Source: go/common/identity/identity.go, `NodeKeyPubFilename`, `P2PKeyPubFilename`, `ConsensusKeyPubFilename`.
    pub fn public_key_file(self) -> Option<&'static str> {
        match self {
            Self::Entity => None,
            Self::Node => Some("identity_pub.pem"),
            Self::P2p => Some("p2p_pub.pem"),
            Self::Consensus => Some("consensus_pub.pem"),
        }
    }
}

impl fmt::Display for SignerRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The permissions of key files; others are refused.
///
/// Source: go/common/crypto/signature/signers/file/file_signer.go, `filePerm`.
pub const KEY_FILE_MODE: u32 = 0o600;
/// The common name of TLS certificates. Source: go/common/identity/identity.go, `CommonName`.
pub const TLS_COMMON_NAME: &str = "oasis-node";
/// The beacon's private scalar. Source: go/common/identity/identity.go, `beaconScalarFilename`.
pub const BEACON_SCALAR_FILE: &str = "beacon.pem";
/// The key of a TLS identity that is kept. Source: go/common/identity/identity.go, `tlsKeyFilename`.
pub const TLS_KEY_FILE: &str = "tls_identity.pem";
/// Its certificate. Source: go/common/identity/identity.go, `tlsCertFilename`.
pub const TLS_CERTIFICATE_FILE: &str = "tls_identity_cert.pem";
/// The current key of a TLS identity that rotates. Source: go/common/identity/identity.go, `ephemeralKeyPath`.
pub const TLS_EPHEMERAL_KEY_FILE: &str = "tls_ephemeral.pem";
/// The key after the current one.
pub const TLS_EPHEMERAL_NEXT_KEY_FILE: &str = "tls_ephemeral_next.pem";
/// The key after the next one, while a rotation runs.
pub const TLS_EPHEMERAL_NEW_KEY_FILE: &str = "tls_ephemeral_new_next.pem";
/// The key of connections to a sentry. Source: go/common/identity/identity.go, `tlsSentryClientKeyFilename`.
pub const SENTRY_CLIENT_KEY_FILE: &str = "sentry_client_tls_identity.pem";
/// Its certificate. Source: go/common/identity/identity.go, `tlsSentryClientCertFilename`.
pub const SENTRY_CLIENT_CERTIFICATE_FILE: &str = "sentry_client_tls_identity_cert.pem";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_read_back_by_name() {
        for role in SignerRole::ALL {
            assert_eq!(SignerRole::from_name(&role.to_string()), Some(role));
        }
        assert_eq!(SignerRole::from_name("Node"), None);
    }
}
