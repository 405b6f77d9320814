//! `oasis-node governance`: proposals and votes.
//!
//! Source: go/oasis-node/cmd/governance/governance.go.

use std::path::PathBuf;

use anyhow::{Context, Result, anyhow, bail};
use clap::{Args, Subcommand};
use oasis_consensus_types::{
    governance::{self, CancelUpgradeProposal, Proposal, ProposalContent, ProposalQuery, ProposalVote, UpgradeProposal, Vote, VoteEntry},
    upgrade::Descriptor,
};
use oasis_primitives::json::{self, ToJson};

use crate::common::{CommonFlags, LATEST, Node, NodeFlags, parse, print, print_json, read_json, tx::TxFlags};

/// The commands.
#[derive(Debug, Subcommand)]
pub enum GovernanceCommand {
    /// Makes a transaction that submits a proposal.
    #[command(name = "gen_submit_proposal")]
    GenSubmitProposal {
        /// Descriptor of the upgrade that is proposed, in JSON.
        #[arg(
            id = "proposal.upgrade.descriptor",
            long = "proposal.upgrade.descriptor",
            value_name = "FILE",
            conflicts_with = "proposal.cancel_upgrade.id"
        )]
        descriptor: Option<PathBuf>,
        /// The upgrade proposal that is to be cancelled.
        #[arg(id = "proposal.cancel_upgrade.id", long = "proposal.cancel_upgrade.id", value_name = "ID")]
        cancel: Option<u64>,
        #[command(flatten)]
        tx: TxFlags,
    },
    /// Makes a transaction that votes.
    #[command(name = "gen_cast_vote")]
    GenCastVote {
        /// The vote: yes, no, abstain.
        #[arg(long, value_name = "VOTE")]
        vote: Option<String>,
        /// The proposal.
        #[arg(id = "vote.proposal.id", long = "vote.proposal.id", value_name = "ID", default_value_t = 0)]
        id: u64,
        #[command(flatten)]
        tx: TxFlags,
    },
    /// Shows a proposal.
    #[command(name = "proposal_info")]
    ProposalInfo {
        #[command(flatten)]
        proposal: ProposalFlag,
        #[command(flatten)]
        node: NodeFlags,
    },
    /// Shows the votes for a proposal.
    #[command(name = "proposal_votes")]
    ProposalVotes {
        #[command(flatten)]
        proposal: ProposalFlag,
        #[command(flatten)]
        node: NodeFlags,
    },
    /// Lists the open proposals.
    #[command(name = "list_proposals")]
    ListProposals {
        /// Closed ones too.
        #[arg(id = "include_closed", long = "include_closed")]
        include_closed: bool,
        #[command(flatten)]
        node: NodeFlags,
    },
}

/// Which proposal.
#[derive(Debug, Args)]
pub struct ProposalFlag {
    /// The proposal.
    #[arg(id = "proposal.id", long = "proposal.id", value_name = "ID", default_value_t = 0)]
    id: u64,
}

impl ProposalFlag {
    fn query(&self) -> Result<ProposalQuery> {
        Ok(ProposalQuery { height: LATEST, proposal_id: required("proposal.id", self.id)? })
    }
}

/// Runs a command.
pub fn run(command: &GovernanceCommand, common: &CommonFlags) -> Result<()> {
    match command {
        GovernanceCommand::GenSubmitProposal { descriptor, cancel, tx } => {
            let content = content(descriptor.as_ref(), cancel.unwrap_or_default())?;
            let maker = tx.begin(common)?;
            let tx = maker.transaction(governance::METHOD_SUBMIT_PROPOSAL, &content)?;
            maker.finish(&tx, None)
        }
        GovernanceCommand::GenCastVote { vote, id, tx } => {
            let id = required("vote.proposal.id", *id)?;
            let vote = parse("vote", vote.as_deref(), "yes, no or abstain", "yes", Vote::from_name)?;
            let maker = tx.begin(common)?;
            let tx = maker.transaction(governance::METHOD_CAST_VOTE, &ProposalVote { id, vote })?;
            maker.finish(&tx, None)
        }
        GovernanceCommand::ProposalInfo { proposal, node } => {
            let proposal: Proposal = Node::connect(node)?.call("Governance/Proposal", &proposal.query()?)?;
            print_json(&proposal)
        }
        GovernanceCommand::ProposalVotes { proposal, node } => {
            let votes: Option<Vec<VoteEntry>> = Node::connect(node)?.call("Governance/Votes", &proposal.query()?)?;
            print_list(votes)
        }
        GovernanceCommand::ListProposals { include_closed, node } => {
            let method = if *include_closed { "Governance/Proposals" } else { "Governance/ActiveProposals" };
            let proposals: Option<Vec<Proposal>> = Node::connect(node)?.call(method, &LATEST)?;
            print_list(proposals)
        }
    }
}

fn required(flag: &str, id: u64) -> Result<u64> {
    if id == 0 {
        bail!("--{flag}: proposal ID required; for example: --{flag} 1");
    }
    Ok(id)
}

/// A list that the node does not have is null.
fn print_list<T: ToJson>(list: Option<Vec<T>>) -> Result<()> {
    let value = list.map_or(json::Value::Null, |list| T::slice_to_json(&list));
    print(&json::to_text_pretty(&value))
}

fn content(descriptor: Option<&PathBuf>, cancel: u64) -> Result<ProposalContent> {
    match (descriptor, cancel) {
        (Some(path), _) => {
            let descriptor: Descriptor = read_json(path).context("can't parse upgrade descriptor")?;
            descriptor.validate_basic().map_err(|e| anyhow!("{}: submitted upgrade descriptor is not valid: {e}", path.display()))?;
            Ok(ProposalContent { upgrade: Some(UpgradeProposal { descriptor }), cancel_upgrade: None })
        }
        (None, 0) => bail!(
            "missing required arguments: either 'proposal.upgrade.descriptor' or 'proposal.cancel_upgrade.id' required; \
             for example: --proposal.upgrade.descriptor upgrade.json"
        ),
        (None, proposal_id) => Ok(ProposalContent { upgrade: None, cancel_upgrade: Some(CancelUpgradeProposal { proposal_id }) }),
    }
}
