//! Records of the log that is written before the engine acts.
//!
//! A record is a protobuf message, the same as the original's; in a file it stands in a frame with checksum and length.
//! Source: tendermint `consensus/wal.go`, `proto/tendermint/consensus/{wal,types}.proto`.

use prost::{Message, Oneof};

use crate::{
    error::VerifyError,
    peer::PeerId,
    proto::{Duration, Part, Proposal, Timestamp, Vote},
    rounds::{RoundMessage, Step, TimeoutInfo},
};

/// The most bytes of a record. Source: `maxMsgSizeBytes`.
pub const MAX_RECORD_SIZE: usize = 1_048_576 + 24;

/// Bytes of a frame before the record: checksum, length.
pub const FRAME_HEADER_SIZE: usize = 8;

/// A record.
#[derive(Clone, Debug, PartialEq)]
pub enum WalRecord {
    /// A step was reached; nothing is done with it when the log is read.
    RoundState {
        /// Height.
        height: i64,
        /// Round.
        round: i32,
        /// Step.
        step: Step,
    },
    /// A message was acted upon; from nobody for our own.
    Message {
        /// Who sent it.
        from: Option<PeerId>,
        /// The message.
        msg: RoundMessage,
    },
    /// A timeout was acted upon.
    Timeout(TimeoutInfo),
    /// The block of a height is kept; 0 at the beginning of the log.
    EndHeight(i64),
}

#[derive(Clone, PartialEq, Message)]
struct TimedWalMessage {
    #[prost(message, required, tag = "1")]
    time: Timestamp,
    #[prost(message, optional, tag = "2")]
    msg: Option<WalMessage>,
}

#[derive(Clone, PartialEq, Message)]
struct WalMessage {
    #[prost(oneof = "WalSum", tags = "1, 2, 3, 4")]
    sum: Option<WalSum>,
}

#[derive(Clone, PartialEq, Oneof)]
enum WalSum {
    #[prost(message, tag = "1")]
    RoundState(WalRoundState),
    #[prost(message, tag = "2")]
    MsgInfo(WalMsgInfo),
    #[prost(message, tag = "3")]
    Timeout(WalTimeout),
    #[prost(message, tag = "4")]
    EndHeight(WalEndHeight),
}

#[derive(Clone, PartialEq, Message)]
struct WalRoundState {
    #[prost(int64, tag = "1")]
    height: i64,
    #[prost(int32, tag = "2")]
    round: i32,
    #[prost(string, tag = "3")]
    step: String,
}

#[derive(Clone, PartialEq, Message)]
struct WalMsgInfo {
    #[prost(message, required, tag = "1")]
    msg: WalConsensusMessage,
    #[prost(string, tag = "2")]
    peer_id: String,
}

#[derive(Clone, PartialEq, Message)]
struct WalConsensusMessage {
    #[prost(oneof = "WalConsensusSum", tags = "3, 5, 6")]
    sum: Option<WalConsensusSum>,
}

#[derive(Clone, PartialEq, Oneof)]
enum WalConsensusSum {
    #[prost(message, tag = "3")]
    Proposal(WalProposal),
    #[prost(message, tag = "5")]
    BlockPart(WalBlockPart),
    #[prost(message, tag = "6")]
    Vote(WalVote),
}

#[derive(Clone, PartialEq, Message)]
struct WalProposal {
    #[prost(message, required, tag = "1")]
    proposal: Proposal,
}

#[derive(Clone, PartialEq, Message)]
struct WalBlockPart {
    #[prost(int64, tag = "1")]
    height: i64,
    #[prost(int32, tag = "2")]
    round: i32,
    #[prost(message, required, tag = "3")]
    part: Part,
}

#[derive(Clone, PartialEq, Message)]
struct WalVote {
    #[prost(message, optional, tag = "1")]
    vote: Option<Vote>,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct WalTimeout {
    #[prost(message, required, tag = "1")]
    duration: Duration,
    #[prost(int64, tag = "2")]
    height: i64,
    #[prost(int32, tag = "3")]
    round: i32,
    #[prost(uint32, tag = "4")]
    step: u32,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct WalEndHeight {
    #[prost(int64, tag = "1")]
    height: i64,
}

impl WalRecord {
    /// The record's bytes; `now` is only for people who read the log. Source: `WALToProto`.
    pub fn encode(&self, now: Timestamp) -> Vec<u8> {
        let sum = match self {
            Self::RoundState { height, round, step } => {
                WalSum::RoundState(WalRoundState { height: *height, round: *round, step: step.name().to_owned() })
            }
            Self::Message { from, msg } => {
                let sum = match msg {
                    RoundMessage::Proposal(p) => WalConsensusSum::Proposal(WalProposal { proposal: p.clone() }),
                    RoundMessage::BlockPart { height, round, part } => {
                        WalConsensusSum::BlockPart(WalBlockPart { height: *height, round: *round, part: part.clone() })
                    }
                    RoundMessage::Vote(v) => WalConsensusSum::Vote(WalVote { vote: Some(v.clone()) }),
                };
                let peer_id = from.map(|p| p.to_string()).unwrap_or_default();
                WalSum::MsgInfo(WalMsgInfo { msg: WalConsensusMessage { sum: Some(sum) }, peer_id })
            }
            Self::Timeout(t) => {
                let duration = Duration::from_nanos(t.duration);
                WalSum::Timeout(WalTimeout { duration, height: t.height, round: t.round, step: t.step.number() })
            }
            Self::EndHeight(height) => WalSum::EndHeight(WalEndHeight { height: *height }),
        };
        TimedWalMessage { time: now, msg: Some(WalMessage { sum: Some(sum) }) }.encode_to_vec()
    }

    /// Reads a record's bytes. Source: `WALFromProto`.
    pub fn decode(bytes: &[u8]) -> Result<Self, VerifyError> {
        let wrong = |what: &str| VerifyError::new("record", what, "another");
        if bytes.len() > MAX_RECORD_SIZE {
            return Err(VerifyError::new("record", format_args!("up to {MAX_RECORD_SIZE} bytes"), bytes.len()));
        }
        let message = TimedWalMessage::decode(bytes).map_err(|e| VerifyError::new("record", "protobuf", e))?;
        let sum = message.msg.and_then(|m| m.sum).ok_or_else(|| wrong("a known kind of record"))?;
        Ok(match sum {
            WalSum::RoundState(s) => {
                let step = (1..=8).filter_map(Step::from_number).find(|k| k.name() == s.step);
                Self::RoundState { height: s.height, round: s.round, step: step.ok_or_else(|| wrong("a known step"))? }
            }
            WalSum::MsgInfo(info) => {
                let from = if info.peer_id.is_empty() {
                    None
                } else {
                    Some(info.peer_id.parse().map_err(|e| VerifyError::new("record.peer_id", "a peer ID", e))?)
                };
                let msg = match info.msg.sum.ok_or_else(|| wrong("a known kind of message"))? {
                    WalConsensusSum::Proposal(p) => {
                        p.proposal.check_basic()?;
                        RoundMessage::Proposal(p.proposal)
                    }
                    WalConsensusSum::BlockPart(p) => {
                        p.part.check_basic()?;
                        RoundMessage::BlockPart { height: p.height, round: p.round, part: p.part }
                    }
                    WalConsensusSum::Vote(v) => {
                        let vote = v.vote.ok_or_else(|| wrong("a vote"))?;
                        vote.check_basic()?;
                        RoundMessage::Vote(vote)
                    }
                };
                Self::Message { from, msg }
            }
            WalSum::Timeout(t) => Self::Timeout(TimeoutInfo {
                duration: t.duration.as_nanos(),
                height: t.height,
                round: t.round,
                step: Step::from_number(t.step).ok_or_else(|| wrong("a known step"))?,
            }),
            WalSum::EndHeight(e) => Self::EndHeight(e.height),
        })
    }

    /// The height that a record ends, without decoding what others hold; none for other records.
    pub fn end_height(bytes: &[u8]) -> Option<i64> {
        // The record of a height's end is short; messages are not worth decoding.
        if bytes.len() > 64 {
            return None;
        }
        match Self::decode(bytes) {
            Ok(Self::EndHeight(height)) => Some(height),
            _ => None,
        }
    }
}

/// What stands at a place of the log's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// Nothing: the end.
    End,
    /// A whole record, and what comes after it.
    Record(&'a [u8], &'a [u8]),
    /// A frame that is cut off or damaged, with the reason.
    Damaged(&'static str),
}

/// Puts a record into its frame. Source: `WALEncoder.Encode`.
pub fn frame(record: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(record.len().saturating_add(FRAME_HEADER_SIZE));
    out.extend_from_slice(&crc32c(record).to_be_bytes());
    out.extend_from_slice(&u32::try_from(record.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(record);
    out
}

/// Reads the frame at the beginning of `bytes`. Source: `WALDecoder.Decode`.
pub fn read_frame(bytes: &[u8]) -> Frame<'_> {
    if bytes.is_empty() {
        return Frame::End;
    }
    let Some((crc, rest)) = bytes.split_first_chunk::<4>() else { return Frame::Damaged("checksum cut off") };
    let Some((length, rest)) = rest.split_first_chunk::<4>() else { return Frame::Damaged("length cut off") };
    let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
    if length > MAX_RECORD_SIZE {
        return Frame::Damaged("a length above the limit");
    }
    let Some((record, rest)) = rest.split_at_checked(length) else { return Frame::Damaged("record cut off") };
    if crc32c(record) != u32::from_be_bytes(*crc) {
        return Frame::Damaged("a checksum that does not hold");
    }
    Frame::Record(record, rest)
}

/// The polynomial of Castagnoli, bits reversed.
const CASTAGNOLI: u32 = 0x82f6_3b78;

const CRC_TABLE: [u32; 256] = crc_table();

#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "computed by the compiler")]
const fn crc_table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        let mut crc = i as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ CASTAGNOLI } else { crc >> 1 };
            bit += 1;
        }
        table[i] = crc;
        i += 1;
    }
    table
}

/// CRC-32C. Source: Go, `hash/crc32`, `Castagnoli`.
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        let [low, ..] = crc.to_le_bytes();
        (crc >> 8) ^ CRC_TABLE.get(usize::from(low ^ byte)).copied().unwrap_or(0)
    };
    !bytes.iter().fold(u32::MAX, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp { seconds: 1_700_000_000, nanos: 7 };

    fn records() -> Vec<WalRecord> {
        let mut proposal = Proposal { r#type: 32, height: 3, pol_round: -1, timestamp: NOW, signature: vec![1; 64], ..Default::default() };
        proposal.block_id.hash = vec![1; 32];
        proposal.block_id.part_set_header = crate::part_set_header(b"block");
        let part = crate::parts::PartSet::from_bytes(b"block").part(0).unwrap().as_ref().clone();
        let vote =
            Vote { r#type: 1, height: 3, validator_address: vec![1; 20], timestamp: NOW, signature: vec![2; 64], ..Default::default() };
        let own = |msg| WalRecord::Message { from: None, msg };
        vec![
            WalRecord::EndHeight(0),
            WalRecord::RoundState { height: 3, round: 1, step: Step::PrevoteWait },
            own(RoundMessage::Proposal(proposal)),
            own(RoundMessage::BlockPart { height: 3, round: 1, part }),
            WalRecord::Message { from: Some(PeerId([7; 20])), msg: RoundMessage::Vote(vote) },
            WalRecord::Timeout(TimeoutInfo { duration: 3_500_000_000, height: 3, round: 1, step: Step::Propose }),
            WalRecord::EndHeight(i64::MAX),
        ]
    }

    #[test]
    fn records_are_read_as_they_were_written() {
        for record in records() {
            let bytes = record.encode(NOW);
            let end = if let WalRecord::EndHeight(h) = record { Some(h) } else { None };
            assert_eq!(WalRecord::end_height(&bytes), end);
            assert_eq!(WalRecord::decode(&bytes), Ok(record));
        }
    }

    #[test]
    fn the_checksum_is_crc_32c() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(b""), 0);
    }

    #[test]
    fn a_log_cut_at_any_byte_gives_the_whole_records_before_it() {
        let frames: Vec<Vec<u8>> = records().iter().map(|r| frame(&r.encode(NOW))).collect();
        let log = frames.concat();
        for cut in 0..=log.len() {
            let mut rest = &log[..cut];
            let mut whole = 0;
            let mut at = 0;
            let damaged = loop {
                match read_frame(rest) {
                    Frame::Record(record, after) => {
                        assert_eq!(WalRecord::decode(record).as_ref(), Ok(&records()[whole]));
                        at += frames[whole].len();
                        whole += 1;
                        rest = after;
                    }
                    Frame::End => break false,
                    Frame::Damaged(_) => break true,
                }
            };
            assert_eq!(damaged, at != cut, "cut at {cut}");
        }
    }

    #[test]
    fn a_changed_byte_is_found() {
        let good = frame(&records()[2].encode(NOW));
        for i in 0..good.len() {
            let mut bad = good.clone();
            bad[i] ^= 0x40;
            assert!(!matches!(read_frame(&bad), Frame::Record(_, [])), "byte {i}");
        }
    }
}
