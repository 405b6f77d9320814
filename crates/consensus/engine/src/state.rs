//! The state of the chain between two blocks, as far as the consensus engine is concerned.
//!
//! Source: tendermint `state/state.go`, `state/validation.go`, `state/execution.go`, `consensus/replay.go`.

use std::sync::Arc;

use prost::Message;

use crate::{
    block::{BLOCK_PROTOCOL, CheckedBlock, MAX_CHAIN_ID_LEN, results_hash},
    commit::{CommitTarget, SignatureCheck},
    error::{VerifyError, ensure, same, same_bytes},
    evidence::History,
    merkle,
    proto::{
        AbciConsensusParams, AbciResponses, Block, BlockId, Commit, CommitSig, Consensus, ConsensusParams, Data, Evidence, EvidenceList,
        Header, Timestamp, Validator, ValidatorUpdate,
    },
    time::median_time,
    validator_set::{ValidatorSet, from_updates},
};

/// Name of the signatures of the commit in a block.
pub(crate) const LAST_COMMIT_FIELD: &str = "last_commit.signatures";

/// A genesis document as the consensus engine sees it. Source: tendermint `types/genesis.go`, `GenesisDoc`.
#[derive(Clone, Debug, PartialEq)]
pub struct EngineGenesis {
    /// Time of the first block.
    pub genesis_time: Timestamp,
    /// Name of the chain, up to 50 characters.
    pub chain_id: String,
    /// Height of the first block.
    pub initial_height: i64,
    /// Parameters.
    pub consensus_params: ConsensusParams,
    /// Validators, each with a voting power above zero.
    pub validators: Vec<Validator>,
}

/// What the application answers to a genesis document. Source: tendermint `abci/types/types.proto`, `ResponseInitChain`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InitChainResponse {
    /// Changes of the parameters.
    pub consensus_params: Option<AbciConsensusParams>,
    /// The validators; none to keep those of the document.
    pub validators: Vec<ValidatorUpdate>,
    /// Root of the application's state.
    pub app_hash: Vec<u8>,
}

/// What is known after a block, enough to judge the next.
#[derive(Clone, Debug, PartialEq)]
pub struct ChainState {
    /// The application's protocol, for headers.
    pub app_version: u64,
    /// Name of the chain.
    pub chain_id: String,
    /// Height of the first block.
    pub initial_height: i64,
    /// Height of the last block, 0 before the first.
    pub last_block_height: i64,
    /// Name of the last block.
    pub last_block_id: BlockId,
    /// Time of the last block, before the first that of the genesis.
    pub last_block_time: Timestamp,
    /// Validators of the block after the next.
    pub next_validators: Arc<ValidatorSet>,
    /// Validators of the next block.
    pub validators: Arc<ValidatorSet>,
    /// Validators of the last block, who sign its commit.
    pub last_validators: Arc<ValidatorSet>,
    /// First height with the newest validators.
    pub last_height_validators_changed: i64,
    /// Parameters of the next block.
    pub consensus_params: ConsensusParams,
    /// First height with these parameters.
    pub last_height_consensus_params_changed: i64,
    /// Root of the results of the last block.
    pub last_results_hash: Vec<u8>,
    /// Root of the application's state after the last block.
    pub app_hash: Vec<u8>,
}

impl ChainState {
    /// The state before the first block.
    ///
    /// `app_version` is the application's own protocol, which holds until it changes the parameters.
    ///
    /// Source: tendermint `types/genesis.go`, `GenesisDoc.ValidateAndComplete`; `state/state.go`, `MakeGenesisState`;
    /// `consensus/replay.go`, `Handshaker.ReplayBlocks`.
    pub fn from_genesis(doc: &EngineGenesis, app_version: u64, response: &InitChainResponse) -> Result<Self, VerifyError> {
        let length = doc.chain_id.len();
        ensure((1..=MAX_CHAIN_ID_LEN).contains(&length), "chain_id", "1 to 50 bytes", length)?;
        ensure(doc.initial_height >= 0, "initial_height", "not negative", doc.initial_height)?;
        doc.consensus_params.check().map_err(|e| e.inside("consensus_params"))?;
        let mut app_version = app_version;
        let mut consensus_params = doc.consensus_params.clone();
        let mut validators = ValidatorSet::new(doc.validators.clone())?;
        if !response.validators.is_empty() {
            validators = ValidatorSet::new(from_updates(&response.validators)?)?;
        }
        ensure(!validators.validators().is_empty(), "validators", "at least one", 0)?;
        if let Some(change) = &response.consensus_params {
            consensus_params = consensus_params.updated(change);
            app_version = consensus_params.version.app_version;
        }
        let initial_height = doc.initial_height.max(1);
        Ok(Self {
            app_version,
            chain_id: doc.chain_id.clone(),
            initial_height,
            last_block_height: 0,
            last_block_id: BlockId::default(),
            last_block_time: doc.genesis_time,
            next_validators: Arc::new(validators.advanced(1)),
            validators: Arc::new(validators),
            last_validators: Arc::new(ValidatorSet::new(Vec::new())?),
            last_height_validators_changed: initial_height,
            consensus_params,
            last_height_consensus_params_changed: initial_height,
            last_results_hash: merkle::root([[]; 0]).to_vec(),
            app_hash: response.app_hash.clone(),
        })
    }

    /// The height that comes next.
    pub fn next_height(&self) -> i64 {
        if self.last_block_height == 0 { self.initial_height } else { self.last_block_height.saturating_add(1) }
    }

    /// Makes the next block, with its encoding. `last_commit` is that of the last block, empty for the first.
    ///
    /// Source: tendermint `state/state.go`, `State.MakeBlock`.
    pub fn make_block(
        &self,
        txs: Vec<Vec<u8>>,
        last_commit: Commit,
        evidence: Vec<Evidence>,
        proposer_address: &[u8],
    ) -> Result<(CheckedBlock, Vec<u8>), VerifyError> {
        let height = self.next_height();
        let first = height == self.initial_height;
        let (data, evidence) = (Data { txs }, EvidenceList { evidence });
        let header = Header {
            version: Consensus { block: BLOCK_PROTOCOL, app: self.app_version },
            chain_id: self.chain_id.clone(),
            height,
            time: if first { self.last_block_time } else { median_time(&last_commit, &self.last_validators) },
            last_block_id: self.last_block_id.clone(),
            last_commit_hash: last_commit.hash().to_vec(),
            data_hash: data.hash().to_vec(),
            validators_hash: self.validators.hash().to_vec(),
            next_validators_hash: self.next_validators.hash().to_vec(),
            consensus_hash: self.consensus_params.hash().to_vec(),
            app_hash: self.app_hash.clone(),
            last_results_hash: self.last_results_hash.clone(),
            evidence_hash: evidence.hash().to_vec(),
            proposer_address: proposer_address.to_vec(),
        };
        CheckedBlock::encode_new(&Block { header, data, evidence, last_commit: Some(last_commit) })
    }

    /// Checks every field of a block against the chain so far; gives the signatures that are still to be verified.
    ///
    /// Source: tendermint `state/validation.go`, `validateBlock`; `state/execution.go`, `BlockExecutor.ValidateBlock`.
    pub fn validate_block(&self, block: &CheckedBlock, history: &dyn History) -> Result<Vec<SignatureCheck>, VerifyError> {
        self.check_header(block).map_err(|e| e.inside("header"))?;
        let mut checks = self.check_last_commit(block)?;
        self.check_time(block)?;
        let size = i64::try_from(block.evidence().encoded_len()).unwrap_or(i64::MAX);
        let limit = self.consensus_params.evidence.max_bytes;
        ensure(block.evidence().evidence.is_empty() || size <= limit, "evidence", format_args!("up to {limit} bytes"), size)?;
        checks.extend(block.evidence().verify(self, history)?);
        Ok(checks)
    }

    fn check_header(&self, block: &CheckedBlock) -> Result<(), VerifyError> {
        let header = block.header();
        same("version.app", &self.app_version, &header.version.app)?;
        same("version.block", &BLOCK_PROTOCOL, &header.version.block)?;
        same("chain_id", &self.chain_id, &header.chain_id)?;
        same("height", &self.next_height(), &header.height)?;
        same("last_block_id", &self.last_block_id, &header.last_block_id)?;
        same_bytes("app_hash", &self.app_hash, &header.app_hash)?;
        same_bytes("consensus_hash", &self.consensus_params.hash(), &header.consensus_hash)?;
        same_bytes("last_results_hash", &self.last_results_hash, &header.last_results_hash)?;
        same_bytes("validators_hash", self.validators.hash(), &header.validators_hash)?;
        same_bytes("next_validators_hash", self.next_validators.hash(), &header.next_validators_hash)?;
        let proposer = &header.proposer_address;
        ensure(self.validators.get(proposer).is_some(), "proposer_address", "a validator", hex::encode(proposer))
    }

    fn check_last_commit(&self, block: &CheckedBlock) -> Result<Vec<SignatureCheck>, VerifyError> {
        let commit = block.last_commit();
        if block.header().height == self.initial_height {
            let count = commit.signatures.len();
            ensure(count == 0, "last_commit.signatures", "none in the first block", count)?;
            return Ok(Vec::new());
        }
        let target = CommitTarget {
            chain_id: &self.chain_id,
            block_id: &self.last_block_id,
            height: self.last_block_height,
            field: LAST_COMMIT_FIELD,
        };
        self.last_validators.verify_commit(target, commit).map_err(|e| e.inside("block"))
    }

    /// Source: tendermint `state/validation.go`, `validateBlock`.
    fn check_time(&self, block: &CheckedBlock) -> Result<(), VerifyError> {
        let time = block.header().time;
        if block.header().height == self.initial_height {
            return ensure(time == self.last_block_time, "header.time", self.last_block_time, time);
        }
        ensure(time > self.last_block_time, "header.time", format_args!("after {}", self.last_block_time), time)?;
        let median = median_time(block.last_commit(), &self.last_validators);
        ensure(time == median, "header.time", median, time)
    }

    /// The state after a block with what the application answered and the root that it committed.
    ///
    /// Source: tendermint `state/execution.go`, `updateState`, `BlockExecutor.ApplyBlock`.
    pub fn after_block(&self, block: &CheckedBlock, responses: &AbciResponses, app_hash: &[u8]) -> Result<Self, VerifyError> {
        let header = block.header();
        let missing = || VerifyError::new("end_block", "a response", "nothing");
        let end_block = responses.end_block.as_ref().ok_or_else(missing)?;
        let mut next = ValidatorSet::clone(&self.next_validators);
        let mut validators_changed = self.last_height_validators_changed;
        if !end_block.validator_updates.is_empty() {
            next.update_with_change_set(from_updates(&end_block.validator_updates)?)?;
            validators_changed = header.height.saturating_add(2);
        }
        next.increment_proposer_priority(1);

        let mut consensus_params = self.consensus_params.clone();
        let mut params_changed = self.last_height_consensus_params_changed;
        let mut app_version = self.app_version;
        if let Some(change) = &end_block.consensus_param_updates {
            consensus_params = consensus_params.updated(change);
            consensus_params.check().map_err(|e| e.inside("consensus_param_updates"))?;
            app_version = consensus_params.version.app_version;
            params_changed = header.height.saturating_add(1);
        }
        Ok(Self {
            app_version,
            chain_id: self.chain_id.clone(),
            initial_height: self.initial_height,
            last_block_height: header.height,
            last_block_id: block.id().clone(),
            last_block_time: header.time,
            next_validators: Arc::new(next),
            validators: Arc::clone(&self.next_validators),
            last_validators: Arc::clone(&self.validators),
            last_height_validators_changed: validators_changed,
            consensus_params,
            last_height_consensus_params_changed: params_changed,
            last_results_hash: results_hash(&responses.deliver_txs).to_vec(),
            app_hash: app_hash.to_vec(),
        })
    }

    /// Who signed the commit in a block, in the order of the validators of the block before; nobody for the first block.
    ///
    /// Source: tendermint `state/execution.go`, `getBeginBlockValidatorInfo`.
    pub fn vote_infos(&self, block: &CheckedBlock) -> Vec<VoteInfo> {
        let info = |(validator, sig): (&Validator, &CommitSig)| VoteInfo {
            address: validator.address.clone(),
            power: validator.voting_power,
            signed_last_block: !sig.is_absent(),
        };
        self.last_validators.validators().iter().zip(&block.last_commit().signatures).map(info).collect()
    }
}

/// Whether a validator signed the last block. Source: tendermint `abci/types/types.proto`, `VoteInfo`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VoteInfo {
    /// The validator, 20 bytes.
    pub address: Vec<u8>,
    /// Its voting power.
    pub power: i64,
    /// Whether its vote, be it for nil, is in the commit.
    pub signed_last_block: bool,
}
