//! Dropping clean nodes from memory.

use std::sync::atomic::Ordering;

use super::Tree;
use crate::node::{Internal, Link, Node, NodeMut, State};

/// Ages are counted by their number of binary digits.
const AGES: usize = 33;

impl Tree {
    /// About how many bytes of memory clean nodes take. It may be too much, never too little by more than what clones
    /// have loaded since.
    pub fn loaded_bytes(&self) -> usize {
        self.loaded.load(Ordering::Relaxed)
    }

    /// Drops clean nodes that were not used lately where they take more memory than the budget. Commits do this.
    ///
    /// The nodes of all earlier commits have to be in the store.
    pub fn trim(&mut self) {
        if self.store.is_none() || self.loaded_bytes() <= self.budget {
            return;
        }
        let by_age = self.loaded_by_age();
        let total = by_age.iter().fold(0usize, |sum, n| sum.saturating_add(*n));
        if total <= self.budget {
            *self.loaded.get_mut() = total;
            return;
        }
        // Go down to half, so that the walk is paid for by as much loading.
        let goal = self.budget / 2;
        let mut kept = 0usize;
        let mut oldest = None;
        for (age, bytes) in by_age.iter().enumerate() {
            let sum = kept.saturating_add(*bytes);
            if sum > goal {
                break;
            }
            kept = sum;
            oldest = Some(age);
        }
        self.drop_older(oldest);
        *self.loaded.get_mut() = kept;
    }

    /// Drops every clean node from memory.
    pub fn unload(&mut self) {
        if self.store.is_some() {
            self.drop_older(None);
            *self.loaded.get_mut() = 0;
        }
    }

    fn age(&self, link: &Link) -> usize {
        age(self.generation, link)
    }

    fn loaded_by_age(&self) -> [usize; AGES] {
        let mut out = [0usize; AGES];
        let mut stack = vec![&self.root];
        while let Some(link) = stack.pop() {
            let Some(node) = link.node() else { continue };
            if link.state() == State::Clean
                && let Some(sum) = out.get_mut(self.age(link))
            {
                *sum = sum.saturating_add(node.size());
            }
            if let Node::Internal(node) = node {
                stack.extend([&node.left, &node.right]);
            }
        }
        out
    }

    /// Drops clean nodes that are older than an age; all where there is none.
    fn drop_older(&mut self, oldest: Option<usize>) {
        let generation = self.generation;
        let mut stack = vec![&mut self.root];
        while let Some(link) = stack.pop() {
            // What is below a node was used no later than the node itself.
            if link.state() == State::Clean && oldest.is_none_or(|oldest| age(generation, link) > oldest) {
                link.unload();
                continue;
            }
            if link.node().is_none_or(|n| n.as_internal().is_none()) {
                continue;
            }
            if let Some(NodeMut::Internal(Internal { left, right, .. })) = link.node_mut() {
                stack.extend([left, right]);
            }
        }
    }
}

fn age(generation: u32, link: &Link) -> usize {
    let age = generation.wrapping_sub(link.used());
    usize::try_from(u32::BITS.saturating_sub(age.leading_zeros())).unwrap_or(AGES)
}
