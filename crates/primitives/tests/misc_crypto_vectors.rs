//! Boxes, hashes, addresses and key derivation against what the original made of the same inputs.

mod common;

use std::collections::BTreeSet;

use anyhow::{Result, bail, ensure};
use common::{BASIC_KINDS, Item, MORE_BASIC_KINDS, PVSS_KINDS, SGX_KINDS};
use oasis_primitives::{
    address::Address,
    cbor,
    drbg::{self, HmacDrbg},
    hash::Hash,
    mnemonic::{self, Bip32Path, ExtendedKey},
    mrae::{self, PrivateKey},
    namespace::Namespace,
    signature::{PublicKey, Signer},
};

fn basic_kinds() -> impl Iterator<Item = &'static str> {
    BASIC_KINDS.into_iter().chain(MORE_BASIC_KINDS)
}

#[test]
fn misc_crypto_vectors_are_met() -> Result<()> {
    common::for_each_item("misc-crypto.cbor.gz", |item| {
        let kind = item.text("kind")?;
        if basic_kinds().any(|known| known == kind) { check(kind, item) } else { Ok(()) }
    })
}

#[test]
fn misc_crypto_vectors_are_of_kinds_that_some_test_knows() -> Result<()> {
    let known: BTreeSet<&str> = basic_kinds().chain(PVSS_KINDS).chain(SGX_KINDS).collect();
    let mut seen = BTreeSet::new();
    common::for_each_item("misc-crypto.cbor.gz", |item| {
        let kind = item.text("kind")?;
        seen.insert(kind.to_owned());
        ensure!(known.contains(kind), "no test knows this kind");
        Ok(())
    })?;
    let missing: Vec<_> = known.iter().filter(|kind| !seen.contains(**kind)).collect();
    ensure!(missing.is_empty(), "no items of {missing:?}");
    Ok(())
}

fn check(kind: &str, item: &Item<'_>) -> Result<()> {
    match kind {
        _ if kind.starts_with("deoxysii") || kind.starts_with("box") => check_box(kind, item),
        _ if kind.starts_with("hash") => check_hash(kind, item),
        _ if kind.starts_with("address") => check_address(kind, item),
        "adr0008-account" | "bip32-path" | "slip10" => check_derivation(kind, item),
        _ => check_other(kind, item),
    }
}

fn check_box(kind: &str, item: &Item<'_>) -> Result<()> {
    let ok = item.flag("ok");
    if kind == "deoxysii-key-length" {
        ensure!((item.number("length")? == mrae::KEY_SIZE as i128) == ok, "length of keys");
        return Ok(());
    }
    let (nonce, ad) = (item.array("nonce")?, item.bytes("ad")?);
    let key = match kind {
        "deoxysii-seal" | "deoxysii-open" => item.array("key")?,
        "box-seal" | "box-open" => *PrivateKey::new(item.array("private_key")?).symmetric_key(&item.array("peer_public_key")?),
        // The private key is not recorded: any is a wrong one.
        "box-open-wrong-key" => *PrivateKey::new([7; 32]).symmetric_key(&item.array("peer_public_key")?),
        _ => bail!("unknown kind"),
    };
    let opened = mrae::open(&key, &nonce, item.bytes("ciphertext")?, ad);
    if !ok {
        ensure!(opened == Err(mrae::Error::Open), "opened");
        return Ok(());
    }
    ensure!(opened? == item.bytes("plaintext")?, "plaintext");
    ensure!(mrae::seal(&key, &nonce, item.bytes("plaintext")?, ad)? == item.bytes("ciphertext")?, "ciphertext");
    Ok(())
}

fn check_hash(kind: &str, item: &Item<'_>) -> Result<()> {
    let ok = item.flag("ok");
    match kind {
        "hash-empty" => ensure!(Hash::empty().0 == item.bytes("hash")? && Hash::of(&[]).is_empty(), "hash of nothing"),
        "hash-from-bytes" => {
            let hash = Hash::of_parts(&item.byte_list("parts")?);
            ensure!(hash.0 == item.bytes("hash")? && hash.to_string() == item.text("hex")?, "hash");
            ensure!(hash.is_empty() == item.flag("is_empty"), "emptiness");
        }
        "hash-from-value" => {
            let value: cbor::Value = cbor::from_slice(item.bytes("cbor")?)?;
            ensure!(Hash::of_cbor(&value).0 == item.bytes("hash")?, "hash");
        }
        "hash-truncate" => {
            let hash = Hash(item.array("hash")?);
            let out = usize::try_from(item.number("n")?).ok().and_then(|n| hash.truncate(n));
            ensure!(out == ok.then_some(item.bytes("out")?), "truncated: {out:?}");
        }
        "hash-text" => {
            let hash = Hash::from_text(item.text("text")?);
            ensure!(hash.is_some() == ok, "got {hash:?}");
            ensure!(hash.is_none_or(|hash| Some(&hash.0[..]) == item.bytes("hash").ok()), "hash");
        }
        _ => bail!("unknown kind"),
    }
    Ok(())
}

fn check_address(kind: &str, item: &Item<'_>) -> Result<()> {
    let expected = Address(item.array("address")?);
    match kind {
        "address-generic" => {
            let version = u8::try_from(item.number("context_version")?)?;
            ensure!(Address::derive(item.text("context_identifier")?, version, item.bytes("data")?) == expected, "address");
            return Ok(());
        }
        "address-bech32-decode" => {
            let got = Address::from_bech32(item.text("text")?);
            ensure!(got == item.flag("ok").then_some(expected), "got {got:?}");
            return Ok(());
        }
        "address-staking" => ensure!(Address::of_public_key(&PublicKey(item.array("public_key")?)) == expected, "address"),
        "address-runtime" => ensure!(Address::of_runtime(&Namespace(item.array("runtime_id")?)) == expected, "address"),
        "address-reserved" => {
            let address = match item.text("name")? {
                "common_pool" => Address::COMMON_POOL,
                "fee_accumulator" => Address::FEE_ACCUMULATOR,
                "governance_deposits" => Address::GOVERNANCE_DEPOSITS,
                other => bail!("unknown reserved address {other}"),
            };
            ensure!(address == expected, "address");
            ensure!(address.is_reserved() == item.flag("is_reserved") && address.is_valid() == item.flag("is_valid"), "reservation");
        }
        _ => bail!("unknown kind"),
    }
    ensure!(expected.to_string() == item.text("bech32")?, "text {expected}");
    Ok(())
}

fn check_derivation(kind: &str, item: &Item<'_>) -> Result<()> {
    let ok = item.flag("ok");
    match kind {
        "adr0008-account" => {
            let number = u32::try_from(item.number("number")?)?;
            let got = mnemonic::account_signer(item.text("mnemonic")?, item.text("passphrase")?, number);
            ensure!(got.is_ok() == ok, "got {got:?}");
            if let Ok((signer, path)) = got {
                ensure!(signer.public_key().0 == item.bytes("public_key")?, "public key");
                // Those made of unusual texts were recorded with the public key alone.
                if item.0.get("path").is_some() {
                    ensure!(signer.seed() == item.bytes("private_key_seed")?, "private key");
                    ensure!(path.to_string() == item.text("path")?, "path {path}");
                    ensure!(Address::of_public_key(&signer.public_key()).to_string() == item.text("address")?, "address");
                }
            }
        }
        "bip32-path" => {
            let path = Bip32Path::parse(item.text("text")?);
            ensure!(path.is_some() == ok, "got {path:?}");
            if let Some(path) = path {
                ensure!(path.0.iter().map(|i| i128::from(*i)).eq(item.number_list("path")?), "indices");
                ensure!(path.to_string() == item.text("canonical")?, "text {path}");
            }
        }
        "slip10" => {
            let master = ExtendedKey::master(item.bytes("seed")?);
            ensure!(master.is_ok() == ok, "got {master:?}");
            let Ok(master) = master else { return Ok(()) };
            ensure!(*master.seed == item.bytes("private_key_seed")?, "master key");
            ensure!(master.child(mnemonic::HARDENED - 1).is_err(), "child that is not hardened");
            let (seeds, codes) = (item.byte_list("child_seeds")?, item.byte_list("child_chain_codes")?);
            let indices = item.number_list("indices")?;
            ensure!(!indices.is_empty() && indices.len() == seeds.len() && indices.len() == codes.len(), "lengths");
            let mut key = master.clone();
            for ((index, seed), code) in indices.iter().zip(seeds).zip(codes) {
                key = key.child(u32::try_from(*index)?)?;
                ensure!(*key.seed == seed && *key.chain_code == code, "child {index}");
            }
            // The recorder wrote the last child's chain code under the master's name.
            let code = item.bytes("chain_code")?;
            ensure!(*master.chain_code == code || *key.chain_code == code, "chain code");
        }
        _ => bail!("unknown kind"),
    }
    Ok(())
}

fn check_other(kind: &str, item: &Item<'_>) -> Result<()> {
    let ok = item.flag("ok");
    match kind {
        "mrae-generate-key-pair" => {
            let key = PrivateKey::from_entropy(&item.array("entropy")?);
            ensure!(key.as_bytes() == item.bytes("private_key")? && key.public_key() == item.bytes("public_key")?, "key pair");
        }
        "x25519" => {
            let key = PrivateKey::new(item.array("private_key")?);
            let peer = item.array("peer_public_key")?;
            ensure!(key.public_key() == item.bytes("public_key")?, "public key");
            let shared = key.shared(&peer);
            ensure!(*shared == item.bytes("shared")?, "shared secret");
            ensure!((*shared != [0; 32]) == item.flag("checked_ok"), "low order");
            ensure!(*key.symmetric_key(&peer) == item.bytes("box_symmetric_key")?, "symmetric key");
        }
        "hmac-drbg-sha512-256" => {
            let drbg = HmacDrbg::new(drbg::Hash::Sha512_256, item.bytes("entropy")?, item.bytes("nonce")?, item.bytes("personalization")?);
            ensure!(drbg.is_ok() == ok, "got {drbg:?}");
            let Ok(mut drbg) = drbg else { return Ok(()) };
            for (i, expected) in item.byte_list("reads")?.into_iter().enumerate() {
                let mut got = vec![0; expected.len()];
                drbg.read(&mut got)?;
                ensure!(got == expected, "read {i}");
            }
        }
        "namespace-text" => {
            let got = Namespace::from_text(item.text("text")?);
            ensure!(got.is_some() == ok, "got {got:?}");
            ensure!(got.is_none_or(|n| Some(&n.0[..]) == item.bytes("namespace").ok()), "namespace");
        }
        "namespace-binary" => {
            let got = Namespace::from_slice(item.bytes("input")?);
            ensure!(got.is_some() == ok, "got {got:?}");
            if let Some(got) = got {
                ensure!(got.is_test() == item.flag("is_test") && got.is_key_manager() == item.flag("is_key_manager"), "flags");
            }
        }
        "test-namespace-from-seed" => {
            let got = Namespace::for_test(item.bytes("seed")?, u64::try_from(item.number("flags")?)?);
            ensure!(got.map(|n| n.0) == Some(item.array("namespace")?), "got {got:?}");
        }
        "public-key-text" => {
            let got = PublicKey::from_base64(item.text("text")?);
            ensure!(got.is_some() == ok, "got {got:?}");
            ensure!(got.is_none_or(|key| Some(&key.0[..]) == item.bytes("public_key").ok()), "key");
        }
        _ => bail!("unknown kind"),
    }
    Ok(())
}
