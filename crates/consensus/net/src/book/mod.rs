//! The address book: whom we know of, and how well.
//!
//! Addresses that were only heard of are new, those of peers that proved good are old. Each kind is spread over buckets by
//! the parts of the network that the address and its teller are in, so that nobody can fill the book from a few machines.
//! Source: tendermint `p2p/pex/{addrbook,known_address,params}.go`.

mod bans;
mod file;
mod known;

use std::collections::{BTreeMap, BTreeSet};

use oasis_consensus_engine::PeerId;
use sha2::{Digest, Sha256};
use thiserror::Error;

use bans::Bans;
pub use bans::MAX_BANS;
pub use file::BookFileError;
use known::{Known, NEVER};

use crate::{
    address::NetAddress,
    rng::{Rng, random_bytes},
};

/// Buckets of new addresses. Source: `newBucketCount`.
const NEW_BUCKETS: usize = 256;
/// Buckets of old addresses. Source: `oldBucketCount`.
const OLD_BUCKETS: usize = 64;
/// Addresses in a bucket, at which room is made for another. Source: `newBucketSize`, `oldBucketSize`.
const BUCKET_SIZE: usize = 64;
/// New buckets over which the addresses from one part of the network spread. Source: `newBucketsPerGroup`.
const NEW_BUCKETS_PER_GROUP: u64 = 32;
/// Old buckets over which the addresses in one part of the network spread. Source: `oldBucketsPerGroup`.
const OLD_BUCKETS_PER_GROUP: u64 = 4;
/// New buckets that an address may be in. Source: `maxNewBucketsPerAddress`.
const MAX_BUCKETS_PER_ADDRESS: usize = 4;
/// Fewer addresses than this are too few. Source: `needAddressThreshold`.
const ENOUGH: usize = 1000;
/// Least addresses given away at once. Source: `minGetSelection`.
const MIN_SELECTION: usize = 32;
/// Most addresses given away at once. Source: `maxGetSelection`.
pub const MAX_SELECTION: usize = 250;
/// Share of the addresses given away at once, in percent. Source: `getSelectionPercent`.
const SELECTION_PERCENT: usize = 23;

/// Why an address was not taken.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum AddError {
    /// No node can have it.
    #[error("no node can have this address")]
    Invalid,
    /// The node is banned.
    #[error("the node is banned")]
    Banned,
    /// The node, or who told of it, is private.
    #[error("the node, or who told of it, is private")]
    Private,
    /// It is ours.
    #[error("the address is our own")]
    Ours,
    /// The internet does not lead there.
    #[error("the address is not routable")]
    NotRoutable,
}

/// The book. Times are Unix seconds.
#[derive(Debug)]
pub struct AddressBook {
    key: String,
    strict: bool,
    our_addresses: BTreeSet<NetAddress>,
    our_ids: BTreeSet<PeerId>,
    private: BTreeSet<PeerId>,
    known: BTreeMap<PeerId, Known>,
    new: Buckets,
    old: Buckets,
    bans: Bans,
    changed: bool,
}

type Buckets = Vec<BTreeSet<PeerId>>;

impl AddressBook {
    /// An empty book; a strict one takes only addresses to which the internet leads.
    pub fn new(strict: bool) -> Self {
        Self {
            key: hex::encode(random_bytes::<12>()),
            strict,
            our_addresses: BTreeSet::new(),
            our_ids: BTreeSet::new(),
            private: BTreeSet::new(),
            known: BTreeMap::new(),
            new: vec![BTreeSet::new(); NEW_BUCKETS],
            old: vec![BTreeSet::new(); OLD_BUCKETS],
            bans: Bans::default(),
            changed: false,
        }
    }

    /// Our own name: never taken.
    pub fn add_our_id(&mut self, id: PeerId) {
        self.our_ids.insert(id);
    }

    /// An address of ours: never taken, under any name.
    pub fn add_our_address(&mut self, address: NetAddress) {
        if self.our_addresses.len() < 64 {
            self.our_addresses.insert(address);
        }
    }

    /// Nodes that are never told of. Source: `AddPrivateIDs`.
    pub fn add_private(&mut self, ids: impl IntoIterator<Item = PeerId>) {
        self.private.extend(ids);
    }

    /// Count of addresses.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Whether more are wanted. Source: `NeedMoreAddrs`.
    pub fn needs_more(&self) -> bool {
        self.len() < ENOUGH
    }

    /// Whether a node is in the book.
    pub fn contains(&self, id: &PeerId) -> bool {
        self.known.contains_key(id)
    }

    /// Whether a node proved good. Source: `IsGood`.
    pub fn is_good(&self, id: &PeerId) -> bool {
        self.known.get(id).is_some_and(|k| k.is_old)
    }

    /// Whether the book changed since this was last asked.
    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// Takes an address that `source` told of; says whether the book is the larger for it. Source: `addAddress`.
    pub fn add(&mut self, address: NetAddress, source: NetAddress, now: i64, rng: &mut Rng) -> Result<bool, AddError> {
        if !address.is_valid() {
            return Err(AddError::Invalid);
        }
        if self.bans.is_banned(&address.id, now) {
            return Err(AddError::Banned);
        }
        if self.private.contains(&address.id) || self.private.contains(&source.id) {
            return Err(AddError::Private);
        }
        if self.our_ids.contains(&address.id) || self.our_addresses.contains(&address) {
            return Err(AddError::Ours);
        }
        if self.strict && !address.is_routable() {
            return Err(AddError::NotRoutable);
        }
        let bucket = self.new_bucket(&address, &source);
        let Some(known) = self.known.get(&address.id) else {
            let known = Known::new(address, source, now);
            self.add_new(known, bucket, now);
            return Ok(true);
        };
        // An old address stays: nobody can move a good node elsewhere. A new one goes into few buckets, each less likely.
        let count = known.buckets.len();
        if known.is_old || count >= MAX_BUCKETS_PER_ADDRESS || rng.below(count.saturating_mul(2)) != 0 {
            return Ok(false);
        }
        self.put_new(address.id, bucket, now);
        Ok(false)
    }

    /// Forgets a node.
    pub fn remove(&mut self, id: &PeerId) -> Option<NetAddress> {
        let known = self.known.remove(id)?;
        for bucket in &known.buckets {
            if let Some(bucket) = self.buckets(known.is_old).get_mut(*bucket) {
                bucket.remove(id);
            }
        }
        self.changed = true;
        Some(known.address)
    }

    /// A node did something useful: its address becomes an old one. Source: `MarkGood`, `moveToOld`.
    pub fn mark_good(&mut self, id: &PeerId, now: i64) {
        let Some(known) = self.known.get_mut(id) else { return };
        known.mark_good(now);
        self.changed = true;
        if known.is_old {
            return;
        }
        let mut known = known.clone();
        self.remove(id);
        known.is_old = true;
        let at = self.old_bucket(&known.address);
        if self.old.get(at).is_some_and(|b| b.len() > BUCKET_SIZE)
            && let Some(oldest) = self.oldest(true, at)
            && let Some(mut demoted) = self.known.get(&oldest).cloned()
        {
            self.remove(&oldest);
            demoted.is_old = false;
            let bucket = self.new_bucket(&demoted.address, &demoted.source);
            self.add_new(demoted, bucket, now);
        }
        known.buckets = vec![at];
        if let Some(bucket) = self.old.get_mut(at) {
            bucket.insert(*id);
        }
        self.known.insert(*id, known);
    }

    /// We tried to connect. Source: `MarkAttempt`.
    pub fn mark_attempt(&mut self, id: &PeerId, now: i64) {
        if let Some(known) = self.known.get_mut(id) {
            known.mark_attempt(now);
            self.changed = true;
        }
    }

    /// Bans a node until a time, and forgets its address meanwhile. Source: `MarkBad`.
    pub fn ban(&mut self, id: PeerId, until: i64, now: i64) {
        let known = self.known.get(&id).cloned();
        self.remove(&id);
        self.bans.ban(id, until, known, now);
        self.changed = true;
    }

    /// Whether a node is banned. Source: `IsBanned`.
    pub fn is_banned(&self, id: &PeerId, now: i64) -> bool {
        self.bans.is_banned(id, now)
    }

    /// Takes the addresses back whose bans ended. Source: `ReinstateBadPeers`.
    pub fn reinstate(&mut self, now: i64) {
        for mut known in self.bans.take_ended(now) {
            self.changed = true;
            if self.known.contains_key(&known.address.id) {
                continue;
            }
            known.is_old = false;
            let bucket = self.new_bucket(&known.address, &known.source);
            self.add_new(known, bucket, now);
        }
    }

    /// A random address to dial; `new_percent` (0 to 100) leads towards new ones. Source: `PickAddress`.
    pub fn pick(&self, new_percent: u32, rng: &mut Rng) -> Option<NetAddress> {
        let olds = self.known.values().filter(|k| k.is_old).count();
        let news = self.len().saturating_sub(olds);
        let share = f64::from(new_percent.min(100));
        let (old, new) = ((olds as f64).sqrt() * (100.0 - share), (news as f64).sqrt() * share);
        let random = (rng.bits() >> 11) as f64 / (1u64 << 53) as f64;
        let buckets = if (new + old) * random < old { &self.old } else { &self.new };
        let filled: Vec<_> = buckets.iter().filter(|b| !b.is_empty()).collect();
        let bucket = filled.get(rng.below(filled.len()))?;
        let id = bucket.iter().nth(rng.below(bucket.len()))?;
        self.known.get(id).map(|k| k.address)
    }

    /// Random addresses to give away. Source: `GetSelection`.
    pub fn selection(&self, rng: &mut Rng) -> Vec<NetAddress> {
        let mut all: Vec<_> = self.known.values().map(|k| k.address).collect();
        rng.shuffle(&mut all);
        all.truncate(self.selection_size());
        all
    }

    /// Random addresses to give away, this share of them new where there are enough. Source: `GetSelectionWithBias`.
    pub fn selection_with_bias(&self, new_percent: usize, rng: &mut Rng) -> Vec<NetAddress> {
        let count = self.selection_size();
        let (mut old, mut new): (Vec<_>, Vec<_>) = self.known.values().partition(|k| k.is_old);
        rng.shuffle(&mut old);
        rng.shuffle(&mut new);
        let wanted = (new_percent.min(100).saturating_mul(count).saturating_add(50)) / 100;
        new.truncate(wanted.max(count.saturating_sub(old.len())));
        let rest = count.saturating_sub(new.len());
        new.into_iter().chain(old.into_iter().take(rest)).map(|k| k.address).collect()
    }

    fn selection_size(&self) -> usize {
        let share = self.len().saturating_mul(SELECTION_PERCENT) / 100;
        share.max(MIN_SELECTION.min(self.len())).min(MAX_SELECTION)
    }

    fn buckets(&mut self, old: bool) -> &mut Buckets {
        if old { &mut self.old } else { &mut self.new }
    }

    fn add_new(&mut self, mut known: Known, bucket: usize, now: i64) {
        let id = known.address.id;
        known.buckets.clear();
        self.known.insert(id, known);
        self.put_new(id, bucket, now);
    }

    /// Source: `addToNewBucket`.
    fn put_new(&mut self, id: PeerId, at: usize, now: i64) {
        let Some(bucket) = self.new.get(at) else { return };
        if bucket.contains(&id) {
            return;
        }
        if bucket.len() > BUCKET_SIZE {
            self.expire(at, now);
        }
        self.changed = true;
        if let Some(bucket) = self.new.get_mut(at) {
            bucket.insert(id);
        }
        if let Some(known) = self.known.get_mut(&id) {
            known.buckets.push(at);
        }
    }

    /// Makes room in a new bucket: a bad address goes, else the oldest. Source: `expireNew`.
    fn expire(&mut self, at: usize, now: i64) {
        let bad = |id: &&PeerId| self.known.get(*id).is_some_and(|k| k.is_bad(now));
        let bad = self.new.get(at).and_then(|b| b.iter().find(bad).copied());
        let Some(id) = bad.or_else(|| self.oldest(false, at)) else { return };
        if let Some(bucket) = self.new.get_mut(at) {
            bucket.remove(&id);
        }
        if let Some(known) = self.known.get_mut(&id) {
            known.buckets.retain(|b| *b != at);
            if known.buckets.is_empty() {
                self.known.remove(&id);
            }
        }
    }

    fn oldest(&self, old: bool, at: usize) -> Option<PeerId> {
        let bucket = if old { self.old.get(at) } else { self.new.get(at) }?;
        bucket.iter().min_by_key(|id| self.known.get(*id).map_or(NEVER, |k| k.last_attempt)).copied()
    }

    /// Source: `calcNewBucket`; the hash is ours, buckets are nobody else's matter.
    fn new_bucket(&self, address: &NetAddress, source: &NetAddress) -> usize {
        let (group, told_by) = (address.group(self.strict), source.group(self.strict));
        let spread = self.hash(&[group.as_bytes(), told_by.as_bytes()]) % NEW_BUCKETS_PER_GROUP;
        (self.hash(&[told_by.as_bytes(), &spread.to_be_bytes()]) % NEW_BUCKETS as u64) as usize
    }

    /// Source: `calcOldBucket`.
    fn old_bucket(&self, address: &NetAddress) -> usize {
        let spread = self.hash(&[address.to_string().as_bytes()]) % OLD_BUCKETS_PER_GROUP;
        (self.hash(&[address.group(self.strict).as_bytes(), &spread.to_be_bytes()]) % OLD_BUCKETS as u64) as usize
    }

    fn hash(&self, parts: &[&[u8]]) -> u64 {
        let mut hasher = Sha256::new().chain_update(self.key.as_bytes());
        for part in parts {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        hasher.finalize().first_chunk().map_or(0, |first| u64::from_be_bytes(*first))
    }
}

#[cfg(test)]
mod tests;
