//! `oasis-node debug fix-genesis`: a document without entities, and their nodes, that have too little stake.
//!
//! Source: go/oasis-node/cmd/debug/fixgenesis/fixgenesis.go.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use anyhow::{Context, Result};
use clap::Args;
use oasis_consensus_app::genesis::{CheckOptions, check};
use oasis_consensus_types::{
    entity::Entity,
    genesis::Document,
    node::Node,
    registry::{
        GovernanceModel, REGISTER_ENTITY_SIGNATURE_CONTEXT, REGISTER_NODE_SIGNATURE_CONTEXT, Runtime, STAKE_CLAIM_REGISTER_ENTITY,
        stake_claim_for_node, stake_claim_for_runtime, stake_thresholds_for_node, stake_thresholds_for_runtime,
    },
    staking::{EscrowAccount, StakeThreshold, ThresholdKind},
};
use oasis_primitives::{
    address::Address,
    namespace::Namespace,
    signature::{Blacklist, ChainContext, PublicKey, SignatureRules},
};

use crate::common::{CommonFlags, path, read_json, warn, write_file, write_out};

/// Arguments.
#[derive(Debug, Args)]
pub struct FixArguments {
    #[command(flatten)]
    common: CommonFlags,
    /// The document.
    #[arg(id = "genesis.file", short = 'g', long = "genesis.file", value_name = "FILE", default_value = "genesis.json")]
    file: PathBuf,
    /// Where the new document goes; to the standard output where it is empty.
    #[arg(id = "genesis.new_file", long = "genesis.new_file", value_name = "FILE", default_value = "genesis_fixed.json", value_parser = path)]
    new_file: PathBuf,
}

/// Writes the fixed document.
pub fn fix(args: &FixArguments) -> Result<()> {
    let allow_test_keys = args.common.debug && args.common.allow_test_keys;
    let rules = SignatureRules::new(ChainContext::UNSET, Blacklist::new(allow_test_keys));
    let mut document: Document = read_json(&args.file)?;
    update(&mut document, &rules)?;
    let options = CheckOptions { debug: args.common.debug, allow_test_keys };
    if let Err(e) = check(&document, options) {
        warn(format_args!("warning: new genesis document sanity check failed: {e}"));
    }
    let text = document.to_json_text();
    if args.new_file.as_os_str().is_empty() { write_out(&text) } else { write_file(&args.new_file, text.as_bytes()) }
}

/// Source: go/oasis-node/cmd/debug/fixgenesis/fixgenesis.go, `updateGenesisDoc`.
fn update(document: &mut Document, rules: &SignatureRules) -> Result<()> {
    let mut entities = Vec::new();
    for signed in std::mem::take(&mut document.registry.entities) {
        let entity: Entity = signed.0.open(rules, &REGISTER_ENTITY_SIGNATURE_CONTEXT).context("unable to open signed entity")?;
        entities.push((signed, entity));
    }
    let mut nodes = Vec::new();
    for signed in std::mem::take(&mut document.registry.nodes) {
        let node: Node = signed.0.open(rules, &REGISTER_NODE_SIGNATURE_CONTEXT).context("unable to open signed node")?;
        nodes.push((signed, node));
    }
    let escrows = claims(document, entities.iter().map(|(_, entity)| entity), nodes.iter().map(|(_, node)| node))?;
    let thresholds = &document.staking.parameters.thresholds;
    let mut removed: BTreeSet<PublicKey> = BTreeSet::new();
    for (signed, entity) in entities {
        match escrows.get(&Address::of_public_key(&entity.id)).map(|escrow| escrow.check_stake_claims(thresholds)) {
            Some(Ok(())) => document.registry.entities.push(signed),
            failed => {
                let reason = failed.and_then(Result::err).map_or_else(|| "no account in ledger".to_owned(), |e| e.to_string());
                warn(format_args!("warning: removing entity not passing stake claims: {}: {reason}", entity.id));
                removed.insert(entity.id);
            }
        }
    }
    for (signed, node) in nodes {
        if removed.contains(&node.entity_id) {
            warn(format_args!(
                "warning: removing node as owning entity doesn't pass stake claims: {} of entity {}",
                node.id, node.entity_id
            ));
        } else {
            document.registry.nodes.push(signed);
        }
    }
    Ok(())
}

/// What the registrations claim of the stake of accounts.
///
/// Source: go/oasis-node/cmd/debug/fixgenesis/fixgenesis.go, `computeStakeClaims`. Where an account is missing it panics.
fn claims<'a>(
    document: &Document,
    entities: impl Iterator<Item = &'a Entity>,
    nodes: impl Iterator<Item = &'a Node>,
) -> Result<BTreeMap<Address, EscrowAccount>> {
    let mut escrows: BTreeMap<Address, EscrowAccount> = BTreeMap::new();
    let escrow_of = |address: &Address| {
        let active = document.staking.ledger.get(address).map(|account| account.escrow.active.clone());
        active.map(|active| EscrowAccount { active, ..EscrowAccount::default() })
    };
    for entity in entities {
        let address = Address::of_public_key(&entity.id);
        if let Some(mut escrow) = escrow_of(&address) {
            let threshold = vec![StakeThreshold::global(ThresholdKind::ENTITY)];
            escrow.stake_accumulator.add_claim_unchecked(STAKE_CLAIM_REGISTER_ENTITY, threshold.into());
            escrows.insert(address, escrow);
        }
    }
    let registry = &document.registry;
    let runtimes: BTreeMap<Namespace, &Runtime> =
        registry.runtimes.iter().chain(&registry.suspended_runtimes).map(|runtime| (runtime.id, &**runtime)).collect();
    for runtime in runtimes.values().filter(|runtime| runtime.governance_model == GovernanceModel::RUNTIME) {
        let address = Address::of_runtime(&runtime.id);
        escrows.extend(escrow_of(&address).map(|escrow| (address, escrow)));
    }
    for node in nodes {
        let named: Vec<Runtime> = node.runtimes.iter().filter_map(|rt| runtimes.get(&rt.id).map(|rt| (*rt).clone())).collect();
        if let Some(escrow) = escrows.get_mut(&Address::of_public_key(&node.entity_id)) {
            escrow.stake_accumulator.add_claim_unchecked(&stake_claim_for_node(&node.id), stake_thresholds_for_node(node, &named).into());
        }
    }
    for runtime in runtimes.values() {
        if let Some(escrow) = runtime.staking_address().and_then(|address| escrows.get_mut(&address)) {
            let thresholds = stake_thresholds_for_runtime(runtime).into();
            escrow.stake_accumulator.add_claim_unchecked(&stake_claim_for_runtime(&runtime.id), thresholds);
        }
    }
    Ok(escrows)
}
