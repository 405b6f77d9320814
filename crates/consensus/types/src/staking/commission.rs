//! Commission on rewards: rates, their bounds, and how both may change.
//!
//! Source: go/staking/api/commission.go.

use oasis_primitives::{cbor::Cbor, json::Json, quantity::Quantity};

use super::EpochTime;
use crate::errors::CodedError;

/// Rates are in thousandths of a percent: this many are the whole.
pub const COMMISSION_RATE_DENOMINATOR: u64 = 100_000;

/// How commission schedules may change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct CommissionScheduleRules {
    /// Rates and bounds start at multiples of this many epochs.
    #[cbor(omitempty)]
    pub rate_change_interval: EpochTime,
    /// Epochs by which a change of bounds is announced.
    #[cbor(omitempty)]
    pub rate_bound_lead: EpochTime,
    /// Most rate steps of a schedule.
    #[cbor(omitempty)]
    pub max_rate_steps: u16,
    /// Most bound steps of a schedule.
    #[cbor(omitempty)]
    pub max_bound_steps: u16,
}

/// A rate and when it starts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct CommissionRateStep {
    /// First epoch.
    #[cbor(omitempty)]
    pub start: EpochTime,
    /// Rate in thousandths of a percent.
    #[cbor(omitempty)]
    pub rate: Quantity,
}

/// Bounds of the rate and when they start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct CommissionRateBoundStep {
    /// First epoch.
    #[cbor(omitempty)]
    pub start: EpochTime,
    /// Least rate in thousandths of a percent.
    #[cbor(omitempty)]
    pub rate_min: Quantity,
    /// Greatest rate in thousandths of a percent.
    #[cbor(omitempty)]
    pub rate_max: Quantity,
}

/// Rates and bounds, each in the order of their starts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct CommissionSchedule {
    /// Rates.
    #[cbor(omitempty)]
    pub rates: Vec<CommissionRateStep>,
    /// Bounds.
    #[cbor(omitempty)]
    pub bounds: Vec<CommissionRateBoundStep>,
}

/// Splits a reward into the commission, rounded down, and the rest; without a rate there is no commission.
///
/// Source: go/consensus/tendermint/apps/staking/state/state.go, `AddRewards`. Fails for a rate above the whole, which no
/// validated schedule has.
pub fn take_commission(reward: &Quantity, rate: Option<&Quantity>) -> Result<(Quantity, Quantity), CodedError> {
    let Some(rate) = rate else { return Ok((Quantity::ZERO, reward.clone())) };
    let commission = reward.times(rate).checked_div(&Quantity::from(COMMISSION_RATE_DENOMINATOR)).unwrap_or_default();
    let rest = reward.checked_sub(&commission).ok_or_else(super::insufficient)?;
    Ok((commission, rest))
}

fn failed(message: String) -> CodedError {
    CodedError::unknown(message)
}

/// Whether `start` is one of the epochs at which changes may start.
///
/// The original divides by the interval; for an interval of zero it stops the node, here every step is refused.
fn check_aligned(what: &str, index: usize, start: EpochTime, rules: &CommissionScheduleRules) -> Result<(), CodedError> {
    if start.checked_rem(rules.rate_change_interval) != Some(0) {
        return Err(failed(format!(
            "{what} step {index} start epoch {start} not aligned with commission rate change interval {}",
            rules.rate_change_interval
        )));
    }
    Ok(())
}

fn check_ascending(what: &str, index: usize, start: EpochTime, previous: Option<EpochTime>) -> Result<(), CodedError> {
    match previous {
        Some(previous) if start <= previous => {
            Err(failed(format!("{what} step {index} start epoch {start} not after previous step start epoch {previous}")))
        }
        _ => Ok(()),
    }
}

fn check_rate(what: &str, index: usize, name: &str, rate: &Quantity) -> Result<(), CodedError> {
    if *rate > Quantity::from(COMMISSION_RATE_DENOMINATOR) {
        return Err(failed(format!("{what} step {index} {name} {rate}/{COMMISSION_RATE_DENOMINATOR} over unity")));
    }
    Ok(())
}

/// Drops the steps before the one in force.
fn prune<T>(steps: &mut Vec<T>, now: EpochTime, start: impl Fn(&T) -> EpochTime) {
    let started = steps.iter().skip(1).take_while(|step| start(step) <= now).count();
    steps.drain(..started);
}

/// Replaces the steps from the first new one on.
fn splice<T: Clone>(steps: &mut Vec<T>, new: &[T], start: impl Fn(&T) -> EpochTime) {
    if let Some(first) = new.first() {
        let kept = steps.iter().take_while(|step| start(step) < start(first)).count();
        steps.truncate(kept);
        steps.extend_from_slice(new);
    }
}

impl CommissionSchedule {
    /// Source: go/staking/api/commission.go, `validateComplexity`.
    fn validate_complexity(&self, rules: &CommissionScheduleRules) -> Result<(), CodedError> {
        if self.rates.len() > usize::from(rules.max_rate_steps) {
            return Err(failed(format!("rate schedule {} steps exceeds maximum {}", self.rates.len(), rules.max_rate_steps)));
        }
        if self.bounds.len() > usize::from(rules.max_bound_steps) {
            return Err(failed(format!("bound schedule {} steps exceeds maximum {}", self.bounds.len(), rules.max_bound_steps)));
        }
        Ok(())
    }

    /// Source: go/staking/api/commission.go, `validateNondegenerate`.
    fn validate_nondegenerate(&self, rules: &CommissionScheduleRules) -> Result<(), CodedError> {
        let mut previous = None;
        for (i, step) in self.rates.iter().enumerate() {
            check_aligned("rate", i, step.start, rules)?;
            check_ascending("rate", i, step.start, previous)?;
            check_rate("rate", i, "rate", &step.rate)?;
            previous = Some(step.start);
        }
        let mut previous = None;
        for (i, step) in self.bounds.iter().enumerate() {
            check_aligned("bound", i, step.start, rules)?;
            check_ascending("bound", i, step.start, previous)?;
            check_rate("bound", i, "minimum rate", &step.rate_min)?;
            check_rate("bound", i, "maximum rate", &step.rate_max)?;
            if step.rate_max < step.rate_min {
                return Err(failed(format!(
                    "bound step {i} maximum rate {}/{COMMISSION_RATE_DENOMINATOR} less than minimum rate {}/{COMMISSION_RATE_DENOMINATOR}",
                    step.rate_max, step.rate_min
                )));
            }
            previous = Some(step.start);
        }
        Ok(())
    }

    /// Whether an amendment comes early enough; the first bounds of an account need no lead.
    ///
    /// Source: go/staking/api/commission.go, `validateAmendmentAcceptable`.
    fn validate_amendment_acceptable(&self, rules: &CommissionScheduleRules, now: EpochTime, initial: bool) -> Result<(), CodedError> {
        if let Some(first) = self.rates.first()
            && first.start <= now
        {
            return Err(failed(format!("rate schedule with start epoch {} must not alter rate on or before {now}", first.start)));
        }
        if let Some(first) = self.bounds.first() {
            let lead = if initial { 0 } else { rules.rate_bound_lead };
            // The original's sum wraps.
            let earliest = now.wrapping_add(1).wrapping_add(lead);
            if first.start < earliest {
                return Err(failed(format!("bound schedule with start epoch {} must not alter before {earliest}", first.start)));
            }
        }
        Ok(())
    }

    /// Drops the steps before those in force.
    ///
    /// Source: go/staking/api/commission.go, `Prune`.
    pub fn prune(&mut self, now: EpochTime) {
        prune(&mut self.rates, now, |s| s.start);
        prune(&mut self.bounds, now, |s| s.start);
    }

    /// Source: go/staking/api/commission.go, `amend`.
    fn amend(&mut self, amendment: &Self) {
        splice(&mut self.rates, &amendment.rates, |s| s.start);
        splice(&mut self.bounds, &amendment.bounds, |s| s.start);
    }

    /// Whether every rate is within the bounds in force at its time.
    ///
    /// Source: go/staking/api/commission.go, `validateWithinBound`.
    fn validate_within_bound(&self, now: EpochTime) -> Result<(), CodedError> {
        if self.rates.is_empty() && self.bounds.is_empty() {
            return Ok(());
        }
        let (mut rates, mut bounds) = (self.rates.iter().enumerate().peekable(), self.bounds.iter().enumerate().peekable());
        let (mut rate_index, mut rate) = rates.next().ok_or_else(|| CodedError::unknown("rates missing"))?;
        let (mut bound_index, mut bound) = bounds.next().ok_or_else(|| CodedError::unknown("bounds missing"))?;
        // Steps in force may have started apart, with older ones pruned; future ones must start together.
        if (rate.start > now || bound.start > now) && rate.start != bound.start {
            return Err(failed(format!(
                "rate schedule start epoch {} and bound schedule start epoch {} don't match",
                rate.start, bound.start
            )));
        }
        let mut at = rate.start.max(bound.start).max(now);
        loop {
            let outside = if rate.rate < bound.rate_min {
                Some(("less than minimum", &bound.rate_min))
            } else {
                (rate.rate > bound.rate_max).then_some(("greater than maximum", &bound.rate_max))
            };
            if let Some((how, limit)) = outside {
                let whole = COMMISSION_RATE_DENOMINATOR;
                return Err(failed(format!(
                    "rate {}/{whole} from rate step {rate_index} {how} rate {limit}/{whole} from bound step {bound_index} at epoch {at}",
                    rate.rate
                )));
            }
            let next_rate = rates.peek().map(|(_, s)| s.start);
            let next_bound = bounds.peek().map(|(_, s)| s.start);
            let (step_rate, step_bound) = match (next_rate, next_bound) {
                (None, None) => return Ok(()),
                (Some(_), None) => (true, false),
                (None, Some(_)) => (false, true),
                (Some(r), Some(b)) => (r <= b, b <= r),
            };
            if let Some((index, next)) = rates.next_if(|_| step_rate) {
                (rate_index, rate, at) = (index, next, next.start);
            }
            if let Some((index, next)) = bounds.next_if(|_| step_bound) {
                (bound_index, bound, at) = (index, next, next.start);
            }
        }
    }

    /// Checks a schedule of the genesis document and drops its past steps.
    ///
    /// Source: go/staking/api/commission.go, `PruneAndValidateForGenesis`.
    pub fn prune_and_validate_for_genesis(&mut self, rules: &CommissionScheduleRules, now: EpochTime) -> Result<(), CodedError> {
        self.validate_complexity(rules)?;
        self.validate_nondegenerate(rules)?;
        self.prune(now);
        self.validate_within_bound(now).map_err(|e| e.within("after pruning"))
    }

    /// Applies an amendment and drops past steps; after a failure the schedule may be changed already.
    ///
    /// Source: go/staking/api/commission.go, `AmendAndPruneAndValidate`.
    pub fn amend_and_prune_and_validate(
        &mut self,
        amendment: &Self,
        rules: &CommissionScheduleRules,
        now: EpochTime,
    ) -> Result<(), CodedError> {
        amendment
            .validate_complexity(rules)
            .and_then(|()| amendment.validate_nondegenerate(rules))
            .and_then(|()| amendment.validate_amendment_acceptable(rules, now, self.bounds.is_empty()))
            .map_err(|e| e.within("amendment"))?;
        self.prune(now);
        self.amend(amendment);
        self.validate_complexity(rules).and_then(|()| self.validate_within_bound(now)).map_err(|e| e.within("after pruning and amending"))
    }

    /// The rate in force; none where no step has started.
    ///
    /// Source: go/staking/api/commission.go, `CurrentRate`.
    pub fn current_rate(&self, now: EpochTime) -> Option<&Quantity> {
        self.rates.iter().take_while(|step| step.start <= now).last().map(|step| &step.rate)
    }
}
