//! Who is connected with whom: the same rule at every size, with the limits that a node has where nothing is configured.

use std::collections::BTreeSet;

use rand::{Rng, seq::SliceRandom};

/// Peers that a node connects to. Source: go/consensus/tendermint/common/common.go, `CfgP2PMaxNumOutboundPeers`.
pub const OUTBOUND: usize = 20;
/// Peers that may connect to a node. Source: go/consensus/tendermint/common/common.go, `CfgP2PMaxNumInboundPeers`.
pub const INBOUND: usize = 40;

/// The connections, the smaller number first: one node after the other connects to nodes drawn from those that it is not
/// connected with yet and that still take connections, until it has made [`OUTBOUND`]. Up to 21 nodes all are connected.
pub fn links(rng: &mut impl Rng, nodes: usize) -> BTreeSet<(usize, usize)> {
    let mut links = BTreeSet::new();
    let mut inbound = vec![0; nodes];
    for from in 0..nodes {
        let free = |to: &usize| *to != from && inbound[*to] < INBOUND && !links.contains(&(from.min(*to), from.max(*to)));
        let mut others: Vec<usize> = (0..nodes).filter(free).collect();
        others.shuffle(rng);
        for to in others.into_iter().take(OUTBOUND) {
            inbound[to] += 1;
            links.insert((from.min(to), from.max(to)));
        }
    }
    links
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn small_networks_are_fully_connected_and_large_ones_keep_to_the_limits() {
        for nodes in [1, 4, 7, 20, 21, 50, 100] {
            let links = links(&mut ChaCha8Rng::seed_from_u64(1), nodes);
            let peers = |n: usize| links.iter().filter(|(a, b)| *a == n || *b == n).count();
            assert!(links.iter().all(|(a, b)| a < b && *b < nodes));
            if nodes <= OUTBOUND + 1 {
                assert_eq!(links.len(), nodes * (nodes - 1) / 2);
            }
            assert!((0..nodes).all(|n| (OUTBOUND.min(nodes - 1)..=OUTBOUND + INBOUND).contains(&peers(n))), "{nodes} nodes");
        }
    }
}
