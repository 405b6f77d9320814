//! Messages from pieces.

use std::{collections::BTreeMap, time::Duration};

use bytes::{Bytes, BytesMut};
use thiserror::Error;
use tokio::time::Instant;

use super::ChannelDescriptor;

/// Why a piece was refused.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ReceiveError {
    /// We have no such channel.
    #[error("unknown channel {0:#04x}")]
    UnknownChannel(u8),
    /// The message is too long.
    #[error("channel {channel:#04x}: a message of more than {most} bytes")]
    TooLong {
        /// The channel.
        channel: u8,
        /// The limit.
        most: usize,
    },
    /// The message does not end.
    #[error("channel {channel:#04x}: a message did not end within {limit:?}")]
    Endless {
        /// The channel.
        channel: u8,
        /// The limit.
        limit: Duration,
    },
}

/// Puts pieces together.
pub struct Assembler {
    channels: BTreeMap<u8, Partial>,
    timeout: Duration,
}

struct Partial {
    descriptor: ChannelDescriptor,
    data: BytesMut,
    since: Option<Instant>,
}

impl Assembler {
    /// For these channels; a message may take as long as `timeout`.
    pub fn new(descriptors: &[ChannelDescriptor], timeout: Duration) -> Self {
        let channel = |d: &ChannelDescriptor| (d.id, Partial { descriptor: *d, data: BytesMut::new(), since: None });
        Self { channels: descriptors.iter().map(channel).collect(), timeout }
    }

    /// Takes a piece; returns the message if it is whole.
    ///
    /// Source: `Channel.recvPacketMsg`.
    pub fn receive(&mut self, channel: u8, last: bool, piece: &[u8], now: Instant) -> Result<Option<Bytes>, ReceiveError> {
        let partial = self.channels.get_mut(&channel).ok_or(ReceiveError::UnknownChannel(channel))?;
        let most = partial.descriptor.recv_message_capacity;
        if partial.data.len().saturating_add(piece.len()) > most {
            return Err(ReceiveError::TooLong { channel, most });
        }
        if last && partial.data.is_empty() {
            return Ok(Some(Bytes::copy_from_slice(piece)));
        }
        if partial.data.is_empty() {
            partial.data.reserve(partial.descriptor.recv_buffer_capacity.min(most));
            partial.since = Some(now);
        }
        partial.data.extend_from_slice(piece);
        if !last {
            return Ok(None);
        }
        partial.since = None;
        Ok(Some(std::mem::take(&mut partial.data).freeze()))
    }

    /// Refuses messages that do not end.
    pub fn check_age(&self, now: Instant) -> Result<(), ReceiveError> {
        for (channel, partial) in &self.channels {
            if partial.since.is_some_and(|since| now.saturating_duration_since(since) > self.timeout) {
                return Err(ReceiveError::Endless { channel: *channel, limit: self.timeout });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assembler() -> Assembler {
        let small = ChannelDescriptor { recv_message_capacity: 10, ..ChannelDescriptor::new(1, 1) };
        Assembler::new(&[small, ChannelDescriptor::new(2, 1)], Duration::from_secs(10))
    }

    #[test]
    fn channels_do_not_mix() {
        let (mut assembler, now) = (assembler(), Instant::now());
        assert_eq!(assembler.receive(1, false, b"ab", now), Ok(None));
        assert_eq!(assembler.receive(2, false, b"xy", now), Ok(None));
        assert_eq!(assembler.receive(1, true, b"c", now), Ok(Some(Bytes::from_static(b"abc"))));
        assert_eq!(assembler.receive(2, true, b"", now), Ok(Some(Bytes::from_static(b"xy"))));
        assert_eq!(assembler.receive(1, true, b"", now), Ok(Some(Bytes::new())));
    }

    #[test]
    fn a_message_over_the_channels_limit_is_refused_in_pieces_or_whole() {
        let now = Instant::now();
        let error = Err(ReceiveError::TooLong { channel: 1, most: 10 });
        assert_eq!(assembler().receive(1, true, &[0; 11], now), error);
        let mut assembler = assembler();
        assert!(assembler.receive(1, false, &[0; 10], now).is_ok());
        assert_eq!(assembler.receive(1, false, &[0; 1], now), error);
    }

    #[test]
    fn a_channel_that_we_have_not_is_refused() {
        assert_eq!(assembler().receive(3, true, b"", Instant::now()), Err(ReceiveError::UnknownChannel(3)));
    }

    #[test]
    fn a_message_that_does_not_end_is_refused() {
        let (mut assembler, now) = (assembler(), Instant::now());
        assembler.receive(2, false, b"a", now).unwrap();
        assert_eq!(assembler.check_age(now + Duration::from_secs(10)), Ok(()));
        let error = ReceiveError::Endless { channel: 2, limit: Duration::from_secs(10) };
        assert_eq!(assembler.check_age(now + Duration::from_secs(11)), Err(error));
        assembler.receive(2, true, b"b", now).unwrap();
        assert_eq!(assembler.check_age(now + Duration::from_secs(11)), Ok(()));
    }
}
