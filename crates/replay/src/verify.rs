//! Verification of recorded blocks by the rules of the consensus engine, many signatures at a time.
//!
//! It takes the recorded results as given: whether they are what the transactions make is found out by executing them.
//! So blocks can be verified here, on one thread, while those before are executed on another.

use std::{mem, sync::Arc};

use oasis_consensus_app::executor::{PreparedTx, Preparer, verify_inside};
use oasis_consensus_engine::{
    ByzantineValidator, ChainState, CheckedBlock, CommitTarget, RecentBlocks, SignatureCheck, ValidatorSet, VoteInfo, decode_commit,
    decode_responses,
    proto::{self, AbciResponses, Commit, ValidatorSetMessage},
};
use oasis_primitives::{
    hash::Hash,
    signature::{BatchVerifier, PublicKey, SignatureRules, Verified},
};

use crate::{
    chain::{Change, RecordedBlock},
    error::{Place, Refused},
};

/// Signatures that are verified together: more gain little.
const MAX_SIGNATURES: usize = 512;
/// Blocks that are verified together.
const MAX_BLOCKS: usize = 64;
/// Rounds of a height whose proposers are looked at.
const MAX_ROUNDS: u32 = 1000;
/// Bytes of items that are verified together.
const MAX_BYTES: usize = 4 << 20;

/// A block whose header, commits, times, validators and evidence are right, if its recorded results are.
#[derive(Clone, Debug)]
pub struct VerifiedBlock {
    /// The block.
    pub block: CheckedBlock,
    /// Who signed the block before.
    pub votes: Vec<VoteInfo>,
    /// Proven misbehaviour.
    pub misbehaviour: Vec<ByzantineValidator>,
    /// What the application is recorded to have answered.
    pub results: AbciResponses,
    /// The recorded root of the application's state after the block.
    pub state_root: Hash,
    /// The recorded changes of the state.
    pub diff: Vec<Change>,
    /// Hash over the chain file to this block.
    pub digest: Hash,
    /// Its transactions, decoded and their signatures verified.
    pub txs: Vec<PreparedTx>,
    /// Signatures inside of transactions that hold.
    pub verified: Arc<Verified>,
}

impl VerifiedBlock {
    /// Height of the block.
    pub fn height(&self) -> i64 {
        self.block.header().height
    }
}

/// Follows a recorded network from block to block.
pub struct BlockVerifier {
    state: ChainState,
    history: RecentBlocks,
    rules: SignatureRules,
    last_validators: Option<ValidatorSetMessage>,
    last_seen: Vec<SignatureCheck>,
    group: Group,
}

#[derive(Default)]
struct Group {
    blocks: Vec<VerifiedBlock>,
    bytes: usize,
    votes: Vec<(i64, SignatureCheck)>,
    txs: usize,
}

impl BlockVerifier {
    /// Begins before the first block. The rules are those of the network's transactions.
    pub fn new(state: ChainState, rules: SignatureRules) -> Self {
        Self { state, history: RecentBlocks::default(), rules, last_validators: None, last_seen: Vec::new(), group: Group::default() }
    }

    /// The state after the last block that was added.
    pub fn state(&self) -> &ChainState {
        &self.state
    }

    /// Passes over a block that an earlier run replayed from these very bytes.
    pub fn add_known(&mut self, recorded: RecordedBlock) -> Result<(), Refused> {
        self.add(recorded)?;
        self.group = Group::default();
        Ok(())
    }

    /// Checks everything of the next block but its signatures, which wait for [`Self::flush`].
    pub fn add(&mut self, recorded: RecordedBlock) -> Result<(), Refused> {
        let height = recorded.height;
        let refuse = |field: &str, e| Refused::verify(height, field, e);
        let block = CheckedBlock::decode(&recorded.block).map_err(|e| refuse("block", e))?;
        let results = decode_responses(&recorded.results).map_err(|e| refuse("results", e))?;
        check_results_shape(height, &block, &results)?;
        self.check_validators(height, recorded.validators.as_deref())?;

        let mut votes = self.state.validate_block(&block, &self.history).map_err(|e| refuse("block", e))?;
        // Mostly the votes that were seen are also those in the next block.
        let seen_before = mem::take(&mut self.last_seen);
        votes.retain(|c| !seen_before.iter().any(|s| s.public_key == c.public_key && s.signature == c.signature && s.message == c.message));
        let seen = decode_commit(&recorded.seen_commit).map_err(|e| refuse("seen_commit", e))?;
        let seen_votes = self.check_seen_commit(&block, &seen).map_err(|e| refuse("seen_commit", e))?;
        self.check_proposer(&block, &seen)?;
        self.last_seen.clone_from(&seen_votes);
        votes.extend(seen_votes);

        let next = self.state.after_block(&block, &results, recorded.state_root.as_ref());
        let next = next.map_err(|e| refuse("results", e))?;
        self.history.push(&self.state, &block);
        let group = &mut self.group;
        group.txs += block.txs().len();
        group.votes.extend(votes.into_iter().map(|c| (height, c)));
        group.bytes += recorded.block.len() + recorded.results.len();
        group.bytes += recorded.diff.iter().map(|(k, v)| k.len() + v.as_ref().map_or(0, Vec::len)).sum::<usize>();
        group.blocks.push(VerifiedBlock {
            votes: self.state.vote_infos(&block),
            misbehaviour: block.evidence().byzantine_validators(),
            block,
            results,
            state_root: recorded.state_root,
            diff: recorded.diff,
            digest: recorded.digest,
            txs: Vec::new(),
            verified: Arc::default(),
        });
        self.state = next;
        Ok(())
    }

    /// Whether enough blocks wait for their signatures.
    pub fn is_full(&self) -> bool {
        let group = &self.group;
        group.blocks.len() >= MAX_BLOCKS || group.bytes >= MAX_BYTES || group.votes.len() + group.txs >= MAX_SIGNATURES
    }

    /// Verifies the signatures that wait; gives the blocks in order, and why the one after them is refused.
    pub fn flush(&mut self) -> (Vec<VerifiedBlock>, Option<Refused>) {
        let Group { mut blocks, votes, .. } = mem::take(&mut self.group);
        let mut batch = BatchVerifier::new();
        for (_, c) in &votes {
            batch.push_tendermint(&PublicKey(c.public_key), &c.message, &c.signature);
        }
        let mut refused = None;
        if !votes.is_empty() && !batch.verify_all() {
            let wrong = batch.verify_each().iter().position(|holds| !holds).and_then(|i| votes.get(i));
            if let Some((height, check)) = wrong {
                let field = if check.field.starts_with("seen_commit") { "seen_commit" } else { "block" };
                refused = Some(Refused::verify(*height, field, check.error()));
                blocks.retain(|b| b.height() < *height);
            }
        }
        let mut preparer = Preparer::new(&self.rules);
        for raw in blocks.iter().flat_map(|b| b.block.txs()) {
            preparer.push(raw);
        }
        let prepared = preparer.finish();
        let verified = Arc::new(verify_inside(&prepared, &self.rules));
        let mut prepared = prepared.into_iter();
        for block in &mut blocks {
            block.verified = Arc::clone(&verified);
            let count = block.block.txs().len();
            block.txs = prepared.by_ref().take(count).collect();
        }
        (blocks, refused)
    }

    /// The recorded validators are those of the height, and are recorded only where they differ from those before.
    fn check_validators(&mut self, height: i64, recorded: Option<&[u8]>) -> Result<(), Refused> {
        let place = Place::Height(height);
        let expected = &self.state.validators;
        let unchanged = self.last_validators.as_ref().is_some_and(|last| expected.is_message(last));
        let Some(bytes) = recorded else {
            return if unchanged { Ok(()) } else { Err(Refused::new(place, "validators", "the validators, which changed", "none")) };
        };
        let message: ValidatorSetMessage =
            proto::decode(bytes).map_err(|e| Refused::new(place, "validators", "the original's encoding", e))?;
        if unchanged {
            return Err(Refused::new(place, "validators", "none, since they did not change", "validators"));
        }
        if !expected.is_message(&message) {
            let (field, expected, found) = validators_differ(&expected.to_message(), &message);
            return Err(Refused::new(place, field, expected, found));
        }
        self.last_validators = Some(message);
        Ok(())
    }

    /// The proposer is whose turn it was in some round up to the one that decided.
    ///
    /// A block may be proposed again in a later round by another validator, and keeps its proposer then. The original
    /// accepts any validator here; honest proposers give their own address.
    fn check_proposer(&self, block: &CheckedBlock, seen: &Commit) -> Result<(), Refused> {
        let found = &block.header().proposer_address;
        let mut turn = ValidatorSet::clone(&self.state.validators);
        let mut expected = Vec::new();
        for _ in 0..=u32::try_from(seen.round).unwrap_or_default().min(MAX_ROUNDS) {
            let proposer = turn.proposer().map(|v| v.address.clone()).unwrap_or_default();
            if proposer == *found {
                return Ok(());
            }
            expected.push(hex::encode(proposer));
            turn.increment_proposer_priority(1);
        }
        if u32::try_from(seen.round).is_ok_and(|r| r > MAX_ROUNDS) {
            return Ok(());
        }
        let place = Place::Height(block.header().height);
        Err(Refused::new(place, "block.header.proposer_address", expected.join(" or "), hex::encode(found)))
    }

    fn check_seen_commit(&self, block: &CheckedBlock, seen: &Commit) -> Result<Vec<SignatureCheck>, oasis_consensus_engine::VerifyError> {
        let target = CommitTarget {
            chain_id: &self.state.chain_id,
            block_id: block.id(),
            height: block.header().height,
            field: "seen_commit.signatures",
        };
        let checks = self.state.validators.verify_commit(target, seen)?;
        // No signature covers the voter's address.
        for (i, (sig, validator)) in seen.signatures.iter().zip(self.state.validators.validators()).enumerate() {
            if !sig.is_absent() && sig.validator_address != validator.address {
                let field = format!("signatures[{i}].validator_address");
                return Err(oasis_consensus_engine::VerifyError::bytes(field, &validator.address, &sig.validator_address));
            }
        }
        Ok(checks)
    }
}

fn check_results_shape(height: i64, block: &CheckedBlock, results: &AbciResponses) -> Result<(), Refused> {
    let refuse = |field: &str, e: String, f: String| Err(Refused::new(Place::Height(height), field, e, f));
    let (expected, found) = (block.txs().len(), results.deliver_txs.len());
    if expected != found {
        return refuse("results.deliver_txs", format!("{expected} results"), found.to_string());
    }
    if results.begin_block.is_none() {
        return refuse("results.begin_block", "a response".into(), "none".into());
    }
    if results.end_block.is_none() {
        return refuse("results.end_block", "a response".into(), "none".into());
    }
    Ok(())
}

/// The first difference of two sets, by field.
fn validators_differ(expected: &ValidatorSetMessage, found: &ValidatorSetMessage) -> (String, String, String) {
    let one =
        |v: &proto::Validator| format!("{} with power {} and priority {}", hex::encode(&v.address), v.voting_power, v.proposer_priority);
    let (a, b) = (&expected.validators, &found.validators);
    if a.len() != b.len() {
        return ("validators.validators".into(), format!("{} validators", a.len()), b.len().to_string());
    }
    if let Some((i, (e, f))) = a.iter().zip(b).enumerate().find(|(_, (e, f))| e != f) {
        let same = one(e) == one(f);
        let text = |v: &proto::Validator| if same { format!("{v:?}") } else { one(v) };
        return (format!("validators.validators[{i}]"), text(e), text(f));
    }
    if expected.proposer != found.proposer {
        let show = |v: &Option<proto::Validator>| v.as_ref().map_or("nobody".into(), one);
        return ("validators.proposer".into(), show(&expected.proposer), show(&found.proposer));
    }
    let field = "validators.total_voting_power";
    (field.into(), expected.total_voting_power.to_string(), found.total_voting_power.to_string())
}
