//! Parameters inside a runtime descriptor.
//!
//! Source: go/registry/api/runtime.go.

use std::collections::BTreeMap;

use oasis_primitives::{
    cbor::{Cbor, NilMap},
    json::Json,
    quantity::Quantity,
    signature::PublicKey,
};

use super::runtime::RuntimeKind;
use crate::{
    node::Roles,
    staking::{Slash, SlashReason, ThresholdKind},
};

/// The only transaction scheduling algorithm.
pub const TXN_SCHEDULER_SIMPLE: &str = "simple";

/// Parameters of the executor committee.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct ExecutorParameters {
    /// Members of the committee.
    pub group_size: u16,
    /// Members of the group that resolves discrepancies.
    pub group_backup_size: u16,
    /// Members that may be missing.
    pub allowed_stragglers: u16,
    /// Time for a round, consensus blocks.
    pub round_timeout: i64,
    /// Messages that the runtime may emit in a round.
    pub max_messages: u32,
}

impl ExecutorParameters {
    /// Source: go/registry/api/runtime.go, `ExecutorParameters.ValidateBasic`.
    pub fn validate_basic(&self) -> Result<(), &'static str> {
        if self.group_size == 0 {
            return Err("executor primary group too small");
        }
        let too_many_for_backup = self.group_backup_size > 0 && self.allowed_stragglers > self.group_backup_size;
        if self.allowed_stragglers > self.group_size || too_many_for_backup {
            return Err("number of allowed stragglers too large");
        }
        if self.round_timeout < 5 {
            return Err("round timeout too small");
        }
        Ok(())
    }
}

/// Parameters of the transaction scheduler.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct TxnSchedulerParameters {
    /// The algorithm, [`TXN_SCHEDULER_SIMPLE`].
    pub algorithm: String,
    /// How long to wait for a batch to fill, nanoseconds.
    pub batch_flush_timeout: i64,
    /// Largest batch, transactions.
    pub max_batch_size: u64,
    /// Largest batch, bytes.
    pub max_batch_size_bytes: u64,
    /// Time for the scheduler to propose a batch, consensus blocks.
    #[cbor(rename = "propose_batch_timeout")]
    pub proposer_timeout: i64,
}

impl TxnSchedulerParameters {
    /// Source: go/registry/api/runtime.go, `TxnSchedulerParameters.ValidateBasic`.
    pub fn validate_basic(&self) -> Result<(), &'static str> {
        if self.algorithm != TXN_SCHEDULER_SIMPLE {
            return Err("invalid transaction scheduler algorithm");
        }
        // 50 milliseconds.
        if self.batch_flush_timeout < 50_000_000 {
            return Err("transaction scheduler batch flush timeout parameter too small");
        }
        if self.max_batch_size < 1 {
            return Err("transaction scheduler max batch size parameter too small");
        }
        if self.max_batch_size_bytes < 1024 {
            return Err("transaction scheduler max batch bytes size parameter too small");
        }
        if self.proposer_timeout < 2 {
            return Err("transaction scheduler proposer timeout parameter too small");
        }
        Ok(())
    }
}

/// Parameters of the storage committee.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct StorageParameters {
    /// Members of the committee.
    pub group_size: u16,
    /// Members that must have stored a write, at most all.
    pub min_write_replication: u16,
    /// Entries of a write log that are applied at once.
    pub max_apply_write_log_entries: u64,
    /// Operations applied in a batch.
    pub max_apply_ops: u64,
    /// Rounds between checkpoints; 0 for none.
    pub checkpoint_interval: u64,
    /// Checkpoints kept at least.
    pub checkpoint_num_kept: u64,
    /// Size of a checkpoint's chunks, bytes.
    pub checkpoint_chunk_size: u64,
}

impl StorageParameters {
    /// `debug` allows any checkpoint parameters, as the original's flag `debug.dont_blame_oasis` does.
    ///
    /// Source: go/registry/api/runtime.go, `StorageParameters.ValidateBasic`.
    pub fn validate_basic(&self, debug: bool) -> Result<(), &'static str> {
        if self.group_size == 0 {
            return Err("storage group too small");
        }
        if self.min_write_replication == 0 {
            return Err("storage write replication factor must be non-zero");
        }
        if self.min_write_replication > self.group_size {
            return Err("storage write replication factor must be less than or equal to group size");
        }
        if self.max_apply_write_log_entries < 10 {
            return Err("storage MaxApplyWriteLogEntries parameter too small");
        }
        if self.max_apply_ops < 2 {
            return Err("storage MaxApplyOps parameter too small");
        }
        if self.checkpoint_interval > 0 && !debug {
            if self.checkpoint_interval < 10 {
                return Err("storage CheckpointInterval parameter too small");
            }
            if self.checkpoint_num_kept == 0 {
                return Err("storage CheckpointNumKept parameter too small");
            }
            if self.checkpoint_chunk_size < 1024 * 1024 {
                return Err("storage CheckpointChunkSize parameter too small");
            }
        }
        Ok(())
    }
}

/// The admission policy that lets any node register.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct AnyNodePolicy {}

/// The admission policy that lets nodes of listed entities register.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct EntityWhitelistPolicy {
    /// The entities.
    pub entities: NilMap<PublicKey, EntityWhitelistConfig>,
}

/// What a listed entity may register.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct EntityWhitelistConfig {
    /// Nodes by role; a missing role means none, an empty map means no limit.
    #[cbor(omitempty)]
    pub max_nodes: BTreeMap<Roles, u16>,
}

/// Which nodes may register for a runtime: exactly one of the policies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct AdmissionPolicy {
    /// Any node.
    #[cbor(omitempty)]
    pub any_node: Option<AnyNodePolicy>,
    /// Nodes of listed entities.
    #[cbor(omitempty)]
    pub entity_whitelist: Option<EntityWhitelistPolicy>,
}

/// Which nodes may be elected; all that are given hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct SchedulingConstraints {
    /// The entity must have a validator.
    #[cbor(omitempty)]
    pub validator_set: Option<ValidatorSetConstraint>,
    /// A limit of nodes an entity.
    #[cbor(omitempty)]
    pub max_nodes: Option<LimitConstraint>,
    /// A minimum of candidates.
    #[cbor(omitempty)]
    pub min_pool_size: Option<LimitConstraint>,
}

/// The constraint that the entity has a validator.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct ValidatorSetConstraint {}

/// A constraint that is a number of nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct LimitConstraint {
    /// The number.
    pub limit: u16,
}

/// Parameters about stake.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct RuntimeStakingParameters {
    /// Base units required of nodes, besides what is required of all.
    #[cbor(omitempty)]
    pub thresholds: BTreeMap<ThresholdKind, Quantity>,
    /// How misbehaviour is slashed.
    #[cbor(omitempty)]
    pub slashing: BTreeMap<SlashReason, Slash>,
    /// Percentage of what is slashed for equivocation that the runtime gets.
    #[cbor(omitempty, rename = "reward_equivocation")]
    pub reward_slash_equivocation_percent: u8,
    /// Percentage of what is slashed for wrong results that the runtime gets.
    #[cbor(omitempty, rename = "reward_bad_results")]
    pub reward_slash_bad_results_percent: u8,
}

impl RuntimeStakingParameters {
    /// Source: go/registry/api/runtime.go, `RuntimeStakingParameters.ValidateBasic`.
    pub fn validate_basic(&self, kind: RuntimeKind) -> Result<(), String> {
        if self.reward_slash_equivocation_percent > 100 {
            return Err("runtime reward percentage from slashing for equivocation must be <= 100".into());
        }
        if self.reward_slash_bad_results_percent > 100 {
            return Err("runtime reward percentage from slashing for bad results must be <= 100".into());
        }
        for threshold in self.thresholds.keys() {
            let fits = match *threshold {
                ThresholdKind::NODE_COMPUTE | ThresholdKind::NODE_STORAGE => kind == RuntimeKind::COMPUTE,
                ThresholdKind::NODE_KEY_MANAGER => kind == RuntimeKind::KEY_MANAGER,
                _ => false,
            };
            if !fits {
                return Err(format!("unsupported staking threshold kind for runtime: {threshold}"));
            }
        }
        Ok(())
    }
}
