//! What the app keeps in the state, and where.
//!
//! Source: go/consensus/tendermint/apps/governance/state/state.go.

use oasis_consensus_types::{
    governance::{ConsensusParameters, ERR_NO_SUCH_PROPOSAL, ERR_NO_SUCH_UPGRADE, Proposal, UpgradeProposal, Vote, VoteEntry},
    upgrade::Descriptor,
};
use oasis_primitives::address::Address;

use crate::{
    context::missing,
    epoch::EpochTime,
    error::{Error, Result},
    store::{Store, Value, decode},
};

/// The number of the next proposal.
const NEXT_PROPOSAL_ID: &[u8] = &[0x80];
/// Proposals: number.
const PROPOSALS: u8 = 0x81;
/// Open proposals, without values: closing epoch, number.
const ACTIVE_PROPOSALS: u8 = 0x82;
/// Votes: proposal, voter.
const VOTES: u8 = 0x83;
/// Pending upgrades, without values: epoch, number of the proposal.
const PENDING_UPGRADES: u8 = 0x84;
const PARAMETERS: &[u8] = &[0x85];

fn key(prefix: u8, numbers: &[u64]) -> Vec<u8> {
    let mut out = vec![prefix];
    for n in numbers {
        out.extend_from_slice(&n.to_be_bytes());
    }
    out
}

fn number(key: &[u8], index: usize) -> Result<u64> {
    let bytes = key.get(1..).and_then(|numbers| numbers.chunks_exact(8).nth(index)).and_then(|b| b.try_into().ok());
    bytes.map(u64::from_be_bytes).ok_or_else(|| Error::fatal(format!("governance: malformed key with prefix {:02x?}", key.first())))
}

/// The parameters.
pub fn params(store: &Store) -> Result<ConsensusParameters> {
    store.get_cbor(PARAMETERS)?.ok_or_else(|| missing("governance parameters"))
}

/// Sets the parameters.
pub fn set_params(store: &mut Store, params: &ConsensusParameters) {
    store.insert_cbor(PARAMETERS, params);
}

/// The number of the next proposal.
pub fn next_proposal_id(store: &Store) -> Result<u64> {
    Ok(store.get_cbor(NEXT_PROPOSAL_ID)?.unwrap_or_default())
}

/// Sets the number of the next proposal.
pub fn set_next_proposal_id(store: &mut Store, id: u64) {
    store.insert_cbor(NEXT_PROPOSAL_ID, &id);
}

/// A proposal; without one the error is [`ERR_NO_SUCH_PROPOSAL`].
pub fn proposal(store: &Store, id: u64) -> Result<Proposal> {
    store.get_cbor(&key(PROPOSALS, &[id]))?.ok_or_else(|| ERR_NO_SUCH_PROPOSAL.into())
}

/// All proposals, by number.
pub fn proposals(store: &Store) -> Result<Vec<Proposal>> {
    store.iterate(&[PROPOSALS])?.iter().map(|(key, value)| decode(key, value)).collect()
}

/// The open proposals, by closing epoch and number.
pub fn active_proposals(store: &Store) -> Result<Vec<Proposal>> {
    store.iterate(&[ACTIVE_PROPOSALS])?.iter().map(|(key, _)| proposal(store, number(key, 1)?)).collect()
}

/// Sets an open proposal.
pub fn set_active_proposal(store: &mut Store, proposal: &Proposal) {
    set_proposal(store, proposal);
    store.insert(&key(ACTIVE_PROPOSALS, &[proposal.closes_at, proposal.id]), Vec::new());
}

/// Takes a proposal off the open ones.
pub fn remove_active_proposal(store: &mut Store, proposal: &Proposal) {
    store.remove(&key(ACTIVE_PROPOSALS, &[proposal.closes_at, proposal.id]));
}

/// Sets a proposal.
pub fn set_proposal(store: &mut Store, proposal: &Proposal) {
    store.insert_cbor(&key(PROPOSALS, &[proposal.id]), proposal);
}

/// The votes on a proposal, by voter.
pub fn votes(store: &Store, id: u64) -> Result<Vec<VoteEntry>> {
    let malformed = || Error::fatal("governance: malformed key of a vote");
    let entry = |(key, value): &(Vec<u8>, Value)| {
        let voter = key.get(9..).and_then(Address::from_slice).ok_or_else(malformed)?;
        Ok(VoteEntry { voter, vote: decode::<Vote>(key, value)? })
    };
    store.iterate(&key(VOTES, &[id]))?.iter().map(entry).collect()
}

/// Sets a vote.
pub fn set_vote(store: &mut Store, id: u64, voter: &Address, vote: Vote) {
    let mut key = key(VOTES, &[id]);
    key.extend_from_slice(&voter.0);
    store.insert_cbor(&key, &vote);
}

/// The upgrade of a proposal, where it is pending; else the error is [`ERR_NO_SUCH_PROPOSAL`] or [`ERR_NO_SUCH_UPGRADE`].
pub fn pending_upgrade_proposal(store: &Store, id: u64) -> Result<UpgradeProposal> {
    let proposal = proposal(store, id)?;
    let upgrade = proposal.content.upgrade.ok_or(ERR_NO_SUCH_UPGRADE)?;
    if store.contains(&key(PENDING_UPGRADES, &[upgrade.descriptor.epoch, id]))? { Ok(upgrade) } else { Err(ERR_NO_SUCH_UPGRADE.into()) }
}

/// The pending upgrades, by epoch and number of the proposal.
pub fn pending_upgrades(store: &Store) -> Result<Vec<Descriptor>> {
    let descriptor = |(key, _): &(Vec<u8>, _)| {
        let proposal = proposal(store, number(key, 1)?)?;
        let upgrade = proposal.content.upgrade.ok_or_else(|| missing("the descriptor of a pending upgrade"))?;
        Ok(upgrade.descriptor)
    };
    store.iterate(&[PENDING_UPGRADES])?.iter().map(descriptor).collect()
}

/// Adds a pending upgrade.
pub fn set_pending_upgrade(store: &mut Store, id: u64, epoch: EpochTime) {
    store.insert(&key(PENDING_UPGRADES, &[epoch, id]), Vec::new());
}

/// Removes a pending upgrade.
pub fn remove_pending_upgrade(store: &mut Store, id: u64, epoch: EpochTime) {
    store.remove(&key(PENDING_UPGRADES, &[epoch, id]));
}

/// Removes the pending upgrades of an epoch.
pub fn remove_pending_upgrades_for_epoch(store: &mut Store, epoch: EpochTime) -> Result<()> {
    for (key, _) in store.iterate(&key(PENDING_UPGRADES, &[epoch]))? {
        store.remove(&key);
    }
    Ok(())
}
