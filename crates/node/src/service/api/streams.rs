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
use tokio::{
    runtime::Handle,
    sync::{
        broadcast::{self, error::RecvError},
        mpsc,
    },
};
use tokio_stream::Stream;

use super::{Running, coded, query, read, stopping};
use crate::{
    api::{
        notices::{self, Feed, Notice},
        query::Source,
    },
    grpc::{ApiError, GrpcCode, Messages},
    service::stop::Stopper,
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
const PATIENCE: Duration = Duration::from_secs(if cfg!(test) { 2 } else { 30 });

/// What a subscriber wants.
#[derive(Clone, Copy)]
enum Wanted {
    Feed(Feed),
    Rounds(Namespace),
    RoundEvents(Namespace),
}

/// Where subscribers come to.
#[derive(Clone)]
pub(super) struct Desk {
    source: Arc<dyn Source>,
    notices: broadcast::Sender<Arc<Notice>>,
    stopper: Stopper,
}

impl Desk {
    pub(super) fn of(running: &Running) -> Self {
        let source = Arc::new(running.source.clone());
        Self { source, notices: running.engine.notices_sender(), stopper: running.stopper.clone() }
    }
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

/// Subscribes; `tasks` is where messages are made.
pub(super) fn open(tasks: &Handle, desk: Desk, service: &str, method: &str, request: &[u8]) -> Result<Messages, ApiError> {
    let wanted = match (service, method) {
        ("Consensus", _) if desk.source.is_archive() => return Err(coded(ERR_UNSUPPORTED)),
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
    let mut subscriber = Subscriber { desk, wanted, sender, last: None };
    let told = Arc::clone(&end);
    tasks.spawn(async move {
        if let Err(error) = subscriber.serve().await {
            let _ = told.set(error);
        }
        // Only now the queue ends, when it is known why.
        drop(subscriber);
    });
    Ok(Box::pin(Subscription { messages, end, ended: false }))
}

/// The node's end of a stream.
struct Subscriber {
    desk: Desk,
    wanted: Wanted,
    sender: mpsc::Sender<Vec<u8>>,
    /// The last epoch or round that was told: they only change, or rise.
    last: Option<u64>,
}

impl Subscriber {
    /// Ends without an error when nobody listens any more.
    async fn serve(&mut self) -> Result<(), ApiError> {
        let mut notices = self.desk.notices.subscribe();
        // Everything up to this height is in what is told first.
        let (first, known) = tokio::task::block_in_place(|| {
            let known = self.desk.source.last_height();
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
                () = self.desk.stopper.stopped() => return Err(stopping()),
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
        let source = Arc::clone(&self.desk.source);
        let source = source.as_ref();
        match self.wanted {
            Wanted::Feed(feed) => {
                let items = notices::first(feed, source);
                self.compare(feed, items)
            }
            Wanted::RoundEvents(_) => Vec::new(),
            Wanted::Rounds(_) if source.is_archive() => Vec::new(),
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
        let source = Arc::clone(&self.desk.source);
        let source = source.as_ref();
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

#[cfg(test)]
mod tests {
    use oasis_consensus_abci::Network;
    use oasis_consensus_app::{error::Result as AppResult, store::Store as State};
    use oasis_consensus_engine::{CheckedBlock, decode_responses, node::Applied, ports::Store as Blocks};
    use oasis_mkvs::{Root, Tree};
    use oasis_storage::{BlockDb, BlockOptions, EngineKind, engine};
    use tokio_stream::StreamExt as _;

    use super::*;

    /// A node before its first block.
    struct Nothing(Network, BlockDb);

    impl Source for Nothing {
        fn network(&self) -> &Network {
            &self.0
        }

        fn is_archive(&self) -> bool {
            false
        }

        fn blocks(&self) -> &dyn Blocks {
            &self.1
        }

        fn last_height(&self) -> i64 {
            0
        }

        fn state_at(&self, _: i64) -> AppResult<Option<State>> {
            Ok(None)
        }

        fn tree(&self, _: &Root) -> AppResult<Option<Tree>> {
            Ok(None)
        }
    }

    /// A desk, and a notice of the first block of a recorded network.
    fn desk() -> (Desk, Arc<Notice>) {
        let path = oasis_test_vectors::files("chains/", "debond.cbor.gz").unwrap().remove(0);
        let mut reader = oasis_replay::open(&path).unwrap();
        let first = reader.first_time().unwrap();
        let network = oasis_replay::network(reader.header(), first, true).unwrap();
        let recorded = reader.next_block().unwrap().unwrap();
        let applied = Applied {
            block: Arc::new(CheckedBlock::decode(&recorded.block).unwrap()),
            responses: decode_responses(&recorded.results).unwrap(),
            app_hash: Vec::new(),
            invalidated: Vec::new(),
        };
        let memory = std::path::Path::new("memory");
        let blocks = BlockDb::on(engine::open(EngineKind::Memory, memory, 0).unwrap(), memory, BlockOptions::default()).unwrap();
        let (stopper, _) = crate::service::stop::stop();
        let desk = Desk { source: Arc::new(Nothing(network, blocks)), notices: broadcast::channel(64).0, stopper };
        (desk, Arc::new(Notice::new(Arc::new(applied))))
    }

    async fn subscribe(desk: &Desk, service: &str, method: &str, count: usize) -> Vec<Messages> {
        let streams = (0..count).map(|_| open(&Handle::current(), desk.clone(), service, method, &[]).unwrap()).collect();
        while desk.notices.receiver_count() < count {
            tokio::task::yield_now().await;
        }
        streams
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_subscriber_that_does_not_read_is_dropped_with_an_error() {
        let (desk, notice) = desk();
        let mut stream = subscribe(&desk, "Consensus", "WatchBlocks", 1).await.remove(0);
        for _ in 0..1000 {
            // Nobody hears any more once it is dropped, which may be before the last.
            if desk.notices.send(Arc::clone(&notice)).is_err() {
                break;
            }
        }
        let mut read = 0;
        let error = loop {
            match stream.next().await.unwrap() {
                Ok(_) => read += 1,
                Err(error) => break error,
            }
        };
        assert!(read <= QUEUE + 1, "{read} messages waited");
        assert_eq!(error.grpc, GrpcCode::ResourceExhausted);
        assert!(stream.next().await.is_none());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_full_queue_is_waited_for_only_so_long() {
        let (desk, notice) = desk();
        let mut stream = subscribe(&desk, "Consensus", "WatchBlocks", 1).await.remove(0);
        // Not so many that blocks pass it.
        for _ in 0..=QUEUE {
            desk.notices.send(Arc::clone(&notice)).unwrap();
        }
        let dropped = async {
            while desk.notices.receiver_count() > 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE * 15, dropped).await.unwrap();
        for _ in 0..QUEUE {
            assert!(stream.next().await.unwrap().is_ok());
        }
        let error = stream.next().await.unwrap().unwrap_err();
        assert_eq!(error.grpc, GrpcCode::ResourceExhausted);
        assert!(error.message.contains("16 messages waited for 2 s"), "{error}");
        assert!(stream.next().await.is_none());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn subscribers_that_went_away_cost_nothing_and_others_hear_on() {
        let (desk, notice) = desk();
        let mut streams = subscribe(&desk, "Consensus", "WatchBlocks", 1000).await;
        let mut stays = streams.pop().unwrap();
        drop(streams);
        while desk.notices.receiver_count() > 1 {
            tokio::task::yield_now().await;
        }
        for _ in 0..100 {
            desk.notices.send(Arc::clone(&notice)).unwrap();
            assert!(stays.next().await.unwrap().is_ok());
        }
        desk.stopper.stop();
        assert_eq!(stays.next().await.unwrap().unwrap_err().grpc, GrpcCode::Unavailable);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_epoch_is_told_once() {
        let (desk, notice) = desk();
        let mut stream = subscribe(&desk, "Beacon", "WatchEpochs", 1).await.remove(0);
        assert_eq!(stream.next().await.unwrap().unwrap(), cbor::to_vec(&0u64));
        for _ in 0..10 {
            desk.notices.send(Arc::clone(&notice)).unwrap();
        }
        desk.stopper.stop();
        assert!(stream.next().await.unwrap().is_err());
    }
}
