//! When checkpoints of the state are made, and which.
//!
//! Source: go/storage/mkvs/checkpoint/checkpointer.go.

use oasis_consensus_types::consensus::Parameters;

use crate::backend::{Backend, CheckpointJob};

/// Makes checkpoints block by block.
#[derive(Debug)]
pub(crate) struct Checkpointer {
    initial: u64,
    /// Whether it is time to look: at the start, and after blocks of the interval.
    due: bool,
}

impl Checkpointer {
    /// For a chain whose first version is `initial`.
    pub(crate) fn new(initial: u64) -> Self {
        Self { initial, due: true }
    }

    /// Has checkpoints made where they are due.
    pub(crate) fn after_commit<T: Backend>(&mut self, backend: &mut T, version: u64, params: &Parameters) {
        let interval = params.state_checkpoint_interval;
        let Some(since) = version.checked_sub(self.initial).and_then(|n| n.checked_rem(interval)) else { return };
        self.due |= since == 0;
        if !self.due || backend.making_from().is_some() {
            return;
        }
        self.due = false;
        let existing: Vec<u64> = backend.checkpoints().iter().map(|m| m.root.version).collect();
        let plan = Plan { initial: self.initial, interval, keep: params.state_checkpoint_num_kept };
        let versions = plan.missing(version, backend.earliest().unwrap_or_default(), &existing);
        let keep = usize::try_from(params.state_checkpoint_num_kept.max(1)).unwrap_or(usize::MAX);
        if !versions.is_empty() || existing.len() > keep {
            backend.make_checkpoints(CheckpointJob { versions, chunk_size: params.state_checkpoint_chunk_size, keep });
        }
    }
}

struct Plan {
    initial: u64,
    interval: u64,
    keep: u64,
}

impl Plan {
    /// The versions of which checkpoints are to be made, the newest first.
    ///
    /// Source: go/storage/mkvs/checkpoint/checkpointer.go, `maybeCheckpoint`.
    fn missing(&self, version: u64, earliest: u64, existing: &[u64]) -> Vec<u64> {
        let last = existing.iter().max().copied().unwrap_or_default();
        let first = last.saturating_add(1).max(earliest).max(self.initial);
        let since = version.saturating_sub(self.initial).checked_rem(self.interval).unwrap_or_default();
        let mut next = Some(version.saturating_sub(since));
        let mut out = Vec::new();
        while let Some(at) = next.filter(|at| *at >= first) {
            out.push(at);
            if out.len() as u64 >= self.keep {
                break;
            }
            next = at.checked_sub(self.interval);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use oasis_consensus_app::store::Changes;

    use super::*;
    use crate::{
        disk::{Disk, DiskOptions},
        memory::Memory,
        prune::{Pruner, Pruning},
    };

    fn commit<T: Backend>(tree: &mut T, version: u64) {
        let change = |i: u64| (format!("key {}", i % 50).into_bytes(), Some(format!("value {i}").into_bytes().into()));
        tree.apply((version..version + 5).map(change).collect::<Changes>()).unwrap();
        tree.commit(version).unwrap();
    }

    fn parameters(interval: u64, keep: u64) -> Parameters {
        Parameters {
            state_checkpoint_interval: interval,
            state_checkpoint_num_kept: keep,
            state_checkpoint_chunk_size: 64,
            ..Parameters::default()
        }
    }

    fn versions<T: Backend>(tree: &T) -> Vec<u64> {
        tree.checkpoints().iter().map(|m| m.root.version).collect()
    }

    #[test]
    fn checkpoints_are_made_at_the_interval_and_the_newest_stay() {
        let mut tree = Memory::new(100);
        let mut checkpointer = Checkpointer::new(3);
        for version in 3..40u64 {
            commit(&mut tree, version);
            checkpointer.after_commit(&mut tree, version, &parameters(5, 2));
            let last = (version - 3) / 5 * 5 + 3;
            let expected: Vec<u64> = if last > 3 { vec![last - 5, last] } else { vec![last] };
            assert_eq!(versions(&tree), expected);
        }
        // After a start with another interval, and with none.
        let mut checkpointer = Checkpointer::new(3);
        checkpointer.after_commit(&mut tree, 39, &parameters(0, 2));
        assert_eq!(versions(&tree), [33, 38]);
        checkpointer.after_commit(&mut tree, 39, &parameters(1, 3));
        assert_eq!(versions(&tree), [33, 38, 39]);
    }

    #[test]
    fn versions_of_which_checkpoints_are_in_the_making_stay_until_they_are_made() {
        let dir = tempfile::tempdir().unwrap();
        let open = || {
            let options = DiskOptions::new("context").with_checkpoints(dir.path().join("checkpoints"));
            Disk::open(&dir.path().join("state"), options).unwrap()
        };
        let mut tree = open();
        let mut checkpointer = Checkpointer::new(1);
        let mut pruner = Pruner::new(Pruning::KeepN(1), &tree);
        for version in 1..=60u64 {
            commit(&mut tree, version);
            checkpointer.after_commit(&mut tree, version, &parameters(4, 3));
            let hold = tree.making_from();
            pruner.after_commit(&mut tree, version, hold).unwrap();
            assert!(hold.is_none_or(|hold| tree.earliest().unwrap() <= hold));
            assert_eq!(tree.checkpoint_error(), None);
        }
        tree.wait();
        assert_eq!(tree.checkpoint_error(), None);
        let made = versions(&tree);
        assert!((1..=3).contains(&made.len()) && made.iter().all(|v| v % 4 == 1), "{made:?}");
        // What a process that was killed left unfinished goes.
        let unfinished = dir.path().join("checkpoints/99/0000/chunks");
        std::fs::create_dir_all(&unfinished).unwrap();
        drop(tree);
        assert_eq!(versions(&open()), made);
        assert!(!unfinished.exists());
    }

    #[test]
    fn nothing_from_the_version_that_is_held_is_pruned() {
        let mut tree = Memory::new(100);
        let mut pruner = Pruner::new(Pruning::KeepN(2), &tree);
        for version in 1..=20u64 {
            commit(&mut tree, version);
            pruner.after_commit(&mut tree, version, Some(7)).unwrap();
        }
        assert_eq!((tree.earliest(), pruner.retained()), (Some(7), 7));
        // It catches up a few versions at a time.
        pruner.after_commit(&mut tree, 20, None).unwrap();
        assert_eq!((tree.earliest(), pruner.retained()), (Some(11), 11));
        let mut none = Pruner::new(Pruning::None, &tree);
        none.after_commit(&mut tree, 20, None).unwrap();
        assert_eq!((tree.earliest(), none.retained()), (Some(11), 0));
    }

    #[test]
    fn missing_checkpoints_are_those_of_the_interval_that_would_be_kept() {
        let plan = Plan { initial: 1, interval: 10, keep: 2 };
        assert_eq!(plan.missing(1, 1, &[]), [1]);
        assert_eq!(plan.missing(9, 1, &[1]), [0; 0]);
        assert_eq!(plan.missing(11, 1, &[1]), [11]);
        assert_eq!(plan.missing(12, 1, &[1]), [11]);
        assert_eq!(plan.missing(55, 1, &[11]), [51, 41]);
        assert_eq!(plan.missing(55, 45, &[11]), [51]);
        assert_eq!(plan.missing(55, 53, &[]), [0; 0]);
        let plan = Plan { initial: 100, interval: 7, keep: 3 };
        assert_eq!(plan.missing(120, 100, &[]), [114, 107, 100]);
        assert_eq!(plan.missing(120, 120, &[]), [0; 0]);
        let plan = Plan { initial: 1, interval: u64::MAX, keep: u64::MAX };
        assert_eq!(plan.missing(5, 0, &[]), [1]);
    }
}
