//! Making and signing a transaction.
//!
//! Source: go/oasis-node/cmd/common/consensus/consensus.go.

use std::{
    io::IsTerminal,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, Result, bail};
use clap::Args;
use oasis_consensus_types::{
    genesis::Document,
    pretty,
    transaction::{Fee, SignedTransaction, Transaction},
};
use oasis_primitives::{
    cbor::{self, Encode},
    json::{self, ToJson},
    quantity::Quantity,
    signature::Signer,
};

use super::{
    CommonFlags, GenesisFlag, NOTHING, Node, NodeFlags, confirm, entity::SignerFlags, network, parse, print, write_file, write_out,
};

/// Which file the transaction is in.
#[derive(Clone, Debug, Args)]
pub struct TxFileFlag {
    /// Path of the transaction.
    #[arg(id = "transaction.file", long = "transaction.file", value_name = "FILE")]
    file: Option<PathBuf>,
}

impl TxFileFlag {
    /// The file, which must be given.
    pub fn path(&self) -> Result<&Path> {
        match &self.file {
            Some(file) if !file.as_os_str().is_empty() => Ok(file),
            _ => bail!("--transaction.file: failed to determine tx file; for example: --transaction.file tx.json"),
        }
    }
}

/// What every command that makes a transaction takes.
#[derive(Clone, Debug, Args)]
pub struct TxFlags {
    #[command(flatten)]
    file: TxFileFlag,
    /// Nonce of the signing account.
    #[arg(id = "transaction.nonce", long = "transaction.nonce", value_name = "NUMBER", default_value_t = 0)]
    nonce: u64,
    /// Fee in base units.
    #[arg(id = "transaction.fee.amount", long = "transaction.fee.amount", value_name = "AMOUNT", default_value = "0")]
    fee_amount: String,
    /// Most gas that the transaction may use.
    #[arg(id = "transaction.fee.gas", long = "transaction.fee.gas", value_name = "GAS", default_value_t = 0)]
    fee_gas: u64,
    /// Write the transaction without a signature, in CBOR.
    #[arg(id = "transaction.unsigned", long = "transaction.unsigned")]
    unsigned: bool,
    /// Sign without a question.
    #[arg(short = 'y', id = "assume_yes", long = "assume_yes")]
    assume_yes: bool,
    #[command(flatten)]
    genesis: GenesisFlag,
    #[command(flatten)]
    signer: SignerFlags,
    /// A node, unix:PATH, which is asked before anything is signed whether it is of the genesis file's network.
    #[arg(id = "checked.address", short = 'a', long = "address", value_name = "ADDRESS")]
    address: Option<String>,
}

/// A transaction in the making.
pub struct Maker<'a> {
    flags: &'a TxFlags,
    common: &'a CommonFlags,
    document: Document,
}

impl TxFlags {
    /// Reads the genesis document, and makes sure that there is a file to write to.
    pub fn begin<'a>(&'a self, common: &'a CommonFlags) -> Result<Maker<'a>> {
        self.file.path()?;
        let document = self.genesis.load(common)?;
        if let Some(address) = &self.address {
            let node = Node::connect(&NodeFlags { address: address.clone(), wait: false })?;
            check_network(&node, &document)?;
        }
        Ok(Maker { flags: self, common, document })
    }

    /// Where the key is.
    pub fn signer(&self) -> &SignerFlags {
        &self.signer
    }
}

/// Fails where a node is of another network than a genesis document.
fn check_network(node: &Node, document: &Document) -> Result<()> {
    let found: String = node.call("Consensus/GetChainContext", &NOTHING)?;
    let chain = document.chain_context();
    if Some(found.as_str()) != chain.as_str() {
        bail!(
            "the node is of another network: its chain context is {found}, the genesis file's is {}; nothing was signed",
            chain.as_str().unwrap_or_default()
        );
    }
    Ok(())
}

impl Maker<'_> {
    /// The transaction of a method.
    pub fn transaction<T: Encode>(&self, method: &str, body: &T) -> Result<Transaction> {
        Ok(Transaction::new(self.flags.nonce, Some(self.fee()?), method, body))
    }

    /// The transaction of a method without a body.
    pub fn bare(&self, method: &str) -> Result<Transaction> {
        Ok(Transaction { nonce: self.flags.nonce, fee: Some(self.fee()?), method: method.to_owned(), ..Default::default() })
    }

    fn fee(&self) -> Result<Fee> {
        let amount = parse("transaction.fee.amount", Some(&self.flags.fee_amount), "base units", "2000", Quantity::from_text)?;
        Ok(Fee { amount, gas: self.flags.fee_gas })
    }

    /// Shows the transaction, asks, signs it and writes it.
    ///
    /// Source: go/oasis-node/cmd/common/consensus/consensus.go, `SignAndSaveTx`.
    pub fn finish(self, tx: &Transaction, signer: Option<Arc<dyn Signer>>) -> Result<()> {
        let path = self.flags.file.path()?;
        if self.flags.unsigned {
            return write_file(path, &cbor::to_vec(tx));
        }
        let signer = match signer {
            Some(signer) => signer,
            None => self.flags.signer.load(self.common)?.1,
        };
        print("You are about to sign the following transaction:")?;
        write_out(&pretty::transaction(tx, &network(&self.document), "  "))?;
        if !self.flags.assume_yes && !confirm("\nAre you sure you want to continue? (y)es/(n)o: ")? {
            bail!("nothing was signed");
        }
        if self.flags.signer.is_plugin() && std::io::stdin().is_terminal() {
            print("\nYou may need to review the transaction on your device if you use a hardware-based signer plugin...")?;
        }
        let signed = SignedTransaction::sign(&*signer, &self.document.chain_context(), tx).context("failed to sign transaction")?;
        write_file(path, json::to_text_pretty(&signed.0.to_json()).as_bytes())
    }
}
