//! `oasis-node consensus`: transactions in files.
//!
//! Source: go/oasis-node/cmd/consensus/consensus.go.

use std::fs;

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use oasis_consensus_types::{
    pretty,
    transaction::{Gas, SIGNATURE_CONTEXT, SignedTransaction, Transaction},
};
use oasis_primitives::{
    cbor::{self, Cbor},
    signature::{Blacklist, ChainContext, PublicKey, SignatureRules, SignedBlob},
};

use crate::common::{CommonFlags, GenesisFlag, NOTHING, Node, NodeFlags, network, parse, print, read_json, tx::TxFileFlag, write_out};

/// The commands.
#[derive(Debug, Subcommand)]
pub enum ConsensusCommand {
    /// Submits a signed transaction, and waits until it is in a block.
    #[command(name = "submit_tx")]
    SubmitTx {
        #[command(flatten)]
        file: TxFileFlag,
        #[command(flatten)]
        node: NodeFlags,
    },
    /// Shows a signed transaction.
    #[command(name = "show_tx")]
    ShowTx {
        #[command(flatten)]
        file: TxFileFlag,
        #[command(flatten)]
        genesis: GenesisFlag,
    },
    /// Estimates the gas that an unsigned transaction uses.
    #[command(name = "estimate_gas")]
    EstimateGas {
        /// Public key of who will sign, in base64.
        #[arg(id = "consensus.signer_pub", long = "consensus.signer_pub", value_name = "KEY")]
        signer: Option<String>,
        #[command(flatten)]
        file: TxFileFlag,
        #[command(flatten)]
        node: NodeFlags,
    },
}

/// Source: go/consensus/api/api.go, `EstimateGasRequest`.
#[derive(Clone, Debug, Default, Cbor)]
struct EstimateGasRequest {
    signer: PublicKey,
    transaction: Option<Transaction>,
}

/// Runs a command.
pub fn run(command: &ConsensusCommand, common: &CommonFlags) -> Result<()> {
    match command {
        ConsensusCommand::SubmitTx { file, node } => {
            let tx = load(file)?;
            let node = Node::connect(node)?;
            check(&node, &tx)?;
            node.tell("Consensus/SubmitTx", &tx).context("failed to submit transaction")
        }
        ConsensusCommand::ShowTx { file, genesis } => {
            let tx = load(file)?;
            let document = genesis.load(common)?;
            let rules = SignatureRules::new(document.chain_context(), Blacklist::default());
            write_out(&pretty::signed_transaction(&tx, &network(&document), &rules, ""))
        }
        ConsensusCommand::EstimateGas { signer, file, node } => {
            let path = file.path()?;
            let bytes = fs::read(path).with_context(|| path.display().to_string())?;
            let transaction: Transaction = cbor::from_slice(&bytes).with_context(|| {
                format!("{}: expected an unsigned transaction in CBOR, as --transaction.unsigned makes it", path.display())
            })?;
            let example = "Cp1HVCvP8h5r/Qgp0ZHsLbhN5kcB5RJqz4q/XGpEmZM=";
            let signer = parse("consensus.signer_pub", signer.as_deref(), "a public key in base64", example, PublicKey::from_base64)?;
            let request = EstimateGasRequest { signer, transaction: Some(transaction) };
            let gas: Gas = Node::connect(node)?.call("Consensus/EstimateGas", &request)?;
            print(&gas.to_string())
        }
    }
}

fn load(file: &TxFileFlag) -> Result<SignedTransaction> {
    Ok(SignedTransaction(read_json::<SignedBlob>(file.path()?).context("failed to parse serialized transaction")?))
}

/// Fails where the signature does not hold on the node's network: most often it was made for another.
fn check(node: &Node, tx: &SignedTransaction) -> Result<()> {
    let context: String = node.call("Consensus/GetChainContext", &NOTHING)?;
    let rules = SignatureRules::new(ChainContext::new(context.as_str())?, Blacklist::default());
    if !tx.0.signature.verify(&rules, &SIGNATURE_CONTEXT, &tx.0.blob) {
        bail!(
            "the signature does not hold on the node's network (chain context {context}): the transaction was signed for another network, \
             or changed since; sign it again with that network's --genesis.file"
        );
    }
    Ok(())
}
