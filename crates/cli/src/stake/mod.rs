//! `oasis-node stake`: accounts, their stake, and the transactions that move it.
//!
//! Source: go/oasis-node/cmd/stake.

mod account;

use anyhow::Result;
use clap::{Args, Subcommand};
use oasis_consensus_types::{
    pretty::Network,
    staking::{Account, ERR_INVALID_THRESHOLD, OwnerQuery, ThresholdKind, ThresholdQuery},
};
use oasis_node_service::grpc::ClientError;
use oasis_primitives::{
    address::Address,
    json::{self, ToJson},
    quantity::Quantity,
    signature::PublicKey,
};

use crate::common::{CommonFlags, LATEST, NOTHING, Node, NodeFlags, VerboseFlag, parse, print, warn};

/// The commands.
#[derive(Debug, Subcommand)]
pub enum StakeCommand {
    /// Shows what the network says of its token.
    Info(NodeFlags),
    /// Lists the accounts.
    List {
        #[command(flatten)]
        node: NodeFlags,
        #[command(flatten)]
        verbose: VerboseFlag,
    },
    /// Converts a public key to the address of its account.
    #[command(name = "pubkey2address")]
    Pubkey2address(KeyFlag),
    /// An account, and transactions of an account.
    #[command(subcommand)]
    Account(account::AccountCommand),
}

/// A public key.
#[derive(Debug, Args)]
pub struct KeyFlag {
    /// Public key in base64.
    #[arg(id = "public_key", long = "public_key", value_name = "KEY")]
    key: Option<String>,
}

/// Runs a command.
pub fn run(command: &StakeCommand, common: &CommonFlags) -> Result<()> {
    match command {
        StakeCommand::Info(node) => info(&Node::connect(node)?),
        StakeCommand::List { node, verbose } => list(&Node::connect(node)?, verbose.verbose),
        StakeCommand::Pubkey2address(flag) => {
            let expected = "a public key in base64";
            let example = "Cp1HVCvP8h5r/Qgp0ZHsLbhN5kcB5RJqz4q/XGpEmZM=";
            let key = parse("public_key", flag.key.as_deref(), expected, example, PublicKey::from_base64)?;
            print(&Address::of_public_key(&key).to_string())
        }
        StakeCommand::Account(command) => account::run(command, common),
    }
}

/// Asks a node for its token.
pub fn token(node: &Node) -> Result<Network> {
    let symbol = node.call("Staking/TokenSymbol", &NOTHING)?;
    let exponent = node.call("Staking/TokenValueExponent", &NOTHING)?;
    Ok(Network { symbol, exponent, genesis: None })
}

/// Source: go/oasis-node/cmd/stake/stake.go, `doInfo`.
fn info(node: &Node) -> Result<()> {
    let network = token(node)?;
    print(&format!("Token's ticker symbol: {}", network.symbol))?;
    print(&format!("Token's value base-10 exponent: {}", network.exponent))?;
    let amounts = [
        ("Total supply", "TotalSupply"),
        ("Common pool", "CommonPool"),
        ("Last block fees", "LastBlockFees"),
        // The original's name for the method.
        ("Governance deposits", "methodGovernanceDeposits"),
    ];
    for (name, method) in amounts {
        let amount: Quantity = node.call(&format!("Staking/{method}"), &LATEST)?;
        print(&format!("{name}: {}", network.amount(&amount)))?;
    }
    for kind in ThresholdKind::ALL {
        match node.call::<_, Quantity>("Staking/Threshold", &ThresholdQuery { height: LATEST, kind }) {
            Ok(amount) => print(&format!("Staking threshold ({kind}): {}", network.amount(&amount)))?,
            Err(e) if has_no_threshold(&e) => warn(format_args!("warning: invalid staking threshold kind: {kind}")),
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

fn has_no_threshold(error: &anyhow::Error) -> bool {
    let refused = error.chain().find_map(|e| match e.downcast_ref::<ClientError>() {
        Some(ClientError::Refused(refused)) => Some(refused),
        _ => None,
    });
    refused.is_some_and(|e| e.module == ERR_INVALID_THRESHOLD.module && e.code == ERR_INVALID_THRESHOLD.code)
}

/// Source: go/oasis-node/cmd/stake/stake.go, `doList`.
fn list(node: &Node, verbose: bool) -> Result<()> {
    let addresses: Option<Vec<Address>> = node.call("Staking/Addresses", &LATEST)?;
    for address in addresses.unwrap_or_default() {
        if !verbose {
            print(&address.to_string())?;
            continue;
        }
        let account: Account = node.call("Staking/Account", &OwnerQuery { height: LATEST, owner: address })?;
        let mut object = json::object();
        object.insert(address.to_string(), account.to_json());
        print(&json::to_text_pretty(&json::Value::Object(object)))?;
    }
    Ok(())
}
