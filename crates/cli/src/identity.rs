//! `oasis-node identity`: a node's keys.
//!
//! Source: go/oasis-node/cmd/identity.

use std::fs;

use anyhow::{Context, Result};
use clap::Subcommand;
use oasis_consensus_engine::address_of;
use oasis_node_service::{
    files::{make_private_directory, read_secret},
    identity::Identity,
    tls::TlsKey,
};
use oasis_primitives::{
    identity::{SENTRY_CLIENT_KEY_FILE, SignerRole, TLS_EPHEMERAL_KEY_FILE, TLS_KEY_FILE},
    signature::PublicKey,
};

use crate::common::{CommonFlags, VerboseFlag, print};

/// Bytes of an address that make its fingerprint. Source: tendermint `libs/bytes`, `Fingerprint`.
const FINGERPRINT: usize = 6;

/// The commands.
#[derive(Debug, Subcommand)]
pub enum IdentityCommand {
    /// Makes the keys of a node that are not there yet.
    Init(VerboseFlag),
    /// Shows the key by which a node's sentries know it.
    ShowSentryClientPubkey,
    /// Shows the key of a node's TLS connections.
    ShowTlsPubkey,
    /// Addresses in Tendermint's form.
    #[command(subcommand)]
    Tendermint(TendermintCommand),
}

/// Addresses in Tendermint's form.
#[derive(Debug, Subcommand)]
pub enum TendermintCommand {
    /// Shows the node's address.
    ShowNodeAddress(VerboseFlag),
    /// Shows the validator's address.
    ShowConsensusAddress(VerboseFlag),
}

/// Runs a command.
pub fn run(command: &IdentityCommand, common: &CommonFlags) -> Result<()> {
    match command {
        IdentityCommand::Init(_) => init(common),
        IdentityCommand::ShowSentryClientPubkey => show_key(&[SENTRY_CLIENT_KEY_FILE], common),
        IdentityCommand::ShowTlsPubkey => show_key(&[TLS_KEY_FILE, TLS_EPHEMERAL_KEY_FILE], common),
        IdentityCommand::Tendermint(TendermintCommand::ShowNodeAddress(verbose)) => {
            show_address("Node's tendermint address", SignerRole::P2p, verbose.verbose, common)
        }
        IdentityCommand::Tendermint(TendermintCommand::ShowConsensusAddress(verbose)) => {
            show_address("Consensus' (validator's) tendermint address", SignerRole::Consensus, verbose.verbose, common)
        }
    }
}

/// Source: go/oasis-node/cmd/identity/identity.go, `doNodeInit`.
fn init(common: &CommonFlags) -> Result<()> {
    let dir = common.required_datadir()?;
    make_private_directory(&dir).with_context(|| dir.display().to_string())?;
    Identity::load_or_generate_kept(&dir)?;
    print(&format!("Generated identity files in: {}", std::path::absolute(&dir)?.display()))
}

/// Source: go/oasis-node/cmd/identity/identity.go, `doShowPubkey`.
fn show_key(names: &[&str], common: &CommonFlags) -> Result<()> {
    let dir = common.required_datadir()?;
    let found = names.iter().map(|name| dir.join(name)).find(|path| path.exists());
    let path = found.with_context(|| {
        format!("{}: no {}; for example: oasis-node identity init --datadir {}", dir.display(), names.join(" or "), dir.display())
    })?;
    let text = read_secret(&path).with_context(|| path.display().to_string())?;
    let key = TlsKey::from_pem(&text).with_context(|| path.display().to_string())?;
    print(&key.public_key().to_string())
}

/// Source: go/oasis-node/cmd/identity/tendermint/tendermint.go, `printTmAddress`.
fn show_address(what: &str, role: SignerRole, verbose: bool, common: &CommonFlags) -> Result<()> {
    let path = common.datadir_or_here()?.join(role.public_key_file().unwrap_or_default());
    let text = fs::read_to_string(&path).with_context(|| {
        format!("failed to open node's public key: {}; say where it is with --datadir, for example: --datadir /node/data", path.display())
    })?;
    let key = PublicKey::from_pem(&text).with_context(|| path.display().to_string())?;
    let address = address_of(&key.0);
    let upper = hex::encode_upper(&address);
    if !verbose {
        return print(&upper);
    }
    let fingerprint = hex::encode_upper(address.get(..FINGERPRINT).unwrap_or_default());
    print(&format!("{what}: {upper} (fingerprint: {fingerprint})"))
}
