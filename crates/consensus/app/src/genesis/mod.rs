//! Whether a genesis document keeps to the rules.
//!
//! Source: go/genesis/api/sanity_check.go.

mod consensus;
mod registry;
mod staking;

use std::{collections::BTreeSet, ops::Deref};

use oasis_consensus_types::genesis::{Document, Problem};
use oasis_primitives::{
    cbor,
    sgx::Policy,
    signature::{Blacklist, PublicKey, SignatureRules},
};

use crate::{context::BlockTime, error::Error, keymanager, registry::verify::Rules};

/// How strictly a document is checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CheckOptions {
    /// Whether settings that only tests use are allowed (`--debug.dont_blame_oasis`).
    pub debug: bool,
    /// Whether keys whose private part everybody knows are allowed (`--debug.allow_test_keys`).
    pub allow_test_keys: bool,
}

/// Checks a document as a whole; the first problem names the place by its path in JSON.
///
/// Source: go/genesis/api/sanity_check.go, `Document.SanityCheck`.
pub fn check(document: &Document, options: CheckOptions) -> Result<(), Problem> {
    if document.height < 1 {
        return Err(Problem::new("height", "at least 1", document.height));
    }
    if document.chain_id.trim().is_empty() {
        return Err(Problem::new("chain_id", "a name", format_args!("{:?}", document.chain_id)));
    }
    let blacklist = Blacklist::new(options.allow_test_keys);
    consensus::check(&document.consensus, &blacklist, options.debug).map_err(|p| p.within("consensus"))?;
    document.check_no_nil()?;
    document.beacon.sanity_check(options.debug).map_err(|p| p.within("beacon"))?;
    let epoch = document.beacon.base;

    let rules = Rules {
        signatures: SignatureRules::new(document.chain_context(), blacklist),
        sgx: Policy::new(options.debug),
        debug: options.debug,
        // Times in CBOR are whole seconds; the document's own time is not.
        now: BlockTime { seconds: document.time.seconds(), nanos: document.time.nanos() },
        is_genesis: true,
        is_sanity_check: true,
    };
    let banned: BTreeSet<PublicKey> = document.consensus.parameters.public_key_blacklist.iter().copied().collect();
    registry::check(document, &rules, &banned)?;
    check_roothash(document, options.debug)?;
    staking::check(&document.staking, epoch).map_err(|p| p.within("staking"))?;
    for (i, status) in document.keymanager.statuses.iter().enumerate() {
        keymanager::check_statuses(&rules.signatures, [&**status])
            .map_err(|e| Problem::because(format!("keymanager.statuses[{i}]"), text(&e)))?;
    }
    let supply = &document.staking.total_supply;
    document.scheduler.sanity_check(supply, options.debug).map_err(|reason| {
        let path =
            if document.scheduler.parameters.debug_bypass_stake { "scheduler.params.debug_bypass_stake" } else { "staking.total_supply" };
        Problem::because(path, reason)
    })?;
    check_governance(document)?;
    if document.halt_epoch < epoch {
        return Err(Problem::new("halt_epoch", format_args!("at least the first epoch, {epoch}"), document.halt_epoch));
    }
    Ok(())
}

/// An error's message.
fn text(error: &Error) -> String {
    error.to_string()
}

fn check_roothash(document: &Document, debug: bool) -> Result<(), Problem> {
    let params = &document.roothash.parameters;
    document.roothash.sanity_check(debug).map_err(|reason| {
        let flags =
            [("debug_do_not_suspend_runtimes", params.debug_do_not_suspend_runtimes), ("debug_bypass_stake", params.debug_bypass_stake)];
        match flags.into_iter().find(|(_, set)| *set) {
            Some((flag, _)) => Problem::new(format!("roothash.params.{flag}"), "false, as this is not a test network", "true"),
            None => Problem::because("roothash", reason),
        }
    })
}

/// The section's own check says what is wrong; the path is found by what part of the section is enough for it.
fn check_governance(document: &Document) -> Result<(), Problem> {
    let governance = &document.governance;
    let (epoch, deposits) = (document.beacon.base, &document.staking.governance_deposits);
    let Err(error) = governance.sanity_check(epoch, deposits) else { return Ok(()) };
    let path = if governance.parameters.sanity_check().is_err() {
        "governance.params".to_owned()
    } else if governance.proposals.is_empty() {
        "governance".to_owned()
    } else {
        let ids: Vec<u64> = governance.proposals.iter().map(|p| p.id).collect();
        let votes = governance.proposals.iter().position(|p| {
            let votes = governance.vote_entries.get(&p.id);
            votes.is_some_and(|v| oasis_consensus_types::governance::sanity_check_votes(p, v.iter().map(Deref::deref)).is_err())
        });
        match votes.and_then(|i| ids.get(i)) {
            Some(id) if error.message.contains("votes") => format!("governance.vote_entries.{id}"),
            _ => "governance.proposals".to_owned(),
        }
    };
    Err(Problem::because(path, error))
}

/// The shortest failing prefix of `count` items, given that all of them fail together: the index of the item that ends it.
fn first_failing(count: usize, fails: impl Fn(usize) -> bool) -> Option<usize> {
    let (mut passes, mut failing) = (0usize, count);
    if !fails(count) {
        return None;
    }
    while failing.saturating_sub(passes) > 1 {
        let middle = passes.midpoint(failing);
        if fails(middle) {
            failing = middle;
        } else {
            passes = middle;
        }
    }
    failing.checked_sub(1)
}

/// Checks the bytes of a document file: JSON, and the rules.
pub fn check_json(bytes: &[u8], options: CheckOptions) -> Result<Document, Problem> {
    let document = Document::from_json_text(bytes).map_err(|e| match e {
        oasis_consensus_types::genesis::ReadError::Syntax(reason) => Problem::because("", format_args!("not JSON: {reason}")),
        oasis_consensus_types::genesis::ReadError::Value(e) => Problem::because(e.path.trim_start_matches('.'), e.reason),
    })?;
    check(&document, options)?;
    Ok(document)
}

/// Checks a document in CBOR, as recordings hold it.
pub fn check_cbor(bytes: &[u8], options: CheckOptions) -> Result<Document, Problem> {
    let document: Document = cbor::from_slice_higher_limits(bytes).map_err(|e| Problem::because("", e))?;
    check(&document, options)?;
    Ok(document)
}
