//! What the tests of recorded cryptography share.
#![allow(dead_code, reason = "each test file uses its part")]

use anyhow::{Context, Result, bail};
use oasis_primitives::cbor::{self, Value};

/// Kinds of `misc-crypto.cbor.gz` that `misc_crypto_vectors.rs` checks.
pub const BASIC_KINDS: [&str; 24] = [
    "address-bech32-decode",
    "address-generic",
    "address-reserved",
    "address-runtime",
    "address-staking",
    "adr0008-account",
    "bip32-path",
    "box-open",
    "box-open-wrong-key",
    "box-seal",
    "deoxysii-key-length",
    "deoxysii-open",
    "deoxysii-seal",
    "hash-empty",
    "hash-from-bytes",
    "hash-from-value",
    "hash-text",
    "hash-truncate",
    "hmac-drbg-sha512-256",
    "mrae-generate-key-pair",
    "namespace-binary",
    "namespace-text",
    "public-key-text",
    "slip10",
];

/// Further kinds of `misc_crypto_vectors.rs`.
pub const MORE_BASIC_KINDS: [&str; 2] = ["test-namespace-from-seed", "x25519"];

/// Kinds that `pvss_vectors.rs` checks.
pub const PVSS_KINDS: [&str; 11] = [
    "kyber-p256-pick",
    "pvss-commit-check",
    "pvss-commit-twice",
    "pvss-config",
    "pvss-partial",
    "pvss-point-decode",
    "pvss-reveal-check",
    "pvss-round",
    "pvss-round-forged-reveals",
    "pvss-scalar-decode",
    "pvss-tx-body",
];

/// Kinds that `sgx_vectors.rs` checks.
pub const SGX_KINDS: [&str; 11] = [
    "sgx-avr-body",
    "sgx-avr-signed",
    "sgx-capability-tee",
    "sgx-enclave-identity-hex",
    "sgx-enclave-identity-text",
    "sgx-fortanix-dummy-mrsigner",
    "sgx-mrenclave-from-sgxs",
    "sgx-mrsigner-from-modulus",
    "sgx-quote",
    "sgx-rak-hash",
    "sgx-sigstruct",
];

/// Calls `check` with every item of a vector file and fails with the list of those that differ, or where there are none.
pub fn for_each_item(file: &str, mut check: impl FnMut(&Item) -> Result<()>) -> Result<()> {
    oasis_test_vectors::for_each(file, |_, bytes| {
        let items: Vec<Value> = cbor::sequence_from_slice(bytes)?;
        if items.is_empty() {
            bail!("no items");
        }
        let mut failures = Vec::new();
        for (i, item) in items.iter().enumerate() {
            let item = Item(item);
            if let Err(e) = check(&item) {
                failures.push(format!("item {i}, {} ({}): {e:#}", item.text("kind")?, item.text("comment").unwrap_or_default()));
            }
        }
        if !failures.is_empty() {
            failures.truncate(20);
            bail!("items differ:\n{}", failures.join("\n"));
        }
        Ok(())
    })
}

/// A recorded item.
pub struct Item<'a>(pub &'a Value);

impl<'a> Item<'a> {
    fn field(&self, name: &str) -> Result<&'a Value> {
        self.0.get(name).with_context(|| format!("no field {name}"))
    }

    /// A byte string; empty where null.
    pub fn bytes(&self, name: &str) -> Result<&'a [u8]> {
        bytes(self.field(name)?)
    }

    /// A byte string of fixed length.
    pub fn array<const N: usize>(&self, name: &str) -> Result<[u8; N]> {
        Ok(self.bytes(name)?.try_into()?)
    }

    /// A text.
    pub fn text(&self, name: &str) -> Result<&'a str> {
        match self.field(name)? {
            Value::Text(text) => Ok(text),
            other => bail!("field {name}: {other:?}"),
        }
    }

    /// A flag; false where missing.
    pub fn flag(&self, name: &str) -> bool {
        self.0.get(name) == Some(&Value::Bool(true))
    }

    /// A number.
    pub fn number(&self, name: &str) -> Result<i128> {
        number(self.field(name)?)
    }

    /// The items of an array; none where null or missing.
    pub fn list(&self, name: &str) -> Result<&'a [Value]> {
        match self.0.get(name) {
            Some(Value::Array(items)) => Ok(items),
            Some(Value::Null) | None => Ok(&[]),
            Some(other) => bail!("field {name}: {other:?}"),
        }
    }

    /// Byte strings in an array.
    pub fn byte_list(&self, name: &str) -> Result<Vec<&'a [u8]>> {
        self.list(name)?.iter().map(bytes).collect()
    }

    /// Numbers in an array.
    pub fn number_list(&self, name: &str) -> Result<Vec<i128>> {
        self.list(name)?.iter().map(number).collect()
    }

    /// Flags in an array.
    pub fn flag_list(&self, name: &str) -> Result<Vec<bool>> {
        Ok(self.list(name)?.iter().map(|v| *v == Value::Bool(true)).collect())
    }
}

fn bytes(value: &Value) -> Result<&[u8]> {
    match value {
        Value::Bytes(bytes) => Ok(bytes),
        Value::Null => Ok(&[]),
        other => bail!("not bytes: {other:?}"),
    }
}

fn number(value: &Value) -> Result<i128> {
    match value {
        Value::Uint(n) => Ok(i128::from(*n)),
        Value::Negative(n) => Ok(-1 - i128::from(*n)),
        other => bail!("not a number: {other:?}"),
    }
}
