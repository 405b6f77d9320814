//! Account keys of mnemonics against the original's published vectors (ADR 0008).

use anyhow::{Context, Result, ensure};
use oasis_primitives::{
    address::Address,
    mnemonic::{self, Bip32Path, ExtendedKey},
    signature::Signer,
};
use serde_json::Value;

fn text<'a>(value: &'a Value, field: &str) -> Result<&'a str> {
    value.get(field).and_then(Value::as_str).with_context(|| format!("field {field}"))
}

#[test]
fn account_generation_vectors_are_met() -> Result<()> {
    oasis_test_vectors::for_each("staking_gen_account_vectors.json.gz", |_, bytes| {
        let vectors: Vec<Value> = serde_json::from_slice(bytes)?;
        ensure!(!vectors.is_empty(), "no vectors");
        for vector in &vectors {
            ensure!(text(vector, "kind")? == "standard account key generation", "unknown kind");
            let seed = mnemonic::seed(text(vector, "bip39_mnemonic")?, text(vector, "bip39_passphrase")?)?;
            ensure!(hex::encode(*seed) == text(vector, "bip39_seed")?, "seed");
            let master = ExtendedKey::master(&*seed)?;
            let accounts = vector.get("oasis_accounts").and_then(Value::as_array).context("accounts")?;
            ensure!(!accounts.is_empty(), "no accounts");
            for account in accounts {
                let path = Bip32Path::parse(text(account, "bip32_path")?).context("path")?;
                let signer = master.descendant(&path)?.signer();
                let private = hex::encode([*signer.seed(), signer.public_key().0].concat());
                ensure!(private == text(account, "private_key")?, "private key of {path}");
                ensure!(hex::encode(signer.public_key()) == text(account, "public_key")?, "public key of {path}");
                ensure!(Address::of_public_key(&signer.public_key()).to_string() == text(account, "address")?, "address of {path}");
            }
        }
        Ok(())
    })
}
