//! The apps in the order in which they run, and which methods are whose.
//!
//! Source: go/consensus/tendermint/abci/mux.go, `rebuildAppLexOrdering`: by the names `000_beacon`, `100_staking`,
//! `200_registry`, `200_scheduler`, `300_governance`, `999_keymanager`, `999_roothash`, `999_supplementarysanity`.

use oasis_consensus_types::{genesis::Document, transaction::Transaction};

use crate::{
    beacon,
    block::{BeginBlock, ValidatorUpdate},
    context::Context,
    epoch::EpochTime,
    error::{Error, Result},
    governance, keymanager, registry, roothash, scheduler, staking, supplementarysanity, upgrade,
};

/// An app that takes transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum App {
    Beacon,
    Staking,
    Registry,
    Governance,
    KeyManager,
    RootHash,
}

impl App {
    pub(super) fn execute_tx(self, ctx: &mut Context<'_>, tx: &Transaction) -> Result<()> {
        match self {
            Self::Beacon => beacon::execute_tx(ctx, tx),
            Self::Staking => staking::execute_tx(ctx, tx),
            Self::Registry => registry::execute_tx(ctx, tx),
            Self::Governance => governance::execute_tx(ctx, tx),
            Self::KeyManager => keymanager::execute_tx(ctx, tx),
            Self::RootHash => roothash::execute_tx(ctx, tx),
        }
    }
}

/// The app that takes a method.
pub(super) fn of_method(method: &str) -> Option<App> {
    [
        (beacon::METHODS, App::Beacon),
        (staking::METHODS, App::Staking),
        (registry::METHODS, App::Registry),
        (governance::METHODS, App::Governance),
        (keymanager::METHODS, App::KeyManager),
        (roothash::METHODS, App::RootHash),
    ]
    .into_iter()
    .find(|(methods, _)| methods.contains(&method))
    .map(|(_, app)| app)
}

/// Whether the network's own progress depends on a method, so that it pays no fee.
///
/// Source: go/beacon/api/pvss.go, `MethodMetadata`.
pub(super) fn is_critical(method: &str) -> bool {
    matches!(method, "beacon.PVSSCommit" | "beacon.PVSSReveal")
}

/// Makes each app's first state.
pub(super) fn init_chain(ctx: &mut Context<'_>, document: &Document) -> Result<()> {
    document.check_no_nil_in_first_state().map_err(|problem| Error::unknown(problem.to_string()))?;
    beacon::init_chain(ctx, document)?;
    staking::init_chain(ctx, &document.staking)?;
    registry::init_chain(ctx, &document.registry)?;
    scheduler::init_chain(ctx, document)?;
    governance::init_chain(ctx, &document.governance)?;
    keymanager::init_chain(ctx, &document.keymanager, &document.registry)?;
    roothash::init_chain(ctx, document)
}

/// Starts a block in each app.
pub(super) fn begin_block(ctx: &mut Context<'_>, request: &BeginBlock) -> Result<()> {
    beacon::begin_block(ctx, request)?;
    staking::begin_block(ctx, request)?;
    registry::begin_block(ctx, request)?;
    scheduler::begin_block(ctx, request)?;
    governance::begin_block(ctx, request)?;
    keymanager::begin_block(ctx, request)?;
    roothash::begin_block(ctx, request)
}

/// Ends a block in each app.
pub(super) fn end_block(ctx: &mut Context<'_>) -> Result<Vec<ValidatorUpdate>> {
    beacon::end_block(ctx)?;
    staking::end_block(ctx)?;
    registry::end_block(ctx)?;
    let updates = scheduler::end_block(ctx)?;
    governance::end_block(ctx)?;
    keymanager::end_block(ctx)?;
    roothash::end_block(ctx)?;
    supplementarysanity::end_block(ctx)?;
    Ok(updates)
}

/// Performs the upgrades that are due.
pub(super) fn consensus_upgrade(ctx: &mut Context<'_>, epoch: EpochTime) -> Result<()> {
    upgrade::consensus_upgrade(ctx, epoch)
}

/// Tells the apps that the node starts from existing state.
pub(super) fn on_state_synced(ctx: &mut Context<'_>) -> Result<()> {
    governance::on_state_synced(ctx)
}
