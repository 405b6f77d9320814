//! State sync from several nodes in virtual time, some of which are slow, silent, or lie.

use std::collections::BTreeMap;

use oasis_consensus_engine::{
    ByzantineValidator, CheckedBlock, EngineGenesis, InitChainResponse, PeerId, VoteInfo,
    light::{LightError, TrustedState},
    messages::{ChannelId, ChunkRequest, ChunkResponse, SnapshotsRequest, SnapshotsResponse, StateSyncMessage},
    ports::{AppCommit, AppInfo, Application, ApplyChunk, CheckTx, Fatal, OfferSnapshot, Snapshot},
    proto::AbciResponses,
    statesync::{Config, Effect, Input, SnapshotServer, Stage, StateSync, StateSyncProgress, TICK},
};

mod common;
use common::{Agenda, Chain, Dice, Plan, SECOND, at};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    Honest,
    /// Has no snapshots.
    Empty,
    /// Offers and does not answer.
    Silent,
    /// Answers after a minute.
    Slow,
    /// Sends damaged chunks.
    Damager,
    /// Says that it has no chunk.
    Denier,
    /// Offers snapshots of heights that do not exist.
    Boaster,
    /// Offers another snapshot of a real height.
    Forger,
    /// Sends chunks that nobody asked for.
    Pusher,
    /// Leaves after so many answers.
    Leaves(u32),
}

use Manner::*;

const CHUNKS: u32 = 12;
const HEIGHT: u64 = 30;

fn chunk(index: u32) -> Vec<u8> {
    vec![index as u8 + 1; 100]
}

fn snapshot(height: u64) -> Snapshot {
    Snapshot { height, format: 1, chunks: CHUNKS, hash: vec![height as u8; 32], metadata: b"meta".to_vec() }
}

/// An application that takes the chunks in order and knows damaged ones.
#[derive(Default)]
struct App {
    offered: Option<Snapshot>,
    applied: u32,
    restarts: u32,
    /// What it answers to offers of each format, if not the usual.
    formats: BTreeMap<u32, OfferSnapshot>,
    abort_at: Option<u32>,
    restart_at: Option<u32>,
    wrong_root: bool,
}

impl App {
    fn offer(&mut self, s: Snapshot) -> OfferSnapshot {
        self.applied = 0;
        if let Some(answer) = self.formats.get(&s.format) {
            return *answer;
        }
        if s.metadata != b"meta" {
            return OfferSnapshot::Reject;
        }
        self.offered = Some(s);
        OfferSnapshot::Accept
    }

    fn apply(&mut self, index: u32, bytes: &[u8]) -> ApplyChunk {
        assert_eq!(index, self.applied);
        if self.abort_at == Some(index) {
            return ApplyChunk::Abort("disk full".into());
        }
        if self.restart_at == Some(index) && self.restarts < 2 {
            self.restarts += 1;
            return ApplyChunk::RetrySnapshot;
        }
        if bytes != chunk(index) {
            return ApplyChunk::RefetchFromOthers;
        }
        self.applied += 1;
        ApplyChunk::Accept
    }
}

enum Event {
    Tick,
    Answer(PeerId, StateSyncMessage),
    Gone(PeerId),
    Input(Input),
}

struct World<'a> {
    chain: &'a Chain,
    sync: StateSync,
    app: App,
    dice: Dice,
    agenda: Agenda<Event>,
    peers: BTreeMap<PeerId, (Manner, u32)>,
    dropped: Vec<(Manner, String)>,
    outcome: Option<Result<u64, String>>,
    progress: Vec<StateSyncProgress>,
    light_fails: Option<LightError>,
    top: i64,
}

fn id(i: usize) -> PeerId {
    PeerId::of_key(&[i as u8; 32])
}

impl<'a> World<'a> {
    fn new(chain: &'a Chain, manners: &[Manner], seed: u64) -> Self {
        let mut world = Self {
            chain,
            sync: StateSync::new(Config::default(), at(0)),
            app: App::default(),
            dice: Dice(seed),
            agenda: Agenda::default(),
            peers: BTreeMap::new(),
            dropped: Vec::new(),
            outcome: None,
            progress: Vec::new(),
            light_fails: None,
            top: chain.height(),
        };
        world.agenda.after(TICK, Event::Tick);
        for (i, manner) in manners.iter().enumerate() {
            world.peers.insert(id(i), (*manner, 0));
            world.feed(Input::Connected(id(i)));
        }
        world
    }

    fn feed(&mut self, input: Input) {
        for effect in self.sync.handle(at(self.agenda.now), input) {
            assert!(self.outcome.is_none(), "nothing comes after the end");
            match effect {
                Effect::Send { peer, message } => self.asked(peer, message),
                Effect::PeerFault { peer, reason, .. } => {
                    if let Some((manner, _)) = self.peers.remove(&peer) {
                        self.dropped.push((manner, reason));
                    }
                }
                Effect::Trust { height } => {
                    let outcome = self.trust(height);
                    self.agenda.after(SECOND, Event::Input(Input::Trusted(outcome)));
                }
                Effect::Offer { snapshot, .. } => {
                    let answer = self.app.offer(snapshot);
                    self.agenda.after(SECOND / 10, Event::Input(Input::Offered(answer)));
                }
                Effect::ApplyChunk { index, chunk } => {
                    let answer = self.app.apply(index, &chunk);
                    self.agenda.after(SECOND / 10, Event::Input(Input::ChunkApplied(answer)));
                }
                Effect::CheckApp => {
                    let height = self.app.offered.as_ref().unwrap().height as i64;
                    let mut app_hash = self.chain.get(height).unwrap().state.app_hash.clone();
                    if self.app.wrong_root {
                        app_hash[0] ^= 1;
                    }
                    let info = AppInfo { last_height: height, app_hash, app_version: 7 };
                    self.agenda.after(SECOND / 10, Event::Input(Input::App(info)));
                }
                Effect::Done { state, commit } => {
                    let made = self.chain.get(state.last_block_height).unwrap();
                    assert_eq!(state.app_hash, made.state.app_hash);
                    assert_eq!(commit, made.commit);
                    self.outcome = Some(Ok(state.last_block_height as u64));
                }
                Effect::GiveUp { reason } => self.outcome = Some(Err(reason)),
                Effect::Progress(p) => self.progress.push(p),
            }
        }
    }

    fn trust(&self, height: i64) -> Result<Box<TrustedState>, LightError> {
        if let Some(e) = &self.light_fails {
            return Err(e.clone());
        }
        if height + 2 > self.top {
            return Err(LightError::NotAvailable { height, reason: "it has no such height".into(), may_come: true });
        }
        let made = self.chain.get(height).unwrap();
        Ok(Box::new(TrustedState { state: made.state.clone(), commit: made.commit.clone() }))
    }

    fn asked(&mut self, peer: PeerId, message: StateSyncMessage) {
        let Some((manner, answers)) = self.peers.get_mut(&peer) else { return };
        let manner = *manner;
        *answers += 1;
        let answers = *answers;
        let mut delay = SECOND / 50 + self.dice.below(SECOND as u64 / 5) as i64;
        let offer = |s: Snapshot| {
            let Snapshot { height, format, chunks, hash, metadata } = s;
            StateSyncMessage::SnapshotsResponse(SnapshotsResponse { height, format, chunks, hash, metadata })
        };
        match message {
            StateSyncMessage::SnapshotsRequest(_) => match manner {
                Empty => {}
                Boaster => {
                    for i in 0..10 {
                        self.agenda.after(delay, Event::Answer(peer, offer(snapshot(1_000_000 + i))));
                    }
                }
                Forger => {
                    for i in 0..10u8 {
                        let forged = Snapshot { metadata: vec![i], chunks: u32::MAX, ..snapshot(HEIGHT + 5) };
                        self.agenda.after(delay, Event::Answer(peer, offer(forged)));
                    }
                }
                _ => {
                    self.agenda.after(delay, Event::Answer(peer, offer(snapshot(HEIGHT - 10))));
                    self.agenda.after(delay, Event::Answer(peer, offer(snapshot(HEIGHT))));
                }
            },
            StateSyncMessage::ChunkRequest(ChunkRequest { height, format, index }) => {
                let mut bytes = chunk(index);
                let mut missing = false;
                let mut index = index;
                match manner {
                    Silent | Boaster | Forger | Empty => return,
                    Slow => delay = 60 * SECOND,
                    Damager if self.dice.chance(50) => bytes[3] ^= 1,
                    Denier => (bytes, missing) = (Vec::new(), true),
                    Pusher if self.dice.chance(50) => index += 7,
                    _ => {}
                }
                let m = ChunkResponse { height, format, index, chunk: bytes, missing };
                self.agenda.after(delay, Event::Answer(peer, StateSyncMessage::ChunkResponse(m)));
            }
            other => panic!("unexpected {other:?}"),
        }
        if matches!(manner, Leaves(n) if n == answers) {
            self.agenda.after(delay / 2, Event::Gone(peer));
        }
    }

    fn run(&mut self, seconds: i64) -> Option<Result<u64, String>> {
        while self.outcome.is_none() && self.agenda.now < seconds * SECOND {
            let event = self.agenda.next().unwrap();
            match event {
                Event::Tick => {
                    self.agenda.after(TICK, Event::Tick);
                    self.feed(Input::Tick);
                }
                Event::Answer(peer, message) => {
                    if self.peers.contains_key(&peer) {
                        self.feed(Input::Message { peer, message });
                    }
                }
                Event::Gone(peer) => {
                    self.peers.remove(&peer);
                    self.feed(Input::Gone(peer));
                }
                Event::Input(input) => self.feed(input),
            }
        }
        self.outcome.clone()
    }

    fn said(&self, text: &str) -> bool {
        self.progress.iter().any(|p| p.to_string().contains(text))
    }
}

fn chain() -> Chain {
    Chain::new(&Plan { blocks: 40, ..Plan::default() })
}

#[test]
fn the_newest_snapshot_is_restored_from_several_peers_at_once() {
    let chain = chain();
    let mut world = World::new(&chain, &[Honest, Honest, Honest], 1);
    assert_eq!(world.run(600), Some(Ok(HEIGHT)));
    assert!(world.dropped.is_empty());
    assert!(world.agenda.now < 20 * SECOND);
    assert!(world.peers.values().all(|(_, answers)| *answers > 2));
}

#[test]
fn a_node_that_has_blocks_needs_no_snapshot() {
    let chain = chain();
    assert!(StateSync::is_needed(None));
    assert!(StateSync::is_needed(Some(&chain.first_state)));
    assert!(!StateSync::is_needed(Some(chain.state())));
}

#[test]
fn every_kind_of_bad_peer_is_survived() {
    let chain = chain();
    for bad in [Empty, Silent, Slow, Damager, Denier, Boaster, Forger, Pusher, Leaves(3)] {
        let mut world = World::new(&chain, &[bad, Honest, bad], 2);
        assert_eq!(world.run(900), Some(Ok(HEIGHT)), "{bad:?}: {:?} {:?}", world.progress.last(), world.dropped);
        assert!(world.dropped.iter().all(|(m, _)| *m == bad));
        assert_eq!(!world.dropped.is_empty(), matches!(bad, Damager | Pusher), "{bad:?}: {:?}", world.dropped);
    }
}

#[test]
fn random_crowds_never_keep_it_from_the_honest_peer() {
    let chain = chain();
    for seed in 0..150 {
        let mut dice = Dice(seed);
        let mut manners = vec![Honest];
        for _ in 0..dice.below(7) {
            let i = dice.below(10) as usize;
            manners.push([Honest, Empty, Silent, Slow, Damager, Denier, Boaster, Forger, Pusher, Leaves(dice.below(9) as u32)][i]);
        }
        let mut world = World::new(&chain, &manners, seed);
        let outcome = world.run(3000);
        assert!(matches!(outcome, Some(Ok(_))), "seed {seed}: {manners:?} {outcome:?} {:?} {:?}", world.progress.last(), world.dropped);
        assert!(world.dropped.iter().all(|(m, _)| matches!(m, Damager | Pusher)), "{:?}", world.dropped);
    }
}

#[test]
fn without_snapshots_it_says_what_it_waits_for_and_gives_up_with_a_reason() {
    let chain = chain();
    for (manners, says) in [(vec![], "none is connected"), (vec![Empty, Empty], "none of 2 peers offers one")] {
        let mut world = World::new(&chain, &manners, 3);
        let reason = world.run(3000).unwrap().unwrap_err();
        assert!(reason.contains(says), "{reason}");
        assert!(world.said(says));
        assert_eq!(world.agenda.now / SECOND, 600);
    }
}

#[test]
fn when_every_offer_is_rejected_it_gives_up_and_names_the_reasons() {
    let chain = chain();
    let mut world = World::new(&chain, &[Honest, Forger], 4);
    world.app.formats.insert(1, OfferSnapshot::Reject);
    let reason = world.run(3000).unwrap().unwrap_err();
    assert!(reason.contains("every snapshot that was offered was rejected") && reason.contains("the application refused it"), "{reason}");

    let mut world = World::new(&chain, &[Honest], 4);
    world.app.formats.insert(1, OfferSnapshot::RejectFormat);
    assert!(world.run(3000).unwrap().unwrap_err().contains("does not know format 1"));

    let mut world = World::new(&chain, &[Honest], 4);
    world.app.wrong_root = true;
    assert!(world.run(3000).unwrap().unwrap_err().contains("root"));
}

#[test]
fn the_application_may_stop_or_restart_the_restoration() {
    let chain = chain();
    let mut world = World::new(&chain, &[Honest], 5);
    world.app.abort_at = Some(4);
    assert_eq!(world.run(3000), Some(Err("the application stopped the restoration: disk full".into())));
    let mut world = World::new(&chain, &[Honest], 5);
    world.app.formats.insert(1, OfferSnapshot::Abort);
    assert!(world.run(3000).unwrap().is_err());
    let mut world = World::new(&chain, &[Honest], 5);
    world.app.restart_at = Some(7);
    assert_eq!(world.run(3000), Some(Ok(HEIGHT)));
    assert_eq!(world.app.restarts, 2);
}

#[test]
fn a_height_that_is_not_verifiable_yet_is_tried_again() {
    let chain = chain();
    let mut world = World::new(&chain, &[Honest], 6);
    world.top = 21;
    world.run(8);
    assert_eq!(world.outcome, None);
    world.top = 40;
    let outcome = world.run(100);
    assert!(matches!(outcome, Some(Ok(_))), "{outcome:?}");
}

#[test]
fn a_divergence_ends_it_at_once() {
    let chain = chain();
    let mut world = World::new(&chain, &[Honest], 7);
    world.light_fails = Some(LightError::Divergence { height: 30, reason: "two headers".into() });
    assert!(world.run(3000).unwrap().unwrap_err().contains("contradict"));
    assert!(world.agenda.now < 10 * SECOND);
}

#[test]
fn progress_has_an_estimate() {
    let chain = chain();
    let mut world = World::new(&chain, &[Slow], 8);
    world.run(400);
    let restoring = |p: &&StateSyncProgress| matches!(p.stage, Stage::Restoring { seconds_left: Some(_), .. });
    assert!(world.progress.iter().any(|p| restoring(&p)), "{:?}", world.progress.last());
    assert!(world.said("chunk 0 from") || world.said("for "));
}

#[test]
fn no_sequence_of_inputs_breaks_it() {
    let chain = chain();
    for seed in 0..300 {
        let mut dice = Dice(seed);
        let mut sync = StateSync::new(Config::default(), at(0));
        let mut now = 0;
        for _ in 0..400 {
            now += dice.below(SECOND as u64 * 3) as i64;
            let peer = id(dice.below(5) as usize);
            let height = 20 + dice.below(15);
            let input = match dice.below(12) {
                0 => Input::Connected(peer),
                1 => Input::Gone(peer),
                2 | 3 => Input::Tick,
                4 => {
                    let Snapshot { height, format, chunks, hash, metadata } = snapshot(height);
                    let chunks = if dice.chance(20) { dice.next() as u32 | 1 } else { chunks };
                    let m = SnapshotsResponse { height, format, chunks, hash, metadata };
                    Input::Message { peer, message: StateSyncMessage::SnapshotsResponse(m) }
                }
                5 | 6 => {
                    let m = ChunkResponse { height, format: 1, index: dice.below(14) as u32, chunk: vec![1], missing: dice.chance(10) };
                    Input::Message { peer, message: StateSyncMessage::ChunkResponse(m) }
                }
                7 => {
                    let made = chain.get(height as i64).unwrap();
                    Input::Trusted(Ok(Box::new(TrustedState { state: made.state.clone(), commit: made.commit.clone() })))
                }
                8 | 9 => Input::Offered(if dice.chance(80) { OfferSnapshot::Accept } else { OfferSnapshot::Reject }),
                10 => Input::ChunkApplied(match dice.below(6) {
                    0 => ApplyChunk::RefetchFromOthers,
                    1 => ApplyChunk::RetrySnapshot,
                    2 => ApplyChunk::RejectSnapshot("no".into()),
                    _ => ApplyChunk::Accept,
                }),
                _ => Input::App(AppInfo { last_height: height as i64, app_hash: vec![height as u8; 32], app_version: 7 }),
            };
            sync.handle(at(now), input);
        }
    }
}

struct Served;

impl Application for Served {
    fn info(&self) -> Result<AppInfo, Fatal> {
        Ok(AppInfo::default())
    }
    fn init_chain(&mut self, _: &EngineGenesis) -> Result<InitChainResponse, Fatal> {
        Err(Fatal::new("not served"))
    }
    fn execute(&mut self, _: &CheckedBlock, _: &[VoteInfo], _: &[ByzantineValidator]) -> Result<AbciResponses, Fatal> {
        Err(Fatal::new("not served"))
    }
    fn commit(&mut self) -> Result<AppCommit, Fatal> {
        Err(Fatal::new("not served"))
    }
    fn check_tx(&mut self, _: &[u8], _: bool) -> Result<CheckTx, Fatal> {
        Err(Fatal::new("not served"))
    }
    fn snapshots(&self) -> Vec<Snapshot> {
        (1..=15).map(snapshot).collect()
    }
    fn snapshot_chunk(&self, height: u64, _: u32, index: u32) -> Option<Vec<u8>> {
        (height <= 15 && index < CHUNKS).then(|| chunk(index))
    }
    fn offer_snapshot(&mut self, _: &Snapshot, _: &[u8]) -> Result<OfferSnapshot, Fatal> {
        Err(Fatal::new("not served"))
    }
    fn apply_chunk(&mut self, _: u32, _: &[u8]) -> Result<ApplyChunk, Fatal> {
        Err(Fatal::new("not served"))
    }
}

#[test]
fn ten_snapshots_are_offered_and_chunks_given_one_at_a_time() {
    let mut server = SnapshotServer::default();
    server.connected(id(1));
    let offers = server.message(&id(1), &StateSyncMessage::SnapshotsRequest(SnapshotsRequest {}), &Served);
    assert_eq!(offers.len(), 10);
    assert!(offers.iter().all(|(channel, _)| *channel == ChannelId::SNAPSHOT));
    assert!(matches!(StateSyncMessage::decode(&offers[0].1).unwrap(), StateSyncMessage::SnapshotsResponse(m) if m.height == 15));

    let ask = |index| StateSyncMessage::ChunkRequest(ChunkRequest { height: 9, format: 1, index });
    let first = server.message(&id(1), &ask(0), &Served);
    assert!(server.message(&id(1), &ask(99), &Served).is_empty());
    let second = server.sent(&id(1), first[0].1.len(), &Served);
    assert!(matches!(StateSyncMessage::decode(&first[0].1).unwrap(), StateSyncMessage::ChunkResponse(m) if m.chunk == chunk(0)));
    assert!(matches!(StateSyncMessage::decode(&second[0].1).unwrap(), StateSyncMessage::ChunkResponse(m) if m.missing));
    assert!(server.message(&id(2), &ask(0), &Served).is_empty(), "who is not connected gets nothing");
}
