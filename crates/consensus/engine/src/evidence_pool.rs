//! Evidence that waits for a block, and the judgement of evidence by what is kept of the past.
//!
//! Source: tendermint `evidence/pool.go`, `evidence/verify.go`.

use std::collections::BTreeMap;

use prost::Message;

use crate::{
    commit::SignatureCheck,
    error::VerifyError,
    evidence::History,
    merkle::Sha256Hash,
    ports::{Fatal, Store},
    proto::{Commit, DuplicateVoteEvidence, Evidence, EvidenceList, EvidenceSum, Header, Timestamp, Vote},
    state::ChainState,
    validator_set::ValidatorSet,
};

/// The most pieces of evidence that wait. What comes beyond is not kept: those that wait must reach a block first.
pub const MAX_PENDING: usize = 1000;
/// The most bytes of evidence that waits.
pub const MAX_PENDING_BYTES: usize = 16 << 20;
/// The most pairs of conflicting votes that wait for the end of their height.
pub const MAX_CONFLICTS: usize = 1000;

/// Verifies signatures together. The first that does not hold is the error.
pub fn verify_signatures(checks: &[SignatureCheck]) -> Result<(), VerifyError> {
    let wrong = SignatureCheck::first_wrong(checks).and_then(|i| checks.get(i));
    wrong.map_or(Ok(()), |check| Err(check.error()))
}

impl DuplicateVoteEvidence {
    /// Evidence from two votes of a validator that contradict each other; none if it was no validator.
    ///
    /// Source: tendermint `types/evidence.go`, `NewDuplicateVoteEvidence`.
    pub fn from_votes(first: Vote, second: Vote, block_time: Timestamp, validators: &ValidatorSet) -> Option<Self> {
        let (_, validator) = validators.get(&first.validator_address)?;
        let (validator_power, total_voting_power) = (validator.voting_power, validators.total_voting_power());
        let (a, b) = if first.block_id.key() < second.block_id.key() { (first, second) } else { (second, first) };
        Some(Self { vote_a: Some(a), vote_b: Some(b), total_voting_power, validator_power, timestamp: block_time })
    }
}

/// What a store knows of the heights that some evidence is about.
#[derive(Debug, Default)]
pub struct StoredHistory {
    latest: i64,
    headers: BTreeMap<i64, Header>,
    commits: BTreeMap<i64, Commit>,
    validators: BTreeMap<i64, ValidatorSet>,
    committed: Vec<Sha256Hash>,
}

impl StoredHistory {
    /// Reads what is needed to judge evidence.
    pub fn for_evidence(store: &dyn Store, evidence: &[Evidence]) -> Result<Self, Fatal> {
        let mut history = Self::default();
        if evidence.is_empty() {
            return Ok(history);
        }
        history.latest = store.range().1;
        for piece in evidence {
            let (height, _) = piece.when();
            history.read(store, height)?;
            if let std::collections::btree_map::Entry::Vacant(entry) = history.validators.entry(height)
                && let Some(validators) = store.validators(height)?
            {
                entry.insert(validators);
            }
            if let Some(EvidenceSum::LightClientAttack(attack)) = &piece.sum {
                let conflicting = attack.conflicting_block.as_ref().and_then(|b| b.signed_header.as_ref()?.header.as_ref());
                if let Some(header) = conflicting {
                    history.read(store, header.height)?;
                }
                history.read(store, history.latest)?;
            }
            let hash = piece.hash();
            if store.is_committed(&hash)? {
                history.committed.push(hash);
            }
        }
        Ok(history)
    }

    fn read(&mut self, store: &dyn Store, height: i64) -> Result<(), Fatal> {
        if self.headers.contains_key(&height) {
            return Ok(());
        }
        if let Some(header) = store.header(height)? {
            self.headers.insert(height, header);
        }
        if let Some(commit) = store.commit(height)? {
            self.commits.insert(height, commit);
        }
        Ok(())
    }
}

impl History for StoredHistory {
    fn header(&self, height: i64) -> Option<&Header> {
        self.headers.get(&height)
    }

    fn commit(&self, height: i64) -> Option<&Commit> {
        self.commits.get(&height)
    }

    fn validators(&self, height: i64) -> Option<&ValidatorSet> {
        self.validators.get(&height)
    }

    fn latest_height(&self) -> i64 {
        self.latest
    }

    fn is_committed(&self, hash: &Sha256Hash) -> bool {
        self.committed.contains(hash)
    }
}

/// What became of evidence that was handed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// It waits for a block.
    Added,
    /// It waits already, or stands in a block.
    Known,
    /// There is no room; it may be handed in again later.
    Full,
}

/// Evidence that waits for a block.
#[derive(Debug)]
pub struct EvidencePool {
    /// The state after the last block.
    state: ChainState,
    /// By height of the misbehaviour, then hash.
    pending: BTreeMap<(i64, Sha256Hash), Pending>,
    /// By order of arrival.
    places: BTreeMap<u64, (i64, Sha256Hash)>,
    next_place: u64,
    bytes: usize,
    conflicts: Vec<(Vote, Vote)>,
}

#[derive(Debug)]
struct Pending {
    evidence: Evidence,
    place: u64,
    bytes: usize,
}

impl EvidencePool {
    /// Takes up the evidence that waits in the store; what expired is removed from it. Source: `NewPool`.
    pub fn new(state: &ChainState, store: &mut dyn Store) -> Result<Self, Fatal> {
        let mut pool = Self {
            state: state.clone(),
            pending: BTreeMap::new(),
            places: BTreeMap::new(),
            next_place: 0,
            bytes: 0,
            conflicts: Vec::new(),
        };
        for evidence in store.pending_evidence()? {
            pool.keep(evidence);
        }
        pool.remove_expired(store)?;
        Ok(pool)
    }

    /// Count of pieces that wait.
    pub fn len(&self) -> usize {
        self.pending.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// The first piece at a place or later, with its place: 0 for the first of all, the last place and one for the next.
    ///
    /// Places are given in order of arrival and never again.
    pub fn at_or_after(&self, place: u64) -> Option<(u64, &Evidence)> {
        let (place, key) = self.places.range(place..).next()?;
        Some((*place, &self.pending.get(key)?.evidence))
    }

    /// The oldest pieces that together have up to `max_bytes` in a block, -1 for no limit, and their bytes.
    ///
    /// Source: `Pool.PendingEvidence`, `Pool.listEvidence`.
    pub fn reap(&self, max_bytes: i64) -> (Vec<Evidence>, i64) {
        let mut list = EvidenceList::default();
        let mut bytes = 0i64;
        for pending in self.pending.values() {
            let one = EvidenceList { evidence: vec![pending.evidence.clone()] };
            let with = bytes.saturating_add(i64::try_from(one.encoded_len()).unwrap_or(i64::MAX));
            if max_bytes != -1 && with > max_bytes {
                break;
            }
            bytes = with;
            list.evidence.extend(one.evidence);
        }
        (list.evidence, bytes)
    }

    /// Proves evidence and keeps it. The inner error is why it is false.
    ///
    /// Source: `Pool.AddEvidence`.
    pub fn add(&mut self, store: &mut dyn Store, evidence: Evidence) -> Result<Result<Added, VerifyError>, Fatal> {
        if let Err(error) = evidence.check_basic() {
            return Ok(Err(error));
        }
        let key = (evidence.when().0, evidence.hash());
        if self.pending.contains_key(&key) || store.is_committed(&key.1)? {
            return Ok(Ok(Added::Known));
        }
        if let Err(error) = self.prove(store, std::slice::from_ref(&evidence))? {
            return Ok(Err(error));
        }
        if self.is_full(&evidence) {
            return Ok(Ok(Added::Full));
        }
        store.add_evidence(&evidence)?;
        self.keep(evidence);
        Ok(Ok(Added::Added))
    }

    /// Proves the evidence of a proposed block: every piece, none twice, none that stood in a block before. What was not
    /// known is kept. The inner error is why a piece is false.
    ///
    /// Source: `Pool.CheckEvidence`. What waits was proven, if it is the very same evidence.
    pub fn check(&mut self, store: &mut dyn Store, list: &EvidenceList) -> Result<Result<(), VerifyError>, Fatal> {
        let mut hashes: Vec<Sha256Hash> = Vec::new();
        for (i, evidence) in list.evidence.iter().enumerate() {
            let outer = format!("evidence[{i}]");
            let key = (evidence.when().0, evidence.hash());
            if hashes.contains(&key.1) {
                return Ok(Err(VerifyError::new(outer, "new evidence", "evidence that stands in the block before it")));
            }
            hashes.push(key.1);
            if self.pending.get(&key).is_some_and(|p| p.evidence == *evidence) {
                continue;
            }
            if let Err(error) = self.prove(store, std::slice::from_ref(evidence))? {
                return Ok(Err(error.inside(&outer)));
            }
            if !self.pending.contains_key(&key) && !self.is_full(evidence) {
                store.add_evidence(evidence)?;
                self.keep(evidence.clone());
            }
        }
        Ok(Ok(()))
    }

    fn prove(&self, store: &dyn Store, evidence: &[Evidence]) -> Result<Result<(), VerifyError>, Fatal> {
        let history = StoredHistory::for_evidence(store, evidence)?;
        let list = EvidenceList { evidence: evidence.to_vec() };
        Ok(list.verify(&self.state, &history).and_then(|checks| verify_signatures(&checks)))
    }

    /// Notes two votes of a validator that contradict each other. They become evidence after the block of their height,
    /// whose time the evidence has. Their signatures must have been verified.
    ///
    /// Source: `Pool.ReportConflictingVotes`.
    pub fn report_conflict(&mut self, first: Vote, second: Vote) {
        let known = self.conflicts.iter().any(|(a, b)| (*a == first && *b == second) || (*a == second && *b == first));
        if !known && self.conflicts.len() < MAX_CONFLICTS {
            self.conflicts.push((first, second));
        }
    }

    /// Follows a block that was applied: `state` is the one after it, `committed` its evidence.
    ///
    /// Call it before the store keeps the evidence as committed. Source: `Pool.Update`.
    pub fn update(&mut self, store: &mut dyn Store, state: &ChainState, committed: &[Evidence]) -> Result<(), Fatal> {
        self.state = state.clone();
        for evidence in committed {
            self.remove(&(evidence.when().0, evidence.hash()));
        }
        for (first, second) in std::mem::take(&mut self.conflicts) {
            self.convert(store, state, first, second, committed)?;
        }
        self.remove_expired(store)
    }

    /// Source: `Pool.processConsensusBuffer`. Votes of a height that has no block yet are kept for later.
    fn convert(&mut self, store: &mut dyn Store, state: &ChainState, a: Vote, b: Vote, committed: &[Evidence]) -> Result<(), Fatal> {
        let height = a.height;
        if height > state.last_block_height {
            self.conflicts.push((a, b));
            return Ok(());
        }
        let evidence = if height == state.last_block_height {
            DuplicateVoteEvidence::from_votes(a, b, state.last_block_time, &state.last_validators)
        } else {
            match (store.validators(height)?, store.header(height)?) {
                (Some(validators), Some(header)) => DuplicateVoteEvidence::from_votes(a, b, header.time, &validators),
                _ => None,
            }
        };
        let Some(evidence) = evidence else { return Ok(()) };
        let evidence = Evidence { sum: Some(EvidenceSum::DuplicateVote(Box::new(evidence))) };
        let hash = evidence.hash();
        let known =
            self.pending.contains_key(&(height, hash)) || committed.iter().any(|e| e.hash() == hash) || store.is_committed(&hash)?;
        if known || self.is_full(&evidence) {
            return Ok(());
        }
        store.add_evidence(&evidence)?;
        self.keep(evidence);
        Ok(())
    }

    fn is_full(&self, evidence: &Evidence) -> bool {
        self.pending.len() >= MAX_PENDING || self.bytes.saturating_add(evidence.encoded_len()) > MAX_PENDING_BYTES
    }

    fn keep(&mut self, evidence: Evidence) {
        let (place, bytes) = (self.next_place, evidence.encoded_len());
        let key = (evidence.when().0, evidence.hash());
        if self.pending.contains_key(&key) {
            return;
        }
        self.next_place = place.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes);
        self.places.insert(place, key);
        self.pending.insert(key, Pending { evidence, place, bytes });
    }

    fn remove(&mut self, key: &(i64, Sha256Hash)) -> bool {
        let Some(gone) = self.pending.remove(key) else { return false };
        self.places.remove(&gone.place);
        self.bytes = self.bytes.saturating_sub(gone.bytes);
        true
    }

    /// Source: `Pool.removeExpiredPendingEvidence`, `Pool.isExpired`.
    fn remove_expired(&mut self, store: &mut dyn Store) -> Result<(), Fatal> {
        let limits = &self.state.consensus_params.evidence;
        let expired = |evidence: &Evidence| {
            let (height, time) = evidence.when();
            let blocks = self.state.last_block_height.saturating_sub(height);
            blocks > limits.max_age_num_blocks && self.state.last_block_time.nanos_since(&time) > limits.max_age_duration.as_nanos()
        };
        let gone: Vec<_> = self.pending.iter().filter(|(_, p)| expired(&p.evidence)).map(|(key, _)| *key).collect();
        if gone.is_empty() {
            return Ok(());
        }
        for key in &gone {
            self.remove(key);
        }
        store.remove_evidence(&gone.iter().map(|(_, hash)| *hash).collect::<Vec<_>>())
    }
}
