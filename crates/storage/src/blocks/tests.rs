use std::collections::BTreeMap;

use oasis_consensus_engine::{
    EngineGenesis, InitChainResponse, KEY_TYPE_ED25519,
    proto::{
        AbciConsensusParams, BlockIdFlag, BlockParams, CommitSig, DuplicateVoteEvidence, Duration, EvidenceParams, EvidenceSum,
        PartSetHeader, PublicKey, ResponseBeginBlock, ResponseDeliverTx, ResponseEndBlock, Timestamp, Validator, ValidatorParams,
        ValidatorUpdate, VersionParams, Vote,
    },
};
use proptest::prelude::*;

use super::*;

fn genesis(initial_height: i64) -> EngineGenesis {
    EngineGenesis {
        genesis_time: Timestamp { seconds: 1_600_000_000, nanos: 0 },
        chain_id: "stored".to_owned(),
        initial_height,
        consensus_params: ConsensusParams {
            block: BlockParams { max_bytes: 1 << 22, max_gas: -1, time_iota_ms: 1 },
            evidence: EvidenceParams {
                max_age_num_blocks: 100,
                max_age_duration: Duration { seconds: 3600, nanos: 0 },
                max_bytes: 1 << 20,
            },
            validator: ValidatorParams { pub_key_types: vec![KEY_TYPE_ED25519.to_owned()] },
            version: VersionParams { app_version: 0 },
        },
        validators: (1..5).map(|i| Validator::new(&[i; 32], 10 * i64::from(i))).collect(),
    }
}

/// What one block changes.
#[derive(Clone, Debug, Default)]
struct Change {
    txs: usize,
    tx_bytes: usize,
    /// New power of one of eight validators.
    power: Option<(u8, i64)>,
    max_bytes: Option<i64>,
    evidence: bool,
}

/// A chain and all that was ever known of it.
struct Chain {
    state: ChainState,
    last_commit: Commit,
    blocks: BTreeMap<i64, Known>,
    validators: BTreeMap<i64, ValidatorSet>,
    params: BTreeMap<i64, ConsensusParams>,
    committed: Vec<[u8; 32]>,
}

struct Known {
    block: CheckedBlock,
    encoded: Vec<u8>,
    seen: Commit,
    responses: AbciResponses,
}

fn evidence_at(height: i64) -> Evidence {
    let vote = |hash: u8| {
        let mut vote = Vote { r#type: 1, height, validator_address: vec![1; 20], signature: vec![1; 64], ..Default::default() };
        vote.block_id.hash = vec![hash; 32];
        vote.block_id.part_set_header = oasis_consensus_engine::part_set_header(&[hash]);
        vote.timestamp = Timestamp { seconds: 1_600_000_000, nanos: 0 };
        Some(vote)
    };
    let time = Timestamp { seconds: 1_600_000_000 + height, nanos: 0 };
    let double = DuplicateVoteEvidence { vote_a: vote(1), vote_b: vote(2), total_voting_power: 9, validator_power: 1, timestamp: time };
    Evidence { sum: Some(EvidenceSum::DuplicateVote(Box::new(double))) }
}

impl Chain {
    fn new(initial_height: i64) -> Self {
        let state = ChainState::from_genesis(&genesis(initial_height), 0, &InitChainResponse::default()).unwrap();
        let mut chain = Self {
            last_commit: Commit::default(),
            blocks: BTreeMap::new(),
            validators: BTreeMap::from([(initial_height, state.validators.as_ref().clone())]),
            params: BTreeMap::new(),
            committed: Vec::new(),
            state,
        };
        chain.note();
        chain
    }

    fn note(&mut self) {
        let next = self.state.next_height();
        self.validators.insert(next + 1, self.state.next_validators.as_ref().clone());
        self.params.insert(next, self.state.consensus_params.clone());
    }

    fn make(&self, change: &Change) -> Known {
        let height = self.state.next_height();
        let txs = (0..change.txs).map(|i| vec![(height as usize + i) as u8; change.tx_bytes]).collect();
        let evidence = if change.evidence { vec![evidence_at(height)] } else { Vec::new() };
        let proposer = self.state.validators.proposer().unwrap().address.clone();
        let (block, encoded) = self.state.make_block(txs, self.last_commit.clone(), evidence, &proposer).unwrap();
        let time = Timestamp { seconds: 1_600_000_000 + height, nanos: 0 };
        let signature = |v: &Validator| CommitSig {
            block_id_flag: BlockIdFlag::COMMIT,
            validator_address: v.address.clone(),
            timestamp: time,
            signature: vec![height as u8; 64],
        };
        let signatures = self.state.validators.validators().iter().map(signature).collect();
        let seen = Commit { height, round: 0, block_id: block.id().clone(), signatures };
        let update = |(key, power): (u8, i64)| ValidatorUpdate { pub_key: PublicKey::ed25519(&[key; 32]), power };
        let params = |max_bytes| AbciConsensusParams {
            block: Some(oasis_consensus_engine::proto::AbciBlockParams { max_bytes, max_gas: -1 }),
            ..Default::default()
        };
        let responses = AbciResponses {
            deliver_txs: vec![ResponseDeliverTx { gas_used: height, ..Default::default() }; change.txs],
            begin_block: Some(ResponseBeginBlock::default()),
            end_block: Some(ResponseEndBlock {
                validator_updates: change.power.map(update).into_iter().collect(),
                consensus_param_updates: change.max_bytes.map(params),
                ..Default::default()
            }),
        };
        Known { block, encoded, seen, responses }
    }

    /// Adds a block to chain and database, as the engine does.
    fn add(&mut self, db: &mut BlockDb, change: &Change) {
        let known = self.make(change);
        let height = self.state.next_height();
        db.save_block(&known.block, &PartSet::from_bytes(&known.encoded), &known.seen).unwrap();
        db.save_responses(height, &known.responses).unwrap();
        let state = self.state.after_block(&known.block, &known.responses, &height.to_be_bytes()).unwrap();
        let evidence = &known.block.evidence().evidence;
        db.save_applied(&state, evidence).unwrap();
        self.committed.extend(evidence.iter().map(Evidence::hash));
        self.last_commit = known.seen.clone();
        self.blocks.insert(height, known);
        self.state = state;
        self.note();
    }

    /// Whether the database knows what it has to from `base` on, and no block before.
    fn check(&self, db: &BlockDb, base: i64) {
        let last = self.state.last_block_height;
        assert_eq!(db.chain_state().unwrap().as_ref(), Some(&self.state));
        assert_eq!(db.range(), if last == 0 { (0, 0) } else { (base, last) });
        for (height, known) in &self.blocks {
            let there = *height >= base;
            let id = known.block.id();
            assert_eq!(db.block(*height).unwrap(), there.then(|| known.encoded.clone()), "block {height}");
            let meta = db.block_meta(*height).unwrap();
            assert_eq!(meta.as_ref().map(|m| (&m.block_id, m.block_size)), there.then_some((id, known.encoded.len() as i64)));
            assert_eq!(meta.map(|m| m.header), there.then(|| known.block.header().clone()));
            assert_eq!(db.height_of(&id.hash).unwrap(), there.then_some(*height));
            assert_eq!(db.seen_commit(*height).unwrap(), there.then(|| known.seen.clone()));
            assert_eq!(db.responses(*height).unwrap(), there.then(|| known.responses.clone()));
            // It stands in the next block too.
            let canonical = *height + 1 >= base && *height < last;
            assert_eq!(db.commit(*height).unwrap(), canonical.then(|| known.seen.clone()), "commit {height}");
            let parts = PartSet::from_bytes(&known.encoded);
            for index in 0..=parts.total() {
                let part = parts.part(index).map(|p| p.as_ref().clone());
                assert_eq!(db.part(*height, index).unwrap(), if there { part } else { None });
            }
        }
        for (height, set) in self.validators.range(base..) {
            assert_eq!(db.validators(*height).unwrap().as_ref(), Some(set), "validators of {height}");
        }
        for (height, params) in self.params.range(base..) {
            assert_eq!(db.params(*height).unwrap().as_ref(), Some(params), "parameters of {height}");
        }
        let after = self.state.next_height() + 2;
        assert_eq!(db.validators(after).unwrap(), None);
        for hash in &self.committed {
            assert!(db.is_committed(hash).unwrap());
        }
        assert!(!db.is_committed(&[9; 32]).unwrap());
    }
}

fn options(context: &str, engine: EngineKind) -> BlockOptions {
    BlockOptions { context: context.to_owned(), engine, ..BlockOptions::default() }
}

fn in_memory() -> BlockDb {
    BlockDb::open("memory", options("c", EngineKind::Memory)).unwrap()
}

fn change() -> impl Strategy<Value = Change> {
    let power = proptest::option::weighted(0.3, (1u8..9, 1i64..50));
    let max_bytes = proptest::option::weighted(0.1, (1i64 << 21)..(1 << 22));
    (0usize..4, 1usize..50_000, power, max_bytes, proptest::bool::weighted(0.2))
        .prop_map(|(txs, tx_bytes, power, max_bytes, evidence)| Change { txs, tx_bytes, power, max_bytes, evidence })
}

#[derive(Clone, Debug)]
enum Step {
    Block(Change),
    /// Retain so many blocks.
    Prune(i64),
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![8 => change().prop_map(Step::Block), 1 => (0i64..8).prop_map(Step::Prune), 1 => Just(Step::Reopen)];
    proptest::collection::vec(step, 1..40)
}

fn run(engine: EngineKind, initial_height: i64, steps: &[Step]) {
    let dir = tempfile::tempdir().unwrap();
    let mut db = BlockDb::open(dir.path(), options("c", engine)).unwrap();
    let mut chain = Chain::new(initial_height);
    assert_eq!(db.chain_state().unwrap(), None);
    db.save_genesis(&chain.state).unwrap();
    let mut base = initial_height;
    chain.check(&db, base);
    for step in steps {
        match step {
            Step::Block(change) => chain.add(&mut db, change),
            Step::Prune(keep) => {
                let last = chain.state.last_block_height;
                let retain = last - keep;
                let gone = if last > 0 { (retain - base).max(0) } else { 0 };
                assert_eq!(db.prune(retain).unwrap(), gone as u64);
                base += gone;
            }
            Step::Reopen if engine == EngineKind::Memory => {}
            Step::Reopen => {
                drop(db);
                db = BlockDb::open(dir.path(), options("c", engine)).unwrap();
            }
        }
    }
    chain.check(&db, base);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    #[test]
    fn what_was_kept_is_read_until_it_is_pruned(initial in 1i64..1100, steps in steps()) {
        run(EngineKind::Memory, initial, &steps);
        run(EngineKind::Fjall, initial, &steps);
    }
}

#[test]
fn validators_of_heights_between_whole_sets_have_the_priorities_of_the_chain() {
    let mut db = in_memory();
    let mut chain = Chain::new(990);
    db.save_genesis(&chain.state).unwrap();
    for i in 0..40 {
        let power = (i % 15 == 3).then_some((i as u8 % 8 + 1, 1000 + i));
        chain.add(&mut db, &Change { power, ..Change::default() });
    }
    chain.check(&db, 990);
    db.prune(1015).unwrap();
    chain.check(&db, 1015);
}

#[test]
fn pruning_leaves_nothing_of_what_went() {
    let mut db = in_memory();
    let mut chain = Chain::new(1);
    db.save_genesis(&chain.state).unwrap();
    let mut sizes = Vec::new();
    for i in 0..300i64 {
        chain.add(&mut db, &Change { txs: 1, tx_bytes: 100, ..Change::default() });
        db.prune(chain.state.last_block_height - 10).unwrap();
        if i >= 100 {
            let mut records = 0;
            for table in [Table::Nodes, Table::Index] {
                db.inner
                    .engine
                    .scan(table, &[], &mut |_, _| {
                        records += 1;
                        true
                    })
                    .unwrap();
            }
            sizes.push(records);
        }
    }
    assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 2, "{sizes:?}");
    chain.check(&db, 290);
}

#[test]
fn a_restored_state_is_gone_on_from() {
    let mut source = in_memory();
    let mut chain = Chain::new(1);
    source.save_genesis(&chain.state).unwrap();
    for _ in 0..5 {
        chain.add(&mut source, &Change { power: Some((7, 5)), ..Change::default() });
    }
    let mut db = in_memory();
    // As a light client sees it: the newest validators may be new.
    chain.state.last_height_validators_changed = 7;
    db.bootstrap(&chain.state, &chain.last_commit).unwrap();
    assert_eq!(db.range(), (0, 0));
    assert_eq!(db.seen_commit(5).unwrap(), Some(chain.last_commit.clone()));
    assert_eq!(db.chain_state().unwrap(), Some(chain.state.clone()));
    let restored: Vec<_> = chain.blocks.keys().copied().collect();
    restored.into_iter().for_each(|height| drop(chain.blocks.remove(&height)));
    chain.validators.retain(|height, _| *height >= 5);
    chain.params.retain(|height, _| *height >= 6);
    for _ in 0..5 {
        chain.add(&mut db, &Change::default());
    }
    chain.check(&db, 6);
    assert!(db.validators(5).unwrap().is_some());
}

#[test]
fn waiting_evidence_is_kept_until_it_is_committed_or_removed() {
    let mut db = in_memory();
    let mut chain = Chain::new(1);
    db.save_genesis(&chain.state).unwrap();
    let [a, b, c] = [evidence_at(1), evidence_at(2), evidence_at(300)];
    for evidence in [&c, &a, &b] {
        db.add_evidence(evidence).unwrap();
    }
    assert_eq!(db.pending_evidence().unwrap(), [a.clone(), b.clone(), c.clone()]);
    db.remove_evidence(&[b.hash(), [7; 32]]).unwrap();
    chain.add(&mut db, &Change { evidence: true, ..Change::default() });
    assert_eq!(db.pending_evidence().unwrap(), [c]);
    assert!(db.is_committed(&a.hash()).unwrap() && !db.is_committed(&b.hash()).unwrap());
}

#[test]
fn blocks_come_one_after_the_other() {
    let mut db = in_memory();
    let mut chain = Chain::new(1);
    db.save_genesis(&chain.state).unwrap();
    chain.add(&mut db, &Change::default());
    let next = chain.make(&Change::default());
    let first = &chain.blocks[&1];
    let error = db.save_block(&first.block, &PartSet::from_bytes(&first.encoded), &first.seen).unwrap_err().to_string();
    assert!(error.contains("expected block 2, found block 1"), "{error}");
    db.save_block(&next.block, &PartSet::from_bytes(&next.encoded), &next.seen).unwrap();
}

#[test]
fn a_directory_of_another_chain_or_in_use_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let db = BlockDb::open(dir.path(), options("one", EngineKind::Fjall)).unwrap();
    let busy = BlockDb::open(dir.path(), options("one", EngineKind::Fjall)).unwrap_err().to_string();
    assert!(busy.contains("another process has it open") && busy.contains(dir.path().to_str().unwrap()), "{busy}");
    drop(db);
    let other = BlockDb::open(dir.path(), options("two", EngineKind::Fjall)).unwrap_err();
    assert!(matches!(&other, Error::WrongContext { expected, found, .. } if expected == "two" && found == "one"), "{other}");
    BlockDb::open(dir.path(), options("one", EngineKind::Fjall)).unwrap();
}

#[test]
fn a_damaged_record_is_an_error_that_names_the_database() {
    let mut db = in_memory();
    let mut chain = Chain::new(1);
    db.save_genesis(&chain.state).unwrap();
    chain.add(&mut db, &Change::default());
    for key in [record::STATE.to_vec(), at(kind::BLOCK, 1), at(kind::SEEN_COMMIT, 1), at(kind::VALIDATORS, 1)] {
        let table = table(key[0]);
        let mut value = db.inner.engine.get(table, &key).unwrap().unwrap();
        let middle = value.len() / 2;
        value[middle] ^= 1;
        let mut batch = Batch::default();
        batch.put(table, key, value);
        db.inner.engine.write(batch, Durability::Process).unwrap();
    }
    let errors = [
        db.chain_state().unwrap_err().to_string(),
        db.block(1).unwrap_err().to_string(),
        db.part(1, 0).unwrap_err().to_string(),
        db.seen_commit(1).unwrap_err().to_string(),
        db.validators(1).unwrap_err().to_string(),
    ];
    for error in errors {
        assert!(error.contains("blocks in memory") && error.contains("is damaged"), "{error}");
    }
}

/// A block in parts of some size; `of` says of how many places a part's proof speaks beyond what there are.
fn cut_oddly(encoded: &[u8], size: usize, of: usize) -> PartSet {
    let mut leaves: Vec<&[u8]> = encoded.chunks(size).collect();
    let total = u32::try_from(leaves.len()).unwrap();
    leaves.extend(std::iter::repeat_n(&b"no part"[..], of));
    let (root, proofs) = oasis_consensus_engine::merkle::proofs(&leaves);
    let mut set = PartSet::from_header(&PartSetHeader { total, hash: root.to_vec() }).unwrap();
    for ((index, bytes), proof) in (0..total).zip(&leaves).zip(proofs) {
        set.add(Part { index, bytes: bytes.to_vec(), proof }).unwrap();
    }
    set
}

#[test]
fn parts_of_another_size_are_served_as_they_came() {
    let dir = tempfile::tempdir().unwrap();
    let mut db = BlockDb::open(dir.path(), BlockOptions::default()).unwrap();
    let mut chain = Chain::new(1);
    db.save_genesis(&chain.state).unwrap();
    let change = Change { txs: 3, tx_bytes: 40_000, ..Change::default() };
    let mut all = Vec::new();
    for (size, of) in [(65_536, 0), (1000, 0), (65_535, 0), (65_536, 1), (65_536, 30), (400, 2)] {
        let known = chain.make(&change);
        let parts = cut_oddly(&known.encoded, size, of);
        assert_eq!(parts.is_cut_as_usual(), (size, of) == (65_536, 0));
        let block = CheckedBlock::decode_live(&known.encoded, parts.header()).unwrap();
        let height = block.header().height;
        let seen = Commit { block_id: block.id().clone(), ..known.seen };
        db.save_block(&block, &parts, &seen).unwrap();
        db.save_responses(height, &known.responses).unwrap();
        chain.state = chain.state.after_block(&block, &known.responses, &height.to_be_bytes()).unwrap();
        chain.last_commit = seen;
        db.save_applied(&chain.state, &[]).unwrap();
        all.push((height, known.encoded, parts));
    }
    let check = |db: &BlockDb| {
        for (height, encoded, parts) in &all {
            assert_eq!(db.block(*height).unwrap().as_ref(), Some(encoded));
            assert_eq!(db.block_meta(*height).unwrap().unwrap().block_id.part_set_header, *parts.header());
            for index in 0..=parts.total() {
                assert_eq!(db.part(*height, index).unwrap().as_ref(), parts.part(index).map(AsRef::as_ref), "part {index} of {height}");
            }
        }
    };
    check(&db);
    drop(db);
    let mut db = BlockDb::open(dir.path(), BlockOptions::default()).unwrap();
    check(&db);
    assert_eq!(db.prune(4).unwrap(), 3);
    assert_eq!(db.part(2, 0).unwrap(), None);
    // A block without a part cannot be kept.
    let known = chain.make(&change);
    let lacking = PartSet::from_header(&known.block.id().part_set_header).unwrap();
    assert!(db.save_block(&known.block, &lacking, &known.seen).is_err());
}
