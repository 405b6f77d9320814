//! Blocks: hashes and form.

use prost::Message;

use crate::{
    error::{VerifyError, ensure, from_wire, same_bytes},
    merkle::{self, Sha256Hash},
    parts::BLOCK_PART_SIZE,
    proto::{self, AbciResponses, Block, BlockId, Commit, Data, Header, PartSetHeader, ResponseDeliverTx},
    validator_set::ADDRESS_SIZE,
    vote::check_hash,
};

/// The protocol of blocks. Source: tendermint `version/version.go`, `BlockProtocol`.
pub const BLOCK_PROTOCOL: u64 = 11;

/// The longest name of a chain. Source: tendermint `types/genesis.go`, `MaxChainIDLen`.
pub const MAX_CHAIN_ID_LEN: usize = 50;

/// Field numbers of the wrappers in which header fields are hashed: all have their value in field 1.
const WRAPPER_FIELD: u32 = 1;

impl Header {
    /// The hash by which votes name a block.
    ///
    /// Source: tendermint `types/block.go`, `Header.Hash`. A header without validators has no hash; here it has the
    /// one of its fields, which no commit names, since [`Header::check_basic`] and the state forbid it.
    pub fn hash(&self) -> Sha256Hash {
        let mut height = Vec::new();
        if self.height != 0 {
            prost::encoding::int64::encode(WRAPPER_FIELD, &self.height, &mut height);
        }
        let fields = [
            self.version.encode_to_vec(),
            wrapped(self.chain_id.as_bytes()),
            height,
            self.time.encode_to_vec(),
            self.last_block_id.encode_to_vec(),
            wrapped(&self.last_commit_hash),
            wrapped(&self.data_hash),
            wrapped(&self.validators_hash),
            wrapped(&self.next_validators_hash),
            wrapped(&self.consensus_hash),
            wrapped(&self.app_hash),
            wrapped(&self.last_results_hash),
            wrapped(&self.evidence_hash),
            wrapped(&self.proposer_address),
        ];
        merkle::root(fields)
    }

    /// Source: tendermint `types/block.go`, `Header.ValidateBasic`.
    pub fn check_basic(&self) -> Result<(), VerifyError> {
        ensure(self.version.block == BLOCK_PROTOCOL, "version.block", BLOCK_PROTOCOL, self.version.block)?;
        ensure(self.chain_id.len() <= MAX_CHAIN_ID_LEN, "chain_id", "up to 50 bytes", self.chain_id.len())?;
        ensure(self.height > 0, "height", "above zero", self.height)?;
        self.time.check("time")?;
        self.last_block_id.check_basic().map_err(|e| e.inside("last_block_id"))?;
        check_hash("last_commit_hash", &self.last_commit_hash)?;
        check_hash("data_hash", &self.data_hash)?;
        check_hash("evidence_hash", &self.evidence_hash)?;
        let length = self.proposer_address.len();
        ensure(length == ADDRESS_SIZE, "proposer_address", "20 bytes", length)?;
        check_hash("validators_hash", &self.validators_hash)?;
        check_hash("next_validators_hash", &self.next_validators_hash)?;
        check_hash("consensus_hash", &self.consensus_hash)?;
        check_hash("last_results_hash", &self.last_results_hash)
    }
}

/// Bytes in a wrapper message, nothing if empty. Source: tendermint `types/encoding_helper.go`, `cdcEncode`.
fn wrapped(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len().saturating_add(2));
    if !bytes.is_empty() {
        prost::encoding::bytes::encode(WRAPPER_FIELD, &bytes.to_vec(), &mut out);
    }
    out
}

impl Data {
    /// The root over the transactions' hashes. Source: tendermint `types/tx.go`, `Txs.Hash`.
    pub fn hash(&self) -> Sha256Hash {
        merkle::root(self.txs.iter().map(|tx| merkle::sha256(tx)))
    }
}

/// The root over a block's results, without logs, events and codespaces.
///
/// Source: tendermint `types/results.go`, `NewResults`, `ABCIResults.Hash`.
pub fn results_hash(results: &[ResponseDeliverTx]) -> Sha256Hash {
    let leaf = |r: &ResponseDeliverTx| {
        let kept =
            ResponseDeliverTx { code: r.code, data: r.data.clone(), gas_wanted: r.gas_wanted, gas_used: r.gas_used, ..Default::default() };
        kept.encode_to_vec()
    };
    merkle::root(results.iter().map(leaf))
}

/// Cuts a block's bytes into parts and hashes them. Source: tendermint `types/part_set.go`, `NewPartSetFromData`.
pub fn part_set_header(block: &[u8]) -> PartSetHeader {
    let parts = block.chunks(BLOCK_PART_SIZE);
    PartSetHeader { total: u32::try_from(parts.len()).unwrap_or(u32::MAX), hash: merkle::root(parts).to_vec() }
}

/// The most bytes of a header. Source: tendermint `types/block.go`, `MaxHeaderBytes`.
const MAX_HEADER_BYTES: i64 = 626;
/// What the encoding of a block adds to its parts. Source: tendermint `types/block.go`, `MaxOverheadForBlock`.
const MAX_BLOCK_OVERHEAD: i64 = 11;
/// The most bytes of a commit without signatures, and of each signature with its tag and length.
///
/// Source: tendermint `types/block.go`, `MaxCommitBytes`.
const MAX_COMMIT_OVERHEAD: i64 = 94;
const MAX_COMMIT_SIG_BYTES: i64 = 111;

/// How many bytes of transactions fit into a block; none if not even the header and the commit fit.
///
/// Source: tendermint `types/block.go`, `MaxDataBytes`.
pub fn max_data_bytes(max_block_bytes: i64, evidence_bytes: i64, validators: usize) -> Option<i64> {
    let signatures = i64::try_from(validators).unwrap_or(i64::MAX).saturating_mul(MAX_COMMIT_SIG_BYTES);
    let taken = [MAX_BLOCK_OVERHEAD, MAX_HEADER_BYTES, MAX_COMMIT_OVERHEAD, signatures, evidence_bytes];
    let left = taken.into_iter().fold(max_block_bytes, i64::saturating_sub);
    (left >= 0).then_some(left)
}

/// A block that is in itself consistent, with its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedBlock {
    block: Block,
    last_commit: Commit,
    id: BlockId,
}

impl CheckedBlock {
    /// Decodes a block and checks what can be checked without knowing the chain.
    ///
    /// Source: tendermint `types/block.go`, `BlockFromProto`, `Block.ValidateBasic`.
    pub fn decode(bytes: &[u8]) -> Result<Self, VerifyError> {
        let block: Block = proto::decode(bytes).map_err(|e| from_wire("block", e))?;
        Self::check(block, part_set_header(bytes))
    }

    /// Like [`Self::decode`] for a block that is being decided or synced: takes every encoding that the original's lenient
    /// decoder takes, for a proposer may choose an odd one, and the bytes decide nothing but the parts. `parts` are those
    /// that the bytes came in.
    pub fn decode_live(bytes: &[u8], parts: &PartSetHeader) -> Result<Self, VerifyError> {
        let block: Block = proto::decode_lenient(bytes).map_err(|e| VerifyError::new("block", "a block", e))?;
        Self::check(block, parts.clone())
    }

    fn check(mut block: Block, parts: PartSetHeader) -> Result<Self, VerifyError> {
        let Some(last_commit) = block.last_commit.take() else {
            return Err(VerifyError::new("last_commit", "a commit", "nothing"));
        };
        let header = &block.header;
        header.check_basic().map_err(|e| e.inside("header"))?;
        last_commit.check_basic().map_err(|e| e.inside("last_commit"))?;
        same_bytes("header.last_commit_hash", &last_commit.hash(), &header.last_commit_hash)?;
        same_bytes("header.data_hash", &block.data.hash(), &header.data_hash)?;
        for (i, evidence) in block.evidence.evidence.iter().enumerate() {
            evidence.check_basic().map_err(|e| e.inside(&format!("evidence[{i}]")))?;
        }
        same_bytes("header.evidence_hash", &block.evidence.hash(), &header.evidence_hash)?;
        let id = BlockId { hash: header.hash().to_vec(), part_set_header: parts };
        Ok(Self { block, last_commit, id })
    }

    /// A block that was made here, with its encoding.
    pub fn encode_new(block: &Block) -> Result<(Self, Vec<u8>), VerifyError> {
        let bytes = block.encode_to_vec();
        Ok((Self::decode(&bytes)?, bytes))
    }

    /// The header.
    pub fn header(&self) -> &Header {
        &self.block.header
    }

    /// The transactions, in order.
    pub fn txs(&self) -> &[Vec<u8>] {
        &self.block.data.txs
    }

    /// The evidence.
    pub fn evidence(&self) -> &proto::EvidenceList {
        &self.block.evidence
    }

    /// The commit of the block before.
    pub fn last_commit(&self) -> &Commit {
        &self.last_commit
    }

    /// The name by which votes name it.
    pub fn id(&self) -> &BlockId {
        &self.id
    }
}

/// Decodes what the application answered. Source: tendermint `state/store.go`, `LoadABCIResponses`.
pub fn decode_responses(bytes: &[u8]) -> Result<AbciResponses, VerifyError> {
    proto::decode(bytes).map_err(|e| from_wire("results", e))
}

/// Decodes a commit and checks its form.
pub fn decode_commit(bytes: &[u8]) -> Result<Commit, VerifyError> {
    let commit: Commit = proto::decode(bytes).map_err(|e| from_wire("commit", e))?;
    commit.check_basic()?;
    Ok(commit)
}
