//! Node descriptors.
//!
//! Source: go/common/node/node.go.

mod address;
mod roles;

use oasis_primitives::{
    cbor::{self, Cbor, NilVec, OrNil},
    json::Json,
    namespace::Namespace,
    pvss::Point,
    signature::{MultiSigned, PublicKey},
    version::Version,
};

pub use address::{Address, ConsensusAddress, TlsAddress};
pub use oasis_primitives::sgx::{CapabilityTee, Constraints as SgxConstraints, TeeHardware};
pub use roles::Roles;

/// The version that descriptors have: the latest and the only one allowed.
pub const LATEST_DESCRIPTOR_VERSION: u16 = 1;

/// What is public of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct Node {
    /// Version of the descriptor.
    pub v: u16,
    /// The key that identifies the node.
    pub id: PublicKey,
    /// The entity that controls the node.
    pub entity_id: PublicKey,
    /// The last epoch in which the registration holds.
    pub expiration: u64,
    /// How the node is reached by TLS.
    pub tls: TlsInfo,
    /// How the node is reached in the peer-to-peer network.
    pub p2p: P2pInfo,
    /// How the node is reached as a member of consensus.
    pub consensus: ConsensusInfo,
    /// Its part in the random beacon, if any.
    #[cbor(omitempty)]
    pub beacon: Option<BeaconInfo>,
    /// The runtimes that the node runs.
    pub runtimes: NilVec<OrNil<Runtime>>,
    /// What the node offers to do.
    pub roles: Roles,
}

impl Node {
    /// Source: go/common/node/node.go, `Node.ValidateBasic`. One version is allowed, strictly or not.
    pub fn validate_basic(&self, strict_version: bool) -> Result<(), String> {
        let (v, latest) = (self.v, LATEST_DESCRIPTOR_VERSION);
        if v == latest {
            return Ok(());
        }
        Err(if strict_version {
            format!("invalid node descriptor version (expected: {latest} got: {v})")
        } else {
            format!("invalid node descriptor version (min: {latest} max: {latest})")
        })
    }

    /// Whether the node has any of the roles.
    pub fn has_roles(&self, roles: Roles) -> bool {
        self.roles.has(roles)
    }

    /// Whether the registration ended before this epoch.
    pub fn is_expired(&self, epoch: u64) -> bool {
        self.expiration < epoch
    }

    /// The node's descriptor of a runtime.
    pub fn runtime(&self, id: &Namespace) -> Option<&Runtime> {
        self.runtimes.iter().map(|rt| &**rt).find(|rt| rt.id == *id)
    }
}

/// A runtime that a node runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct Runtime {
    /// The runtime.
    pub id: Namespace,
    /// Its version.
    pub version: Version,
    /// What the node can do for it.
    pub capabilities: Capabilities,
    /// Data that only the runtime's kind gives a meaning, such as a key manager's signed response.
    pub extra_info: NilVec<u8>,
}

/// How a node is reached by TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct TlsInfo {
    /// The key of the certificate.
    pub pub_key: PublicKey,
    /// The key of the next certificate.
    // A fixed array is never left out, whatever `omitempty` says.
    #[cbor(omitempty)]
    pub next_pub_key: PublicKey,
    /// The addresses.
    pub addresses: NilVec<TlsAddress>,
}

/// How a node is reached in the peer-to-peer network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct P2pInfo {
    /// The key that identifies the node there.
    pub id: PublicKey,
    /// The addresses.
    pub addresses: NilVec<Address>,
}

/// How a node is reached as a member of consensus.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct ConsensusInfo {
    /// The key that signs votes.
    pub id: PublicKey,
    /// The addresses.
    pub addresses: NilVec<ConsensusAddress>,
}

/// A node's part in the random beacon.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct BeaconInfo {
    /// The public point for secret sharing.
    pub point: Point,
}

/// What a node can do for a runtime.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct Capabilities {
    /// Execution in a trusted environment.
    #[cbor(omitempty)]
    pub tee: Option<CapabilityTee>,
}

/// An encoded node with the signatures of all its keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
#[cbor(transparent)]
pub struct MultiSignedNode(pub MultiSigned);

impl MultiSignedNode {
    /// Decodes the descriptor without looking at the signatures.
    pub fn untrusted(&self) -> Result<Node, cbor::Error> {
        self.0.decode_unverified()
    }
}
