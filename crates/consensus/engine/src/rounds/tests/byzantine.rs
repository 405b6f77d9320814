//! What faulty peers and validators send changes nothing that matters and fills no memory.

use super::{super::*, harness::*};
use crate::{
    PeerId,
    parts::MAX_BLOCK_PARTS,
    proto::{Part, PartSetHeader, Proposal},
    votes::MAX_CATCHUP_ROUNDS,
};

fn node() -> (Harness, WholeBlock) {
    let mut h = Harness::proposer_of(4, 3);
    h.begin();
    let block = h.block(0, 1);
    (h, block)
}

/// The proposal signed by whoever should propose in its round.
fn resigned(h: &Harness, mut proposal: Proposal) -> Proposal {
    let proposer = h.genesis.proposer(h.rounds.state(), proposal.round as u32);
    proposal.signature = h.genesis.sign(proposer, &proposal.sign_bytes(CHAIN));
    proposal
}

#[test]
fn votes_of_far_rounds_are_bounded_and_do_not_move_the_node() {
    let (mut h, block) = node();
    let id = block.block.id().clone();
    let byzantine = h.others()[0];
    for i in 0..300 {
        let vote = h.genesis.vote(byzantine, [PREVOTE, PRECOMMIT][i as usize % 2], 1, 1000 + i, &id, h.now);
        let peer = PeerId([(i % 256) as u8; 20]);
        h.input(Input::Message { from: Some(peer), msg: RoundMessage::Vote(vote) });
        if i % 10 == 0 {
            h.input(Input::PeerGone(peer));
        }
    }
    assert_eq!(h.at(), (1, 0, Step::Propose));
    assert!(h.rounds.votes().rounds().count() <= MAX_CATCHUP_ROUNDS);
    h.propose(0, -1, &block);
    h.votes(2, PREVOTE, 0, &id);
    h.votes(2, PRECOMMIT, 0, &id);
    assert_eq!(h.decided.len(), 1);
}

#[test]
fn forged_votes_are_the_peers_fault() {
    let (mut h, block) = node();
    let id = block.block.id().clone();
    let good = h.genesis.vote(h.others()[0], PREVOTE, 1, 0, &id, h.now);
    type Change = fn(&mut crate::proto::Vote);
    let changes: [Change; 5] = [
        |v| v.signature[3] ^= 1,
        |v| v.signature = vec![1],
        |v| v.block_id.hash[0] ^= 1,
        |v| v.validator_index = 77,
        |v| v.validator_index = (v.validator_index + 1) % 4,
    ];
    for (i, change) in changes.into_iter().enumerate() {
        let mut bad = good.clone();
        change(&mut bad);
        h.message(RoundMessage::Vote(bad));
        assert_eq!(h.faults(), i + 1);
    }
    // Of another height: perhaps the peer is only behind or ahead.
    for height in [0, 2, i64::MAX] {
        h.message(RoundMessage::Vote(crate::proto::Vote { height, ..good.clone() }));
    }
    assert_eq!(h.faults(), 5);
    assert!(h.rounds.votes().rounds().next().is_none());
}

#[test]
fn proposals_of_others_than_the_proposer_are_the_peers_fault() {
    let (mut h, block) = node();
    let good = h.proposal(0, -1, &block);
    let proposer = h.genesis.proposer(h.rounds.state(), 0);
    for i in (0..4).filter(|i| *i != proposer) {
        let mut bad = good.clone();
        bad.signature = h.genesis.sign(i, &bad.sign_bytes(CHAIN));
        h.message(RoundMessage::Proposal(bad));
    }
    assert_eq!(h.faults(), 3);
    h.message(RoundMessage::Proposal(Proposal { round: 1, ..good.clone() }));
    h.message(RoundMessage::Proposal(Proposal { height: 7, ..good.clone() }));
    assert_eq!((h.faults(), h.rounds.proposal()), (3, None));
    h.message(RoundMessage::Proposal(good.clone()));
    assert_eq!(h.rounds.proposal(), Some(&good));
}

/// Source: tendermint `consensus/state.go`, `ErrInvalidProposalPOLRound`.
#[test]
fn a_proof_can_only_be_of_an_earlier_round() {
    let (mut h, block) = node();
    for (i, pol_round) in [0, 1, -2, i32::MIN, i32::MAX].into_iter().enumerate() {
        let proposal = h.proposal(0, pol_round, &block);
        h.message(RoundMessage::Proposal(proposal));
        assert_eq!((h.faults(), h.rounds.proposal()), (i + 1, None), "{pol_round}");
    }
}

#[test]
fn a_proof_that_does_not_exist_gets_nil() {
    let (mut h, block) = node();
    h.votes(3, PREVOTE, 1, &nil());
    assert_eq!(h.rounds.round(), 1);
    h.propose(1, 0, &block);
    assert_eq!(h.at(), (1, 1, Step::Propose));
    h.fire();
    // The wait is over; the block is valid and no lock contradicts it.
    assert_eq!(h.last_vote().unwrap().1, 1);
    assert_eq!(h.rounds.locked_round(), -1);
}

#[test]
fn a_second_proposal_and_parts_of_other_blocks_change_nothing() {
    let (mut h, block) = node();
    let other = h.block(0, 2);
    let first = h.proposal(0, -1, &block);
    h.message(RoundMessage::Proposal(first.clone()));
    let before = h.effects.len();
    h.propose(0, -1, &other);
    assert_eq!((h.effects.len(), h.rounds.proposal()), (before, Some(&first)));
    h.parts(0, &block);
    assert_eq!(h.last_vote().unwrap().2, *block.block.id());
}

#[test]
fn proposals_with_impossible_parts_are_passed_over() {
    let (mut h, block) = node();
    for total in [MAX_BLOCK_PARTS + 1, u32::MAX] {
        let mut proposal = h.proposal(0, -1, &block);
        proposal.block_id.part_set_header = PartSetHeader { total, hash: vec![1; 32] };
        let proposal = resigned(&h, proposal);
        h.message(RoundMessage::Proposal(proposal));
        assert!(h.rounds.proposal_parts().is_none());
    }
    // And where votes ask for them.
    let mut id = block.block.id().clone();
    id.part_set_header.total = u32::MAX;
    h.votes(3, PREVOTE, 0, &id);
    h.votes(3, PRECOMMIT, 0, &id);
    assert_eq!(h.at(), (1, 0, Step::Commit));
    assert!(h.rounds.proposal_parts().is_none());
}

#[test]
fn a_block_that_is_no_block_gets_nil() {
    let (mut h, block) = node();
    let parts = crate::parts::PartSet::from_bytes(b"no block");
    let mut proposal = h.proposal(0, -1, &block);
    proposal.block_id.part_set_header = parts.header().clone();
    let proposal = resigned(&h, proposal);
    h.message(RoundMessage::Proposal(proposal));
    let part = Part::clone(parts.part(0).unwrap());
    h.message(RoundMessage::BlockPart { height: 1, round: 0, part });
    assert_eq!(h.rounds.proposal_block(), None);
    h.fire();
    assert_eq!(h.last_vote(), Some((PREVOTE, 0, nil())));
}

#[test]
fn a_block_in_an_odd_encoding_is_taken_as_the_original_takes_it() {
    let (mut h, block) = node();
    // An unknown field at the end.
    let mut bytes = block.parts.bytes().unwrap();
    bytes.extend_from_slice(&[0x78, 0x01]);
    let parts = crate::parts::PartSet::from_bytes(&bytes);
    let mut proposal = h.proposal(0, -1, &block);
    proposal.block_id.part_set_header = parts.header().clone();
    let proposal = resigned(&h, proposal);
    let id = proposal.block_id.clone();
    h.message(RoundMessage::Proposal(proposal));
    let part = Part::clone(parts.part(0).unwrap());
    h.message(RoundMessage::BlockPart { height: 1, round: 0, part });
    assert_eq!(h.last_vote(), Some((PREVOTE, 0, id.clone())));
    h.votes(2, PREVOTE, 0, &id);
    h.votes(2, PRECOMMIT, 0, &id);
    assert_eq!(h.decided.len(), 1);
    assert_eq!(h.rounds.state().last_block_id, id);
}

#[test]
fn words_about_majorities_are_bounded_and_must_not_change() {
    let (mut h, block) = node();
    let id = block.block.id().clone();
    let say = |peer: u8, round, kind, block_id| Input::Maj23 { peer: PeerId([peer; 20]), height: 1, round, kind, block_id };
    h.input(say(1, 0, PREVOTE, id.clone()));
    h.input(say(1, 0, PREVOTE, id.clone()));
    h.input(say(1, 900, PREVOTE, id.clone()));
    h.input(say(1, -4, PREVOTE, id.clone()));
    assert_eq!(h.faults(), 0);
    h.input(say(1, 0, PREVOTE, nil()));
    h.input(say(1, 0, 32, nil()));
    assert_eq!(h.faults(), 2);
    assert_eq!(h.rounds.votes().rounds().collect::<Vec<_>>(), [0]);
}

#[test]
fn a_lock_that_hangs_on_a_contradicting_vote_outlives_a_restart() {
    let (mut h, block) = node();
    let id = block.block.id().clone();
    let (byzantine, honest) = (h.others()[0], h.others()[1]);
    h.propose(0, -1, &block);
    h.vote(byzantine, PREVOTE, 0, &nil());
    h.vote(honest, PREVOTE, 0, &id);
    assert_eq!(h.rounds.locked_round(), -1);
    // It counts because a peer has seen two thirds; what the peer said is not in the log.
    h.input(Input::Maj23 { peer: PEER, height: 1, round: 0, kind: PREVOTE, block_id: id.clone() });
    h.vote(byzantine, PREVOTE, 0, &id);
    assert_eq!((h.rounds.locked_round(), h.last_vote()), (0, Some((PRECOMMIT, 0, id.clone()))));
    h.restart();
    assert_eq!(h.rounds.locked_round(), 0);
    assert!(h.rounds.locked_block().is_some_and(|l| l.is(&id)));
}

#[test]
fn what_comes_after_the_end_is_passed_over() {
    let (mut h, block) = node();
    let id = block.block.id().clone();
    h.invalid.insert(id.hash.clone());
    h.votes(3, PRECOMMIT, 0, &id);
    h.parts(0, &block);
    assert!(h.rounds.is_halted() && h.decided.is_empty());
    let before = h.effects.len();
    h.votes(3, PRECOMMIT, 1, &nil());
    h.input(Input::TxsAvailable);
    assert_eq!(h.effects.len(), before);
}

#[test]
fn answers_that_nobody_asked_for_are_passed_over() {
    let (mut h, block) = node();
    h.input(Input::Validated { block_hash: vec![1; 32], result: Err("what?".into()) });
    let encoded = block.parts.bytes().unwrap();
    h.input(Input::BlockCreated { height: 1, round: 3, block: Arc::clone(&block.block), encoded });
    assert_eq!(h.at(), (1, 0, Step::Propose));
    assert!(h.signed.is_empty());
}
