//! Packets.

use bytes::{Bytes, BytesMut};
use prost::Message;
use thiserror::Error;

use crate::wire::{PacketMessage, PacketMsg, PacketSum, PingPong, WireError, decode, put_delimited};

/// What goes over a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    /// Are you there?
    Ping,
    /// Yes.
    Pong,
    /// A piece of a message.
    Piece {
        /// The channel.
        channel: u8,
        /// Whether the message ends here.
        last: bool,
        /// The piece.
        data: Bytes,
    },
}

/// Why a packet was refused.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum PacketError {
    /// Not a packet.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// A packet of no kind.
    #[error("a packet of no kind")]
    Empty,
    /// Channels are numbered 0 to 255.
    #[error("no channel has the number {0}")]
    Channel(i32),
    /// A piece without data that ends nothing: nobody sends such.
    #[error("an empty piece that ends no message")]
    Pointless,
}

impl Packet {
    /// Appends the packet behind its length; returns how many bytes that took.
    pub fn put(self, out: &mut BytesMut) -> usize {
        let sum = match self {
            Self::Ping => PacketSum::Ping(PingPong {}),
            Self::Pong => PacketSum::Pong(PingPong {}),
            Self::Piece { channel, last, data } => PacketSum::Msg(PacketMsg { channel_id: channel.into(), eof: last, data }),
        };
        let before = out.len();
        put_delimited(&PacketMessage { sum: Some(sum) }, out);
        out.len().saturating_sub(before)
    }

    /// Reads a packet.
    ///
    /// Source: `recvRoutine`; the original cuts channel numbers to a byte, and takes empty pieces.
    pub fn decode(bytes: &Bytes) -> Result<Self, PacketError> {
        match decode::<PacketMessage>(bytes, "packet")?.sum {
            None => Err(PacketError::Empty),
            Some(PacketSum::Ping(_)) => Ok(Self::Ping),
            Some(PacketSum::Pong(_)) => Ok(Self::Pong),
            Some(PacketSum::Msg(PacketMsg { channel_id, eof, data })) => {
                let channel = channel_id.try_into().map_err(|_| PacketError::Channel(channel_id))?;
                if data.is_empty() && !eof {
                    return Err(PacketError::Pointless);
                }
                Ok(Self::Piece { channel, last: eof, data })
            }
        }
    }
}

/// Most bytes of a packet, without its length. Source: `maxPacketMsgSize`.
pub fn max_packet_size(max_payload: usize) -> usize {
    // The payload, its tag and length; channel and end, 2 bytes each (3 for channels from 128); the outer tag and length.
    let number = |n: usize| prost::encoding::encoded_len_varint(n as u64);
    let inner = PacketMsg { channel_id: 1, eof: true, data: Bytes::new() }.encoded_len();
    let inner = inner.saturating_add(1).saturating_add(number(max_payload)).saturating_add(max_payload);
    inner.saturating_add(1).saturating_add(number(inner))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn packets_are_written_as_the_original_writes_them() {
        let written = |packet: Packet| {
            let mut out = BytesMut::new();
            packet.put(&mut out);
            hex::encode(out)
        };
        assert_eq!(written(Packet::Ping), "020a00");
        assert_eq!(written(Packet::Pong), "021200");
        assert_eq!(written(Packet::Piece { channel: 0x20, last: true, data: Bytes::from_static(b"hi") }), "0a1a08082010011a026869");
        assert_eq!(written(Packet::Piece { channel: 0, last: true, data: Bytes::new() }), "041a021001");
    }

    #[test]
    fn the_longest_packet_has_the_originals_size() {
        assert_eq!(max_packet_size(1024), 1034);
        let mut out = BytesMut::new();
        let full = Packet::Piece { channel: 0x61, last: true, data: vec![0; 1024].into() };
        assert_eq!(full.put(&mut out), 1036);
    }

    #[test]
    fn packets_that_nobody_sends_are_refused() {
        let error = |hex: &str| Packet::decode(&hex::decode(hex).unwrap().into()).unwrap_err();
        assert_eq!(error(""), PacketError::Empty);
        assert_eq!(error("1a020820"), PacketError::Pointless);
        assert_eq!(error("1a0508a0021001"), PacketError::Channel(288));
        assert_eq!(error("1a0d08ffffffffffffffffff011001"), PacketError::Channel(-1));
        assert_eq!(error("0a001a021001"), PacketError::Wire(WireError::NotCanonical("packet")));
        assert_eq!(error("0a020801"), PacketError::Wire(WireError::NotCanonical("packet")));
    }

    proptest! {
        #[test]
        fn packets_come_out_as_they_went_in(channel: u8, last: bool, data in prop::collection::vec(any::<u8>(), 1..1024)) {
            let packet = Packet::Piece { channel, last, data: data.into() };
            let mut out = BytesMut::new();
            packet.clone().put(&mut out);
            let bytes = crate::wire::take_delimited(&mut out, 1035).unwrap().unwrap();
            prop_assert_eq!(Packet::decode(&bytes).unwrap(), packet);
            prop_assert!(out.is_empty());
        }

        #[test]
        fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = Packet::decode(&bytes.into());
        }
    }
}
