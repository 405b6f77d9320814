//! A network, by its genesis document.

use oasis_consensus_engine::{EngineGenesis, GenesisSections, VerifyError, proto};
use oasis_consensus_types::genesis::Document;
use oasis_primitives::signature::{Blacklist, ChainContext, SignatureRules};

/// A network, by its genesis document.
#[derive(Clone, Debug)]
pub struct Network {
    /// The document.
    pub document: Document,
    /// Its hash in hexadecimal digits.
    pub chain_context: String,
    /// Which signatures count.
    pub rules: SignatureRules,
    /// The document as the engine sees it.
    pub engine: EngineGenesis,
    /// Whether settings of test networks are allowed.
    pub debug: bool,
    /// Every how many blocks the whole state is checked beyond what consensus asks for; none for never.
    pub supplementary_sanity_interval: Option<u64>,
}

impl Network {
    /// The network of a document that was checked. `debug` admits settings of test networks, `allow_test_keys` keys that
    /// everybody knows.
    ///
    /// An error names the field below the document.
    pub fn new(document: Document, debug: bool, allow_test_keys: bool) -> Result<Self, VerifyError> {
        let chain_context = document.hash().to_string();
        let mut blacklist = Blacklist::new(allow_test_keys);
        for key in &document.consensus.parameters.public_key_blacklist {
            blacklist.insert(*key);
        }
        let chain = ChainContext::new(&chain_context).map_err(|e| VerifyError::new("chain_context", "a hash", e))?;
        let rules = SignatureRules::new(chain, blacklist);
        let nanos = i32::try_from(document.time.nanos()).unwrap_or_default();
        let sections = GenesisSections {
            time: proto::Timestamp { seconds: document.time.seconds(), nanos },
            height: document.height,
            chain_context: &chain_context,
            consensus: &document.consensus.parameters,
            beacon: &document.beacon,
            registry: &document.registry,
            scheduler: &document.scheduler.parameters,
            staking: &document.staking,
        };
        let engine = sections.to_engine(&rules, debug)?;
        Ok(Self { document, chain_context, rules, engine, debug, supplementary_sanity_interval: None })
    }
}
