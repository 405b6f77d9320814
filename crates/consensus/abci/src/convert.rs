//! From the engine's messages to the apps' and back.
//!
//! Source: go/consensus/tendermint/abci/mux.go, `BeginBlock`, `DeliverTx`, `EndBlock`; tendermint `state/execution.go`.

use oasis_consensus_app::{
    block::{BeginBlock, EndBlock, Misbehaviour, MisbehaviourKind, TxResult, Vote},
    context::BlockTime,
    event::Event,
};
use oasis_consensus_engine::{
    ByzantineValidator, CheckedBlock, EngineGenesis, InitChainResponse, Misbehaviour as EngineMisbehaviour, VoteInfo, proto,
};
use oasis_consensus_types::consensus::TENDERMINT_APP_VERSION;
use oasis_primitives::hash::Hash;

/// The start of a block, as the apps see it.
///
/// Source: tendermint `state/execution.go`, `execBlockOnProxyApp`.
pub fn begin_block(block: &CheckedBlock, votes: &[VoteInfo], byzantine: &[ByzantineValidator]) -> BeginBlock {
    let header = block.header();
    let votes = votes.iter().map(|v| Vote { address: address(&v.address), power: v.power, signed: v.signed_last_block });
    BeginBlock {
        height: header.height,
        hash: block.id().hash.clone(),
        last_commit_hash: header.last_commit_hash.clone(),
        time: block_time(&header.time),
        proposer: header.proposer_address.clone(),
        votes: votes.collect(),
        misbehaviour: byzantine.iter().map(misbehaviour).collect(),
    }
}

fn misbehaviour(m: &ByzantineValidator) -> Misbehaviour {
    Misbehaviour {
        kind: match m.kind {
            EngineMisbehaviour::DuplicateVote => MisbehaviourKind::DuplicateVote,
            EngineMisbehaviour::LightClientAttack => MisbehaviourKind::LightClientAttack,
        },
        address: address(&m.address),
        power: m.power,
        height: m.height,
        time: block_time(&m.time),
        total_power: m.total_voting_power,
    }
}

/// An address that was found to have 20 bytes.
fn address(bytes: &[u8]) -> [u8; 20] {
    bytes.try_into().unwrap_or_default()
}

/// A time, as the apps see it.
pub fn block_time(t: &proto::Timestamp) -> BlockTime {
    BlockTime { seconds: t.seconds, nanos: u32::try_from(t.nanos).unwrap_or_default() }
}

/// What the original answers to a genesis document: the parameters that it was given, so that the engine takes the root.
///
/// Source: go/consensus/tendermint/abci/mux.go, `InitChain`; tendermint `types/protobuf.go`, `TM2PB.ConsensusParams`.
pub(crate) fn init_chain(genesis: &EngineGenesis, root: Hash) -> InitChainResponse {
    let params = &genesis.consensus_params;
    let block = proto::AbciBlockParams { max_bytes: params.block.max_bytes, max_gas: params.block.max_gas };
    let params = proto::AbciConsensusParams {
        block: Some(block),
        evidence: Some(params.evidence),
        validator: Some(params.validator.clone()),
        version: None,
    };
    InitChainResponse { consensus_params: Some(params), validators: Vec::new(), app_hash: root.0.to_vec() }
}

/// The answers to a block. A block at which the network `halted` has none at its end.
pub fn responses(begin: Vec<Event>, txs: Vec<TxResult>, end: EndBlock, halted: bool) -> proto::AbciResponses {
    let updates = end
        .validator_updates
        .iter()
        .map(|u| proto::ValidatorUpdate { pub_key: proto::PublicKey::ed25519(&u.public_key.0), power: u.power });
    let version = proto::VersionParams { app_version: TENDERMINT_APP_VERSION };
    let end_block = proto::ResponseEndBlock {
        validator_updates: updates.collect(),
        consensus_param_updates: (!halted).then(|| proto::AbciConsensusParams { version: Some(version), ..Default::default() }),
        events: events(end.events),
    };
    proto::AbciResponses {
        deliver_txs: txs.into_iter().map(deliver_tx).collect(),
        end_block: Some(end_block),
        begin_block: Some(proto::ResponseBeginBlock { events: events(begin) }),
    }
}

fn deliver_tx(result: TxResult) -> proto::ResponseDeliverTx {
    proto::ResponseDeliverTx {
        code: result.code,
        data: result.data,
        log: result.message.into_bytes(),
        info: Vec::new(),
        gas_wanted: result.gas_wanted.cast_signed(),
        gas_used: result.gas_used.cast_signed(),
        events: events(result.events),
        codespace: result.module,
    }
}

fn events(events: Vec<Event>) -> Vec<proto::Event> {
    let attribute = |(key, value)| proto::EventAttribute { key, value, index: false };
    let event = |e: Event| proto::Event { r#type: e.kind, attributes: e.attributes.into_iter().map(attribute).collect() };
    events.into_iter().map(event).collect()
}
