//! Messages as bytes.

mod delimited;
mod proto;

pub use delimited::{put_delimited, take_delimited};
pub use proto::{
    AuthSigMessage, BytesValue, NetAddressMessage, NodeInfoMessage, NodeInfoOther, PacketMessage, PacketMsg, PacketSum, PexAddrs,
    PexMessage, PexSum, PingPong, ProtocolVersion,
};

use bytes::Bytes;
use prost::Message;
use thiserror::Error;

/// Why bytes of a peer were refused.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum WireError {
    /// Not protobuf of this type.
    #[error("malformed {what}: {detail}")]
    Malformed {
        /// The message.
        what: &'static str,
        /// What is wrong.
        detail: String,
    },
    /// Protobuf of this type, but not written as the original writes it.
    #[error("{0} is not in the original's encoding")]
    NotCanonical(&'static str),
    /// A length that no message has.
    #[error("a message of {found} bytes, at most {most} are allowed")]
    TooLong {
        /// The announced length in bytes.
        found: u64,
        /// The limit in bytes.
        most: usize,
    },
    /// A length that does not end.
    #[error("the length of a message is not a number of 64 bits")]
    BadLength,
}

/// Decodes a message and refuses every encoding of it but the original's own.
pub fn decode<M: Message + Default>(bytes: &Bytes, what: &'static str) -> Result<M, WireError> {
    let message = M::decode(bytes.clone()).map_err(|e| WireError::Malformed { what, detail: e.to_string() })?;
    if message.encoded_len() != bytes.len() || message.encode_to_vec() != *bytes {
        return Err(WireError::NotCanonical(what));
    }
    Ok(message)
}
