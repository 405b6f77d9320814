//! Keys that are never accepted.

use std::collections::BTreeSet;

use super::{MemorySigner, PublicKey, Signer};

/// A reserved key: a recognizable start filled up with ones.
const fn reserved(start: [u8; 8]) -> PublicKey {
    let mut out = [0xff; 32];
    let (head, _) = out.split_at_mut(8);
    head.copy_from_slice(&start);
    PublicKey(out)
}

/// The keys of the common pool, the fee accumulator and the governance deposits, in this order. Nobody knows their
/// private keys; their accounts belong to the staking module.
///
/// Source: go/staking/api/api.go, `CommonPoolAddress`, `FeeAccumulatorAddress`, `GovernanceDepositsAddress`.
pub const RESERVED_KEYS: [PublicKey; 3] = [
    reserved([0x1a, 0xbe, 0x11, 0xed, 0xc0, 0x01, 0xff, 0xff]),
    reserved([0x1a, 0xbe, 0x11, 0xed, 0xfe, 0xea, 0xcc, 0xff]),
    reserved([0x1a, 0xbe, 0x11, 0xed, 0xde, 0xac, 0xcf, 0xff]),
];

/// The names whose keys the original compiles into a node for tests.
///
/// Source: go/common/entity/entity.go, go/keymanager/api/api.go, go/consensus/tendermint/beacon/beacon.go,
/// go/upgrade/migrations/dummy.go.
const TEST_KEY_NAMES: [&str; 7] = [
    "ekiden test entity key seed",
    "ekiden test key manager RAK seed",
    "ekiden key manager test multisig key 0",
    "ekiden key manager test multisig key 1",
    "ekiden key manager test multisig key 2",
    "oasis-core epochtime mock key seed",
    "__e2e-test-migration-entity",
];

/// A test key whose private part was published.
///
/// Source: go/keymanager/api/api.go, `oldTestKey`.
const OLD_TEST_KEY: PublicKey = PublicKey([
    0x9d, 0x41, 0xa8, 0x74, 0xb8, 0x0e, 0x39, 0xa4, 0x0c, 0x96, 0x44, 0xe9, 0x64, 0xf0, 0xe4, 0xf9, 0x67, 0x10, 0x0c, 0x91, 0x65, 0x4b,
    0xfd, 0x76, 0x66, 0x43, 0x5f, 0xe9, 0x06, 0xaf, 0x06, 0x0f,
]);

/// The public keys whose private keys everybody knows.
pub fn known_test_keys() -> impl Iterator<Item = PublicKey> {
    TEST_KEY_NAMES.into_iter().map(|name| MemorySigner::for_test(name).public_key()).chain([OLD_TEST_KEY])
}

/// The public keys whose signatures are refused.
///
/// Source: go/common/crypto/signature/signature.go, `PublicKey.IsBlacklisted`. The default holds the reserved keys, which
/// are always on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blacklist(BTreeSet<PublicKey>);

impl Default for Blacklist {
    fn default() -> Self {
        Self(RESERVED_KEYS.into())
    }
}

impl Blacklist {
    /// The reserved keys and, unless allowed, the known test keys.
    ///
    /// Source: go/common/crypto/signature/signature.go, `BuildPublicKeyBlacklist`.
    pub fn new(allow_test_keys: bool) -> Self {
        let mut out = Self::default();
        if !allow_test_keys {
            out.0.extend(known_test_keys());
        }
        out
    }

    /// Adds a key, such as one of the genesis document's; false where it was on the list before.
    pub fn insert(&mut self, key: PublicKey) -> bool {
        self.0.insert(key)
    }

    /// Whether a key is refused.
    pub fn contains(&self, key: &PublicKey) -> bool {
        self.0.contains(key)
    }
}
