//! Channel 0x30: transactions.

use prost::{Message, Oneof};

use super::{ChannelId, MessageError, channels::max_message, lenient};
use crate::error::VerifyError;

/// Transactions; the original sends one at a time.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct TxsMessage {
    /// The transactions.
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub txs: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Oneof)]
enum Sum {
    #[prost(message, tag = "1")]
    Txs(TxsMessage),
}

#[derive(Clone, PartialEq, Message)]
struct Envelope {
    #[prost(oneof = "Sum", tags = "1")]
    sum: Option<Sum>,
}

impl TxsMessage {
    /// Reads and checks a message. Source: tendermint `mempool/reactor.go`, `Reactor.decodeMsg`.
    pub fn decode_message(bytes: &[u8]) -> Result<Self, MessageError> {
        let envelope: Envelope = lenient(bytes, max_message(ChannelId::MEMPOOL))?;
        let Some(Sum::Txs(message)) = envelope.sum else {
            return Err(MessageError::UnknownKind);
        };
        if message.txs.is_empty() {
            return Err(VerifyError::new("txs", "at least one", "nothing").into());
        }
        Ok(message)
    }

    /// The bytes to send.
    pub fn to_bytes(self) -> Vec<u8> {
        Envelope { sum: Some(Sum::Txs(self)) }.encode_to_vec()
    }
}
