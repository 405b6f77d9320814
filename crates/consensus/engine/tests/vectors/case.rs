//! How the recordings write what the engine works on.

use anyhow::{Context, Result, bail, ensure};
use oasis_consensus_engine::{
    ValidatorSet,
    proto::{self, BlockId, PartSetHeader, Timestamp, Validator, ValidatorSetMessage},
};
use prost::Message;
use serde_json::Value;

/// Gives the recording of that name to a test.
pub fn read(name: &str, test: impl Fn(&Value) -> Result<()>) -> Result<()> {
    oasis_test_vectors::for_each(&format!("tendermint/{name}.json.gz"), |_, bytes| test(&serde_json::from_slice(bytes)?))
}

/// Calls `check` with every item of a list, of which there must be so many, and gives what it found.
pub fn each<T>(list: &Value, count: usize, mut check: impl FnMut(&Value) -> Result<T>) -> Result<Vec<T>> {
    let cases = items(list)?;
    ensure!(cases.len() == count, "{} cases instead of {count}", cases.len());
    cases.iter().enumerate().map(|(i, case)| check(case).with_context(|| format!("case {i}"))).collect()
}

/// The items of a list; Go writes an empty one as null.
pub fn items(list: &Value) -> Result<&[Value]> {
    match list {
        Value::Null => Ok(&[]),
        other => other.as_array().map(Vec::as_slice).context("no list"),
    }
}

pub fn text<'a>(case: &'a Value, key: &str) -> Result<&'a str> {
    case[key].as_str().with_context(|| format!("no text {key}"))
}

pub fn number(case: &Value, key: &str) -> Result<i64> {
    case[key].as_i64().with_context(|| format!("no number {key}"))
}

pub fn small(case: &Value, key: &str) -> Result<i32> {
    Ok(number(case, key)?.try_into()?)
}

pub fn bytes(case: &Value, key: &str) -> Result<Vec<u8>> {
    hex::decode(text(case, key)?).with_context(|| key.to_owned())
}

pub fn array<const N: usize>(case: &Value, key: &str) -> Result<[u8; N]> {
    bytes(case, key)?.try_into().ok().with_context(|| format!("{key} is not of {N} bytes"))
}

/// A message in the original's encoding, which is ours, too.
pub fn message<M: Message + Default>(case: &Value, key: &str) -> Result<M> {
    proto::decode(&bytes(case, key)?).with_context(|| key.to_owned())
}

pub fn time(case: &Value) -> Result<Timestamp> {
    Ok(Timestamp { seconds: number(case, "seconds")?, nanos: small(case, "nanos")? })
}

pub fn block_id(case: &Value) -> Result<BlockId> {
    let total = number(case, "parts_total")?.try_into()?;
    Ok(BlockId { hash: bytes(case, "hash")?, part_set_header: PartSetHeader { total, hash: bytes(case, "parts_hash")? } })
}

/// A key and a power, and the priority if there is one.
pub fn validator(item: &Value) -> Result<Validator> {
    let fields = items(item)?;
    let (Some(key), Some(power)) = (fields.first().and_then(Value::as_str), fields.get(1).and_then(Value::as_i64)) else {
        bail!("a validator as {item}");
    };
    let key: [u8; 32] = hex::decode(key)?.try_into().ok().context("key")?;
    let proposer_priority = fields.get(2).map_or(Some(0), Value::as_i64).context("priority")?;
    Ok(Validator { proposer_priority, ..Validator::new(&key, power) })
}

pub fn validators(list: &Value) -> Result<Vec<Validator>> {
    items(list)?.iter().map(validator).collect()
}

/// A set in the recorded order. Who proposes is not recorded with it.
pub fn validator_set(list: &Value) -> Result<ValidatorSet> {
    let validators = validators(list)?;
    let proposer = validators.first().cloned();
    Ok(ValidatorSet::from_message(ValidatorSetMessage { validators, proposer, total_voting_power: 0 })?)
}

/// Checks that we refuse where the original gave an error.
pub fn same_verdict<T: std::fmt::Debug, E: std::fmt::Debug>(case: &Value, key: &str, ours: &Result<T, E>) -> Result<()> {
    let theirs = case.get(key).with_context(|| format!("no {key}"))?;
    ensure!(ours.is_ok() == theirs.is_null(), "{key}: expected {theirs}, found {ours:?}");
    Ok(())
}

/// Checks that bytes are as recorded.
pub fn same_bytes(case: &Value, key: &str, ours: impl AsRef<[u8]>) -> Result<()> {
    let (theirs, ours) = (text(case, key)?, hex::encode(ours));
    ensure!(theirs == ours, "{key}: expected {theirs}, found {ours}");
    Ok(())
}
