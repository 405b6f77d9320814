//! Entities, a runtime, and nodes again and again.
//!
//! Source: go/oasis-node/cmd/debug/txsource/workload/registration.go.

use std::collections::BTreeMap;

use oasis_consensus_types::{
    entity::{Entity, LATEST_DESCRIPTOR_VERSION as ENTITY_VERSION, SignedEntity},
    node::{
        Address as NodeAddress, ConsensusAddress, ConsensusInfo, LATEST_DESCRIPTOR_VERSION as NODE_VERSION, MultiSignedNode, Node, P2pInfo,
        Roles, Runtime as NodeRuntime, TlsAddress, TlsInfo,
    },
    registry::{
        AdmissionPolicy, AnyNodePolicy, ExecutorParameters, GovernanceModel, LATEST_RUNTIME_DESCRIPTOR_VERSION, LimitConstraint,
        METHOD_REGISTER_ENTITY, METHOD_REGISTER_NODE, METHOD_REGISTER_RUNTIME, REGISTER_ENTITY_SIGNATURE_CONTEXT,
        REGISTER_NODE_SIGNATURE_CONTEXT, Runtime, RuntimeGenesis, RuntimeKind, SchedulingConstraints, StorageParameters,
        TXN_SCHEDULER_SIMPLE, TxnSchedulerParameters,
    },
    scheduler::{CommitteeKind, Role},
};
use oasis_primitives::{
    cbor::OrNil,
    hash::Hash,
    namespace::Namespace,
    signature::{ChainContext, MemorySigner, MultiSigned, PublicKey, SignedBlob, Signer},
};

use super::{PAUSE, again};
use crate::{
    Random,
    session::{Error, LATEST, Session},
};

const ENTITIES: usize = 10;
const NODES_EACH: usize = 5;
/// The most epochs for which a node registers. Source: `registryNodeMaxEpochUpdate`.
const LONGEST: u64 = 5;

/// A node that does not exist.
pub struct FakeNode {
    /// Its account.
    pub signer: MemorySigner,
    p2p: MemorySigner,
    consensus: MemorySigner,
    tls: MemorySigner,
    /// What is registered.
    pub descriptor: Node,
}

/// The runtime that the nodes are for; nobody runs it.
pub fn runtime_id() -> Namespace {
    let mut id = [0; 32];
    id[31] = 2;
    Namespace(id)
}

/// Source: `getRuntime`.
pub fn runtime(entity_id: PublicKey) -> Runtime {
    let one = || SchedulingConstraints { min_pool_size: Some(LimitConstraint { limit: 1 }), ..Default::default() };
    let pool = || BTreeMap::from([(Role::WORKER, one())]).into();
    Runtime {
        v: LATEST_RUNTIME_DESCRIPTOR_VERSION,
        id: runtime_id(),
        entity_id,
        genesis: RuntimeGenesis { state_root: Hash::empty(), ..RuntimeGenesis::default() },
        kind: RuntimeKind::COMPUTE,
        executor: ExecutorParameters { group_size: 1, round_timeout: 5, max_messages: 32, ..ExecutorParameters::default() },
        txn_scheduler: TxnSchedulerParameters {
            algorithm: TXN_SCHEDULER_SIMPLE.to_owned(),
            batch_flush_timeout: 1_000_000_000,
            max_batch_size: 1,
            max_batch_size_bytes: 1024,
            proposer_timeout: 5,
        },
        storage: StorageParameters {
            group_size: 1,
            min_write_replication: 1,
            max_apply_write_log_entries: 100_000,
            max_apply_ops: 2,
            ..StorageParameters::default()
        },
        admission_policy: AdmissionPolicy { any_node: Some(AnyNodePolicy {}), ..AdmissionPolicy::default() },
        constraints: BTreeMap::from([(CommitteeKind::COMPUTE_EXECUTOR, pool()), (CommitteeKind::STORAGE, pool())]),
        governance_model: GovernanceModel::ENTITY,
        ..Runtime::default()
    }
}

/// A node whose keys follow from its owner's key, so that a seed gives the same nodes each time. Source: `getNodeDesc`.
///
/// No node is a validator: consensus would wait for its votes.
pub fn node(random: &mut Random, owner: &MemorySigner, number: usize) -> Result<FakeNode, Error> {
    let name = |role: &str| format!("txsource {} node {number} {role}", owner.public_key());
    let key = |role: &str| MemorySigner::for_test(&name(role));
    let (signer, p2p, consensus, tls) = (key("node"), key("p2p"), key("consensus"), key("tls"));
    let address = NodeAddress::from_text("127.0.0.1:12345").unwrap_or_default();
    let (storage, compute) = (Roles::STORAGE_WORKER, Roles::COMPUTE_WORKER);
    let roles = random.one(&[storage, compute, storage.with(compute)])?.copied().unwrap_or(compute);
    let descriptor = Node {
        v: NODE_VERSION,
        id: signer.public_key(),
        entity_id: owner.public_key(),
        tls: TlsInfo {
            pub_key: tls.public_key(),
            addresses: vec![TlsAddress { pub_key: tls.public_key(), address: address.clone() }].into(),
            ..TlsInfo::default()
        },
        p2p: P2pInfo { id: p2p.public_key(), addresses: vec![address.clone()].into() },
        consensus: ConsensusInfo { id: consensus.public_key(), addresses: vec![ConsensusAddress { id: p2p.public_key(), address }].into() },
        runtimes: vec![OrNil::from(NodeRuntime { id: runtime_id(), ..NodeRuntime::default() })].into(),
        roles,
        ..Node::default()
    };
    Ok(FakeNode { signer, p2p, consensus, tls, descriptor })
}

impl FakeNode {
    /// The descriptor, signed by all keys in it.
    pub fn signed(&self, chain: &ChainContext) -> Result<MultiSignedNode, Error> {
        let signers: [&dyn Signer; 4] = [&self.signer, &self.p2p, &self.consensus, &self.tls];
        let signed = MultiSigned::sign(&signers, &REGISTER_NODE_SIGNATURE_CONTEXT, chain, &self.descriptor);
        signed.map(MultiSignedNode).map_err(|e| Error::Unexpected(e.to_string()))
    }
}

/// A signed entity.
pub fn entity(owner: &MemorySigner, nodes: Vec<PublicKey>, chain: &ChainContext) -> Result<SignedEntity, Error> {
    let entity = Entity { v: ENTITY_VERSION, id: owner.public_key(), nodes };
    let signed = SignedBlob::sign(owner, &REGISTER_ENTITY_SIGNATURE_CONTEXT, chain, &entity);
    signed.map(SignedEntity).map_err(|e| Error::Unexpected(e.to_string()))
}

pub fn run(session: &mut Session<'_>) -> Result<(), Error> {
    let owners = (0..ENTITIES).map(|_| session.random.signer()).collect::<Result<Vec<MemorySigner>, _>>()?;
    let chain = session.chain().clone();
    let mut all: Vec<Vec<FakeNode>> = Vec::new();
    for owner in &owners {
        let nodes = (0..NODES_EACH).map(|number| node(&mut session.random, owner, number)).collect::<Result<Vec<_>, _>>()?;
        let ids = nodes.iter().map(|node| node.descriptor.id).collect();
        session.fund_and_submit(owner, METHOD_REGISTER_ENTITY, &entity(owner, ids, &chain)?)?;
        if all.is_empty() {
            session.fund_and_submit(owner, METHOD_REGISTER_RUNTIME, &runtime(owner.public_key()))?;
        }
        all.push(nodes);
    }
    loop {
        let owner = session.random.below(ENTITIES as u64)? as usize;
        let number = session.random.below(NODES_EACH as u64)? as usize;
        let epoch: u64 = session.ask("Beacon/GetEpoch", &LATEST)?;
        let expiration = epoch + 2 + session.random.below(LONGEST - 1)?;
        let Some(node) = all.get_mut(owner).and_then(|nodes| nodes.get_mut(number)) else { continue };
        // The epoch may end before the registration is in a block; an earlier run may have registered for longer.
        node.descriptor.expiration = expiration;
        session.fund_and_submit(&node.signer, METHOD_REGISTER_NODE, &node.signed(&chain)?)?;
        if !again(session, PAUSE) {
            return Ok(());
        }
    }
}
