//! Recorded trees.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::{Result, ensure};
use oasis_mkvs::{
    MemoryStore, Place, Root, RootType, Tree, WriteLog,
    checkpoint::{Creator, Metadata, Restorer},
    proof::{GetPrefixesRequest, GetRequest, IterateRequest, ProofResponse, verify},
};
use oasis_primitives::{
    cbor::{self, Cbor, NilVec},
    hash::Hash,
    namespace::Namespace,
};

#[derive(Clone, Debug, Default, Cbor)]
struct Query {
    kind: String,
    request: Vec<u8>,
    response: Vec<u8>,
}

#[derive(Clone, Debug, Default, Cbor)]
struct Version {
    version: u64,
    ops: NilVec<Entry>,
    root: Hash,
    write_log: Vec<u8>,
    queries: NilVec<Query>,
}

#[derive(Clone, Debug, Default, Cbor)]
#[cbor(as_array)]
struct Entry {
    key: Vec<u8>,
    value: Option<Vec<u8>>,
}

#[derive(Clone, Debug, Default, Cbor)]
struct Checkpoint {
    chunk_size: u64,
    metadata: Vec<u8>,
    metadata_hash: Hash,
    chunks: NilVec<Vec<u8>>,
}

#[derive(Clone, Debug, Default, Cbor)]
struct Case {
    name: String,
    namespace: Vec<u8>,
    root_type: RootType,
    versions: NilVec<Version>,
    checkpoints: NilVec<Checkpoint>,
}

/// The recorded namespaces are random and have flags that no namespace may have, so that the decoder refuses them in
/// byte strings. Requests are decoded with zeros in their place.
const NAMESPACE: Namespace = Namespace([0; 32]);

fn with_plain_namespace(bytes: &[u8], namespace: &[u8]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    for at in 0..=out.len().saturating_sub(32) {
        if out[at..].starts_with(namespace) {
            out[at..at + 32].fill(0);
        }
    }
    out
}

fn run_case(case: &Case) -> Result<()> {
    // Everything is dropped from memory after each commit, so that reading nodes back is tested, too.
    let store = Arc::new(MemoryStore::new());
    let mut tree = Tree::with_root(store.clone(), Root::empty(NAMESPACE, 0, case.root_type));
    for version in case.versions.iter() {
        if case.root_type == RootType::IO {
            tree = Tree::with_root(store.clone(), Root::empty(NAMESPACE, 0, case.root_type));
        }
        for op in version.ops.iter() {
            match &op.value {
                Some(value) => tree.insert(&op.key, value)?,
                None => tree.remove(&op.key)?,
            }
        }
        let commit = tree.commit(version.version)?;
        store.apply(&commit, case.root_type == RootType::STATE);
        ensure!(commit.root.hash == version.root, "version {}: root {} expected {}", version.version, commit.root.hash, version.root);
        let mut recorded: WriteLog = cbor::from_slice(&version.write_log)?;
        recorded.sort();
        ensure!(recorded == commit.write_log, "version {}: write log", version.version);
        tree.unload();
        for query in version.queries.iter() {
            let response = answer(&tree, query, &case.namespace)?;
            ensure!(cbor::to_vec(&response) == query.response, "version {}: {} query", version.version, query.kind);
            let root = Root { hash: response.proof.untrusted_root, ..*tree.root() };
            verify(&root, &response.proof)?;
        }
    }
    for checkpoint in case.checkpoints.iter() {
        run_checkpoint(&tree, checkpoint, &case.namespace)?;
    }
    Ok(())
}

fn answer(tree: &Tree, query: &Query, namespace: &[u8]) -> Result<ProofResponse> {
    let request = with_plain_namespace(&query.request, namespace);
    Ok(match query.kind.as_str() {
        "get" => tree.sync_get(&cbor::from_slice::<GetRequest>(&request)?)?,
        "iterate" => tree.sync_iterate(&cbor::from_slice::<IterateRequest>(&request)?)?,
        "prefixes" => tree.sync_get_prefixes(&cbor::from_slice::<GetPrefixesRequest>(&request)?)?,
        other => anyhow::bail!("unknown query {other}"),
    })
}

fn run_checkpoint(tree: &Tree, checkpoint: &Checkpoint, namespace: &[u8]) -> Result<()> {
    let mut creator = Creator::new(tree, checkpoint.chunk_size)?;
    let mut chunks = Vec::new();
    while let Some(chunk) = creator.next_chunk()? {
        ensure!(Some(&chunk.data) == checkpoint.chunks.get(chunks.len()), "chunk {} of size {}", chunks.len(), checkpoint.chunk_size);
        chunks.push(chunk.data);
    }
    ensure!(chunks.len() == checkpoint.chunks.len());
    let metadata: Metadata = cbor::from_slice(&with_plain_namespace(&checkpoint.metadata, namespace))?;
    ensure!(metadata == creator.metadata());
    let mut recorded = metadata.clone();
    recorded.root.namespace = Namespace(namespace.try_into()?);
    ensure!(cbor::to_vec(&recorded) == checkpoint.metadata);
    ensure!(recorded.encoded_hash() == checkpoint.metadata_hash);
    // Restored from its chunks, last first, the tree is the same.
    let mut restorer = Restorer::new();
    restorer.start(metadata.clone())?;
    let store = Arc::new(MemoryStore::new());
    let mut done = false;
    for (index, chunk) in chunks.iter().enumerate().rev() {
        ensure!(!done);
        let mut bad = chunk.clone();
        *bad.last_mut().expect("no chunk is empty") ^= 1;
        ensure!(restorer.restore(index as u64, &bad).is_err());
        let restored = restorer.restore(index as u64, chunk)?;
        store.insert(restored.nodes);
        done = restored.done;
    }
    ensure!(done);
    let copy = Tree::with_root_at(store, metadata.root, Place::by_hash(metadata.root.version));
    let all = |tree: &Tree| tree.iter().map(|i| i.map(|(k, v)| (k.to_vec(), v.to_vec()))).collect::<Result<BTreeMap<_, _>, _>>();
    ensure!(all(&copy)? == all(tree)?);
    Ok(())
}

#[test]
fn recorded_vectors_of_trees_are_reproduced() {
    oasis_test_vectors::for_each("mkvs.cbor.gz", |_, bytes| {
        let mut rest = bytes;
        let mut count = 0;
        while !rest.is_empty() {
            let mut decoder = cbor::Decoder::new(rest, cbor::Mode::Trusted)?;
            let case: Case = decoder.value()?;
            rest = decoder.rest();
            run_case(&case).map_err(|e| e.context(case.name.clone()))?;
            count += 1;
        }
        ensure!(count > 0);
        Ok(())
    })
    .unwrap();
}
