//! Light client verification by what the original says of the same headers.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail, ensure};
use oasis_consensus_engine::{
    ValidatorSet,
    light::{LightError, LightRules, TrustLevel, verify, verify_backwards},
    proto::{SignedHeader, ValidatorSetMessage},
};
use serde_json::Value;

use crate::case::{each, message, number, read, text, time};

fn kind(outcome: &Result<(), LightError>) -> &'static str {
    match outcome {
        Ok(()) => "",
        Err(LightError::Expired { .. }) => "expired",
        Err(LightError::Invalid(_)) => "invalid",
        Err(LightError::CannotBeTrusted(_)) => "cannot_be_trusted",
        Err(_) => "other",
    }
}

fn check(case: &Value) -> Result<&'static str> {
    let trusted: SignedHeader = message(case, "trusted")?;
    let untrusted: SignedHeader = message(case, "untrusted")?;
    let trusted_validators: ValidatorSetMessage = message(case, "trusted_validators")?;
    let validators: ValidatorSetMessage = message(case, "untrusted_validators")?;
    let level = match text(case, "trust_level")?.split_once('/') {
        Some((n, d)) => TrustLevel { numerator: n.parse()?, denominator: d.parse()? },
        None => bail!("trust level"),
    };
    let rules = LightRules {
        max_clock_drift: number(case, "max_clock_drift_seconds")? * 1_000_000_000,
        trust_level: level,
        ..LightRules::new(number(case, "trusting_period_seconds")? * 1_000_000_000)
    };
    let now = time(&case["now"])?;
    let (trusted, untrusted_header) = (trusted.header.context("header")?, untrusted.header.context("header")?);
    let outcome = verify(
        &rules,
        now,
        &trusted,
        &ValidatorSet::from_message(trusted_validators)?,
        (&untrusted_header, &untrusted.commit.context("commit")?),
        &ValidatorSet::from_message(validators)?,
    );
    ensure!(kind(&outcome) == text(case, "kind")?, "expected {} ({}), found {outcome:?}", case["kind"], case["error"]);
    let backwards = verify_backwards(&trusted, &untrusted_header);
    ensure!(backwards.is_ok() == case["backwards_error"].is_null(), "backwards: expected {}, found {backwards:?}", case["backwards_error"]);
    Ok(kind(&outcome))
}

#[test]
fn headers_of_the_vectors_are_trusted_where_the_original_trusts_them() -> Result<()> {
    read("light", |cases| {
        let kinds: BTreeSet<_> = each(cases, 160, check)?.into_iter().collect();
        ensure!(kinds.len() == 5, "only {kinds:?} occur");
        Ok(())
    })
}
