//! What nodes offer to do.

use std::fmt;

use oasis_primitives::{cbor::Cbor, json};

/// A set of roles, one bit each; bits without a meaning survive decoding.
///
/// Source: go/common/node/node.go, `RolesMask`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Cbor)]
#[cbor(transparent)]
pub struct Roles(pub u32);

impl Roles {
    /// Executes runtime transactions.
    pub const COMPUTE_WORKER: Self = Self(1);
    /// Stores runtime state.
    pub const STORAGE_WORKER: Self = Self(1 << 1);
    /// Keeps keys.
    pub const KEY_MANAGER: Self = Self(1 << 2);
    /// Validates consensus blocks.
    pub const VALIDATOR: Self = Self(1 << 3);
    /// Offers public consensus services.
    pub const CONSENSUS_RPC: Self = Self(1 << 4);
    /// Offers public storage services.
    pub const STORAGE_RPC: Self = Self(1 << 5);
    /// The bits without a meaning.
    pub const RESERVED: Self = Self(!((1 << 6) - 1));

    /// Every role with its name, in the order of the bits.
    pub const ALL: [(Self, &'static str); 6] = [
        (Self::COMPUTE_WORKER, "compute"),
        (Self::STORAGE_WORKER, "storage"),
        (Self::KEY_MANAGER, "key-manager"),
        (Self::VALIDATOR, "validator"),
        (Self::CONSENSUS_RPC, "consensus-rpc"),
        (Self::STORAGE_RPC, "storage-rpc"),
    ];

    /// Whether any of `roles` is in the set.
    pub fn has(self, roles: Self) -> bool {
        self.0 & roles.0 != 0
    }

    /// The roles of both.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether this is exactly one role that has a meaning.
    pub fn is_single(self) -> bool {
        self.0.is_power_of_two() && !self.has(Self::RESERVED)
    }

    /// Reads role names with commas between; each at most once.
    pub fn from_text(text: &str) -> Option<Self> {
        let mut out = Self::default();
        for part in text.split(',') {
            let (role, _) = Self::ALL.into_iter().find(|(_, name)| *name == part)?;
            if out.has(role) {
                return None;
            }
            out = out.with(role);
        }
        Some(out)
    }
}

impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.has(Self::RESERVED) {
            return f.write_str("[invalid roles]");
        }
        let names: Vec<_> = Self::ALL.into_iter().filter(|(role, _)| self.has(*role)).map(|(_, name)| name).collect();
        f.write_str(&names.join(","))
    }
}

json::text_json!(Roles, "role names with commas between", Roles::from_text);
