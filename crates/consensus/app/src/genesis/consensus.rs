//! The section of the consensus layer itself.
//!
//! Source: go/consensus/genesis/genesis.go.

use std::collections::BTreeSet;

use oasis_consensus_types::{consensus::Genesis, genesis::Problem};
use oasis_primitives::signature::Blacklist;

/// The shortest wait after a commit, nanoseconds: 1 ms.
const MIN_TIMEOUT_COMMIT: i64 = 1_000_000;
/// The fewest blocks between checkpoints.
const MIN_CHECKPOINT_INTERVAL: u64 = 1000;
/// The smallest chunk of a checkpoint, bytes: 1 MiB.
const MIN_CHUNK_SIZE: u64 = 1 << 20;

/// Source: go/consensus/genesis/genesis.go, `Genesis.SanityCheck`.
pub(super) fn check(genesis: &Genesis, blacklist: &Blacklist, debug: bool) -> Result<(), Problem> {
    let params = &genesis.parameters;
    if params.timeout_commit < MIN_TIMEOUT_COMMIT && !params.skip_timeout_commit {
        return Err(Problem::new("params.timeout_commit", "at least 1 ms (1000000 ns)", format_args!("{} ns", params.timeout_commit)));
    }
    if params.state_checkpoint_interval > 0 && !debug {
        let least = [
            ("params.state_checkpoint_interval", MIN_CHECKPOINT_INTERVAL, params.state_checkpoint_interval),
            ("params.state_checkpoint_num_kept", 1, params.state_checkpoint_num_kept),
            ("params.state_checkpoint_chunk_size", MIN_CHUNK_SIZE, params.state_checkpoint_chunk_size),
        ];
        if let Some((path, least, found)) = least.into_iter().find(|(_, least, found)| found < least) {
            return Err(Problem::new(path, format_args!("at least {least}"), found));
        }
    }
    let mut seen = BTreeSet::new();
    for (i, key) in params.public_key_blacklist.iter().enumerate() {
        let path = format!("params.public_key_blacklist[{i}]");
        if !seen.insert(key) {
            return Err(Problem::new(path, "each key once", format_args!("{key} again")));
        }
        if blacklist.contains(key) {
            return Err(Problem::new(path, "a key that is not refused anyway", key));
        }
    }
    Ok(())
}
