//! Account keys from mnemonics (ADR 0008): BIP-39 words, SLIP-10 derivation, BIP-32 paths.
//!
//! Source: go/common/crypto/sakg, go/common/crypto/slip10.

use std::fmt;

use bip39::{Language, Mnemonic};
use hmac::{Hmac, Mac};
use sha2::Sha512;
use zeroize::Zeroizing;

use crate::signature::MemorySigner;

/// The highest account number. Source: go/common/crypto/sakg/sakg.go, `MaxAccountKeyNumber`.
pub const MAX_ACCOUNT_NUMBER: u32 = HARDENED - 1;
/// Added to the index of a hardened key. Source: go/common/crypto/sakg/bip32.go, `HardenedKeysIndexStart`.
pub const HARDENED: u32 = 1 << 31;

/// Iterations of PBKDF2 (BIP-39).
const ITERATIONS: u32 = 2048;
/// Source: go/common/crypto/slip10/slip10.go, `curveConstant`.
const CURVE: &[u8] = b"ed25519 seed";
/// The purpose and the coin of account paths. Source: go/common/crypto/sakg/sakg.go, `BIP32PathPrefix`.
const ACCOUNT_PREFIX: [u32; 2] = [HARDENED | 44, HARDENED | 474];

/// Why no key was derived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// An account number above 2³¹ − 1.
    #[error("sakg: invalid key number: {0} (maximum: 2147483647)")]
    AccountNumber(u32),
    /// Not 12, 15, 18, 21 or 24 words of the English list with a right checksum.
    #[error("sakg: invalid mnemonic")]
    Mnemonic,
    /// A seed that is not 16 to 64 bytes long.
    #[error("slip10: invalid seed")]
    Seed,
    /// Ed25519 has hardened keys only.
    #[error("slip10: non-hardened keys not supported")]
    NotHardened,
}

/// A path of key indices.
///
/// Source: go/common/crypto/sakg/bip32.go, `BIP32Path`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bip32Path(pub Vec<u32>);

impl Bip32Path {
    /// The path of an account: `m/44'/474'/number'`.
    pub fn of_account(number: u32) -> Result<Self, Error> {
        if number > MAX_ACCOUNT_NUMBER {
            return Err(Error::AccountNumber(number));
        }
        Ok(Self(ACCOUNT_PREFIX.into_iter().chain([HARDENED | number]).collect()))
    }

    /// Reads `m`, then `/` and a number below 2³¹ any times, `'` after a hardened one.
    ///
    /// Source: go/common/crypto/sakg/bip32.go, `UnmarshalText`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut components = text.split('/');
        if components.next() != Some("m") {
            return None;
        }
        components.map(parse_component).collect::<Option<_>>().map(Self)
    }
}

fn parse_component(text: &str) -> Option<u32> {
    let (digits, hardened) = text.strip_suffix('\'').map_or((text, 0), |digits| (digits, HARDENED));
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let index: u32 = digits.parse().ok()?;
    (index < HARDENED).then_some(index | hardened)
}

impl fmt::Display for Bip32Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("m")?;
        for index in &self.0 {
            write!(f, "/{}{}", index & !HARDENED, if index & HARDENED == 0 { "" } else { "'" })?;
        }
        Ok(())
    }
}

/// A private key that further ones are derived from.
///
/// Source: go/common/crypto/slip10/slip10.go.
#[derive(Clone)]
pub struct ExtendedKey {
    /// The key's seed: secret.
    pub seed: Zeroizing<[u8; 32]>,
    /// The chain code: secret.
    pub chain_code: Zeroizing<[u8; 32]>,
}

impl fmt::Debug for ExtendedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ExtendedKey([redacted])")
    }
}

impl ExtendedKey {
    /// The master key of a seed of 16 to 64 bytes.
    ///
    /// Source: go/common/crypto/slip10/slip10.go, `NewMasterKey`.
    pub fn master(seed: &[u8]) -> Result<Self, Error> {
        if !(16..=64).contains(&seed.len()) {
            return Err(Error::Seed);
        }
        Ok(Self::split(&hmac_sha512(CURVE, &[seed])))
    }

    /// A child key; its index must be hardened.
    ///
    /// Source: go/common/crypto/slip10/slip10.go, `NewChildKey`.
    pub fn child(&self, index: u32) -> Result<Self, Error> {
        if index < HARDENED {
            return Err(Error::NotHardened);
        }
        Ok(Self::split(&hmac_sha512(&*self.chain_code, &[&[0], &*self.seed, &index.to_be_bytes()])))
    }

    /// The key at the end of a path.
    pub fn descendant(&self, path: &Bip32Path) -> Result<Self, Error> {
        path.0.iter().try_fold(self.clone(), |key, index| key.child(*index))
    }

    /// The signer of this key.
    pub fn signer(&self) -> MemorySigner {
        MemorySigner::from_seed(&self.seed)
    }

    fn split(digest: &[u8; 64]) -> Self {
        let (mut seed, mut chain_code) = ([0; 32], [0; 32]);
        for (place, byte) in seed.iter_mut().chain(&mut chain_code).zip(digest) {
            *place = *byte;
        }
        Self { seed: Zeroizing::new(seed), chain_code: Zeroizing::new(chain_code) }
    }
}

/// The key and path of an account.
///
/// Source: go/common/crypto/sakg/sakg.go, `GetAccountSigner`.
pub fn account_signer(mnemonic: &str, passphrase: &str, number: u32) -> Result<(MemorySigner, Bip32Path), Error> {
    let path = Bip32Path::of_account(number)?;
    let seed = seed(mnemonic, passphrase)?;
    let key = ExtendedKey::master(&*seed)?.descendant(&path)?;
    Ok((key.signer(), path))
}

/// The seed of a mnemonic. Words may stand apart by any white space, which however counts: the seed is made of the text as
/// given, neither it nor the passphrase normalized.
///
/// Source: tyler-smith/go-bip39 v1.1.0, `IsMnemonicValid`, `NewSeed`.
pub fn seed(mnemonic: &str, passphrase: &str) -> Result<Zeroizing<[u8; 64]>, Error> {
    let words = Zeroizing::new(mnemonic.split_whitespace().collect::<Vec<_>>().join(" "));
    Mnemonic::parse_in_normalized(Language::English, &words).map_err(|_| Error::Mnemonic)?;
    // PBKDF2 with one block of output.
    let mut block = Zeroizing::new(hmac_sha512(mnemonic.as_bytes(), &[b"mnemonic", passphrase.as_bytes(), &1_u32.to_be_bytes()]));
    let mut out = block.clone();
    for _ in 1..ITERATIONS {
        *block = hmac_sha512(mnemonic.as_bytes(), &[&*block]);
        for (sum, byte) in out.iter_mut().zip(*block) {
            *sum ^= byte;
        }
    }
    Ok(out)
}

fn hmac_sha512(key: &[u8], parts: &[&[u8]]) -> [u8; 64] {
    // A key of any length is taken.
    let mut mac = <Hmac<Sha512> as Mac>::new_from_slice(key).unwrap_or_else(|_| <Hmac<Sha512> as Mac>::new(&Default::default()));
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}
