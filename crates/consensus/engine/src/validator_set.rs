//! Validator sets: their order, their hash, who proposes, and how they change.
//!
//! Source: tendermint `types/validator_set.go`, `types/validator.go`.

use std::cmp::{Ordering, Reverse};

use prost::Message;

use crate::{
    error::{VerifyError, ensure},
    merkle::{self, Sha256Hash},
    proto::{PublicKey, PublicKeySum, SimpleValidator, Validator, ValidatorSetMessage, ValidatorUpdate},
};

/// Bytes of an address. Source: tendermint `crypto/crypto.go`, `AddressSize`.
pub const ADDRESS_SIZE: usize = 20;

/// The most voting power that all validators may have together. Source: `MaxTotalVotingPower`.
pub const MAX_TOTAL_VOTING_POWER: i64 = i64::MAX / 8;

/// Priorities lie no further apart than this many times the total power. Source: `PriorityWindowSizeFactor`.
const PRIORITY_WINDOW_SIZE_FACTOR: i64 = 2;

impl PublicKey {
    /// An Ed25519 key.
    pub fn ed25519(key: &[u8; 32]) -> Self {
        Self { sum: Some(PublicKeySum::Ed25519(key.to_vec())) }
    }

    /// The bytes of an Ed25519 key; nothing for another kind or length.
    pub fn as_ed25519(&self) -> Option<[u8; 32]> {
        match &self.sum {
            Some(PublicKeySum::Ed25519(key)) => key.as_slice().try_into().ok(),
            _ => None,
        }
    }
}

/// The address of an Ed25519 key: the first 20 bytes of its SHA-256.
///
/// Source: tendermint `crypto/ed25519/ed25519.go`, `PubKey.Address`.
pub fn address_of(key: &[u8; 32]) -> Vec<u8> {
    merkle::sha256(key).iter().copied().take(ADDRESS_SIZE).collect()
}

impl Validator {
    /// A validator with priority zero. Source: tendermint `types/validator.go`, `NewValidator`.
    pub fn new(key: &[u8; 32], voting_power: i64) -> Self {
        Self { address: address_of(key), pub_key: PublicKey::ed25519(key), voting_power, proposer_priority: 0 }
    }

    /// The key, which must be Ed25519: the parameters of this network admit no other.
    pub fn key(&self) -> Result<[u8; 32], VerifyError> {
        let key = self.pub_key.as_ed25519();
        key.ok_or_else(|| VerifyError::new("pub_key", "an Ed25519 key of 32 bytes", format_args!("{:?}", self.pub_key)))
    }

    /// Source: tendermint `types/validator.go`, `Validator.ValidateBasic`.
    fn check_basic(&self) -> Result<(), VerifyError> {
        self.key()?;
        ensure(self.voting_power >= 0, "voting_power", "not negative", self.voting_power)?;
        ensure(self.address.len() == ADDRESS_SIZE, "address", "20 bytes", self.address.len())
    }

    /// What is hashed of a validator: not the priority. Source: tendermint `types/validator.go`, `Validator.Bytes`.
    fn leaf(&self) -> Vec<u8> {
        SimpleValidator { pub_key: Some(self.pub_key.clone()), voting_power: self.voting_power }.encode_to_vec()
    }
}

/// Validators by voting power (descending), then address; with the proposer of the first round.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ValidatorSet {
    validators: Vec<Validator>,
    /// As it was when it was chosen.
    proposer: Option<Validator>,
    total_voting_power: i64,
    hash: Sha256Hash,
}

impl ValidatorSet {
    /// A set of validators with different addresses and a power above zero, priorities advanced once.
    ///
    /// Source: `NewValidatorSet`.
    pub fn new(validators: Vec<Validator>) -> Result<Self, VerifyError> {
        let mut set = Self { hash: merkle::root([[]; 0]), ..Self::default() };
        if !validators.is_empty() {
            set.change(validators, false)?;
            set.increment_proposer_priority(1);
        }
        Ok(set)
    }

    /// Takes a set as it was written. Source: `ValidatorSetFromProto`.
    pub fn from_message(message: ValidatorSetMessage) -> Result<Self, VerifyError> {
        let ValidatorSetMessage { validators, proposer, total_voting_power } = message;
        ensure(!validators.is_empty(), "validators", "at least one", 0)?;
        for (i, v) in validators.iter().enumerate() {
            v.check_basic().map_err(|e| e.inside(&format!("validators[{i}]")))?;
        }
        let checked = proposer.as_ref().ok_or_else(|| VerifyError::new("proposer", "a validator", "nothing"))?;
        checked.check_basic().map_err(|e| e.inside("proposer"))?;
        let hash = merkle::root(validators.iter().map(Validator::leaf));
        let mut set = Self { validators, proposer, total_voting_power, hash };
        if total_voting_power == 0 {
            set.total_voting_power = sum_powers(&set.validators)?;
        }
        Ok(set)
    }

    /// As it is written. Source: `ValidatorSet.ToProto`.
    pub fn to_message(&self) -> ValidatorSetMessage {
        ValidatorSetMessage {
            validators: self.validators.clone(),
            proposer: self.proposer.clone(),
            total_voting_power: self.total_voting_power,
        }
    }

    /// Whether a written set is this one, priorities included.
    pub fn is_message(&self, message: &ValidatorSetMessage) -> bool {
        self.validators == message.validators && self.proposer == message.proposer && self.total_voting_power == message.total_voting_power
    }

    /// The validators in order.
    pub fn validators(&self) -> &[Validator] {
        &self.validators
    }

    /// Who proposes in the first round, as it was when it was chosen.
    pub fn proposer(&self) -> Option<&Validator> {
        self.proposer.as_ref()
    }

    /// Sum of the voting powers.
    pub fn total_voting_power(&self) -> i64 {
        self.total_voting_power
    }

    /// The Merkle root over keys and powers. Source: `ValidatorSet.Hash`.
    pub fn hash(&self) -> &Sha256Hash {
        &self.hash
    }

    /// A validator and its place. Source: `ValidatorSet.GetByAddress`.
    pub fn get(&self, address: &[u8]) -> Option<(usize, &Validator)> {
        self.validators.iter().enumerate().find(|(_, v)| v.address == address)
    }

    /// A copy whose priorities are advanced. Source: `ValidatorSet.CopyIncrementProposerPriority`.
    #[must_use]
    pub fn advanced(&self, times: u32) -> Self {
        let mut set = self.clone();
        set.increment_proposer_priority(times);
        set
    }

    /// Advances the priorities and chooses the proposer; without validators there is nothing to do.
    ///
    /// Source: `ValidatorSet.IncrementProposerPriority`. Priorities are scaled and centred once, whatever `times` is.
    pub fn increment_proposer_priority(&mut self, times: u32) {
        if self.validators.is_empty() || times == 0 {
            return;
        }
        self.rescale_and_center();
        for _ in 0..times {
            self.advance_once();
        }
    }

    /// Source: `ValidatorSet.incrementProposerPriority`.
    fn advance_once(&mut self) {
        for v in &mut self.validators {
            v.proposer_priority = v.proposer_priority.saturating_add(v.voting_power);
        }
        let total = self.total_voting_power;
        let first = |a: &Validator, b: &Validator| a.proposer_priority.cmp(&b.proposer_priority).then(b.address.cmp(&a.address));
        if let Some(chosen) = self.validators.iter_mut().max_by(|a, b| first(a, b)) {
            chosen.proposer_priority = chosen.proposer_priority.saturating_sub(total);
            self.proposer = Some(chosen.clone());
        }
    }

    /// Source: `ValidatorSet.RescalePriorities`, `ValidatorSet.shiftByAvgProposerPriority`.
    fn rescale_and_center(&mut self) {
        let window = self.total_voting_power.saturating_mul(PRIORITY_WINDOW_SIZE_FACTOR);
        let priorities = || self.validators.iter().map(|v| v.proposer_priority);
        if window > 0
            && let (Some(max), Some(min)) = (priorities().max(), priorities().min())
        {
            let diff = max.wrapping_sub(min).wrapping_abs();
            let ratio = diff.wrapping_add(window).wrapping_sub(1).checked_div(window).unwrap_or_default();
            if diff > window && ratio != 0 {
                for v in &mut self.validators {
                    v.proposer_priority = v.proposer_priority.checked_div(ratio).unwrap_or_default();
                }
            }
        }
        // The mean is rounded down, as the original's big integers do.
        let sum = self.validators.iter().fold(0i128, |sum, v| sum.saturating_add(i128::from(v.proposer_priority)));
        let count = i128::try_from(self.validators.len()).unwrap_or(i128::MAX);
        let mean = sum.checked_div_euclid(count).and_then(|m| i64::try_from(m).ok()).unwrap_or_default();
        for v in &mut self.validators {
            v.proposer_priority = v.proposer_priority.saturating_sub(mean);
        }
    }

    /// Applies changes: a power of zero removes a validator; the proposer stays as it was.
    ///
    /// Source: `ValidatorSet.UpdateWithChangeSet`. On an error the set is as before.
    pub fn update_with_change_set(&mut self, changes: Vec<Validator>) -> Result<(), VerifyError> {
        if changes.is_empty() {
            return Ok(());
        }
        self.change(changes, true)
    }

    /// Source: `ValidatorSet.updateWithChangeSet`.
    fn change(&mut self, changes: Vec<Validator>, allow_removals: bool) -> Result<(), VerifyError> {
        let (mut updates, removals) = split_changes(changes)?;
        ensure(allow_removals || removals.is_empty(), "power", "above zero", 0)?;
        let new = updates.iter().filter(|u| self.get(&u.address).is_none()).count();
        ensure(new != 0 || self.validators.len() != removals.len(), "validator_updates", "a set that is not empty", "empty")?;

        let mut removed_power = 0i128;
        for r in &removals {
            let Some((_, old)) = self.get(&r.address) else {
                return Err(VerifyError::new("validator_updates", "the removal of a validator", hex::encode(&r.address)));
            };
            removed_power = removed_power.saturating_add(i128::from(old.voting_power));
        }
        let power_before_removals = self.check_total(&updates, removed_power)?.saturating_add(removed_power);
        // A newcomer starts at -1.125 times the total power, so that leaving and coming back gains nothing.
        let newcomer = 0i128.saturating_sub(power_before_removals.saturating_add(power_before_removals >> 3));
        let newcomer = i64::try_from(newcomer).unwrap_or(i64::MIN);
        for u in &mut updates {
            u.proposer_priority = self.get(&u.address).map_or(newcomer, |(_, old)| old.proposer_priority);
        }

        let mut validators = self.validators.clone();
        let gone = |v: &Validator, list: &[Validator]| list.binary_search_by(|c| c.address.cmp(&v.address)).is_ok();
        validators.retain(|v| !gone(v, &updates) && !gone(v, &removals));
        validators.append(&mut updates);
        self.total_voting_power = sum_powers(&validators)?;
        self.validators = validators;
        self.rescale_and_center();
        self.validators.sort_by(by_voting_power);
        self.hash = merkle::root(self.validators.iter().map(Validator::leaf));
        Ok(())
    }

    /// The total power after the changes, which may at no step exceed the limit when the smallest change goes first.
    ///
    /// Source: `verifyUpdates`.
    fn check_total(&self, updates: &[Validator], removed_power: i128) -> Result<i128, VerifyError> {
        let delta = |u: &Validator| {
            let old = self.get(&u.address).map_or(0, |(_, old)| old.voting_power);
            i128::from(u.voting_power).saturating_sub(i128::from(old))
        };
        let mut deltas: Vec<i128> = updates.iter().map(delta).collect();
        deltas.sort_unstable();
        let mut total = i128::from(self.total_voting_power).saturating_sub(removed_power);
        for d in deltas {
            total = total.saturating_add(d);
            ensure(total <= i128::from(MAX_TOTAL_VOTING_POWER), "validator_updates", too_much_power(), total)?;
        }
        Ok(total)
    }
}

/// The order of a set. Source: `ValidatorsByVotingPower`.
pub fn by_voting_power(a: &Validator, b: &Validator) -> Ordering {
    (Reverse(a.voting_power), &a.address).cmp(&(Reverse(b.voting_power), &b.address))
}

/// Changes as validators with priority zero. Source: tendermint `types/protobuf.go`, `PB2TM.ValidatorUpdates`;
/// `state/execution.go`, `validateValidatorUpdates`.
pub fn from_updates(updates: &[ValidatorUpdate]) -> Result<Vec<Validator>, VerifyError> {
    let one = |(i, u): (usize, &ValidatorUpdate)| {
        let field = |name: &str| format!("validator_updates[{i}].{name}");
        ensure(u.power >= 0, &field("power"), "not negative", u.power)?;
        let key = u.pub_key.as_ed25519();
        let key = key.ok_or_else(|| VerifyError::new(field("pub_key"), "an Ed25519 key", format_args!("{:?}", u.pub_key)))?;
        Ok(Validator::new(&key, u.power))
    };
    updates.iter().enumerate().map(one).collect()
}

/// Updates and removals, each by address. Source: `processChanges`.
fn split_changes(mut changes: Vec<Validator>) -> Result<(Vec<Validator>, Vec<Validator>), VerifyError> {
    changes.sort_by(|a, b| a.address.cmp(&b.address));
    let twice = changes.windows(2).find_map(|w| match w {
        [a, b] if a.address == b.address => Some(&a.address),
        _ => None,
    });
    if let Some(address) = twice {
        return Err(VerifyError::new("validator_updates", "each validator once", format_args!("{} twice", hex::encode(address))));
    }
    for c in &changes {
        let holds = (0..=MAX_TOTAL_VOTING_POWER).contains(&c.voting_power);
        ensure(holds, "validator_updates", too_much_power(), c.voting_power)?;
    }
    Ok(changes.into_iter().partition(|c| c.voting_power != 0))
}

fn too_much_power() -> String {
    format!("a voting power from 0 to {MAX_TOTAL_VOTING_POWER}")
}

/// Source: `ValidatorSet.updateTotalVotingPower`.
fn sum_powers(validators: &[Validator]) -> Result<i64, VerifyError> {
    let sum = validators.iter().fold(0i64, |sum, v| sum.saturating_add(v.voting_power));
    ensure(sum <= MAX_TOTAL_VOTING_POWER, "total_voting_power", too_much_power(), sum)?;
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(powers: &[i64]) -> ValidatorSet {
        let validators = powers.iter().enumerate().map(|(i, p)| Validator::new(&[i as u8; 32], *p)).collect();
        ValidatorSet::new(validators).unwrap()
    }

    #[test]
    fn each_validator_proposes_in_proportion_to_its_power() {
        let mut set = set(&[1, 2, 5]);
        let mut turns = [0; 3];
        for _ in 0..80 {
            let power = set.proposer().unwrap().voting_power;
            turns[[1, 2, 5].iter().position(|p| *p == power).unwrap()] += 1;
            set.increment_proposer_priority(1);
        }
        assert_eq!(turns, [10, 20, 50]);
    }

    #[test]
    fn priorities_stay_centred_and_within_the_window() {
        let mut set = set(&[1, 1, 1000]);
        for i in 0..50 {
            if i % 7 == 0 {
                let power = i64::from(i) + 1;
                set.update_with_change_set(vec![Validator::new(&[9; 32], power)]).unwrap();
            }
            set.increment_proposer_priority(1);
            let sum: i64 = set.validators().iter().map(|v| v.proposer_priority).sum();
            assert!(sum.abs() <= set.validators().len() as i64);
        }
    }

    #[test]
    fn the_last_validators_cannot_be_removed() {
        let mut set = set(&[1, 2]);
        let before = set.clone();
        let removals = (0..2u8).map(|i| Validator::new(&[i; 32], 0)).collect();
        assert!(set.update_with_change_set(removals).is_err());
        assert_eq!(set, before);
    }

    #[test]
    fn only_validators_can_be_removed_and_each_change_comes_once() {
        let mut set = set(&[1, 2]);
        assert!(set.update_with_change_set(vec![Validator::new(&[7; 32], 0)]).is_err());
        assert!(set.update_with_change_set(vec![Validator::new(&[1; 32], 3), Validator::new(&[1; 32], 4)]).is_err());
        assert!(set.update_with_change_set(vec![Validator::new(&[1; 32], MAX_TOTAL_VOTING_POWER)]).is_err());
    }
}
