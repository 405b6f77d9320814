//! Events as clients see them.
//!
//! Source: go/consensus/tendermint/governance/governance.go, `EventsFromTendermint`.

use oasis_consensus_types::governance::{
    Event as ApiEvent, ProposalExecutedEvent, ProposalFinalizedEvent, ProposalSubmittedEvent, VoteEvent,
};
use oasis_primitives::{cbor, hash::Hash};

use super::APP_NAME;
use crate::event::{self, Event, read};

/// What clients see of an event; nothing of other apps' events and of keys that are unknown.
///
/// `tx_hash` is that of the transaction's bytes, for events of the block the hash of nothing.
pub fn to_api(event: &Event, height: i64, tx_hash: Hash) -> Result<Vec<ApiEvent>, cbor::Error> {
    event::to_api(event, APP_NAME, |key, value, out| {
        let mut api = ApiEvent { height, tx_hash, ..ApiEvent::default() };
        let known = read(key, ProposalSubmittedEvent::KIND, value, &mut api.proposal_submitted)?
            || read(key, ProposalExecutedEvent::KIND, value, &mut api.proposal_executed)?
            || read(key, ProposalFinalizedEvent::KIND, value, &mut api.proposal_finalized)?
            || read(key, VoteEvent::KIND, value, &mut api.vote)?;
        out.extend(known.then_some(api));
        Ok(())
    })
}
