//! Whatever the bytes, decoders return; and what they accept is encoded and read back the same.

use std::fmt::Debug;

use oasis_primitives::{
    address::Address,
    cbor::{self, Decode, Encode, NilVec, RawCbor, Value},
    drbg::{self, HmacDrbg},
    hash::Hash,
    mathrand::MathRand,
    mnemonic::{self, Bip32Path},
    mrae,
    namespace::Namespace,
    pem,
    quantity::Quantity,
    signature::{
        BatchVerifier, MemorySigner, MultiSigned, PublicKey, RawSignature, Signature, SignatureRules, SignedBlob, Signer,
        TENDERMINT_CONTEXT, verify_prehashed,
    },
    text,
    version::{ProtocolVersions, Version},
};
use proptest::prelude::*;

/// Decodes by every rule; what one accepts must be stable.
fn decodes<T: Decode + Encode + PartialEq + Debug>(bytes: &[u8]) -> Result<(), TestCaseError> {
    let answers = [cbor::from_slice::<T>(bytes), cbor::from_slice_higher_limits(bytes), cbor::from_slice_trusted(bytes)];
    for value in answers.into_iter().flatten() {
        let encoded = cbor::to_vec(&value);
        let again: T = cbor::from_slice_trusted(&encoded).map_err(|e| TestCaseError::fail(format!("{value:?}: {e}")))?;
        prop_assert_eq!(cbor::to_vec(&again), encoded);
    }
    Ok(())
}

fn decodes_all(bytes: &[u8]) -> Result<(), TestCaseError> {
    decodes::<Address>(bytes)?;
    decodes::<Hash>(bytes)?;
    decodes::<PublicKey>(bytes)?;
    decodes::<RawSignature>(bytes)?;
    decodes::<Signature>(bytes)?;
    decodes::<SignedBlob>(bytes)?;
    decodes::<MultiSigned>(bytes)?;
    decodes::<Quantity>(bytes)?;
    decodes::<Version>(bytes)?;
    decodes::<ProtocolVersions>(bytes)?;
    decodes::<Vec<Quantity>>(bytes)?;
    decodes::<NilVec<u8>>(bytes)?;
    decodes::<RawCbor>(bytes)?;
    decodes::<String>(bytes)?;
    decodes::<i64>(bytes)?;
    // Given as an array of integers, a namespace may have flags that it may not have as a byte string.
    let _ = (cbor::from_slice::<Namespace>(bytes), cbor::from_slice_trusted::<Namespace>(bytes));
    // Floats and tags don't compare or encode; they need only return.
    let _ = cbor::from_slice::<Value>(bytes);
    let _ = cbor::from_slice_trusted::<Value>(bytes);
    let _ = cbor::sequence_from_slice::<Value>(bytes);
    Ok(())
}

fn signed() -> impl Strategy<Value = Vec<u8>> {
    (any::<[u8; 32]>(), prop::collection::vec(any::<u8>(), 0..40), 0..4_usize).prop_map(|(seed, message, count)| {
        let signer = MemorySigner::from_seed(&seed);
        let signature = signer.sign(&TENDERMINT_CONTEXT, &SignatureRules::default().chain, &message).expect("signs");
        match count {
            0 => cbor::to_vec(&SignedBlob { blob: message.into(), signature }),
            n => cbor::to_vec(&MultiSigned { blob: message.into(), signatures: vec![signature; n - 1].into() }),
        }
    })
}

proptest! {
    #[test]
    fn decoders_return_on_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        decodes_all(&bytes)?;
    }

    #[test]
    fn decoders_return_on_damaged_values(mut bytes in signed(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()) {
        decodes_all(&bytes)?;
        let at = at.index(bytes.len());
        if cut { bytes.truncate(at) } else { bytes[at] = byte }
        decodes_all(&bytes)?;
    }

    #[test]
    fn text_decoders_return_on_any_text(given in ".{0,120}") {
        let _ = (Address::from_bech32(&given), Hash::from_text(&given), Namespace::from_text(&given), PublicKey::from_base64(&given));
        let _ = (Version::parse(&given), Bip32Path::parse(&given), mnemonic::seed(&given, &given), text::from_base64(&given));
        let _ = (PublicKey::from_pem(&given), Signature::from_pem(&given), MemorySigner::from_pem(&given).is_ok());
    }

    #[test]
    fn text_is_read_back(bytes in any::<[u8; 32]>(), parts in any::<[u16; 3]>(), path in prop::collection::vec(any::<u32>(), 0..5)) {
        let (hash, key, path) = (Hash(bytes), PublicKey(bytes), Bip32Path(path));
        let address = Address::of_public_key(&key);
        let version = Version::new(parts[0], parts[1], parts[2]);
        prop_assert_eq!(Address::from_bech32(&address.to_string()), Some(address));
        prop_assert_eq!(Address::from_bech32(&address.to_string().to_uppercase()), Some(address));
        prop_assert_eq!(Hash::from_text(&hash.to_string()), Some(hash));
        prop_assert_eq!(PublicKey::from_base64(&key.to_string()), Some(key));
        prop_assert_eq!(PublicKey::from_pem(&key.to_pem()), Ok(key));
        prop_assert_eq!(Version::parse(&version.to_string()), Some(version));
        prop_assert_eq!(Version::from_u64(version.to_u64()), version);
        prop_assert_eq!(Bip32Path::parse(&path.to_string()), Some(path));
    }

    #[test]
    fn pem_is_read_back_inside_other_text(bytes in prop::collection::vec(any::<u8>(), 0..200), before in "[a-z \n]{0,40}") {
        let pem = format!("{before}\n{}", pem::encode("KIND", &bytes));
        prop_assert_eq!(pem::decode("KIND", &pem), Ok(bytes));
    }

    #[test]
    fn signatures_hold_for_their_message_only(seed in any::<[u8; 32]>(), message in prop::collection::vec(any::<u8>(), 0..100), bit in 0..768_usize) {
        let signer = MemorySigner::from_seed(&seed);
        let (key, signature) = (signer.public_key(), signer.sign_raw(&message));
        prop_assert!(verify_prehashed(&key, &message, &signature));
        // Any bit of the key or the signature counts.
        let mut damaged = [&key.0[..], &signature.0].concat();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let (key, signature) = (PublicKey::from_slice(&damaged[..32]).unwrap(), RawSignature::from_slice(&damaged[32..]).unwrap());
        prop_assert!(!verify_prehashed(&key, &message, &signature));
    }

    #[test]
    fn batches_agree_with_single_verification(entries in prop::collection::vec((0..4_u8, any::<u8>(), prop::option::of(0..96_usize)), 0..24)) {
        let mut batch = BatchVerifier::new();
        let mut expected = Vec::new();
        for (name, message, damage) in entries {
            let signer = MemorySigner::for_test(&name.to_string());
            let mut both = [&signer.public_key().0[..], &signer.sign_raw(&[message]).0].concat();
            if let Some(at) = damage {
                both[at] ^= message | 1;
            }
            let (key, signature) = (PublicKey::from_slice(&both[..32]).unwrap(), RawSignature::from_slice(&both[32..]).unwrap());
            batch.push_prehashed(&key, &[message], &signature);
            expected.push(verify_prehashed(&key, &[message], &signature));
        }
        prop_assert_eq!(batch.verify_all(), !expected.is_empty() && expected.iter().all(|ok| *ok));
        prop_assert_eq!(batch.verify_each(), expected);
    }

    #[test]
    fn boxes_open_only_unharmed(key in any::<[u8; 32]>(), nonce in any::<[u8; 15]>(), plaintext in prop::collection::vec(any::<u8>(), 0..100), ad in prop::collection::vec(any::<u8>(), 0..40), at in any::<prop::sample::Index>()) {
        let mut sealed = mrae::seal(&key, &nonce, &plaintext, &ad).unwrap();
        prop_assert_eq!(sealed.len(), plaintext.len() + mrae::TAG_SIZE);
        prop_assert_eq!(mrae::open(&key, &nonce, &sealed, &ad).unwrap(), plaintext);
        let at = at.index(sealed.len());
        sealed[at] ^= 1;
        prop_assert_eq!(mrae::open(&key, &nonce, &sealed, &ad), Err(mrae::Error::Open));
        sealed.truncate(at);
        prop_assert_eq!(mrae::open(&key, &nonce, &sealed, &ad), Err(mrae::Error::Open));
    }

    #[test]
    fn permutations_hold_every_index_once(entropy in any::<[u8; 32]>(), n in 0..200_u32) {
        let mut rng = MathRand::new(HmacDrbg::new(drbg::Hash::Sha512, &entropy, b"", b"").unwrap()).unwrap();
        let mut perm = rng.perm(n).unwrap();
        let mut items: Vec<usize> = (0..n as usize).collect();
        rng.shuffle(&mut items).unwrap();
        perm.sort_unstable();
        items.sort_unstable();
        prop_assert!(perm.iter().copied().eq(0..n as usize) && items == perm);
    }
}
