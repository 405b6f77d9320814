//! One node, round by round.

use super::{super::*, harness::*};
use crate::{
    PeerId,
    parts::BLOCK_PART_SIZE,
    proto::{BlockId, Part},
};

const SECOND: i64 = 1_000_000_000;

/// A node that proposes in none of the rounds 0 to 2, in round 0, with the block that is proposed there.
fn not_proposer() -> (Harness, WholeBlock, BlockId) {
    let mut h = Harness::proposer_of(4, 3);
    h.begin();
    let (block, id) = h.block_and_id(0, 1);
    (h, block, id)
}

/// Like [`not_proposer`], and the node is locked on the block of round 0.
fn locked() -> (Harness, WholeBlock, BlockId) {
    let (mut h, block, id) = not_proposer();
    h.propose(0, -1, &block);
    h.votes(2, PREVOTE, 0, &id);
    assert_eq!(h.last_vote(), Some((PRECOMMIT, 0, id.clone())));
    assert_eq!(h.rounds.locked_round(), 0);
    (h, block, id)
}

/// A node that is locked on another block of round 1, is in round 2, and only then sees two thirds prevote the block of round 0. Gives
/// that block, and the name of the other.
fn locked_later() -> (Harness, WholeBlock, BlockId) {
    let (mut h, block, id) = not_proposer();
    h.propose(0, -1, &block);
    next_round(&mut h, 0);
    let (other, other_id) = h.block_and_id(1, 2);
    h.propose(1, -1, &other);
    h.votes(2, PREVOTE, 1, &other_id);
    assert_eq!(h.rounds.locked_round(), 1);
    next_round(&mut h, 1);
    h.votes(3, PREVOTE, 0, &id);
    (h, block, other_id)
}

/// The others precommit nil, and the node goes on to the next round.
fn next_round(h: &mut Harness, round: i32) {
    h.votes(3, PRECOMMIT, round, &nil());
    if h.rounds.round() == round {
        assert_eq!(h.fire(), Step::PrecommitWait);
    }
    assert_eq!(h.at(), (1, round + 1, Step::Propose));
}

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

/// Source: `TestStateEnterProposeNoPrivValidator`.
#[test]
fn a_node_that_is_no_validator_signs_nothing_and_follows() {
    let genesis = Genesis::new(&[10; 4]);
    let mut h = Harness::with(genesis, 0, RoundsConfig::default());
    let observer = Rounds::new(START, RoundsConfig::default(), Some(&[5; 32]), h.genesis.state.clone(), None);
    h.rounds = observer.unwrap();
    h.me = 99;
    h.timer = None;
    let effects = h.rounds.start(START);
    h.effects_to_inputs(effects);
    h.begin();
    let (block, id) = h.block_and_id(0, 1);
    h.propose(0, -1, &block);
    h.votes(3, PREVOTE, 0, &id);
    assert_eq!(h.at(), (1, 0, Step::Precommit));
    h.votes(3, PRECOMMIT, 0, &id);
    assert_eq!(h.at(), (2, 0, Step::NewHeight));
    assert!(h.signed.is_empty());
}

/// Source: `TestStateFullRound1`, `TestStateFullRound2`.
#[test]
fn a_block_is_decided_when_two_thirds_prevote_and_precommit_it() {
    let mut h = Harness::proposer_of(4, 1);
    h.begin();
    let (block, id) = h.block_and_id(0, 1);
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
    assert_eq!((timeout.height, timeout.step, after), (2, Step::NewHeight, SECOND));
}

/// Source: `TestStateFullRoundNil`.
#[test]
fn without_a_proposal_nil_is_voted_after_the_timeout() {
    let (mut h, ..) = not_proposer();
    assert_eq!(h.timer.unwrap().1, 3 * SECOND);
    assert_eq!(h.fire(), Step::Propose);
    assert_eq!(h.last_vote(), Some((PREVOTE, 0, nil())));
    h.votes(2, PREVOTE, 0, &nil());
    assert_eq!(h.last_vote(), Some((PRECOMMIT, 0, nil())));
    h.votes(2, PRECOMMIT, 0, &nil());
    assert_eq!(h.timer.unwrap().1, SECOND);
    assert_eq!(h.fire(), Step::PrecommitWait);
    assert_eq!(h.at(), (1, 1, Step::Propose));
    assert_eq!(h.timer.unwrap().1, 3 * SECOND + SECOND / 2);
}

/// Source: `TestStateBadProposal`.
#[test]
fn an_invalid_block_gets_nil() {
    let (mut h, block, id) = not_proposer();
    h.invalid.insert(id.hash.clone());
    h.propose(0, -1, &block);
    assert_eq!(h.last_vote(), Some((PREVOTE, 0, nil())));
    h.votes(1, PREVOTE, 0, &id);
    h.vote(h.others()[1], PREVOTE, 0, &nil());
    assert_eq!(h.fire(), Step::PrevoteWait);
    assert_eq!(h.last_vote(), Some((PRECOMMIT, 0, nil())));
    assert_eq!(h.faults(), 0);
}

#[test]
fn two_thirds_for_an_invalid_block_stop_the_node() {
    let (mut h, block, id) = not_proposer();
    h.invalid.insert(id.hash.clone());
    h.propose(0, -1, &block);
    h.votes(3, PREVOTE, 0, &id);
    assert!(h.rounds.is_halted());
    assert_eq!(h.last_vote(), Some((PREVOTE, 0, nil())));
    h.votes(3, PRECOMMIT, 0, &id);
    assert!(h.decided.is_empty());
}

/// Source: `TestStateOversizedBlock`.
#[test]
fn a_block_above_the_size_limit_never_gets_whole() {
    let mut genesis = Genesis::new(&[10; 4]);
    genesis.state.consensus_params.block.max_bytes = 2 * BLOCK_PART_SIZE as i64;
    let me = genesis.proposer(&genesis.state, 3);
    let mut h = Harness::with(genesis, me, RoundsConfig::default());
    h.begin();
    let state = h.rounds.state();
    let proposer = state.validators.proposer().unwrap().address.clone();
    let made = state.make_block(vec![vec![1; 3 * BLOCK_PART_SIZE]], Default::default(), Vec::new(), &proposer).unwrap();
    let whole = WholeBlock::new(Arc::new(made.0), &made.1);
    h.propose(0, -1, &whole);
    assert_eq!(h.rounds.proposal_parts().unwrap().byte_size(), 2 * BLOCK_PART_SIZE);
    assert_eq!(h.rounds.proposal_block(), None);
    h.fire();
    assert_eq!(h.last_vote(), Some((PREVOTE, 0, nil())));
}

/// Source: `TestStateLockNoPOL`.
#[test]
fn a_lock_holds_through_rounds_without_two_thirds() {
    let (mut h, _, id) = locked();
    next_round(&mut h, 0);
    // Without a proposal.
    assert_eq!(h.fire(), Step::Propose);
    assert_eq!(h.last_vote(), Some((PREVOTE, 1, id.clone())));
    h.votes(2, PREVOTE, 1, &nil());
    assert_eq!(h.fire(), Step::PrevoteWait);
    assert_eq!(h.last_vote(), Some((PRECOMMIT, 1, nil())));
    assert_eq!(h.rounds.locked_round(), 0);
    next_round(&mut h, 1);
    // With a proposal of another block.
    let other = h.block(2, 2);
    h.propose(2, -1, &other);
    assert_eq!(h.last_vote(), Some((PREVOTE, 2, id)));
}

/// Source: `TestStateLockPOLRelock`.
#[test]
fn two_thirds_for_another_block_move_the_lock_to_it() {
    let (mut h, _, id) = locked();
    next_round(&mut h, 0);
    let (other, other_id) = h.block_and_id(1, 2);
    h.propose(1, -1, &other);
    assert_eq!(h.last_vote(), Some((PREVOTE, 1, id)));
    h.votes(3, PREVOTE, 1, &other_id);
    assert_eq!(h.last_vote(), Some((PRECOMMIT, 1, other_id.clone())));
    assert_eq!((h.rounds.locked_round(), h.rounds.valid_round()), (1, 1));
    h.votes(2, PRECOMMIT, 1, &other_id);
    assert_eq!(h.decided, [other.block]);
}

#[test]
fn two_thirds_for_the_locked_block_renew_the_lock() {
    let (mut h, block, id) = locked();
    next_round(&mut h, 0);
    h.propose(1, 0, &block);
    assert_eq!(h.last_vote(), Some((PREVOTE, 1, id.clone())));
    h.votes(2, PREVOTE, 1, &id);
    assert_eq!(h.last_vote(), Some((PRECOMMIT, 1, id)));
    assert_eq!(h.rounds.locked_round(), 1);
}

/// Source: `TestStateLockPOLUnlock`.
#[test]
fn two_thirds_for_nil_unlock() {
    let (mut h, _, id) = locked();
    next_round(&mut h, 0);
    h.fire();
    assert_eq!(h.last_vote(), Some((PREVOTE, 1, id)));
    h.votes(3, PREVOTE, 1, &nil());
    assert_eq!(h.last_vote(), Some((PRECOMMIT, 1, nil())));
    assert_eq!(h.rounds.locked_round(), -1);
    assert!(h.rounds.locked_block().is_none());
    // What two thirds once wanted is still worth proposing.
    assert_eq!(h.rounds.valid_round(), 0);
}

/// Source: `TestStateLockPOLUnlockOnUnknownBlock`.
#[test]
fn two_thirds_for_an_unknown_block_unlock_and_have_it_fetched() {
    let (mut h, _, _) = locked();
    next_round(&mut h, 0);
    let (other, other_id) = h.block_and_id(1, 2);
    h.fire();
    h.votes(3, PREVOTE, 1, &other_id);
    assert_eq!(h.fire(), Step::PrevoteWait);
    assert_eq!(h.last_vote(), Some((PRECOMMIT, 1, nil())));
    assert_eq!(h.rounds.locked_round(), -1);
    assert_eq!(h.rounds.proposal_parts().unwrap().header(), &other_id.part_set_header);
    h.parts(1, &other);
    assert_eq!(h.rounds.valid_round(), 1);
    h.votes(3, PRECOMMIT, 1, &other_id);
    assert_eq!(h.decided, [other.block]);
}

/// Source: `TestStateLockPOLSafety1`.
#[test]
fn late_prevotes_of_an_earlier_round_do_not_unlock() {
    let (mut h, _, other_id) = locked_later();
    assert!(h.rounds.votes().prevotes(0).unwrap().majority().is_some());
    assert_eq!(h.rounds.locked_round(), 1);
    h.fire();
    assert_eq!(h.last_vote(), Some((PREVOTE, 2, other_id)));
}

/// Source: `TestStateLockPOLSafety2`.
#[test]
fn a_proposal_with_an_older_proof_does_not_unlock() {
    let (mut h, block, other_id) = locked_later();
    h.propose(2, 0, &block);
    assert_eq!(h.last_vote(), Some((PREVOTE, 2, other_id)));
    assert_eq!(h.rounds.locked_round(), 1);
}

#[test]
fn a_proposal_with_a_proof_waits_for_the_prevotes_of_that_round() {
    let (mut h, block, id) = not_proposer();
    next_round(&mut h, 0);
    h.propose(1, 0, &block);
    assert_eq!(h.at(), (1, 1, Step::Propose));
    h.votes(2, PREVOTE, 0, &id);
    assert_eq!(h.at(), (1, 1, Step::Propose));
    h.vote(h.others()[2], PREVOTE, 0, &id);
    assert_eq!(h.last_vote(), Some((PREVOTE, 1, id)));
}

/// Source: `TestProposeValidBlock`.
#[test]
fn what_two_thirds_wanted_is_proposed_again() {
    let (mut h, _, id) = locked();
    next_round(&mut h, 0);
    h.fire();
    h.votes(3, PREVOTE, 1, &nil());
    assert_eq!(h.rounds.locked_round(), -1);
    next_round(&mut h, 1);
    h.votes(3, PRECOMMIT, 2, &nil());
    h.fire();
    assert_eq!(h.rounds.round(), 3);
    let proposal = h.last_proposal().unwrap();
    assert_eq!((proposal.round, proposal.pol_round, proposal.block_id), (3, 0, id.clone()));
    assert_eq!(h.last_vote(), Some((PREVOTE, 3, id)));
}

/// Source: `TestSetValidBlockOnDelayedPrevote`.
#[test]
fn a_late_prevote_makes_a_block_valid_but_locks_nothing() {
    let (mut h, block, id) = not_proposer();
    h.propose(0, -1, &block);
    let others = h.others();
    h.vote(others[0], PREVOTE, 0, &id);
    h.vote(others[1], PREVOTE, 0, &nil());
    assert_eq!(h.fire(), Step::PrevoteWait);
    assert_eq!(h.last_vote(), Some((PRECOMMIT, 0, nil())));
    assert_eq!(h.rounds.valid_round(), -1);
    h.vote(others[2], PREVOTE, 0, &id);
    assert_eq!((h.rounds.valid_round(), h.rounds.locked_round()), (0, -1));
    assert!(h.rounds.valid_block().unwrap().is(&id));
}

/// Source: `TestSetValidBlockOnDelayedProposal`.
#[test]
fn a_late_block_that_two_thirds_prevoted_is_valid() {
    let (mut h, block, id) = not_proposer();
    h.fire();
    h.votes(3, PREVOTE, 0, &id);
    assert_eq!(h.last_vote().unwrap(), (PREVOTE, 0, nil()));
    assert_eq!(h.fire(), Step::PrevoteWait);
    assert_eq!(h.last_vote().unwrap(), (PRECOMMIT, 0, nil()));
    assert_eq!(h.rounds.valid_round(), -1);
    h.propose(0, -1, &block);
    assert_eq!(h.rounds.valid_round(), 0);
}

/// Source: `TestWaitingTimeoutProposeOnNewRound`.
#[test]
fn prevotes_of_a_later_round_skip_to_it() {
    let (mut h, ..) = not_proposer();
    h.votes(3, PREVOTE, 1, &nil());
    assert_eq!(h.at(), (1, 1, Step::Propose));
    assert_eq!(h.fire(), Step::Propose);
    assert_eq!(h.last_vote(), Some((PRECOMMIT, 1, nil())));
}

/// Source: `TestRoundSkipOnNilPolkaFromHigherRound`, `TestWaitingTimeoutOnNilPolka`.
#[test]
fn precommits_for_nil_of_a_later_round_skip_to_its_end() {
    let (mut h, ..) = not_proposer();
    h.votes(3, PRECOMMIT, 1, &nil());
    assert_eq!(h.at(), (1, 1, Step::Precommit));
    assert_eq!(h.last_vote(), Some((PRECOMMIT, 1, nil())));
    assert_eq!(h.fire(), Step::PrecommitWait);
    assert_eq!(h.at(), (1, 2, Step::Propose));
}

/// Source: `TestWaitTimeoutProposeOnNilPolkaForTheCurrentRound`.
#[test]
fn two_thirds_of_nil_prevotes_do_not_cut_the_wait_for_the_proposal_short() {
    let (mut h, ..) = not_proposer();
    h.votes(3, PREVOTE, 0, &nil());
    assert_eq!(h.at(), (1, 0, Step::Propose));
    assert_eq!(h.fire(), Step::Propose);
    assert_eq!(h.at(), (1, 0, Step::Precommit));
}

/// Source: `TestEmitNewValidBlockEventOnCommitWithoutBlock`.
#[test]
fn a_decided_block_that_is_not_here_is_fetched() {
    let (mut h, block, id) = not_proposer();
    h.votes(3, PRECOMMIT, 0, &id);
    assert_eq!(h.at(), (1, 0, Step::Commit));
    assert_eq!(h.count(|e| matches!(e, Effect::ValidBlock(i) if i.is_commit && i.part_set_header == id.part_set_header)), 1);
    assert!(h.decided.is_empty());
    h.parts(0, &block);
    assert_eq!(h.decided, [block.block]);
}

/// Source: `TestCommitFromPreviousRound`.
#[test]
fn precommits_of_an_earlier_round_decide() {
    let (mut h, block, id) = not_proposer();
    h.votes(2, PRECOMMIT, 0, &id);
    h.votes(3, PREVOTE, 1, &nil());
    assert_eq!(h.at(), (1, 1, Step::Propose));
    h.vote(h.others()[2], PRECOMMIT, 0, &id);
    assert_eq!((h.at(), h.rounds.commit_round()), ((1, 1, Step::Commit), 0));
    h.parts(1, &block);
    assert_eq!(h.decided, [block.block]);
    assert_eq!(h.rounds.info().last_commit_round, 0);
}

#[test]
fn a_node_that_waits_for_the_decided_block_does_not_run_after_later_rounds() {
    let (mut h, block, id) = not_proposer();
    h.votes(3, PRECOMMIT, 0, &id);
    h.votes(3, PREVOTE, 1, &nil());
    h.votes(3, PRECOMMIT, 2, &nil());
    assert_eq!(h.at(), (1, 0, Step::Commit));
    while h.timer.is_some() {
        h.fire();
    }
    assert_eq!(h.at(), (1, 0, Step::Commit));
    h.parts(0, &block);
    assert_eq!(h.at(), (2, 0, Step::NewHeight));
}

#[test]
fn a_decided_block_in_other_parts_than_the_known_ones_is_fetched_in_its_own() {
    let (mut h, block, id) = locked();
    let mut other = id.clone();
    other.part_set_header.hash[0] ^= 1;
    h.votes(3, PRECOMMIT, 0, &other);
    assert_eq!(h.at(), (1, 0, Step::Commit));
    assert_eq!(h.rounds.proposal_parts().unwrap().header(), &other.part_set_header);
    h.parts(0, &block);
    assert!(h.decided.is_empty());
}

/// Source: `TestStateHalt1`.
#[test]
fn a_late_precommit_of_the_locked_round_decides_after_the_round_was_left() {
    let (mut h, block, id) = locked();
    let others = h.others();
    h.vote(others[0], PRECOMMIT, 0, &nil());
    h.vote(others[1], PRECOMMIT, 0, &id);
    assert_eq!(h.fire(), Step::PrecommitWait);
    assert_eq!(h.at(), (1, 1, Step::Propose));
    h.fire();
    assert_eq!(h.last_vote(), Some((PREVOTE, 1, id.clone())));
    h.vote(others[2], PRECOMMIT, 0, &id);
    assert_eq!(h.decided, [block.block]);
    assert_eq!(h.at(), (2, 0, Step::NewHeight));
}

/// Source: `TestStartNextHeightCorrectlyAfterTimeout`, `TestResetTimeoutPrecommitUponNewHeight`.
#[test]
fn the_next_height_begins_when_its_time_has_come_with_late_precommits() {
    let (mut h, _, id) = locked();
    let others = h.others();
    h.vote(others[0], PRECOMMIT, 0, &nil());
    h.vote(others[1], PRECOMMIT, 0, &id);
    h.vote(others[2], PRECOMMIT, 0, &id);
    assert_eq!(h.at(), (2, 0, Step::NewHeight));
    assert!(h.rounds.last_commit().unwrap().has_all());
    assert_eq!(h.fire(), Step::NewHeight);
    assert_eq!(h.at(), (2, 0, Step::Propose));
    assert_eq!(h.timer.unwrap().1, 3 * SECOND);
}

#[test]
fn precommits_of_the_last_height_are_collected_until_the_next_begins() {
    let (mut h, _, id) = locked();
    h.votes(2, PRECOMMIT, 0, &id);
    assert_eq!(h.at(), (2, 0, Step::NewHeight));
    let late = h.genesis.vote(h.others()[2], PRECOMMIT, 1, 0, &id, h.now);
    assert!(!h.rounds.last_commit().unwrap().has_all());
    h.message(RoundMessage::Vote(late.clone()));
    assert!(h.rounds.last_commit().unwrap().has_all());
    h.fire();
    let before = h.effects.len();
    h.message(RoundMessage::Vote(late));
    assert_eq!(h.effects.len(), before);
}

#[test]
fn with_all_precommits_the_next_height_begins_at_once_if_so_configured() {
    let genesis = Genesis::new(&[10; 4]);
    let me = genesis.proposer(&genesis.state, 3);
    let mut h = Harness::with(genesis, me, RoundsConfig { skip_timeout_commit: true, ..Default::default() });
    h.begin();
    let (block, id) = h.block_and_id(0, 1);
    h.propose(0, -1, &block);
    h.votes(2, PREVOTE, 0, &id);
    h.votes(2, PRECOMMIT, 0, &id);
    assert_eq!(h.at(), (2, 0, Step::NewHeight));
    let late = h.genesis.vote(h.others()[2], PRECOMMIT, 1, 0, &id, h.now);
    h.message(RoundMessage::Vote(late));
    assert_eq!(h.at(), (2, 0, Step::Propose));
}

#[test]
fn a_single_validator_decides_alone() {
    let mut h = Harness::new(1, 0);
    for height in 1..6 {
        h.begin();
        assert_eq!(h.at(), (height + 1, 0, Step::NewHeight));
    }
    assert_eq!(h.decided.len(), 5);
    let times: Vec<_> = h.decided.iter().map(|b| b.header().time).collect();
    assert!(times.is_sorted() && times[4] > times[3]);
}

#[test]
fn a_proposal_before_the_round_begins_is_voted_on_at_once() {
    let mut h = Harness::proposer_of(4, 3);
    let block = h.block(0, 1);
    h.propose(0, -1, &block);
    assert_eq!(h.last_vote(), Some((PREVOTE, 0, block.block.id().clone())));
    assert_eq!(h.fire(), Step::NewHeight);
    assert_eq!(h.at(), (1, 0, Step::Prevote));
}

#[test]
fn empty_blocks_wait_for_transactions_where_they_are_to() {
    let genesis = Genesis::new(&[10; 1]);
    let config = RoundsConfig { create_empty_blocks_interval: 60 * SECOND, ..Default::default() };
    let mut h = Harness::with(genesis, 0, config);
    // The first block is always made, the second too: the state's root has changed.
    h.begin();
    h.begin();
    assert_eq!(h.height(), 3);
    h.begin();
    assert_eq!(h.at(), (3, 0, Step::NewRound));
    assert_eq!(h.timer.unwrap().1, 60 * SECOND);
    h.input(Input::TxsAvailable);
    assert_eq!(h.height(), 4);
    // While the last height's precommits are collected.
    h.input(Input::TxsAvailable);
    let (timeout, after) = h.timer.unwrap();
    assert_eq!((timeout.step, after), (Step::NewRound, SECOND + 1_000_000));
    h.fire();
    assert_eq!(h.height(), 5);
    h.begin();
    assert_eq!(h.fire(), Step::NewRound);
    assert_eq!(h.height(), 6);
}

#[test]
fn only_the_last_timeout_runs() {
    let (mut h, block, id) = not_proposer();
    let (propose, _) = h.timer.unwrap();
    h.propose(0, -1, &block);
    h.votes(2, PREVOTE, 0, &id);
    let before = h.effects.len();
    h.input(Input::Timeout(propose));
    h.input(Input::Timeout(TimeoutInfo { height: 9, ..propose }));
    assert_eq!(h.effects.len(), before);
}

/// Source: `TestStateSlashingPrecommits`.
#[test]
fn votes_that_contradict_each_other_are_reported() {
    let (mut h, block, id) = not_proposer();
    let other = h.others()[0];
    h.propose(0, -1, &block);
    h.vote(other, PREVOTE, 0, &id);
    h.vote(other, PREVOTE, 0, &nil());
    let conflicts = h.count(|e| matches!(e, Effect::Conflict { vote_a, vote_b } if vote_a.block_id == id && vote_b.block_id == nil()));
    assert_eq!((conflicts, h.faults()), (1, 0));
    h.vote(h.me, PREVOTE, 0, &nil());
    assert_eq!(h.count(|e| matches!(e, Effect::Conflict { .. })), 1);
    assert_eq!(h.count(|e| matches!(e, Effect::Warn { .. })), 1);
}

/// Source: `TestStateOutputsBlockPartsStats`.
#[test]
fn parts_are_reported_once_and_only_those_that_fit() {
    let (mut h, block, _) = not_proposer();
    let added = |h: &Harness| h.count(|e| matches!(e, Effect::AddedPart { .. }));
    h.parts(0, &block);
    assert_eq!(added(&h), 0);
    let proposal = h.proposal(0, -1, &block);
    h.message(RoundMessage::Proposal(proposal));
    // Of another round, which does not matter; then again; then of another height.
    h.parts(5, &block);
    h.parts(0, &block);
    let part = Part::clone(block.parts.part(0).unwrap());
    h.message(RoundMessage::BlockPart { height: 2, round: 0, part });
    assert_eq!(added(&h), 1);
}

#[test]
fn what_changes_nothing_is_not_logged() {
    let (mut h, block, id) = not_proposer();
    h.propose(0, -1, &block);
    let before = h.wal.len();
    h.propose(0, -1, &block);
    let mut forged = h.genesis.vote(h.others()[0], PREVOTE, 1, 0, &id, h.now);
    forged.signature[0] ^= 1;
    h.message(RoundMessage::Vote(forged));
    let far = h.genesis.vote(h.others()[0], PREVOTE, 7, 0, &id, h.now);
    h.message(RoundMessage::Vote(far));
    assert_eq!(h.wal.len(), before);
}

#[test]
fn a_block_that_comes_after_two_thirds_of_the_prevotes_is_prevoted_and_precommitted() {
    let (mut h, block, id) = not_proposer();
    h.votes(3, PREVOTE, 0, &id);
    h.propose(0, -1, &block);
    assert_eq!(h.own_votes(1), [(PREVOTE, 0, id.clone()), (PRECOMMIT, 0, id)]);
}

/// Source: `consensus/replay_test.go`, `TestWALCrash`.
#[test]
fn a_restart_leads_to_the_same_locks_and_to_no_contradicting_vote() {
    // After each step of a round the node restarts with what reached its disk.
    let scripts: [fn(&mut Harness, &WholeBlock, &BlockId); 5] = [
        |h, block, _| h.propose(0, -1, block),
        |h, _, id| h.votes(2, PREVOTE, 0, id),
        |h, _, id| h.vote(h.others()[0], PRECOMMIT, 0, id),
        |h, _, _| h.vote(h.others()[1], PRECOMMIT, 0, &nil()),
        |h, _, _| {
            h.fire();
        },
    ];
    for steps in 0..=scripts.len() {
        let (mut h, block, id) = not_proposer();
        for script in &scripts[..steps] {
            script(&mut h, &block, &id);
        }
        let (round, locked) = (h.rounds.round(), h.rounds.locked_round());
        h.now = h.now.plus_nanos(SECOND);
        h.restart();
        assert_eq!(h.rounds.locked_round(), locked, "after {steps} steps");
        // What was not acted upon may be lost, and comes again.
        for script in &scripts[..steps.min(4)] {
            script(&mut h, &block, &id);
        }
        assert!(h.rounds.round() >= round || h.timer.is_some());
        let mut votes = h.own_votes(1);
        votes.sort_by_key(|v| (v.1, v.0));
        votes.dedup();
        let steps_voted: std::collections::BTreeSet<_> = votes.iter().map(|v| (v.1, v.0)).collect();
        assert_eq!(steps_voted.len(), votes.len(), "after {steps} steps: {votes:?}");
    }
}

#[test]
fn a_restart_as_proposer_proposes_the_same_block_or_none() {
    let mut h = Harness::proposer_of(4, 0);
    h.begin();
    let first = h.last_proposal().unwrap();
    h.now = h.now.plus_nanos(SECOND);
    h.txs = vec![b"other".to_vec()];
    h.restart();
    assert_eq!(h.rounds.proposal(), Some(&first).map(|p| h.rounds.proposal().filter(|q| q.block_id == p.block_id).unwrap()));
    assert_eq!(h.last_vote(), Some((PREVOTE, 0, first.block_id)));
}

#[test]
fn a_log_cut_after_any_record_leads_to_no_contradicting_vote() {
    let (mut h, block, id) = not_proposer();
    h.propose(0, -1, &block);
    h.votes(2, PREVOTE, 0, &id);
    h.votes(1, PRECOMMIT, 0, &nil());
    let whole = h.wal.clone();
    let synced = h.synced;
    // Only what is not synced can be lost.
    for cut in synced..=whole.len() {
        let (mut h, ..) = not_proposer();
        h.propose(0, -1, &block);
        h.votes(2, PREVOTE, 0, &id);
        h.wal = whole[..cut].to_vec();
        h.synced = cut;
        h.restart();
        assert_eq!(h.rounds.locked_round(), 0, "cut at {cut}");
    }
}

#[test]
fn a_restart_between_the_end_of_the_log_and_the_block_decides_it_again() {
    let (mut h, block, id) = locked();
    h.vote(h.others()[0], PRECOMMIT, 0, &id);
    h.synced = h.wal.len();
    h.restart();
    h.vote(h.others()[1], PRECOMMIT, 0, &id);
    assert_eq!(h.decided, [block.block]);
    h.restart();
    assert_eq!(h.at(), (2, 0, Step::NewHeight));
    assert_eq!(h.rounds.last_commit().unwrap().majority(), Some(&id));
    let e = Rounds::new(START, RoundsConfig::default(), None, h.rounds.state().clone(), None).unwrap_err();
    assert_eq!(e.field, "seen_commit");
}

#[test]
fn rounds_skipped_at_once_have_the_proposer_of_the_last() {
    let (mut h, ..) = not_proposer();
    let peer = PeerId([3; 20]);
    for i in h.others() {
        let vote = h.genesis.vote(i, PRECOMMIT, 1, 2, &nil(), h.now);
        h.input(Input::Message { from: Some(peer), msg: RoundMessage::Vote(vote) });
    }
    assert_eq!(h.rounds.round(), 2);
    let expected = h.rounds.state().validators.advanced(2);
    assert_eq!(h.rounds.validators().proposer(), expected.proposer());
}

#[cfg(feature = "planted-bugs")]
#[test]
fn a_forgotten_lock_lets_the_node_prevote_another_block() {
    for (planted, round) in [(None, 0), (Some(crate::planted::PlantedBug::LockForgottenOnRestart), -1)] {
        let genesis = Genesis::new(&[10; 4]);
        let me = genesis.proposer(&genesis.state, 3);
        let mut h = Harness::with(genesis, me, RoundsConfig { planted, ..Default::default() });
        h.begin();
        let block = h.block(0, 1);
        let id = block.block.id().clone();
        h.propose(0, -1, &block);
        h.votes(2, PREVOTE, 0, &id);
        h.restart();
        assert_eq!(h.rounds.locked_round(), round);
        next_round(&mut h, 0);
        let other = h.block(1, 2);
        h.propose(1, -1, &other);
        assert_eq!(h.last_vote().unwrap().2 == id, planted.is_none());
    }
}
