//! Light client verification by what the original says of the same headers.

use anyhow::{Context, Result, bail, ensure};
use oasis_consensus_engine::{
    ValidatorSet,
    light::{LightError, LightRules, TrustLevel, verify, verify_backwards},
    proto::{SignedHeader, Timestamp, ValidatorSetMessage},
};
use prost::Message;
use serde_json::Value;

fn text<'a>(case: &'a Value, key: &str) -> Result<&'a str> {
    case[key].as_str().with_context(|| format!("no {key}"))
}

fn message<M: Message + Default>(case: &Value, key: &str) -> Result<M> {
    Ok(M::decode(hex::decode(text(case, key)?)?.as_slice())?)
}

fn number(case: &Value, key: &str) -> Result<i64> {
    case[key].as_i64().with_context(|| format!("no {key}"))
}

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
    let now = Timestamp { seconds: number(&case["now"], "seconds")?, nanos: number(&case["now"], "nanos")? as i32 };
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
    oasis_test_vectors::for_each("tendermint/light.json.gz", |_, bytes| {
        let cases: Vec<Value> = serde_json::from_slice(bytes)?;
        let mut kinds = std::collections::BTreeSet::new();
        for (i, case) in cases.iter().enumerate() {
            kinds.insert(check(case).with_context(|| format!("case {i}"))?);
        }
        ensure!(kinds.len() == 5, "only {kinds:?} occur");
        Ok(())
    })
}
