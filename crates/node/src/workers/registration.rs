//! Registration: the node's descriptor, renewed each epoch while its entity lists the node.
//!
//! Source: go/worker/registration/worker.go.

use oasis_consensus_app::{epoch, error::Error, registry::query, store::Store};
use oasis_consensus_types::{
    node::{
        Address, BeaconInfo, ConsensusAddress, ConsensusInfo, LATEST_DESCRIPTOR_VERSION, MultiSignedNode, Node, P2pInfo, Roles, TlsAddress,
        TlsInfo,
    },
    registry::{METHOD_REGISTER_NODE, REGISTER_NODE_SIGNATURE_CONTEXT},
    transaction::Transaction,
};
use oasis_primitives::signature::{ChainContext, MultiSigned, PublicKey, SignError, Signer};

use crate::identity::Identity;

/// A registration holds for so many epochs after the current one. Source: `registerNode`.
const EPOCHS: u64 = 2;

/// What is registered.
#[derive(Clone, Debug)]
pub struct Profile {
    /// The owner.
    pub entity: PublicKey,
    /// What the node offers to do.
    pub roles: Roles,
    /// Where validators reach it; a sentry's where it has sentries.
    pub consensus_addresses: Vec<ConsensusAddress>,
    /// Where its public services are, with the keys of their certificates.
    pub tls_addresses: Vec<TlsAddress>,
}

/// Why the node does not register now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deferred {
    /// It is registered for this epoch.
    Done,
    /// The owner is not registered.
    NoEntity,
    /// The owner does not list the node.
    NotListed,
}

/// When the node registers.
#[derive(Clone, Debug, Default)]
pub struct Schedule {
    registered: Option<(u64, Vec<PublicKey>)>,
}

impl Schedule {
    /// Whether the node is to register in this state: at each new epoch, and when the owner's list of nodes changes.
    pub fn due(&self, state: &Store, entity: &PublicKey, node: &PublicKey) -> Result<Result<u64, Deferred>, Error> {
        let epoch = epoch::current(state)?.epoch;
        let owner = match query::entity(state, entity) {
            Ok(owner) => owner,
            Err(e) if e.is_fatal() => return Err(e),
            Err(_) => return Ok(Err(Deferred::NoEntity)),
        };
        if !owner.nodes.contains(node) {
            return Ok(Err(Deferred::NotListed));
        }
        let current = self.registered.as_ref().is_some_and(|(at, nodes)| *at == epoch && *nodes == owner.nodes);
        Ok(if current { Err(Deferred::Done) } else { Ok(epoch) })
    }

    /// Notes that the node registered in an epoch.
    pub fn done(&mut self, state: &Store, entity: &PublicKey, epoch: u64) {
        let nodes = query::entity(state, entity).map(|owner| owner.nodes).unwrap_or_default();
        self.registered = Some((epoch, nodes));
    }
}

/// The node's descriptor in an epoch. Source: `registerNode`.
pub fn descriptor(identity: &Identity, profile: &Profile, epoch: u64) -> Node {
    Node {
        v: LATEST_DESCRIPTOR_VERSION,
        id: identity.node.public_key(),
        entity_id: profile.entity,
        expiration: epoch.saturating_add(EPOCHS),
        tls: TlsInfo {
            pub_key: identity.tls.public_key(),
            next_pub_key: identity.next_tls.as_ref().map(|key| key.public_key()).unwrap_or_default(),
            addresses: profile.tls_addresses.clone().into(),
        },
        p2p: P2pInfo { id: identity.p2p.public_key(), ..P2pInfo::default() },
        consensus: ConsensusInfo {
            id: identity.consensus.public_key(),
            addresses: if profile.roles.has(Roles::VALIDATOR) { profile.consensus_addresses.clone().into() } else { Default::default() },
        },
        beacon: Some(BeaconInfo { point: identity.beacon.point() }),
        roles: profile.roles,
        ..Node::default()
    }
}

/// The transaction that registers a descriptor, signed inside by all of the node's keys. Source: `registerNode`.
///
/// `registrar` signs beside the node's own key: it is the node's, but for test networks in which the entity registers its nodes.
pub fn transaction(identity: &Identity, registrar: &dyn Signer, node: &Node) -> Result<Transaction, SignError> {
    let tls = identity.tls.signer();
    let mut signers: Vec<&dyn Signer> = vec![registrar, &*identity.p2p, &*identity.consensus, tls];
    if registrar.public_key() != identity.node.public_key() {
        signers.insert(0, &*identity.node);
    }
    let signed = MultiSigned::sign(&signers, &REGISTER_NODE_SIGNATURE_CONTEXT, &ChainContext::UNSET, node)?;
    Ok(Transaction::new(0, None, METHOD_REGISTER_NODE, &MultiSignedNode(signed)))
}

/// Where validators reach the node, from its configured address. Source: go/consensus/tendermint/full/common.go, `GetAddresses`.
pub fn consensus_address(identity: &Identity, external: &(String, u16), allow_unroutable: bool) -> Result<ConsensusAddress, String> {
    let text = if external.0.contains(':') { format!("[{}]:{}", external.0, external.1) } else { format!("{}:{}", external.0, external.1) };
    let address = Address::from_text(&text).ok_or_else(|| format!("expected an IP address, found {text}"))?;
    if !may_register(&address, allow_unroutable) {
        return Err(format!("expected an address that is reached from the internet, found {text}"));
    }
    Ok(ConsensusAddress { id: identity.p2p.public_key(), address })
}

/// Whether the registry takes an address. Source: go/registry/api/api.go, `VerifyAddress`.
pub fn may_register(address: &Address, allow_unroutable: bool) -> bool {
    allow_unroutable || (address.is_global_unicast() && address.is_routable())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_descriptor_is_signed_by_all_keys() {
        let dir = tempfile::tempdir().unwrap();
        let identity = Identity::load_or_generate(dir.path()).unwrap();
        let address = consensus_address(&identity, &("192.0.2.1".into(), 26656), true).unwrap();
        let entity = PublicKey([3; 32]);
        let profile = Profile { entity, roles: Roles::VALIDATOR, consensus_addresses: vec![address], tls_addresses: Vec::new() };
        let node = descriptor(&identity, &profile, 7);
        assert_eq!((node.expiration, node.consensus.addresses.len()), (9, 1));
        let tx = transaction(&identity, &*identity.node, &node).unwrap();
        let signed: MultiSignedNode = tx.body().unwrap();
        assert_eq!(signed.0.signatures.len(), 4);
        assert_eq!(signed.untrusted().unwrap(), node);
    }

    #[test]
    fn addresses_that_nobody_reaches_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let identity = Identity::load_or_generate(dir.path()).unwrap();
        assert!(consensus_address(&identity, &("127.0.0.1".into(), 1), false).is_err());
        assert!(consensus_address(&identity, &("::1".into(), 1), true).is_ok());
        assert!(consensus_address(&identity, &("a name".into(), 1), true).is_err());
    }
}
