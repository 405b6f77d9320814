//! The same heights, told to Malachite's driver as well: another implementation of the algorithm, which was model-checked.
//!
//! Malachite follows the paper (arXiv:1807.04938), these rounds follow Tendermint 0.34. Where the two differ on purpose is
//! listed in [`Pair::tolerated`]; everywhere else votes, proposals, locks, timers and decisions have to be the same.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use arc_malachitebft_core_types::{NilOrVal, Round, TimeoutKind, VoteType};

use super::{
    super::*,
    harness::*,
    malachite::{Address, Asked, Malachite, Proposal as TheirProposal, Value, Vote as TheirVote, number},
};

/// A number a draw, from a seed (splitmix64).
struct Dice(u64);

impl Dice {
    fn draw(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % below as u64) as usize
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.draw(100) < percent
    }
}

/// What came to pass in the heights of a run.
#[derive(Debug, Default)]
struct Seen {
    decided: usize,
    locked: usize,
    again: usize,
    own_proposals: usize,
    /// Differences on purpose, by their names.
    differences: BTreeMap<&'static str, usize>,
}

/// One node twice, and what the others have said.
struct Pair {
    dice: Dice,
    ours: Harness,
    theirs: Malachite,
    /// Own votes: kind and round, block hash, empty for nil.
    compared: BTreeMap<(i32, i32), Vec<u8>>,
    said: BTreeSet<(usize, i32, i32)>,
    /// Prevotes of others: round and block hash.
    prevotes: Vec<(i32, Vec<u8>)>,
    /// What is proposed in each round, and the round of its two thirds.
    proposals: BTreeMap<i32, (WholeBlock, i32)>,
    delivered: BTreeSet<i32>,
    /// Rounds in which these rounds precommitted without a prevote of their own, as 0.34 does.
    early: BTreeSet<i32>,
    /// What they precommitted and these rounds not yet.
    late: BTreeMap<i32, Vec<u8>>,
    decision: Option<Value>,
    /// Nothing can be compared any more.
    over: bool,
    /// Their lock before the event.
    before: Option<(i64, Value)>,
    differences: BTreeMap<&'static str, usize>,
    story: Vec<String>,
}

const ROUNDS: i32 = 6;

impl Pair {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let me = dice.draw(4);
        let ours = Harness::new(4, me);
        let mut pair = Self {
            dice,
            ours,
            theirs: Malachite::new(4, me),
            compared: BTreeMap::new(),
            said: BTreeSet::new(),
            prevotes: Vec::new(),
            proposals: BTreeMap::new(),
            delivered: BTreeSet::new(),
            early: BTreeSet::new(),
            late: BTreeMap::new(),
            decision: None,
            over: false,
            before: None,
            differences: BTreeMap::new(),
            story: vec![format!("seed {seed}, validator {me}")],
        };
        pair.ours.begin();
        let proposer = pair.proposer(0);
        let asked = pair.theirs.begin(0, proposer);
        pair.answer(asked);
        pair
    }

    fn proposer(&self, round: i32) -> usize {
        self.ours.genesis.proposer(&self.ours.genesis.state, round as u32)
    }

    fn hash(id: &BlockId) -> Vec<u8> {
        id.hash.clone()
    }

    fn their_vote(by: usize, kind: i32, round: i32, hash: &[u8]) -> TheirVote {
        let value = if hash.is_empty() { NilOrVal::Nil } else { NilOrVal::Val(Value(hash.to_vec())) };
        let kind = if kind == PREVOTE { VoteType::Prevote } else { VoteType::Precommit };
        TheirVote { kind, round: Round::new(round as u32), value, by: Address(by) }
    }

    /// What these rounds voted.
    fn own_vote(&self, kind: i32, round: i32) -> Option<Vec<u8>> {
        self.ours.own_votes(1).into_iter().find(|v| (v.0, v.1) == (kind, round)).map(|v| Self::hash(&v.2))
    }

    fn own_proposal(&self, round: i32) -> Option<Proposal> {
        let mut proposals = self.ours.signed.iter().filter_map(|m| if let RoundMessage::Proposal(p) = m { Some(p) } else { None });
        proposals.rfind(|p| p.height == 1 && p.round == round).cloned()
    }

    /// Answers what Malachite asks, with what these rounds have done before, and compares.
    fn answer(&mut self, asked: Vec<Asked>) {
        let mut queue = VecDeque::from(asked);
        while let Some(asked) = queue.pop_front() {
            let more = match asked {
                Asked::Proposer(round) => self.theirs.begin(round, self.proposer(round as i32)),
                Asked::Value(round) => {
                    let own = self.own_proposal(round as i32).expect("a proposal by these rounds too");
                    self.theirs.value(round, Value(Self::hash(&own.block_id)))
                }
                Asked::Propose(theirs) => {
                    let round = theirs.round.as_i64() as i32;
                    let own = self.own_proposal(round).expect("a proposal by these rounds too");
                    let own = (Value(Self::hash(&own.block_id)), i64::from(own.pol_round));
                    assert_eq!((theirs.value.clone(), theirs.pol_round.as_i64()), own);
                    self.theirs.proposal(theirs, true)
                }
                Asked::Vote(vote) => {
                    let kind = if vote.kind == VoteType::Prevote { PREVOTE } else { PRECOMMIT };
                    let round = vote.round.as_i64() as i32;
                    let theirs = if let NilOrVal::Val(v) = vote.value { v.0 } else { Vec::new() };
                    let Some(ours) = self.own_vote(kind, round) else {
                        self.not_cast(kind, round, theirs);
                        continue;
                    };
                    if ours != theirs {
                        self.tolerated(kind, round, &ours, &theirs);
                    }
                    // What the others count is what was really said.
                    self.compared.insert((kind, round), ours.clone());
                    self.theirs.vote(Self::their_vote(self.ours.me, kind, round, &ours))
                }
                Asked::Decide(value) => {
                    self.decision = Some(value);
                    Vec::new()
                }
            };
            queue.extend(more);
        }
    }

    fn differs(&mut self, name: &'static str) {
        *self.differences.entry(name).or_default() += 1;
    }

    /// Whether a polka after a round unlocks: for nil, or another block.
    fn unlocked_since(&self, round: i64, value: &Value) -> bool {
        let own = self.ours.own_votes(1).into_iter().filter(|v| v.0 == PREVOTE).map(|v| (v.1, Self::hash(&v.2)));
        let mut count: BTreeMap<(i32, Vec<u8>), usize> = BTreeMap::new();
        for vote in self.prevotes.iter().cloned().chain(own) {
            *count.entry(vote).or_default() += 1;
        }
        count.iter().any(|((r, hash), n)| *n >= 3 && i64::from(*r) > round && *hash != value.0)
    }

    /// The differences that make them vote where these rounds do not.
    fn not_cast(&mut self, kind: i32, round: i32, theirs: Vec<u8>) {
        if kind == PREVOTE && self.early.contains(&round) {
            return self.differs("no prevote after an early precommit");
        }
        if !self.ours.decided.is_empty() {
            // The precommit that these rounds still made at the timeout decided; in the paper the next round begins first.
            return self.differs("decides at the timeout of precommits");
        }
        // A block that comes after the prevote, and has two thirds of them already, is precommitted with the next prevote or at
        // the timeout. In the paper at once.
        let (_, at, step) = self.ours.at();
        let waits = at == round && (Step::Prevote..=Step::PrevoteWait).contains(&step);
        assert!(kind == PRECOMMIT && waits, "a vote of kind {kind} in {round} that these rounds do not cast");
        self.late.insert(round, theirs);
        self.differs("precommits a late block later");
    }

    /// The differences between 0.34 and the paper that show in a vote.
    fn tolerated(&mut self, kind: i32, round: i32, ours: &[u8], theirs: &[u8]) {
        let locked = self.before.as_ref().is_some_and(|(_, v)| v.0 == ours);
        if kind == PREVOTE && locked {
            // A lock is prevoted whatever is proposed. The paper prevotes nil, or the proposal if it got two thirds after the
            // lock, which 0.34 misses where those two thirds began the round.
            return self.differs("prevotes the lock");
        }
        if kind == PREVOTE && theirs.is_empty() {
            let (since, value) = self.before.clone().expect("they vote nil for a lock");
            // Two thirds for nil or another block unlock, also late ones. In the paper only a new lock replaces the old.
            assert!(self.unlocked_since(since, &value), "round {round}: unlocked without two thirds");
            return self.differs("prevotes after unlocking");
        }
        if kind == PRECOMMIT && theirs.is_empty() && locked {
            // Two thirds for the lock again, which was not proposed again. From here on the rounds of the locks differ.
            self.over = true;
            return self.differs("precommits the lock without a proposal");
        }
        // Two thirds of the precommits, or their timeout, make these rounds precommit at once; later prevotes change nothing.
        assert!(kind == PRECOMMIT && self.early.contains(&round) && ours.is_empty(), "kind {kind} round {round}: {ours:?}, {theirs:?}");
        self.differs("precommitted early");
    }

    /// Compares what is there after an event. Whether to go on.
    fn compare(&mut self, timer: bool) -> bool {
        let own: Vec<_> = self.ours.own_votes(1).into_iter().filter(|v| !self.compared.contains_key(&(v.0, v.1))).collect();
        for (kind, round, id) in own {
            // Prevotes of these rounds are those of the paper; precommits may come earlier.
            assert_eq!(kind, PRECOMMIT, "round {round}: a prevote that they do not make");
            let hash = Self::hash(&id);
            if let Some(theirs) = self.late.remove(&round) {
                assert_eq!(hash, theirs);
                self.compared.insert((kind, round), hash.clone());
                let asked = self.theirs.vote(Self::their_vote(self.ours.me, kind, round, &hash));
                self.answer(asked);
                continue;
            }
            let votes = self.ours.rounds.votes();
            let precommitted = votes.precommits(round).is_some_and(VoteSet::has_two_thirds_any);
            assert!(timer || precommitted || !self.ours.decided.is_empty(), "round {round}: a precommit that they do not make");
            self.early.insert(round);
            self.differs("precommits at two thirds of the precommits");
            // That may be the lock, which then is of this round, and in the paper of the one before.
            self.over |= !hash.is_empty();
            self.compared.insert((kind, round), hash.clone());
            let asked = self.theirs.vote(Self::their_vote(self.ours.me, kind, round, &hash));
            self.answer(asked);
        }
        if self.decision.is_some() && self.ours.rounds.step() == Step::Commit {
            // Of blocks that were proposed in earlier rounds only those with two thirds of the prevotes are kept.
            self.differs("fetches a block of an earlier round again");
            let round = self.ours.rounds.commit_round();
            let whole = self.proposals.get(&round).map(|(w, _)| w.clone());
            self.ours.parts(round, &whole.expect("a proposal"));
        }
        let decided = self.ours.decided.first().map(|b| Value(Self::hash(b.id())));
        if decided.is_some() && self.decision.is_none() {
            // A known block is decided by its votes alone. In the paper it has to be proposed in the round of the votes.
            self.differs("decides a known block before it is proposed again");
            for round in 0..=ROUNDS {
                self.tell_proposal(round);
            }
        }
        assert_eq!(decided, self.decision);
        if decided.is_some() {
            return false;
        }
        if self.ours.rounds.step() != Step::Commit {
            assert_eq!(i64::from(self.ours.rounds.round()), self.theirs.round());
        }
        if !self.early.is_empty() && self.early.iter().any(|r| self.theirs.locked().is_some_and(|(l, _)| l == i64::from(*r))) {
            // They locked with a precommit that these rounds gave away before.
            return false;
        }
        if self.over {
            return false;
        }
        if !self.late.is_empty() {
            // Until these rounds precommit too, the locks differ; after the next round began they will not.
            return self.late.keys().all(|r| *r == self.ours.rounds.round());
        }
        let ours = self.ours.rounds.locked_block().map(|l| (i64::from(self.ours.rounds.locked_round()), Value(Self::hash(l.block.id()))));
        match (ours, self.theirs.locked()) {
            (None, Some((round, value))) => assert!(self.unlocked_since(round, &value), "they hold a lock of round {round}"),
            (ours, theirs) => assert_eq!(ours, theirs),
        }
        let valid = self.ours.rounds.valid_block().map(|l| (i64::from(self.ours.rounds.valid_round()), Value(Self::hash(l.block.id()))));
        assert_eq!(valid, self.theirs.valid());
        true
    }

    /// What is proposed in a round; nothing yet where this node is to propose and has not.
    fn proposed(&mut self, round: i32) -> Option<(WholeBlock, i32)> {
        if let Some(known) = self.proposals.get(&round) {
            return Some(known.clone());
        }
        let proposal = if self.proposer(round) == self.ours.me {
            let own = self.own_proposal(round)?;
            let block = self.ours.rounds.proposal_block().filter(|b| *b.id() == own.block_id)?;
            let bytes = self.ours.rounds.proposal_parts()?.bytes()?;
            (WholeBlock::new(Arc::clone(block), &bytes), own.pol_round)
        } else {
            // An honest proposer proposes again what got two thirds of the prevotes, if it knows.
            let polka = (0..round).rev().find_map(|r| {
                let id = self.ours.rounds.votes().prevotes(r)?.majority().filter(|id| !id.is_zero())?;
                let known = self.proposals.values().find(|(w, _)| w.is(id))?;
                Some((known.0.clone(), r))
            });
            match polka.filter(|_| self.dice.chance(60)) {
                Some(polka) => polka,
                None => (self.ours.block(round, self.dice.draw(200) as u8), -1),
            }
        };
        self.proposals.insert(round, proposal.clone());
        Some(proposal)
    }

    fn deliver(&mut self, round: i32) -> bool {
        if self.proposer(round) == self.ours.me || !self.delivered.insert(round) {
            return true;
        }
        let Some((whole, pol_round)) = self.proposed(round) else { return true };
        self.story.push(format!("proposal of {round}, two thirds {pol_round}, {}", hex::encode(&whole.block.id().hash[..3])));
        self.ours.propose(round, pol_round, &whole);
        self.tell_proposal(round);
        self.compare(false)
    }

    /// Tells Malachite of the proposal of another.
    fn tell_proposal(&mut self, round: i32) {
        let by = self.proposer(round);
        let Some((whole, pol_round)) = self.proposals.get(&round).filter(|_| by != self.ours.me) else { return };
        let pol_round = u32::try_from(*pol_round).map_or(Round::Nil, Round::new);
        let value = Value(Self::hash(whole.block.id()));
        let asked = self.theirs.proposal(TheirProposal { round: Round::new(round as u32), value, pol_round, by: Address(by) }, true);
        self.answer(asked);
    }

    fn vote(&mut self, who: usize, kind: i32, round: i32, id: &BlockId) {
        if !self.said.insert((who, kind, round)) {
            return;
        }
        let what = if id.is_zero() { "nil".to_owned() } else { hex::encode(&id.hash[..3]) };
        self.story.push(format!("vote {kind} of {who} in {round}: {what}"));
        if kind == PREVOTE {
            self.prevotes.push((round, Self::hash(id)));
        }
        self.ours.vote(who, kind, round, id);
        let asked = self.theirs.vote(Self::their_vote(who, kind, round, &id.hash));
        self.answer(asked);
    }

    fn fire(&mut self) -> bool {
        let Some((timeout, _)) = self.ours.timer else { return true };
        self.story.push(format!("timeout {:?} of {}", timeout.step, timeout.round));
        let kind = match timeout.step {
            Step::Propose => TimeoutKind::Propose,
            Step::PrevoteWait => TimeoutKind::Prevote,
            Step::PrecommitWait => TimeoutKind::Precommit,
            other => panic!("{other:?}"),
        };
        let round = timeout.round as u32;
        // A proposer that proposes a block again waits for nothing in the paper.
        let own = kind == TimeoutKind::Propose && self.proposer(timeout.round) == self.ours.me;
        assert!(own || self.theirs.timeouts.contains(&(round, number(kind))), "they did not set {kind:?} in {round}");
        self.ours.fire();
        let asked = self.theirs.timeout(round, kind);
        self.answer(asked);
        self.compare(true)
    }

    /// One event. Whether to go on.
    fn step(&mut self) -> bool {
        let round = self.ours.rounds.round();
        self.before = self.theirs.locked();
        if round >= ROUNDS {
            return false;
        }
        if self.ours.rounds.step() == Step::Commit {
            // All that is missing is the block.
            let missing = self.ours.rounds.commit_round();
            self.deliver(missing);
            return false;
        }
        match self.dice.draw(100) {
            0..20 => self.deliver(round),
            20..35 => self.fire(),
            35..38 => self.ahead(round),
            _ => {
                let back = i32::from(self.dice.chance(10));
                let round = round.saturating_sub(back).max(0);
                let (kind, others) = (if self.dice.chance(55) { PREVOTE } else { PRECOMMIT }, self.ours.others());
                let who = others[self.dice.draw(3)];
                let for_nil = self.dice.chance(30);
                let Some(id) = (if for_nil { Some(nil()) } else { self.proposed(round).map(|(w, _)| w.block.id().clone()) }) else {
                    return true;
                };
                self.vote(who, kind, round, &id);
                self.compare(false)
            }
        }
    }

    /// All others are a round further.
    fn ahead(&mut self, round: i32) -> bool {
        let next = round + 1;
        if self.proposer(next) == self.ours.me {
            return true;
        }
        let Some((whole, _)) = self.proposed(next) else { return true };
        let kind = if self.dice.chance(50) { PREVOTE } else { PRECOMMIT };
        let id = if self.dice.chance(30) { nil() } else { whole.block.id().clone() };
        for who in self.ours.others() {
            self.vote(who, kind, next, &id);
        }
        self.compare(false)
    }
}

#[test]
fn malachite_votes_locks_and_decides_the_same() {
    let mut seen = Seen::default();
    for seed in 0..1_000 {
        let mut pair = Pair::new(seed);
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let mut events = 0;
            while events < 200 && pair.step() {
                events += 1;
            }
        }));
        if outcome.is_err() {
            panic!("seed {seed}:\n{}", pair.story.join("\n"));
        }
        seen.decided += usize::from(pair.decision.is_some());
        seen.locked += usize::from(pair.theirs.locked().is_some());
        seen.again += usize::from(pair.proposals.values().any(|(_, pol)| *pol >= 0));
        seen.own_proposals += usize::from((0..ROUNDS).any(|r| pair.own_proposal(r).is_some()));
        for (name, count) in pair.differences {
            *seen.differences.entry(name).or_default() += count;
        }
    }
    // Heights that come to nothing would be equal too.
    let enough = seen.decided > 800 && seen.locked > 500 && seen.again > 200 && seen.own_proposals > 400;
    assert!(enough && seen.differences.len() >= 9, "{seen:?}");
}
