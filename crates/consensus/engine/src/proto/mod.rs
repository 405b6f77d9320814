//! The protobuf messages of Tendermint 0.34, as the Go node writes them.
//!
//! A `required` message is one that the original embeds by value (`gogoproto.nullable = false`): it is written even
//! when it is empty. Texts that Go may have filled with any bytes (logs) are byte strings here.
//!
//! Source: tendermint `proto/tendermint/{types,abci,state,crypto,version}`.

mod abci;
mod gogo;
mod parts;
mod schema;
mod types;
mod wire;

pub use abci::{
    AbciBlockParams, AbciConsensusParams, AbciResponses, Event, EventAttribute, ResponseBeginBlock, ResponseDeliverTx, ResponseEndBlock,
    ValidatorUpdate,
};
pub(crate) use gogo::{Lenient, decode_lenient};
pub use parts::{BlockMeta, Part, Proof, Proposal};
pub(crate) use schema::{CONSENSUS_ENVELOPE, Schema};
pub use types::{
    Block, BlockId, BlockIdFlag, BlockParams, Commit, CommitSig, Consensus, ConsensusParams, Data, DuplicateVoteEvidence, Duration,
    Evidence, EvidenceList, EvidenceParams, EvidenceSum, Header, LightBlock, LightClientAttackEvidence, PartSetHeader, PublicKey,
    PublicKeySum, SignedHeader, SignedMsgType, SimpleValidator, Timestamp, Validator, ValidatorParams, ValidatorSetMessage, VersionParams,
    Vote,
};
pub(crate) use types::{CanonicalBlockId, CanonicalProposal, CanonicalVote, HashedParams};
pub use wire::{WireError, decode};
