//! The genesis document of a new test network: validators of equal stake, each of its own entity, and funded accounts.

use oasis_primitives::{
    address::Address as Account,
    json::ToJson,
    pvss::Point,
    signature::{ChainContext, MultiSigned, PublicKey, SignedBlob, Signer},
};
use serde_json::{Map, Value, json};

use super::Document;
use crate::{
    entity::Entity,
    node::{Address, BeaconInfo, ConsensusAddress, ConsensusInfo, MultiSignedNode, Node, P2pInfo, Roles, TlsInfo},
    registry::{REGISTER_ENTITY_SIGNATURE_CONTEXT, REGISTER_NODE_SIGNATURE_CONTEXT},
};

/// Stake of a validator, base units.
pub const STAKE: u64 = 1_000_000_000;
/// What each account may spend, base units.
pub const BALANCE: u64 = 1_000_000_000_000;

/// A validator from the first block on.
pub struct Validator<'a> {
    /// The owner, who also has tokens.
    pub entity: &'a dyn Signer,
    /// The node.
    pub node: &'a dyn Signer,
    /// Its connections.
    pub p2p: &'a dyn Signer,
    /// Its votes.
    pub consensus: &'a dyn Signer,
    /// Its TLS certificate.
    pub tls: &'a dyn Signer,
    /// Its part in the beacon.
    pub beacon: Point,
    /// Where peers reach it.
    pub address: Address,
}

/// What a test network is made of.
pub struct Network<'a> {
    /// Name of the chain.
    pub chain_id: &'a str,
    /// RFC 3339.
    pub genesis_time: &'a str,
    /// Blocks of an epoch.
    pub epoch_interval: u64,
    /// Milliseconds from a block to the next proposal.
    pub timeout_commit: u64,
    /// The next proposal does not wait where all have voted.
    pub skip_timeout_commit: bool,
    /// The last epoch of the validators' first registration, and the most epochs of any.
    pub expiration: u64,
    /// Blocks between checkpoints of the state; 0: none.
    pub checkpoint_interval: u64,
    /// The validators.
    pub validators: Vec<Validator<'a>>,
    /// Further accounts with tokens.
    pub accounts: Vec<PublicKey>,
}

/// What the document could not be made of.
#[derive(Debug, thiserror::Error)]
#[error("genesis of a test network: {0}")]
pub struct NetworkError(String);

impl NetworkError {
    fn new(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}

impl Validator<'_> {
    fn descriptor(&self, expiration: u64) -> Node {
        let address = ConsensusAddress { id: self.p2p.public_key(), address: self.address.clone() };
        Node {
            v: 1,
            id: self.node.public_key(),
            entity_id: self.entity.public_key(),
            expiration,
            tls: TlsInfo { pub_key: self.tls.public_key(), ..TlsInfo::default() },
            p2p: P2pInfo { id: self.p2p.public_key(), ..P2pInfo::default() },
            consensus: ConsensusInfo { id: self.consensus.public_key(), addresses: vec![address].into() },
            beacon: Some(BeaconInfo { point: self.beacon }),
            roles: Roles::VALIDATOR,
            ..Node::default()
        }
    }
}

impl Network<'_> {
    /// The document, with every descriptor signed.
    pub fn document(&self) -> Result<Document, NetworkError> {
        let chain = ChainContext::UNSET;
        let mut entities = Vec::new();
        let mut nodes = Vec::new();
        let mut ledger = Map::new();
        let mut delegations = Map::new();
        for validator in &self.validators {
            let entity = Entity { v: 2, id: validator.entity.public_key(), nodes: vec![validator.node.public_key()] };
            let signed = SignedBlob::sign(validator.entity, &REGISTER_ENTITY_SIGNATURE_CONTEXT, &chain, &entity);
            entities.push(signed.map_err(NetworkError::new)?.to_json());
            let signers = [validator.node, validator.p2p, validator.consensus, validator.tls];
            let node = validator.descriptor(self.expiration);
            let signed = MultiSigned::sign(&signers, &REGISTER_NODE_SIGNATURE_CONTEXT, &chain, &node);
            nodes.push(MultiSignedNode(signed.map_err(NetworkError::new)?).to_json());
            let owner = Account::of_public_key(&validator.entity.public_key()).to_string();
            let pool = json!({ "balance": STAKE.to_string(), "total_shares": STAKE.to_string() });
            ledger.insert(owner.clone(), json!({ "general": { "balance": BALANCE.to_string() }, "escrow": { "active": pool } }));
            delegations.insert(owner.clone(), json!({ owner: { "shares": STAKE.to_string() } }));
        }
        for account in &self.accounts {
            let owner = Account::of_public_key(account).to_string();
            ledger.entry(owner).or_insert_with(|| json!({ "general": { "balance": BALANCE.to_string() } }));
        }
        let stakes = u128::from(STAKE).saturating_mul(delegations.len() as u128);
        let supply = u128::from(BALANCE).saturating_mul(ledger.len() as u128).saturating_add(stakes);
        let thresholds =
            ["entity", "node-compute", "node-keymanager", "node-storage", "node-validator", "runtime-compute", "runtime-keymanager"];
        let thresholds: Map<String, Value> = thresholds.iter().map(|kind| ((*kind).to_owned(), json!("0"))).collect();
        let text = json!({
            "height": 1,
            "genesis_time": self.genesis_time,
            "chain_id": self.chain_id,
            "registry": {
                "params": {
                    "debug_allow_unroutable_addresses": true, "max_node_expiration": self.expiration,
                    "enable_runtime_governance_models": { "entity": true },
                },
                "entities": entities,
                "nodes": nodes,
            },
            "roothash": { "params": { "max_runtime_messages": 128, "max_evidence_age": 0 } },
            "staking": {
                "params": {
                    "thresholds": thresholds,
                    "debonding_interval": 1, "max_allowances": 16,
                    "commission_schedule_rules": {
                        "rate_change_interval": 1, "rate_bound_lead": 2, "max_rate_steps": 12, "max_bound_steps": 12,
                    },
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
            "beacon": { "base": 0, "params": { "backend": "insecure", "insecure_parameters": { "interval": self.epoch_interval } } },
            "governance": {
                "params": {
                    "min_proposal_deposit": "100", "voting_period": 100, "quorum": 90, "threshold": 90,
                    "upgrade_min_epoch_diff": 300, "upgrade_cancel_min_epoch_diff": 300,
                },
            },
            "consensus": {
                "backend": "tendermint",
                "params": {
                    "timeout_commit": self.timeout_commit.saturating_mul(1_000_000), "skip_timeout_commit": self.skip_timeout_commit,
                    "empty_block_interval": 0, "max_tx_size": 32_768, "max_block_size": 1_048_576, "max_block_gas": 0,
                    "max_evidence_size": 65_536, "state_checkpoint_interval": self.checkpoint_interval,
                    "state_checkpoint_num_kept": 2, "state_checkpoint_chunk_size": 8_388_608, "gas_costs": { "tx_byte": 0 },
                },
            },
            "halt_epoch": u64::MAX,
            "extra_data": null,
        });
        Document::from_json_text(text.to_string().as_bytes()).map_err(NetworkError::new)
    }
}
