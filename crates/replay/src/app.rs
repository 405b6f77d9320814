//! The state machine itself, driven by a replay.

use std::sync::Arc;

use oasis_consensus_abci::{Network, begin_block, block_time};
use oasis_consensus_app::{
    context::{BlockTime, Options},
    executor::{Config, Executor, VersionedTree},
    upgrade::Upgrader,
};
use oasis_consensus_engine::proto;
use oasis_consensus_types::{consensus::TENDERMINT_APP_VERSION, genesis::Document};
use oasis_primitives::{cbor, hash::Hash, sgx::Policy, time::Timestamp};

use crate::{
    chain::ChainHeader,
    compare::Computed,
    database::{BlockRecord, Notes},
    error::{Place, Refused},
    machine::{Executed, Machine},
    verify::VerifiedBlock,
};

/// Reads the network of a chain file's header. `debug` says whether settings and keys of test networks are allowed.
///
/// In CBOR the document has lost the fraction of its second; it is that of the first block, whose time it is.
pub fn network(header: &ChainHeader, first_time: Option<proto::Timestamp>, debug: bool) -> Result<Network, Refused> {
    let refuse = |field: &str, expected: &str, found: String| Refused::new(Place::Header, field, expected, found);
    let mut document: Document =
        cbor::from_slice_higher_limits(&header.genesis_doc).map_err(|e| refuse("genesis_doc", "a genesis document", e.to_string()))?;
    let hash = document.hash().to_string();
    if hash != header.chain_context {
        return Err(refuse("genesis_doc", "a document in canonical encoding", format!("one whose encoding has the hash {hash}")));
    }
    if document.height != header.initial_height {
        return Err(Refused::new(Place::Header, "initial_height", document.height, header.initial_height));
    }
    let seconds = document.time.seconds();
    if let Some(first) = first_time
        && first.seconds == seconds
    {
        document.time = Timestamp::from_unix(seconds, u32::try_from(first.nanos).unwrap_or_default());
    }
    Network::new(document, debug, debug).map_err(|e| {
        let e = e.inside("genesis_doc");
        Refused::new(Place::Header, e.field, e.expected, e.found)
    })
}

/// The state machine over a tree.
pub struct AppMachine<T> {
    executor: Executor<T>,
    network: Network,
    root: Hash,
}

impl<T: VersionedTree + Notes> AppMachine<T> {
    /// A machine of a network that goes on from the tree's newest version.
    ///
    /// `upgrader` holds the upgrade descriptors that the operators gave their nodes.
    pub fn new(tree: T, network: &Network, upgrader: Upgrader) -> Result<Self, String> {
        let document = &network.document;
        let config = Config {
            initial_height: document.height,
            rules: network.rules.clone(),
            base_epoch: document.beacon.base,
            halt_epoch: document.halt_epoch,
            options: Options {
                debug: network.debug,
                sgx: Policy::new(network.debug),
                supplementary_sanity_interval: network.supplementary_sanity_interval,
                ..Options::default()
            },
        };
        let time = BlockTime { seconds: document.time.seconds(), nanos: document.time.nanos() };
        let executor = Executor::new(tree, config, Some(upgrader), time).map_err(|e| e.to_string())?;
        Ok(Self { executor, network: network.clone(), root: Hash::default() })
    }

    /// The executor, for queries.
    pub fn executor(&self) -> &Executor<T> {
        &self.executor
    }

    /// The executor, for checks of transactions between blocks.
    pub fn executor_mut(&mut self) -> &mut Executor<T> {
        &mut self.executor
    }

    fn run(&mut self, block: &VerifiedBlock) -> oasis_consensus_app::error::Result<Executed> {
        self.executor.set_verified(Arc::clone(&block.verified));
        let begin_events = self.executor.begin_block(&begin_block(&block.block, &block.votes, &block.misbehaviour))?;
        let txs = block.txs.iter().map(|tx| self.executor.deliver_tx(tx)).collect::<Result<_, _>>()?;
        let end = self.executor.end_block()?;
        let app_version = (!self.executor.halted()).then_some(TENDERMINT_APP_VERSION);
        let first = block.height() == self.network.document.height;
        let sealed = self.executor.seal()?;
        self.root = sealed.root;
        // What the genesis set and the first block removed is no change of either.
        let changes = sealed.changes.iter().filter(|(_, value)| !first || value.is_some());
        let diff = changes.map(|(key, value)| (key.clone(), value.as_ref().map(|v| v.to_vec()))).collect();
        Ok(Executed { computed: Computed { begin_events, txs, end, app_version }, diff })
    }
}

impl<T: VersionedTree + Notes> Machine for AppMachine<T> {
    fn height(&self) -> i64 {
        let last = self.executor.last_height();
        if last < self.network.document.height { 0 } else { last }
    }

    fn init_chain(&mut self) -> Result<Hash, String> {
        self.executor.init_chain(&self.network.document).map_err(|e| e.to_string())
    }

    fn execute(&mut self, block: &VerifiedBlock) -> Result<Executed, String> {
        self.run(block).map_err(|e| e.to_string())
    }

    fn root(&mut self) -> Result<Hash, String> {
        Ok(self.root)
    }

    fn commit(&mut self, block: &VerifiedBlock) -> Result<(), String> {
        let record = BlockRecord { digest: block.digest, time: block_time(&block.block.header().time) };
        let upgrades = self.executor.upgrader().map(|u| u.pending().to_vec()).unwrap_or_default();
        self.executor.tree_mut().note_block(&self.network, block.height(), record, &upgrades);
        self.executor.commit().map(drop).map_err(|e| e.to_string())
    }

    fn finish(&mut self) -> Result<(), String> {
        self.executor.tree().sync()
    }
}
