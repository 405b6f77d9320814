//! What Byzantine validators send instead of what the engine wants to send.

use std::{collections::BTreeMap, sync::Arc};

use oasis_consensus_engine::{
    CheckedBlock,
    messages::{ChannelId, ConsensusMessage, EvidenceMessage},
    node::Node,
    parts::PartSet,
    proto::{BlockId, DuplicateVoteEvidence, Evidence, EvidenceSum, PartSetHeader, Proposal, Vote},
};
use oasis_primitives::signature::MemorySigner;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::{faults::Byzantine, signer::sign};

/// A block that a Byzantine proposer shows to some peers instead of its own.
struct Second {
    height: i64,
    round: i32,
    first: BlockId,
    second: BlockId,
    parts: PartSet,
}

/// One Byzantine validator.
pub struct Traitor {
    behaviour: Byzantine,
    key: MemorySigner,
    chain_id: String,
    second: Option<Second>,
    /// Votes for other blocks, by height, round and kind.
    others: BTreeMap<(i64, i32, i32), Vote>,
    /// A vote of somebody else, to accuse.
    victim: Option<Vote>,
}

/// A block that is nowhere.
fn nowhere(rng: &mut ChaCha8Rng) -> BlockId {
    let mut hash = vec![0; 32];
    rng.fill(hash.as_mut_slice());
    BlockId { part_set_header: PartSetHeader { total: 1, hash: hash.clone() }, hash }
}

impl Traitor {
    /// A validator that behaves so.
    pub fn new(behaviour: Byzantine, key: MemorySigner, chain_id: &str) -> Self {
        Self { behaviour, key, chain_id: chain_id.to_owned(), second: None, others: BTreeMap::new(), victim: None }
    }

    /// What it sends to a peer for what the engine wants to send. `odd` for one half of the peers.
    pub fn send(
        &mut self,
        rng: &mut ChaCha8Rng,
        node: &Node,
        own: &[u8],
        odd: bool,
        channel: ChannelId,
        bytes: Arc<[u8]>,
    ) -> Vec<(ChannelId, Arc<[u8]>)> {
        match self.behaviour {
            Byzantine::Silence => Vec::new(),
            Byzantine::Amnesia => vec![(channel, bytes)],
            Byzantine::Garbage => {
                let mut bytes = bytes.to_vec();
                if rng.random_ratio(1, 50) {
                    let length = bytes.len();
                    match rng.random_range(0..3) {
                        0 => bytes[rng.random_range(0..length)] ^= 1 << rng.random_range(0..8),
                        1 => bytes.truncate(rng.random_range(0..length)),
                        _ => rng.fill(bytes.as_mut_slice()),
                    }
                }
                vec![(channel, bytes.into())]
            }
            Byzantine::Equivocation => self.equivocate(rng, node, own, odd, channel, bytes),
            Byzantine::Framing => self.frame(rng, node, own, channel, bytes),
        }
    }

    fn equivocate(
        &mut self,
        rng: &mut ChaCha8Rng,
        node: &Node,
        own: &[u8],
        odd: bool,
        channel: ChannelId,
        bytes: Arc<[u8]>,
    ) -> Vec<(ChannelId, Arc<[u8]>)> {
        let same = vec![(channel, bytes.clone())];
        if !odd || !matches!(channel, ChannelId::DATA | ChannelId::VOTE) {
            return same;
        }
        match ConsensusMessage::decode(&bytes) {
            Ok(ConsensusMessage::Vote(mut message)) => {
                let Some(vote) = message.vote.as_mut().filter(|v| v.validator_address == own) else { return same };
                let step = (vote.height, vote.round, vote.r#type);
                *vote = self.other_vote(rng, vote, step);
                self.others = self.others.split_off(&(step.0 - 5, 0, 0));
                vec![(channel, ConsensusMessage::Vote(message).to_bytes().into())]
            }
            Ok(message) => self.other_data(node, own, message).map_or(same, |m| vec![(channel, m.to_bytes().into())]),
            Err(_) => same,
        }
    }

    fn other_vote(&mut self, rng: &mut ChaCha8Rng, vote: &Vote, step: (i64, i32, i32)) -> Vote {
        if let Some(other) = self.others.get(&step) {
            return other.clone();
        }
        let second = self.second.as_ref().filter(|s| s.height == vote.height && s.first == vote.block_id);
        let mut other = vote.clone();
        other.block_id = match second {
            Some(second) => second.second.clone(),
            None if vote.block_id.is_zero() || rng.random_ratio(1, 4) => nowhere(rng),
            None => BlockId::default(),
        };
        other.signature = sign(&self.key, &other.sign_bytes(&self.chain_id));
        self.others.insert(step, other.clone());
        other
    }

    /// Proposals and parts of the second block.
    fn other_data(&mut self, node: &Node, own: &[u8], message: ConsensusMessage) -> Option<ConsensusMessage> {
        match message {
            ConsensusMessage::Proposal(mut message) => {
                let (junk, evidence) = (vec![b"nonsense".to_vec()], Vec::new());
                message.proposal = self.other_proposal(node, own, &message.proposal, junk, evidence)?;
                Some(ConsensusMessage::Proposal(message))
            }
            ConsensusMessage::BlockPart(mut message) => {
                let second = self.second.as_ref().filter(|s| s.height == message.height && s.round == message.round)?;
                message.part = second.parts.part(message.part.index)?.as_ref().clone();
                Some(ConsensusMessage::BlockPart(message))
            }
            _ => None,
        }
    }

    /// A proposal of another block, if this is one of its own that is new.
    fn other_proposal(
        &mut self,
        node: &Node,
        own: &[u8],
        proposal: &Proposal,
        junk: Vec<Vec<u8>>,
        evidence: Vec<Evidence>,
    ) -> Option<Proposal> {
        if self.second.as_ref().is_none_or(|s| (s.height, s.round) != (proposal.height, proposal.round)) {
            let rounds = node.rounds()?;
            let mine = rounds.proposal().is_some_and(|p| p.block_id == proposal.block_id) && proposal.pol_round < 0;
            let block: &Arc<CheckedBlock> = rounds.proposal_block().filter(|b| mine && b.header().proposer_address == own)?;
            let txs = [block.txs().to_vec(), junk].concat();
            let evidence = [block.evidence().evidence.clone(), evidence].concat();
            let (second, encoded) = node.state().make_block(txs, block.last_commit().clone(), evidence, own).ok()?;
            let parts = PartSet::from_bytes(&encoded);
            let (first, second) = (proposal.block_id.clone(), second.id().clone());
            self.second = Some(Second { height: proposal.height, round: proposal.round, first, second, parts });
        }
        let second = self.second.as_ref().filter(|s| s.first == proposal.block_id)?;
        let mut other = proposal.clone();
        other.block_id = second.second.clone();
        other.signature = sign(&self.key, &other.sign_bytes(&self.chain_id));
        Some(other)
    }

    fn frame(
        &mut self,
        rng: &mut ChaCha8Rng,
        node: &Node,
        own: &[u8],
        channel: ChannelId,
        bytes: Arc<[u8]>,
    ) -> Vec<(ChannelId, Arc<[u8]>)> {
        let mut out = vec![(channel, bytes.clone())];
        if !matches!(channel, ChannelId::DATA | ChannelId::VOTE) {
            return out;
        }
        match ConsensusMessage::decode(&bytes) {
            Ok(ConsensusMessage::Vote(message)) => {
                let vote = message.vote.filter(|v| v.validator_address != own && !v.block_id.is_zero());
                self.victim = vote.or_else(|| self.victim.take());
                if rng.random_ratio(1, 500)
                    && let Some(evidence) = self.forged(rng, node)
                {
                    out.push((ChannelId::EVIDENCE, EvidenceMessage(vec![evidence]).to_bytes().into()));
                }
            }
            Ok(ConsensusMessage::Proposal(mut message)) => {
                let Some(evidence) = self.forged(rng, node) else { return out };
                if let Some(proposal) = self.other_proposal(node, own, &message.proposal, Vec::new(), vec![evidence]) {
                    message.proposal = proposal;
                    return vec![(channel, ConsensusMessage::Proposal(message).to_bytes().into())];
                }
            }
            Ok(message) => {
                if let Some(other) = self.other_data(node, own, message) {
                    return vec![(channel, other.to_bytes().into())];
                }
            }
            Err(_) => {}
        }
        out
    }

    /// Two votes of an honest validator, of which one is made up.
    fn forged(&self, rng: &mut ChaCha8Rng, node: &Node) -> Option<Evidence> {
        let real = self.victim.clone()?;
        let mut other = real.clone();
        other.block_id = nowhere(rng);
        other.signature = sign(&self.key, &other.sign_bytes(&self.chain_id));
        let (a, b) = if real.block_id.hash < other.block_id.hash { (real, other) } else { (other, real) };
        let set = &node.state().validators;
        let evidence = DuplicateVoteEvidence {
            total_voting_power: set.total_voting_power(),
            validator_power: set.get(&a.validator_address)?.1.voting_power,
            timestamp: node.state().last_block_time,
            vote_a: Some(a),
            vote_b: Some(b),
        };
        Some(Evidence { sum: Some(EvidenceSum::DuplicateVote(Box::new(evidence))) })
    }
}
