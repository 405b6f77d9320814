//! What documents show of an account is what the command prints of such an account.

use std::{collections::BTreeMap, process::Command, sync::Arc};

use oasis_consensus_types::{
    pretty::Network,
    staking::{Account, Delegation, ERR_INVALID_THRESHOLD, SharePool, StakeThreshold, ThresholdKind, ThresholdQuery},
};
use oasis_node_service::{
    api::block::Block as ConsensusBlock,
    grpc::{ApiError, Reply, Service, UnixServer},
};
use oasis_primitives::{
    address::Address,
    cbor::{self, Encode},
    quantity::Quantity,
};
use tokio::sync::watch;

use crate::{blocks, markdown::Block};

/// A node with one account, as a document shows it.
#[derive(Clone, Default)]
struct Shown {
    symbol: String,
    account: Account,
    delegations_to: BTreeMap<Address, Delegation>,
    thresholds: BTreeMap<ThresholdKind, Quantity>,
}

impl Shown {
    fn answer(&self, method: &str, request: &[u8]) -> Result<Vec<u8>, ApiError> {
        fn ok<T: Encode>(value: &T) -> Result<Vec<u8>, ApiError> {
            Ok(cbor::to_vec(value))
        }
        match method {
            "TokenSymbol" => ok(&self.symbol),
            "TokenValueExponent" => ok(&9u8),
            "GetBlock" => ok(&ConsensusBlock { height: 1, ..ConsensusBlock::default() }),
            "Account" => ok(&self.account),
            "DelegationsTo" => ok(&self.delegations_to),
            "DelegationInfosFor" | "DebondingDelegationInfosFor" | "DebondingDelegationsTo" => ok(&BTreeMap::<Address, Delegation>::new()),
            "Threshold" => {
                let query: ThresholdQuery = cbor::from_slice(request).unwrap();
                let missing = || ApiError::from(oasis_consensus_types::errors::CodedError::from(ERR_INVALID_THRESHOLD));
                self.thresholds.get(&query.kind).map_or_else(|| Err(missing()), ok)
            }
            _ => ok(&Quantity::ZERO),
        }
    }
}

impl Service for Shown {
    fn call(&self, _: &str, method: &str, request: Vec<u8>) -> Option<Reply> {
        Some(Reply::Ready(self.answer(method, &request)))
    }

    fn is_stream(&self, _: &str, _: &str) -> Option<bool> {
        Some(false)
    }
}

/// What a command prints that asks such a node.
fn ask(shown: &Shown, args: &[&str]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("s");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (_stop, stopped) = watch::channel(false);
    let server = runtime.block_on(UnixServer::bind(&socket)).unwrap();
    runtime.spawn(server.serve(Arc::new(shown.clone()), stopped));
    let mut command = Command::new(env!("CARGO_BIN_EXE_oasis-node"));
    let output = command.args(args).arg("-a").arg(format!("unix:{}", socket.display())).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// An amount in base units, of `20000.0`.
fn base_units(text: &str) -> Quantity {
    let (whole, fraction) = text.split_once('.').unwrap();
    Quantity::from(format!("{whole}{fraction:0<9}").parse::<u64>().unwrap())
}

/// An account of which a document shows balance, delegations to it, claims and nonce.
fn read(text: &str) -> Shown {
    let mut shown = Shown::default();
    let mut claim = None;
    let mut from = None;
    let mut claims: BTreeMap<String, Vec<StakeThreshold>> = BTreeMap::new();
    for line in text.lines().map(str::trim) {
        let (key, value) = line.split_once(':').map(|(key, value)| (key.trim_start_matches("- "), value.trim())).unwrap_or_default();
        let words: Vec<&str> = value.split_whitespace().collect();
        match key {
            "Available" => {
                shown.account.general.balance = base_units(words[0]);
                shown.symbol = words[1].to_owned();
            }
            "From" => from = Address::from_bech32(words[0]),
            "Amount" => {
                let shares: Quantity = words[2].trim_start_matches('(').parse::<u64>().unwrap().into();
                let (pool, amount) = (&mut shown.account.escrow.active, base_units(words[0]));
                *pool = SharePool { balance: pool.balance.plus(&amount), total_shares: pool.total_shares.plus(&shares) };
                shown.delegations_to.insert(from.take().unwrap(), Delegation { shares });
            }
            "Name" => claim = Some(value.to_owned()),
            "Global" => claims.entry(claim.clone().unwrap()).or_default().push(StakeThreshold::global(kind(value))),
            "Nonce" => shown.account.general.nonce = value.parse().unwrap(),
            _ => {}
        }
    }
    for (name, thresholds) in claims {
        shown.account.escrow.stake_accumulator.add_claim_unchecked(&name, thresholds.into());
    }
    shown
}

fn kind(name: &str) -> ThresholdKind {
    ThresholdKind::ALL.into_iter().find(|kind| kind.to_string() == name).unwrap()
}

#[test]
fn an_account_is_printed_as_the_documents_show_it() {
    let found = blocks(|block: &Block| block.text.starts_with("Balance:\n"));
    assert!(!found.is_empty());
    for block in found {
        let address = "oasis1qrwdwxutpyr9d2m84zh55rzcf99aw0hkts7myvv9";
        let printed = ask(&read(&block.text), &["stake", "account", "info", "--stake.account.address", address]);
        // Marks the account's own delegations, and tells the height first; the documents are of an earlier version.
        let printed = printed.replace(" (self)", "");
        let printed: String =
            printed.lines().filter(|line| !line.starts_with("Account State for Height:")).map(|l| format!("{l}\n")).collect();
        assert_eq!(printed, block.text, "{}", block.place);
    }
}

#[test]
fn thresholds_are_printed_as_the_documents_show_them() {
    const LINE: &str = "Staking threshold (";
    let found = blocks(|block: &Block| block.text.starts_with(LINE));
    assert!(!found.is_empty());
    for block in found {
        let mut shown = Shown::default();
        let mut expected = Vec::new();
        for line in block.text.lines() {
            let (name, amount) = line.strip_prefix(LINE).unwrap().split_once("): ").unwrap();
            // Documents of an earlier version have the symbol before the amount.
            let (a, b) = amount.split_once(' ').unwrap();
            let (symbol, amount) = if a.starts_with(|c: char| c.is_ascii_digit()) { (b, a) } else { (a, b) };
            shown.symbol = symbol.to_owned();
            shown.thresholds.insert(kind(name), base_units(amount));
            let network = Network { symbol: symbol.to_owned(), exponent: 9, genesis: None };
            expected.push(format!("{LINE}{name}): {}", network.amount(&base_units(amount))));
        }
        let printed = ask(&shown, &["stake", "info"]);
        let lines: Vec<&str> = printed.lines().filter(|line| line.starts_with(LINE)).collect();
        assert_eq!(lines, expected, "{}", block.place);
    }
}
