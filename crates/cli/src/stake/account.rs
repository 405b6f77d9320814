//! `oasis-node stake account`.
//!
//! Source: go/oasis-node/cmd/stake/account.go.

use std::str::FromStr;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use oasis_consensus_types::{
    pretty::{self, AccountState},
    staking::{
        self, Allow, AmendCommissionSchedule, Burn, CommissionRateBoundStep, CommissionRateStep, Escrow, OwnerQuery, ReclaimEscrow,
        Transfer, Withdraw,
    },
};
use oasis_node_service::api::block::Block;
use oasis_primitives::{address::Address, cbor::Encode, quantity::Quantity};

use super::token;
use crate::common::{CommonFlags, LATEST, Node, NodeFlags, VerboseFlag, parse, print, tx::TxFlags, write_out};

/// An address that examples may show.
const EXAMPLE: &str = "oasis1qrvsa8ukfw3p6kw2vcs0fk9t59mceqq7fyttwqgx";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum AccountCommand {
    /// Shows an account.
    Info {
        #[command(flatten)]
        account: AccountFlag,
        #[command(flatten)]
        node: NodeFlags,
        /// Height; the latest where it is 0.
        #[arg(long, value_name = "HEIGHT", default_value_t = LATEST)]
        height: i64,
    },
    /// Shows an account's nonce: how many transactions it has signed.
    Nonce {
        #[command(flatten)]
        account: AccountFlag,
        #[command(flatten)]
        node: NodeFlags,
    },
    /// Says by its exit code whether an address is one.
    #[command(name = "validate_address")]
    ValidateAddress {
        #[command(flatten)]
        account: AccountFlag,
        #[command(flatten)]
        node: NodeFlags,
        #[command(flatten)]
        verbose: VerboseFlag,
    },
    /// Makes a transfer.
    #[command(name = "gen_transfer")]
    GenTransfer {
        /// Address of the receiving account.
        #[arg(id = "stake.transfer.destination", long = "stake.transfer.destination", value_name = "ADDRESS")]
        destination: Option<String>,
        #[command(flatten)]
        amount: AmountFlag,
        #[command(flatten)]
        tx: TxFlags,
    },
    /// Makes a transaction that destroys stake.
    #[command(name = "gen_burn")]
    GenBurn {
        #[command(flatten)]
        amount: AmountFlag,
        #[command(flatten)]
        tx: TxFlags,
    },
    /// Makes a transaction that delegates stake.
    #[command(name = "gen_escrow")]
    GenEscrow {
        #[command(flatten)]
        escrow: EscrowFlag,
        #[command(flatten)]
        amount: AmountFlag,
        #[command(flatten)]
        tx: TxFlags,
    },
    /// Makes a transaction that takes stake back.
    #[command(name = "gen_reclaim_escrow")]
    GenReclaimEscrow {
        #[command(flatten)]
        escrow: EscrowFlag,
        /// Shares of the escrow account.
        #[arg(id = "stake.shares", long = "stake.shares", value_name = "SHARES", default_value = "0")]
        shares: String,
        #[command(flatten)]
        tx: TxFlags,
    },
    /// Makes a change to commission rates.
    #[command(name = "gen_amend_commission_schedule")]
    GenAmendCommissionSchedule {
        /// A rate, EPOCH/RATE, in 100,000ths; may be given several times.
        #[arg(
            id = "stake.commission_schedule.rates",
            long = "stake.commission_schedule.rates",
            value_name = "EPOCH/RATE",
            value_delimiter = ','
        )]
        rates: Vec<String>,
        /// Bounds of rates, EPOCH/MINIMUM/MAXIMUM, in 100,000ths; may be given several times.
        #[arg(
            id = "stake.commission_schedule.bounds",
            long = "stake.commission_schedule.bounds",
            value_name = "EPOCH/MINIMUM/MAXIMUM",
            value_delimiter = ','
        )]
        bounds: Vec<String>,
        #[command(flatten)]
        tx: TxFlags,
    },
    /// Makes a change to what another may withdraw.
    #[command(name = "gen_allow")]
    GenAllow {
        /// Address of who may withdraw.
        #[arg(id = "stake.allow.beneficiary", long = "stake.allow.beneficiary", value_name = "ADDRESS")]
        beneficiary: Option<String>,
        /// By how much more, or with a minus less, base units.
        #[arg(
            id = "stake.allow.amount_change",
            long = "stake.allow.amount_change",
            value_name = "AMOUNT",
            default_value = "0",
            allow_hyphen_values = true
        )]
        change: String,
        #[command(flatten)]
        tx: TxFlags,
    },
    /// Makes a transaction that withdraws from another's account.
    #[command(name = "gen_withdraw")]
    GenWithdraw {
        /// Address of the account that pays.
        #[arg(id = "stake.withdraw.source", long = "stake.withdraw.source", value_name = "ADDRESS")]
        source: Option<String>,
        #[command(flatten)]
        amount: AmountFlag,
        #[command(flatten)]
        tx: TxFlags,
    },
}

/// Which account.
#[derive(Debug, Args)]
pub struct AccountFlag {
    /// Address of the account.
    #[arg(id = "stake.account.address", long = "stake.account.address", value_name = "ADDRESS")]
    address: Option<String>,
}

/// How much.
#[derive(Debug, Args)]
pub struct AmountFlag {
    /// Amount in base units.
    #[arg(id = "stake.amount", long = "stake.amount", value_name = "AMOUNT", default_value = "0", allow_hyphen_values = true)]
    amount: String,
}

/// Which escrow account.
#[derive(Debug, Args)]
pub struct EscrowFlag {
    /// Address of the escrow account.
    #[arg(id = "stake.escrow.account", long = "stake.escrow.account", value_name = "ADDRESS")]
    account: Option<String>,
}

impl AccountFlag {
    fn read(&self) -> Result<Address> {
        address("stake.account.address", self.address.as_deref())
    }
}

impl AmountFlag {
    fn read(&self) -> Result<Quantity> {
        amount("stake.amount", &self.amount)
    }
}

impl EscrowFlag {
    fn read(&self) -> Result<Address> {
        address("stake.escrow.account", self.account.as_deref())
    }
}

fn address(flag: &str, text: Option<&str>) -> Result<Address> {
    parse(flag, text, "an address", EXAMPLE, Address::from_bech32)
}

fn amount(flag: &str, text: &str) -> Result<Quantity> {
    parse(flag, Some(text), "base units", "1000000000", Quantity::from_text)
}

/// Runs a command.
pub fn run(command: &AccountCommand, common: &CommonFlags) -> Result<()> {
    match command {
        AccountCommand::Info { account, node, height } => info(&account.read()?, &Node::connect(node)?, *height),
        AccountCommand::Nonce { account, node } => {
            let owner = account.read()?;
            let account: staking::Account = Node::connect(node)?.call("Staking/Account", &OwnerQuery { height: LATEST, owner })?;
            print(&account.general.nonce.to_string())
        }
        AccountCommand::ValidateAddress { account, verbose, .. } => {
            validate(account.address.as_deref().unwrap_or_default(), verbose.verbose)
        }
        AccountCommand::GenTransfer { destination, amount, tx } => make(tx, common, staking::METHOD_TRANSFER, || {
            Ok(Transfer { to: address("stake.transfer.destination", destination.as_deref())?, amount: amount.read()? })
        }),
        AccountCommand::GenBurn { amount, tx } => make(tx, common, staking::METHOD_BURN, || Ok(Burn { amount: amount.read()? })),
        AccountCommand::GenEscrow { escrow, amount, tx } => {
            make(tx, common, staking::METHOD_ADD_ESCROW, || Ok(Escrow { account: escrow.read()?, amount: amount.read()? }))
        }
        AccountCommand::GenReclaimEscrow { escrow, shares, tx } => make(tx, common, staking::METHOD_RECLAIM_ESCROW, || {
            Ok(ReclaimEscrow {
                account: escrow.read()?,
                shares: parse("stake.shares", Some(shares), "shares", "1000000000", Quantity::from_text)?,
            })
        }),
        AccountCommand::GenAmendCommissionSchedule { rates, bounds, tx } => {
            make(tx, common, staking::METHOD_AMEND_COMMISSION_SCHEDULE, || amendment(rates, bounds))
        }
        AccountCommand::GenAllow { beneficiary, change, tx } => make(tx, common, staking::METHOD_ALLOW, || {
            let beneficiary = address("stake.allow.beneficiary", beneficiary.as_deref())?;
            let negative = change.starts_with('-');
            let amount_change = amount("stake.allow.amount_change", change.strip_prefix('-').unwrap_or(change))?;
            Ok(Allow { beneficiary, negative, amount_change })
        }),
        AccountCommand::GenWithdraw { source, amount, tx } => make(tx, common, staking::METHOD_WITHDRAW, || {
            Ok(Withdraw { from: address("stake.withdraw.source", source.as_deref())?, amount: amount.read()? })
        }),
    }
}

fn make<T: Encode>(flags: &TxFlags, common: &CommonFlags, method: &str, body: impl FnOnce() -> Result<T>) -> Result<()> {
    let body = body()?;
    let maker = flags.begin(common)?;
    let tx = maker.transaction(method, &body)?;
    maker.finish(&tx, None)
}

/// Source: go/oasis-node/cmd/stake/account.go, `doAccountInfo`.
fn info(address: &Address, node: &Node, height: i64) -> Result<()> {
    let height = match height {
        LATEST => node.call::<_, Block>("Consensus/GetBlock", &LATEST)?.height,
        height => height,
    };
    let query = OwnerQuery { height, owner: *address };
    let state = AccountState {
        address: *address,
        height,
        account: node.call("Staking/Account", &query)?,
        delegations: node.call("Staking/DelegationInfosFor", &query)?,
        debonding: node.call("Staking/DebondingDelegationInfosFor", &query)?,
        delegations_to: node.call("Staking/DelegationsTo", &query)?,
        debonding_to: node.call("Staking/DebondingDelegationsTo", &query)?,
    };
    write_out(&pretty::account_state(&state, &token(node)?))
}

/// Source: go/oasis-node/cmd/stake/account.go, `doValidateAddress`.
fn validate(text: &str, verbose: bool) -> Result<()> {
    match (Address::from_bech32(text), verbose) {
        (Some(_), false) => Ok(()),
        (Some(_), true) => print(&format!("account address '{text}' is valid")),
        (None, verbose) => {
            if verbose {
                print(&format!("account address '{text}' is not valid: expected one such as {EXAMPLE}"))?;
            }
            std::process::exit(1);
        }
    }
}

/// Source: go/oasis-node/cmd/stake/account.go, `scanRateStep`, `scanBoundStep`.
fn amendment(rates: &[String], bounds: &[String]) -> Result<AmendCommissionSchedule> {
    let mut body = AmendCommissionSchedule::default();
    for text in rates {
        let step = match parts(text).as_deref() {
            Some([start, rate]) => number(start).zip(number(rate)).map(|(start, rate)| CommissionRateStep { start, rate }),
            _ => None,
        };
        body.amendment.rates.push(step.with_context(|| step_error("rates", "EPOCH/RATE", text, "32/50000"))?);
    }
    for text in bounds {
        let step = match parts(text).as_deref() {
            Some([start, min, max]) => number(start)
                .zip(number(min).zip(number(max)))
                .map(|(start, (rate_min, rate_max))| CommissionRateBoundStep { start, rate_min, rate_max }),
            _ => None,
        };
        body.amendment.bounds.push(step.with_context(|| step_error("bounds", "EPOCH/MINIMUM/MAXIMUM", text, "32/10000/50000"))?);
    }
    Ok(body)
}

fn parts(text: &str) -> Option<Vec<&str>> {
    let parts: Vec<&str> = text.split('/').collect();
    (parts.len() >= 2).then_some(parts)
}

fn number<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

fn step_error(kind: &str, form: &str, found: &str, example: &str) -> String {
    format!(
        "--stake.commission_schedule.{kind}: expected {form} in 100,000ths, found {found:?}; for example: --stake.commission_schedule.{kind} {example}"
    )
}
