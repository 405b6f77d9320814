//! The recorded answers of the original's API that follow from the state or from a block's events.

#![allow(clippy::unwrap_used, missing_docs)]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use anyhow::{Context, Result, bail, ensure};
use oasis_consensus_app::{
    beacon,
    error::{Error, Result as AppResult},
    event::Event,
    governance, keymanager, registry, roothash, scheduler, staking,
    store::{Store, Value},
};
use oasis_consensus_engine::proto;
use oasis_consensus_types::{
    consensus::{ERR_UNSUPPORTED, ERR_VERSION_NOT_FOUND},
    genesis::Document,
    roothash as roothash_api,
    scheduler::Validator,
    staking::{AllowanceQuery, OwnerQuery, ThresholdQuery},
};
use oasis_primitives::{
    cbor::{self, Cbor, Encode, NilVec, RawCbor},
    hash::Hash,
    namespace::Namespace,
    signature::PublicKey,
};

/// Methods whose answers need more than the state and the events: blocks, and states of other heights than the one asked for.
const NOT_OF_THE_STATE: [&str; 6] = [
    "Beacon/GetEpochBlock",
    "Consensus/GetBlock",
    "Consensus/GetTransactionsWithResults",
    "Consensus/StateToGenesis",
    "ConsensusLight/GetLightBlock",
    "ConsensusLight/GetParameters",
];

#[derive(Default, Cbor)]
struct Call {
    method: String,
    request: Vec<u8>,
    response: Vec<u8>,
    code: u32,
    error: String,
    status: Vec<u8>,
}

/// A chain's header and its blocks.
#[derive(Default, Cbor)]
struct Item {
    format: String,
    chain_context: String,
    initial_height: i64,
    last_height: i64,
    genesis_doc: Vec<u8>,
    height: i64,
    block: Vec<u8>,
    seen_commit: Vec<u8>,
    results: Vec<u8>,
    validators: Vec<u8>,
    state_root: Vec<u8>,
    diff: Vec<Change>,
}

#[derive(Default, Cbor)]
#[cbor(as_array)]
struct Change(Vec<u8>, Option<Vec<u8>>);

/// The fields that requests may have.
#[derive(Clone, Default, Cbor)]
struct Request {
    height: i64,
    id: RawCbor,
    runtime_id: Namespace,
    include_suspended: bool,
}

/// A code as the answer's status carries it.
#[derive(Cbor, Default)]
struct Status {
    module: String,
    code: u32,
}

struct Chain {
    document: Document,
    state: BTreeMap<Vec<u8>, Value>,
    block: proto::Block,
    results: proto::AbciResponses,
    height: i64,
    /// The results of runtimes' messages, by height.
    messages: BTreeMap<i64, Vec<roothash_api::Event>>,
}

fn list<T>(items: Vec<T>) -> NilVec<T> {
    items.into_iter().collect()
}

impl Chain {
    fn request_height(call: &Call) -> Result<i64> {
        let bytes = &call.request;
        match bytes.first().map(|b| b >> 5) {
            Some(0) => Ok(cbor::from_slice(bytes)?),
            // Requests have other fields too, which only trusted decoding passes over.
            Some(5) => Ok(cbor::from_slice_trusted::<Request>(bytes)?.height),
            _ => Ok(0),
        }
    }

    fn events<T>(&self, to_api: fn(&Event, i64, Hash) -> Result<Vec<T>, cbor::Error>) -> Result<NilVec<T>> {
        let mut out = Vec::new();
        let mut add = |events: &[proto::Event], tx_hash| -> Result<()> {
            for event in events {
                let attributes = event.attributes.iter().map(|a| (a.key.clone(), a.value.clone())).collect();
                out.extend(to_api(&Event { kind: event.r#type.clone(), attributes }, self.height, tx_hash)?);
            }
            Ok(())
        };
        add(&self.results.begin_block.as_ref().unwrap().events, Hash::empty())?;
        add(&self.results.end_block.as_ref().unwrap().events, Hash::empty())?;
        for (tx, result) in self.block.data.txs.iter().zip(&self.results.deliver_txs) {
            add(&result.events, Hash::of(tx))?;
        }
        Ok(list(out))
    }

    fn answer(&self, store: &Store, call: &Call) -> Result<AppResult<Vec<u8>>> {
        fn encoded<T: Encode>(answer: AppResult<T>) -> Result<AppResult<Vec<u8>>> {
            Ok(answer.map(|value| cbor::to_vec(&value)))
        }
        let bytes = &call.request;
        let request = match bytes.first().map(|b| b >> 5) {
            Some(5) => cbor::from_slice_trusted::<Request>(bytes)?,
            _ => Request::default(),
        };
        let key = || cbor::from_slice::<PublicKey>(&request.id);
        let name = || cbor::from_slice::<Namespace>(&request.id);
        let number = || cbor::from_slice::<u64>(&request.id);
        let owner = || cbor::from_slice::<OwnerQuery>(bytes).map(|q| q.owner);
        match call.method.as_str() {
            "Beacon/ConsensusParameters" => encoded(beacon::query::consensus_parameters(store)),
            "Beacon/GetBaseEpoch" => encoded(Ok(self.document.beacon.base)),
            "Beacon/GetBeacon" => encoded(beacon::query::beacon(store).map(|value| value.to_vec())),
            "Beacon/GetEpoch" => encoded(beacon::query::epoch(store).map(|e| e.epoch)),
            "Beacon/GetFutureEpoch" => encoded(beacon::query::future_epoch(store)),
            "Beacon/GetPVSSState" => encoded(beacon::query::pvss_state(store)),
            "Beacon/StateToGenesis" => encoded(beacon::query::state_to_genesis(store)),
            "Consensus/GetGenesisDocument" => encoded(Ok(&self.document)),
            // The node of the recording does not keep transactions.
            "Consensus/GetSignerNonce" => Ok(Err(ERR_UNSUPPORTED.into())),
            "Consensus/GetChainContext" => encoded(Ok(self.document.hash().to_string())),
            "Consensus/GetTransactions" => encoded(Ok(self.block.data.txs.iter().cloned().map(NilVec::from).collect::<Vec<_>>())),
            "Governance/ActiveProposals" => encoded(governance::query::active_proposals(store).map(list)),
            "Governance/ConsensusParameters" => encoded(governance::query::consensus_parameters(store)),
            "Governance/GetEvents" => encoded(Ok(self.events(governance::events::to_api)?)),
            "Governance/PendingUpgrades" => encoded(governance::query::pending_upgrades(store).map(list)),
            "Governance/Proposal" => encoded(governance::query::proposal(store, number()?)),
            "Governance/Proposals" => encoded(governance::query::proposals(store).map(list)),
            "Governance/StateToGenesis" => encoded(governance::export(store)),
            "Governance/Votes" => encoded(governance::query::votes(store, number()?).map(list)),
            "KeyManager/GetStatus" => encoded(keymanager::query::status(store, &name()?)),
            "KeyManager/GetStatuses" => encoded(keymanager::query::statuses(store).map(list)),
            "Registry/GetEntities" => encoded(registry::query::entities(store).map(list)),
            "Registry/GetEntity" => encoded(registry::query::entity(store, &key()?)),
            "Registry/GetEvents" => encoded(Ok(self.events(registry::events::to_api)?)),
            "Registry/GetNode" => encoded(registry::query::node(store, &key()?)),
            "Registry/GetNodeStatus" => encoded(registry::query::node_status(store, &key()?)),
            "Registry/GetNodes" => encoded(registry::query::nodes(store).map(list)),
            "Registry/GetRuntime" => encoded(registry::query::runtime(store, &name()?)),
            "Registry/GetRuntimes" => encoded(registry::query::runtimes(store, request.include_suspended).map(list)),
            "Registry/StateToGenesis" => encoded(registry::export(store)),
            "RootHash/ConsensusParameters" => encoded(roothash::query::consensus_parameters(store)),
            "RootHash/GetEvents" => encoded(Ok(self.events(roothash::events::to_api)?)),
            "RootHash/GetGenesisBlock" => encoded(roothash::query::genesis_block(store, &request.runtime_id)),
            "RootHash/GetLatestBlock" => encoded(roothash::query::latest_block(store, &request.runtime_id)),
            "RootHash/GetRuntimeState" => encoded(roothash::query::runtime_state(store, &request.runtime_id)),
            "RootHash/StateToGenesis" => {
                let events = |height| Ok(self.messages.get(&height).cloned().unwrap_or_default());
                encoded(roothash::query::state_to_genesis(store, events))
            }
            "Scheduler/ConsensusParameters" => encoded(scheduler::query::consensus_parameters(store)),
            "Scheduler/GetCommittees" => encoded(scheduler::query::runtime_committees(store, &request.runtime_id).map(list)),
            "Scheduler/GetValidators" => encoded(scheduler::query::validators(store).map(list)),
            "Scheduler/StateToGenesis" => encoded(scheduler::export(store)),
            "Staking/Account" => encoded(staking::query::account(store, &owner()?)),
            "Staking/Addresses" => encoded(staking::query::addresses(store).map(list)),
            "Staking/Allowance" => {
                let query: AllowanceQuery = cbor::from_slice(bytes)?;
                encoded(staking::query::allowance(store, &query.owner, &query.beneficiary))
            }
            "Staking/CommonPool" => encoded(staking::query::common_pool(store)),
            "Staking/ConsensusParameters" => encoded(staking::query::consensus_parameters(store)),
            "Staking/DebondingDelegationInfosFor" => encoded(staking::query::debonding_delegation_infos_for(store, &owner()?)),
            "Staking/DebondingDelegationsFor" => encoded(staking::query::debonding_delegations_for(store, &owner()?)),
            "Staking/DebondingDelegationsTo" => encoded(staking::query::debonding_delegations_to(store, &owner()?)),
            "Staking/DelegationInfosFor" => encoded(staking::query::delegation_infos_for(store, &owner()?)),
            "Staking/DelegationsFor" => encoded(staking::query::delegations_for(store, &owner()?)),
            "Staking/DelegationsTo" => encoded(staking::query::delegations_to(store, &owner()?)),
            "Staking/GetEvents" => encoded(Ok(self.events(staking::events::to_api)?)),
            "Staking/LastBlockFees" => encoded(staking::query::last_block_fees(store)),
            "Staking/StateToGenesis" => encoded(staking::query::genesis(store).map(|mut genesis| {
                genesis.token_symbol = self.document.staking.token_symbol.clone();
                genesis.token_value_exponent = self.document.staking.token_value_exponent;
                genesis
            })),
            "Staking/Threshold" => encoded(staking::query::threshold(store, cbor::from_slice::<ThresholdQuery>(bytes)?.kind)),
            "Staking/TokenSymbol" => encoded(Ok(self.document.staking.token_symbol.clone())),
            "Staking/TokenValueExponent" => encoded(Ok(self.document.staking.token_value_exponent)),
            "Staking/TotalSupply" => encoded(staking::query::total_supply(store)),
            "Staking/methodGovernanceDeposits" => encoded(staking::query::governance_deposits(store)),
            method => bail!("method {method} is not known here"),
        }
    }
}

fn compare(call: &Call, answer: AppResult<Vec<u8>>) -> Result<()> {
    let ours = match answer {
        Ok(answer) => {
            ensure!(call.code == 0, "answers, and the original fails with {}", call.error);
            let equal = if call.method == "Scheduler/GetValidators" {
                // The original goes through a map, in no order of its own.
                let sorted = |bytes: &[u8]| -> Result<Vec<(PublicKey, i64)>> {
                    let mut list: Vec<_> = cbor::from_slice::<Vec<Validator>>(bytes)?.into_iter().map(|v| (v.id, v.voting_power)).collect();
                    list.sort();
                    Ok(list)
                };
                sorted(&answer)? == sorted(&call.response)?
            } else {
                answer == call.response
            };
            ensure!(equal, "answers\n{}\ninstead of\n{}", hex::encode(&answer), hex::encode(&call.response));
            return Ok(());
        }
        Err(Error::Failed(e)) => Status { module: e.module.into_owned(), code: e.code },
        Err(e) => bail!("{e}"),
    };
    ensure!(call.code != 0, "fails with {} {}, and the original answers", ours.module, ours.code);
    ensure!(call.status.ends_with(&cbor::to_vec(&ours)), "fails with {} {} instead of {}", ours.module, ours.code, call.error);
    Ok(())
}

/// Answers the calls of a chain at their heights; returns the methods that were answered.
fn check_chain(chain: &[u8], calls: &[u8], methods: &mut BTreeSet<String>) -> Result<()> {
    let items: Vec<Item> = cbor::sequence_from_slice(chain)?;
    let (header, blocks) = items.split_first().context("a header")?;
    let mut by_height: BTreeMap<i64, Vec<Call>> = BTreeMap::new();
    for call in cbor::sequence_from_slice::<Call>(calls)? {
        if NOT_OF_THE_STATE.contains(&call.method.as_str()) {
            continue;
        }
        let height = match Chain::request_height(&call)? {
            height if height <= 0 || height > header.last_height => header.last_height,
            height => height,
        };
        by_height.entry(height).or_default().push(call);
    }
    let mut chain = Chain {
        document: cbor::from_slice_higher_limits(&header.genesis_doc)?,
        state: BTreeMap::new(),
        block: proto::Block::default(),
        results: proto::AbciResponses::default(),
        height: 0,
        messages: BTreeMap::new(),
    };
    for block in blocks {
        for Change(key, value) in &block.diff {
            match value {
                Some(value) => chain.state.insert(key.clone(), value.as_slice().into()),
                None => chain.state.remove(key),
            };
        }
        chain.height = block.height;
        chain.block = proto::decode(&block.block).map_err(|e| anyhow::anyhow!("{e:?}"))?;
        chain.results = oasis_consensus_engine::decode_responses(&block.results).map_err(|e| anyhow::anyhow!("{e}"))?;
        chain.messages.insert(block.height, chain.events(roothash::events::to_api)?.into_vec());
        let Some(calls) = by_height.remove(&block.height) else { continue };
        let store = Store::new(Arc::new(chain.state.clone()));
        for call in calls {
            let answer = chain.answer(&store, &call);
            let place = || format!("{} at height {}, request {}", call.method, block.height, hex::encode(&call.request));
            compare(&call, answer.with_context(place)?).with_context(place)?;
            methods.insert(call.method);
        }
    }
    for call in by_height.into_values().flatten() {
        compare(&call, Err(ERR_VERSION_NOT_FOUND.into())).with_context(|| call.method.clone())?;
    }
    ensure!(header.initial_height > 0);
    Ok(())
}

#[test]
fn vectors_of_the_api_are_answered_from_the_state() {
    let check = || -> Result<()> {
        let mut methods = BTreeSet::new();
        let files = oasis_test_vectors::files("api/", ".cbor.gz")?;
        ensure!(!files.is_empty(), "no recorded calls");
        for file in &files {
            let name = file.file_name().context("a name")?.to_string_lossy().into_owned();
            let chains = oasis_test_vectors::files("chains/", &name)?;
            // A directory may hold the calls without their chain; those of the repository have it.
            let Some(chain) = chains.iter().find(|path| path.ends_with(format!("chains/{name}"))) else { continue };
            check_chain(&oasis_test_vectors::read(chain)?, &oasis_test_vectors::read(file)?, &mut methods)
                .with_context(|| format!("{}", file.display()))?;
        }
        ensure!(methods.len() >= 50, "methods answered: {methods:?}");
        Ok(())
    };
    check().unwrap();
}
