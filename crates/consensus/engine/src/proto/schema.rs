//! The fields of the messages that peers may send in odd encodings, for the lenient decoder.

use Field::{Bytes, BytesList, Int32, Int64, List, Message, OneOf, Optional, Time, Uint32};

use super::{
    gogo::Lenient,
    parts::Proposal,
    types::{Block, EvidenceList, Vote},
};

/// Fields by number, ascending.
pub(crate) type Schema = [(u32, Field)];

/// The fields of a message inside of another.
type Inner = fn() -> &'static Schema;

/// How a field is read and written.
#[derive(Clone, Copy)]
pub(crate) enum Field {
    Int64,
    Int32,
    Uint32,
    Bytes,
    BytesList,
    /// Embedded by value, written even if empty.
    Message(Inner),
    Optional(Inner),
    List(Inner),
    Time,
    /// One of a oneof, a message or bytes; all fields of its message are.
    OneOf(Option<Inner>),
}

impl Field {
    /// An integer as it is written after it was cut to the field's width.
    pub(crate) fn cut(self, value: u64) -> u64 {
        let low = value & 0xffff_ffff;
        match self {
            Self::Uint32 => low,
            Self::Int32 if low >> 31 == 1 => low | 0xffff_ffff_0000_0000,
            Self::Int32 => low,
            _ => value,
        }
    }
}

const CONSENSUS: &Schema = &[(1, Int64), (2, Int64)];
const PART_SET_HEADER: &Schema = &[(1, Uint32), (2, Bytes)];
const BLOCK_ID: &Schema = &[(1, Bytes), (2, Message(|| PART_SET_HEADER))];
const HEADER: &Schema = &[
    (1, Message(|| CONSENSUS)),
    (2, Bytes),
    (3, Int64),
    (4, Time),
    (5, Message(|| BLOCK_ID)),
    (6, Bytes),
    (7, Bytes),
    (8, Bytes),
    (9, Bytes),
    (10, Bytes),
    (11, Bytes),
    (12, Bytes),
    (13, Bytes),
    (14, Bytes),
];
const DATA: &Schema = &[(1, BytesList)];
const VOTE: &Schema = &[(1, Int32), (2, Int64), (3, Int32), (4, Message(|| BLOCK_ID)), (5, Time), (6, Bytes), (7, Int32), (8, Bytes)];
const PROPOSAL: &Schema = &[(1, Int32), (2, Int64), (3, Int32), (4, Int32), (5, Message(|| BLOCK_ID)), (6, Time), (7, Bytes)];
const COMMIT_SIG: &Schema = &[(1, Int32), (2, Bytes), (3, Time), (4, Bytes)];
const COMMIT: &Schema = &[(1, Int64), (2, Int32), (3, Message(|| BLOCK_ID)), (4, List(|| COMMIT_SIG))];
const PUBLIC_KEY: &Schema = &[(1, OneOf(None)), (2, OneOf(None))];
const VALIDATOR: &Schema = &[(1, Bytes), (2, Message(|| PUBLIC_KEY)), (3, Int64), (4, Int64)];
const VALIDATOR_SET: &Schema = &[(1, List(|| VALIDATOR)), (2, Optional(|| VALIDATOR)), (3, Int64)];
const SIGNED_HEADER: &Schema = &[(1, Optional(|| HEADER)), (2, Optional(|| COMMIT))];
const LIGHT_BLOCK: &Schema = &[(1, Optional(|| SIGNED_HEADER)), (2, Optional(|| VALIDATOR_SET))];
const DUPLICATE_VOTE: &Schema = &[(1, Optional(|| VOTE)), (2, Optional(|| VOTE)), (3, Int64), (4, Int64), (5, Time)];
const LIGHT_CLIENT_ATTACK: &Schema = &[(1, Optional(|| LIGHT_BLOCK)), (2, Int64), (3, List(|| VALIDATOR)), (4, Int64), (5, Time)];
const EVIDENCE: &Schema = &[(1, OneOf(Some(|| DUPLICATE_VOTE))), (2, OneOf(Some(|| LIGHT_CLIENT_ATTACK)))];
const EVIDENCE_LIST: &Schema = &[(1, List(|| EVIDENCE))];
const BLOCK: &Schema = &[(1, Message(|| HEADER)), (2, Message(|| DATA)), (3, Message(|| EVIDENCE_LIST)), (4, Optional(|| COMMIT))];

/// Messages of the consensus channels. Those without times are taken as they are.
///
/// Source: tendermint `proto/tendermint/consensus/types.proto`, `Message`.
pub(crate) const CONSENSUS_ENVELOPE: &Schema = &[
    (1, OneOf(None)),
    (2, OneOf(None)),
    (3, OneOf(Some(|| &[(1, Message(|| PROPOSAL))]))),
    (4, OneOf(None)),
    (5, OneOf(None)),
    (6, OneOf(Some(|| &[(1, Optional(|| VOTE))]))),
    (7, OneOf(None)),
    (8, OneOf(None)),
    (9, OneOf(None)),
];

impl Lenient for Block {
    const SCHEMA: &'static Schema = BLOCK;
}

impl Lenient for EvidenceList {
    const SCHEMA: &'static Schema = EVIDENCE_LIST;
}

impl Lenient for Vote {
    const SCHEMA: &'static Schema = VOTE;
}

impl Lenient for Proposal {
    const SCHEMA: &'static Schema = PROPOSAL;
}
