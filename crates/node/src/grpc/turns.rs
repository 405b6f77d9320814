//! Turns: how many calls of strangers are worked on at a time, and for how long.
//!
//! A call has its turn from before its request is read until its answer is in the hands of the connection. One that takes too long,
//! because its request or its reader is slow, ends with its connection. So what calls may take in memory is bounded, whatever clients
//! do. The original has no such bounds.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    task::AbortHandle,
};
use tonic::Status;

/// Calls at a time.
const ALL: usize = 32;
/// Of these from one address.
const PER_ADDRESS: usize = 8;
/// How long a turn lasts.
const TURN: Duration = Duration::from_secs(if cfg!(test) { 2 } else { 60 });
/// An answer is handed on in pieces of so many bytes, as its reader takes them.
const PIECE: usize = 16 << 10;

/// The turns of a server.
#[derive(Clone, Debug)]
pub(super) struct Turns(Arc<Semaphore>);

impl Default for Turns {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(ALL)))
    }
}

/// The turns of an address.
#[derive(Clone, Debug)]
pub(super) struct AddressTurns(Arc<Semaphore>);

impl Default for AddressTurns {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(PER_ADDRESS)))
    }
}

/// The turns of a connection.
#[derive(Clone, Debug)]
pub(super) struct ConnectionTurns {
    all: Turns,
    address: AddressTurns,
    overdue: Arc<Notify>,
}

/// A call's turn, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    _permits: [OwnedSemaphorePermit; 2],
    watch: AbortHandle,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

impl ConnectionTurns {
    pub(super) fn new(all: Turns, address: AddressTurns) -> Self {
        Self { all, address, overdue: Arc::default() }
    }

    /// Waits for a turn. None if there are no more turns at all.
    pub(super) async fn take(&self) -> Option<Turn> {
        // First among the address's own calls, so that no address fills the server's queue.
        let address = Arc::clone(&self.address.0).acquire_owned().await.ok()?;
        let all = Arc::clone(&self.all.0).acquire_owned().await.ok()?;
        let overdue = Arc::clone(&self.overdue);
        let watch = tokio::spawn(async move {
            tokio::time::sleep(TURN).await;
            overdue.notify_one();
        });
        Some(Turn { _permits: [address, all], watch: watch.abort_handle() })
    }

    /// Waits until a call of the connection takes too long.
    pub(super) async fn overdue(&self) {
        self.overdue.notified().await;
    }
}

/// An answer's body in pieces; its turn ends with it.
pub(super) struct InTurn {
    body: tonic::body::Body,
    rest: Bytes,
    _turn: Turn,
}

impl InTurn {
    pub(super) fn new(body: tonic::body::Body, turn: Turn) -> Self {
        Self { body, rest: Bytes::new(), _turn: turn }
    }
}

impl Body for InTurn {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(other) => return Poll::Ready(Some(Ok(other))),
                },
                end => return Poll::Ready(end),
            }
        }
        let length = self.rest.len().min(PIECE);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let left = u64::try_from(self.rest.len()).unwrap_or(u64::MAX);
        let mut hint = SizeHint::new();
        hint.set_lower(self.body.size_hint().lower().saturating_add(left));
        hint
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_waits_for_its_own_calls_only() {
        let turns = Turns::default();
        let address = || ConnectionTurns::new(turns.clone(), AddressTurns::default());
        let (one, other) = (address(), address());
        let mut taken = Vec::new();
        for _ in 0..PER_ADDRESS {
            taken.push(one.take().await.unwrap());
        }
        assert!(tokio::time::timeout(Duration::from_millis(50), one.take()).await.is_err());
        let theirs = other.take().await.unwrap();
        taken.pop();
        taken.push(one.take().await.unwrap());
        drop(theirs);
        // And what is over is not overdue.
        let quick = ConnectionTurns::new(turns.clone(), AddressTurns::default());
        drop(quick.take().await);
        assert!(tokio::time::timeout(TURN * 2, quick.overdue()).await.is_err());
        assert!(tokio::time::timeout(TURN * 2, one.overdue()).await.is_ok());
    }
}
