//! SGX identities, signatures and attestations against the recorded answers of the original.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use oasis_primitives::{
    cbor::{self, Value},
    sgx::{
        AttestationReport, CapabilityTee, EnclaveIdentity, MrEnclave, MrSigner, Policy, Quote, SIGSTRUCT_SIZE, Sigstruct, Time, rak_hash,
    },
    signature::PublicKey,
};

/// A recorded item's fields.
struct Item(BTreeMap<String, Value>);

impl Item {
    fn bytes(&self, name: &str) -> Vec<u8> {
        self.nil_bytes(name).unwrap_or_default()
    }

    fn nil_bytes(&self, name: &str) -> Option<Vec<u8>> {
        match self.0.get(name) {
            Some(Value::Bytes(b)) => Some(b.clone()),
            None | Some(Value::Null) => None,
            other => panic!("{name} is {other:?}"),
        }
    }

    fn text(&self, name: &str) -> &str {
        match self.0.get(name) {
            Some(Value::Text(t)) => t,
            None => "",
            other => panic!("{name} is {other:?}"),
        }
    }

    fn flag(&self, name: &str) -> bool {
        self.0.get(name) == Some(&Value::Bool(true))
    }

    fn number(&self, name: &str) -> u64 {
        match self.0.get(name) {
            Some(Value::Uint(n)) => *n,
            other => panic!("{name} is {other:?}"),
        }
    }

    fn time(&self) -> Time {
        Time { seconds: i64::try_from(self.number("timestamp")).unwrap(), nanos: 0 }
    }

    fn policy(&self, debug_enclaves: bool) -> Policy {
        let allow_test_keys = !self.text("comment").ends_with("after BuildMrSignerBlacklist(false)");
        Policy { debug_enclaves, ..Policy::new(allow_test_keys) }
    }
}

fn check(kind: &str, item: &Item) -> Result<()> {
    let ok = item.flag("ok");
    match kind {
        "sgx-enclave-identity-hex" | "sgx-enclave-identity-text" => {
            let input = item.text("input");
            let id = if kind.ends_with("hex") { EnclaveIdentity::from_hex(input) } else { EnclaveIdentity::from_base64(input) };
            ensure!(id.is_some() == ok);
            let Some(id) = id else { return Ok(()) };
            ensure!(id.mr_enclave.0.as_slice() == item.bytes("mr_enclave") && id.mr_signer.0.as_slice() == item.bytes("mr_signer"));
            ensure!(EnclaveIdentity::from_hex(&id.to_string()) == Some(id) && EnclaveIdentity::from_base64(&id.to_base64()) == Some(id));
            ensure!(!kind.ends_with("hex") || id.to_string() == item.text("string"));
        }
        "sgx-mrenclave-from-sgxs" => ensure!(MrEnclave::of_sgxs(&item.bytes("input")).0.as_slice() == item.bytes("mr_enclave")),
        "sgx-mrsigner-from-modulus" => {
            let signer = MrSigner::of_modulus_be(&item.bytes("modulus_be"));
            ensure!(signer.is_ok() == ok);
            ensure!(!ok || signer?.0.as_slice() == item.bytes("mr_signer"));
        }
        "sgx-fortanix-dummy-mrsigner" => ensure!(MrSigner::FORTANIX_DUMMY.0.as_slice() == item.bytes("mr_signer")),
        "sgx-rak-hash" => {
            let rak = PublicKey::from_slice(&item.bytes("rak")).context("rak")?;
            ensure!(rak_hash(&rak).0.as_slice() == item.bytes("hash"));
        }
        "sgx-sigstruct" => sigstruct(item, ok)?,
        "sgx-avr-signed" | "sgx-avr-body" => {
            let mut policy = item.policy(item.flag("allow_debug_enclaves"));
            policy.skip_signatures = kind == "sgx-avr-body";
            let (body, signature, chain) = (item.bytes("body"), item.bytes("signature"), item.bytes("certificate_chain"));
            let report = AttestationReport::decode(&body, &signature, &chain, item.time(), &policy);
            ensure!(report.is_ok() == ok, "{report:?}");
            let Ok(report) = report else { return Ok(()) };
            ensure!(cbor::to_vec(&report) == item.bytes("report"), "{report:?}");
            // Not recorded for a report without a quote.
            if report.isv_enclave_quote_body.is_empty() {
                return Ok(());
            }
            let quote = report.quote();
            ensure!(quote.is_ok() == item.text("quote_error").is_empty());
            ensure!(quote.map(|q| cbor::to_vec(&q)).unwrap_or_default() == item.bytes("quote"));
        }
        "sgx-quote" => {
            let quote = Quote::from_bytes(&item.bytes("input"));
            ensure!(quote.is_ok() == ok, "{quote:?}");
            let Ok(quote) = quote else { return Ok(()) };
            ensure!(quote.to_bytes() == item.bytes("reencoded") && cbor::to_vec(&quote) == item.bytes("quote"));
            for (name, debug) in [("verify_debug_allowed", true), ("verify_production", false)] {
                let verdict = quote.verify(&item.policy(debug));
                ensure!(verdict.is_ok() == item.text(name).is_empty(), "{name}: {verdict:?}");
            }
        }
        "sgx-capability-tee" => {
            let capability: CapabilityTee = cbor::from_slice(&item.bytes("capability"))?;
            ensure!(cbor::to_vec(&capability) == item.bytes("capability"));
            let policy = item.policy(item.flag("allow_debug_enclaves"));
            let verdict = capability.verify(item.time(), item.nil_bytes("constraints").as_deref(), &policy);
            ensure!(verdict.is_ok() == ok, "{verdict:?}");
            if let Err(e) = verdict
                && item.text("error").starts_with("node: ")
                && !item.text("error").starts_with("node: malformed")
            {
                ensure!(e.to_string() == item.text("error"), "{e}");
            }
        }
        other => bail!("unknown kind {other}"),
    }
    Ok(())
}

fn sigstruct(item: &Item, ok: bool) -> Result<()> {
    let input = item.bytes("input");
    let parsed = Sigstruct::verify(&input);
    ensure!(parsed.is_ok() == ok, "{parsed:?}");
    let Ok(s) = parsed else { return Ok(()) };
    ensure!(input.len() == SIGSTRUCT_SIZE);
    ensure!(s.modulus.to_bytes_be() == item.bytes("modulus") && s.mr_signer()?.0.as_slice() == item.bytes("mr_signer"));
    let (year, month, day) = s.build_date;
    ensure!(format!("{year:04}{month:02}{day:02}") == item.text("build_date"));
    ensure!(s.sw_defined.as_slice() == item.bytes("sw_defined") && s.enclave_hash.0.as_slice() == item.bytes("enclave_hash"));
    ensure!(u64::from(s.misc_select) == item.number("misc_select") && u64::from(s.misc_select_mask) == item.number("misc_select_mask"));
    ensure!(s.attributes.flags == item.number("attributes_flags") && s.attributes.xfrm == item.number("attributes_xfrm"));
    ensure!(item.0.get("attributes_mask") == Some(&Value::Array(s.attributes_mask.map(Value::Uint).to_vec())));
    ensure!(u64::from(s.isv_prod_id) == item.number("isv_prod_id") && u64::from(s.isv_svn) == item.number("isv_svn"));
    Ok(())
}

#[test]
fn sgx_vectors_have_the_recorded_answers() {
    oasis_test_vectors::for_each("misc-crypto.cbor.gz", |_, bytes| {
        let mut seen = BTreeMap::<String, u32>::new();
        for (index, item) in cbor::sequence_from_slice::<BTreeMap<String, Value>>(bytes)?.into_iter().enumerate() {
            let item = Item(item);
            let kind = item.text("kind").to_owned();
            if !kind.starts_with("sgx-") {
                continue;
            }
            check(&kind, &item).with_context(|| format!("item {index}, {kind}, {}", item.text("comment")))?;
            *seen.entry(kind).or_default() += 1;
        }
        ensure!(seen.len() == 11, "kinds seen: {seen:?}");
        Ok(())
    })
    .unwrap();
}

#[test]
fn no_input_makes_the_readers_panic() {
    let policy = Policy { skip_signatures: true, ..Policy::default() };
    let mut noise = vec![0u8; 2000];
    for round in 0..200u32 {
        for (index, byte) in noise.iter_mut().enumerate() {
            *byte = oasis_primitives::hash::Hash::of(&[round.to_le_bytes(), (index as u32 / 32).to_le_bytes()].concat()).0[index % 32];
        }
        let _ = Sigstruct::verify(&noise[..SIGSTRUCT_SIZE]);
        let _ = Quote::from_bytes(&noise);
        let _ = AttestationReport::decode(&noise, &noise, &noise, Time::default(), &policy);
        let _ = AttestationReport::decode(&noise, &noise, &noise, Time::default(), &Policy::default());
    }
}
