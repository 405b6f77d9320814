//! Verification of signatures under contexts.

use std::{collections::BTreeSet, sync::Arc};

use super::{BatchVerifier, Blacklist, ChainContext, Context, PublicKey, RawSignature, Signature, TENDERMINT_CONTEXT, verify_prehashed};
use crate::hash::Hash;

/// Signatures known to hold, so that they needn't be verified again: those of the transactions of blocks to come, say,
/// which were verified in batches on other threads.
///
/// It speaks of the equation alone. Whether a key is refused is still decided by the rules.
#[derive(Clone, Debug, Default)]
pub struct Verified(BTreeSet<(PublicKey, Hash, RawSignature)>);

impl Verified {
    /// Notes a signature over a message hashed with its context; the caller has verified it.
    pub fn insert(&mut self, key: PublicKey, prehash: Hash, signature: RawSignature) {
        self.0.insert((key, prehash, signature));
    }

    /// The number of signatures.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no signatures.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the signature is known to hold.
    pub fn contains(&self, key: &PublicKey, prehash: &Hash, signature: &RawSignature) -> bool {
        self.0.contains(&(*key, *prehash, *signature))
    }
}

/// Collects signatures that may be needed later, and gives those that hold.
#[derive(Clone, Debug, Default)]
pub struct AheadVerifier(BTreeSet<(PublicKey, Hash, RawSignature)>);

impl AheadVerifier {
    /// Adds a signature; one that was added before is verified once.
    pub fn push(&mut self, rules: &SignatureRules, context: &Context, message: &[u8], signature: &Signature) {
        if let Ok(context) = context.prepare(&rules.chain) {
            self.0.insert((signature.public_key, context.prehash(message), signature.signature));
        }
    }

    /// The number of signatures.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no signatures.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Verifies them together; those that do not hold are left out.
    pub fn finish(self) -> Verified {
        let mut batch = BatchVerifier::new();
        for (key, prehash, signature) in &self.0 {
            batch.push_prehashed(key, &prehash.0, signature);
        }
        let holds = batch.verify_each();
        Verified(self.0.into_iter().zip(holds).filter(|(_, holds)| *holds).map(|(entry, _)| entry).collect())
    }
}

/// Which signatures count: for which chain, and without which keys.
#[derive(Clone, Debug, Default)]
pub struct SignatureRules {
    /// The chain of chain-separated signatures.
    pub chain: ChainContext,
    /// Keys whose signatures are refused.
    pub blacklist: Blacklist,
    /// Signatures verified before.
    pub verified: Arc<Verified>,
}

impl SignatureRules {
    /// Rules of a chain.
    pub fn new(chain: ChainContext, blacklist: Blacklist) -> Self {
        Self { chain, blacklist, verified: Arc::default() }
    }

    /// Whether a signature holds under a context.
    ///
    /// Source: go/common/crypto/signature/signature.go, `PublicKey.Verify`.
    pub fn verify(&self, context: &Context, key: &PublicKey, message: &[u8], signature: &RawSignature) -> bool {
        if self.blacklist.contains(key) {
            return false;
        }
        let Ok(context) = context.prepare(&self.chain) else { return false };
        let prehash = context.prehash(message);
        self.verified.contains(key, &prehash, signature) || verify_prehashed(key, &prehash.0, signature)
    }

    /// Whether every signature holds over one message; none at all do not.
    ///
    /// Source: go/common/crypto/signature/signature.go, `VerifyManyToOne`.
    pub fn verify_many_to_one(&self, context: &Context, message: &[u8], signatures: &[Signature]) -> bool {
        if signatures.is_empty() || signatures.iter().any(|s| self.blacklist.contains(&s.public_key)) {
            return false;
        }
        let Ok(context) = context.prepare(&self.chain) else { return false };
        let prehash = context.prehash(message);
        let mut batch = BatchVerifier::new();
        for Signature { public_key, signature } in signatures {
            if !self.verified.contains(public_key, &prehash, signature) {
                batch.push_prehashed(public_key, &prehash.0, signature);
            }
        }
        batch.is_empty() || batch.verify_all()
    }

    /// Whether every signature holds over its message; none at all do not, nor lists of different lengths.
    ///
    /// Source: go/common/crypto/signature/signature.go, `VerifyBatch`.
    pub fn verify_batch(&self, context: &Context, messages: &[&[u8]], signatures: &[Signature]) -> bool {
        if messages.len() != signatures.len() {
            return false;
        }
        let mut batch = BatchVerifier::new();
        for (message, signature) in messages.iter().zip(signatures) {
            self.add_to(&mut batch, context, &signature.public_key, message, &signature.signature);
        }
        batch.verify_all()
    }

    /// Adds a signature to a batch that is verified later; one of a refused key will not hold there.
    pub fn add_to(&self, batch: &mut BatchVerifier, context: &Context, key: &PublicKey, message: &[u8], signature: &RawSignature) {
        match context.prepare(&self.chain) {
            Ok(context) if !self.blacklist.contains(key) => batch.push_prehashed(key, &context.prehash(message).0, signature),
            _ => batch.push_invalid(),
        }
    }
}

impl PublicKey {
    /// Whether a signature of this key holds under a context and rules; never where it has not 64 bytes.
    ///
    /// Source: go/common/crypto/signature/signature.go, `PublicKey.Verify`.
    pub fn verify(&self, rules: &SignatureRules, context: &Context, message: &[u8], signature: &[u8]) -> bool {
        RawSignature::from_slice(signature).is_some_and(|signature| rules.verify(context, self, message, &signature))
    }

    /// Whether the key is not on the blacklist; says nothing about the curve.
    ///
    /// Source: go/common/crypto/signature/signature.go, `PublicKey.IsValid`.
    pub fn is_valid(&self, blacklist: &Blacklist) -> bool {
        !blacklist.contains(self)
    }
}

/// Whether a signature of a validator's Tendermint key holds: one context, no blacklist.
///
/// Source: oasisprotocol/tendermint crypto/ed25519/ed25519.go, `PubKey.VerifySignature`.
pub fn verify_tendermint(key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
    let Some(signature) = RawSignature::from_slice(signature) else { return false };
    let Ok(context) = TENDERMINT_CONTEXT.prepare(&ChainContext::UNSET) else { return false };
    verify_prehashed(key, &context.prehash(message).0, &signature)
}
