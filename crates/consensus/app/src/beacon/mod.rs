//! Epochs and the random beacon.
//!
//! Source: go/consensus/tendermint/apps/beacon.

pub(crate) mod events;
pub mod genesis;
mod insecure;
mod pvss;
pub mod query;
mod slashing;
pub mod state;
#[cfg(test)]
mod tests;
mod tx;

use oasis_consensus_types::{
    beacon::{BACKEND_INSECURE, BACKEND_PVSS, ConsensusParameters, METHOD_PVSS_COMMIT, METHOD_PVSS_REVEAL, METHOD_SET_EPOCH},
    transaction::Transaction,
};
use sha3::{Digest, Sha3_256};

pub use genesis::init_chain;

use crate::{
    block::BeginBlock,
    context::Context,
    epoch::EpochTime,
    error::{Error, Result},
};

/// Name of the app in events.
pub const APP_NAME: &str = "000_beacon";

/// The methods of the app.
pub const METHODS: &[&str] = &[METHOD_SET_EPOCH, METHOD_PVSS_COMMIT, METHOD_PVSS_REVEAL];

/// What entropy of the production network is mixed with.
const ENTROPY_CONTEXT: &[u8] = b"EkB-tmnt";
/// What the constant entropy of test networks is mixed with.
const DEBUG_ENTROPY_CONTEXT: &[u8] = b"Ekb-Dumm";
/// The constant entropy of test networks.
///
/// Source: go/consensus/tendermint/apps/beacon/beacon.go, `DebugEntropy`.
const DEBUG_ENTROPY: &[u8] = b"If you change this, you will fuck up the byzantine tests!!";

/// Where the entropy comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Backend {
    Insecure,
    Pvss,
}

impl Backend {
    /// Source: go/consensus/tendermint/apps/beacon/genesis.go, `doInitBackend`.
    fn of(params: &ConsensusParameters) -> Result<Self> {
        match params.backend.as_str() {
            BACKEND_INSECURE => Ok(Self::Insecure),
            BACKEND_PVSS => Ok(Self::Pvss),
            other => Err(Error::unknown(format!("beacon: unsupported backend: '{other}'"))),
        }
    }
}

/// Moves the round and the epoch on.
///
/// Source: go/consensus/tendermint/apps/beacon/beacon.go, `BeginBlock`.
pub fn begin_block(ctx: &mut Context<'_>, request: &BeginBlock) -> Result<()> {
    let params = state::params(ctx.store)?;
    match Backend::of(&params)? {
        Backend::Insecure => insecure::begin_block(ctx, &params, request),
        Backend::Pvss => pvss::begin_block(ctx, &params),
    }
}

/// Nothing happens at the end of a block.
pub fn end_block(_ctx: &mut Context<'_>) -> Result<()> {
    Ok(())
}

/// Executes a transaction of the app.
///
/// Source: go/consensus/tendermint/apps/beacon/beacon.go, `ExecuteTx`.
pub fn execute_tx(ctx: &mut Context<'_>, tx: &Transaction) -> Result<()> {
    let params = state::params(ctx.store)?;
    match Backend::of(&params)? {
        Backend::Insecure => insecure::execute_tx(ctx, &params, tx),
        Backend::Pvss => tx::execute(ctx, &params, tx),
    }
}

/// Sets the epoch that starts at a height; an error where one is scheduled already.
fn schedule_epoch(ctx: &mut Context<'_>, epoch: EpochTime, height: i64) -> Result<()> {
    state::set_future_epoch(ctx.store, epoch, height)
}

/// Sets and announces a new beacon.
///
/// Source: go/consensus/tendermint/apps/beacon/beacon.go, `onNewBeacon`.
fn new_beacon(ctx: &mut Context<'_>, epoch: EpochTime, context: &[u8], entropy: &[u8]) {
    let beacon = derive(epoch, context, entropy);
    state::set_beacon(ctx.store, &beacon);
    ctx.emit(events::beacon(&beacon));
}

/// The beacon of an epoch, 32 bytes.
///
/// Source: go/consensus/tendermint/apps/beacon/beacon.go, `GetBeacon`.
fn derive(epoch: EpochTime, context: &[u8], entropy: &[u8]) -> [u8; 32] {
    Sha3_256::new().chain_update(context).chain_update(entropy).chain_update(epoch.to_le_bytes()).finalize().into()
}
