//! The engine's genesis document, made from that of the network.
//!
//! Source: go/consensus/tendermint/api/genesis.go, `GetTendermintGenesisDocument`.

use std::{cmp::Reverse, collections::BTreeMap};

use oasis_consensus_types::{
    beacon,
    consensus::{self, TENDERMINT_APP_VERSION},
    node::{Node, Roles},
    registry::{self, REGISTER_NODE_SIGNATURE_CONTEXT},
    scheduler::{self, voting_power_from_stake},
    staking,
};
use oasis_primitives::{
    address::Address,
    signature::{PublicKey, SignatureRules},
};

use crate::{
    block::MAX_CHAIN_ID_LEN,
    error::{VerifyError, ensure},
    params::KEY_TYPE_ED25519,
    proto::{BlockParams, ConsensusParams, Duration, EvidenceParams, Timestamp, Validator, ValidatorParams, VersionParams},
    state::EngineGenesis,
};

/// Nanoseconds of a second, and of a millisecond.
const SECOND: i64 = 1_000_000_000;
const MILLISECOND: i64 = 1_000_000;
/// Epochs of debonding where debonding is off, and blocks of an epoch of a mock beacon without any; test networks only.
const DEBUG_DEBONDING_INTERVAL: i64 = 1;
const DEBUG_EPOCH_INTERVAL: i64 = 100;

/// The sections of a network's genesis document that the engine needs.
#[derive(Clone, Copy, Debug)]
pub struct GenesisSections<'a> {
    /// Time of the genesis.
    pub time: Timestamp,
    /// Height of the first block.
    pub height: i64,
    /// Hash of the document in hexadecimal digits.
    pub chain_context: &'a str,
    /// The consensus parameters.
    pub consensus: &'a consensus::Parameters,
    /// The beacon's section.
    pub beacon: &'a beacon::Genesis,
    /// The registry's section.
    pub registry: &'a registry::Genesis,
    /// The scheduler's parameters.
    pub scheduler: &'a scheduler::ConsensusParameters,
    /// The staking section.
    pub staking: &'a staking::Genesis,
}

impl GenesisSections<'_> {
    /// The engine's document. `debug` admits settings of test networks.
    pub fn to_engine(&self, rules: &SignatureRules, debug: bool) -> Result<EngineGenesis, VerifyError> {
        ensure(self.height >= 1, "height", "1 or more", self.height)?;
        let Some(chain_id) = self.chain_context.get(..MAX_CHAIN_ID_LEN) else {
            return Err(VerifyError::new("chain_context", "a hash in hexadecimal digits", self.chain_context));
        };
        Ok(EngineGenesis {
            genesis_time: self.time,
            chain_id: chain_id.to_owned(),
            initial_height: self.height,
            consensus_params: self.consensus_params(debug)?,
            validators: self.validators(rules)?,
        })
    }

    fn consensus_params(&self, debug: bool) -> Result<ConsensusParams, VerifyError> {
        let p = self.consensus;
        // The network says 0 for no limit, the engine -1.
        let max_gas = if p.max_block_gas == 0 { -1 } else { p.max_block_gas.cast_signed() };
        let mut debonding = self.staking.parameters.debonding_interval.cast_signed();
        if debonding == 0 && debug {
            debonding = DEBUG_DEBONDING_INTERVAL;
        }
        let max_age_num_blocks = debonding.wrapping_mul(self.epoch_interval(debug)?);
        let block_time = p.timeout_commit.wrapping_add(SECOND);
        Ok(ConsensusParams {
            block: BlockParams { max_bytes: p.max_block_size.cast_signed(), max_gas, time_iota_ms: p.timeout_commit / MILLISECOND },
            evidence: EvidenceParams {
                max_age_num_blocks,
                max_age_duration: Duration::from_nanos(max_age_num_blocks.wrapping_mul(block_time)),
                max_bytes: p.max_evidence_size.cast_signed(),
            },
            validator: ValidatorParams { pub_key_types: vec![KEY_TYPE_ED25519.to_owned()] },
            version: VersionParams { app_version: TENDERMINT_APP_VERSION },
        })
    }

    /// Blocks of an epoch when nothing goes wrong.
    fn epoch_interval(&self, debug: bool) -> Result<i64, VerifyError> {
        let p = &self.beacon.parameters;
        let interval = match p.backend.as_str() {
            beacon::BACKEND_INSECURE => {
                let interval = p.insecure_parameters.as_ref().map_or(0, |p| p.interval);
                if interval == 0 && debug && p.debug_mock_backend { DEBUG_EPOCH_INTERVAL } else { interval }
            }
            beacon::BACKEND_PVSS => {
                p.pvss_parameters.as_ref().map_or(0, |p| p.commit_interval.wrapping_add(p.reveal_interval).wrapping_add(p.transition_delay))
            }
            other => return Err(VerifyError::new("beacon.params.backend", "a known backend", other)),
        };
        ensure(interval != 0, "beacon.params", "an epoch interval", 0)?;
        Ok(interval)
    }

    /// Source: go/consensus/tendermint/api/genesis.go, `convertValidators`.
    ///
    /// The original sorts with an algorithm that keeps the order of equals only up to 12 validators; here it is always
    /// kept.
    fn validators(&self, rules: &SignatureRules) -> Result<Vec<Validator>, VerifyError> {
        let mut by_entity: BTreeMap<PublicKey, i64> = BTreeMap::new();
        let mut out = Vec::new();
        for (i, signed) in self.registry.nodes.iter().enumerate() {
            let field = format!("registry.nodes[{i}]");
            let node: Node = signed
                .0
                .open(rules, &REGISTER_NODE_SIGNATURE_CONTEXT)
                .map_err(|e| VerifyError::new(&field, "a signed node descriptor", e))?;
            if !node.has_roles(Roles::VALIDATOR) || node.is_expired(self.beacon.base) {
                continue;
            }
            let power = self.power(&node.entity_id).ok_or_else(|| VerifyError::new(&field, "stake that fits a power", "more"))?;
            let count = by_entity.entry(node.entity_id).or_insert(0);
            // The first validator of an entity is taken whatever the limit is.
            if *count > 0 && *count >= self.scheduler.max_validators_per_entity {
                continue;
            }
            *count = count.saturating_add(1);
            out.push(Validator::new(&node.consensus.id.0, power));
        }
        out.sort_by_key(|v| Reverse(v.voting_power));
        out.truncate(usize::try_from(self.scheduler.max_validators).unwrap_or(0));
        Ok(out)
    }

    fn power(&self, entity: &PublicKey) -> Option<i64> {
        if self.scheduler.debug_bypass_stake {
            return Some(1);
        }
        let account = self.staking.ledger.get(&Address::of_public_key(entity));
        let stake = account.map(|a| a.escrow.active.balance.clone()).unwrap_or_default();
        voting_power_from_stake(&stake)
    }
}
