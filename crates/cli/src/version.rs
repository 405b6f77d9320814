//! `oasis-node --version`.
//!
//! Source: go/oasis-node/cmd/root.go, `initVersions`.

use oasis_primitives::version::{CONSENSUS_PROTOCOL, RUNTIME_COMMITTEE_PROTOCOL, RUNTIME_HOST_PROTOCOL};

/// The versions of the program and of what it speaks.
pub fn text() -> String {
    format!(
        "Software version: {}\nConsensus:\n  Consensus protocol version: {CONSENSUS_PROTOCOL}\nRuntime:\n  \
         Host protocol version:      {RUNTIME_HOST_PROTOCOL}\n  Committee protocol version: {RUNTIME_COMMITTEE_PROTOCOL}\n",
        env!("CARGO_PKG_VERSION")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_protocols_are_the_originals() {
        let rest = text().split_once('\n').map(|(_, rest)| rest.to_owned());
        let expected = "Consensus:\n  Consensus protocol version: 4.0.0\nRuntime:\n  Host protocol version:      4.0.0\n  \
                        Committee protocol version: 3.0.0\n";
        assert_eq!(rest.as_deref(), Some(expected));
    }
}
