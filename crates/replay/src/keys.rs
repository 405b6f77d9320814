//! Names of state keys, for people.
//!
//! Source: go/consensus/tendermint/apps/*/state/*.go, go/consensus/tendermint/abci/{mux,state/state}.go: the `keyformat.New`
//! of each kind.

use std::fmt::Write;

use oasis_primitives::address::Address;

/// What follows a key's prefix.
#[derive(Clone, Copy)]
enum Part {
    /// The hash of something, 32 bytes.
    Hash(&'static str),
    /// An account's address, 21 bytes.
    Address(&'static str),
    /// A number of 8 bytes, big endian.
    Number(&'static str),
    /// A number of one byte.
    Byte(&'static str),
    /// Everything that is left.
    Rest(&'static str),
}

use Part::{Address as Addr, Byte, Hash, Number, Rest};

/// Prefix, name, and what follows.
const KINDS: &[(u8, &str, &[Part])] = &[
    (0x10, "registry: entity", &[Hash("entity key hash")]),
    (0x11, "registry: node", &[Hash("node key hash")]),
    (0x12, "registry: node by entity", &[Hash("entity key hash"), Hash("node key hash")]),
    (0x13, "registry: runtime", &[Hash("runtime hash")]),
    (0x14, "registry: node by consensus address", &[Rest("address")]),
    (0x15, "registry: node status", &[Hash("node key hash")]),
    (0x16, "registry: parameters", &[]),
    (0x17, "registry: node by other key", &[Hash("key hash")]),
    (0x18, "registry: suspended runtime", &[Hash("runtime hash")]),
    (0x19, "registry: runtime by entity", &[Hash("entity key hash"), Hash("runtime hash")]),
    (0x1a, "registry: node by beacon point", &[Hash("point hash")]),
    (0x20, "roothash: runtime", &[Hash("runtime hash")]),
    (0x21, "roothash: parameters", &[]),
    (0x22, "roothash: round timeout", &[Number("height"), Hash("runtime hash")]),
    (0x23, "roothash: reject transactions", &[]),
    (0x24, "roothash: evidence", &[Hash("runtime hash"), Number("round"), Hash("evidence hash")]),
    (0x25, "roothash: state root", &[Hash("runtime hash")]),
    (0x26, "roothash: I/O root", &[Hash("runtime hash")]),
    (0x40, "beacon: current epoch", &[]),
    (0x41, "beacon: future epoch", &[]),
    (0x42, "beacon: beacon", &[]),
    (0x43, "beacon: parameters", &[]),
    (0x44, "beacon: PVSS state", &[]),
    (0x45, "beacon: pending mock epoch", &[]),
    (0x50, "staking: account", &[Addr("address")]),
    (0x51, "staking: total supply", &[]),
    (0x52, "staking: common pool", &[]),
    (0x53, "staking: delegation", &[Addr("escrow"), Addr("delegator")]),
    (0x54, "staking: debonding delegation", &[Addr("delegator"), Addr("escrow"), Number("epoch")]),
    (0x55, "staking: debonding queue", &[Number("epoch"), Addr("delegator"), Addr("escrow")]),
    (0x56, "staking: parameters", &[]),
    (0x57, "staking: last block fees", &[]),
    (0x58, "staking: epoch signing", &[]),
    (0x59, "staking: governance deposits", &[]),
    (0x60, "scheduler: committee", &[Byte("kind"), Hash("runtime hash")]),
    (0x61, "scheduler: current validators", &[]),
    (0x62, "scheduler: pending validators", &[]),
    (0x63, "scheduler: parameters", &[]),
    (0x70, "keymanager: status", &[Hash("runtime hash")]),
    (0x80, "governance: next proposal", &[]),
    (0x81, "governance: proposal", &[Number("proposal")]),
    (0x82, "governance: active proposal", &[Number("epoch"), Number("proposal")]),
    (0x83, "governance: vote", &[Number("proposal"), Addr("voter")]),
    (0x84, "governance: pending upgrade", &[Number("epoch"), Number("proposal")]),
    (0x85, "governance: parameters", &[]),
    (0xf1, "consensus: parameters", &[]),
];

/// Keys that are words.
const WORDS: &[(&[u8], &str)] = &[(b"OasisGenesisDigest", "genesis digest"), (b"OasisInitChainEvents", "events of the genesis")];

/// A key by its name, with what follows its prefix; in hex where it is of no known kind.
pub(crate) fn name(key: &[u8]) -> String {
    if let Some((_, name)) = WORDS.iter().find(|(word, _)| *word == key) {
        return (*name).to_owned();
    }
    let unknown = || format!("unknown {}", hex::encode(key));
    let Some((prefix, mut rest)) = key.split_first() else { return "empty key".into() };
    let Some((_, name, parts)) = KINDS.iter().find(|(p, ..)| p == prefix) else { return unknown() };
    let mut out = (*name).to_owned();
    for part in *parts {
        let Some(text) = take(*part, &mut rest) else { return unknown() };
        let _ = write!(out, ", {text}");
    }
    if rest.is_empty() { out } else { unknown() }
}

fn take(part: Part, rest: &mut &[u8]) -> Option<String> {
    let length = match part {
        Hash(_) => 32,
        Addr(_) => 21,
        Number(_) => 8,
        Byte(_) => 1,
        Rest(_) => rest.len(),
    };
    let (bytes, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(match part {
        Hash(what) | Rest(what) => format!("{what} {}", hex::encode(bytes)),
        Addr(what) => format!("{what} {}", Address(bytes.try_into().ok()?)),
        Number(what) => format!("{what} {}", u64::from_be_bytes(bytes.try_into().ok()?)),
        Byte(what) => format!("{what} {}", bytes.first()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_named_with_their_parts() {
        assert_eq!(name(&[0x56]), "staking: parameters");
        let key = [vec![0x55], 7u64.to_be_bytes().to_vec(), vec![0; 42]].concat();
        assert!(name(&key).starts_with("staking: debonding queue, epoch 7, delegator oasis1"), "{}", name(&key));
        assert_eq!(name(b"OasisGenesisDigest"), "genesis digest");
        assert_eq!(name(&[0x56, 1]), "unknown 5601");
        assert_eq!(name(&[]), "empty key");
    }
}
