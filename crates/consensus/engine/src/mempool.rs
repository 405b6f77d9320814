//! Transactions that wait for a block.
//!
//! In the order in which they came; each is checked against the state when it comes and again after every block.
//! Source: tendermint `mempool/clist_mempool.go`, `mempool/mempool.go`.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    block::max_data_bytes,
    merkle::{Sha256Hash, sha256},
    peer::PeerId,
    ports::{Application, CheckTx, Fatal},
    proto::ResponseDeliverTx,
    state::ChainState,
};

/// Bytes that a transaction takes in a block. Source: tendermint `types/tx.go`, `ComputeProtoSizeForTxs`.
fn bytes_in_block(tx: &[u8]) -> i64 {
    let length = prost::length_delimiter_len(tx.len());
    i64::try_from(tx.len().saturating_add(length).saturating_add(1)).unwrap_or(i64::MAX)
}

/// Limits of a mempool. Source: tendermint `config/config.go`, `DefaultMempoolConfig`, which the original keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MempoolConfig {
    /// The most transactions.
    pub size: usize,
    /// The most bytes of all transactions.
    pub max_txs_bytes: usize,
    /// The most bytes of a transaction.
    pub max_tx_bytes: usize,
    /// How many transactions that were seen are remembered.
    pub cache_size: usize,
    /// Whether transactions are checked again after every block.
    pub recheck: bool,
    /// Whether transactions that were refused are remembered, so that they are not checked again.
    pub keep_invalid_txs_in_cache: bool,
}

impl Default for MempoolConfig {
    fn default() -> Self {
        Self {
            size: 5000,
            max_txs_bytes: 1 << 30,
            max_tx_bytes: 1 << 20,
            cache_size: 10_000,
            recheck: true,
            keep_invalid_txs_in_cache: false,
        }
    }
}

/// Why a transaction was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MempoolError {
    /// There is no room.
    #[error("mempool is full: {txs} transactions of at most {max_txs}, {bytes} bytes of at most {max_bytes}")]
    Full {
        /// Transactions in the mempool.
        txs: usize,
        /// The most transactions.
        max_txs: usize,
        /// Bytes in the mempool.
        bytes: usize,
        /// The most bytes.
        max_bytes: usize,
    },
    /// It is larger than the mempool takes.
    #[error("transaction is too large: expected at most {max} bytes, found {size}")]
    TooLarge {
        /// The most bytes.
        max: i64,
        /// Bytes of the transaction.
        size: i64,
    },
    /// It was seen before, and may be in the mempool or in a block.
    #[error("transaction already exists in cache")]
    InCache,
    /// It asks for more gas than a block has.
    #[error("gas wanted: expected 0 to {max}, found {wanted}")]
    TooMuchGas {
        /// Gas of a block.
        max: i64,
        /// Gas of the transaction.
        wanted: i64,
    },
    /// The state machine refuses it.
    #[error("refused by module {:?} with code {}: {}", .0.codespace, .0.code, .0.log)]
    Refused(CheckTx),
}

/// A transaction that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MempoolTx {
    /// Its bytes.
    pub tx: Vec<u8>,
    /// SHA-256 of its bytes.
    pub hash: Sha256Hash,
    /// Height of the last block when it was first checked.
    pub height: i64,
    /// Gas that it asks for.
    pub gas_wanted: i64,
    /// Peers that sent it, who do not need to be sent it.
    pub senders: BTreeSet<PeerId>,
}

/// A transaction that waited and is no longer good after a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalidated {
    /// SHA-256 of its bytes.
    pub hash: Sha256Hash,
    /// Why.
    pub reason: MempoolError,
}

/// What a mempool counted since it was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MempoolCounts {
    /// Transactions that did not pass the state machine's check.
    pub failed: u64,
    /// Checks of transactions that had waited through a block.
    pub rechecked: u64,
    /// Transactions that were taken, by size: up to 1 byte, 3, 9 and so on, the last for what is larger.
    pub sizes: [u64; 18],
    /// Bytes of all that were taken.
    pub bytes: u64,
}

impl MempoolCounts {
    fn taken(&mut self, size: usize) {
        let size = u64::try_from(size).unwrap_or(u64::MAX);
        let last = self.sizes.len().saturating_sub(1);
        let bounds = std::iter::successors(Some(1u64), |bound| bound.checked_mul(3)).take(last);
        let place = bounds.take_while(|bound| *bound < size).count();
        if let Some(count) = self.sizes.get_mut(place) {
            *count = count.saturating_add(1);
        }
        self.bytes = self.bytes.saturating_add(size);
    }
}

/// The transactions that wait for a block.
#[derive(Debug)]
pub struct Mempool {
    config: MempoolConfig,
    height: i64,
    max_data_bytes: i64,
    max_gas: i64,
    /// By order of arrival.
    txs: BTreeMap<u64, MempoolTx>,
    places: BTreeMap<Sha256Hash, u64>,
    next_place: u64,
    bytes: usize,
    cache: Cache,
    announced: bool,
    available: bool,
    counts: MempoolCounts,
}

impl Mempool {
    /// An empty mempool for the block after `state`.
    pub fn new(config: MempoolConfig, state: &ChainState) -> Self {
        let cache = Cache::new(config.cache_size);
        let mut mempool = Self {
            config,
            height: 0,
            max_data_bytes: 0,
            max_gas: 0,
            txs: BTreeMap::new(),
            places: BTreeMap::new(),
            next_place: 0,
            bytes: 0,
            cache,
            announced: false,
            available: false,
            counts: MempoolCounts::default(),
        };
        mempool.follow(state);
        mempool
    }

    /// Limits transactions by what fits a block. Source: tendermint `state/tx_filter.go`.
    fn follow(&mut self, state: &ChainState) {
        let block = &state.consensus_params.block;
        self.height = state.last_block_height;
        self.max_data_bytes = max_data_bytes(block.max_bytes, 0, state.validators.validators().len()).unwrap_or(0);
        self.max_gas = block.max_gas;
    }

    /// What was counted.
    pub fn counts(&self) -> &MempoolCounts {
        &self.counts
    }

    /// Count of transactions.
    pub fn len(&self) -> usize {
        self.txs.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.txs.is_empty()
    }

    /// Bytes of all transactions.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether a transaction waits.
    pub fn contains(&self, hash: &Sha256Hash) -> bool {
        self.places.contains_key(hash)
    }

    /// The first transaction at a place or later, with its place: 0 for the first of all, the last place and one for the next.
    ///
    /// Places are given in order of arrival and never again.
    pub fn at_or_after(&self, place: u64) -> Option<(u64, &MempoolTx)> {
        self.txs.range(place..).next().map(|(place, tx)| (*place, tx))
    }

    /// The place that the next transaction gets.
    pub fn next_place(&self) -> u64 {
        self.next_place
    }

    /// Lets the state machine prepare transactions that are about to be checked, but for those that will not come to it.
    pub fn prepare<'a>(&self, app: &mut dyn Application, txs: impl IntoIterator<Item = &'a [u8]>) {
        let room = self.config.size.saturating_sub(self.txs.len());
        let new = txs.into_iter().filter(|tx| self.admit(tx).is_ok() && !self.cache.seen.contains_key(&sha256(tx)));
        let new: Vec<&[u8]> = new.take(room).collect();
        if new.len() > 1 {
            app.prepare(&new);
        }
    }

    /// Checks a transaction and takes it, if it is good. `sender` is the peer it came from; none for this node's own.
    ///
    /// Source: tendermint `mempool/clist_mempool.go`, `CListMempool.CheckTx`, `CListMempool.resCbFirstTime`.
    pub fn check(
        &mut self,
        app: &mut dyn Application,
        tx: Vec<u8>,
        sender: Option<PeerId>,
    ) -> Result<Result<CheckTx, MempoolError>, Fatal> {
        if let Err(refused) = self.admit(&tx) {
            return Ok(Err(refused));
        }
        let hash = sha256(&tx);
        if !self.cache.push(hash) {
            if let Some(waiting) = self.places.get(&hash).and_then(|place| self.txs.get_mut(place)) {
                waiting.senders.extend(sender);
            }
            return Ok(Err(MempoolError::InCache));
        }
        let answer = app.check_tx(&tx, false)?;
        if let Err(refused) = self.post_check(&answer) {
            self.counts.failed = self.counts.failed.saturating_add(1);
            if !self.config.keep_invalid_txs_in_cache {
                self.cache.remove(&hash);
            }
            return Ok(Err(refused));
        }
        let place = self.next_place;
        self.next_place = place.saturating_add(1);
        self.bytes = self.bytes.saturating_add(tx.len());
        self.counts.taken(tx.len());
        self.places.insert(hash, place);
        let senders = sender.into_iter().collect();
        self.txs.insert(place, MempoolTx { tx, hash, height: self.height, gas_wanted: answer.gas_wanted, senders });
        self.announce();
        Ok(Ok(answer))
    }

    /// What can be said of a transaction without the state machine.
    fn admit(&self, tx: &[u8]) -> Result<(), MempoolError> {
        let bytes = self.bytes.saturating_add(tx.len());
        if self.txs.len() >= self.config.size || bytes > self.config.max_txs_bytes {
            return Err(MempoolError::Full {
                txs: self.txs.len(),
                max_txs: self.config.size,
                bytes: self.bytes,
                max_bytes: self.config.max_txs_bytes,
            });
        }
        let (size, max) = (i64::try_from(tx.len()).unwrap_or(i64::MAX), i64::try_from(self.config.max_tx_bytes).unwrap_or(i64::MAX));
        if size > max {
            return Err(MempoolError::TooLarge { max, size });
        }
        let (size, max) = (bytes_in_block(tx), self.max_data_bytes);
        if size > max {
            return Err(MempoolError::TooLarge { max, size });
        }
        Ok(())
    }

    /// Source: tendermint `mempool/mempool.go`, `PostCheckMaxGas`.
    fn post_check(&self, answer: &CheckTx) -> Result<(), MempoolError> {
        if answer.code != 0 {
            return Err(MempoolError::Refused(answer.clone()));
        }
        if self.max_gas != -1 && !(0..=self.max_gas).contains(&answer.gas_wanted) {
            return Err(MempoolError::TooMuchGas { max: self.max_gas, wanted: answer.gas_wanted });
        }
        Ok(())
    }

    /// The first transactions that together fit the limits, -1 for no limit.
    ///
    /// Source: tendermint `mempool/clist_mempool.go`, `CListMempool.ReapMaxBytesMaxGas`.
    pub fn reap(&self, max_bytes: i64, max_gas: i64) -> Vec<Vec<u8>> {
        let (mut bytes, mut gas) = (0i64, 0i64);
        let mut out = Vec::new();
        for waiting in self.txs.values() {
            bytes = bytes.saturating_add(bytes_in_block(&waiting.tx));
            gas = gas.saturating_add(waiting.gas_wanted);
            if (max_bytes > -1 && bytes > max_bytes) || (max_gas > -1 && gas > max_gas) {
                break;
            }
            out.push(waiting.tx.clone());
        }
        out
    }

    /// Removes the transactions of a block that was committed and checks the others again; gives those that did not pass.
    ///
    /// `state` is the one after the block. Source: tendermint `mempool/clist_mempool.go`, `CListMempool.Update`.
    pub fn update(
        &mut self,
        app: &mut dyn Application,
        state: &ChainState,
        txs: &[Vec<u8>],
        results: &[ResponseDeliverTx],
    ) -> Result<Vec<Invalidated>, Fatal> {
        self.follow(state);
        self.announced = false;
        self.available = false;
        for (tx, result) in txs.iter().zip(results) {
            let hash = sha256(tx);
            if result.code == 0 {
                // It cannot be good again, and is not taken if somebody sends it again.
                self.cache.push(hash);
            } else if !self.config.keep_invalid_txs_in_cache {
                self.cache.remove(&hash);
            }
            self.remove(&hash);
        }
        let mut gone = Vec::new();
        if self.config.recheck {
            for (hash, place) in self.txs.iter().map(|(place, tx)| (tx.hash, *place)).collect::<Vec<_>>() {
                let Some(waiting) = self.txs.get(&place) else { continue };
                let answer = app.check_tx(&waiting.tx, true)?;
                self.counts.rechecked = self.counts.rechecked.saturating_add(1);
                if let Err(reason) = self.post_check(&answer) {
                    self.remove(&hash);
                    if !self.config.keep_invalid_txs_in_cache {
                        self.cache.remove(&hash);
                    }
                    gone.push(Invalidated { hash, reason });
                }
            }
        }
        if !self.txs.is_empty() {
            self.announce();
        }
        Ok(gone)
    }

    /// Forgets a peer, whose name may come again on another connection.
    pub fn forget_peer(&mut self, peer: &PeerId) {
        for waiting in self.txs.values_mut() {
            waiting.senders.remove(peer);
        }
    }

    /// Forgets everything. Source: tendermint `mempool/clist_mempool.go`, `CListMempool.Flush`.
    pub fn flush(&mut self) {
        self.txs.clear();
        self.places.clear();
        self.bytes = 0;
        self.cache = Cache::new(self.config.cache_size);
        self.available = false;
    }

    /// Whether there are transactions, told once a height. Source: tendermint `CListMempool.TxsAvailable`.
    pub fn take_available(&mut self) -> bool {
        std::mem::take(&mut self.available)
    }

    fn announce(&mut self) {
        if !self.announced {
            self.announced = true;
            self.available = true;
        }
    }

    fn remove(&mut self, hash: &Sha256Hash) {
        if let Some(gone) = self.places.remove(hash).and_then(|place| self.txs.remove(&place)) {
            self.bytes = self.bytes.saturating_sub(gone.tx.len());
        }
    }
}

/// Hashes of the transactions that were seen last. Source: tendermint `mempool/clist_mempool.go`, `mapTxCache`.
#[derive(Debug)]
struct Cache {
    size: usize,
    next: u64,
    seen: BTreeMap<Sha256Hash, u64>,
    order: BTreeMap<u64, Sha256Hash>,
}

impl Cache {
    fn new(size: usize) -> Self {
        Self { size, next: 0, seen: BTreeMap::new(), order: BTreeMap::new() }
    }

    /// Remembers a hash as the newest; whether it was not known. A cache of size 0 knows nothing.
    fn push(&mut self, hash: Sha256Hash) -> bool {
        if self.size == 0 {
            return true;
        }
        let turn = self.next;
        self.next = turn.saturating_add(1);
        let known = self.seen.insert(hash, turn);
        if let Some(old) = known {
            self.order.remove(&old);
        }
        self.order.insert(turn, hash);
        if self.order.len() > self.size
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.seen.remove(&oldest);
        }
        known.is_none()
    }

    fn remove(&mut self, hash: &Sha256Hash) {
        if let Some(turn) = self.seen.remove(hash) {
            self.order.remove(&turn);
        }
    }
}

#[cfg(test)]
mod tests;
