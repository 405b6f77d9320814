//! Measurements of enclaves and of their signers.
//!
//! Source: go/common/sgx/common.go.

use std::fmt;

use num_bigint::BigUint;
use sha2::{Digest, Sha256};

use super::Error;
use crate::{bytes::any_fixed_bytes, cbor::Cbor, json, text};

/// The size of an enclave signer's RSA modulus, in bytes.
pub const MODULUS_BYTES: usize = 384;

macro_rules! measurement {
    ($(#[$doc:meta])* $type:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(pub [u8; 32]);

        impl $type {
            /// Reads 64 hexadecimal digits of either case.
            pub fn from_hex(text: &str) -> Option<Self> {
                let mut out = [0; 32];
                hex::decode_to_slice(text, &mut out).ok()?;
                Some(Self(out))
            }
        }

        any_fixed_bytes!($type, concat!("sgx: malformed ", $what), text::write_hex);
    };
}

measurement! {
    /// The measurement of an enclave's code and data (MRENCLAVE): SHA-256, 32 bytes.
    MrEnclave, "MRENCLAVE"
}

measurement! {
    /// The hash of an enclave signer's key (MRSIGNER): SHA-256 of the modulus, 32 bytes.
    MrSigner, "MRSIGNER"
}

impl MrEnclave {
    /// Measures a whole `.sgxs` file.
    ///
    /// Source: go/common/sgx/common.go, `MrEnclave.FromSgxsBytes`.
    pub fn of_sgxs(file: &[u8]) -> Self {
        Self(Sha256::digest(file).into())
    }
}

impl MrSigner {
    /// The signer whose key comes with Fortanix's tools and is known to everyone.
    ///
    /// Source: go/common/sgx/fortanix_dummy.go, `FortanixDummyMrSigner`.
    pub const FORTANIX_DUMMY: Self = Self([
        0x9a, 0xff, 0xcf, 0xae, 0x47, 0xb8, 0x48, 0xec, 0x2c, 0xaf, 0x1c, 0x49, 0xb4, 0xb2, 0x83, 0x53, 0x1e, 0x1c, 0xc4, 0x25, 0xf9, 0x35,
        0x82, 0xb3, 0x68, 0x06, 0xe5, 0x2a, 0x43, 0xd7, 0x8d, 0x1a,
    ]);

    /// The signer with this modulus, which must have exactly 384 significant bytes.
    ///
    /// Source: go/common/sgx/common.go, `MrSigner.FromPublicKey`, `To3072le`.
    pub fn of_modulus(modulus: &BigUint) -> Result<Self, Error> {
        let bytes = modulus.to_bytes_le();
        if bytes.len() != MODULUS_BYTES {
            return Err(Error::new(format!("sgx: big int is not 3072 bits: {}", bytes.len())));
        }
        Ok(Self(Sha256::digest(&bytes).into()))
    }

    /// The same from the modulus in big-endian bytes.
    pub fn of_modulus_be(modulus: &[u8]) -> Result<Self, Error> {
        Self::of_modulus(&BigUint::from_bytes_be(modulus))
    }
}

/// An enclave and its signer.
///
/// Source: go/common/sgx/common.go, `EnclaveIdentity`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Cbor)]
pub struct EnclaveIdentity {
    /// The enclave.
    pub mr_enclave: MrEnclave,
    /// Its signer.
    pub mr_signer: MrSigner,
}

impl EnclaveIdentity {
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != 64 {
            return None;
        }
        let (enclave, signer) = bytes.split_at_checked(32)?;
        Some(Self { mr_enclave: MrEnclave::from_slice(enclave)?, mr_signer: MrSigner::from_slice(signer)? })
    }

    fn to_bytes(self) -> Vec<u8> {
        [self.mr_enclave.0, self.mr_signer.0].concat()
    }

    /// Reads 128 hexadecimal digits of either case.
    ///
    /// Source: go/common/sgx/common.go, `EnclaveIdentity.UnmarshalHex`.
    pub fn from_hex(text: &str) -> Option<Self> {
        Self::from_bytes(&hex::decode(text).ok()?)
    }

    /// Reads the base64 text that JSON uses.
    ///
    /// Source: go/common/sgx/common.go, `EnclaveIdentity.UnmarshalText`.
    pub fn from_base64(text: &str) -> Option<Self> {
        Self::from_bytes(&text::from_base64(text)?)
    }

    /// The base64 text that JSON uses.
    pub fn to_base64(self) -> String {
        text::to_base64(&self.to_bytes())
    }
}

impl fmt::Display for EnclaveIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.to_bytes()))
    }
}

impl json::ToJson for EnclaveIdentity {
    fn to_json(&self) -> json::Value {
        json::Value::String(self.to_base64())
    }
}

impl json::FromJson for EnclaveIdentity {
    fn from_json(value: &json::Value) -> Result<Self, json::Error> {
        value.as_str().and_then(Self::from_base64).ok_or_else(|| json::Error::expected("enclave identity in base64", value))
    }
}

impl json::JsonKey for EnclaveIdentity {
    fn to_key(&self) -> String {
        self.to_base64()
    }

    fn from_key(text: &str) -> Option<Self> {
        Self::from_base64(text)
    }
}
