//! What must hold in every run.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use oasis_consensus_engine::{
    ValidatorSet,
    node::Applied,
    proto::{SignedMsgType, Vote},
};

/// What did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// Two honest nodes have different blocks or states of one height.
    Agreement {
        /// The height.
        height: i64,
        /// Who came second.
        node: usize,
        /// What both have.
        what: String,
    },
    /// A block accuses a validator that did nothing wrong.
    Accused {
        /// Height of the block.
        height: i64,
        /// The validator.
        validator: usize,
    },
    /// An honest validator signed two votes for one step.
    DoubleSign {
        /// The validator.
        validator: usize,
        /// Height, round and kind of the votes.
        step: (i64, i32, i32),
    },
    /// An honest validator that had precommitted a block prevoted nil or another one though nothing unlocked it.
    Lock {
        /// The validator.
        validator: usize,
        /// The height.
        height: i64,
        /// Round of the precommit.
        locked: i32,
        /// Round of the prevote.
        round: i32,
    },
    /// An honest node applied a height that does not follow the one before.
    Order {
        /// The node.
        node: usize,
        /// What it had.
        before: i64,
        /// What it applied.
        height: i64,
    },
    /// After everything was well again, no further blocks came in time.
    Progress {
        /// Heights of the nodes.
        heights: Vec<i64>,
    },
    /// An honest node could not go on.
    Fatal {
        /// The node.
        node: usize,
        /// Why.
        reason: String,
    },
    /// An honest node did not start again by itself.
    Restart {
        /// The node.
        node: usize,
        /// Why.
        reason: String,
    },
    /// An honest node banned an honest node.
    Banned {
        /// Who did.
        node: usize,
        /// Who was.
        peer: usize,
        /// Why.
        reason: String,
    },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Agreement { height, node, what } => {
                write!(f, "agreement: node {node} has another block or state of height {height}: {what}")
            }
            Self::Accused { height, validator } => write!(f, "validity: block {height} accuses validator {validator}, which is honest"),
            Self::DoubleSign { validator, step } => {
                write!(f, "double-sign: honest validator {validator} signed two votes for height, round, kind {step:?}")
            }
            Self::Lock { validator, height, locked, round } => {
                write!(
                    f,
                    "lock: validator {validator} precommitted in round {locked} of height {height} and prevoted something else in round {round}"
                )
            }
            Self::Order { node, before, height } => write!(f, "order: node {node} applied height {height} after {before}"),
            Self::Progress { heights } => write!(f, "progress: no blocks after everything was well again; heights {heights:?}"),
            Self::Fatal { node, reason } => write!(f, "fatal: node {node} could not go on: {reason}"),
            Self::Restart { node, reason } => write!(f, "restart: node {node} did not start again: {reason}"),
            Self::Banned { node, peer, reason } => write!(f, "ban: node {node} banned node {peer}, both honest: {reason}"),
        }
    }
}

type Block = Vec<u8>;

/// Votes of one height.
#[derive(Default)]
struct Height {
    /// By validator, round and kind.
    votes: BTreeMap<(usize, i32, i32), Block>,
    /// Blocks precommitted on the wire, by validator and round.
    precommits: BTreeMap<(usize, i32), Block>,
    /// Who prevoted what, by round.
    prevotes: BTreeMap<i32, BTreeMap<Block, BTreeSet<usize>>>,
}

/// Watches a run.
#[derive(Default)]
pub struct Checks {
    /// Powers of the validators, by height.
    powers: BTreeMap<i64, Vec<i64>>,
    honest: BTreeSet<usize>,
    addresses: BTreeMap<Vec<u8>, usize>,
    blocks: BTreeMap<i64, (Vec<u8>, Vec<u8>)>,
    heights: BTreeMap<i64, Height>,
    applied: BTreeMap<usize, i64>,
    violation: Option<Violation>,
}

impl Checks {
    /// Watches validators of these addresses, and followers; `honest` are those nodes that have to keep to the rules.
    pub fn new(addresses: Vec<Vec<u8>>, honest: BTreeSet<usize>) -> Self {
        let addresses = addresses.into_iter().enumerate().map(|(i, a)| (a, i)).collect();
        Self { honest, addresses, ..Self::default() }
    }

    /// The validators of a height.
    pub fn set_validators(&mut self, height: i64, set: &ValidatorSet) {
        let mut powers = vec![0; self.addresses.len()];
        for validator in set.validators() {
            if let Some(number) = self.validator(&validator.address) {
                powers[number] = validator.voting_power;
            }
        }
        self.powers.insert(height, powers);
    }

    /// The first violation.
    pub fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    /// Notes a violation, unless there was one before.
    pub fn violate(&mut self, violation: Violation) {
        self.violation.get_or_insert(violation);
    }

    /// The number of a validator.
    pub fn validator(&self, address: &[u8]) -> Option<usize> {
        self.addresses.get(address).copied()
    }

    /// A node lost what it had applied last; it may apply it again.
    pub fn restarted(&mut self, node: usize, height: i64) {
        self.applied.insert(node, height);
    }

    /// A node applied a block. Whether it is the first to apply this height.
    pub fn applied(&mut self, node: usize, applied: &Applied) -> bool {
        let height = applied.block.header().height;
        if !self.honest.contains(&node) {
            return false;
        }
        if let Some(before) = self.applied.insert(node, height).filter(|before| before + 1 != height) {
            self.violate(Violation::Order { node, before, height });
        }
        for accused in applied.block.evidence().byzantine_validators() {
            if let Some(validator) = self.validator(&accused.address).filter(|v| self.honest.contains(v)) {
                self.violate(Violation::Accused { height, validator });
            }
        }
        let this = (applied.block.id().hash.clone(), applied.app_hash.clone());
        match self.blocks.get(&height) {
            None => {
                self.blocks.insert(height, this);
                // Nobody votes on what is long decided.
                self.heights = self.heights.split_off(&(height - 50));
                self.powers = self.powers.split_off(&(height - 50));
                true
            }
            Some(known) if *known == this => false,
            Some(known) => {
                let text = |(block, state): &(Vec<u8>, Vec<u8>)| format!("block {}, state {}", hex::encode(block), hex::encode(state));
                let what = format!("{}; the others {}", text(&this), text(known));
                self.violate(Violation::Agreement { height, node, what });
                false
            }
        }
    }

    /// A validator signed a vote.
    pub fn signed(&mut self, vote: &Vote) {
        let Some(validator) = self.validator(&vote.validator_address) else { return };
        let step = (validator, vote.round, vote.r#type);
        let block = vote.block_id.hash.clone();
        let honest = self.honest.contains(&validator);
        let height = self.heights.entry(vote.height).or_default();
        if vote.r#type == SignedMsgType::PREVOTE {
            height.prevotes.entry(vote.round).or_default().entry(block.clone()).or_default().insert(validator);
        }
        let other = height.votes.insert(step, block.clone()).is_some_and(|before| before != block);
        if honest && other {
            self.violate(Violation::DoubleSign { validator, step: (vote.height, vote.round, vote.r#type) });
        }
    }

    /// A validator sent a vote of its own.
    pub fn sent(&mut self, vote: &Vote) {
        self.signed(vote);
        let Some(validator) = self.validator(&vote.validator_address).filter(|v| self.honest.contains(v)) else { return };
        let block = vote.block_id.hash.clone();
        let none = Vec::new();
        let powers = self.powers.get(&vote.height).unwrap_or(&none);
        let total: i64 = powers.iter().sum();
        let two_thirds = |who: &BTreeSet<usize>| who.iter().filter_map(|v| powers.get(*v)).sum::<i64>() * 3 > total * 2;
        let height = self.heights.entry(vote.height).or_default();
        if vote.r#type == SignedMsgType::PRECOMMIT {
            if !block.is_empty() {
                height.precommits.insert((validator, vote.round), block);
            }
            return;
        }
        let last = height.precommits.range((validator, 0)..(validator, vote.round)).next_back();
        let Some(((_, locked), on)) = last.filter(|(_, on)| **on != block) else { return };
        let unlocked = |votes: &BTreeMap<Block, BTreeSet<usize>>| votes.iter().any(|(b, who)| b != on && two_thirds(who));
        if !height.prevotes.range(locked + 1..=vote.round).any(|(_, votes)| unlocked(votes)) {
            let locked = *locked;
            self.violate(Violation::Lock { validator, height: vote.height, locked, round: vote.round });
        }
    }
}
