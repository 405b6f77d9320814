//! The replay: verification of blocks on one thread, execution on another.

use std::{
    io::BufRead,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
    time::{Duration, Instant},
};

use oasis_consensus_abci::Network;
use oasis_consensus_engine::{ChainState, CheckedBlock, EngineGenesis, InitChainResponse};
use oasis_consensus_types::consensus::TENDERMINT_APP_VERSION;
use oasis_primitives::{hash::Hash, signature::SignatureRules};
use serde_json::{Value, json};

use crate::{
    chain::{ChainReader, RecordedBlock},
    compare,
    difference::Difference,
    error::{Place, Refused, ReplayError},
    machine::Machine,
    verify::{BlockVerifier, VerifiedBlock},
};

/// Groups of verified blocks that may wait for execution.
const WAITING: usize = 2;

/// What a replay found when all was equal.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// Blocks executed in this run.
    pub blocks: u64,
    /// Transactions executed in this run.
    pub transactions: u64,
    /// Height at which this run began, the height before it.
    pub from: i64,
    /// Height of the last block.
    pub to: i64,
    /// Time taken.
    pub elapsed: Duration,
}

impl Summary {
    /// The summary as JSON, one object.
    pub fn to_json(&self) -> Value {
        let seconds = self.seconds();
        json!({
            "outcome": "all equal", "blocks": self.blocks, "transactions": self.transactions, "height": self.to,
            "seconds": seconds, "blocks_per_second": self.blocks as f64 / seconds,
            "transactions_per_second": self.transactions as f64 / seconds,
        })
    }

    fn seconds(&self) -> f64 {
        self.elapsed.as_secs_f64().max(1e-9)
    }
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (blocks, txs, seconds) = (self.blocks, self.transactions, self.seconds());
        write!(
            f,
            "{blocks} blocks, {txs} transactions, {seconds:.2} s, {:.0} blocks/s, {:.0} transactions/s, all equal",
            blocks as f64 / seconds,
            txs as f64 / seconds,
        )
    }
}

/// What to replay and how far.
pub struct Replay<'a> {
    /// Name of the chain file, for errors.
    pub file: String,
    /// The network.
    pub network: &'a Network,
    /// The last height to replay; nothing for all.
    pub to: Option<i64>,
    /// The hashes over the chain file to each block that an earlier run replayed, from the first block on.
    pub known: Vec<Hash>,
    /// Called with each height that was found equal.
    pub progress: &'a mut dyn FnMut(i64),
}

/// What the verifying thread sends.
enum Message {
    Blocks(Vec<VerifiedBlock>),
    Refused(Refused),
    End,
}

impl Replay<'_> {
    /// Replays a chain; an error is the first difference or damage found, in the order of heights.
    pub fn run<R: BufRead + Send>(mut self, reader: ChainReader<R>, machine: &mut dyn Machine) -> Result<Summary, ReplayError> {
        let began = Instant::now();
        let header = reader.header();
        let (initial, last) = (header.initial_height, header.last_height);
        let to = self.to.unwrap_or(last);
        if !(initial..=last).contains(&to) {
            return Err(ReplayError::Other(format!("{}: height {to}: expected {initial} to {last}", self.file)));
        }
        let from = machine.height();
        let app_hash = if from == 0 {
            let root = machine.init_chain().map_err(|message| self.stopped(initial, message))?;
            Some(root)
        } else {
            None
        };
        let digests = std::mem::take(&mut self.known);
        let (genesis, rules) = (self.network.engine.clone(), self.network.rules.clone());
        let mut summary = Summary { blocks: 0, transactions: 0, from, to: from.max(to), elapsed: Duration::ZERO };
        thread::scope(|scope| {
            let (sender, receiver) = sync_channel(WAITING);
            let feed = Feed { genesis, rules, app_hash, from, to, digests };
            scope.spawn(move || feed.run(reader, &sender));
            self.execute(&receiver, machine, &mut summary)
        })?;
        machine.finish().map_err(|message| self.stopped(summary.to, message))?;
        summary.elapsed = began.elapsed();
        Ok(summary)
    }

    fn execute(&mut self, receiver: &Receiver<Message>, machine: &mut dyn Machine, summary: &mut Summary) -> Result<(), ReplayError> {
        loop {
            match receiver.recv() {
                Ok(Message::Blocks(blocks)) => {
                    for block in blocks {
                        self.block(&block, machine)?;
                        summary.blocks += 1;
                        summary.transactions += block.block.txs().len() as u64;
                        (self.progress)(block.height());
                    }
                }
                Ok(Message::Refused(refused)) => return Err(self.refused(refused)),
                Ok(Message::End) => return Ok(()),
                Err(_) => return Err(ReplayError::Other(format!("{}: the verifying thread stopped", self.file))),
            }
        }
    }

    fn block(&mut self, block: &VerifiedBlock, machine: &mut dyn Machine) -> Result<(), ReplayError> {
        let height = block.height();
        let executed = machine.execute(block).map_err(|message| self.stopped(height, message))?;
        let results = compare::results(height, &block.results, &executed.computed);
        let diff = compare::diff(height, &block.diff, &executed.diff);
        if let Some(difference) = merge(results, diff) {
            return Err(self.different(difference));
        }
        let root = machine.root().map_err(|message| self.stopped(height, message))?;
        if root != block.state_root {
            return Err(self.different(Difference {
                height,
                field: "state_root".into(),
                expected: json!(block.state_root.to_string()),
                actual: json!(root.to_string()),
                keys: Vec::new(),
            }));
        }
        machine.commit(block).map_err(|message| self.stopped(height, message))
    }

    fn refused(&self, refused: Refused) -> ReplayError {
        ReplayError::Refused { file: self.file.clone(), refused: Box::new(refused) }
    }

    fn different(&self, difference: Difference) -> ReplayError {
        ReplayError::Different { file: self.file.clone(), difference: Box::new(difference) }
    }

    fn stopped(&self, height: i64, message: String) -> ReplayError {
        ReplayError::Stopped { file: self.file.clone(), height, message }
    }
}

/// The first difference, with the keys that differ in any case.
fn merge(results: Option<Difference>, diff: Option<Difference>) -> Option<Difference> {
    match (results, diff) {
        (Some(mut results), Some(diff)) => {
            results.keys = diff.keys;
            Some(results)
        }
        (results, diff) => results.or(diff),
    }
}

/// Reads and verifies blocks.
struct Feed {
    genesis: EngineGenesis,
    rules: SignatureRules,
    app_hash: Option<Hash>,
    from: i64,
    to: i64,
    digests: Vec<Hash>,
}

impl Feed {
    /// Ends early when nobody receives any more.
    fn run<R: BufRead>(self, mut reader: ChainReader<R>, sender: &SyncSender<Message>) {
        let mut verifier = None;
        let end = match self.feed(&mut reader, &mut verifier, sender) {
            Ok(()) => Message::End,
            Err(Stop::Gone) => return,
            Err(Stop::Refused(refused)) => {
                // A wrong signature in a block before is found first.
                match verifier.as_mut().map_or(Ok(()), |v| send_group(v, sender)) {
                    Ok(()) => Message::Refused(*refused),
                    Err(Stop::Refused(earlier)) => Message::Refused(*earlier),
                    Err(Stop::Gone) => return,
                }
            }
        };
        // Nobody is there to hear of a failure to send.
        let _ = sender.send(end);
    }

    fn feed<R: BufRead>(
        &self,
        reader: &mut ChainReader<R>,
        verifier: &mut Option<BlockVerifier>,
        sender: &SyncSender<Message>,
    ) -> Result<(), Stop> {
        let initial = reader.header().initial_height;
        while let Some(recorded) = reader.next_block()? {
            let height = recorded.height;
            let verifier = match verifier {
                Some(verifier) => verifier,
                None => verifier.insert(BlockVerifier::new(self.state(&recorded)?, self.rules.clone())),
            };
            let known = usize::try_from(height - initial).ok().and_then(|i| self.digests.get(i));
            if height <= self.from {
                let expected = known.copied().unwrap_or_default();
                if recorded.digest != expected {
                    let found = recorded.digest;
                    let expected = format!("the bytes replayed before ({expected})");
                    return Err(Refused::new(Place::Height(height), "item", expected, found).into());
                }
                verifier.add_known(recorded)?;
            } else {
                verifier.add(recorded)?;
                if verifier.is_full() {
                    send_group(verifier, sender)?;
                }
            }
            if height == self.to && height < reader.header().last_height {
                break;
            }
        }
        verifier.as_mut().map_or(Ok(()), |v| send_group(v, sender))
    }

    /// The state before the first block. Where the genesis was executed by an earlier run, its root is taken from the
    /// first block, which that run verified.
    fn state(&self, first: &RecordedBlock) -> Result<ChainState, Refused> {
        let refuse = |field: &str, e| Refused::verify(first.height, field, e);
        let app_hash = match self.app_hash {
            Some(hash) => hash.0.to_vec(),
            None => CheckedBlock::decode(&first.block).map_err(|e| refuse("block", e))?.header().app_hash.clone(),
        };
        let response = InitChainResponse { app_hash, ..Default::default() };
        ChainState::from_genesis(&self.genesis, TENDERMINT_APP_VERSION, &response).map_err(|e| {
            let e = e.inside("genesis_doc");
            Refused::new(Place::Header, e.field, e.expected, e.found)
        })
    }
}

/// Why the feed ends early.
enum Stop {
    Refused(Box<Refused>),
    /// Nobody receives any more.
    Gone,
}

impl From<Refused> for Stop {
    fn from(refused: Refused) -> Self {
        Self::Refused(Box::new(refused))
    }
}

fn send_group(verifier: &mut BlockVerifier, sender: &SyncSender<Message>) -> Result<(), Stop> {
    let (blocks, refused) = verifier.flush();
    sender.send(Message::Blocks(blocks)).map_err(|_| Stop::Gone)?;
    refused.map_or(Ok(()), |r| Err(r.into()))
}
