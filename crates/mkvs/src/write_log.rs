//! Write logs: which keys a commit changed.

use oasis_primitives::cbor::{Cbor, NilVec};

/// A key and what was written there.
///
/// Source: go/storage/mkvs/writelog/writelog.go, `LogEntry`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Cbor)]
#[cbor(as_array)]
pub struct LogEntry {
    /// The key.
    pub key: NilVec<u8>,
    /// The new value; none where the key was removed.
    pub value: Option<Vec<u8>>,
}

/// The changes of a commit, one entry a key.
///
/// The original's order is random; ours is the order of keys.
///
/// Source: go/storage/mkvs/writelog/writelog.go, `WriteLog`.
pub type WriteLog = Vec<LogEntry>;
