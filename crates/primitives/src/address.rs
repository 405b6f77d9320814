//! Addresses of accounts, runtimes and modules.
//!
//! Source: go/common/crypto/address/address.go, go/staking/api/address.go.

use std::fmt;

use bech32::{Bech32, Hrp, primitives::decode::CheckedHrpstring};

use crate::{
    bytes::any_fixed_bytes,
    hash::Hash,
    namespace::Namespace,
    signature::{PublicKey, RESERVED_KEYS},
};

/// An account's address, 21 bytes: a version and the first 20 bytes of a hash.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(pub [u8; 21]);

/// Human-readable part of account addresses.
const HRP: &str = "oasis";

impl Address {
    /// Length in bytes.
    pub const SIZE: usize = 21;

    /// Holds the stake that nobody owns; rewards are paid from it. Source: go/staking/api/api.go, `CommonPoolAddress`.
    pub const COMMON_POOL: Self = Self([
        0x00, 0xf7, 0xc4, 0xde, 0xd6, 0x21, 0x13, 0xe2, 0xc2, 0x82, 0xea, 0x86, 0x72, 0x23, 0xa5, 0x44, 0xed, 0x55, 0xd6, 0xba, 0x6e,
    ]);
    /// Gathers the fees of a block. Source: go/staking/api/api.go, `FeeAccumulatorAddress`.
    pub const FEE_ACCUMULATOR: Self = Self([
        0x00, 0x26, 0xc8, 0x87, 0x3c, 0x68, 0x99, 0x9b, 0x5f, 0x9f, 0x49, 0xd9, 0x1b, 0xad, 0x45, 0x15, 0x70, 0xbb, 0xda, 0xe4, 0xf2,
    ]);
    /// Holds the deposits of open proposals. Source: go/staking/api/api.go, `GovernanceDepositsAddress`.
    pub const GOVERNANCE_DEPOSITS: Self = Self([
        0x00, 0x75, 0x4f, 0xf4, 0x47, 0x14, 0x3a, 0x5e, 0xc5, 0xf4, 0x71, 0xb3, 0x0f, 0x86, 0x76, 0xb9, 0x4d, 0x56, 0xb1, 0x57, 0x50,
    ]);
    /// Addresses that belong to modules, in the order of [`RESERVED_KEYS`]; nobody may use them.
    pub const RESERVED: [Self; RESERVED_KEYS.len()] = [Self::COMMON_POOL, Self::FEE_ACCUMULATOR, Self::GOVERNANCE_DEPOSITS];

    /// Whether the address belongs to a module.
    ///
    /// Source: go/staking/api/address.go, `IsReserved`.
    pub fn is_reserved(&self) -> bool {
        Self::RESERVED.contains(self)
    }

    /// Whether a transaction may name the address.
    ///
    /// Source: go/staking/api/address.go, `IsValid`.
    pub fn is_valid(&self) -> bool {
        !self.is_reserved()
    }

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

    /// Reads Bech32 with the human-readable part `oasis`, all lower or all upper case.
    pub fn from_bech32(text: &str) -> Option<Self> {
        let decoded = CheckedHrpstring::new::<Bech32>(text).ok()?;
        if !decoded.hrp().as_str().eq_ignore_ascii_case(HRP) {
            return None;
        }
        let bytes: Vec<u8> = decoded.byte_iter().collect();
        // The groups end where the bytes do, and the bits left over are zero: only what is written is read.
        Self::from_slice(&bytes).filter(|address| address.to_string().eq_ignore_ascii_case(text))
    }
}

fn write_bech32(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let hrp = Hrp::parse(HRP).map_err(|_| fmt::Error)?;
    bech32::encode_lower_to_fmt::<Bech32, _>(f, hrp, bytes).map_err(|_| fmt::Error)
}

any_fixed_bytes!(Address, "address: malformed address", write_bech32);
crate::json::text_json!(Address, "address in Bech32 that starts with oasis1", Address::from_bech32);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_addresses_are_those_of_the_reserved_keys() {
        assert_eq!(RESERVED_KEYS.map(|key| Address::of_public_key(&key)), Address::RESERVED);
        assert!(Address::COMMON_POOL.is_reserved() && !Address::COMMON_POOL.is_valid());
        assert!(Address::default().is_valid());
    }
}
