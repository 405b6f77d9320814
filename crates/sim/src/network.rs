//! Connections between nodes: order, delay, breaks and partitions.

use std::collections::{BTreeMap, BTreeSet};

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::queue::Moment;

/// A message arrives at most so much later than the slowest, if it is one of those that others overtake.
const OVERTAKEN: u64 = 50_000_000;

/// A connection, from the first to the second node.
type Link = (usize, usize);

/// All connections.
#[derive(Debug)]
pub struct Network {
    latency: (u64, u64),
    reorder: u32,
    up: BTreeSet<Link>,
    /// Counts up when a connection breaks, so that what was on its way is known to be lost.
    generation: BTreeMap<Link, u64>,
    /// When the last message on a connection arrives: later ones arrive later.
    last: BTreeMap<Link, Moment>,
    /// Nodes that can't reach the others, by partition.
    partitions: BTreeMap<u64, BTreeSet<usize>>,
    next_partition: u64,
}

fn link(a: usize, b: usize) -> Link {
    (a.min(b), a.max(b))
}

impl Network {
    /// Nothing is connected.
    pub fn new(latency: (u64, u64), reorder: u32) -> Self {
        Self {
            latency,
            reorder,
            up: BTreeSet::new(),
            generation: BTreeMap::new(),
            last: BTreeMap::new(),
            partitions: BTreeMap::new(),
            next_partition: 0,
        }
    }

    /// Whether two nodes are connected.
    pub fn is_up(&self, a: usize, b: usize) -> bool {
        self.up.contains(&link(a, b))
    }

    /// Whether two nodes could connect.
    pub fn is_reachable(&self, a: usize, b: usize) -> bool {
        self.partitions.values().all(|side| side.contains(&a) == side.contains(&b))
    }

    /// Connects two nodes.
    pub fn connect(&mut self, a: usize, b: usize) {
        self.up.insert(link(a, b));
    }

    /// Breaks a connection; whether there was one.
    pub fn disconnect(&mut self, a: usize, b: usize) -> bool {
        let link = link(a, b);
        *self.generation.entry(link).or_default() += 1;
        self.up.remove(&link)
    }

    /// Which connection between two nodes this is, counted from the first.
    pub fn generation(&self, a: usize, b: usize) -> u64 {
        self.generation.get(&link(a, b)).copied().unwrap_or_default()
    }

    /// When a message that is sent now arrives.
    pub fn arrival(&mut self, rng: &mut ChaCha8Rng, from: usize, to: usize, now: Moment) -> Moment {
        let way = rng.random_range(self.latency.0..=self.latency.1);
        let last = self.last.entry((from, to)).or_default();
        if self.reorder > 0 && rng.random_ratio(1, self.reorder) {
            return now.after(way + rng.random_range(0..OVERTAKEN));
        }
        let at = now.after(way).max(last.after(1));
        *last = at;
        at
    }

    /// Cuts nodes off from the others; gives the connections that break and a name for the partition.
    pub fn partition(&mut self, side: impl IntoIterator<Item = usize>) -> (u64, Vec<Link>) {
        let name = self.next_partition;
        self.next_partition += 1;
        self.partitions.insert(name, side.into_iter().collect());
        let cut: Vec<Link> = self.up.iter().copied().filter(|(a, b)| !self.is_reachable(*a, *b)).collect();
        for (a, b) in &cut {
            self.disconnect(*a, *b);
        }
        (name, cut)
    }

    /// Ends a partition.
    pub fn heal(&mut self, name: u64) {
        self.partitions.remove(&name);
    }

    /// The nodes that a node is connected to.
    pub fn neighbours(&self, node: usize) -> Vec<usize> {
        let other = |(a, b): &Link| match node {
            n if n == *a => Some(*b),
            n if n == *b => Some(*a),
            _ => None,
        };
        self.up.iter().filter_map(other).collect()
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn messages_of_a_connection_stay_in_order() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut network = Network::new((0, 1_000), 0);
        let mut last = Moment(0);
        for i in 0..1_000 {
            let at = network.arrival(&mut rng, 0, 1, Moment(i));
            assert!(at > last);
            last = at;
        }
    }

    #[test]
    fn a_partition_breaks_connections_and_keeps_them_broken() {
        let mut network = Network::new((0, 1), 0);
        network.connect(0, 1);
        network.connect(1, 2);
        let (name, cut) = network.partition([2]);
        assert_eq!(cut, [(1, 2)]);
        assert!(network.is_up(0, 1) && !network.is_up(1, 2) && !network.is_reachable(0, 2));
        network.heal(name);
        assert!(network.is_reachable(0, 2));
    }
}
