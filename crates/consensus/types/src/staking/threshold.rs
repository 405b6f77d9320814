//! Stake that registrations need: kinds, thresholds and claims.
//!
//! Source: go/staking/api/api.go, `ThresholdKind`, `StakeThreshold`, `StakeAccumulator`.

use std::{collections::BTreeMap, fmt};

use oasis_primitives::{
    cbor::{Cbor, NilVec},
    json::{self, Json},
    quantity::Quantity,
};

use crate::errors::CodedError;

/// What a global threshold is for; numbers without a name are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Cbor)]
#[cbor(transparent)]
pub struct ThresholdKind(pub i64);

impl ThresholdKind {
    /// An entity.
    pub const ENTITY: Self = Self(0);
    /// A validator node.
    pub const NODE_VALIDATOR: Self = Self(1);
    /// A compute node.
    pub const NODE_COMPUTE: Self = Self(2);
    /// A storage node.
    pub const NODE_STORAGE: Self = Self(3);
    /// A key manager node.
    pub const NODE_KEY_MANAGER: Self = Self(4);
    /// A compute runtime.
    pub const RUNTIME_COMPUTE: Self = Self(5);
    /// A key manager runtime.
    pub const RUNTIME_KEY_MANAGER: Self = Self(6);

    /// Every kind, in order; each needs a threshold in the parameters.
    pub const ALL: [Self; 7] = [
        Self::ENTITY,
        Self::NODE_VALIDATOR,
        Self::NODE_COMPUTE,
        Self::NODE_STORAGE,
        Self::NODE_KEY_MANAGER,
        Self::RUNTIME_COMPUTE,
        Self::RUNTIME_KEY_MANAGER,
    ];

    fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::ENTITY => "entity",
            Self::NODE_VALIDATOR => "node-validator",
            Self::NODE_COMPUTE => "node-compute",
            Self::NODE_STORAGE => "node-storage",
            Self::NODE_KEY_MANAGER => "node-keymanager",
            Self::RUNTIME_COMPUTE => "runtime-compute",
            Self::RUNTIME_KEY_MANAGER => "runtime-keymanager",
            _ => return None,
        })
    }

    /// Reads a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == Some(name))
    }
}

impl fmt::Display for ThresholdKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name().unwrap_or("[unknown threshold kind]"))
    }
}

json::text_json!(ThresholdKind, "kind of a stake threshold", ThresholdKind::from_name);

/// Thresholds in base units, by kind.
pub type Thresholds = BTreeMap<ThresholdKind, Quantity>;

/// Identifies a claim on an account's stake, such as `registry.RegisterEntity`.
pub type StakeClaim = String;

/// Part of a claim: a global threshold or an amount.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct StakeThreshold {
    /// The global threshold of this kind.
    #[cbor(omitempty)]
    pub global: Option<ThresholdKind>,
    /// An amount in base units.
    #[cbor(rename = "const", omitempty)]
    pub constant: Option<Quantity>,
}

impl StakeThreshold {
    /// The global threshold of a kind.
    pub fn global(kind: ThresholdKind) -> Self {
        Self { global: Some(kind), constant: None }
    }

    /// A fixed amount in base units.
    pub fn constant(amount: Quantity) -> Self {
        Self { global: None, constant: Some(amount) }
    }

    /// The amount in base units; a global threshold that is not set is zero.
    ///
    /// Source: go/staking/api/api.go, `StakeThreshold.Value`.
    pub fn value(&self, thresholds: &Thresholds) -> Result<Quantity, CodedError> {
        match (&self.global, &self.constant) {
            (Some(kind), _) => Ok(thresholds.get(kind).cloned().unwrap_or_default()),
            (None, Some(amount)) => Ok(amount.clone()),
            (None, None) => Err(CodedError::unknown("staking: invalid claim threshold")),
        }
    }

    /// Whether both are the same threshold; a malformed one equals none, not even itself.
    ///
    /// Source: go/staking/api/api.go, `StakeThreshold.Equal`.
    pub fn same(&self, other: &Self) -> bool {
        match (&self.global, &self.constant) {
            (Some(kind), _) => other.global.as_ref() == Some(kind),
            (None, Some(amount)) => other.constant.as_ref() == Some(amount),
            (None, None) => false,
        }
    }
}

/// The claims on an account's stake.
///
/// A claim without thresholds may be nil, which is stored as null.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct StakeAccumulator {
    /// Thresholds by claim.
    #[cbor(omitempty)]
    pub claims: BTreeMap<StakeClaim, NilVec<StakeThreshold>>,
}

impl StakeAccumulator {
    /// Adds or replaces a claim without looking at the stake.
    pub fn add_claim_unchecked(&mut self, claim: &str, thresholds: NilVec<StakeThreshold>) {
        self.claims.insert(claim.to_owned(), thresholds);
    }

    /// Removes a claim; fails where there is none.
    pub fn remove_claim(&mut self, claim: &str) -> Result<(), CodedError> {
        match self.claims.remove(claim) {
            Some(_) => Ok(()),
            None => Err(CodedError::unknown(format!("staking: claim does not exist: {claim}"))),
        }
    }

    /// The sum of all claims but `exclude`, base units.
    ///
    /// Source: go/staking/api/api.go, `StakeAccumulator.TotalClaims`.
    pub fn total_claims(&self, thresholds: &Thresholds, exclude: Option<&str>) -> Result<Quantity, CodedError> {
        let counted = self.claims.iter().filter(|(id, _)| exclude != Some(id.as_str()));
        counted.flat_map(|(_, claim)| claim).try_fold(Quantity::ZERO, |total, threshold| Ok(total.plus(&threshold.value(thresholds)?)))
    }
}
