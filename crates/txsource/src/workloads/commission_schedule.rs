//! Amendments of commission schedules that hold.
//!
//! Source: go/oasis-node/cmd/debug/txsource/workload/commission.go, `doAmendCommissionSchedule`.

use oasis_consensus_types::staking::{CommissionRateBoundStep, CommissionRateStep, CommissionSchedule, CommissionScheduleRules};
use oasis_primitives::{drbg, quantity::Quantity};

use crate::Random;

/// The most intervals of rate changes between two steps.
const INTERVALS: u64 = 10;
/// The smallest and the largest upper bound, of 100,000.
const UPPER_BOUNDS: (u64, u64) = (10, 100_000);

/// The first epoch from `epoch` on at which steps may begin.
fn aligned(epoch: u64, interval: u64) -> u64 {
    epoch.div_ceil(interval.max(1)) * interval.max(1)
}

fn number(quantity: &Quantity) -> u64 {
    quantity.to_u64().unwrap_or(u64::MAX)
}

/// How many more steps there may be, where those before an epoch stay.
fn room(most: u16, starts: impl Iterator<Item = u64>, epoch: u64) -> u64 {
    u64::from(most).saturating_sub(starts.take_while(|start| *start < epoch).count() as u64)
}

/// The bound that holds at an epoch.
fn bound_at(bounds: &[CommissionRateBoundStep], epoch: u64) -> Option<&CommissionRateBoundStep> {
    bounds.iter().take_while(|bound| bound.start <= epoch).last()
}

/// The first bound that no rate satisfies which satisfies all from `current` up to there. Source: `findNextExclusiveBound`.
fn next_exclusive<'a>(bounds: &'a [CommissionRateBoundStep], current: &CommissionRateBoundStep) -> Option<&'a CommissionRateBoundStep> {
    let (mut least, mut most) = (&current.rate_min, &current.rate_max);
    for bound in bounds.iter().filter(|bound| bound.start > current.start) {
        if bound.rate_min > *most || bound.rate_max < *least {
            return Some(bound);
        }
        least = least.max(&bound.rate_min);
        most = most.min(&bound.rate_max);
    }
    None
}

/// A rate within all bounds from `start` to before `end`. Source: `genValidRateStep`.
fn rate(
    random: &mut Random,
    bounds: &[CommissionRateBoundStep],
    first: &CommissionRateBoundStep,
    start: u64,
    end: u64,
) -> Result<Option<CommissionRateStep>, drbg::Error> {
    let (mut least, mut most) = (number(&first.rate_min), number(&first.rate_max));
    for bound in bounds.iter().filter(|bound| bound.start > first.start).take_while(|bound| bound.start < end) {
        least = least.max(number(&bound.rate_min));
        most = most.min(number(&bound.rate_max));
    }
    let Some(width) = most.checked_sub(least) else { return Ok(None) };
    let rate = Quantity::from(random.below_63(width.saturating_add(1))? + least);
    Ok(Some(CommissionRateStep { start, rate }))
}

/// An amendment of a pruned schedule; none where the drawn bounds need more rates than there may be.
pub fn amendment(
    random: &mut Random,
    existing: &CommissionSchedule,
    rules: &CommissionScheduleRules,
    now: u64,
) -> Result<Option<CommissionSchedule>, drbg::Error> {
    let interval = rules.rate_change_interval;
    // The epoch may end before the transaction is in a block.
    let next = now + 2;
    let lead = if existing.bounds.is_empty() { 0 } else { rules.rate_bound_lead };
    let first_bound = aligned(next + lead, interval);
    let count = room(rules.max_bound_steps, existing.bounds.iter().map(|b| b.start), first_bound);
    if count == 0 {
        return Ok(None);
    }
    let mut out = CommissionSchedule::default();
    let mut start = first_bound;
    for _ in 0..random.below(count)? + 1 {
        let most = random.below_63(UPPER_BOUNDS.1 - UPPER_BOUNDS.0 + 1)? + UPPER_BOUNDS.0;
        let least = random.below_63(most + 1)?;
        out.bounds.push(CommissionRateBoundStep { start, rate_min: Quantity::from(least), rate_max: Quantity::from(most) });
        start += (random.below(INTERVALS)? + 1) * interval;
    }
    // All bounds that hold after the amendment.
    let kept = existing.bounds.iter().take_while(|bound| bound.start < first_bound);
    let bounds: Vec<CommissionRateBoundStep> = kept.chain(&out.bounds).cloned().collect();
    let earliest = bounds.first().map_or(first_bound, |bound| bound.start);
    let last = bounds.last().map_or(first_bound, |bound| bound.start);
    let active = existing.bounds.first().is_some_and(|bound| bound.start <= now + 1);
    // The first rate begins with the first bound; later ones must not leave a rate to a bound that it does not satisfy.
    let mut start = if active { aligned(next, interval).min(first_bound) } else { earliest };
    let most = room(rules.max_rate_steps, existing.rates.iter().map(|r| r.start), start);
    if most == 0 {
        return Ok(None);
    }
    let wanted = random.below(most)? + 1;
    let mut more = true;
    while (out.rates.len() as u64) < wanted || more {
        let mut end = start + (random.below(INTERVALS)? + 1) * interval;
        let Some(current) = bound_at(&bounds, start) else { return Ok(None) };
        let exclusive = next_exclusive(&bounds, current);
        more = exclusive.is_some();
        if let Some(bound) = exclusive {
            end = end.min(bound.start);
        } else if out.rates.len() as u64 + 1 >= wanted {
            end = last + 1;
        }
        let Some(step) = rate(random, &bounds, current, start, end)? else { return Ok(None) };
        out.rates.push(step);
        if out.rates.len() as u64 > most {
            return Ok(None);
        }
        start = end;
    }
    Ok(Some(out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amendments_hold_over_many_epochs() {
        let rules = CommissionScheduleRules { rate_change_interval: 10, rate_bound_lead: 30, max_rate_steps: 12, max_bound_steps: 12 };
        let mut random = Random::new(crate::DEFAULT_SEED, "commission").unwrap();
        let mut schedule = CommissionSchedule::default();
        let mut made = 0;
        for epoch in 0..500 {
            schedule.prune(epoch);
            let Some(amendment) = amendment(&mut random, &schedule, &rules, epoch).unwrap() else { continue };
            schedule.amend_and_prune_and_validate(&amendment, &rules, epoch).unwrap();
            made += 1;
        }
        assert!(made > 100, "{made}");
    }
}
