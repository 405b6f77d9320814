//! Proofs of parts of a tree, and the trees that they give.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oasis_mkvs::{
    Root,
    proof::{Proof, ProofError, ProofResponse, verify},
};
use oasis_primitives::{cbor, hash::Hash};

fn check(proof: Proof) {
    let mut root = Root { hash: proof.untrusted_root, ..Root::default() };
    let tree = match verify(&root, &proof) {
        // The root that the nodes really give.
        Err(ProofError::BadRoot { got, .. }) => {
            root.hash = got;
            verify(&root, &Proof { untrusted_root: got, entries: proof.entries })
        }
        other => other,
    };
    if let Ok(tree) = tree {
        let _ = (tree.get(b""), tree.get(b"key"), tree.get(&[0xff; 40]));
    }
}

fuzz_target!(|bytes: &[u8]| {
    if let Ok(response) = cbor::from_slice::<ProofResponse>(bytes) {
        check(response.proof);
    }
    // Entries of any length without CBOR around them: each led in by its length.
    let (mut entries, mut rest) = (Vec::new(), bytes);
    while let [len, tail @ ..] = rest {
        let (entry, tail) = tail.split_at(usize::from(*len).min(tail.len()));
        entries.push(if *len == 0 { Default::default() } else { entry.to_vec().into() });
        rest = tail;
    }
    check(Proof { untrusted_root: Hash::EMPTY, entries: entries.into() });
});
