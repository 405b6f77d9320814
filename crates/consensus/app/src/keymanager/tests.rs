#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::sync::Arc;

use oasis_consensus_types::{
    keymanager::{
        INIT_RESPONSE_SIGNATURE_CONTEXT, InitResponse, METHOD_UPDATE_POLICY, POLICY_SIGNATURE_CONTEXT, PolicySgx, SignedInitResponse,
        SignedPolicySgx, Status, TEST_KEY_SEED,
    },
    node::{Node, Roles, Runtime as NodeRuntime},
    registry::{ERR_NO_SUCH_RUNTIME, GovernanceModel, Runtime, RuntimeKind},
    transaction::Transaction,
};
use oasis_primitives::{
    cbor::{self, NilVec, OrNil},
    namespace::Namespace,
    signature::{Blacklist, ChainContext, MemorySigner, PublicKey, Signature, SignatureRules, Signer},
};
use sha3::{Digest, Sha3_256};

use super::{execute_tx, state, status::generate};
use crate::{
    context::{BlockContext, Context, Env, Mode, Options},
    epoch::{self, EpochTimeState},
    error::Result,
    registry::{self, verify::Rules},
    store::Store,
};

fn id() -> Namespace {
    Namespace::new([1; 24], Namespace::FLAG_TEST | Namespace::FLAG_KEY_MANAGER).unwrap()
}

fn runtime() -> Runtime {
    let entity_id = MemorySigner::for_test("entity").public_key();
    Runtime { v: 2, id: id(), entity_id, kind: RuntimeKind::KEY_MANAGER, governance_model: GovernanceModel::ENTITY, ..Runtime::default() }
}

fn env(last_epoch: u64) -> Env {
    Env {
        initial_height: 1,
        last_height: 100,
        now: Default::default(),
        params: Arc::default(),
        last_epoch,
        base_epoch: 0,
        rules: SignatureRules::new(ChainContext::UNSET, Blacklist::new(true)),
        options: Arc::new(Options { debug: true, ..Options::default() }),
    }
}

fn rules() -> Rules {
    let env = env(0);
    let (mut store, mut block) = (Store::empty(), BlockContext::default());
    Rules::of(&Context::new(&mut store, &mut block, &env, Mode::DeliverTx))
}

/// A key manager node without a trusted environment.
fn node(number: u8, response: InitResponse, key: &str) -> Node {
    let signer = MemorySigner::for_test(key);
    let signature = signer.sign(&INIT_RESPONSE_SIGNATURE_CONTEXT, &ChainContext::UNSET, &cbor::to_vec(&response)).unwrap();
    let signed = SignedInitResponse { init_response: response, signature: signature.signature.0.to_vec().into() };
    let node_runtime = NodeRuntime { id: id(), extra_info: cbor::to_vec(&signed).into(), ..NodeRuntime::default() };
    let runtimes = vec![OrNil::from(node_runtime)].into();
    Node { v: 1, id: PublicKey([number; 32]), roles: Roles::KEY_MANAGER, runtimes, ..Node::default() }
}

fn response(checksum: u8, policy_checksum: &[u8]) -> InitResponse {
    InitResponse { is_secure: false, checksum: vec![checksum; 32].into(), policy_checksum: policy_checksum.to_vec().into() }
}

fn policy(serial: u32) -> SignedPolicySgx {
    let policy = PolicySgx { serial, id: id(), ..PolicySgx::default() };
    let signer = MemorySigner::for_test("policy signer");
    let signature = signer.sign(&POLICY_SIGNATURE_CONTEXT, &ChainContext::UNSET, &cbor::to_vec(&policy)).unwrap();
    SignedPolicySgx { policy, signatures: vec![signature].into() }
}

#[test]
fn the_first_node_decides_what_the_others_must_have() {
    let nodes = [
        node(1, response(7, &[]), "another key"),
        node(2, response(8, &[]), TEST_KEY_SEED),
        node(3, response(9, &[]), TEST_KEY_SEED),
        node(4, response(8, &Sha3_256::digest([])), TEST_KEY_SEED),
        node(5, response(8, &[0; 31]), TEST_KEY_SEED),
    ];
    let old = Status { id: id(), ..Status::default() };
    let status = generate(&rules(), &runtime(), &old, &nodes);
    assert!(status.is_initialized && !status.is_secure);
    assert_eq!(status.checksum[..], [8; 32]);
    assert_eq!(status.nodes[..], [nodes[1].id, nodes[3].id]);
}

#[test]
fn a_key_manager_said_to_be_secure_does_not_become_insecure() {
    let old = Status { id: id(), is_secure: true, ..Status::default() };
    let nodes = [node(1, response(8, &[]), TEST_KEY_SEED)];
    let status = generate(&rules(), &runtime(), &old, &nodes);
    assert_eq!(status, old);
    let secure = InitResponse { is_secure: true, ..response(8, &[]) };
    let old = Status { is_secure: false, ..old };
    assert!(generate(&rules(), &runtime(), &old, &[node(1, secure, TEST_KEY_SEED)]).is_secure);
}

#[test]
fn nodes_under_another_policy_do_not_serve() {
    let policy = policy(1);
    let hash = Sha3_256::digest(cbor::to_vec(&policy));
    let old = Status { id: id(), policy: Some(policy), ..Status::default() };
    let nodes = [node(1, response(8, &[]), TEST_KEY_SEED), node(2, response(8, &hash), TEST_KEY_SEED)];
    assert_eq!(generate(&rules(), &runtime(), &old, &nodes).nodes[..], [nodes[1].id]);
}

fn update(store: &mut Store, sender: &str, policy: &SignedPolicySgx) -> Result<usize> {
    let env = env(0);
    let mut block = BlockContext::default();
    let mut ctx = Context::new(store, &mut block, &env, Mode::DeliverTx);
    ctx.set_tx_signer(MemorySigner::for_test(sender).public_key());
    execute_tx(&mut ctx, &Transaction::new(0, None, METHOD_UPDATE_POLICY, policy))?;
    Ok(ctx.events.len())
}

#[test]
fn a_policy_is_changed_by_the_owner_and_only_to_a_newer_one() {
    let mut store = Store::empty();
    assert!(update(&mut store, "entity", &policy(1)).unwrap_err().is(ERR_NO_SUCH_RUNTIME));
    registry::state::set_params(&mut store, &Default::default());
    registry::state::set_runtime(&mut store, &runtime(), false);
    assert!(update(&mut store, "other", &policy(1)).is_err());
    assert_eq!(update(&mut store, "entity", &policy(1)).unwrap(), 1);
    assert!(update(&mut store, "entity", &policy(1)).is_err());
    let mut forged = policy(2);
    forged.signatures = vec![Signature { public_key: PublicKey([3; 32]), ..Signature::default() }].into();
    assert!(update(&mut store, "entity", &forged).is_err());
    assert_eq!(update(&mut store, "entity", &policy(2)).unwrap(), 1);
    assert_eq!(state::status(&store, &id()).unwrap().policy.unwrap().policy.serial, 2);
}

fn at_epoch(store: &mut Store, epoch: u64) -> usize {
    store.insert_cbor(epoch::KEY_CURRENT, &EpochTimeState { epoch, height: 101 });
    let env = env(epoch - 1);
    let mut block = BlockContext::default();
    let mut ctx = Context::new(store, &mut block, &env, Mode::BeginBlock);
    super::begin_block(&mut ctx, &Default::default()).unwrap();
    ctx.events.len()
}

#[test]
fn a_status_is_written_when_it_is_new_or_changes() {
    let mut store = Store::empty();
    let params = oasis_consensus_types::registry::ConsensusParameters { debug_bypass_stake: true, ..Default::default() };
    registry::state::set_params(&mut store, &params);
    registry::state::set_runtime(&mut store, &runtime(), false);
    assert_eq!(at_epoch(&mut store, 2), 1);
    assert_eq!(at_epoch(&mut store, 3), 0);
    let status = state::status(&store, &id()).unwrap();
    assert_eq!(status, Status { id: id(), nodes: NilVec::NIL, ..Status::default() });
}
