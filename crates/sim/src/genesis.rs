//! The genesis document of a simulated network: validators of equal stake, each of its own entity.

use oasis_consensus_types::{
    entity::Entity,
    genesis::Document,
    node::{Address, BeaconInfo, ConsensusAddress, ConsensusInfo, MultiSignedNode, Node, P2pInfo, Roles, TlsInfo},
    registry::{REGISTER_ENTITY_SIGNATURE_CONTEXT, REGISTER_NODE_SIGNATURE_CONTEXT},
};
use oasis_primitives::{
    address,
    json::ToJson,
    pvss::Scalar,
    signature::{ChainContext, MemorySigner, MultiSigned, SignedBlob, Signer},
};
use serde_json::{Value, json};

/// Stake of a validator, base units.
const STAKE: u64 = 1_000_000_000;
/// What an account may spend, base units.
const BALANCE: u64 = 1_000_000_000_000;
/// The last epoch of a node's registration: no run is that long.
const EXPIRATION: u64 = 1_000_000;
/// Blocks of an epoch.
const INTERVAL: u64 = 30;

/// A node's keys.
#[derive(Clone, Debug)]
pub struct Keys {
    /// The owner, who also has the tokens.
    pub entity: MemorySigner,
    /// The node.
    pub node: MemorySigner,
    /// Its connections.
    pub p2p: MemorySigner,
    /// Its votes.
    pub consensus: MemorySigner,
    /// Its TLS certificate.
    pub tls: MemorySigner,
    /// Its part in the beacon.
    pub beacon: Scalar,
}

impl Keys {
    /// The keys of a number, the same in every run.
    pub fn of(number: usize) -> Self {
        let key = |role: &str| MemorySigner::for_test(&format!("simulated {role} {number}"));
        let mut byte = 0u8;
        let mut fill = |buffer: &mut [u8]| {
            for b in buffer {
                byte = byte.wrapping_add(1);
                *b = byte ^ (number as u8);
            }
        };
        let beacon = Scalar::generate(&mut fill);
        Self { entity: key("entity"), node: key("node"), p2p: key("p2p"), consensus: key("consensus"), tls: key("tls"), beacon }
    }
}

fn descriptor(keys: &Keys, number: usize) -> Node {
    let address = Address::from_text(&format!("127.0.0.1:{}", 20_000 + number)).unwrap_or_default();
    Node {
        v: 1,
        id: keys.node.public_key(),
        entity_id: keys.entity.public_key(),
        expiration: EXPIRATION,
        tls: TlsInfo { pub_key: keys.tls.public_key(), ..TlsInfo::default() },
        p2p: P2pInfo { id: keys.p2p.public_key(), ..P2pInfo::default() },
        consensus: ConsensusInfo {
            id: keys.consensus.public_key(),
            addresses: vec![ConsensusAddress { id: keys.p2p.public_key(), address }].into(),
        },
        beacon: Some(BeaconInfo { point: keys.beacon.point() }),
        roles: Roles::VALIDATOR,
        ..Node::default()
    }
}

/// The document of a network of these validators.
pub fn document(validators: &[Keys], timeout_commit_ms: u64) -> Result<Document, String> {
    let chain = ChainContext::UNSET;
    let mut entities = Vec::new();
    let mut nodes = Vec::new();
    let mut ledger = serde_json::Map::new();
    let mut delegations = serde_json::Map::new();
    for (number, keys) in validators.iter().enumerate() {
        let entity = Entity { v: 2, id: keys.entity.public_key(), nodes: vec![keys.node.public_key()] };
        let signed = SignedBlob::sign(&keys.entity, &REGISTER_ENTITY_SIGNATURE_CONTEXT, &chain, &entity).map_err(|e| e.to_string())?;
        entities.push(signed.to_json());
        let signers: [&dyn Signer; 4] = [&keys.node, &keys.p2p, &keys.consensus, &keys.tls];
        let signed = MultiSigned::sign(&signers, &REGISTER_NODE_SIGNATURE_CONTEXT, &chain, &descriptor(keys, number));
        nodes.push(MultiSignedNode(signed.map_err(|e| e.to_string())?).to_json());
        let owner = address::Address::of_public_key(&keys.entity.public_key()).to_string();
        let pool = json!({ "balance": STAKE.to_string(), "total_shares": STAKE.to_string() });
        ledger.insert(owner.clone(), json!({ "general": { "balance": BALANCE.to_string() }, "escrow": { "active": pool } }));
        delegations.insert(owner.clone(), json!({ owner: { "shares": STAKE.to_string() } }));
    }
    let thresholds =
        ["entity", "node-compute", "node-keymanager", "node-storage", "node-validator", "runtime-compute", "runtime-keymanager"];
    let thresholds: serde_json::Map<String, Value> = thresholds.iter().map(|kind| ((*kind).to_owned(), json!("0"))).collect();
    let supply = (STAKE + BALANCE) * validators.len() as u64;
    let text = json!({
        "height": 1,
        "genesis_time": "2021-06-01T12:00:00Z",
        "chain_id": "simulated",
        "registry": {
            "params": { "debug_allow_unroutable_addresses": true, "max_node_expiration": EXPIRATION },
            "entities": entities,
            "nodes": nodes,
        },
        "roothash": { "params": { "max_runtime_messages": 128, "max_evidence_age": 0 } },
        "staking": {
            "params": {
                "thresholds": thresholds,
                "debonding_interval": 1,
                "commission_schedule_rules": {},
                "slashing": { "consensus-equivocation": { "amount": "1000", "freeze_interval": 1 } },
                "min_delegation": "0",
                "fee_split_weight_propose": "1",
                "fee_split_weight_vote": "1",
                "fee_split_weight_next_propose": "1",
                "reward_factor_epoch_signed": "0",
                "reward_factor_block_proposed": "0",
            },
            "token_symbol": "TEST",
            "token_value_exponent": 9,
            "total_supply": supply.to_string(),
            "common_pool": "0",
            "last_block_fees": "0",
            "governance_deposits": "0",
            "ledger": ledger,
            "delegations": delegations,
        },
        "keymanager": {},
        "scheduler": {
            "params": { "min_validators": 1, "max_validators": 200, "max_validators_per_entity": 1, "reward_factor_epoch_election_any": "0" },
        },
        "beacon": { "base": 0, "params": { "backend": "insecure", "insecure_parameters": { "interval": INTERVAL } } },
        "governance": {
            "params": {
                "min_proposal_deposit": "100", "voting_period": 100, "quorum": 90, "threshold": 90,
                "upgrade_min_epoch_diff": 300, "upgrade_cancel_min_epoch_diff": 300,
            },
        },
        "consensus": {
            "backend": "tendermint",
            "params": {
                "timeout_commit": timeout_commit_ms * 1_000_000, "skip_timeout_commit": false, "empty_block_interval": 0,
                "max_tx_size": 32_768, "max_block_size": 1_048_576, "max_block_gas": 0, "max_evidence_size": 65_536,
                "state_checkpoint_interval": 0, "gas_costs": { "tx_byte": 0 },
            },
        },
        "halt_epoch": u64::MAX,
        "extra_data": null,
    });
    Document::from_json_text(text.to_string().as_bytes()).map_err(|e| e.to_string())
}
