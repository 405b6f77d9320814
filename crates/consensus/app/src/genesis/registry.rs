//! The registry's section.
//!
//! Source: go/registry/api/sanity_check.go.

use std::collections::BTreeSet;

use oasis_consensus_types::{
    genesis::{Document, Problem},
    registry::{Genesis, Runtime, RuntimeKind},
};
use oasis_primitives::signature::PublicKey;

use super::{first_failing, text};
use crate::registry::{sanity::check_genesis, verify::Rules};

/// Source: go/registry/api/sanity_check.go, `Genesis.SanityCheck`.
pub(super) fn check(document: &Document, rules: &Rules, banned: &BTreeSet<PublicKey>) -> Result<(), Problem> {
    let params = &document.registry.parameters;
    if !rules.debug {
        let flags = [
            ("debug_allow_unroutable_addresses", params.debug_allow_unroutable_addresses),
            ("debug_bypass_stake", params.debug_bypass_stake),
        ];
        if let Some((flag, _)) = flags.into_iter().find(|(_, set)| *set) {
            return Err(Problem::new(format!("registry.params.{flag}"), "false, as this is not a test network", "true"));
        }
        if params.max_node_expiration == 0 {
            return Err(Problem::new("registry.params.max_node_expiration", "more than 0 epochs", 0));
        }
    }
    let staking = &document.staking;
    let run =
        |genesis: &Genesis| check_genesis(genesis, rules, document.beacon.base, &staking.ledger, &staking.parameters.thresholds, banned);
    let Err(error) = run(&document.registry) else { return Ok(()) };
    let path = place(&document.registry, |genesis| run(genesis).is_err()).unwrap_or_default();
    Err(Problem::because(format!("registry{path}"), text(&error)))
}

/// The path of the descriptor that fails: the one that ends the shortest list that fails.
fn place(genesis: &Genesis, fails: impl Fn(&Genesis) -> bool) -> Option<String> {
    let part = Genesis { parameters: genesis.parameters.clone(), entities: genesis.entities.clone(), ..Genesis::default() };
    if fails(&part) {
        let prefix = |n: usize| Genesis { entities: genesis.entities.iter().take(n).cloned().collect(), ..part.clone() };
        return first_failing(genesis.entities.len(), |n| fails(&prefix(n))).map(|i| format!(".entities[{i}]"));
    }
    // Compute runtimes refer to key managers, which therefore come first.
    let mut runtimes: Vec<(bool, usize, &Runtime)> = Vec::new();
    for (suspended, list) in [(false, &genesis.runtimes), (true, &genesis.suspended_runtimes)] {
        runtimes.extend(list.iter().enumerate().map(|(i, rt)| (suspended, i, &**rt)));
    }
    runtimes.sort_by_key(|(_, _, rt)| rt.kind != RuntimeKind::KEY_MANAGER);
    let with_runtimes = |n: usize| {
        let pick = |wanted: bool| runtimes.iter().take(n).filter(|(s, ..)| *s == wanted).map(|(_, _, rt)| (*rt).clone().into()).collect();
        Genesis { runtimes: pick(false), suspended_runtimes: pick(true), ..part.clone() }
    };
    if let Some(i) = first_failing(runtimes.len(), |n| fails(&with_runtimes(n))) {
        let (suspended, index, _) = runtimes.get(i)?;
        return Some(format!(".{}[{index}]", if *suspended { "suspended_runtimes" } else { "runtimes" }));
    }
    let whole = with_runtimes(runtimes.len());
    let with_nodes = |n: usize| Genesis { nodes: genesis.nodes.iter().take(n).cloned().collect(), ..whole.clone() };
    first_failing(genesis.nodes.len(), |n| fails(&with_nodes(n))).map(|i| format!(".nodes[{i}]"))
}
