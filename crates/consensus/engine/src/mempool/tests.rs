//! What waits, in which order, and what is no longer taken.

use super::*;
use crate::{
    CheckedBlock, InitChainResponse, VoteInfo,
    evidence::ByzantineValidator,
    node::tests::harness::genesis,
    ports::{AppCommit, AppInfo, ApplyChunk, OfferSnapshot, Snapshot},
    proto::AbciResponses,
    state::EngineGenesis,
};
use oasis_primitives::signature::MemorySigner;

/// Takes transactions whose first byte is at least `least`; the second is the gas they want.
struct Threshold {
    least: u8,
    checks: usize,
}

impl Application for Threshold {
    fn info(&self) -> Result<AppInfo, Fatal> {
        Ok(AppInfo::default())
    }
    fn init_chain(&mut self, _: &EngineGenesis) -> Result<InitChainResponse, Fatal> {
        Ok(InitChainResponse::default())
    }
    fn execute(&mut self, _: &CheckedBlock, _: &[VoteInfo], _: &[ByzantineValidator]) -> Result<AbciResponses, Fatal> {
        Ok(AbciResponses::default())
    }
    fn commit(&mut self) -> Result<AppCommit, Fatal> {
        Ok(AppCommit::default())
    }
    fn check_tx(&mut self, tx: &[u8], _: bool) -> Result<CheckTx, Fatal> {
        self.checks += 1;
        Ok(CheckTx { code: u32::from(tx[0] < self.least), gas_wanted: i64::from(tx[1]), ..Default::default() })
    }
    fn snapshots(&self) -> Vec<Snapshot> {
        Vec::new()
    }
    fn snapshot_chunk(&self, _: u64, _: u32, _: u32) -> Option<Vec<u8>> {
        None
    }
    fn offer_snapshot(&mut self, _: &Snapshot, _: &[u8]) -> Result<OfferSnapshot, Fatal> {
        Ok(OfferSnapshot::Abort)
    }
    fn apply_chunk(&mut self, _: u32, _: &[u8]) -> Result<ApplyChunk, Fatal> {
        Ok(ApplyChunk::Abort(String::new()))
    }
}

fn state(max_gas: i64) -> ChainState {
    let mut genesis = genesis(&[MemorySigner::for_test("validator")]);
    genesis.consensus_params.block.max_gas = max_gas;
    ChainState::from_genesis(&genesis, 0, &InitChainResponse::default()).unwrap()
}

fn mempool(config: MempoolConfig) -> (Mempool, Threshold) {
    (Mempool::new(config, &state(-1)), Threshold { least: 1, checks: 0 })
}

fn ok(n: usize) -> Vec<ResponseDeliverTx> {
    vec![ResponseDeliverTx::default(); n]
}

#[test]
fn transactions_wait_in_the_order_in_which_they_came() {
    let (mut pool, mut app) = mempool(MempoolConfig::default());
    for n in [5, 3, 9, 1] {
        assert!(pool.check(&mut app, vec![n, 10], None).unwrap().is_ok());
    }
    let first = |txs: Vec<Vec<u8>>| txs.iter().map(|t| t[0]).collect::<Vec<_>>();
    assert_eq!(first(pool.reap(-1, -1)), [5, 3, 9, 1]);
    // Four bytes each in a block.
    assert_eq!(first(pool.reap(15, -1)), [5, 3, 9]);
    assert_eq!(first(pool.reap(16, -1)), [5, 3, 9, 1]);
    assert_eq!(first(pool.reap(-1, 20)), [5, 3]);
    assert_eq!(first(pool.reap(-1, 0)), Vec::<u8>::new());
    let (place, tx) = pool.at_or_after(1).unwrap();
    assert_eq!((place, tx.tx[0]), (1, 3));
    assert_eq!(pool.at_or_after(pool.next_place()), None);
}

#[test]
fn a_transaction_is_checked_once_and_its_senders_are_remembered() {
    let (mut pool, mut app) = mempool(MempoolConfig::default());
    let (a, b) = (PeerId([1; 20]), PeerId([2; 20]));
    assert!(pool.check(&mut app, vec![1, 0], Some(a)).unwrap().is_ok());
    assert_eq!(pool.check(&mut app, vec![1, 0], Some(b)).unwrap(), Err(MempoolError::InCache));
    assert_eq!(app.checks, 1);
    assert_eq!(pool.at_or_after(0).unwrap().1.senders, [a, b].into());
    pool.forget_peer(&a);
    assert_eq!(pool.at_or_after(0).unwrap().1.senders, [b].into());
}

#[test]
fn what_stood_in_a_block_is_gone_for_good_and_what_failed_there_may_come_again() {
    let (mut pool, mut app) = mempool(MempoolConfig::default());
    for n in [1, 2, 3] {
        pool.check(&mut app, vec![n, 0], None).unwrap().unwrap();
    }
    let mut results = ok(2);
    results[1].code = 7;
    assert_eq!(pool.update(&mut app, &state(-1), &[vec![1, 0], vec![2, 0]], &results), Ok(Vec::new()));
    assert_eq!(pool.reap(-1, -1), [vec![3, 0]]);
    assert_eq!(pool.check(&mut app, vec![1, 0], None).unwrap(), Err(MempoolError::InCache));
    assert!(pool.check(&mut app, vec![2, 0], None).unwrap().is_ok());
}

#[test]
fn what_waits_is_checked_again_after_every_block() {
    let (mut pool, mut app) = mempool(MempoolConfig::default());
    for n in [1, 2, 3] {
        pool.check(&mut app, vec![n, 0], None).unwrap().unwrap();
    }
    app.least = 3;
    let gone = pool.update(&mut app, &state(-1), &[], &[]).unwrap();
    assert_eq!(gone.iter().map(|g| g.hash).collect::<Vec<_>>(), [sha256(&[1, 0]), sha256(&[2, 0])]);
    assert_eq!((pool.len(), pool.bytes()), (1, 2));
    // It may become good again.
    app.least = 1;
    assert!(pool.check(&mut app, vec![1, 0], None).unwrap().is_ok());
}

#[test]
fn limits_hold() {
    let (mut pool, mut app) = mempool(MempoolConfig { size: 2, max_txs_bytes: 50, max_tx_bytes: 40, cache_size: 3, ..Default::default() });
    assert_eq!(pool.check(&mut app, vec![1; 41], None).unwrap(), Err(MempoolError::TooLarge { max: 40, size: 41 }));
    assert!(pool.check(&mut app, vec![1; 40], None).unwrap().is_ok());
    assert!(matches!(pool.check(&mut app, vec![2; 11], None).unwrap(), Err(MempoolError::Full { bytes: 40, .. })));
    assert!(pool.check(&mut app, vec![2; 10], None).unwrap().is_ok());
    assert!(matches!(pool.check(&mut app, vec![], None).unwrap(), Err(MempoolError::Full { txs: 2, .. })));
    pool.flush();
    assert!(pool.is_empty() && pool.check(&mut app, vec![1; 40], None).unwrap().is_ok());
}

#[test]
fn no_transaction_may_want_more_gas_than_a_block_has() {
    let mut app = Threshold { least: 0, checks: 0 };
    let mut pool = Mempool::new(MempoolConfig::default(), &state(5));
    assert!(pool.check(&mut app, vec![1, 5], None).unwrap().is_ok());
    assert_eq!(pool.check(&mut app, vec![1, 6], None).unwrap(), Err(MempoolError::TooMuchGas { max: 5, wanted: 6 }));
    // Refused transactions are not remembered, as the original is configured.
    assert_eq!(pool.check(&mut app, vec![1, 6], None).unwrap(), Err(MempoolError::TooMuchGas { max: 5, wanted: 6 }));
    pool.update(&mut app, &state(4), &[], &[]).unwrap();
    assert!(pool.is_empty());
}

#[test]
fn transactions_are_announced_once_a_height() {
    let (mut pool, mut app) = mempool(MempoolConfig::default());
    assert!(!pool.take_available());
    for n in [1, 2] {
        pool.check(&mut app, vec![n, 0], None).unwrap().unwrap();
    }
    assert!(pool.take_available() && !pool.take_available());
    pool.update(&mut app, &state(-1), &[vec![1, 0]], &ok(1)).unwrap();
    assert!(pool.take_available() && !pool.take_available());
    pool.update(&mut app, &state(-1), &[vec![2, 0]], &ok(1)).unwrap();
    assert!(!pool.take_available());
}

#[test]
fn checks_and_sizes_are_counted() {
    let (mut pool, mut app) = mempool(MempoolConfig::default());
    app.least = 2;
    for (first, size) in [(2, 2), (3, 3), (4, 10), (1, 5)] {
        let mut tx = vec![first; size];
        tx[1] = 0;
        assert_eq!(pool.check(&mut app, tx, None).unwrap().is_ok(), first > 1);
    }
    pool.update(&mut app, &state(-1), &[], &[]).unwrap();
    let counts = pool.counts();
    assert_eq!((counts.failed, counts.rechecked, counts.bytes), (1, 3, 15));
    // Up to 1 byte, 3, 9, 27.
    assert_eq!(counts.sizes[..4], [0, 2, 0, 1]);
}
