//! What goes wrong in a run, all of it decided by the seed.

use rand::{Rng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

use crate::{queue::Moment, trap::Trap};

/// What a Byzantine validator does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Byzantine {
    /// Votes and proposes for two things at once, telling different peers different things.
    Equivocation,
    /// Forgets at every restart, and restarts often, what it signed and what it was locked on.
    Amnesia,
    /// Says nothing.
    Silence,
    /// Sends bytes that mean nothing, and damaged copies of real messages.
    Garbage,
    /// Accuses honest validators of what they did not do.
    Framing,
}

impl Byzantine {
    /// Every behaviour.
    pub const ALL: [Self; 5] = [Self::Equivocation, Self::Amnesia, Self::Silence, Self::Garbage, Self::Framing];
}

/// One thing that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The nodes of `side` can't reach the others.
    Partition {
        /// One side; the others are the other.
        side: Vec<usize>,
        /// How long, nanoseconds.
        length: u64,
    },
    /// A node stops at once; writes that were not synced are lost.
    Crash {
        /// The node.
        node: usize,
        /// Until it starts again, nanoseconds.
        down: u64,
        /// Stops in the middle of its writes, after so many more, instead of between two events.
        after_writes: Option<u32>,
    },
    /// A connection breaks; what is on its way is lost.
    Disconnect {
        /// One end.
        a: usize,
        /// The other.
        b: usize,
    },
    /// A node's disk takes longer for each sync.
    SlowDisk {
        /// The node.
        node: usize,
        /// Nanoseconds a sync.
        cost: u64,
        /// How long, nanoseconds.
        length: u64,
    },
    /// From its next height on a validator is made to lock on a block alone, and stops right after it said so.
    LockAlone {
        /// The validator.
        node: usize,
        /// Who gets proposals too late.
        late: Vec<usize>,
        /// How long, nanoseconds.
        length: u64,
        /// Until the validator starts again, nanoseconds.
        down: u64,
    },
}

/// The conditions of a run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Count of validators.
    pub validators: usize,
    /// Nodes that only follow.
    pub followers: usize,
    /// Shortest and longest way of a message, nanoseconds.
    pub latency: (u64, u64),
    /// One message in so many comes after those sent later on the same connection; 0 for none.
    pub reorder: u32,
    /// What clocks are ahead or behind, nanoseconds, by node.
    pub skew: Vec<i64>,
    /// Byzantine validators, less than a third of the power.
    pub byzantine: Vec<(usize, Byzantine)>,
    /// What goes wrong, when.
    pub faults: Vec<(Moment, Fault)>,
    /// When everything is well again, for progress to be judged.
    pub healed: Moment,
    /// Transactions a second, in all.
    pub load: u32,
}

const MILLISECOND: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MILLISECOND;

/// How hard a run is.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Length of the part in which things go wrong, nanoseconds.
    pub length: u64,
    /// Fewest and most validators.
    pub validators: (usize, usize),
    /// Average pause between faults, nanoseconds.
    pub pause: u64,
}

impl Plan {
    /// The conditions of a seed's run.
    pub fn draw(rng: &mut ChaCha8Rng, limits: &Limits) -> Self {
        // Mostly small networks: time goes with the cube of the size.
        let validators = (0..3).map(|_| rng.random_range(limits.validators.0..=limits.validators.1)).min().unwrap_or_default();
        let followers = usize::from(rng.random_ratio(1, 3));
        let nodes = validators + followers;
        let fastest = rng.random_range(MILLISECOND..30 * MILLISECOND);
        let slowest = fastest + rng.random_range(0..200 * MILLISECOND);
        let skewed = rng.random_ratio(1, 3);
        let skew = (0..nodes).map(|_| if skewed { rng.random_range(-(SECOND as i64)..=SECOND as i64) } else { 0 }).collect();
        let byzantine = Self::byzantine(rng, validators);
        let mut plan = Self {
            validators,
            followers,
            latency: (fastest, slowest),
            reorder: if rng.random_ratio(1, 4) { rng.random_range(20..200) } else { 0 },
            skew,
            byzantine,
            faults: Vec::new(),
            healed: Moment(limits.length),
            load: rng.random_range(0..10),
        };
        plan.draw_faults(rng, limits);
        plan
    }

    /// Less than a third: with equal powers, up to (n - 1) / 3 of n.
    fn byzantine(rng: &mut ChaCha8Rng, validators: usize) -> Vec<(usize, Byzantine)> {
        let most = (validators - 1) / 3;
        let count = rng.random_range(0..=most);
        (0..count).map(|i| (i, Byzantine::ALL[rng.random_range(0..Byzantine::ALL.len())])).collect()
    }

    fn draw_faults(&mut self, rng: &mut ChaCha8Rng, limits: &Limits) {
        let nodes = self.validators + self.followers;
        let mut at = 0;
        loop {
            at += rng.random_range(limits.pause / 2..=limits.pause * 3 / 2);
            if at >= limits.length {
                return;
            }
            let rest = limits.length - at;
            let fault = match rng.random_range(0..11) {
                0..=1 => {
                    let side: Vec<usize> = (0..nodes).filter(|_| rng.random_ratio(1, 2)).collect();
                    if side.is_empty() || side.len() == nodes {
                        continue;
                    }
                    Fault::Partition { side, length: rng.random_range(SECOND..20 * SECOND).min(rest) }
                }
                2..=5 => Fault::Crash {
                    node: rng.random_range(0..nodes),
                    down: rng.random_range(10 * MILLISECOND..10 * SECOND).min(rest),
                    after_writes: rng.random_ratio(1, 2).then(|| rng.random_range(0..20)),
                },
                6..=8 => {
                    let (a, b) = (rng.random_range(0..nodes), rng.random_range(0..nodes));
                    if a == b {
                        continue;
                    }
                    Fault::Disconnect { a, b }
                }
                9 => Fault::SlowDisk {
                    node: rng.random_range(0..nodes),
                    cost: rng.random_range(MILLISECOND..300 * MILLISECOND),
                    length: rng.random_range(SECOND..30 * SECOND).min(rest),
                },
                _ => self.draw_lock(rng, rest),
            };
            self.faults.push((Moment(at), fault));
        }
    }

    fn draw_lock(&self, rng: &mut ChaCha8Rng, rest: u64) -> Fault {
        let node = rng.random_range(0..self.validators);
        let mut late: Vec<usize> = (0..self.validators).filter(|other| *other != node).collect();
        late.shuffle(rng);
        late.truncate(Trap::late_of(self.validators));
        // Round 0 takes five seconds where the proposal doesn't get two thirds of the prevotes.
        let length = rng.random_range(6 * SECOND..9 * SECOND).min(rest);
        Fault::LockAlone { node, late, length, down: rng.random_range(10 * MILLISECOND..6 * SECOND).min(rest) }
    }

    /// What a node does, if it is Byzantine.
    pub fn behaviour(&self, node: usize) -> Option<Byzantine> {
        self.byzantine.iter().find(|(who, _)| *who == node).map(|(_, what)| *what)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn less_than_a_third_is_byzantine_and_everything_ends() {
        let limits = Limits { length: 100 * SECOND, validators: (4, 10), pause: SECOND };
        for seed in 0..200 {
            let plan = Plan::draw(&mut ChaCha8Rng::seed_from_u64(seed), &limits);
            assert!(plan.byzantine.len() * 3 < plan.validators);
            for (at, fault) in &plan.faults {
                let length = match fault {
                    Fault::Partition { length, .. } | Fault::SlowDisk { length, .. } | Fault::LockAlone { length, .. } => *length,
                    Fault::Crash { down, .. } => *down,
                    Fault::Disconnect { .. } => 0,
                };
                assert!(at.after(length) <= plan.healed);
            }
        }
    }

    #[test]
    fn a_seed_gives_one_plan() {
        let limits = Limits { length: 100 * SECOND, validators: (4, 10), pause: SECOND };
        let draw = || format!("{:?}", Plan::draw(&mut ChaCha8Rng::seed_from_u64(7), &limits));
        assert_eq!(draw(), draw());
    }
}
