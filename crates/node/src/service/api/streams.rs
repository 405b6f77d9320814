//! Streams: each subscriber has a short queue, and is dropped with an error if it does not read.
//!
//! Blocks wait for the slowest subscriber once, whatever the number of subscribers.

use std::{
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
    time::Duration,
};

use oasis_consensus_app::roothash;
use oasis_consensus_types::{consensus::ERR_UNSUPPORTED, roothash::AnnotatedBlock};
use oasis_primitives::{cbor, namespace::Namespace};
use tokio::sync::{broadcast::error::RecvError, mpsc};
use tokio_stream::Stream;

use super::{Running, coded, query, read, stopping};
use crate::{
    api::query::Source as _,
    grpc::{ApiError, GrpcCode, Messages},
    service::notices::{self, Feed, Notice},
};

/// The methods that answer with streams, by service.
pub(super) const METHODS: &[(&str, &[&str])] = &[
    ("Beacon", &["WatchEpochs"]),
    ("Consensus", &["WatchBlocks"]),
    ("Governance", &["WatchEvents"]),
    ("Registry", &["WatchEntities", "WatchNodes", "WatchNodeList", "WatchRuntimes"]),
    ("RootHash", &["WatchBlocks", "WatchEvents"]),
    ("Scheduler", &["WatchCommittees"]),
    ("Staking", &["WatchEvents"]),
];

/// Messages that wait for a subscriber.
const QUEUE: usize = 16;
/// How long a subscriber with a full queue is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a subscriber wants.
#[derive(Clone, Copy)]
enum Wanted {
    Feed(Feed),
    Rounds(Namespace),
    RoundEvents(Namespace),
}

/// A subscriber's end.
struct Subscription {
    messages: mpsc::Receiver<Vec<u8>>,
    end: Arc<OnceLock<ApiError>>,
    ended: bool,
}

impl Stream for Subscription {
    type Item = Result<Vec<u8>, ApiError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        self.messages.poll_recv(cx).map(|message| {
            message.map(Ok).or_else(|| {
                self.ended = true;
                self.end.get().cloned().map(Err)
            })
        })
    }
}

/// Subscribes.
pub(super) fn open(running: &Running, service: &str, method: &str, request: &[u8]) -> Result<Messages, ApiError> {
    let wanted = match (service, method) {
        ("Consensus", _) if running.is_archive() => return Err(coded(ERR_UNSUPPORTED)),
        ("Consensus", _) => Wanted::Feed(Feed::Blocks),
        ("Beacon", _) => Wanted::Feed(Feed::Epochs),
        ("Governance", _) => Wanted::Feed(Feed::Governance),
        ("Registry", "WatchEntities") => Wanted::Feed(Feed::Entities),
        ("Registry", "WatchNodes") => Wanted::Feed(Feed::Nodes),
        ("Registry", "WatchNodeList") => Wanted::Feed(Feed::NodeLists),
        ("Registry", _) => Wanted::Feed(Feed::Runtimes),
        ("RootHash", "WatchBlocks") => Wanted::Rounds(read(request)?),
        ("RootHash", _) => Wanted::RoundEvents(read(request)?),
        ("Scheduler", _) => Wanted::Feed(Feed::Committees),
        _ => Wanted::Feed(Feed::Staking),
    };
    let (sender, messages) = mpsc::channel(QUEUE);
    let end = Arc::new(OnceLock::new());
    let subscriber = Subscriber { running: running.clone(), wanted, sender, last: None };
    let told = Arc::clone(&end);
    tokio::spawn(async move {
        if let Err(error) = subscriber.serve().await {
            let _ = told.set(error);
        }
    });
    Ok(Box::pin(Subscription { messages, end, ended: false }))
}

/// The node's end of a stream.
struct Subscriber {
    running: Running,
    wanted: Wanted,
    sender: mpsc::Sender<Vec<u8>>,
    /// The last epoch or round that was told: they only change, or rise.
    last: Option<u64>,
}

impl Subscriber {
    /// Ends without an error when nobody listens any more.
    async fn serve(mut self) -> Result<(), ApiError> {
        let mut notices = self.running.engine.notices();
        // Everything up to this height is in what is told first.
        let (first, known) = tokio::task::block_in_place(|| {
            let known = self.running.source.last_height();
            (self.first(), known)
        });
        let known = if first.is_empty() { 0 } else { known };
        if !self.give_all(first).await? {
            return Ok(());
        }
        loop {
            let notice = tokio::select! {
                notice = notices.recv() => notice,
                () = self.sender.closed() => return Ok(()),
                () = self.running.stopper.stopped() => return Err(stopping()),
            };
            let notice = match notice {
                Ok(notice) => notice,
                Err(RecvError::Closed) => return Err(stopping()),
                Err(RecvError::Lagged(count)) => return Err(slow(format_args!("{count} blocks passed"))),
            };
            if notice.height() <= known {
                continue;
            }
            let items = tokio::task::block_in_place(|| self.select(&notice));
            if !self.give_all(items).await? {
                return Ok(());
            }
        }
    }

    async fn give_all(&self, items: Vec<Vec<u8>>) -> Result<bool, ApiError> {
        for item in items {
            match tokio::time::timeout(PATIENCE, self.sender.send(item)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Ok(false),
                Err(_) => return Err(slow(format_args!("{} messages waited for {} s", QUEUE, PATIENCE.as_secs()))),
            }
        }
        Ok(true)
    }

    /// What is told before anything happens.
    fn first(&mut self) -> Vec<Vec<u8>> {
        let source = &self.running.source;
        match self.wanted {
            Wanted::Feed(feed) => {
                let items = notices::first(feed, source);
                self.compare(feed, items)
            }
            Wanted::RoundEvents(_) => Vec::new(),
            Wanted::Rounds(_) if self.running.is_archive() => Vec::new(),
            Wanted::Rounds(id) => {
                let state = query::state(source, 0).and_then(|state| roothash::query::runtime_state(&state, &id));
                let Ok(state) = state else { return Vec::new() };
                let (height, block) = (state.current_block_height, state.current_block.into_inner());
                self.last = Some(block.header.round);
                vec![cbor::to_vec(&AnnotatedBlock { height, block: Some(block) })]
            }
        }
    }

    /// What is told of a block.
    fn select(&mut self, notice: &Notice) -> Vec<Vec<u8>> {
        let source = &self.running.source;
        match self.wanted {
            Wanted::Feed(feed) => {
                let items = notice.messages(feed, source).to_vec();
                self.compare(feed, items)
            }
            Wanted::RoundEvents(id) => {
                let of_runtimes = notice.of_runtimes(source);
                let events = of_runtimes.iter().filter(|item| item.id == id && item.round.is_none());
                events.map(|item| item.message.clone()).collect()
            }
            Wanted::Rounds(id) => {
                let mut out = Vec::new();
                for item in notice.of_runtimes(source).iter().filter(|item| item.id == id) {
                    if item.round.is_some() && item.round > self.last {
                        self.last = item.round;
                        out.push(item.message.clone());
                    }
                }
                out
            }
        }
    }

    /// Leaves out epochs that were told.
    fn compare(&mut self, feed: Feed, items: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        if feed != Feed::Epochs {
            return items;
        }
        let epochs = items.into_iter().filter(|item| {
            let epoch = cbor::from_slice(item).ok();
            let new = self.last != epoch;
            self.last = epoch;
            new
        });
        epochs.collect()
    }
}

fn slow(what: std::fmt::Arguments<'_>) -> ApiError {
    ApiError::grpc(GrpcCode::ResourceExhausted, format!("the subscriber reads too slowly: {what}; subscribe again"))
}
