//! One node, round by round.

use super::super::*;
use super::harness::*;

/// Source: `TestStateProposerSelection0`, `TestStateEnterProposeYesPrivValidator`.
#[test]
fn the_proposer_proposes_its_parts_follow_and_it_prevotes_them() {
    let mut h = Harness::proposer_of(4, 0);
    h.begin();
    let proposal = h.last_proposal().unwrap();
    assert_eq!((proposal.height, proposal.round, proposal.pol_round), (1, 0, -1));
    assert_eq!(h.rounds.proposal_block().unwrap().id(), &proposal.block_id);
    assert_eq!(h.last_vote(), Some((PREVOTE, 0, proposal.block_id)));
    assert_eq!(h.at(), (1, 0, Step::Prevote));
    assert_eq!(h.count(|e| matches!(e, Effect::AddedPart { from: None, .. })), 1);
}

/// Source: `TestStateFullRound2`, `TestStateFullRound1`.
#[test]
fn a_block_is_decided_when_two_thirds_prevote_and_precommit_it() {
    let mut h = Harness::proposer_of(4, 1);
    h.begin();
    let block = h.block(0, 1);
    let id = block.block.id().clone();
    h.propose(0, -1, &block);
    assert_eq!(h.last_vote(), Some((PREVOTE, 0, id.clone())));
    h.votes(2, PREVOTE, 0, &id);
    assert_eq!(h.last_vote(), Some((PRECOMMIT, 0, id.clone())));
    assert_eq!((h.rounds.locked_round(), h.rounds.valid_round()), (0, 0));
    h.votes(2, PRECOMMIT, 0, &id);
    assert_eq!(h.decided, [block.block]);
    assert_eq!(h.at(), (2, 0, Step::NewHeight));
    assert_eq!(h.rounds.last_commit().unwrap().majority(), Some(&id));
    let (timeout, after) = h.timer.unwrap();
    assert_eq!((timeout.height, timeout.step, after), (2, Step::NewHeight, 1_000_000_000));
}
