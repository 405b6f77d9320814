//! Proposals and votes.
//!
//! Source: go/oasis-node/cmd/debug/txsource/workload/governance.go.

use std::{collections::BTreeSet, time::Duration};

use oasis_consensus_types::{
    governance::{
        CancelUpgradeProposal, ConsensusParameters, METHOD_CAST_VOTE, METHOD_SUBMIT_PROPOSAL, Proposal, ProposalContent, ProposalVote,
        UpgradeProposal, Vote,
    },
    upgrade::{DESCRIPTOR_VERSION, Descriptor},
};
use oasis_primitives::{address::Address, cbor::NilVec, quantity::Quantity, signature::MemorySigner, version::VERSIONS};

use super::{accounts, again};
use crate::{
    Random,
    session::{Error, LATEST, Session},
};

const PAUSE: Duration = Duration::from_secs(2);
/// How many of a hundred votes are for the proposals of each proposer.
const FOR: [u64; 10] = [100, 99, 98, 95, 92, 90, 80, 70, 50, 0];
/// The deposits that a proposer has tokens for.
const DEPOSITS: u64 = 1000;

struct Desk {
    proposers: Vec<(MemorySigner, Address)>,
    parameters: ConsensusParameters,
    epoch: u64,
    /// Proposals that everybody votes for.
    wanted: BTreeSet<u64>,
}

fn shuffled<T>(random: &mut Random, items: Vec<T>) -> Result<Vec<T>, Error> {
    let mut places: Vec<Option<T>> = items.into_iter().map(Some).collect();
    let order = random.order(places.len())?;
    Ok(order.into_iter().filter_map(|at| places.get_mut(at)?.take()).collect())
}

fn epoch(session: &mut Session<'_>) -> Result<u64, Error> {
    session.ask("Beacon/GetEpoch", &LATEST)
}

fn pending(session: &mut Session<'_>) -> Result<Vec<Descriptor>, Error> {
    let pending: NilVec<Descriptor> = session.ask("Governance/PendingUpgrades", &LATEST)?;
    Ok(pending.to_vec())
}

impl Desk {
    /// Whether a proposal fails as it should. What was decided meanwhile, at the end of an epoch, is no error.
    fn judge(&self, session: &mut Session<'_>, result: Result<(), Error>, should_fail: bool) -> Result<bool, Error> {
        let text = match (result, should_fail) {
            (Ok(()), false) => return Ok(true),
            (Err(Error::Refused { what, error }), true) => {
                session.world.say(format_args!("{what}: refused as expected: {error}"));
                *session.counts.refused.entry(what).or_default() += 1;
                return Ok(false);
            }
            (Ok(()), true) => "a proposal was accepted that should fail".to_owned(),
            (Err(error @ Error::Refused { .. }), false) => error.to_string(),
            (Err(error), _) => return Err(error),
        };
        if epoch(session)? > self.epoch {
            session.world.say(format_args!("{text}, at the end of an epoch"));
            return Ok(false);
        }
        Err(Error::Unexpected(text))
    }

    fn submit(&self, session: &mut Session<'_>, content: &ProposalContent, should_fail: bool) -> Result<Option<u64>, Error> {
        let proposer = session.random.below(self.proposers.len() as u64)? as usize;
        let Some((signer, _)) = self.proposers.get(proposer) else { return Ok(None) };
        let result = session.fund_and_submit(signer, METHOD_SUBMIT_PROPOSAL, content);
        if !self.judge(session, result, should_fail)? {
            return Ok(None);
        }
        // Of several alike the last is meant.
        let active: NilVec<Proposal> = session.ask("Governance/ActiveProposals", &LATEST)?;
        let found = active.iter().filter(|proposal| proposal.content == *content).map(|proposal| proposal.id).max();
        found.map(Some).ok_or_else(|| Error::Unexpected("submitted proposal not found".to_owned()))
    }

    /// Source: `doUpgradeProposal`.
    fn upgrade(&self, session: &mut Session<'_>) -> Result<(), Error> {
        let difference = self.parameters.upgrade_min_epoch_diff;
        let earliest = self.epoch + difference;
        let epoch = session.random.below_63(3 * difference + 1)? + earliest;
        let mut suffix = [0; 8];
        session.random.fill(&mut suffix)?;
        let suffix: String = suffix.iter().map(|byte| format!("{byte:02x}")).collect();
        let handler = format!("test-upgrade_{suffix}");
        let descriptor = Descriptor { v: DESCRIPTOR_VERSION, handler, target: VERSIONS, epoch };
        let should_fail = pending(session)?.iter().any(|other| other.epoch.abs_diff(epoch) < difference);
        let content = ProposalContent { upgrade: Some(UpgradeProposal { descriptor }), cancel_upgrade: None };
        self.submit(session, &content, should_fail).map(drop)
    }

    /// Source: `submitCancelUpgradeProposal`.
    fn cancel(&self, session: &mut Session<'_>, descriptor: &Descriptor, should_fail: bool) -> Result<Option<u64>, Error> {
        let all: NilVec<Proposal> = session.ask("Governance/Proposals", &LATEST)?;
        let found = all.iter().find(|proposal| proposal.content.upgrade.as_ref().is_some_and(|upgrade| upgrade.descriptor == *descriptor));
        let proposal_id = found.ok_or_else(|| Error::Unexpected("proposal for pending upgrade not found".to_owned()))?.id;
        let content = ProposalContent { upgrade: None, cancel_upgrade: Some(CancelUpgradeProposal { proposal_id }) };
        self.submit(session, &content, should_fail)
    }

    /// Source: `doCancelUpgradeProposal`.
    fn cancel_one(&self, session: &mut Session<'_>) -> Result<(), Error> {
        let least = self.parameters.upgrade_cancel_min_epoch_diff;
        let all = pending(session)?;
        for upgrade in shuffled(&mut session.random, all)? {
            let difference = upgrade.epoch.abs_diff(self.epoch);
            // Those about to be made are cancelled by all.
            if difference < least || difference > least + 2 {
                return self.cancel(session, &upgrade, difference < least).map(drop);
            }
        }
        session.world.say(format_args!("no upgrade is pending that could be cancelled"));
        Ok(())
    }

    fn cast(&self, session: &mut Session<'_>, voter: &MemorySigner, body: ProposalVote) -> Result<(), Error> {
        match session.fund_and_submit(voter, METHOD_CAST_VOTE, &body) {
            // Not a validator at the moment. Source: `submitVote`.
            Err(Error::Refused { error, .. })
                if matches!((error.module.as_str(), error.code), ("governance", 6) | ("registry", 9 | 10)) =>
            {
                session.world.say(format_args!("vote refused: {error}"));
                *session.counts.refused.entry(METHOD_CAST_VOTE.to_owned()).or_default() += 1;
                Ok(())
            }
            result => result,
        }
    }

    /// Source: `doGovernanceVote`.
    fn vote(&self, session: &mut Session<'_>, validators: &[MemorySigner]) -> Result<(), Error> {
        let active: NilVec<Proposal> = session.ask("Governance/ActiveProposals", &LATEST)?;
        // Others may close before the vote is in a block.
        let open = active.iter().filter(|proposal| proposal.closes_at > self.epoch + 1).cloned().collect();
        let Some(proposal) = shuffled::<Proposal>(&mut session.random, open)?.into_iter().next() else {
            session.world.say(format_args!("no active proposals"));
            return Ok(());
        };
        // Proposals of an earlier run, with another seed, are voted for as those of the last proposer.
        let proposer = self.proposers.iter().position(|(_, address)| *address == proposal.submitter);
        let rate = proposer.and_then(|at| FOR.get(at)).copied().unwrap_or_default();
        let vote = if self.wanted.contains(&proposal.id) || session.random.below(100)? < rate {
            Vote::YES
        } else if session.random.below(100)? < 50 {
            Vote::NO
        } else {
            Vote::ABSTAIN
        };
        let Some(voter) = session.random.one(validators)? else { return Ok(()) };
        self.cast(session, voter, ProposalVote { id: proposal.id, vote })
    }

    /// At each epoch: upgrades that are about to be made are cancelled, since nobody could make them. Source: `Run`.
    fn new_epoch(&mut self, session: &mut Session<'_>, validators: &[MemorySigner]) -> Result<(), Error> {
        let now = epoch(session)?;
        if now <= self.epoch {
            return Ok(());
        }
        self.epoch = now;
        for upgrade in pending(session)? {
            if upgrade.epoch.abs_diff(now) != self.parameters.upgrade_cancel_min_epoch_diff + 2 {
                continue;
            }
            let Some(id) = self.cancel(session, &upgrade, false)? else { continue };
            self.wanted.insert(id);
            for voter in validators {
                self.cast(session, voter, ProposalVote { id, vote: Vote::YES })?;
            }
        }
        Ok(())
    }
}

pub fn run(session: &mut Session<'_>, validators: &[MemorySigner]) -> Result<(), Error> {
    if validators.is_empty() {
        let text =
            "--workload governance: validators' owners vote; name their keys, for example: --validator_entity /localnet/entity0/entity.pem";
        return Err(Error::Asked(text.to_owned()));
    }
    let parameters: ConsensusParameters = session.ask("Governance/ConsensusParameters", &LATEST)?;
    let proposers = accounts(session, FOR.len(), &parameters.min_proposal_deposit.times(&Quantity::from(DEPOSITS)))?;
    let mut desk = Desk { proposers, parameters, epoch: 0, wanted: BTreeSet::new() };
    while again(session, PAUSE) {
        desk.new_epoch(session, validators)?;
        match session.random.below(3)? {
            0 => desk.upgrade(session)?,
            1 => desk.cancel_one(session)?,
            _ => desk.vote(session, validators)?,
        }
    }
    Ok(())
}
