//! Questions whose answers must fit each other.
//!
//! Source: go/oasis-node/cmd/debug/txsource/workload/queries.go.

use oasis_consensus_engine::address_of;
use oasis_consensus_types::{
    beacon::ConsensusParameters as BeaconParameters,
    entity::Entity,
    governance::{self, Proposal, ProposalQuery, VoteEntry},
    node::Node,
    registry::{self, ConsensusAddressQuery, GetRuntimesQuery, IdQuery, NamespaceQuery, NodeStatus},
    scheduler::{ConsensusParameters as SchedulerParameters, Validator},
    staking::{self, Account, AllowanceQuery, ConsensusParameters as StakingParameters, OwnerQuery, ThresholdKind, ThresholdQuery},
    upgrade::Descriptor,
};
use oasis_node_service::api::{block::Block, results::TransactionsWithResults};
use oasis_primitives::{
    address::Address,
    cbor::{self, Encode, NilVec, RawCbor},
    hash::Hash,
    quantity::Quantity,
};

use super::{PAUSE, again};
use crate::session::{Error, LATEST, Session};

/// How many of all questions are about the first height, and about the last. Source: `queriesEarliestHeightRatio`, `queriesLatestHeightRatio`.
const FIRST: f32 = 0.1;
const LAST: f32 = 0.1;
/// Turns from one look at all proposals to the next. Source: `doQueryAllProposalsEvery`.
const ALL_PROPOSALS: u64 = 10;
/// Kinds of thresholds. Source: go/staking/api/api.go, `KindMax`.
const KINDS: u64 = 6;

struct Known {
    beacon: BeaconParameters,
    staking: StakingParameters,
    scheduler: SchedulerParameters,
}

fn wrong(height: i64, what: impl std::fmt::Display) -> Error {
    Error::Unexpected(format!("height {height}: {what}"))
}

pub fn run(session: &mut Session<'_>, kept: u64) -> Result<(), Error> {
    let known = Known {
        staking: session.ask("Staking/ConsensusParameters", &LATEST)?,
        scheduler: session.ask("Scheduler/ConsensusParameters", &LATEST)?,
        beacon: session.ask("Beacon/ConsensusParameters", &LATEST)?,
    };
    for turn in 0u64.. {
        match one(session, &known, kept, turn) {
            // The node may be starting anew.
            Err(error) if error.is_unavailable() => session.world.say(format_args!("node unavailable, retrying: {error}")),
            result => result?,
        }
        if !again(session, PAUSE) {
            break;
        }
    }
    Ok(())
}

/// Source: `doQueries`.
fn one(session: &mut Session<'_>, known: &Known, kept: u64, turn: u64) -> Result<(), Error> {
    let last: Block = session.ask("Consensus/GetBlock", &LATEST)?;
    let first = last.height.saturating_sub_unsigned(kept).max(1);
    let part = session.random.part()?;
    let height = if part < FIRST {
        first
    } else if part < FIRST + LAST {
        last.height
    } else {
        first.saturating_add_unsigned(session.random.below_63((last.height - first).unsigned_abs() + 1)?)
    };
    session.world.say(format_args!("questions about height {height} of {}", last.height));
    let _: RawCbor = session.ask("NodeController/GetStatus", &cbor::Value::Null)?;
    blocks(session, known, height)?;
    let validators: NilVec<Validator> = session.ask("Scheduler/GetValidators", &height)?;
    if (validators.len() as u64) < u64::try_from(known.scheduler.min_validators).unwrap_or_default() {
        return Err(wrong(height, format_args!("{} validators are fewer than allowed", validators.len())));
    }
    registry(session, height)?;
    staking(session, known, height)?;
    governance(session, height, turn.is_multiple_of(ALL_PROPOSALS) && part >= FIRST)
}

/// Source: `doConsensusQueries`.
fn blocks(session: &mut Session<'_>, known: &Known, height: i64) -> Result<(), Error> {
    let epoch: u64 = session.ask("Beacon/GetEpoch", &height)?;
    let block: Block = session.ask("Consensus/GetBlock", &height)?;
    if block.height != height {
        return Err(wrong(height, format_args!("the block has height {}", block.height)));
    }
    if let (Some(insecure), false) = (&known.beacon.insecure_parameters, known.beacon.debug_mock_backend)
        && let Some(expected) = height.checked_div(insecure.interval)
        && u64::try_from(expected) != Ok(epoch)
    {
        return Err(wrong(height, format_args!("expected epoch {expected}, found {epoch}")));
    }
    let transactions: NilVec<NilVec<u8>> = session.ask("Consensus/GetTransactions", &height)?;
    let results: TransactionsWithResults = session.ask("Consensus/GetTransactionsWithResults", &height)?;
    let counts = (transactions.len(), results.transactions.len(), results.results.len());
    if counts.0 != counts.1 || counts.0 != counts.2 {
        return Err(wrong(height, format_args!("counts of transactions and results differ: {counts:?}")));
    }
    // Source: `sanityCheckTransactionEvents`.
    let told = results.results.iter().flat_map(|result| result.events.iter());
    let (mut stake, mut entries, mut proposals) = (Vec::new(), Vec::new(), Vec::new());
    for event in told {
        stake.extend(event.staking.iter().map(cbor::to_vec));
        entries.extend(event.registry.iter().map(cbor::to_vec));
        proposals.extend(event.governance.iter().map(cbor::to_vec));
    }
    let of_staking: NilVec<staking::Event> = session.ask("Staking/GetEvents", &height)?;
    let of_registry: NilVec<registry::Event> = session.ask("Registry/GetEvents", &height)?;
    let of_governance: NilVec<governance::Event> = session.ask("Governance/GetEvents", &height)?;
    let by_transactions = |hash: &Hash| *hash != Hash::empty();
    same(height, "staking", stake, of_staking.iter().filter(|e| by_transactions(&e.tx_hash)))?;
    same(height, "registry", entries, of_registry.iter().filter(|e| by_transactions(&e.tx_hash)))?;
    same(height, "governance", proposals, of_governance.iter().filter(|e| by_transactions(&e.tx_hash)))
}

/// Events that are told with transactions must be those that an app tells of, in any order.
fn same<'a, T: Encode + 'a>(height: i64, app: &str, mut told: Vec<Vec<u8>>, events: impl Iterator<Item = &'a T>) -> Result<(), Error> {
    let mut expected: Vec<Vec<u8>> = events.map(|event| cbor::to_vec(event)).collect();
    expected.sort_unstable();
    told.sort_unstable();
    if told == expected { Ok(()) } else { Err(wrong(height, format_args!("{app} events of transactions are not those of the app"))) }
}

/// Source: `doRegistryQueries`.
fn registry(session: &mut Session<'_>, height: i64) -> Result<(), Error> {
    let entities: NilVec<Entity> = session.ask("Registry/GetEntities", &height)?;
    for entity in entities.iter() {
        let one: Entity = session.ask("Registry/GetEntity", &IdQuery { height, id: entity.id })?;
        if one != *entity {
            return Err(wrong(height, format_args!("entity {} differs", entity.id)));
        }
    }
    let nodes: NilVec<Node> = session.ask("Registry/GetNodes", &height)?;
    if entities.is_empty() || nodes.is_empty() {
        return Err(wrong(height, "no entities or no nodes"));
    }
    for node in nodes.iter() {
        let query = IdQuery { height, id: node.id };
        let one: Node = session.ask("Registry/GetNode", &query)?;
        let _: NodeStatus = session.ask("Registry/GetNodeStatus", &query)?;
        let address = address_of(&node.consensus.id.0);
        let query = ConsensusAddressQuery { height, address: address.to_vec().into() };
        let by_address: Node = session.ask("Registry/GetNodeByConsensusAddress", &query)?;
        if one != *node || by_address != *node {
            return Err(wrong(height, format_args!("node {} differs", node.id)));
        }
    }
    let active: NilVec<registry::Runtime> = session.ask("Registry/GetRuntimes", &GetRuntimesQuery { height, include_suspended: false })?;
    for runtime in active.iter() {
        let one: registry::Runtime = session.ask("Registry/GetRuntime", &NamespaceQuery { height, id: runtime.id })?;
        if one != *runtime {
            return Err(wrong(height, format_args!("runtime {} differs", runtime.id)));
        }
    }
    let all: NilVec<registry::Runtime> = session.ask("Registry/GetRuntimes", &GetRuntimesQuery { height, include_suspended: true })?;
    if all.len() < active.len() { Err(wrong(height, "fewer runtimes with the suspended than without")) } else { Ok(()) }
}

/// Source: `doStakingQueries`.
fn staking(session: &mut Session<'_>, known: &Known, height: i64) -> Result<(), Error> {
    let total: Quantity = session.ask("Staking/TotalSupply", &height)?;
    let mut sum: Quantity = session.ask("Staking/CommonPool", &height)?;
    // Named so in the original.
    for method in ["LastBlockFees", "methodGovernanceDeposits"] {
        sum.add(&session.ask(&format!("Staking/{method}"), &height)?);
    }
    let kind = ThresholdKind(session.random.below(KINDS)? as _);
    let threshold: Quantity = session.ask("Staking/Threshold", &ThresholdQuery { height, kind })?;
    if known.staking.thresholds.get(&kind).cloned().unwrap_or_default() != threshold {
        return Err(wrong(height, format_args!("threshold of kind {} is {threshold}", kind.0)));
    }
    let addresses: NilVec<Address> = session.ask("Staking/Addresses", &height)?;
    for owner in addresses.iter() {
        let account: Account = session.ask("Staking/Account", &OwnerQuery { height, owner: *owner })?;
        for part in [&account.general.balance, &account.escrow.active.balance, &account.escrow.debonding.balance] {
            sum.add(part);
        }
        for (beneficiary, allowance) in &account.general.allowances {
            let query = AllowanceQuery { height, owner: *owner, beneficiary: *beneficiary };
            let one: Quantity = session.ask("Staking/Allowance", &query)?;
            if one != *allowance {
                return Err(wrong(height, format_args!("allowance of {owner} for {beneficiary}: {allowance} and {one}")));
            }
        }
    }
    if sum == total { Ok(()) } else { Err(wrong(height, format_args!("all tokens sum up to {sum}, the total supply is {total}"))) }
}

/// Source: `doGovernanceQueries`.
fn governance(session: &mut Session<'_>, height: i64, each: bool) -> Result<(), Error> {
    let proposals: NilVec<Proposal> = session.ask("Governance/Proposals", &height)?;
    for proposal in proposals.iter().filter(|_| each) {
        let query = ProposalQuery { height, proposal_id: proposal.id };
        let one: Proposal = session.ask("Governance/Proposal", &query)?;
        let _: NilVec<VoteEntry> = session.ask("Governance/Votes", &query)?;
        if one.content != proposal.content {
            return Err(wrong(height, format_args!("proposal {} differs", proposal.id)));
        }
    }
    let _: NilVec<Proposal> = session.ask("Governance/ActiveProposals", &height)?;
    let pending: NilVec<Descriptor> = session.ask("Governance/PendingUpgrades", &height)?;
    for upgrade in pending.iter() {
        upgrade.validate_basic().map_err(|e| wrong(height, e.message))?;
    }
    Ok(())
}
