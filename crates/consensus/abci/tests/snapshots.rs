//! Snapshots: made, served, restored, and damaged ones refused.

mod common;

use std::path::Path;

use common::{Chain, apply, memory::Memory};
use oasis_consensus_abci::{Backend, Disk, DiskOptions, Machine};
use oasis_consensus_engine::ports::{Application, ApplyChunk, OfferSnapshot, Snapshot};
use oasis_mkvs::checkpoint::Metadata;
use oasis_primitives::{cbor, hash::Hash};

/// Small, so that there are many.
const CHUNK: u64 = 4096;

fn disk(path: &Path, chain: &Chain) -> Disk {
    let options = DiskOptions::new(&chain.network.chain_context).with_checkpoints(path.join("checkpoints"));
    Disk::open(&path.join("state"), options).unwrap()
}

/// A machine with a snapshot of block `at`, which has executed more.
fn serving<T: Backend>(chain: &Chain, tree: T, at: usize) -> Machine<T> {
    let mut machine = chain.machine(tree);
    chain.init(&mut machine);
    for (i, (state, recorded)) in chain.states().iter().zip(&chain.blocks).take(at + 3).enumerate() {
        apply(&mut machine, state, recorded);
        if i == at {
            machine.force_checkpoint(CHUNK);
            let begun = std::time::Instant::now();
            while machine.snapshots().is_empty() {
                assert!(begun.elapsed().as_secs() < 60, "{:?}", machine.checkpoint_error());
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
        }
    }
    machine
}

fn chunks<T: Backend>(machine: &Machine<T>, snapshot: &Snapshot) -> Vec<Vec<u8>> {
    (0..snapshot.chunks).map(|i| machine.snapshot_chunk(snapshot.height, snapshot.format, i).unwrap()).collect()
}

/// Restores and then executes all blocks that follow.
fn restore<T: Backend>(chain: &Chain, machine: &mut Machine<T>, at: usize, snapshot: &Snapshot, chunks: &[Vec<u8>]) {
    let root = chain.blocks[at].root;
    assert_eq!(machine.offer_snapshot(snapshot, &root.0).unwrap(), OfferSnapshot::Accept);
    let order: Vec<usize> = (0..chunks.len()).rev().collect();
    for i in order {
        assert_eq!(machine.apply_chunk(i as u32, b"garbage").unwrap(), ApplyChunk::RefetchFromOthers);
        let cut = &chunks[i][..chunks[i].len() / 2];
        assert_eq!(machine.apply_chunk(i as u32, cut).unwrap(), ApplyChunk::RefetchFromOthers);
        assert_eq!(machine.apply_chunk(i as u32, &chunks[i]).unwrap(), ApplyChunk::Accept);
        if i > 0 {
            assert_eq!(machine.apply_chunk(i as u32, &chunks[i]).unwrap(), ApplyChunk::Accept, "again");
        }
    }
    let info = machine.info().unwrap();
    assert_eq!((info.last_height, info.app_hash), (chain.blocks[at].height(), root.0.to_vec()));
    assert_eq!(machine.earliest_height(), Some(info.last_height));
    for (state, recorded) in chain.states().iter().zip(&chain.blocks).skip(at + 1) {
        apply(machine, state, recorded);
    }
}

#[test]
fn a_restored_snapshot_has_its_root_and_executes_the_blocks_that_follow_vectors() {
    for name in ["gas-fees-runtimes", "runtime-governance"] {
        let chain = common::named(name);
        let at = chain.blocks.len() / 2;
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let server = serving(&chain, disk(a.path(), &chain), at);
        let in_memory = serving(&chain, Memory::new(5), at);
        let snapshot = server.snapshots().remove(0);
        assert_eq!(server.snapshots(), in_memory.snapshots());
        let served = chunks(&server, &snapshot);
        assert!(served.len() > 3 && served == chunks(&in_memory, &snapshot));
        assert_eq!(server.snapshot_chunk(snapshot.height, 1, snapshot.chunks), None);
        assert_eq!(server.snapshot_chunk(snapshot.height, 2, 0), None);
        assert_eq!(server.snapshot_chunk(snapshot.height + 1, 1, 0), None);

        // As the original describes it.
        let metadata: Metadata = cbor::from_slice(&snapshot.metadata).unwrap();
        assert_eq!((metadata.root.version, metadata.root.hash), (snapshot.height, chain.blocks[at].root));
        assert_eq!(snapshot.hash, Hash::of(&snapshot.metadata).0);
        assert_eq!((snapshot.format, snapshot.chunks as usize), (1, metadata.chunks.len()));

        // The engine made the genesis state before it syncs.
        let mut machine = chain.machine(disk(b.path(), &chain));
        chain.init(&mut machine);
        restore(&chain, &mut machine, at, &snapshot, &served);
        drop(machine);
        let machine = chain.machine(disk(b.path(), &chain));
        assert_eq!(machine.info().unwrap().app_hash, chain.blocks.last().unwrap().root.0);
        restore(&chain, &mut chain.machine(Memory::new(100)), at, &snapshot, &served);
        // What was made is there after a start.
        let path = a.path();
        drop(server);
        assert_eq!(chain.machine(disk(path, &chain)).snapshots(), [snapshot]);
    }
}

#[test]
fn snapshots_that_are_not_what_they_say_are_refused_vectors() {
    let chain = common::named("gas-fees-runtimes");
    let at = chain.blocks.len() / 2;
    let server = serving(&chain, Memory::new(5), at);
    let good = server.snapshots().remove(0);
    let root = chain.blocks[at].root.0;
    let metadata: Metadata = cbor::from_slice(&good.metadata).unwrap();
    let with = |change: &dyn Fn(&mut Metadata)| {
        let mut metadata = metadata.clone();
        change(&mut metadata);
        let encoded = cbor::to_vec(&metadata);
        Snapshot { hash: Hash::of(&encoded).0.to_vec(), metadata: encoded, ..good.clone() }
    };
    let dir = tempfile::tempdir().unwrap();
    let mut machine = chain.machine(disk(dir.path(), &chain));
    chain.init(&mut machine);
    let mut offer = |snapshot: &Snapshot, app_hash: &[u8]| machine.offer_snapshot(snapshot, app_hash).unwrap();
    assert_eq!(offer(&Snapshot { format: 2, ..good.clone() }, &root), OfferSnapshot::RejectFormat);
    assert_eq!(offer(&good, &root[..31]), OfferSnapshot::Abort);
    let reject = [
        Snapshot { hash: vec![0; 32], ..good.clone() },
        Snapshot { hash: good.hash[..31].to_vec(), ..good.clone() },
        Snapshot { metadata: b"garbage".to_vec(), hash: Hash::of(b"garbage").0.to_vec(), ..good.clone() },
        Snapshot { chunks: good.chunks + 1, ..good.clone() },
        Snapshot { height: good.height + 1, ..good.clone() },
        with(&|m| m.version = 2),
        with(&|m| m.root.hash.0[0] ^= 1),
        with(&|m| m.root.namespace.0[0] ^= 1),
        with(&|m| m.root.root_type = oasis_mkvs::RootType(9)),
        Snapshot { chunks: 0, ..with(&|m| m.chunks = Vec::new().into()) },
    ];
    for snapshot in &reject {
        assert_eq!(offer(snapshot, &root), OfferSnapshot::Reject, "{snapshot:?}");
    }
    assert_eq!(offer(&good, &[7; 32]), OfferSnapshot::Reject);
}

#[test]
fn chunks_that_do_not_belong_to_the_root_end_the_snapshot_and_another_can_follow_vectors() {
    let chain = common::named("gas-fees-runtimes");
    let at = chain.blocks.len() / 2;
    let server = serving(&chain, Memory::new(5), at);
    let other_server = serving(&chain, Memory::new(5), at - 5);
    let good = server.snapshots().remove(0);
    let served = chunks(&server, &good);
    let root = chain.blocks[at].root.0;
    // A description whose first chunk is that of another state.
    let other = chunks(&other_server, &other_server.snapshots()[0]);
    let mut metadata: Metadata = cbor::from_slice(&good.metadata).unwrap();
    let mut digests = metadata.chunks.to_vec();
    digests[0] = Hash::of(&other[0]);
    metadata.chunks = digests.into();
    let encoded = cbor::to_vec(&metadata);
    let bad = Snapshot { hash: Hash::of(&encoded).0.to_vec(), metadata: encoded, ..good.clone() };
    // And one that leaves the last chunk out.
    let mut metadata: Metadata = cbor::from_slice(&good.metadata).unwrap();
    let short: Vec<Hash> = metadata.chunks[..metadata.chunks.len() - 1].to_vec();
    metadata.chunks = short.into();
    let encoded = cbor::to_vec(&metadata);
    let short = Snapshot { hash: Hash::of(&encoded).0.to_vec(), metadata: encoded, chunks: good.chunks - 1, ..good.clone() };

    let dir = tempfile::tempdir().unwrap();
    refuse(&chain, &mut chain.machine(Memory::new(5)), [&bad, &short, &good], &other[0], &served, root);
    refuse(&chain, &mut chain.machine(disk(dir.path(), &chain)), [&bad, &short, &good], &other[0], &served, root);
}

fn refuse<T: Backend>(
    chain: &Chain,
    machine: &mut Machine<T>,
    [bad, short, good]: [&Snapshot; 3],
    other: &[u8],
    served: &[Vec<u8>],
    root: [u8; 32],
) {
    chain.init(machine);
    assert!(matches!(machine.apply_chunk(0, &served[0]).unwrap(), ApplyChunk::Abort(_)), "nothing was offered");
    assert_eq!(machine.offer_snapshot(bad, &root).unwrap(), OfferSnapshot::Accept);
    assert_eq!(machine.apply_chunk(1, &served[1]).unwrap(), ApplyChunk::Accept);
    assert!(matches!(machine.apply_chunk(0, other).unwrap(), ApplyChunk::RejectSnapshot(_)));
    assert!(matches!(machine.apply_chunk(2, &served[2]).unwrap(), ApplyChunk::Abort(_)));
    assert_eq!(machine.offer_snapshot(short, &root).unwrap(), OfferSnapshot::Accept);
    for (i, chunk) in served.iter().enumerate().take(served.len() - 2) {
        assert_eq!(machine.apply_chunk(i as u32, chunk).unwrap(), ApplyChunk::Accept);
    }
    let last = served.len() - 2;
    assert!(matches!(machine.apply_chunk(last as u32, &served[last]).unwrap(), ApplyChunk::RejectSnapshot(_)));
    assert_eq!(machine.height(), 0);
    // Begun, and given up for another, and given up for blocks from the first on.
    assert_eq!(machine.offer_snapshot(good, &root).unwrap(), OfferSnapshot::Accept);
    assert_eq!(machine.apply_chunk(0, &served[0]).unwrap(), ApplyChunk::Accept);
    assert_eq!(machine.offer_snapshot(good, &root).unwrap(), OfferSnapshot::Accept);
    assert_eq!(machine.apply_chunk(0, &served[0]).unwrap(), ApplyChunk::Accept);
    for (state, recorded) in chain.states().iter().zip(&chain.blocks).take(3) {
        apply(machine, state, recorded);
    }
    assert!(matches!(machine.apply_chunk(1, &served[1]).unwrap(), ApplyChunk::Abort(_)));
}
