//! Who proposes, and how sets of validators change.

use anyhow::{Context, Result, ensure};
use oasis_consensus_engine::{
    ValidatorSet,
    proto::{Validator, ValidatorSetMessage},
};
use prost::Message;
use serde_json::Value;

use crate::case::{each, items, message, number, read, same_bytes, same_verdict, validators};

fn same(set: &ValidatorSet, list: &Value, case: &Value, proposer: &str) -> Result<()> {
    let plain = |v: &Validator| (hex::encode(v.key().unwrap_or_default()), v.voting_power, v.proposer_priority);
    let (ours, theirs) = (set.validators().iter().map(plain), validators(list)?);
    ensure!(ours.clone().eq(theirs.iter().map(plain)), "expected {:?}, found {:?}", theirs, ours.collect::<Vec<_>>());
    same_bytes(case, proposer, set.proposer().context("no proposer")?.key()?)?;
    same_bytes(case, "hash", set.hash())
}

#[test]
fn priorities_and_changes_of_the_vectors_are_those_of_the_original() -> Result<()> {
    read("proposers", |runs| {
        let refused = each(runs, 60, |run| {
            let mut set = ValidatorSet::new(validators(&run["given"])?)?;
            same(&set, &run["initial"], run, "initial_proposer")?;
            ensure!(set.total_voting_power() == number(run, "total")?);
            let mut refused = 0;
            for (i, step) in items(&run["steps"])?.iter().enumerate() {
                let checked = if step.get("changes").is_some() {
                    let outcome = set.update_with_change_set(validators(&step["changes"])?);
                    refused += usize::from(outcome.is_err());
                    same_verdict(step, "error", &outcome)
                } else {
                    set.increment_proposer_priority(number(step, "increment")?.try_into()?);
                    Ok(())
                };
                checked.and_then(|()| same(&set, &step["validators"], step, "proposer")).with_context(|| format!("step {i}"))?;
            }
            let written = set.to_message();
            if run["steps"].as_array().and_then(|s| s.last()).is_some_and(|last| last.get("increment").is_some()) {
                same_bytes(run, "final_proto", written.encode_to_vec())?;
            } else {
                // Right after a change the original's proposer still is the one in the list, and has the priority of now; a node
                // chooses a proposer before it writes a set.
                let theirs: ValidatorSetMessage = message(run, "final_proto")?;
                let now = set.get(&theirs.proposer.clone().unwrap_or_default().address).map(|(_, v)| v.clone());
                ensure!(theirs == ValidatorSetMessage { proposer: now.or(written.proposer.clone()), ..written });
            }
            Ok(refused)
        })?;
        ensure!(refused.iter().sum::<usize>() == 82, "{refused:?}");
        Ok(())
    })
}
