//! Channel 0x38: evidence of misbehaviour.

use prost::Message;

use super::{ChannelId, MessageError, channels::max_message, lenient_as_original};
use crate::proto::{Evidence, EvidenceList};

/// Pieces of evidence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EvidenceMessage(pub Vec<Evidence>);

impl EvidenceMessage {
    /// Reads and checks a message. Source: tendermint `evidence/reactor.go`, `decodeMsg`.
    pub fn decode(bytes: &[u8]) -> Result<Self, MessageError> {
        let list: EvidenceList = lenient_as_original(bytes, max_message(ChannelId::EVIDENCE))?;
        for (i, evidence) in list.evidence.iter().enumerate() {
            evidence.check_basic().map_err(|e| e.inside(&format!("evidence[{i}]")))?;
        }
        Ok(Self(list.evidence))
    }

    /// The bytes to send.
    pub fn to_bytes(self) -> Vec<u8> {
        EvidenceList { evidence: self.0 }.encode_to_vec()
    }
}
