//! Blocks as the API gives them.

use oasis_consensus_engine::proto;
use oasis_mkvs::{Root, RootType};
use oasis_primitives::{
    cbor::{self, Cbor, NilVec, RawCbor},
    hash::Hash,
    namespace::Namespace,
    time::Timestamp,
};

/// A block of the consensus layer. Source: go/consensus/api/api.go, `Block`.
#[derive(Clone, Debug, Default, PartialEq, Cbor)]
pub struct Block {
    /// Its height.
    pub height: i64,
    /// Hash of its header.
    pub hash: Hash,
    /// Its time, to the second.
    pub time: Timestamp,
    /// Root of the state before it.
    pub state_root: Root,
    /// [`BlockMeta`], encoded.
    pub meta: RawCbor,
}

/// What the engine adds. Source: go/consensus/tendermint/api/api.go, `BlockMeta`.
#[derive(Clone, Debug, Default, PartialEq, Cbor)]
pub struct BlockMeta {
    /// The header.
    pub header: Option<Header>,
    /// The commit of the block before.
    pub last_commit: Option<Commit>,
}

/// Source: tendermint `proto/tendermint/version/types.pb.go`, `Consensus`.
#[derive(Clone, Debug, Default, PartialEq, Cbor)]
pub struct Version {
    /// Protocol of blocks.
    #[cbor(omitempty)]
    pub block: u64,
    /// Protocol of the application.
    #[cbor(omitempty)]
    pub app: u64,
}

/// Source: tendermint `types/part_set.go`, `PartSetHeader`.
#[derive(Clone, Debug, Default, PartialEq, Cbor)]
pub struct PartSetHeader {
    /// Count of parts.
    pub total: u32,
    /// Their root.
    pub hash: NilVec<u8>,
}

/// Source: tendermint `types/block.go`, `BlockID`.
#[derive(Clone, Debug, Default, PartialEq, Cbor)]
pub struct BlockId {
    /// Hash of the header.
    pub hash: NilVec<u8>,
    /// The parts.
    pub parts: PartSetHeader,
}

/// Source: tendermint `types/block.go`, `Header`.
#[derive(Clone, Debug, Default, PartialEq, Cbor)]
pub struct Header {
    /// Protocols.
    pub version: Version,
    /// Name of the chain.
    pub chain_id: String,
    /// Height.
    pub height: i64,
    /// Time, to the second.
    pub time: Timestamp,
    /// The block before.
    pub last_block_id: BlockId,
    /// Hash of its commit.
    pub last_commit_hash: NilVec<u8>,
    /// Root of the transactions.
    pub data_hash: NilVec<u8>,
    /// Validators of this height.
    pub validators_hash: NilVec<u8>,
    /// Validators of the next.
    pub next_validators_hash: NilVec<u8>,
    /// Parameters.
    pub consensus_hash: NilVec<u8>,
    /// State before the block.
    pub app_hash: NilVec<u8>,
    /// Results of the block before.
    pub last_results_hash: NilVec<u8>,
    /// Evidence.
    pub evidence_hash: NilVec<u8>,
    /// Proposer, 20 bytes.
    pub proposer_address: NilVec<u8>,
}

/// Source: tendermint `types/block.go`, `CommitSig`.
#[derive(Clone, Debug, Default, PartialEq, Cbor)]
pub struct CommitSig {
    /// Absent, for the block, or for nil.
    pub block_id_flag: u8,
    /// Who signed.
    pub validator_address: NilVec<u8>,
    /// When, to the second.
    pub timestamp: Timestamp,
    /// The signature.
    pub signature: NilVec<u8>,
}

/// Source: tendermint `types/block.go`, `Commit`.
#[derive(Clone, Debug, Default, PartialEq, Cbor)]
pub struct Commit {
    /// Height.
    pub height: i64,
    /// Round.
    pub round: i32,
    /// The block.
    pub block_id: BlockId,
    /// A signature a validator.
    pub signatures: NilVec<CommitSig>,
}

/// Bytes that were left out are nil in Go.
fn bytes(bytes: &[u8]) -> NilVec<u8> {
    if bytes.is_empty() { NilVec::NIL } else { bytes.to_vec().into() }
}

/// A time as the API gives it.
pub fn timestamp(time: &proto::Timestamp) -> Timestamp {
    Timestamp::from_unix(time.seconds, u32::try_from(time.nanos).unwrap_or_default())
}

fn block_id(id: &proto::BlockId) -> BlockId {
    let parts = PartSetHeader { total: id.part_set_header.total, hash: bytes(&id.part_set_header.hash) };
    BlockId { hash: bytes(&id.hash), parts }
}

fn header(header: &proto::Header) -> Header {
    Header {
        version: Version { block: header.version.block, app: header.version.app },
        chain_id: header.chain_id.clone(),
        height: header.height,
        time: timestamp(&header.time),
        last_block_id: block_id(&header.last_block_id),
        last_commit_hash: bytes(&header.last_commit_hash),
        data_hash: bytes(&header.data_hash),
        validators_hash: bytes(&header.validators_hash),
        next_validators_hash: bytes(&header.next_validators_hash),
        consensus_hash: bytes(&header.consensus_hash),
        app_hash: bytes(&header.app_hash),
        last_results_hash: bytes(&header.last_results_hash),
        evidence_hash: bytes(&header.evidence_hash),
        proposer_address: bytes(&header.proposer_address),
    }
}

fn commit(commit: &proto::Commit) -> Commit {
    let signature = |sig: &proto::CommitSig| CommitSig {
        block_id_flag: u8::try_from(sig.block_id_flag).unwrap_or_default(),
        validator_address: bytes(&sig.validator_address),
        timestamp: timestamp(&sig.timestamp),
        signature: bytes(&sig.signature),
    };
    Commit {
        height: commit.height,
        round: commit.round,
        block_id: block_id(&commit.block_id),
        signatures: commit.signatures.iter().map(signature).collect::<Vec<_>>().into(),
    }
}

impl Block {
    /// The block with these parts. Source: go/consensus/tendermint/api/api.go, `NewBlock`.
    pub fn new(head: &proto::Header, last_commit: Option<&proto::Commit>) -> Self {
        let meta = BlockMeta { header: Some(header(head)), last_commit: last_commit.map(commit) };
        Self {
            height: head.height,
            hash: Hash(head.hash()),
            time: timestamp(&head.time),
            state_root: Root {
                namespace: Namespace::default(),
                version: u64::try_from(head.height.saturating_sub(1)).unwrap_or_default(),
                root_type: RootType::STATE,
                hash: if head.app_hash.is_empty() { Hash::EMPTY } else { Hash::from_slice(&head.app_hash).unwrap_or_default() },
            },
            meta: RawCbor(cbor::to_vec(&meta)),
        }
    }
}
