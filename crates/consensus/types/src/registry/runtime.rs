//! Runtime descriptors.
//!
//! Source: go/registry/api/runtime.go.

use std::{collections::BTreeMap, fmt};

use oasis_primitives::{
    address::Address,
    cbor::{Cbor, NilMap, NilVec},
    hash::Hash,
    json::{self, FromJson, Json, ToJson},
    namespace::Namespace,
    signature::{PublicKey, Signature},
    version::Version,
};

use super::parameters::{
    AdmissionPolicy, ExecutorParameters, RuntimeStakingParameters, SchedulingConstraints, StorageParameters, TxnSchedulerParameters,
};
use crate::{
    node::TeeHardware,
    scheduler::{CommitteeKind, Role},
};

/// The version that descriptors have: the latest and the only one allowed.
pub const LATEST_RUNTIME_DESCRIPTOR_VERSION: u16 = 2;

/// What a runtime is for; kinds without a meaning survive decoding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Cbor, Json)]
#[cbor(transparent)]
pub struct RuntimeKind(pub u32);

impl RuntimeKind {
    /// Executes transactions.
    pub const COMPUTE: Self = Self(1);
    /// Keeps keys of other runtimes.
    pub const KEY_MANAGER: Self = Self(2);
}

impl fmt::Display for RuntimeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            0 => "invalid",
            1 => "compute",
            2 => "keymanager",
            _ => "[unsupported runtime kind]",
        })
    }
}

/// Who may change a runtime; models without a meaning survive decoding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Cbor)]
#[cbor(transparent)]
pub struct GovernanceModel(pub u8);

impl GovernanceModel {
    /// No model.
    pub const INVALID: Self = Self(0);
    /// The entity that registered the runtime.
    pub const ENTITY: Self = Self(1);
    /// The runtime itself.
    pub const RUNTIME: Self = Self(2);
    /// The consensus layer: only at genesis.
    pub const CONSENSUS: Self = Self(3);

    /// Reads a model's name.
    pub fn from_text(text: &str) -> Option<Self> {
        match text {
            "entity" => Some(Self::ENTITY),
            "runtime" => Some(Self::RUNTIME),
            "consensus" => Some(Self::CONSENSUS),
            _ => None,
        }
    }
}

impl fmt::Display for GovernanceModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::INVALID => "invalid",
            Self::ENTITY => "entity",
            Self::RUNTIME => "runtime",
            Self::CONSENSUS => "consensus",
            _ => "[unsupported runtime governance model]",
        })
    }
}

json::text_json!(GovernanceModel, "entity, runtime or consensus", GovernanceModel::from_text);

/// A runtime.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct Runtime {
    /// Version of the descriptor.
    pub v: u16,
    /// The runtime's identifier, for all its life.
    pub id: Namespace,
    /// The entity that controls the runtime.
    pub entity_id: PublicKey,
    /// What it starts from.
    pub genesis: RuntimeGenesis,
    /// What it is for.
    pub kind: RuntimeKind,
    /// The trusted environment that nodes must have.
    pub tee_hardware: TeeHardware,
    /// Its version.
    #[cbor(rename = "versions")]
    pub version: VersionInfo,
    /// Its key manager, if any.
    #[cbor(omitempty)]
    pub key_manager: Option<Namespace>,
    /// Parameters of the executor committee.
    // Structures with fields that are always there are never left out.
    #[cbor(omitempty)]
    pub executor: ExecutorParameters,
    /// Parameters of the transaction scheduler.
    #[cbor(omitempty)]
    pub txn_scheduler: TxnSchedulerParameters,
    /// Parameters of the storage committee.
    #[cbor(omitempty)]
    pub storage: StorageParameters,
    /// Which nodes may register.
    pub admission_policy: AdmissionPolicy,
    /// Which nodes may be elected, by committee and role.
    #[cbor(omitempty)]
    pub constraints: BTreeMap<CommitteeKind, NilMap<Role, SchedulingConstraints>>,
    /// Parameters about stake.
    #[cbor(omitempty)]
    pub staking: RuntimeStakingParameters,
    /// Who may change the runtime.
    pub governance_model: GovernanceModel,
}

impl Runtime {
    /// `debug` allows any checkpoint parameters.
    ///
    /// Source: go/registry/api/runtime.go, `Runtime.ValidateBasic`. One version is allowed, strictly or not.
    pub fn validate_basic(&self, strict_version: bool, debug: bool) -> Result<(), String> {
        let (v, latest) = (self.v, LATEST_RUNTIME_DESCRIPTOR_VERSION);
        if v != latest {
            return Err(if strict_version {
                format!("invalid runtime descriptor version (expected: {latest} got: {v})")
            } else {
                format!("invalid runtime descriptor version (min: {latest} max: {latest})")
            });
        }
        match self.kind {
            RuntimeKind::COMPUTE => self.validate_compute(debug)?,
            RuntimeKind::KEY_MANAGER => self.validate_key_manager()?,
            kind => return Err(format!("bad runtime kind: {kind}")),
        }
        self.staking.validate_basic(self.kind).map_err(|e| format!("bad staking parameters: {e}"))?;
        if !(GovernanceModel::ENTITY..=GovernanceModel::CONSENSUS).contains(&self.governance_model) {
            return Err("runtime: unsupported governance model: out of range".into());
        }
        Ok(())
    }

    fn validate_compute(&self, debug: bool) -> Result<(), String> {
        if self.id.is_key_manager() {
            return Err("compute runtime ID has the key manager flag set".into());
        }
        if self.key_manager == Some(self.id) {
            return Err("compute runtime has self as key manager".into());
        }
        self.executor.validate_basic().map_err(|e| format!("bad executor parameters: {e}"))?;
        self.txn_scheduler.validate_basic().map_err(|e| format!("bad txn scheduler parameters: {e}"))?;
        self.storage.validate_basic(debug).map_err(|e| format!("bad storage parameters: {e}"))
    }

    fn validate_key_manager(&self) -> Result<(), String> {
        if !self.id.is_key_manager() {
            return Err("key manager runtime ID does not have the key manager flag set".into());
        }
        if self.key_manager.is_some() {
            return Err("key manager runtime cannot itself have a key manager".into());
        }
        if !self.id.is_test() && self.tee_hardware != TeeHardware::INTEL_SGX {
            return Err("non-SGX keymanager runtime".into());
        }
        Ok(())
    }

    /// Whether the runtime executes transactions.
    pub fn is_compute(&self) -> bool {
        self.kind == RuntimeKind::COMPUTE
    }

    /// The account that stakes for the runtime and may change it; none under governance by the consensus layer.
    ///
    /// Source: go/registry/api/runtime.go, `Runtime.StakingAddress`.
    pub fn staking_address(&self) -> Option<Address> {
        match self.governance_model {
            GovernanceModel::ENTITY => Some(Address::of_public_key(&self.entity_id)),
            GovernanceModel::RUNTIME => Some(Address::of_runtime(&self.id)),
            _ => None,
        }
    }
}

/// A runtime's version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct VersionInfo {
    /// The version.
    pub version: Version,
    /// What identifies the enclaves, in the form of the trusted environment's kind; for SGX encoded constraints.
    // Nil and empty decode differently before the first encoding leaves both out.
    #[cbor(omitempty)]
    pub tee: NilVec<u8>,
}

/// What a runtime starts from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct RuntimeGenesis {
    /// Root of the first state; the empty hash for an empty state.
    pub state_root: Hash,
    /// The state's entries, where given.
    pub state: NilVec<LogEntry>,
    /// Storage receipts for the root, where needed.
    pub storage_receipts: NilVec<Signature>,
    /// The first round.
    pub round: u64,
}

impl RuntimeGenesis {
    /// Equality that does not distinguish nil from empty.
    ///
    /// Source: go/registry/api/runtime.go, `RuntimeGenesis.Equal`.
    pub fn equal(&self, other: &Self) -> bool {
        let entry = |(a, b): (&LogEntry, &LogEntry)| a.key[..] == b.key[..] && a.value[..] == b.value[..];
        self.state_root == other.state_root
            && self.round == other.round
            && self.state.len() == other.state.len()
            && self.state.iter().zip(&other.state).all(entry)
            && self.storage_receipts[..] == other.storage_receipts[..]
    }
}

/// An entry of a write log.
///
/// Source: go/storage/mkvs/writelog/writelog.go, `LogEntry`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
#[cbor(as_array)]
pub struct LogEntry {
    /// The key.
    pub key: NilVec<u8>,
    /// The value; empty where the key is removed.
    pub value: NilVec<u8>,
}

impl ToJson for LogEntry {
    fn to_json(&self) -> json::Value {
        json::Value::Array(vec![self.key.to_json(), self.value.to_json()])
    }
}

impl FromJson for LogEntry {
    /// Like a Go array of two: missing elements are nil, further ones are passed over.
    fn from_json(value: &json::Value) -> Result<Self, json::Error> {
        let items = value.as_array().ok_or_else(|| json::Error::expected("an array of key and value", value))?;
        let item = |i: usize| items.get(i).map_or(Ok(NilVec::NIL), |v| json::read(v).map_err(|e| e.at_index(i)));
        Ok(Self { key: item(0)?, value: item(1)? })
    }
}
