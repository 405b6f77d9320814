//! What is sent and asked, by name.

mod commission;
mod commission_schedule;
mod delegation;
mod governance;
mod invalid;
mod oversized;
mod parallel;
mod queries;
mod registration;
mod transfer;

use std::time::Duration;

use oasis_consensus_types::staking::{METHOD_TRANSFER, Transfer};
use oasis_node_service::entity::test_signer;
use oasis_primitives::{
    address::Address,
    cbor,
    quantity::Quantity,
    signature::{ChainContext, MemorySigner, Signer as _},
};

use crate::{
    Random,
    session::{Counts, Error, Session, ask},
    world::World,
};

/// What a workload has. Source: go/oasis-node/cmd/debug/txsource/workload/workload.go, `fundAccountAmount`.
const FUNDS: u64 = 10_000_000_000;
/// The pause after each turn of most workloads.
const PAUSE: Duration = Duration::from_secs(1);

/// What can be sent and asked.
///
/// Source: go/oasis-node/cmd/debug/txsource/workload/workload.go, `ByName`; all but the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// Transfers, burns, allowances, withdrawals.
    Transfer,
    /// Delegations that are added and reclaimed.
    Delegation,
    /// Changes of a commission schedule.
    Commission,
    /// Entities, a runtime, and nodes again and again.
    Registration,
    /// Transactions that are too large.
    Oversized,
    /// Many transfers at once.
    Parallel,
    /// Questions whose answers must fit each other.
    Queries,
    /// Proposals and votes.
    Governance,
    /// Load for a runtime.
    Runtime,
    /// Transactions of every kind that a node must refuse.
    Invalid,
}

impl Workload {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Transfer,
        Self::Delegation,
        Self::Commission,
        Self::Registration,
        Self::Oversized,
        Self::Parallel,
        Self::Queries,
        Self::Governance,
        Self::Runtime,
        Self::Invalid,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Transfer => "transfer",
            Self::Delegation => "delegation",
            Self::Commission => "commission",
            Self::Registration => "registration",
            Self::Oversized => "oversized",
            Self::Parallel => "parallel",
            Self::Queries => "queries",
            Self::Governance => "governance",
            Self::Runtime => "runtime",
            Self::Invalid => "invalid",
        }
    }

    /// The workload of a name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|workload| workload.name() == name)
    }

    fn needs_funds(self) -> bool {
        self != Self::Queries
    }
}

/// How a workload runs.
#[derive(Clone, Debug)]
pub struct Options {
    /// What decides; at least 32 bytes.
    pub seed: String,
    /// Base units a unit of gas.
    pub gas_price: u64,
    /// Owners of validators, for votes.
    pub validators: Vec<MemorySigner>,
    /// Versions of the state that the node keeps; 0: only the last is asked for.
    pub kept_versions: u64,
    /// The chain context that the node must have; where none is given, its own is taken.
    pub chain: Option<String>,
}

/// Runs a workload until the time is over.
///
/// Source: go/oasis-node/cmd/debug/txsource/txsource.go, `doRun`.
pub fn run(workload: Workload, options: &Options, world: &mut dyn World) -> Result<Counts, Error> {
    if workload == Workload::Runtime {
        let text = "--workload runtime: runtimes are not served yet; choose another workload, for example: --workload transfer";
        return Err(Error::Asked(text.to_owned()));
    }
    let random = Random::new(&options.seed, workload.name())?;
    // A node that has just started has no blocks to tell of.
    world
        .call(("oasis-core.NodeController/WaitSync".to_owned(), cbor::to_vec(&cbor::Value::Null)))
        .map_err(|error| Error::Refused { what: "NodeController/WaitSync".to_owned(), error })?;
    let found: String = ask(world, "Consensus/GetChainContext", &cbor::Value::Null)?;
    if let Some(expected) = options.chain.as_ref().filter(|expected| **expected != found) {
        return Err(Error::Asked(format!(
            "the node is of another network: its chain context is {found}, the genesis file's is {expected}; nothing was sent"
        )));
    }
    let chain = ChainContext::new(found).map_err(|e| Error::Unexpected(e.to_string()))?;
    let mut random = random;
    let funding = random.signer()?;
    let counts = if workload.needs_funds() {
        let test_entity = test_signer();
        let to = Address::of_public_key(&funding.public_key());
        let mut session = Session::new(world, random.clone(), chain.clone(), options.gas_price, test_entity);
        session.fund(to, &Quantity::from(FUNDS)).map_err(test_entity_needed)?;
        session.counts
    } else {
        Counts::default()
    };
    let mut session = Session::new(world, random, chain, options.gas_price, funding);
    session.counts = counts;
    match workload {
        Workload::Transfer => transfer::run(&mut session)?,
        Workload::Delegation => delegation::run(&mut session)?,
        Workload::Commission => commission::run(&mut session)?,
        Workload::Registration => registration::run(&mut session)?,
        Workload::Oversized => oversized::run(&mut session)?,
        Workload::Parallel => parallel::run(&mut session)?,
        Workload::Queries | Workload::Runtime => queries::run(&mut session, options.kept_versions)?,
        Workload::Governance => governance::run(&mut session, &options.validators)?,
        Workload::Invalid => invalid::run(&mut session)?,
    }
    Ok(session.counts)
}

fn test_entity_needed(error: Error) -> Error {
    match error {
        Error::Refused { what, error } if what == METHOD_TRANSFER => Error::Asked(format!(
            "the test entity can't pay ({error}): this works on test networks whose genesis document gives the test entity tokens \
             (`genesis init --debug.test_entity` or `localnet`)"
        )),
        other => other,
    }
}

/// Whether another turn follows, after a pause.
fn again(session: &mut Session<'_>, pause: Duration) -> bool {
    session.world.pause(pause);
    !session.world.is_over()
}

/// New accounts, each with tokens.
fn accounts(session: &mut Session<'_>, count: usize, amount: &Quantity) -> Result<Vec<(MemorySigner, Address)>, Error> {
    let mut out = Vec::new();
    for _ in 0..count {
        let signer = session.random.signer()?;
        let address = Address::of_public_key(&signer.public_key());
        session.fund(address, amount)?;
        out.push((signer, address));
    }
    Ok(out)
}

/// A transfer that everybody can make.
fn transfer_to(to: Address, amount: u64) -> Transfer {
    Transfer { to, amount: Quantity::from(amount) }
}
