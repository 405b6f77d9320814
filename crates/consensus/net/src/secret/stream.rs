//! Secret connections over anything that carries bytes.

use std::io;

use bytes::{Bytes, BytesMut};
use oasis_primitives::signature::{PublicKey, Signer};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{FrameError, Handshake, HandshakeError, Opener, Progress, SEALED_FRAME, Sealer};
use crate::wire::{WireError, take_delimited};

/// Sealed bytes that are read at once.
const READ_AHEAD: usize = 32 * SEALED_FRAME;

/// Why nothing more comes or goes.
#[derive(Debug, Error)]
pub enum StreamError {
    /// The peer closed the connection.
    #[error("the peer closed the connection")]
    Closed,
    /// The connection broke.
    #[error("connection: {0}")]
    Io(#[from] io::Error),
    /// A frame of the peer is not what it should be.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A message of the peer is not what it should be.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The handshake failed.
    #[error("handshake: {0}")]
    Handshake(#[from] HandshakeError),
}

impl StreamError {
    /// Whether the peer broke the rules, rather than the connection broke.
    pub fn is_fault(&self) -> bool {
        !matches!(self, Self::Closed | Self::Io(_) | Self::Frame(FrameError::Exhausted) | Self::Handshake(HandshakeError::Sign(_)))
    }
}

/// Shakes hands over a stream. The caller limits the time, and checks the key.
pub async fn connect<R, W>(
    mut read: R,
    mut write: W,
    signer: &dyn Signer,
    ephemeral: [u8; 32],
) -> Result<(PublicKey, SecretReader<R>, SecretWriter<W>), StreamError>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let (mut handshake, first) = Handshake::start(ephemeral);
    let mut sealed = BytesMut::new();
    exchange(&mut read, &mut write, &first, &mut sealed).await?;
    loop {
        match handshake.receive(&mut sealed, signer)? {
            Progress::NeedMore => {
                if read.read_buf(&mut sealed).await? == 0 {
                    return Err(StreamError::Closed);
                }
            }
            Progress::Send(bytes) => exchange(&mut read, &mut write, &bytes, &mut sealed).await?,
            Progress::Done(done) => {
                let reader = SecretReader { inner: read, opener: done.opener, sealed, plain: done.plain };
                let writer = SecretWriter { inner: write, sealer: done.sealer, sealed: Vec::new() };
                return Ok((done.remote, reader, writer));
            }
        }
    }
}

/// Writes, and reads meanwhile: both sides write at the same time, and neither may wait for the other to read.
async fn exchange<R, W>(read: &mut R, write: &mut W, out: &[u8], input: &mut BytesMut) -> Result<(), StreamError>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut writing = std::pin::pin!(async {
        write.write_all(out).await?;
        write.flush().await
    });
    loop {
        tokio::select! {
            biased;
            done = &mut writing => return Ok(done?),
            count = read.read_buf(input), if input.len() < READ_AHEAD => {
                if count? == 0 {
                    return Err(StreamError::Closed);
                }
            }
        }
    }
}

/// The half that reads.
pub struct SecretReader<R> {
    inner: R,
    opener: Opener,
    sealed: BytesMut,
    plain: BytesMut,
}

impl<R: AsyncRead + Unpin> SecretReader<R> {
    /// What was opened and not yet taken.
    pub fn plain(&mut self) -> &mut BytesMut {
        &mut self.plain
    }

    /// Waits for at least one more frame; returns the count of sealed bytes it opened. A bounded count is read ahead.
    ///
    /// May be cancelled: nothing is lost.
    pub async fn fill(&mut self) -> Result<usize, StreamError> {
        while self.sealed.len() < SEALED_FRAME {
            self.sealed.reserve(READ_AHEAD.saturating_sub(self.sealed.len()));
            if (&mut self.inner).take(READ_AHEAD as u64).read_buf(&mut self.sealed).await? == 0 {
                return Err(StreamError::Closed);
            }
        }
        let mut opened = 0usize;
        while let Some(frame) = self.sealed.first_chunk_mut::<SEALED_FRAME>() {
            self.plain.extend_from_slice(self.opener.open(frame)?);
            bytes::Buf::advance(&mut self.sealed, SEALED_FRAME);
            opened = opened.saturating_add(SEALED_FRAME);
        }
        Ok(opened)
    }

    /// Reads one message behind its length.
    pub async fn message(&mut self, most: usize) -> Result<Bytes, StreamError> {
        loop {
            if let Some(message) = take_delimited(&mut self.plain, most)? {
                return Ok(message);
            }
            self.fill().await?;
        }
    }
}

/// The half that writes.
pub struct SecretWriter<W> {
    inner: W,
    sealer: Sealer,
    sealed: Vec<u8>,
}

impl<W: AsyncWrite + Unpin> SecretWriter<W> {
    /// Seals and writes; returns the count of sealed bytes. Not to be called again after it was cancelled.
    pub async fn write(&mut self, plain: &[u8]) -> Result<usize, StreamError> {
        self.sealed.clear();
        self.sealer.seal(plain, &mut self.sealed)?;
        self.inner.write_all(&self.sealed).await?;
        self.inner.flush().await?;
        if self.sealed.capacity() > READ_AHEAD.saturating_mul(4) {
            self.sealed = Vec::new();
        }
        Ok(self.sealed.len())
    }

    /// Says that nothing more is to come.
    pub async fn close(&mut self) {
        let _ = self.inner.shutdown().await;
    }
}

#[cfg(test)]
mod tests {
    use oasis_primitives::signature::MemorySigner;
    use tokio::io::{duplex, split};

    use super::*;

    #[tokio::test]
    async fn two_ends_of_a_pipe_talk() {
        let (alice, bob) = (MemorySigner::for_test("alice"), MemorySigner::for_test("bob"));
        let (a, b) = duplex(100);
        let ((a_read, a_write), (b_read, b_write)) = (split(a), split(b));
        let (a, b) = tokio::join!(connect(a_read, a_write, &alice, [1; 32]), connect(b_read, b_write, &bob, [2; 32]));
        let ((to_b, _, mut writer), (to_a, mut reader, _)) = (a.unwrap(), b.unwrap());
        assert_eq!((to_b, to_a), (bob.public_key(), alice.public_key()));
        let mut message = BytesMut::new();
        crate::wire::put_delimited(&crate::wire::BytesValue { value: vec![7; 5000].into() }, &mut message);
        let (written, read) = tokio::join!(writer.write(&message), reader.message(6000));
        assert_eq!(written.unwrap(), 5 * SEALED_FRAME);
        assert_eq!(crate::wire::decode::<crate::wire::BytesValue>(&read.unwrap(), "value").unwrap().value.len(), 5000);
    }

    #[tokio::test]
    async fn garbage_is_a_fault_and_a_closed_connection_is_none() {
        let alice = MemorySigner::for_test("alice");
        for (bytes, fault) in [(&[0xff; 40][..], true), (&[][..], false), (&[0x22, 0x0a][..], false)] {
            let (a, mut b) = duplex(100);
            b.write_all(bytes).await.unwrap();
            b.shutdown().await.unwrap();
            let (read, write) = split(a);
            let error = connect(read, write, &alice, [1; 32]).await.err().unwrap();
            assert_eq!(error.is_fault(), fault, "{error}");
        }
    }
}
