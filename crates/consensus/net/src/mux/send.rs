//! Messages that wait, and whose turn it is.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use thiserror::Error;

use super::{ChannelDescriptor, packet::Packet};

/// Why a message was not queued.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum SendError {
    /// We have no such channel.
    #[error("unknown channel {0:#04x}")]
    UnknownChannel(u8),
    /// The peer does not know the channel.
    #[error("the peer does not know channel {0:#04x}")]
    PeerLacksChannel(u8),
    /// Too much waits already: the peer is dropped.
    #[error("{waiting} bytes wait for the peer, at most {most} may")]
    Full {
        /// Bytes that would wait.
        waiting: usize,
        /// The limit.
        most: usize,
    },
    /// No such peer is connected.
    #[error("no such peer is connected")]
    NotConnected,
}

/// Messages that wait to be sent to a peer.
#[derive(Debug)]
pub struct SendQueues {
    channels: Vec<Queue>,
    waiting: usize,
    most: usize,
    max_payload: usize,
}

#[derive(Debug)]
struct Queue {
    id: u8,
    priority: u32,
    messages: VecDeque<Bytes>,
    /// What is left of the message in front, with its whole length.
    sending: Option<(Bytes, usize)>,
    /// Bytes sent lately; a fifth is forgotten every two seconds.
    recently_sent: u64,
}

impl SendQueues {
    /// Queues for these channels: at most `most` bytes wait, packets carry up to `max_payload`.
    pub fn new(descriptors: &[ChannelDescriptor], most: usize, max_payload: usize) -> Self {
        let queue = |d: &ChannelDescriptor| Queue {
            id: d.id,
            priority: d.priority.max(1),
            messages: VecDeque::new(),
            sending: None,
            recently_sent: 0,
        };
        Self { channels: descriptors.iter().map(queue).collect(), waiting: 0, most, max_payload: max_payload.max(1) }
    }

    /// Bytes of messages that wait, those partly sent counted whole.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.channels.iter().all(|c| c.sending.is_none() && c.messages.is_empty())
    }

    /// Queues a message.
    pub fn push(&mut self, channel: u8, message: Bytes) -> Result<(), SendError> {
        let queue = self.channels.iter_mut().find(|c| c.id == channel).ok_or(SendError::UnknownChannel(channel))?;
        // Messages take room even where they are empty.
        let waiting = self.waiting.saturating_add(cost(message.len()));
        if waiting > self.most && self.waiting > 0 {
            return Err(SendError::Full { waiting, most: self.most });
        }
        queue.messages.push_back(message);
        self.waiting = waiting;
        Ok(())
    }

    /// Appends the next packet to `out`: of the channel that sent the least for its priority.
    ///
    /// Returns nothing where nothing waits, else the packet's bytes, and channel and length of the message that ended with it.
    /// Source: `sendPacketMsg`, `Channel.nextPacketMsg`.
    #[allow(clippy::type_complexity)]
    pub fn next(&mut self, out: &mut BytesMut) -> Option<(usize, Option<(u8, usize)>)> {
        let mut best: Option<&mut Queue> = None;
        for queue in &mut self.channels {
            if queue.sending.is_none() {
                queue.sending = queue.messages.pop_front().map(|m| (m.clone(), m.len()));
            }
            if queue.sending.is_some() && best.as_ref().is_none_or(|b| queue.is_before(b)) {
                best = Some(queue);
            }
        }
        let queue = best?;
        let (mut rest, whole) = queue.sending.take()?;
        let data = rest.split_to(rest.len().min(self.max_payload));
        let last = rest.is_empty();
        let written = Packet::Piece { channel: queue.id, last, data }.put(out);
        queue.recently_sent = queue.recently_sent.saturating_add(written as u64);
        if last {
            self.waiting = self.waiting.saturating_sub(cost(whole));
            return Some((written, Some((queue.id, whole))));
        }
        queue.sending = Some((rest, whole));
        Some((written, None))
    }

    /// Forgets a fifth of what was sent; to be called every two seconds. Source: `Channel.updateStats`.
    pub fn decay(&mut self) {
        for queue in &mut self.channels {
            queue.recently_sent = queue.recently_sent.saturating_mul(4) / 5;
        }
    }
}

impl Queue {
    /// Whether this channel sent less for its priority; of equal ones the first in order goes.
    fn is_before(&self, other: &Self) -> bool {
        let share = |a: &Self, b: &Self| u128::from(a.recently_sent).saturating_mul(b.priority.into());
        share(self, other) < share(other, self)
    }
}

/// What a message counts for: its bytes and some for keeping it.
fn cost(len: usize) -> usize {
    len.saturating_add(64)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use tokio::time::Instant;

    use super::*;
    use crate::{mux::Assembler, wire::take_delimited};

    fn queues() -> SendQueues {
        SendQueues::new(&[ChannelDescriptor::new(1, 1), ChannelDescriptor::new(2, 5)], 1 << 20, 1024)
    }

    #[test]
    fn channels_get_the_share_of_their_priority() {
        let mut queues = queues();
        for channel in [1, 2] {
            for _ in 0..200 {
                queues.push(channel, vec![0; 1024].into()).unwrap();
            }
        }
        let mut sent = BTreeMap::new();
        for _ in 0..120 {
            let (_, ended) = queues.next(&mut BytesMut::new()).unwrap();
            *sent.entry(ended.unwrap().0).or_insert(0) += 1;
        }
        assert_eq!(sent, BTreeMap::from([(1, 20), (2, 100)]));
    }

    #[test]
    fn too_much_is_refused_but_one_message_always_fits() {
        let mut queues = SendQueues::new(&[ChannelDescriptor::new(1, 1)], 1000, 1024);
        queues.push(1, vec![0; 5000].into()).unwrap();
        assert_eq!(queues.push(1, Bytes::new()), Err(SendError::Full { waiting: 5128, most: 1000 }));
        assert_eq!(queues.push(7, Bytes::new()), Err(SendError::UnknownChannel(7)));
        while queues.next(&mut BytesMut::new()).is_some() {}
        assert_eq!(queues.waiting(), 0);
        assert!(queues.is_empty());
        assert_eq!(queues.push(1, Bytes::new()), Ok(()));
    }

    #[test]
    fn old_traffic_is_forgotten() {
        let mut queues = queues();
        queues.push(1, vec![0; 1024].into()).unwrap();
        queues.next(&mut BytesMut::new()).unwrap();
        for _ in 0..60 {
            queues.decay();
        }
        assert_eq!(queues.channels[0].recently_sent, 0);
    }

    proptest! {
        #[test]
        fn what_is_queued_arrives_in_order(messages in prop::collection::vec((1u8..3, 0usize..5000), 0..20)) {
            let mut queues = queues();
            let mut expected = BTreeMap::<u8, Vec<Bytes>>::new();
            for (index, (channel, len)) in messages.into_iter().enumerate() {
                let message = Bytes::from(vec![index as u8; len]);
                queues.push(channel, message.clone()).unwrap();
                expected.entry(channel).or_default().push(message);
            }
            let descriptors = [ChannelDescriptor::new(1, 1), ChannelDescriptor::new(2, 1)];
            let mut assembler = Assembler::new(&descriptors, std::time::Duration::MAX);
            let mut arrived = BTreeMap::<u8, Vec<Bytes>>::new();
            let mut out = BytesMut::new();
            while queues.next(&mut out).is_some() {
                let bytes = take_delimited(&mut out, super::super::max_packet_size(1024)).unwrap().unwrap();
                let Ok(Packet::Piece { channel, last, data }) = Packet::decode(&bytes) else { panic!() };
                if let Some(message) = assembler.receive(channel, last, &data, Instant::now()).unwrap() {
                    arrived.entry(channel).or_default().push(message);
                }
            }
            prop_assert_eq!(arrived, expected);
            prop_assert_eq!(queues.waiting(), 0);
        }
    }
}
