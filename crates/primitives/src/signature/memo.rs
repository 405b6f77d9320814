//! Which signatures were verified before on this thread, for simulations: all nodes of a network in one process verify
//! the same signatures. Not part of normal builds, and off until asked for.

use std::{cell::RefCell, collections::BTreeMap};

use super::{PublicKey, RawSignature};

/// Entries kept; then all are forgotten.
const KEPT: usize = 50_000;

type Entries = BTreeMap<(RawSignature, PublicKey, [u8; 32]), bool>;

thread_local! {
    static MEMO: RefCell<Option<Entries>> = const { RefCell::new(None) };
}

/// From now on this thread remembers what it verified. What is remembered is what [`super::verify_prehashed`] says.
pub fn remember_signatures() {
    MEMO.with_borrow_mut(|memo| {
        memo.get_or_insert_default();
    });
}

/// Whether this thread remembers.
pub(super) fn is_on() -> bool {
    MEMO.with_borrow(Option::is_some)
}

/// What is remembered of a signature, or else what the verification says.
pub(super) fn or_else(key: &PublicKey, message: &[u8], signature: &RawSignature, verify: impl FnOnce() -> bool) -> bool {
    let Ok(message) = <[u8; 32]>::try_from(message) else { return verify() };
    let entry = (*signature, *key, message);
    if let Some(known) = MEMO.with_borrow(|memo| memo.as_ref().and_then(|memo| memo.get(&entry).copied())) {
        return known;
    }
    let holds = verify();
    MEMO.with_borrow_mut(|memo| {
        if let Some(memo) = memo {
            if memo.len() >= KEPT {
                memo.clear();
            }
            memo.insert(entry, holds);
        }
    });
    holds
}

#[cfg(test)]
mod tests {
    use super::super::{BatchVerifier, MemorySigner, Signer as _, verify_prehashed};
    use super::*;

    #[test]
    fn what_is_remembered_is_what_was_verified() {
        remember_signatures();
        let key = MemorySigner::for_test("a signer whose signatures are remembered");
        let (message, other) = ([1; 32], [2; 32]);
        let signature = key.sign_raw(&message);
        for _ in 0..2 {
            assert!(verify_prehashed(&key.public_key(), &message, &signature));
            assert!(!verify_prehashed(&key.public_key(), &other, &signature));
            let mut batch = BatchVerifier::new();
            assert!(!batch.verify_all());
            batch.push_prehashed(&key.public_key(), &message, &signature);
            assert!(batch.verify_all());
            batch.push_prehashed(&key.public_key(), &other, &signature);
            assert!(!batch.verify_all());
            assert_eq!(batch.verify_each(), [true, false]);
        }
    }
}
