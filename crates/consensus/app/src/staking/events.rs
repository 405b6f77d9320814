//! Events as clients see them.
//!
//! Source: go/consensus/tendermint/staking/staking.go, `EventsFromTendermint`.

use oasis_consensus_types::staking::{
    AddEscrowEvent, AllowanceChangeEvent, BurnEvent, DebondingStartEscrowEvent, EscrowEvent, Event as ApiEvent, ReclaimEscrowEvent,
    TakeEscrowEvent, TransferEvent, TypedEvent,
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
        let mut escrow = EscrowEvent::default();
        let known = read(key, TransferEvent::KIND, value, &mut api.transfer)?
            || read(key, BurnEvent::KIND, value, &mut api.burn)?
            || read(key, AllowanceChangeEvent::KIND, value, &mut api.allowance_change)?
            || read(key, AddEscrowEvent::KIND, value, &mut escrow.add)?
            || read(key, TakeEscrowEvent::KIND, value, &mut escrow.take)?
            || read(key, DebondingStartEscrowEvent::KIND, value, &mut escrow.debonding_start)?
            || read(key, ReclaimEscrowEvent::KIND, value, &mut escrow.reclaim)?;
        if escrow != EscrowEvent::default() {
            api.escrow = Some(escrow);
        }
        out.extend(known.then_some(api));
        Ok(())
    })
}
