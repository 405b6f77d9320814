//! Addresses of accounts, runtimes and modules.
//!
//! Source: go/common/crypto/address/address.go, go/staking/api/address.go.

use std::fmt;

use bech32::{Bech32, Hrp, primitives::decode::CheckedHrpstring};

use crate::{
    cbor::{self, Decode, Decoder, Encode, Encoder},
    hash::Hash,
    namespace::Namespace,
    signature::PublicKey,
};

/// An account's address, 21 bytes: a version and the first 20 bytes of a hash.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(pub [u8; 21]);

/// Human-readable part of account addresses.
const HRP: &str = "oasis";

impl Address {
    /// Length in bytes.
    pub const SIZE: usize = 21;

    /// The address of `data` under a context and version.
    pub fn derive(context: &str, version: u8, data: &[u8]) -> Self {
        let hash = Hash::of_parts(&[context.as_bytes(), &[version], data]);
        let mut out = [0; Self::SIZE];
        for (place, byte) in out.iter_mut().zip([version].into_iter().chain(hash.0)) {
            *place = byte;
        }
        Self(out)
    }

    /// The address of a public key's account.
    pub fn of_public_key(key: &PublicKey) -> Self {
        Self::derive("oasis-core/address: staking", 0, &key.0)
    }

    /// The address of a runtime's account.
    pub fn of_runtime(id: &Namespace) -> Self {
        Self::derive("oasis-core/address: runtime", 0, &id.0)
    }

    /// Takes exactly 21 bytes.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Reads Bech32 with the human-readable part `oasis`, all lower or all upper case.
    pub fn from_bech32(text: &str) -> Option<Self> {
        let decoded = CheckedHrpstring::new::<Bech32>(text).ok()?;
        if !decoded.hrp().as_str().eq_ignore_ascii_case(HRP) {
            return None;
        }
        let bytes: Vec<u8> = decoded.byte_iter().collect();
        Self::from_slice(&bytes)
    }
}

impl AsRef<[u8]> for Address {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hrp = Hrp::parse(HRP).map_err(|_| fmt::Error)?;
        bech32::encode_lower_to_fmt::<Bech32, _>(f, hrp, &self.0).map_err(|_| fmt::Error)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Encode for Address {
    fn encode(&self, e: &mut Encoder) {
        e.bytes(&self.0);
    }
}

impl Decode for Address {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, cbor::Error> {
        cbor::decode_fixed(d, |b| Self::from_slice(b).ok_or_else(|| cbor::Error::invalid("address: malformed address")), Self)
    }
}

crate::json::text_json!(Address, "address in Bech32 that starts with oasis1", Address::from_bech32);
