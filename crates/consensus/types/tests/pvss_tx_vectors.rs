//! Bodies of the beacon's transactions, as the original encodes them.

use anyhow::ensure;
use oasis_consensus_types::beacon::{PvssCommit, PvssReveal};
use oasis_primitives::cbor::{self, Value};

#[test]
fn misc_crypto_vectors_of_pvss_transactions_decode_and_encode() {
    oasis_test_vectors::for_each("misc-crypto.cbor.gz", |_, bytes| {
        let items: Vec<Value> = cbor::sequence_from_slice(bytes)?;
        let bodies = items.iter().filter(|item| item.get("kind") == Some(&Value::Text("pvss-tx-body".into())));
        let mut count = 0;
        for item in bodies {
            let (Some(Value::Bytes(commit)), Some(Value::Bytes(reveal))) = (item.get("commit_body"), item.get("reveal_body")) else {
                anyhow::bail!("an item without bodies");
            };
            let decoded: PvssCommit = cbor::from_slice(commit)?;
            ensure!((decoded.epoch, decoded.round) == (7, 3), "commit of epoch {} round {}", decoded.epoch, decoded.round);
            ensure!(cbor::to_vec(&decoded) == *commit, "the commit is encoded otherwise");
            let decoded: PvssReveal = cbor::from_slice(reveal)?;
            ensure!((decoded.epoch, decoded.round) == (7, 3), "reveal of epoch {} round {}", decoded.epoch, decoded.round);
            ensure!(cbor::to_vec(&decoded) == *reveal, "the reveal is encoded otherwise");
            count += 1;
        }
        ensure!(count > 0, "no items");
        Ok(())
    })
    .unwrap();
}
