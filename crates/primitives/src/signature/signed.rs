//! Values wrapped with their signatures.

use std::collections::BTreeSet;

use super::{ChainContext, Context, PublicKey, RawSignature, SignError, SignatureRules, Signer};
use crate::{
    cbor::{self, Cbor, Decode, Encode, NilVec},
    json::Json,
};

/// Why a wrapped value was not opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// A signature doesn't hold, or there is none.
    #[error("signed: signature verification failed")]
    Signature,
    /// The value doesn't decode.
    #[error(transparent)]
    Decode(#[from] cbor::Error),
}

/// A signature and the key it is said to be by.
///
/// Source: go/common/crypto/signature/signature.go, `Signature`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Cbor, Json)]
pub struct Signature {
    /// The signer's key.
    pub public_key: PublicKey,
    /// The signature itself.
    pub signature: RawSignature,
}

impl Signature {
    /// Whether the signature holds.
    ///
    /// Source: go/common/crypto/signature/signature.go, `Signature.Verify`.
    pub fn verify(&self, rules: &SignatureRules, context: &Context, message: &[u8]) -> bool {
        rules.verify(context, &self.public_key, message, &self.signature)
    }
}

/// An encoded value with one signature.
///
/// Source: go/common/crypto/signature/signature.go, `Signed`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct SignedBlob {
    /// The encoded value.
    #[cbor(rename = "untrusted_raw_value")]
    pub blob: NilVec<u8>,
    /// The signature over the encoded value.
    pub signature: Signature,
}

impl SignedBlob {
    /// Encodes and signs a value.
    ///
    /// Source: go/common/crypto/signature/signature.go, `SignSigned`.
    pub fn sign<T: Encode + ?Sized>(signer: &dyn Signer, context: &Context, chain: &ChainContext, value: &T) -> Result<Self, SignError> {
        let blob = cbor::to_vec(value);
        let signature = signer.sign(context, chain, &blob)?;
        Ok(Self { blob: blob.into(), signature })
    }

    /// Verifies the signature, then decodes the value. A missing blob opens as the zero value.
    ///
    /// Source: go/common/crypto/signature/signature.go, `Signed.Open`.
    pub fn open<T: Decode>(&self, rules: &SignatureRules, context: &Context) -> Result<T, OpenError> {
        if !self.signature.verify(rules, context, &self.blob) {
            return Err(OpenError::Signature);
        }
        Ok(self.decode_unverified()?)
    }

    /// Decodes the value without looking at the signature.
    pub fn decode_unverified<T: Decode>(&self) -> Result<T, cbor::Error> {
        cbor::from_nil_slice(self.blob.0.as_deref())
    }
}

/// An encoded value with signatures of several keys.
///
/// Source: go/common/crypto/signature/signature.go, `MultiSigned`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct MultiSigned {
    /// The encoded value.
    #[cbor(rename = "untrusted_raw_value")]
    pub blob: NilVec<u8>,
    /// The signatures over the encoded value.
    pub signatures: NilVec<Signature>,
}

impl MultiSigned {
    /// Encodes and signs a value with every signer.
    ///
    /// Source: go/common/crypto/signature/signature.go, `SignMultiSigned`.
    pub fn sign<T: Encode + ?Sized>(
        signers: &[&dyn Signer],
        context: &Context,
        chain: &ChainContext,
        value: &T,
    ) -> Result<Self, SignError> {
        let blob = cbor::to_vec(value);
        let signatures: Result<NilVec<_>, _> = signers.iter().map(|signer| signer.sign(context, chain, &blob)).collect();
        Ok(Self { blob: blob.into(), signatures: signatures? })
    }

    /// Verifies every signature, of which there is at least one, then decodes the value.
    ///
    /// Source: go/common/crypto/signature/signature.go, `MultiSigned.Open`.
    pub fn open<T: Decode>(&self, rules: &SignatureRules, context: &Context) -> Result<T, OpenError> {
        if !rules.verify_many_to_one(context, &self.blob, &self.signatures) {
            return Err(OpenError::Signature);
        }
        Ok(self.decode_unverified()?)
    }

    /// Decodes the value without looking at the signatures.
    pub fn decode_unverified<T: Decode>(&self) -> Result<T, cbor::Error> {
        cbor::from_nil_slice(self.blob.0.as_deref())
    }

    /// Whether one of the signatures is said to be by a key; verifies nothing.
    ///
    /// Source: go/common/crypto/signature/signature.go, `MultiSigned.IsSignedBy`.
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        self.signatures.iter().any(|signature| signature.public_key == *key)
    }

    /// Whether there are as many signers as `keys`, and each of `keys` is one of them. Verifies nothing.
    ///
    /// Source: go/common/crypto/signature/signature.go, `MultiSigned.IsOnlySignedBy`. Where `keys` has one twice, another
    /// signer may stand for it, as in the original (whose comment says otherwise).
    pub fn is_only_signed_by(&self, keys: &[PublicKey]) -> bool {
        let signers: BTreeSet<PublicKey> = self.signatures.iter().map(|signature| signature.public_key).collect();
        signers.len() == keys.len() && keys.iter().all(|key| signers.contains(key))
    }
}
