//! One connection at work: a half that reads, a half that writes.

use std::{
    future::{Future, pending},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{Notify, watch},
    time::{Instant, sleep_until, timeout},
};

use super::{Assembler, ChannelDescriptor, ConnectionConfig, Limiter, Packet, SendError, SendQueues, max_packet_size};
use crate::{
    reason::Reason,
    secret::{SecretReader, SecretWriter},
    wire::take_delimited,
};

/// Bytes of packets that are sealed and written at once. Source: `minWriteBufferSize`.
const WRITE_BUFFER: usize = 65_536;
/// Time between two decays of the channels' counts. Source: `updateStats`.
const DECAY: Duration = Duration::from_secs(2);
/// Most time for what waits when a connection is closed in peace.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// How a connection is to end.
#[derive(Clone, Debug)]
pub(crate) enum Stop {
    /// At once.
    Now(Reason),
    /// When all that waits is sent.
    AfterSending(Reason),
}

/// What others hold of a connection.
pub(crate) struct Link {
    queues: Mutex<SendQueues>,
    wake: Notify,
    stop: watch::Sender<Option<Stop>>,
    pong_due: AtomicBool,
    ponged: AtomicBool,
    /// The reader waits for the engine or for its rate limit: a pong may stand unread.
    paused: AtomicBool,
    sent: AtomicU64,
    received: AtomicU64,
}

impl Link {
    pub(crate) fn new(descriptors: &[ChannelDescriptor], config: &ConnectionConfig) -> Self {
        Self {
            queues: Mutex::new(SendQueues::new(descriptors, config.send_queue_bytes, config.max_packet_payload)),
            wake: Notify::new(),
            stop: watch::Sender::new(None),
            pong_due: AtomicBool::new(false),
            ponged: AtomicBool::new(false),
            paused: AtomicBool::new(false),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
        }
    }

    fn queues(&self) -> MutexGuard<'_, SendQueues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a message; never waits. Over the limit the connection ends.
    pub(crate) fn send(&self, channel: u8, message: Bytes) -> Result<(), SendError> {
        let pushed = self.queues().push(channel, message);
        match pushed {
            Ok(()) => self.wake.notify_one(),
            Err(SendError::Full { waiting, most }) => self.stop(Stop::Now(Reason::TooSlow { waiting, most })),
            Err(_) => {}
        }
        pushed
    }

    /// Ends the connection; the first reason stands.
    pub(crate) fn stop(&self, how: Stop) {
        self.stop.send_if_modified(|stop| match (stop.as_ref(), &how) {
            (None, _) | (Some(Stop::AfterSending(_)), Stop::Now(_)) => {
                *stop = Some(how);
                true
            }
            _ => false,
        });
        self.wake.notify_one();
    }

    /// Bytes that wait to be sent.
    pub(crate) fn waiting(&self) -> usize {
        self.queues().waiting()
    }

    /// Bytes sent and received, sealed.
    pub(crate) fn traffic(&self) -> (u64, u64) {
        (self.sent.load(Ordering::Relaxed), self.received.load(Ordering::Relaxed))
    }

    fn stopping(&self) -> Option<Reason> {
        match &*self.stop.borrow() {
            Some(Stop::Now(reason) | Stop::AfterSending(reason)) => Some(reason.clone()),
            None => None,
        }
    }

    async fn stopped(&self) -> Reason {
        let mut watch = self.stop.subscribe();
        let stopped = watch.wait_for(|stop| matches!(stop, Some(Stop::Now(_)))).await.ok();
        match stopped.as_deref() {
            Some(Some(Stop::Now(reason))) => reason.clone(),
            _ => Reason::Shutdown,
        }
    }
}

/// Carries messages both ways until the connection ends, and says why it did.
///
/// `deliver` takes whole messages; nothing is read while it waits. `report` hears of messages sent: channel and bytes.
pub(crate) async fn run<R, W, D, DF, S, SF>(
    link: &Link,
    reader: SecretReader<R>,
    writer: SecretWriter<W>,
    descriptors: &[ChannelDescriptor],
    config: &ConnectionConfig,
    deliver: D,
    report: S,
) -> Reason
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
    D: FnMut(u8, Bytes) -> DF,
    DF: Future<Output = ()>,
    S: FnMut(u8, usize) -> SF,
    SF: Future<Output = ()>,
{
    tokio::select! {
        biased;
        reason = link.stopped() => reason,
        reason = read(link, reader, descriptors, config, deliver) => reason,
        reason = write(link, writer, config, report) => reason,
    }
}

/// Source: `recvRoutine`.
async fn read<R, D, DF>(
    link: &Link,
    mut reader: SecretReader<R>,
    descriptors: &[ChannelDescriptor],
    config: &ConnectionConfig,
    mut deliver: D,
) -> Reason
where
    R: AsyncRead + Unpin,
    D: FnMut(u8, Bytes) -> DF,
    DF: Future<Output = ()>,
{
    let most = max_packet_size(config.max_packet_payload);
    let mut assembler = Assembler::new(descriptors, config.message_timeout);
    let mut limiter = Limiter::new(config.recv_rate, Instant::now());
    loop {
        loop {
            let packet = match take_delimited(reader.plain(), most) {
                Ok(Some(bytes)) => Packet::decode(&bytes),
                Ok(None) => break,
                Err(e) => return Reason::fault(e),
            };
            match packet {
                Err(e) => return Reason::fault(e),
                Ok(Packet::Ping) => {
                    link.pong_due.store(true, Ordering::Relaxed);
                    link.wake.notify_one();
                }
                Ok(Packet::Pong) => {
                    link.ponged.store(true, Ordering::Relaxed);
                    link.wake.notify_one();
                }
                Ok(Packet::Piece { channel, last, data }) => match assembler.receive(channel, last, &data, Instant::now()) {
                    Err(e) => return Reason::fault(e),
                    Ok(None) => {}
                    Ok(Some(message)) => {
                        link.paused.store(true, Ordering::Relaxed);
                        deliver(channel, message).await;
                        link.paused.store(false, Ordering::Relaxed);
                    }
                },
            }
        }
        let now = Instant::now();
        if let Err(e) = assembler.check_age(now) {
            return Reason::fault(e);
        }
        if let Some(until) = limiter.wait_until(now) {
            link.paused.store(true, Ordering::Relaxed);
            sleep_until(until).await;
            link.paused.store(false, Ordering::Relaxed);
        }
        match reader.fill().await {
            Ok(bytes) => {
                limiter.count(bytes, Instant::now());
                link.received.fetch_add(bytes as u64, Ordering::Relaxed);
            }
            Err(e) => return e.into(),
        }
    }
}

/// Source: `sendRoutine`, `sendSomePacketMsgs`.
async fn write<W, S, SF>(link: &Link, mut writer: SecretWriter<W>, config: &ConnectionConfig, mut report: S) -> Reason
where
    W: AsyncWrite + Unpin,
    S: FnMut(u8, usize) -> SF,
    SF: Future<Output = ()>,
{
    let start = Instant::now();
    let mut limiter = Limiter::new(config.send_rate, start);
    let mut buffer = BytesMut::new();
    let mut ended = Vec::new();
    let (mut ping_at, mut decay_at, mut pong_by) = (start + config.ping_interval, start + DECAY, None::<Instant>);
    let mut quiet_until = start;
    let mut closing = None::<Instant>;
    loop {
        let now = Instant::now();
        let mut hurry = false;
        if link.ponged.swap(false, Ordering::Relaxed) {
            pong_by = None;
        }
        if pong_by.is_some_and(|by| by <= now) {
            if !link.paused.load(Ordering::Relaxed) {
                return Reason::PongTimeout(config.pong_timeout);
            }
            pong_by = Some(now + config.pong_timeout);
        }
        if ping_at <= now {
            Packet::Ping.put(&mut buffer);
            ping_at = now + config.ping_interval;
            pong_by = pong_by.or(Some(now + config.pong_timeout));
            hurry = true;
        }
        if link.pong_due.swap(false, Ordering::Relaxed) {
            Packet::Pong.put(&mut buffer);
        }
        if decay_at <= now {
            link.queues().decay();
            decay_at = now + DECAY;
        }

        let limited = collect(link, &mut limiter, &mut buffer, &mut ended, now);
        let drained = limited.is_none() && buffer.len() < WRITE_BUFFER;
        let stopping = link.stopping();
        if stopping.is_some() && closing.is_none() {
            closing = Some(now + LAST_WORDS);
        }
        if !buffer.is_empty() && (hurry || closing.is_some() || buffer.len() >= WRITE_BUFFER || quiet_until <= now) {
            match timeout(config.pong_timeout, writer.write(&buffer)).await {
                Ok(Ok(bytes)) => link.sent.fetch_add(bytes as u64, Ordering::Relaxed),
                Ok(Err(e)) => return e.into(),
                Err(_) => return Reason::WriteTimeout(config.pong_timeout),
            };
            buffer.clear();
            quiet_until = Instant::now() + config.flush_throttle;
            for (channel, bytes) in ended.drain(..) {
                report(channel, bytes).await;
            }
            if !drained {
                continue;
            }
        }
        if let Some(reason) = stopping
            && ((drained && buffer.is_empty()) || closing.is_some_and(|by| by <= now))
        {
            writer.close().await;
            return reason;
        }
        let flush_at = (!buffer.is_empty()).then_some(quiet_until);
        let next = [Some(ping_at), Some(decay_at), pong_by, limited, flush_at, closing].into_iter().flatten().min();
        tokio::select! {
            () = link.wake.notified() => {}
            () = sleep(next) => {}
        }
    }
}

async fn sleep(until: Option<Instant>) {
    match until {
        Some(until) => sleep_until(until).await,
        None => pending().await,
    }
}

/// Fills the buffer with packets; returns when to go on if the rate limit stopped it before the queues were empty.
fn collect(link: &Link, limiter: &mut Limiter, buffer: &mut BytesMut, ended: &mut Vec<(u8, usize)>, now: Instant) -> Option<Instant> {
    let mut queues = link.queues();
    while buffer.len() < WRITE_BUFFER {
        if let Some(until) = limiter.wait_until(now) {
            return (!queues.is_empty()).then_some(until);
        }
        let (bytes, end) = queues.next(buffer)?;
        limiter.count(bytes, now);
        if let Some((channel, bytes)) = end {
            match ended.iter_mut().find(|(c, _)| *c == channel) {
                Some((_, sum)) => *sum = sum.saturating_add(bytes),
                None => ended.push((channel, bytes)),
            }
        }
    }
    None
}

#[cfg(test)]
mod tests;
