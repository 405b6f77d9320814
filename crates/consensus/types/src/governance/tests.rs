use oasis_primitives::{cbor, json, quantity::Quantity, version::VERSIONS};

use super::*;
use crate::upgrade::Descriptor;

fn proposal(yes: u64, no: u64, abstain: u64) -> Proposal {
    let votes = [(Vote::YES, yes), (Vote::NO, no), (Vote::ABSTAIN, abstain)];
    let results = votes.into_iter().filter(|(_, n)| *n > 0).map(|(v, n)| (v, Quantity::from(n))).collect();
    Proposal { state: ProposalState::ACTIVE, results, ..Proposal::default() }
}

#[test]
fn percentages_are_rounded_down() {
    let closed = |yes, no, abstain, quorum, threshold| {
        let mut p = proposal(yes, no, abstain);
        p.close(&Quantity::from(1000u64), quorum, threshold).unwrap();
        p.state
    };
    assert_eq!(closed(900, 0, 0, 90, 90), ProposalState::PASSED);
    assert_eq!(closed(899, 0, 0, 90, 90), ProposalState::REJECTED);
    assert_eq!(closed(810, 90, 0, 90, 90), ProposalState::PASSED);
    assert_eq!(closed(809, 0, 91, 90, 90), ProposalState::REJECTED);
    assert_eq!(closed(0, 0, 0, 0, 0), ProposalState::REJECTED);
    let mut more_than_all = proposal(1001, 0, 0);
    assert!(more_than_all.close(&Quantity::from(1000u64), 90, 90).is_err());
    assert!(proposal(1, 0, 0).close(&Quantity::ZERO, 90, 90).is_err());
}

#[test]
fn canceled_and_past_upgrades_are_not_pending() {
    let upgrade = |id, epoch, state| Proposal {
        id,
        state,
        content: ProposalContent {
            upgrade: Some(UpgradeProposal { descriptor: Descriptor { epoch, ..Descriptor::default() } }),
            cancel_upgrade: None,
        },
        ..Proposal::default()
    };
    let cancel = |id, proposal_id, state| Proposal {
        id,
        state,
        content: ProposalContent { upgrade: None, cancel_upgrade: Some(CancelUpgradeProposal { proposal_id }) },
        ..Proposal::default()
    };
    let proposals = [
        upgrade(1, 9, ProposalState::PASSED),
        upgrade(2, 10, ProposalState::PASSED),
        upgrade(3, 11, ProposalState::REJECTED),
        upgrade(4, 12, ProposalState::PASSED),
        upgrade(5, 13, ProposalState::PASSED),
        cancel(6, 4, ProposalState::PASSED),
        cancel(7, 5, ProposalState::FAILED),
    ];
    let ids: Vec<_> = pending_upgrades(&proposals.map(Into::into), 10).into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids, [2, 5]);
}

#[test]
fn votes_are_numbers_in_cbor_and_names_in_json() {
    let p = proposal(1, 2, 0);
    let value = json::ToJson::to_json(&p);
    assert_eq!(value["results"].to_string(), r#"{"no":"2","yes":"1"}"#);
    assert_eq!(value["state"], "active");
    assert_eq!(json::read::<Proposal>(&value).unwrap(), p);
    assert_eq!(cbor::from_slice::<Proposal>(&cbor::to_vec(&p)).unwrap(), p);
    assert!(json::read::<Vote>(&json::Value::from("maybe")).is_err());
}

#[test]
fn an_upgrade_is_written_without_a_level_of_its_own() {
    let content = ProposalContent {
        upgrade: Some(UpgradeProposal { descriptor: Descriptor { v: 1, handler: "abc".into(), target: VERSIONS, epoch: 5 } }),
        cancel_upgrade: None,
    };
    assert_eq!(json::ToJson::to_json(&content)["upgrade"]["handler"], "abc");
    assert!(content.validate_basic().is_ok());
    assert!(ProposalContent::default().validate_basic().is_err());
    assert!(ProposalContent { cancel_upgrade: Some(CancelUpgradeProposal::default()), ..content }.validate_basic().is_err());
}

#[test]
fn parameters_leave_zeros_out() {
    assert_eq!(cbor::to_vec(&ConsensusParameters::default()), [0xa0]);
    let good = ConsensusParameters {
        quorum: 90,
        threshold: 90,
        voting_period: 1,
        upgrade_min_epoch_diff: 2,
        upgrade_cancel_min_epoch_diff: 2,
        ..ConsensusParameters::default()
    };
    good.sanity_check().unwrap();
    assert!(ConsensusParameters { quorum: 74, ..good.clone() }.sanity_check().is_err());
    assert!(ConsensusParameters { voting_period: 2, ..good }.sanity_check().is_err());
}
