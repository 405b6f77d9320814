//! What tests of chains share.

use oasis_consensus_engine::{EngineGenesis, GenesisSections, proto::Timestamp};
use oasis_consensus_types::{beacon, consensus, registry, scheduler, staking};
use oasis_primitives::{
    cbor,
    signature::{Blacklist, ChainContext, SignatureRules},
};

/// The sections that the engine needs.
#[derive(cbor::Cbor, Default)]
pub struct Doc {
    pub height: i64,
    pub consensus: consensus::Genesis,
    pub beacon: beacon::Genesis,
    pub registry: registry::Genesis,
    pub scheduler: scheduler::Genesis,
    pub staking: staking::Genesis,
}

/// The engine's genesis of a chain whose first block has this time.
pub fn engine_genesis(doc: &[u8], chain_context: &str, time: Timestamp) -> EngineGenesis {
    let doc: Doc = cbor::from_slice_trusted(doc).unwrap();
    let sections = GenesisSections {
        time,
        height: doc.height,
        chain_context,
        consensus: &doc.consensus.parameters,
        beacon: &doc.beacon,
        registry: &doc.registry,
        scheduler: &doc.scheduler.parameters,
        staking: &doc.staking,
    };
    let rules = SignatureRules::new(ChainContext::new(chain_context).unwrap(), Blacklist::default());
    sections.to_engine(&rules, true).unwrap()
}
