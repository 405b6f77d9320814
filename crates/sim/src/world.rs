//! A network on virtual time.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use oasis_consensus_abci::{Config as MachineConfig, Disk as StateDisk, DiskOptions, Machine, Network as Chain};
use oasis_consensus_engine::{
    PeerId, address_of,
    messages::{ChannelId, ConsensusMessage},
    node::{Effect, Input, Node, NodeConfig, NodeEvent, Ports, TimerId},
    ports::Fatal,
    proto::Timestamp,
    rounds::RoundsConfig,
};
use oasis_consensus_types::{
    staking::Transfer,
    transaction::{SignedTransaction, Transaction},
};
use oasis_primitives::{
    address::Address,
    cbor,
    quantity::Quantity,
    signature::{ChainContext, Signer as _, remember_signatures},
};
use oasis_storage::{BlockDb, BlockOptions};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::{
    byzantine::Traitor,
    checks::{Checks, Violation},
    disk::Disk,
    faults::{Byzantine, Fault, Limits, Plan},
    genesis::{self, Keys},
    network::Network,
    queue::{Moment, Queue},
    signer::{self, Signed},
    timeline::Timeline,
    topology,
    trap::Trap,
};

const MILLISECOND: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MILLISECOND;
/// Pause before a connection is made again, nanoseconds.
const REDIAL: u64 = SECOND;
/// How long a ban of a Byzantine node lasts, nanoseconds.
const BAN: u64 = 10 * SECOND;
/// Between the commit of a block and the next height, milliseconds.
const TIMEOUT_COMMIT: u64 = 200;
/// What a sync of a disk that is well takes, nanoseconds.
const SYNC: u64 = MILLISECOND / 2;
/// Blocks that everybody must have made so long after all is well.
const FURTHER: i64 = 5;
const PATIENCE: u64 = 180 * SECOND;

/// A bug that the simulator is to find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// A lock is forgotten at a restart.
    Lock,
    /// A vote counts as often as it comes.
    Vote,
    /// Evidence in blocks is not checked.
    Evidence,
}

/// What to run.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Decides everything else.
    pub seed: u64,
    /// Blocks that every node has to have at the end.
    pub blocks: i64,
    /// Count of validators; none for what the seed says.
    pub validators: Option<usize>,
    /// Whether anything goes wrong.
    pub faults: bool,
    /// A bug to show.
    pub planted: Option<Planted>,
}

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Report {
    /// Its seed.
    pub seed: u64,
    /// Its conditions.
    pub plan: Plan,
    /// What did not hold.
    pub violation: Option<Violation>,
    /// What happened.
    pub timeline: Timeline,
    /// Least height of the honest nodes.
    pub height: i64,
    /// Messages sent.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Connections between nodes.
    pub links: usize,
    /// How long it took, in virtual time.
    pub end: Moment,
    /// Average virtual time from the beginning of a height to its decision, seconds; without faults.
    pub decided_in: f64,
    /// The last state.
    pub app_hash: Vec<u8>,
}

enum Event {
    Deliver { from: usize, to: usize, generation: u64, channel: ChannelId, bytes: Arc<[u8]> },
    Input { node: usize, life: u64, link: Option<(usize, u64)>, input: Input },
    Timer { node: usize, life: u64, id: TimerId, turn: u64 },
    Connect { a: usize, b: usize },
    Fault(usize),
    Heal(u64),
    HealDisk { node: usize },
    Restart { node: usize },
    Forget { node: usize },
    Load,
    Healed,
}

struct Member {
    keys: Keys,
    address: Vec<u8>,
    peer: PeerId,
    disk: Disk,
    signed: Signed,
    node: Option<Node>,
    /// Counts restarts.
    life: u64,
    timers: BTreeMap<TimerId, u64>,
    busy_until: Moment,
    sync_cost: u64,
    skew: i64,
    /// Until when peers may not come back.
    banned: BTreeMap<usize, Moment>,
    height: i64,
    /// How long the node stays down once its power goes.
    down: u64,
    traitor: Option<Traitor>,
}

struct World {
    options: Options,
    plan: Plan,
    rng: ChaCha8Rng,
    queue: Queue<Event>,
    network: Network,
    members: Vec<Member>,
    chain: Chain,
    peers: BTreeMap<PeerId, usize>,
    links: BTreeSet<(usize, usize)>,
    traps: Vec<Trap>,
    /// The node whose turn it is stops after it, for so long.
    sprung: Option<u64>,
    honest: BTreeSet<usize>,
    checks: Checks,
    timeline: Timeline,
    turn: u64,
    messages: u64,
    bytes: u64,
    nonces: BTreeMap<usize, u64>,
    in_flight: BTreeMap<Vec<u8>, usize>,
    waits: BTreeMap<usize, Moment>,
    healed: Option<i64>,
    decided: (u64, u64),
    began: BTreeMap<i64, Moment>,
    app_hash: Vec<u8>,
}

/// Runs a seed. An error says why there is no network to run.
pub fn run(options: Options) -> Result<Report, String> {
    remember_signatures();
    let mut world = World::new(options)?;
    world.begin();
    world.run();
    Ok(world.report())
}

#[cfg(feature = "planted-bugs")]
fn plant(rounds: &mut RoundsConfig, bug: Option<Planted>) {
    use oasis_consensus_engine::planted::PlantedBug;
    rounds.planted = bug.map(|bug| match bug {
        Planted::Lock => PlantedBug::LockForgottenOnRestart,
        Planted::Vote => PlantedBug::VoteCountedTwice,
        Planted::Evidence => PlantedBug::EvidenceNotChecked,
    });
}

impl World {
    fn new(options: Options) -> Result<Self, String> {
        if options.planted.is_some() && !cfg!(feature = "planted-bugs") {
            return Err("built without planted bugs: use the feature planted-bugs".to_owned());
        }
        let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
        let validators = options.validators.map_or((4, 7), |n| (n, n));
        let length = options.blocks.unsigned_abs() * 600 * MILLISECOND;
        let mut plan = Plan::draw(&mut rng, &Limits { length, validators, pause: 4 * SECOND });
        if !options.faults {
            plan = Plan {
                followers: 0,
                latency: (20 * MILLISECOND, 80 * MILLISECOND),
                reorder: 0,
                skew: vec![0; plan.validators],
                byzantine: Vec::new(),
                faults: Vec::new(),
                healed: Moment(length),
                load: 10,
                ..plan
            };
        }
        let nodes = plan.validators + plan.followers;
        let keys: Vec<Keys> = (0..nodes).map(Keys::of).collect();
        let document = genesis::document(&keys[..plan.validators], TIMEOUT_COMMIT)?;
        let chain = Chain::new(document, true, true).map_err(|e| e.to_string())?;
        let member = |(i, keys): (usize, Keys)| Member {
            address: address_of(&keys.consensus.public_key().0),
            peer: PeerId::of_key(&keys.p2p.public_key().0),
            disk: Disk::default(),
            signed: Signed::default(),
            node: None,
            life: 0,
            timers: BTreeMap::new(),
            busy_until: Moment(0),
            sync_cost: SYNC,
            skew: plan.skew.get(i).copied().unwrap_or_default(),
            banned: BTreeMap::new(),
            height: 0,
            down: 0,
            traitor: plan.behaviour(i).map(|b| Traitor::new(b, keys.consensus.clone(), &chain.engine.chain_id)),
            keys,
        };
        let members: Vec<Member> = keys.into_iter().enumerate().map(member).collect();
        let honest: BTreeSet<usize> = (0..nodes).filter(|i| plan.behaviour(*i).is_none()).collect();
        let addresses = members[..plan.validators].iter().map(|m| m.address.clone()).collect();
        let links = topology::links(&mut rng, nodes);
        Ok(Self {
            options,
            network: Network::new(plan.latency, plan.reorder),
            queue: Queue::default(),
            peers: members.iter().enumerate().map(|(i, m)| (m.peer, i)).collect(),
            checks: Checks::new(addresses, honest.clone()),
            links,
            traps: Vec::new(),
            sprung: None,
            members,
            chain,
            honest,
            timeline: Timeline::default(),
            turn: 0,
            messages: 0,
            bytes: 0,
            nonces: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            waits: BTreeMap::new(),
            healed: None,
            decided: (0, 0),
            began: BTreeMap::new(),
            app_hash: Vec::new(),
            plan,
            rng,
        })
    }

    fn note(&mut self, node: Option<usize>, what: impl std::fmt::Display) {
        self.timeline.add(self.queue.now(), node, what);
    }

    fn begin(&mut self) {
        for (node, behaviour) in self.plan.byzantine.clone() {
            self.note(Some(node), format_args!("is Byzantine: {behaviour:?}"));
            if behaviour == Byzantine::Amnesia {
                self.queue.add(Moment(5 * SECOND), Event::Forget { node });
            }
        }
        for node in 0..self.members.len() {
            self.start(node, false);
        }
        let faults: Vec<Moment> = self.plan.faults.iter().map(|(at, _)| *at).collect();
        for (i, at) in faults.into_iter().enumerate() {
            self.queue.add(at, Event::Fault(i));
        }
        self.queue.add(self.plan.healed, Event::Healed);
        if self.plan.load > 0 {
            self.queue.add(Moment(SECOND), Event::Load);
        }
    }

    fn time(&self, node: usize) -> Timestamp {
        let nanos = self.queue.now().0.cast_signed().saturating_add(self.members[node].skew);
        self.chain.engine.genesis_time.plus_nanos(nanos.saturating_add(10 * SECOND.cast_signed()))
    }

    fn ports(&self, node: usize) -> Result<Ports, Fatal> {
        let member = &self.members[node];
        let context = self.chain.chain_context.clone();
        let tree = StateDisk::on(member.disk.database("state"), Path::new("state"), DiskOptions::new(context.clone()))?;
        let machine = Machine::open(tree, self.chain.clone(), MachineConfig::default()).map_err(Fatal::new)?;
        let blocks = BlockOptions { context, with_state: true, ..BlockOptions::default() };
        let store = BlockDb::on(member.disk.database("blocks"), Path::new("blocks"), blocks).map_err(Fatal::new)?;
        let signer = match node < self.plan.validators {
            true => Some(signer::open(member.keys.consensus.clone(), member.disk.clone(), member.signed.clone())?),
            false => None,
        };
        Ok(Ports {
            app: Box::new(machine),
            store: Box::new(store),
            wal: member.disk.wal(),
            signer: signer.map(|s| Box::new(s) as Box<dyn oasis_consensus_engine::ports::Signer + Send>),
        })
    }

    /// Starts a node on what its disk holds.
    fn start(&mut self, node: usize, sync_blocks: bool) {
        #[allow(unused_mut)]
        let mut rounds = RoundsConfig { timeout_commit: (TIMEOUT_COMMIT * MILLISECOND).cast_signed(), ..RoundsConfig::default() };
        #[cfg(feature = "planted-bugs")]
        plant(&mut rounds, self.options.planted);
        let config = NodeConfig { rounds, sync_blocks, seed: self.rng.random(), ..NodeConfig::default() };
        let now = self.time(node);
        let started = self.ports(node).and_then(|ports| Node::start(now, config, ports, &self.chain.engine));
        let member = &mut self.members[node];
        member.life += 1;
        member.timers.clear();
        match started {
            Ok((new, effects)) => {
                let height = new.state().last_block_height;
                member.height = height;
                if height == 0 {
                    self.checks.set_validators(1, &new.state().validators);
                }
                member.node = Some(new);
                // Blocks that are executed while the log is read are events too.
                let replayed = effects.iter().filter(|e| matches!(e, Effect::Event(NodeEvent::Applied(_)))).count();
                self.checks.restarted(node, height - i64::try_from(replayed).unwrap_or_default());
                self.note(Some(node), format_args!("starts at height {height}{}", if sync_blocks { ", syncs blocks" } else { "" }));
                self.carry_out(node, effects);
                let links: Vec<_> = self.links.iter().copied().filter(|(a, b)| *a == node || *b == node).collect();
                for (a, b) in links {
                    self.queue.add(self.queue.now().after(10 * MILLISECOND), Event::Connect { a, b });
                }
            }
            Err(e) if member.disk.is_powerless() => {
                self.note(Some(node), format_args!("loses power while it starts: {e}"));
                self.crash(node, SECOND);
            }
            Err(e) => {
                self.note(Some(node), format_args!("does not start: {e}"));
                if self.honest.contains(&node) {
                    self.checks.violate(Violation::Restart { node, reason: e.to_string() });
                }
            }
        }
    }

    /// Stops a node as power loss does, and starts it again later.
    fn crash(&mut self, node: usize, down: u64) {
        let member = &mut self.members[node];
        member.node = None;
        member.life += 1;
        member.signed.take();
        member.disk.lose_power(&mut self.rng);
        member.busy_until = self.queue.now();
        for other in self.network.neighbours(node) {
            self.cut(node, other);
        }
        self.queue.add(self.queue.now().after(down), Event::Restart { node });
    }

    /// Breaks a connection; both ends that run hear of it.
    fn cut(&mut self, a: usize, b: usize) {
        if self.network.disconnect(a, b) {
            self.gone(a, b);
            self.gone(b, a);
            self.redial(a, b);
        }
    }

    fn redial(&mut self, a: usize, b: usize) {
        self.queue.add(self.queue.now().after(REDIAL), Event::Connect { a, b });
    }

    fn gone(&mut self, node: usize, other: usize) {
        let (life, peer) = (self.members[node].life, self.members[other].peer);
        self.queue.add(self.queue.now(), Event::Input { node, life, link: None, input: Input::Gone { peer } });
    }

    fn connect(&mut self, a: usize, b: usize) {
        let now = self.queue.now();
        let up = |m: &Member| m.node.is_some();
        if self.network.is_up(a, b) || !up(&self.members[a]) || !up(&self.members[b]) {
            return;
        }
        let banned = |x: usize, y: usize| self.members[x].banned.get(&y).is_some_and(|until| *until > now);
        if !self.network.is_reachable(a, b) || banned(a, b) || banned(b, a) {
            self.redial(a, b);
            return;
        }
        self.network.connect(a, b);
        let generation = self.network.generation(a, b);
        for (node, other, outbound) in [(a, b, true), (b, a, false)] {
            let input = Input::Connected { peer: self.members[other].peer, outbound, persistent: true };
            let life = self.members[node].life;
            self.queue.add(now, Event::Input { node, life, link: Some((other, generation)), input });
        }
    }

    fn run(&mut self) {
        while let Some((now, event)) = self.queue.pop() {
            self.handle(now, event);
            if self.checks.violation().is_some() || self.is_done(now) {
                return;
            }
        }
    }

    fn is_done(&mut self, now: Moment) -> bool {
        let Some(target) = self.healed else { return false };
        let least = self.least();
        if least < target && now.0 > self.plan.healed.after(PATIENCE).0 {
            let heights = self.members.iter().map(|m| m.height).collect();
            self.checks.violate(Violation::Progress { heights });
        }
        least >= target.max(self.options.blocks)
    }

    /// Least height of the honest nodes.
    fn least(&self) -> i64 {
        self.honest.iter().map(|i| self.members[*i].height).min().unwrap_or_default()
    }

    /// If the node is busy, the event waits.
    fn waits(&mut self, node: usize, event: Event) -> Option<Event> {
        let until = self.members[node].busy_until;
        if until > self.queue.now() {
            self.queue.add(until, event);
            return None;
        }
        Some(event)
    }

    fn handle(&mut self, now: Moment, event: Event) {
        let event = match &event {
            Event::Deliver { to: node, .. } | Event::Input { node, .. } | Event::Timer { node, .. } => {
                let node = *node;
                match self.waits(node, event) {
                    Some(event) => event,
                    None => return,
                }
            }
            _ => event,
        };
        match event {
            Event::Deliver { from, to, generation, channel, bytes } => {
                if self.network.is_up(from, to) && self.network.generation(from, to) == generation {
                    let peer = self.members[from].peer;
                    self.give(to, Input::Message { peer, channel, bytes: bytes.to_vec() });
                }
            }
            Event::Input { node, life, link, input } => {
                let stands = link.is_none_or(|(other, g)| self.network.is_up(node, other) && self.network.generation(node, other) == g);
                if self.members[node].life == life && stands {
                    self.give(node, input);
                }
            }
            Event::Timer { node, life, id, turn } => {
                let member = &self.members[node];
                if member.life == life && member.timers.get(&id) == Some(&turn) {
                    self.give(node, Input::Timer(id));
                }
            }
            Event::Connect { a, b } => self.connect(a, b),
            Event::Fault(i) => self.fault(i),
            Event::Heal(name) => {
                self.network.heal(name);
                self.note(None, "a partition ends");
            }
            Event::HealDisk { node } => self.members[node].sync_cost = SYNC,
            Event::Restart { node } => {
                if self.members[node].node.is_none() {
                    let sync = self.rng.random_ratio(1, 2);
                    self.start(node, sync);
                }
            }
            Event::Forget { node } => {
                self.note(Some(node), "forgets what it signed");
                if self.members[node].node.is_some() {
                    self.crash(node, 10 * MILLISECOND);
                }
                self.members[node].disk.forget();
                let next = self.rng.random_range(2 * SECOND..20 * SECOND);
                self.queue.add(now.after(next), Event::Forget { node });
            }
            Event::Load => self.load(now),
            Event::Healed => {
                for member in &mut self.members {
                    member.disk.fail_after(u32::MAX);
                    member.sync_cost = SYNC;
                }
                self.traps.clear();
                let most = self.members.iter().map(|m| m.height).max().unwrap_or_default();
                self.healed = Some(most + FURTHER);
                self.note(None, format_args!("everything is well again; all have to reach {}", most + FURTHER));
                if self.options.faults {
                    // Nothing may be left for the clock to wait for.
                    self.queue.add(now.after(PATIENCE + SECOND), Event::Heal(u64::MAX));
                }
            }
        }
    }

    fn fault(&mut self, i: usize) {
        let Some((_, fault)) = self.plan.faults.get(i).cloned() else { return };
        let now = self.queue.now();
        match fault {
            Fault::Partition { side, length } => {
                self.note(None, format_args!("a partition begins: {side:?} for {:.1} s", Moment(length).seconds()));
                let (name, cut) = self.network.partition(side);
                for (a, b) in cut {
                    self.gone(a, b);
                    self.gone(b, a);
                    self.redial(a, b);
                }
                self.queue.add(now.after(length), Event::Heal(name));
            }
            Fault::Crash { node, down, after_writes } => {
                if self.members[node].node.is_none() {
                    return;
                }
                let when = after_writes.map_or_else(|| "now".to_owned(), |n| format!("after {n} writes"));
                self.note(Some(node), format_args!("power loss {when}, for {:.1} s", Moment(down).seconds()));
                match after_writes {
                    Some(writes) => {
                        self.members[node].down = down;
                        self.members[node].disk.fail_after(writes);
                    }
                    None => self.crash(node, down),
                }
            }
            Fault::Disconnect { a, b } => {
                self.note(Some(a), format_args!("loses its connection with node {b}"));
                self.cut(a, b);
            }
            Fault::SlowDisk { node, cost, length } => {
                self.note(
                    Some(node),
                    format_args!("its disk takes {:.3} s a sync, for {:.1} s", Moment(cost).seconds(), Moment(length).seconds()),
                );
                self.members[node].sync_cost = cost;
                self.queue.add(now.after(length), Event::HealDisk { node });
            }
            Fault::LockAlone { node, late, length, down } => {
                self.note(Some(node), format_args!("is to lock alone in its next height: {late:?} get proposals late"));
                self.traps.push(Trap::new(node, late, length, down));
            }
        }
    }

    fn load(&mut self, now: Moment) {
        self.queue.add(now.after(SECOND / u64::from(self.plan.load.max(1))), Event::Load);
        let from = self.rng.random_range(0..self.plan.validators);
        let (node, to) = (self.rng.random_range(0..self.members.len()), self.rng.random_range(0..self.plan.validators));
        let amount = self.rng.random_range(1..1000u64);
        if self.members[node].node.is_none() || self.waits.get(&from).is_some_and(|until| *until > now) {
            return;
        }
        let to = Address::of_public_key(&self.members[to].keys.entity.public_key());
        let nonce = self.nonces.get(&from).copied().unwrap_or_default();
        let tx = Transaction::new(nonce, None, "staking.Transfer", &Transfer { to, amount: Quantity::from(amount) });
        let Ok(context) = ChainContext::new(&self.chain.chain_context) else { return };
        let Ok(signed) = SignedTransaction::sign(&self.members[from].keys.entity, &context, &tx) else { return };
        let tx = cbor::to_vec(&signed);
        self.waits.insert(from, now.after(10 * SECOND));
        self.in_flight.insert(tx.clone(), from);
        let life = self.members[node].life;
        self.queue.add(now, Event::Input { node, life, link: None, input: Input::SubmitTx { id: nonce, tx } });
    }

    fn give(&mut self, node: usize, input: Input) {
        let now = self.time(node);
        let syncs = self.members[node].disk.syncs();
        let Some(running) = &mut self.members[node].node else { return };
        let result = running.handle(now, input);
        let member = &mut self.members[node];
        let cost = (member.disk.syncs() - syncs) * member.sync_cost;
        member.busy_until = self.queue.now().after(cost);
        match result {
            Ok(effects) => self.carry_out(node, effects),
            Err(e) if member.disk.is_powerless() => {
                let down = std::mem::take(&mut member.down).max(10 * MILLISECOND);
                self.note(Some(node), format_args!("stops: {e}"));
                self.crash(node, down);
            }
            Err(e) => {
                self.note(Some(node), format_args!("stops: {e}"));
                if self.honest.contains(&node) {
                    self.checks.violate(Violation::Fatal { node, reason: e.to_string() });
                }
                self.crash(node, 10 * SECOND);
            }
        }
    }

    fn carry_out(&mut self, node: usize, effects: Vec<Effect>) {
        for vote in self.members[node].signed.take() {
            self.checks.signed(&vote);
        }
        let done = self.queue.now().max(self.members[node].busy_until);
        let life = self.members[node].life;
        for effect in effects {
            match effect {
                Effect::Send { peer, channel, bytes } => {
                    let Some(to) = self.peers.get(&peer).copied() else { continue };
                    if !self.network.is_up(node, to) {
                        continue;
                    }
                    let generation = self.network.generation(node, to);
                    let input = Input::Sent { peer, channel, bytes: bytes.len() };
                    let written = done.after(MILLISECOND + 100 * bytes.len() as u64);
                    self.queue.add(written, Event::Input { node, life, link: Some((to, generation)), input });
                    self.send(node, to, done, channel, bytes);
                }
                Effect::SetTimer { id, after } => {
                    self.turn += 1;
                    self.members[node].timers.insert(id, self.turn);
                    let turn = self.turn;
                    self.queue.add(done.after(u64::try_from(after).unwrap_or_default()), Event::Timer { node, life, id, turn });
                }
                Effect::Drop { peer, reason, ban } => {
                    let Some(other) = self.peers.get(&peer).copied() else { continue };
                    self.note(Some(node), format_args!("drops node {other}: {reason}"));
                    if self.network.disconnect(node, other) {
                        self.gone(other, node);
                        self.redial(node, other);
                    }
                    if ban {
                        self.members[node].banned.insert(other, self.queue.now().after(BAN));
                        if self.honest.contains(&node) && self.honest.contains(&other) {
                            self.checks.violate(Violation::Banned { node, peer: other, reason });
                        }
                    }
                }
                Effect::Good { .. } | Effect::Trust { .. } => {}
                Effect::Verify(batch) => {
                    let input = Input::Verified(batch.verify());
                    self.queue.add(done.after(3 * MILLISECOND), Event::Input { node, life, link: None, input });
                }
                Effect::Event(event) => self.event(node, event),
            }
        }
        if let Some(down) = self.sprung.take() {
            self.note(Some(node), "loses power: it has just precommitted");
            self.crash(node, down);
        }
    }

    fn send(&mut self, node: usize, to: usize, at: Moment, channel: ChannelId, bytes: Arc<[u8]>) {
        let member = &mut self.members[node];
        let sent = match (&mut member.traitor, &member.node) {
            (Some(traitor), Some(running)) => traitor.send(&mut self.rng, running, &member.address, to % 2 == 1, channel, bytes),
            (Some(_), None) => Vec::new(),
            (None, _) => vec![(channel, bytes)],
        };
        for (channel, bytes) in sent {
            if channel == ChannelId::VOTE
                && let Ok(ConsensusMessage::Vote(message)) = ConsensusMessage::decode(&bytes)
                && let Some(vote) = message.vote.filter(|v| v.validator_address == self.members[node].address)
            {
                self.checks.sent(&vote);
                self.sprung = self.sprung.or(self.traps.iter_mut().find_map(|trap| trap.springs(node, &vote).then_some(trap.down)));
            }
            self.messages += 1;
            self.bytes += bytes.len() as u64;
            let held = self.traps.iter().filter_map(|trap| trap.holds(node, to, channel)).max().unwrap_or_default();
            let arrival = self.network.arrival(&mut self.rng, node, to, at).max(held);
            let generation = self.network.generation(node, to);
            self.queue.add(arrival, Event::Deliver { from: node, to, generation, channel, bytes });
        }
    }

    fn event(&mut self, node: usize, event: NodeEvent) {
        match event {
            NodeEvent::Applied(applied) => {
                let height = applied.block.header().height;
                self.members[node].height = height;
                if self.checks.applied(node, &applied) {
                    self.first_applied(node, height, &applied);
                }
                let hash = hex::encode(&applied.block.id().hash[..4]);
                let txs = applied.block.txs().len();
                self.note(Some(node), format_args!("applies block {height} {hash}, {txs} transactions"));
            }
            NodeEvent::Step(step) => {
                self.note(Some(node), format_args!("{}/{} {}", step.height, step.round, step.step.name()));
                if step.round == 0 && step.step == oasis_consensus_engine::rounds::Step::Propose {
                    self.began.entry(step.height).or_insert(self.queue.now());
                }
                if step.step == oasis_consensus_engine::rounds::Step::NewHeight {
                    let now = self.queue.now();
                    self.traps.retain(|trap| !trap.is_over(now));
                    for trap in &mut self.traps {
                        trap.begins(node, step.height, now);
                    }
                }
            }
            NodeEvent::Mode(mode) => self.note(Some(node), format_args!("{mode:?}")),
            NodeEvent::Refused(what) | NodeEvent::Warn(what) => self.note(Some(node), what),
            NodeEvent::Ended(reason) | NodeEvent::Halted(reason) => {
                self.note(Some(node), format_args!("halts: {reason}"));
                if self.honest.contains(&node) {
                    self.checks.violate(Violation::Fatal { node, reason });
                }
            }
            NodeEvent::TxChecked { id, result } => {
                if let Err(e) = result {
                    self.note(Some(node), format_args!("refuses transaction {id}: {e}"));
                }
            }
            NodeEvent::BlockSync(_) | NodeEvent::StateSync(_) | NodeEvent::Restored { .. } | NodeEvent::EvidenceChecked { .. } => {}
        }
    }

    fn first_applied(&mut self, node: usize, height: i64, applied: &oasis_consensus_engine::node::Applied) {
        self.app_hash = applied.app_hash.clone();
        if let Some(running) = &self.members[node].node
            && running.state().last_block_height == height
        {
            self.checks.set_validators(height + 1, &running.state().validators);
            self.checks.set_validators(height + 2, &running.state().next_validators);
        }
        if let Some(began) = self.began.remove(&height) {
            self.decided = (self.decided.0 + 1, self.decided.1 + (self.queue.now().0 - began.0));
        }
        for (tx, result) in applied.block.txs().iter().zip(&applied.responses.deliver_txs) {
            if let Some(from) = self.in_flight.remove(tx)
                && result.code == 0
            {
                *self.nonces.entry(from).or_default() += 1;
                self.waits.remove(&from);
            }
        }
    }

    fn report(self) -> Report {
        let mut timeline = self.timeline;
        if let Some(violation) = self.checks.violation() {
            timeline.add(self.queue.now(), None, format_args!("VIOLATION: {violation}"));
        }
        let height = self.honest.iter().map(|i| self.members[*i].height).min().unwrap_or_default();
        Report {
            seed: self.options.seed,
            plan: self.plan,
            violation: self.checks.violation().cloned(),
            timeline,
            height,
            messages: self.messages,
            bytes: self.bytes,
            links: self.links.len(),
            end: self.queue.now(),
            decided_in: Moment(self.decided.1 / self.decided.0.max(1)).seconds(),
            app_hash: self.app_hash,
        }
    }
}
