#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::sync::Arc;

use oasis_consensus_types::{
    entity::{Entity, SignedEntity},
    node::{
        Address as NodeAddress, ConsensusAddress, ConsensusInfo, MultiSignedNode, Node, P2pInfo, Roles, Runtime as NodeRuntime, TlsAddress,
        TlsInfo,
    },
    registry::*,
    staking::{Account, ConsensusParameters as StakingParameters, ThresholdKind},
    transaction::Transaction,
};
use oasis_primitives::{
    address::Address,
    cbor::{NilMap, OrNil},
    hash::Hash,
    namespace::Namespace,
    quantity::Quantity,
    signature::{Blacklist, ChainContext, MemorySigner, MultiSigned, PublicKey, SignatureRules, SignedBlob, Signer},
};

use super::{execute_tx, state, verify, verify_runtime};
use crate::{
    context::{BlockContext, Context, Env, Mode, Options},
    epoch::{self, EPOCH_INVALID, EpochTimeState},
    error::{Code, Result},
    staking,
    store::Store,
};

const EPOCH: u64 = 10;

/// A network with one entity that may stake, its keys derived from names.
struct Network {
    store: Store,
    env: Env,
    block: BlockContext,
}

fn signer(name: &str) -> MemorySigner {
    MemorySigner::for_test(name)
}

fn key(name: &str) -> PublicKey {
    signer(name).public_key()
}

impl Network {
    fn new() -> Self {
        let mut store = Store::empty();
        store.insert_cbor(epoch::KEY_CURRENT, &EpochTimeState { epoch: EPOCH, height: 1 });
        let thresholds = ThresholdKind::ALL.into_iter().map(|kind| (kind, Quantity::from(10u64))).collect();
        staking::state::set_params(&mut store, &StakingParameters { thresholds, debonding_interval: 2, ..Default::default() });
        let models = [(GovernanceModel::ENTITY, true), (GovernanceModel::RUNTIME, true)];
        let params = ConsensusParameters {
            debug_allow_unroutable_addresses: true,
            debug_allow_test_runtimes: true,
            max_node_expiration: 5,
            enable_runtime_governance_models: models.into(),
            ..Default::default()
        };
        state::set_params(&mut store, &params);
        let env = Env {
            initial_height: 1,
            last_height: 100,
            now: Default::default(),
            params: Arc::default(),
            last_epoch: EPOCH,
            base_epoch: 0,
            rules: SignatureRules::new(ChainContext::new("test").unwrap(), Blacklist::new(true)),
            options: Arc::new(Options { debug: true, ..Default::default() }),
        };
        let mut network = Self { store, env, block: BlockContext::default() };
        network.stake("entity", 100);
        network.register_entity("entity", &["node", "node 2", "node 3"]).unwrap();
        network
    }

    fn stake(&mut self, name: &str, amount: u64) {
        let address = Address::of_public_key(&key(name));
        let mut account = staking::state::account(&self.store, &address).unwrap();
        account.escrow.active.balance = amount.into();
        staking::state::set_account(&mut self.store, &address, &account);
    }

    fn account(&self, name: &str) -> Account {
        staking::state::account(&self.store, &Address::of_public_key(&key(name))).unwrap()
    }

    fn claims(&self, name: &str) -> usize {
        self.account(name).escrow.stake_accumulator.claims.len()
    }

    fn execute<T: oasis_primitives::cbor::Encode>(&mut self, sender: &str, method: &str, body: &T) -> Result<()> {
        let mut ctx = Context::new(&mut self.store, &mut self.block, &self.env, Mode::DeliverTx);
        ctx.set_tx_signer(key(sender));
        execute_tx(&mut ctx, &Transaction::new(0, None, method, body))
    }

    fn register_entity(&mut self, name: &str, nodes: &[&str]) -> Result<()> {
        let entity = Entity { v: 2, id: key(name), nodes: nodes.iter().map(|n| key(n)).collect() };
        let signed = SignedBlob::sign(&signer(name), &REGISTER_ENTITY_SIGNATURE_CONTEXT, &ChainContext::UNSET, &entity).unwrap();
        self.execute(name, METHOD_REGISTER_ENTITY, &SignedEntity(signed))
    }

    fn register_node(&mut self, name: &str, node: &Node) -> Result<()> {
        let signers: Vec<_> = node_keys(name).iter().map(|n| signer(n)).collect();
        let signers: Vec<&dyn Signer> = signers.iter().map(|s| s as &dyn Signer).collect();
        let signed = MultiSigned::sign(&signers, &REGISTER_NODE_SIGNATURE_CONTEXT, &ChainContext::UNSET, node).unwrap();
        self.execute(name, METHOD_REGISTER_NODE, &MultiSignedNode(signed))
    }

    /// Puts a runtime into the state as if it had been registered, with its claim.
    fn with_runtime(mut self, runtime: &Runtime) -> Self {
        state::set_runtime(&mut self.store, runtime, false);
        self
    }

    fn at_epoch(&mut self, epoch: u64) -> Vec<crate::event::Event> {
        self.store.insert_cbor(epoch::KEY_CURRENT, &EpochTimeState { epoch, height: 101 });
        let mut ctx = Context::new(&mut self.store, &mut self.block, &self.env, Mode::BeginBlock);
        super::begin_block(&mut ctx, &Default::default()).unwrap();
        let events = ctx.events;
        self.env.last_epoch = epoch;
        events
    }
}

fn node_keys(name: &str) -> [String; 4] {
    [name.to_owned(), format!("{name} consensus"), format!("{name} tls"), format!("{name} p2p")]
}

fn node(name: &str, roles: Roles, runtimes: &[&Runtime]) -> Node {
    let [id, consensus, tls, p2p] = node_keys(name).map(|n| key(&n));
    let address = NodeAddress::from_text("127.0.0.1:9000").unwrap();
    let runtimes = runtimes.iter().map(|rt| OrNil::from(NodeRuntime { id: rt.id, ..Default::default() }));
    Node {
        v: 1,
        id,
        entity_id: key("entity"),
        expiration: EPOCH + 2,
        tls: TlsInfo { pub_key: tls, addresses: vec![TlsAddress { pub_key: tls, address: address.clone() }].into(), ..Default::default() },
        p2p: P2pInfo { id: p2p, addresses: vec![address.clone()].into() },
        consensus: ConsensusInfo { id: consensus, addresses: vec![ConsensusAddress { id: consensus, address }].into() },
        beacon: None,
        runtimes: runtimes.collect(),
        roles,
    }
}

fn runtime() -> Runtime {
    Runtime {
        v: 2,
        id: Namespace::new([7; 24], Namespace::FLAG_TEST).unwrap(),
        entity_id: key("entity"),
        genesis: RuntimeGenesis { state_root: Hash::EMPTY, ..Default::default() },
        kind: RuntimeKind::COMPUTE,
        executor: ExecutorParameters { group_size: 1, round_timeout: 5, ..Default::default() },
        txn_scheduler: TxnSchedulerParameters {
            algorithm: TXN_SCHEDULER_SIMPLE.into(),
            batch_flush_timeout: 1_000_000_000,
            max_batch_size: 1,
            max_batch_size_bytes: 1024,
            proposer_timeout: 2,
        },
        storage: StorageParameters {
            group_size: 1,
            min_write_replication: 1,
            max_apply_write_log_entries: 10,
            max_apply_ops: 2,
            ..Default::default()
        },
        admission_policy: AdmissionPolicy { any_node: Some(AnyNodePolicy {}), entity_whitelist: None },
        governance_model: GovernanceModel::ENTITY,
        ..Default::default()
    }
}

fn whitelist(max_nodes: &[(Roles, u16)]) -> AdmissionPolicy {
    let config = EntityWhitelistConfig { max_nodes: max_nodes.iter().copied().collect() };
    let mut entities = NilMap::default();
    entities.as_mut().insert(key("entity"), config);
    AdmissionPolicy { any_node: None, entity_whitelist: Some(EntityWhitelistPolicy { entities }) }
}

#[track_caller]
fn assert_code(result: Result<()>, code: Code) {
    let error = result.unwrap_err();
    assert!(error.is(code), "{error} is not {}", code.text);
}

#[test]
fn an_entity_without_stake_is_refused_and_leaves_nothing() {
    let mut network = Network::new();
    let result = network.register_entity("poor", &[]);
    assert_code(result, oasis_consensus_types::staking::ERR_INSUFFICIENT_STAKE);
    assert!(state::find_entity(&network.store, &key("poor")).unwrap().is_none());
    assert_eq!(network.claims("poor"), 0);
}

#[test]
fn an_entity_with_nodes_stays_until_they_are_removed() {
    let mut network = Network::new();
    network.register_node("node", &node("node", Roles::VALIDATOR, &[])).unwrap();
    let deregister = |network: &mut Network| network.execute("entity", METHOD_DEREGISTER_ENTITY, &DeregisterEntity {});
    assert_code(deregister(&mut network), ERR_ENTITY_HAS_NODES);
    // Ended with epoch 12, and two epochs of debonding more.
    assert!(!network.at_epoch(EPOCH + 3)[0].attributes.iter().all(|(k, _)| k == b"nodes.epoch"));
    assert_eq!(network.at_epoch(EPOCH + 4)[0].attributes, [(b"nodes.epoch".to_vec(), b"1".to_vec())]);
    assert_code(deregister(&mut network), ERR_ENTITY_HAS_NODES);
    assert_eq!(network.claims("entity"), 2);
    network.at_epoch(EPOCH + 5);
    assert_eq!(network.claims("entity"), 1);
    deregister(&mut network).unwrap();
    assert_eq!(network.claims("entity"), 0);
    assert_code(deregister(&mut network), ERR_NO_SUCH_ENTITY);
}

#[test]
fn a_new_node_is_found_by_all_its_keys_and_not_yet_eligible() {
    let mut network = Network::new();
    let registered = node("node", Roles::VALIDATOR, &[]);
    network.register_node("node", &registered).unwrap();
    let store = &network.store;
    for sub_key in [registered.consensus.id, registered.p2p.id, registered.tls.pub_key] {
        assert_eq!(state::find_node_by_sub_key(store, &sub_key).unwrap().as_ref(), Some(&registered));
    }
    let address = state::tendermint_address(&registered.consensus.id);
    assert_eq!(state::node_by_consensus_address(store, &address).unwrap(), registered);
    assert_eq!(state::entity_nodes(store, &key("entity")).unwrap(), [registered]);
    assert_eq!(state::node_status(store, &key("node")).unwrap().election_eligible_after, EPOCH_INVALID);
}

#[test]
fn a_node_update_moves_the_index_of_changed_keys() {
    let mut network = Network::new();
    let old = node("node", Roles::VALIDATOR, &[]);
    let mut new = old.clone();
    (new.p2p.id, new.tls.pub_key) = (old.tls.pub_key, old.p2p.id);
    let signed = MultiSignedNode::default();
    state::set_node(&mut network.store, None, &old, &signed);
    state::set_node(&mut network.store, Some(&old), &new, &signed);
    // The TLS key's old place is dropped after the P2P key's new one was set, and is the same.
    let indexed = |key: &PublicKey| network.store.contains(&[&[0x17], Hash::of(&key.0).0.as_slice()].concat()).unwrap();
    assert!(!indexed(&new.p2p.id));
    assert!(indexed(&new.tls.pub_key));
}

#[test]
fn a_node_that_removes_a_runtime_is_refused_and_claims_stay() {
    let rt = runtime();
    let mut network = Network::new().with_runtime(&rt);
    network.register_node("node", &node("node", Roles::COMPUTE_WORKER, &[&rt])).unwrap();
    let before = network.account("entity");
    let update = node("node", Roles::VALIDATOR.with(Roles::CONSENSUS_RPC), &[]);
    assert_code(network.register_node("node", &update), ERR_NODE_UPDATE_NOT_ALLOWED);
    assert_eq!(network.account("entity"), before);
    assert_eq!(state::node(&network.store, &key("node")).unwrap().roles, Roles::COMPUTE_WORKER);
}

#[test]
fn keys_of_another_node_are_refused() {
    let mut network = Network::new();
    network.register_node("node", &node("node", Roles::VALIDATOR, &[])).unwrap();
    let mut second = node("node 2", Roles::VALIDATOR, &[]);
    second.p2p.id = key("node p2p");
    let names = ["node 2", "node 2 consensus", "node 2 tls", "node p2p"].map(signer);
    let signers = names.each_ref().map(|s| s as &dyn Signer);
    let signed = MultiSigned::sign(&signers, &REGISTER_NODE_SIGNATURE_CONTEXT, &ChainContext::UNSET, &second).unwrap();
    let error = network.execute("node 2", METHOD_REGISTER_NODE, &MultiSignedNode(signed)).unwrap_err();
    assert!(error.to_string().contains("duplicate node P2P ID"), "{error}");
}

#[test]
fn a_registration_must_end_after_this_epoch_and_not_too_late() {
    let mut network = Network::new();
    let mut late = node("node", Roles::VALIDATOR, &[]);
    late.expiration = EPOCH;
    assert_code(network.register_node("node", &late), ERR_NODE_EXPIRED);
    late.expiration = EPOCH + 6;
    assert_code(network.register_node("node", &late), ERR_INVALID_ARGUMENT);
}

#[test]
fn a_whitelist_limits_the_nodes_of_an_entity_by_role() {
    let rt = Runtime { admission_policy: whitelist(&[(Roles::COMPUTE_WORKER, 1)]), ..runtime() };
    let mut network = Network::new().with_runtime(&rt);
    network.register_node("node", &node("node", Roles::COMPUTE_WORKER, &[&rt])).unwrap();
    // The same node again is not one more.
    network.register_node("node", &node("node", Roles::COMPUTE_WORKER, &[&rt])).unwrap();
    let second = node("node 2", Roles::COMPUTE_WORKER, &[&rt]);
    assert_code(network.register_node("node 2", &second), ERR_FORBIDDEN);
    let other_role = node("node 3", Roles::STORAGE_WORKER, &[&rt]);
    assert_code(network.register_node("node 3", &other_role), ERR_FORBIDDEN);
    // An ended registration makes room.
    network.at_epoch(EPOCH + 3);
    network.register_node("node 2", &Node { expiration: EPOCH + 5, ..second }).unwrap();
}

#[test]
fn a_node_resumes_a_suspended_runtime_whose_stake_suffices() {
    let rt = runtime();
    let mut network = Network::new().with_runtime(&rt);
    state::suspend_runtime(&mut network.store, &rt.id).unwrap();
    network.register_node("node", &node("node", Roles::COMPUTE_WORKER, &[&rt])).unwrap();
    assert_eq!(state::runtime(&network.store, &rt.id).unwrap(), rt);

    let governed = Runtime { id: Namespace::new([8; 24], Namespace::FLAG_TEST).unwrap(), governance_model: GovernanceModel::RUNTIME, ..rt };
    let claim = stake_claim_for_runtime(&governed.id);
    let address = Address::of_runtime(&governed.id);
    let mut account = Account::default();
    account.escrow.stake_accumulator.add_claim_unchecked(&claim, stake_thresholds_for_runtime(&governed).into());
    staking::state::set_account(&mut network.store, &address, &account);
    let mut network = network.with_runtime(&governed);
    state::suspend_runtime(&mut network.store, &governed.id).unwrap();
    network.register_node("node 2", &node("node 2", Roles::COMPUTE_WORKER, &[&governed])).unwrap();
    assert!(state::find_runtime(&network.store, &governed.id).unwrap().is_none());
}

#[test]
fn only_the_owner_unfreezes_a_node_and_not_before_its_time() {
    let mut network = Network::new();
    network.register_node("node", &node("node", Roles::VALIDATOR, &[])).unwrap();
    let unfreeze = UnfreezeNode { node_id: key("node") };
    let status = NodeStatus { freeze_end_time: EPOCH + 1, ..Default::default() };
    state::set_node_status(&mut network.store, &key("node"), &status);
    assert_code(network.execute("other", METHOD_UNFREEZE_NODE, &unfreeze), ERR_BAD_ENTITY_FOR_NODE);
    assert_code(network.execute("entity", METHOD_UNFREEZE_NODE, &unfreeze), ERR_NODE_CANNOT_BE_UNFROZEN);
    network.at_epoch(EPOCH + 1);
    network.execute("entity", METHOD_UNFREEZE_NODE, &unfreeze).unwrap();
    assert!(!state::node_status(&network.store, &key("node")).unwrap().is_frozen());
}

#[test]
fn a_missing_beacon_point_and_a_nil_runtime_are_refused() {
    let mut network = Network::new();
    let with_beacon = Node { beacon: Some(Default::default()), ..node("node", Roles::VALIDATOR, &[]) };
    // A missing point is encoded as null, which reads as missing again.
    assert_code(network.register_node("node", &with_beacon), ERR_INVALID_ARGUMENT);
    let nil: OrNil<NodeRuntime> = oasis_primitives::cbor::from_slice(&[0xf6]).unwrap();
    let with_nil = Node { runtimes: vec![nil].into(), ..node("node", Roles::COMPUTE_WORKER, &[]) };
    assert_code(network.register_node("node", &with_nil), ERR_INVALID_ARGUMENT);
}

#[test]
fn a_runtime_is_changed_by_the_one_who_governed_it_before() {
    let rt = runtime();
    let mut network = Network::new().with_runtime(&rt);
    let changed = Runtime { governance_model: GovernanceModel::RUNTIME, ..rt.clone() };
    assert_code(network.execute("other", METHOD_REGISTER_RUNTIME, &changed), ERR_INCORRECT_TX_SIGNER);
    let network = Network::new().with_runtime(&changed);
    let mut store = network.store;
    let mut block = BlockContext::default();
    let mut ctx = Context::new(&mut store, &mut block, &network.env, Mode::DeliverTx);
    ctx.set_tx_signer(key("entity"));
    assert_code(super::tx_runtime::register_runtime(&mut ctx, &changed), ERR_FORBIDDEN);
}

#[test]
fn what_must_stay_of_a_runtime_stays() {
    let rt = runtime();
    let key_manager = Some(Namespace::new([9; 24], Namespace::FLAG_KEY_MANAGER).unwrap());
    let refused = [
        Runtime { entity_id: key("other"), ..rt.clone() },
        Runtime { kind: RuntimeKind::KEY_MANAGER, ..rt.clone() },
        Runtime { genesis: RuntimeGenesis { round: 1, ..rt.genesis.clone() }, ..rt.clone() },
        Runtime { governance_model: GovernanceModel::CONSENSUS, ..rt.clone() },
    ];
    for new in &refused {
        assert_code(verify_runtime::verify_runtime_update(&rt, new), ERR_RUNTIME_UPDATE_NOT_ALLOWED);
    }
    let managed = Runtime { key_manager, ..rt.clone() };
    verify_runtime::verify_runtime_update(&rt, &managed).unwrap();
    assert_code(verify_runtime::verify_runtime_update(&managed, &rt), ERR_RUNTIME_UPDATE_NOT_ALLOWED);
    let governed = Runtime { governance_model: GovernanceModel::RUNTIME, ..rt.clone() };
    verify_runtime::verify_runtime_update(&rt, &governed).unwrap();
    assert_code(verify_runtime::verify_runtime_update(&governed, &rt), ERR_RUNTIME_UPDATE_NOT_ALLOWED);
}

#[test]
fn an_sgx_runtime_without_enclaves_and_one_with_empty_constraints_fail_differently() {
    let mut network = Network::new();
    let params = state::params(&network.store).unwrap();
    let ctx = Context::new(&mut network.store, &mut network.block, &network.env, Mode::DeliverTx);
    let rules = verify::Rules::of(&ctx);
    let mut rt = Runtime { tee_hardware: oasis_consensus_types::node::TeeHardware::INTEL_SGX, ..runtime() };
    assert_code(verify_runtime::verify_runtime(&rules, &params, &rt), ERR_NO_ENCLAVE_FOR_RUNTIME);
    rt.version.tee = Vec::new().into();
    assert_code(verify_runtime::verify_runtime(&rules, &params, &rt), ERR_INVALID_ARGUMENT);
}

#[test]
fn the_exported_genesis_has_validators_only() {
    let rt = runtime();
    let mut network = Network::new().with_runtime(&rt);
    network.register_node("node", &node("node", Roles::VALIDATOR, &[])).unwrap();
    network.register_node("node 2", &node("node 2", Roles::COMPUTE_WORKER, &[&rt])).unwrap();
    let genesis = super::export(&network.store).unwrap();
    assert_eq!(genesis.nodes.len(), 1);
    assert_eq!(genesis.node_statuses.keys().collect::<Vec<_>>(), [&key("node")]);
    assert_eq!((genesis.entities.len(), genesis.runtimes.len()), (1, 1));
}
