//! Proof of blocks by the commits in the blocks after them, many at a time.

use std::{
    collections::{BTreeMap, VecDeque},
    ops::Range,
    sync::Arc,
};

use crate::{
    block::CheckedBlock,
    commit::{CommitTarget, SignatureCheck},
    proto::{BlockId, Commit},
    state::{ChainState, LAST_COMMIT_FIELD},
    validator_set::ValidatorSet,
};

use super::{Config, ProvenBlock, pool::Pool};

/// Proven blocks that wait; with more than these, batches are filled up.
const ENOUGH: usize = 8;

/// Signatures that are to be verified together.
#[derive(Clone, Debug)]
pub struct Batch {
    id: u64,
    checks: Vec<SignatureCheck>,
}

impl Batch {
    /// Verifies them; takes about 20 µs each, on any thread.
    pub fn verify(&self) -> Verdict {
        Verdict { id: self.id, wrong: SignatureCheck::first_wrong(&self.checks) }
    }

    /// Count of signatures.
    pub fn len(&self) -> usize {
        self.checks.len()
    }

    /// Whether there is nothing to verify.
    pub fn is_empty(&self) -> bool {
        self.checks.is_empty()
    }
}

/// How the verification of a [`Batch`] came out.
#[derive(Clone, Debug)]
pub struct Verdict {
    id: u64,
    /// The first that does not hold.
    wrong: Option<usize>,
}

/// A block that is certainly not the chain's.
#[derive(Clone, Debug)]
pub(super) struct Lie {
    pub height: i64,
    pub reason: String,
}

#[derive(Clone, Debug)]
struct Item {
    height: i64,
    checks: Range<usize>,
    /// Whether the commit names the block that is here.
    matches: bool,
    /// Validators of the next height, if the block names the same again.
    next_set: Option<Arc<ValidatorSet>>,
}

#[derive(Clone, Debug)]
struct Flight {
    id: u64,
    items: Vec<Item>,
    verdict: Option<Verdict>,
}

#[derive(Clone, Debug)]
struct Proven {
    commit: Commit,
    /// The block that carries the commit.
    carrier: BlockId,
}

/// Which blocks are proven, and which are about to be.
#[derive(Clone, Debug)]
pub(super) struct Pipeline {
    last_id: u64,
    /// Next height to prove, and its validators if they are known without the state.
    check: i64,
    check_set: Option<Arc<ValidatorSet>>,
    /// First height that is not proven, and its validators.
    proven_to: i64,
    proven_set: Option<Arc<ValidatorSet>>,
    in_flight: VecDeque<Flight>,
    proven: BTreeMap<i64, Proven>,
    /// The block that carried the commit of the last block given out.
    last_carrier: Option<BlockId>,
}

impl Pipeline {
    pub fn new(next: i64) -> Self {
        Self {
            last_id: 0,
            check: next,
            check_set: None,
            proven_to: next,
            proven_set: None,
            in_flight: VecDeque::new(),
            proven: BTreeMap::new(),
            last_carrier: None,
        }
    }

    /// Numbers the batches of a run so that no other run has them.
    pub fn number_from(&mut self, run: u64) {
        self.last_id = run << 32;
    }

    /// Blocks that are proven and not given out.
    pub fn proven(&self) -> usize {
        self.proven.len()
    }

    /// First height that is not proven.
    pub fn proven_to(&self) -> i64 {
        self.proven_to
    }

    /// Next height to prove: the blocks up to it are in use.
    pub fn next_to_check(&self) -> i64 {
        self.check
    }

    /// Forgets what is on its way: a block in use was a lie.
    pub fn restart(&mut self) {
        self.in_flight.clear();
        self.check = self.proven_to;
        self.check_set.clone_from(&self.proven_set);
    }

    pub fn advance_to(&mut self, next: i64) {
        self.proven = self.proven.split_off(&next);
        if self.proven_to < next {
            self.proven_to = next;
            self.proven_set = None;
            self.restart();
        }
    }

    /// The validators of the next height to prove.
    fn set(&self, state: &ChainState, height: i64, ahead: Option<&Arc<ValidatorSet>>) -> Option<Arc<ValidatorSet>> {
        let next = state.next_height();
        if height == next {
            Some(Arc::clone(&state.validators))
        } else if height == next.saturating_add(1) {
            Some(Arc::clone(&state.next_validators))
        } else {
            ahead.map(Arc::clone)
        }
    }

    /// Makes the next batch, if there is enough to verify. A block that is false whoever signed what is told at once.
    ///
    /// The commit in block h+1 must hold for height h whatever block it names: if it does not, block h+1 is false. If it
    /// does and names another block than the one that is here, that one is false.
    pub fn prepare(&mut self, config: &Config, state: &ChainState, pool: &Pool) -> Result<Option<Batch>, Lie> {
        if self.in_flight.len() >= config.batches_in_flight.max(1) {
            return Ok(None);
        }
        let signatures = config.batch_signatures.max(1);
        let Some(first) = self.set(state, self.check, self.check_set.as_ref()) else { return Ok(None) };
        if !self.in_flight.is_empty() || self.proven.len() >= ENOUGH {
            let blocks = signatures.checked_div(first.validators().len()).unwrap_or(1).clamp(1, 64);
            if !pool.has_run(self.check, blocks.saturating_add(1)) {
                return Ok(None);
            }
        }
        let (mut checks, mut items) = (Vec::new(), Vec::new());
        let mut set = Some(first);
        let mut height = self.check;
        while checks.len() < signatures
            && let Some(now) = &set
            && let (Some(held), Some(carrier)) = (pool.get(height), pool.get(height.saturating_add(1)))
        {
            let commit = carrier.block.last_commit();
            let target = CommitTarget { chain_id: &state.chain_id, block_id: &commit.block_id, height, field: LAST_COMMIT_FIELD };
            let start = checks.len();
            match now.verify_commit(target, commit) {
                Ok(more) => checks.extend(more),
                // Certain only when the validators are, which hang on the blocks before.
                Err(e) if items.is_empty() && self.in_flight.is_empty() => {
                    return Err(Lie { height: height.saturating_add(1), reason: e.to_string() });
                }
                Err(_) => break,
            }
            let matches = commit.block_id == *held.block.id();
            let next_set = names_again(&held.block, now).then(|| Arc::clone(now));
            height = height.saturating_add(1);
            set = self.set(state, height, next_set.as_ref());
            items.push(Item { height: height.saturating_sub(1), checks: start..checks.len(), matches, next_set });
            if !matches {
                break;
            }
        }
        let Some(last) = items.last() else { return Ok(None) };
        self.check = height;
        self.check_set.clone_from(&last.next_set);
        self.last_id = self.last_id.wrapping_add(1);
        self.in_flight.push_back(Flight { id: self.last_id, items, verdict: None });
        Ok(Some(Batch { id: self.last_id, checks }))
    }

    /// Takes the outcome of a batch; gives the block that turned out to be false, if any.
    pub fn verdict(&mut self, verdict: Verdict, pool: &Pool) -> Option<Lie> {
        if let Some(flight) = self.in_flight.iter_mut().find(|f| f.id == verdict.id) {
            flight.verdict = Some(verdict);
        }
        while let Some(flight) = self.in_flight.pop_front() {
            let Some(verdict) = &flight.verdict else {
                self.in_flight.push_front(flight);
                break;
            };
            for item in flight.items {
                let above = item.height.saturating_add(1);
                if verdict.wrong.is_some_and(|i| item.checks.contains(&i)) {
                    return Some(Lie { height: above, reason: format!("it carries a wrong signature for block {}", item.height) });
                }
                if !item.matches {
                    return Some(Lie { height: item.height, reason: "the validators signed another one".into() });
                }
                let carrier = pool.get(above)?;
                let proven = Proven { commit: carrier.block.last_commit().clone(), carrier: carrier.block.id().clone() };
                self.proven.insert(item.height, proven);
                self.proven_to = above;
                self.proven_set = item.next_set;
            }
        }
        None
    }

    /// Gives the next block out, once it is proven.
    pub fn take(&mut self, height: i64, pool: &mut Pool) -> Option<ProvenBlock> {
        self.proven.get(&height)?;
        let held = pool.take(height)?;
        let Proven { commit, carrier } = self.proven.remove(&height)?;
        let last_commit_verified = self.last_carrier.as_ref() == Some(held.block.id());
        self.last_carrier = Some(carrier);
        Some(ProvenBlock { block: held.block, encoded: held.encoded, commit, last_commit_verified })
    }
}

/// Whether a block names its own validators for the next height too.
fn names_again(block: &CheckedBlock, set: &ValidatorSet) -> bool {
    block.header().next_validators_hash == set.hash()
}
