//! Commits against sets of validators.

use anyhow::{Result, ensure};
use oasis_consensus_engine::{
    CommitTarget, SignatureCheck, VerifyError, evidence_pool::verify_signatures, light::TrustLevel, proto::Commit,
};

use crate::case::{block_id, each, message, number, read, same_bytes, same_verdict, text, validator_set};

/// What the original says after it verified the signatures as well.
fn verified(checks: Result<Vec<SignatureCheck>, VerifyError>) -> Result<(), VerifyError> {
    verify_signatures(&checks?)
}

#[test]
fn commits_of_the_vectors_are_accepted_where_the_original_accepts_them() -> Result<()> {
    read("commits", |cases| {
        let accepted = each(cases, 90, |case| {
            let commit: Commit = message(case, "commit")?;
            same_bytes(case, "commit_hash", commit.hash())?;
            same_verdict(case, "valid_basic", &commit.check_basic())?;
            let (set, trusting) = (validator_set(&case["validators"])?, validator_set(&case["trusting_validators"])?);
            let block_id = block_id(&case["block_id"])?;
            let chain_id = text(case, "chain_id")?;
            let target = CommitTarget { chain_id, block_id: &block_id, height: number(case, "height")?, field: "signatures" };
            let whole = verified(set.verify_commit(target, &commit));
            same_verdict(case, "verify_commit", &whole)?;
            let light = verified(set.verify_commit_light(target, &commit));
            same_verdict(case, "verify_commit_light", &light)?;
            let trusted = |numerator| {
                let level = TrustLevel { numerator, denominator: 3 };
                verified(trusting.verify_commit_light_trusting(target, &commit, level))
            };
            same_verdict(case, "verify_trusting_1_3", &trusted(1))?;
            same_verdict(case, "verify_trusting_2_3", &trusted(2))?;
            Ok([whole.is_ok(), light.is_ok(), trusted(1).is_ok(), trusted(2).is_ok()])
        })?;
        for way in 0..4 {
            let count = accepted.iter().filter(|a| a[way]).count();
            ensure!((10..=80).contains(&count), "verification {way} accepts {count} of 90");
        }
        Ok(())
    })
}
