//! Committees, their kinds and roles.

use std::fmt;

use oasis_primitives::{
    cbor::{Cbor, NilVec, OrNil},
    hash::Hash,
    json::{Json, text_json},
    namespace::Namespace,
    signature::PublicKey,
};

/// What a node does in a committee.
///
/// Source: go/scheduler/api/api.go, `Role`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Cbor)]
#[cbor(transparent)]
pub struct Role(pub u8);

impl Role {
    /// No role.
    pub const INVALID: Self = Self(0);
    /// Executes every round.
    pub const WORKER: Self = Self(1);
    /// Executes where the workers disagree.
    pub const BACKUP_WORKER: Self = Self(2);
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::INVALID => f.write_str("invalid"),
            Self::WORKER => f.write_str("worker"),
            Self::BACKUP_WORKER => f.write_str("backup-worker"),
            Self(other) => write!(f, "[unknown role: {other}]"),
        }
    }
}

text_json!(Role, "role: worker or backup-worker", |text: &str| match text {
    "worker" => Some(Role::WORKER),
    "backup-worker" => Some(Role::BACKUP_WORKER),
    _ => None,
});

/// What a committee is for.
///
/// Source: go/scheduler/api/api.go, `CommitteeKind`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Cbor)]
#[cbor(transparent)]
pub struct CommitteeKind(pub u8);

impl CommitteeKind {
    /// No kind.
    pub const INVALID: Self = Self(0);
    /// Executes a runtime's transactions.
    pub const COMPUTE_EXECUTOR: Self = Self(1);
    /// Stores a runtime's state.
    pub const STORAGE: Self = Self(2);
}

impl fmt::Display for CommitteeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::INVALID => f.write_str("invalid"),
            Self::COMPUTE_EXECUTOR => f.write_str("executor"),
            Self::STORAGE => f.write_str("storage"),
            Self(other) => write!(f, "[unknown kind: {other}]"),
        }
    }
}

text_json!(CommitteeKind, "committee kind: executor or storage", |text: &str| match text {
    "executor" => Some(CommitteeKind::COMPUTE_EXECUTOR),
    "storage" => Some(CommitteeKind::STORAGE),
    _ => None,
});

/// A member of a committee.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct CommitteeNode {
    /// What the node does.
    pub role: Role,
    /// The node's identity.
    pub public_key: PublicKey,
}

/// A runtime's committee in an epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct Committee {
    /// What the committee is for.
    pub kind: CommitteeKind,
    /// The members in the order of their election.
    pub members: NilVec<OrNil<CommitteeNode>>,
    /// The runtime.
    pub runtime_id: Namespace,
    /// The epoch of the election.
    pub valid_for: u64,
}

impl Committee {
    /// The members with the worker's role, in order.
    ///
    /// Source: go/scheduler/api/api.go, `Committee.Workers`.
    pub fn workers(&self) -> impl Iterator<Item = &CommitteeNode> {
        self.members.iter().map(|m| &**m).filter(|m| m.role == Role::WORKER)
    }

    /// The worker that proposes the batch after the block of `round`; none without workers.
    ///
    /// Source: go/roothash/api/commitment/txnscheduler.go, `GetTransactionScheduler`.
    pub fn transaction_scheduler(&self, round: u64) -> Option<&CommitteeNode> {
        let count = u64::try_from(self.workers().count()).ok()?;
        let index = usize::try_from(round.checked_rem(count)?).ok()?;
        self.workers().nth(index)
    }

    /// The hash of the encoded members.
    ///
    /// Source: go/scheduler/api/api.go, `Committee.EncodedMembersHash`.
    pub fn members_hash(&self) -> Hash {
        Hash::of_cbor(&self.members)
    }
}
