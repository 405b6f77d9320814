//! Makes one validator lock on a block that the others do not decide, and takes its power right after it said so.
//!
//! Enough validators get the proposal too late, so that with their nil votes nobody but the validator, whose own votes
//! stay on the way, sees two thirds for the block. It precommits alone, stops, and starts again before or after the others
//! go on to the next round with another block: what it was locked on has to come from its log.

use std::collections::BTreeSet;

use oasis_consensus_engine::{
    messages::ChannelId,
    proto::{SignedMsgType, Vote},
};

use crate::queue::Moment;

/// A trap for one validator.
#[derive(Clone, Debug)]
pub struct Trap {
    /// The validator.
    pub node: usize,
    /// Who gets proposals too late.
    late: BTreeSet<usize>,
    /// How long it lasts, nanoseconds.
    length: u64,
    /// How long the validator stays down, nanoseconds.
    pub down: u64,
    /// From the first height that begins, until when.
    set: Option<(i64, Moment)>,
    sprung: bool,
}

impl Trap {
    /// A trap that is set when the validator's next height begins.
    pub fn new(node: usize, late: impl IntoIterator<Item = usize>, length: u64, down: u64) -> Self {
        Self { node, late: late.into_iter().collect(), length, down, set: None, sprung: false }
    }

    /// How many have to be late, of so many validators of equal power, for the nil votes to keep the others from two
    /// thirds.
    pub fn late_of(validators: usize) -> usize {
        validators - (validators * 2 / 3 + 1)
    }

    /// A height begins for a node. Whether that sets the trap.
    pub fn begins(&mut self, node: usize, height: i64, now: Moment) -> bool {
        let sets = node == self.node && self.set.is_none();
        if sets {
            self.set = Some((height, now.after(self.length)));
        }
        sets
    }

    /// Until when a message has to wait.
    pub fn holds(&self, from: usize, to: usize, channel: ChannelId) -> Option<Moment> {
        let (_, until) = self.set?;
        let own = from == self.node && channel == ChannelId::VOTE;
        let late = channel == ChannelId::DATA && self.late.contains(&to);
        (own || late).then_some(until)
    }

    /// The validator sends a vote. Whether that springs the trap.
    pub fn springs(&mut self, node: usize, vote: &Vote) -> bool {
        let locks = vote.r#type == SignedMsgType::PRECOMMIT && !vote.block_id.is_zero();
        let springs = node == self.node && locks && !self.sprung && self.set.is_some_and(|(height, _)| height == vote.height);
        self.sprung |= springs;
        springs
    }

    /// Whether it is over.
    pub fn is_over(&self, now: Moment) -> bool {
        self.set.is_some_and(|(_, until)| until <= now)
    }
}

#[cfg(test)]
mod tests {
    use oasis_consensus_engine::proto::BlockId;

    use super::*;

    #[test]
    fn without_the_late_and_the_trapped_nobody_has_two_thirds_but_the_trapped_has() {
        for n in 4..100 {
            let late = Trap::late_of(n);
            assert!((n - late) * 3 > n * 2 && (n - late - 1) * 3 <= n * 2, "{n} validators");
        }
    }

    #[test]
    fn a_precommit_for_a_block_of_the_height_springs_it_once() {
        let mut trap = Trap::new(1, [2], 10, 0);
        let block_id = BlockId { hash: vec![1; 32], ..BlockId::default() };
        let vote = Vote { r#type: SignedMsgType::PRECOMMIT, height: 5, block_id, ..Vote::default() };
        assert!(!trap.springs(1, &vote) && trap.holds(1, 0, ChannelId::VOTE).is_none());
        assert!(!trap.begins(0, 5, Moment(3)) && trap.begins(1, 5, Moment(3)) && !trap.begins(1, 6, Moment(4)));
        assert_eq!(trap.holds(1, 0, ChannelId::VOTE), Some(Moment(13)));
        assert_eq!(trap.holds(0, 2, ChannelId::DATA), Some(Moment(13)));
        assert_eq!(trap.holds(0, 1, ChannelId::DATA), None);
        assert!(!trap.springs(0, &vote) && !trap.springs(1, &Vote { block_id: BlockId::default(), ..vote.clone() }));
        assert!(trap.springs(1, &vote) && !trap.springs(1, &vote));
        assert!(!trap.is_over(Moment(12)) && trap.is_over(Moment(13)));
    }
}
