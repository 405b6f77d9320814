//! Block sync from several nodes in virtual time, some of which are slow, silent, or lie.

use std::collections::{BTreeMap, BTreeSet};

use oasis_consensus_engine::{
    PeerId,
    blocksync::{BlockSync, Config, Effect, Input, Progress, TICK},
    messages::{BlockResponse, BlockSyncMessage, NoBlockResponse, StatusResponse},
};

mod common;
use common::{Agenda, Chain, Dice, Plan, SECOND, at, forge};

/// How a peer behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    Honest,
    /// Has only the blocks from a height on.
    Pruned(i64),
    /// Has only the blocks to a height.
    Behind(i64),
    /// Leaves after so many answers.
    Leaves(u32),
    /// Says what it has and never sends any of it.
    Silent,
    /// Does not even say what it has.
    Mute,
    /// Answers after ten seconds, one at a time.
    Slow,
    /// Says it has a million blocks.
    Boaster,
    /// Says that it has no block.
    Denier,
    /// Changes transactions, with a header that fits.
    Forger,
    /// Puts a wrong signature into the commit of the block before.
    Spoiler,
    /// Leaves votes out of the commit of the block before.
    Thinner,
    /// Takes the commit of another height.
    Mixer,
    /// Sends noise.
    Noise,
    /// Sends another block than the one it was asked for.
    Unasked,
}

use Manner::*;

const LIARS: [Manner; 8] = [Boaster, Denier, Forger, Spoiler, Thinner, Mixer, Noise, Unasked];

impl Manner {
    fn is_useful(self) -> bool {
        matches!(self, Honest | Pruned(_) | Behind(_) | Leaves(_))
    }
}

enum Event {
    Tick,
    Answer(PeerId, BlockSyncMessage),
    Gone(PeerId),
    Applied,
}

struct World<'a> {
    chain: &'a Chain,
    sync: BlockSync,
    dice: Dice,
    agenda: Agenda<Event>,
    peers: BTreeMap<PeerId, (Manner, u32, i64)>,
    dropped: Vec<(Manner, String)>,
    applied: i64,
    max_waiting: usize,
    caught_up: Option<i64>,
    progress: Vec<Progress>,
    apply_time: i64,
    /// Whether this node does nothing else while it applies a block.
    blocking: bool,
}

fn id(i: usize) -> PeerId {
    PeerId::of_key(&[i as u8; 32])
}

impl<'a> World<'a> {
    fn new(chain: &'a Chain, config: Config, manners: &[Manner], seed: u64) -> Self {
        let sync = BlockSync::new(config, chain.first_state.clone(), at(0));
        let mut world = Self {
            chain,
            sync,
            dice: Dice(seed),
            agenda: Agenda::default(),
            peers: BTreeMap::new(),
            dropped: Vec::new(),
            applied: 0,
            max_waiting: 0,
            caught_up: None,
            progress: Vec::new(),
            apply_time: SECOND / 1000,
            blocking: false,
        };
        world.agenda.after(TICK, Event::Tick);
        for (i, manner) in manners.iter().enumerate() {
            world.peers.insert(id(i), (*manner, 0, 0));
            world.feed(Input::Connected(id(i)));
        }
        world
    }

    fn feed(&mut self, input: Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            for effect in self.sync.handle(at(self.agenda.now), input) {
                match effect {
                    Effect::Send { peer, message } => self.asked(peer, message),
                    Effect::PeerFault { peer, reason, .. } => {
                        if let Some((manner, ..)) = self.peers.remove(&peer) {
                            self.dropped.push((manner, reason));
                        }
                    }
                    Effect::Verify(batch) => inputs.push(Input::Verified(batch.verify())),
                    Effect::Apply(proven) => {
                        self.applied += 1;
                        let made = self.chain.get(self.applied).expect("no more than there is");
                        assert_eq!(proven.encoded, made.encoded);
                        assert_eq!(proven.block, made.block);
                        assert_eq!(proven.commit, made.commit);
                        if self.blocking {
                            self.agenda.now += self.apply_time;
                            inputs.push(Input::Applied(Box::new(made.state.clone())));
                        } else {
                            self.agenda.after(self.apply_time, Event::Applied);
                        }
                    }
                    Effect::CaughtUp { height, synced } => {
                        assert_eq!((height, synced), (self.applied, self.applied as u64));
                        self.caught_up = Some(height);
                    }
                    Effect::Progress(progress) => self.progress.push(progress),
                }
            }
            self.max_waiting = self.max_waiting.max(self.sync.bytes_waiting());
        }
    }

    fn asked(&mut self, peer: PeerId, message: BlockSyncMessage) {
        let Some(&(manner, answers, busy_to)) = self.peers.get(&peer) else { return };
        let top = match manner {
            Behind(top) => top,
            Boaster => 1_000_000,
            _ => self.chain.height(),
        };
        let base = if let Pruned(base) = manner { base } else { 1 };
        let delay = SECOND / 100 + self.dice.below(SECOND as u64 / 4) as i64;
        let height = match message {
            BlockSyncMessage::StatusRequest(_) => {
                if manner != Mute {
                    let status = BlockSyncMessage::StatusResponse(StatusResponse { height: top, base });
                    self.agenda.after(delay, Event::Answer(peer, status));
                }
                return;
            }
            BlockSyncMessage::BlockRequest(m) => m.height,
            other => panic!("unexpected {other:?}"),
        };
        let made = self.chain.get(height);
        let lie = self.dice.chance(30);
        let block = match (manner, made) {
            (Silent | Mute, _) => return,
            (Denier, _) | (_, None) => None,
            (Forger, Some(m)) if lie => Some(forge(m, |b| b.data.txs.push(b"more".to_vec()))),
            (Spoiler, Some(m)) if lie && height > 1 => {
                let dice = self.dice.next() as usize;
                Some(forge(m, |b| {
                    let sigs = &mut b.last_commit.as_mut().unwrap().signatures;
                    let i = dice % sigs.len();
                    sigs[i].signature[40] ^= 1;
                }))
            }
            (Thinner, Some(m)) if lie && height > 1 => Some(forge(m, |b| drop(b.last_commit.as_mut().unwrap().signatures.pop()))),
            (Mixer, Some(m)) if lie && height > 2 => {
                let other = self.chain.get(height - 2).unwrap().commit.clone();
                Some(forge(m, |b| b.last_commit = Some(other)))
            }
            (Noise, Some(m)) if lie => {
                let mut bytes = m.encoded.clone();
                let i = self.dice.below(bytes.len() as u64) as usize;
                bytes[i] ^= 0x40;
                Some(bytes)
            }
            (Unasked, Some(_)) if lie => {
                Some(self.chain.get(1 + self.dice.below(self.chain.blocks.len() as u64) as i64).unwrap().encoded.clone())
            }
            (_, Some(m)) if (base..=top).contains(&height) => Some(m.encoded.clone()),
            _ => None,
        };
        let delay = if manner == Slow { (busy_to - self.agenda.now).max(0) + 10 * SECOND } else { delay };
        self.peers.insert(peer, (manner, answers + 1, self.agenda.now + delay));
        let answer = match block {
            Some(block) => BlockSyncMessage::BlockResponse(BlockResponse { block: Some(block) }),
            None if manner == Boaster => return,
            None => BlockSyncMessage::NoBlockResponse(NoBlockResponse { height }),
        };
        self.agenda.after(delay, Event::Answer(peer, answer));
        if matches!(manner, Leaves(n) if n == answers) {
            self.agenda.after(delay / 2, Event::Gone(peer));
        }
    }

    /// Goes on until it is caught up, for some virtual time at most.
    fn run(&mut self, seconds: i64) {
        while self.caught_up.is_none() && self.agenda.now < seconds * SECOND {
            let Some(event) = self.agenda.next() else { break };
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
                Event::Applied => {
                    let state = self.chain.get(self.applied).unwrap().state.clone();
                    self.feed(Input::Applied(Box::new(state)));
                }
                Event::Gone(peer) => {
                    self.peers.remove(&peer);
                    self.feed(Input::Gone(peer));
                }
            }
        }
    }

    fn check_only_the_guilty_were_dropped(&self) {
        for (manner, reason) in &self.dropped {
            assert!(!manner.is_useful(), "{manner:?} was dropped: {reason}");
        }
    }
}

#[test]
fn a_thousand_blocks_come_from_honest_peers_with_changing_validators() {
    let chain = Chain::new(&Plan { blocks: 1000, change_every: 20, ..Plan::default() });
    let mut world = World::new(&chain, Config::default(), &[Honest, Honest, Pruned(300), Behind(500), Leaves(100), Honest], 1);
    world.run(600);
    assert_eq!(world.caught_up, Some(999));
    world.check_only_the_guilty_were_dropped();
    let longest = world.progress.iter().max_by_key(|p| p.height).unwrap();
    assert!(longest.millirate > 10_000 && longest.target == 1000, "{longest}");
}

#[test]
fn every_kind_of_bad_peer_is_dropped_and_replaced() {
    let chain = Chain::new(&Plan { blocks: 300, change_every: 30, ..Plan::default() });
    for liar in LIARS.into_iter().chain([Silent, Slow]) {
        let mut world = World::new(&chain, Config::default(), &[liar, Honest, liar], 2);
        world.apply_time = SECOND / 5;
        world.run(600);
        assert_eq!(world.caught_up, Some(299), "{liar:?}: {:?} {:?}", world.progress.last(), world.dropped);
        world.check_only_the_guilty_were_dropped();
        assert!(!world.dropped.is_empty(), "{liar:?} was not found");
    }
}

#[test]
fn random_crowds_of_liars_never_win_nor_discredit_an_honest_peer() {
    let chain = Chain::new(&Plan { blocks: 120, change_every: 15, ..Plan::default() });
    for seed in 0..60 {
        let mut dice = Dice(seed);
        let mut manners = vec![Honest];
        for _ in 0..dice.below(8) {
            manners.push(match dice.below(6) {
                0 => Pruned(1 + dice.below(100) as i64),
                1 => Behind(1 + dice.below(100) as i64),
                2 => Leaves(dice.below(50) as u32),
                3 => [Silent, Mute, Slow][dice.below(3) as usize],
                _ => LIARS[dice.below(8) as usize],
            });
        }
        let config =
            Config { batches_in_flight: 1 + dice.below(3) as usize, batch_signatures: 1 + dice.below(64) as usize, ..Config::default() };
        let mut world = World::new(&chain, config, &manners, seed);
        world.run(900);
        assert_eq!(world.caught_up, Some(119), "seed {seed}: {manners:?} {:?} {:?}", world.progress.last(), world.dropped);
        world.check_only_the_guilty_were_dropped();
    }
}

#[test]
fn waiting_blocks_stay_within_their_bytes() {
    let chain = Chain::new(&Plan { blocks: 100, tx_bytes: 50_000, ..Plan::default() });
    let config = Config { max_bytes: 400_000, ..Config::default() };
    let mut world = World::new(&chain, config, &[Honest, Honest, Honest], 3);
    world.apply_time = SECOND / 5;
    world.run(600);
    assert_eq!(world.caught_up, Some(99));
    assert!(world.max_waiting <= 400_000, "{}", world.max_waiting);
}

#[test]
fn without_peers_it_waits_and_says_so() {
    let chain = Chain::new(&Plan { blocks: 3, ..Plan::default() });
    let mut world = World::new(&chain, Config::default(), &[], 4);
    world.run(60);
    assert_eq!(world.caught_up, None);
    assert!(world.progress.last().unwrap().to_string().contains("none is connected"));

    let mut world = World::new(&chain, Config::default(), &[Mute], 4);
    world.run(60);
    assert_eq!(world.caught_up, None);
    assert!(world.progress.last().unwrap().to_string().contains("none of 1 does"));

    let mut world = World::new(&chain, Config::default(), &[Pruned(2)], 4);
    world.run(60);
    assert_eq!(world.caught_up, None);
    assert!(world.progress.last().unwrap().to_string().contains("block 1, which no peer has"), "{:?}", world.progress.last());
}

#[test]
fn consensus_begins_when_no_peer_has_more_and_not_before_all_had_time_to_say() {
    let chain = Chain::new(&Plan { blocks: 3, ..Plan::default() });
    for (manners, seconds) in [(vec![Behind(0), Behind(0)], 1), (vec![Behind(0), Mute], 5), (vec![Behind(1)], 1)] {
        let mut world = World::new(&chain, Config::default(), &manners, 5);
        world.run(60);
        assert_eq!(world.caught_up, Some(0));
        assert_eq!(world.agenda.now / SECOND, seconds, "{manners:?}");
    }
}

#[test]
fn peers_are_not_blamed_for_a_time_in_which_this_node_stood_still() {
    let chain = Chain::new(&Plan { blocks: 60, ..Plan::default() });
    let mut world = World::new(&chain, Config::default(), &[Honest, Honest], 6);
    world.apply_time = 20 * SECOND;
    world.blocking = true;
    world.run(3000);
    assert_eq!(world.caught_up, Some(59));
    world.check_only_the_guilty_were_dropped();
}

#[test]
fn no_sequence_of_inputs_breaks_the_limits() {
    let chain = Chain::new(&Plan { blocks: 40, change_every: 7, ..Plan::default() });
    for seed in 0..200 {
        let mut dice = Dice(seed);
        let mut world = World::new(&chain, Config { max_bytes: 10_000, max_blocks: 20, ..Config::default() }, &[], seed);
        let mut connected = BTreeSet::new();
        for _ in 0..300 {
            world.agenda.now += dice.below(SECOND as u64 / 2) as i64;
            let peer = id(dice.below(6) as usize);
            let height = dice.below(45) as i64;
            let input = match dice.below(7) {
                0 => {
                    connected.insert(peer);
                    world.peers.insert(peer, (Mute, 0, 0));
                    Input::Connected(peer)
                }
                1 => Input::Gone(peer),
                2 => Input::Tick,
                3 => Input::Message { peer, message: BlockSyncMessage::StatusResponse(StatusResponse { height, base: height / 3 }) },
                4 => Input::Message { peer, message: BlockSyncMessage::NoBlockResponse(NoBlockResponse { height }) },
                _ => {
                    let block = chain.get(height).map(|m| m.encoded.clone()).unwrap_or_default();
                    Input::Message { peer, message: BlockSyncMessage::BlockResponse(BlockResponse { block: Some(block) }) }
                }
            };
            world.feed(input);
            assert!(world.max_waiting <= 10_000 + 2 * 1000, "{}", world.max_waiting);
        }
    }
}
