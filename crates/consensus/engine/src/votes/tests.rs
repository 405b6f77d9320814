//! Votes are counted once, by power, and kept within bounds.

use std::sync::Arc;

use oasis_primitives::signature::{ChainContext, MemorySigner, Signer, TENDERMINT_CONTEXT};

use super::*;
use crate::{
    PeerId, ValidatorSet,
    proto::{BlockId, BlockIdFlag, PartSetHeader, SignedMsgType, Timestamp, Validator, Vote},
};

const CHAIN: &str = "test chain";

struct Voters {
    signers: Vec<MemorySigner>,
    set: Arc<ValidatorSet>,
}

impl Voters {
    fn new(powers: &[i64]) -> Self {
        let signers: Vec<_> = (0..powers.len()).map(|i| MemorySigner::for_test(&format!("voter {i}"))).collect();
        let validators = signers.iter().zip(powers).map(|(s, p)| Validator::new(&s.public_key().0, *p)).collect();
        let set = Arc::new(ValidatorSet::new(validators).unwrap());
        let of = |v: &Validator| signers.iter().find(|s| s.public_key().0 == v.key().unwrap()).unwrap().clone();
        let signers = set.validators().iter().map(of).collect();
        Self { signers, set }
    }

    /// A vote by the validator at a place of the set, at a round.
    fn vote(&self, index: usize, kind: i32, round: i32, block: u8) -> Vote {
        self.vote_at(index, kind, round, block, 1_600_000_000)
    }

    fn vote_at(&self, index: usize, kind: i32, round: i32, block: u8, seconds: i64) -> Vote {
        let mut vote = Vote {
            r#type: kind,
            height: 5,
            round,
            block_id: block_id(block),
            timestamp: Timestamp { seconds, nanos: 0 },
            validator_address: self.set.validators()[index].address.clone(),
            validator_index: index as i32,
            signature: Vec::new(),
        };
        let signature = self.signers[index].sign(&TENDERMINT_CONTEXT, &ChainContext::UNSET, &vote.sign_bytes(CHAIN)).unwrap();
        vote.signature = signature.signature.0.to_vec();
        vote
    }

    fn precommits(&self) -> VoteSet {
        VoteSet::new(CHAIN.into(), 5, 0, SignedMsgType::PRECOMMIT, Arc::clone(&self.set))
    }

    fn height(&self) -> HeightVoteSet {
        HeightVoteSet::new(CHAIN.into(), 5, Arc::clone(&self.set))
    }
}

/// 0 stands for nil.
fn block_id(n: u8) -> BlockId {
    match n {
        0 => BlockId::default(),
        n => BlockId { hash: vec![n; 32], part_set_header: PartSetHeader { total: 1, hash: vec![n; 32] } },
    }
}

const PREVOTE: i32 = SignedMsgType::PREVOTE;
const PRECOMMIT: i32 = SignedMsgType::PRECOMMIT;

#[test]
fn a_majority_is_more_than_two_thirds_of_the_power() {
    let voters = Voters::new(&[10; 10]);
    let mut set = voters.precommits();
    for i in 0..6 {
        assert!(set.add(voters.vote(i, PRECOMMIT, 0, 1)).unwrap().added);
    }
    assert!(!set.has_two_thirds_any());
    set.add(voters.vote(6, PRECOMMIT, 0, 0)).unwrap();
    assert!(set.has_two_thirds_any());
    assert_eq!(set.majority(), None);
    set.add(voters.vote(7, PRECOMMIT, 0, 1)).unwrap();
    assert_eq!(set.majority(), Some(&block_id(1)));
    assert!(!set.has_all());
    assert_eq!(set.bits().count_ones(), 8);
    assert_eq!(set.bits_of(&block_id(1)).unwrap().count_ones(), 7);
    assert_eq!(set.bits_of(&block_id(2)), None);
}

#[test]
fn a_vote_counts_once() {
    let voters = Voters::new(&[1, 1, 1]);
    let mut set = voters.precommits();
    assert!(set.add(voters.vote(0, PRECOMMIT, 0, 1)).unwrap().added);
    assert_eq!(set.add(voters.vote(0, PRECOMMIT, 0, 1)), Ok(Added::default()));
    assert_eq!(set.power(), 1);
    let later = voters.vote_at(0, PRECOMMIT, 0, 1, 1_600_000_001);
    assert_eq!(set.add(later), Err(VoteError::OtherSignature));
}

#[test]
fn votes_that_are_not_for_this_set_are_refused() {
    let voters = Voters::new(&[1, 1, 1]);
    let mut set = voters.precommits();
    let good = voters.vote(0, PRECOMMIT, 0, 1);
    type Change = fn(&mut Vote);
    let cases: [(Change, bool); 8] = [
        (|v| v.height = 6, false),
        (|v| v.round = 1, false),
        (|v| v.r#type = PREVOTE, false),
        (|v| v.validator_index = 3, true),
        (|v| v.validator_index = 1, true),
        (|v| v.validator_address[0] ^= 1, true),
        (|v| v.signature[5] ^= 1, true),
        (|v| v.timestamp.nanos = 1, true),
    ];
    for (i, (change, fault)) in cases.into_iter().enumerate() {
        let mut bad = good.clone();
        change(&mut bad);
        let e = set.add(bad).unwrap_err();
        assert_eq!(e.is_fault(), fault, "case {i}: {e}");
    }
    assert_eq!(set.power(), 0);
    assert!(set.add(good).unwrap().added);
}

#[test]
fn contradicting_votes_are_reported_and_kept_only_where_a_peer_claims_a_majority() {
    let voters = Voters::new(&[1; 4]);
    let mut set = voters.precommits();
    set.add(voters.vote(0, PRECOMMIT, 0, 1)).unwrap();
    set.add(voters.vote(1, PRECOMMIT, 0, 2)).unwrap();
    let conflicting = set.add(voters.vote(0, PRECOMMIT, 0, 2)).unwrap();
    assert_eq!((conflicting.added, conflicting.conflict.unwrap().block_id.clone()), (false, block_id(1)));
    assert_eq!(set.power(), 2);

    let (a, b) = (PeerId([1; 20]), PeerId([2; 20]));
    set.set_peer_majority(a, &block_id(2)).unwrap();
    set.set_peer_majority(a, &block_id(2)).unwrap();
    assert!(set.set_peer_majority(a, &block_id(1)).is_err());
    set.set_peer_majority(b, &block_id(2)).unwrap();
    let conflicting = set.add(voters.vote(0, PRECOMMIT, 0, 2)).unwrap();
    assert!(conflicting.added && conflicting.conflict.is_some());
    // It counts for the block, but a validator's power counts once.
    assert_eq!(set.power(), 2);
    assert_eq!(set.bits_of(&block_id(2)).unwrap().count_ones(), 2);

    // What was kept for a claim goes with it.
    set.forget_peer(&a);
    assert_eq!(set.bits_of(&block_id(2)).unwrap().count_ones(), 2);
    set.forget_peer(&b);
    assert_eq!(set.bits_of(&block_id(2)).unwrap().count_ones(), 1);
    assert_eq!(set.vote(0).unwrap().block_id, block_id(1));

    set.set_peer_majority(b, &block_id(2)).unwrap();
    set.add(voters.vote(0, PRECOMMIT, 0, 2)).unwrap();
    set.add(voters.vote(2, PRECOMMIT, 0, 2)).unwrap();
    assert_eq!(set.majority(), Some(&block_id(2)));
    assert_eq!(set.vote(0).unwrap().block_id, block_id(2));
    set.forget_peer(&b);
    assert_eq!(set.bits_of(&block_id(2)).unwrap().count_ones(), 3);
}

#[test]
fn a_commit_holds_votes_for_the_block_and_for_nil_and_gives_the_set_back() {
    let voters = Voters::new(&[1; 7]);
    let mut set = voters.precommits();
    for i in 0..5 {
        assert_eq!(set.make_commit(), None);
        set.add(voters.vote(i, PRECOMMIT, 0, 1)).unwrap();
    }
    set.add(voters.vote(5, PRECOMMIT, 0, 0)).unwrap();
    set.add(voters.vote(6, PRECOMMIT, 0, 2)).unwrap();
    let commit = set.make_commit().unwrap();
    let flags: Vec<i32> = commit.signatures.iter().map(|s| s.block_id_flag).collect();
    assert_eq!(flags, [2, 2, 2, 2, 2, BlockIdFlag::NIL, BlockIdFlag::ABSENT]);
    commit.check_basic().unwrap();
    let again = VoteSet::from_commit(CHAIN.into(), &commit, Arc::clone(&voters.set)).unwrap();
    assert_eq!(again.make_commit(), Some(commit.clone()));
    let mut forged = commit;
    forged.signatures[0].signature[0] ^= 1;
    assert!(VoteSet::from_commit(CHAIN.into(), &forged, Arc::clone(&voters.set)).is_err());
}

#[test]
fn nil_makes_no_commit() {
    let voters = Voters::new(&[1; 3]);
    let mut set = voters.precommits();
    for i in 0..3 {
        set.add(voters.vote(i, PRECOMMIT, 0, 0)).unwrap();
    }
    assert_eq!((set.majority(), set.make_commit()), (Some(&BlockId::default()), None));
}

/// Source: tendermint `consensus/types/height_vote_set_test.go`, `TestPeerCatchupRounds`.
#[test]
fn a_peer_opens_at_most_two_rounds_ahead() {
    let voters = Voters::new(&[1; 10]);
    let mut votes = voters.height();
    let (a, b) = (Some(PeerId([1; 20])), Some(PeerId([2; 20])));
    assert!(votes.add(voters.vote(0, PRECOMMIT, 999, 0), a).unwrap().added);
    assert!(!votes.add(voters.vote(0, PRECOMMIT, 999, 0), a).unwrap().added);
    assert!(votes.add(voters.vote(0, PRECOMMIT, 1000, 0), a).unwrap().added);
    assert_eq!(votes.add(voters.vote(0, PRECOMMIT, 1001, 0), a), Err(VoteError::UnwantedRound(1001)));
    assert!(votes.add(voters.vote(0, PRECOMMIT, 1001, 0), b).unwrap().added);
    assert!(votes.add(voters.vote(1, PRECOMMIT, 1001, 0), a).unwrap().added);
    // Rounds up to the followed one are free.
    assert!(votes.add(voters.vote(1, PRECOMMIT, 0, 0), a).unwrap().added);
    votes.set_round(3);
    assert!(votes.add(voters.vote(1, PREVOTE, 3, 0), a).unwrap().added);
}

#[test]
fn rounds_ahead_are_bounded_and_the_ones_with_most_votes_stay() {
    let voters = Voters::new(&[1, 1, 1]);
    let mut votes = voters.height();
    let peer = |i: i32| Some(PeerId([i as u8; 20]));
    for i in 0..2 {
        votes.add(voters.vote(i, PRECOMMIT, 500, 1), peer(200)).unwrap();
    }
    for i in 0..150 {
        votes.add(voters.vote(2, PRECOMMIT, 1000 + i, 1), peer(i)).unwrap();
    }
    assert_eq!(votes.rounds().count(), MAX_CATCHUP_ROUNDS);
    assert!(votes.add(voters.vote(2, PRECOMMIT, 500, 1), peer(201)).unwrap().added);
    assert_eq!(votes.precommits(500).unwrap().majority(), Some(&block_id(1)));
}

#[test]
fn forged_votes_open_no_rounds() {
    let voters = Voters::new(&[1, 1, 1]);
    let mut votes = voters.height();
    let mut forged = voters.vote(0, PRECOMMIT, 7, 1);
    forged.signature[0] ^= 1;
    assert!(votes.add(forged, Some(PeerId([1; 20]))).unwrap_err().is_fault());
    assert_eq!(votes.rounds().count(), 0);
}

#[test]
fn the_last_polka_is_that_of_the_last_followed_round() {
    let voters = Voters::new(&[1; 4]);
    let mut votes = voters.height();
    votes.set_round(2);
    assert_eq!(votes.pol(), None);
    for i in 0..3 {
        votes.add(voters.vote(i, PREVOTE, 0, 1), None).unwrap();
        votes.add(voters.vote(i, PREVOTE, 2, 0), None).unwrap();
        votes.add(voters.vote(i, PREVOTE, 7, 2), None).unwrap();
    }
    assert_eq!(votes.pol(), Some((2, &block_id(0))));
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

        /// Whatever votes come in whatever order, the sums are those of the votes.
        #[test]
        fn sums_are_those_of_the_votes(powers in prop::collection::vec(1i64..20, 1..6), picks in prop::collection::vec((0usize..6, 0u8..3, any::<bool>()), 0..25)) {
            let voters = Voters::new(&powers);
            let mut set = voters.precommits();
            let mut first: std::collections::BTreeMap<usize, u8> = Default::default();
            for (i, block, claim) in picks {
                let i = i % powers.len();
                if claim {
                    let _ = set.set_peer_majority(PeerId([block; 20]), &block_id(block));
                }
                let added = set.add(voters.vote(i, PRECOMMIT, 0, block)).unwrap();
                let known = *first.entry(i).or_insert(block);
                prop_assert_eq!(added.conflict.is_some() && known == block, false);
            }
            let power = |i: usize| voters.set.validators()[i].voting_power;
            prop_assert_eq!(set.power(), first.keys().map(|i| power(*i)).sum::<i64>());
            prop_assert_eq!(set.bits().count_ones(), first.len());
            let total = voters.set.total_voting_power();
            if let Some(majority) = set.majority() {
                let bits = set.bits_of(majority).unwrap();
                prop_assert!(bits.ones().map(power).sum::<i64>() * 3 > total * 2);
            }
        }
    }
}
