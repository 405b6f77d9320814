//! What is known of peers, and what goes to whom.

use std::sync::Arc;

use oasis_primitives::signature::{ChainContext, MemorySigner, Signer, TENDERMINT_CONTEXT};

use super::*;
use crate::{
    ValidatorSet,
    bits::BitArray,
    messages::{RoundStep, VoteMessage},
    proto::{PartSetHeader, SignedMsgType, Validator},
    rounds::Step,
};

const NOW: Timestamp = Timestamp { seconds: 1_000, nanos: 0 };
const CHAIN: &str = "test chain";
const PEERS: [PeerId; 3] = [PeerId([1; 20]), PeerId([2; 20]), PeerId([3; 20])];

struct Fixture {
    signers: Vec<MemorySigner>,
    set: Arc<ValidatorSet>,
    votes: HeightVoteSet,
    step: RoundStepInfo,
}

impl Fixture {
    fn new(height: i64) -> Self {
        let signers: Vec<_> = (0..4).map(|i| MemorySigner::for_test(&format!("voter {i}"))).collect();
        let set = Arc::new(ValidatorSet::new(signers.iter().map(|s| Validator::new(&s.public_key().0, 1)).collect()).unwrap());
        let of = |v: &Validator| signers.iter().find(|s| s.public_key().0 == v.key().unwrap()).unwrap().clone();
        let signers = set.validators().iter().map(of).collect();
        let votes = HeightVoteSet::new(CHAIN.into(), height, Arc::clone(&set));
        let step =
            RoundStepInfo { height, round: 0, step: Step::Prevote, start_time: NOW, last_commit_round: if height == 1 { -1 } else { 0 } };
        Self { signers, set, votes, step }
    }

    fn view(&self) -> View<'_> {
        View { step: self.step, proposal: None, parts: None, votes: &self.votes, last_commit: None, own: None }
    }

    fn vote(&self, index: usize) -> Vote {
        let mut vote = Vote {
            r#type: SignedMsgType::PREVOTE,
            height: self.step.height,
            timestamp: NOW,
            validator_address: self.set.validators()[index].address.clone(),
            validator_index: index as i32,
            ..Default::default()
        };
        let signed = self.signers[index].sign(&TENDERMINT_CONTEXT, &ChainContext::UNSET, &vote.sign_bytes(CHAIN)).unwrap();
        vote.signature = signed.signature.0.to_vec();
        vote
    }
}

fn says(height: i64, round: i32, step: u32, last_commit_round: i32) -> NewRoundStepMessage {
    NewRoundStepMessage { height, round, step, seconds_since_start_time: 0, last_commit_round }
}

fn sent_to(messages: &[Outgoing], peer: PeerId) -> Vec<ConsensusMessage> {
    messages.iter().filter(|m| m.peer == peer).map(|m| ConsensusMessage::decode(&m.bytes).unwrap()).collect()
}

#[test]
fn peers_do_not_go_back() {
    let mut peer = PeerState::default();
    assert!(peer.apply_new_round_step(&says(5, 1, RoundStep::PREVOTE, 0)));
    for (height, round, step) in [(5, 1, RoundStep::PREVOTE), (5, 1, RoundStep::PROPOSE), (5, 0, RoundStep::COMMIT), (4, 9, 8)] {
        assert!(!peer.apply_new_round_step(&says(height, round, step, 0)));
        assert_eq!((peer.height(), peer.round()), (5, 1));
    }
}

#[test]
fn precommits_become_the_last_commit_of_the_next_height() {
    let mut peer = PeerState::default();
    peer.apply_new_round_step(&says(5, 1, RoundStep::PRECOMMIT, 0));
    peer.ensure_votes(5, 4);
    peer.apply_has_vote(&HasVoteMessage { height: 5, round: 1, r#type: SignedMsgType::PRECOMMIT, index: 2 });
    let mut other = peer.clone();
    peer.apply_new_round_step(&says(6, 0, RoundStep::NEW_HEIGHT, 1));
    assert_eq!(peer.votes(5, 1, SignedMsgType::PRECOMMIT).unwrap().ones().collect::<Vec<_>>(), [2]);
    other.apply_new_round_step(&says(6, 0, RoundStep::NEW_HEIGHT, 0));
    assert_eq!(other.votes(5, 0, SignedMsgType::PRECOMMIT), None);
    other.ensure_votes(5, 4);
    assert!(other.votes(5, 0, SignedMsgType::PRECOMMIT).unwrap().is_zero());
}

#[test]
fn votes_of_a_commit_stay_known_over_a_change_of_round() {
    let mut peer = PeerState::default();
    peer.apply_new_round_step(&says(5, 1, RoundStep::PRECOMMIT, 0));
    peer.ensure_votes(5, 4);
    peer.ensure_catchup_commit(5, 1, 4);
    peer.votes(5, 1, SignedMsgType::PRECOMMIT).unwrap().set(3, true);
    peer.apply_new_round_step(&says(5, 2, RoundStep::PROPOSE, 0));
    assert!(peer.votes(5, 1, SignedMsgType::PRECOMMIT).unwrap().get(3));
    peer.ensure_catchup_commit(5, 3, 4);
    peer.votes(5, 3, SignedMsgType::PRECOMMIT).unwrap().set(1, true);
    peer.apply_new_round_step(&says(5, 3, RoundStep::PROPOSE, 0));
    assert!(peer.votes(5, 3, SignedMsgType::PRECOMMIT).unwrap().get(1));
}

#[test]
fn claims_about_votes_replace_what_was_known_of_that_block_alone() {
    let mut peer = PeerState::default();
    peer.apply_new_round_step(&says(5, 0, RoundStep::PREVOTE, 0));
    peer.ensure_votes(5, 4);
    for index in [0, 1] {
        peer.votes(5, 0, SignedMsgType::PREVOTE).unwrap().set(index, true);
    }
    let claim = |ones: &[usize]| VoteSetBitsMessage {
        height: 5,
        r#type: SignedMsgType::PREVOTE,
        votes: BitArray::from_ones(70, ones.iter().copied()).to_message(),
        ..Default::default()
    };
    let ours = BitArray::from_ones(4, [1, 2]);
    peer.apply_vote_set_bits(&claim(&[2, 69]), Some(&ours));
    let votes = peer.votes(5, 0, SignedMsgType::PREVOTE).unwrap();
    assert_eq!((votes.len(), votes.ones().collect::<Vec<_>>()), (4, vec![0, 2]));
    peer.apply_vote_set_bits(&claim(&[3]), None);
    assert_eq!(peer.votes(5, 0, SignedMsgType::PREVOTE).unwrap().ones().collect::<Vec<_>>(), [3]);
}

#[test]
fn a_proposal_with_an_impossible_count_of_parts_takes_no_memory() {
    let mut peer = PeerState::default();
    peer.apply_new_round_step(&says(5, 0, RoundStep::PROPOSE, 0));
    let mut proposal = Proposal { height: 5, ..Default::default() };
    proposal.block_id.part_set_header = PartSetHeader { total: u32::MAX, hash: vec![1; 32] };
    peer.set_has_proposal(&proposal);
    assert_eq!(peer.parts, None);
}

#[test]
fn own_votes_go_out_and_of_others_the_news() {
    let mut f = Fixture::new(1);
    let (mut gossip, mut out) = (Gossip::new(1), Outbox::default());
    for peer in PEERS {
        out.connected(peer);
        gossip.connected(Some(&f.view()), NOW, peer, &mut out);
        let step = ConsensusMessage::NewRoundStep(says(1, 0, RoundStep::PREVOTE, -1));
        gossip.receive(Some(&f.view()), 1, peer, ChannelId::STATE, step).unwrap();
    }
    assert!(out.take().iter().all(|m| m.channel == ChannelId::STATE));

    let (own, other) = (f.vote(0), f.vote(1));
    f.votes.add(own.clone(), None).unwrap();
    gossip.added_vote(&f.view(), &own, None, &mut out);
    let messages = out.take();
    for peer in PEERS {
        assert_eq!(sent_to(&messages, peer), [ConsensusMessage::Vote(VoteMessage { vote: Some(own.clone()) })]);
    }

    let message = ConsensusMessage::Vote(VoteMessage { vote: Some(other.clone()) });
    let got = gossip.receive(Some(&f.view()), 1, PEERS[0], ChannelId::VOTE, message);
    assert_eq!(got, Ok(Received::Round(RoundMessage::Vote(other.clone()))));
    f.votes.add(other.clone(), Some(PEERS[0])).unwrap();
    gossip.added_vote(&f.view(), &other, Some(PEERS[0]), &mut out);
    let messages = out.take();
    assert_eq!(sent_to(&messages, PEERS[0]), []);
    let has = ConsensusMessage::HasVote(HasVoteMessage { height: 1, round: 0, r#type: SignedMsgType::PREVOTE, index: 1 });
    assert_eq!(sent_to(&messages, PEERS[1]), [has]);
    assert!(gossip.take_forward_due() && !gossip.take_forward_due());
}

#[test]
fn a_peer_of_another_chain_height_is_a_fault() {
    let f = Fixture::new(5);
    let mut gossip = Gossip::new(1);
    gossip.connected(None, NOW, PEERS[0], &mut Outbox::default());
    let mut step = |m| gossip.receive(Some(&f.view()), 5, PEERS[0], ChannelId::STATE, ConsensusMessage::NewRoundStep(m)).is_ok();
    assert!(!step(says(4, 0, 1, 0)));
    assert!(!step(says(5, 0, 1, 0)));
    assert!(step(says(5, 0, 1, -1)));
}

#[test]
fn no_more_is_on_the_way_to_a_peer_than_there_is_room_for() {
    let mut out = Outbox::default();
    let peer = PEERS[0];
    assert!(!out.try_send(peer, ChannelId::DATA, vec![0; 10]));
    out.connected(peer);
    let mut count = 0;
    while out.try_send(peer, ChannelId::DATA, vec![0; 65_600]) {
        count += 1;
    }
    assert_eq!(count, 8);
    assert!(out.has_room(&peer, ChannelId::VOTE));
    assert_eq!(out.take().len(), 8);
    assert!(out.sent(&peer, ChannelId::DATA, 65_600));
    assert!(!out.sent(&peer, ChannelId::DATA, 65_600));
    out.gone(&peer);
    assert!(!out.try_send(peer, ChannelId::DATA, vec![0; 10]));
}
