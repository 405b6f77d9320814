//! Events as clients see them.
//!
//! Source: go/consensus/tendermint/staking/staking.go, `EventsFromTendermint`.

use oasis_consensus_types::staking::{
    AddEscrowEvent, AllowanceChangeEvent, BurnEvent, DebondingStartEscrowEvent, EscrowEvent, Event as ApiEvent, ReclaimEscrowEvent,
    TakeEscrowEvent, TransferEvent, TypedEvent,
};
use oasis_primitives::{
    cbor::{self, Decode},
    hash::Hash,
};

use super::APP_NAME;
use crate::event::Event;

/// What clients see of an event; nothing of other apps' events and of keys that are unknown.
///
/// `tx_hash` is that of the transaction's bytes, for events of the block the hash of nothing.
pub fn to_api(event: &Event, height: i64, tx_hash: Hash) -> Result<Vec<ApiEvent>, cbor::Error> {
    if event.kind != Event::new(APP_NAME).kind {
        return Ok(Vec::new());
    }
    let mut out = Vec::new();
    for (key, value) in &event.attributes {
        let mut api = ApiEvent { height, tx_hash, ..ApiEvent::default() };
        let mut escrow = EscrowEvent::default();
        let known = read::<TransferEvent>(key, value, &mut api.transfer)?
            || read::<BurnEvent>(key, value, &mut api.burn)?
            || read::<AllowanceChangeEvent>(key, value, &mut api.allowance_change)?
            || read::<AddEscrowEvent>(key, value, &mut escrow.add)?
            || read::<TakeEscrowEvent>(key, value, &mut escrow.take)?
            || read::<DebondingStartEscrowEvent>(key, value, &mut escrow.debonding_start)?
            || read::<ReclaimEscrowEvent>(key, value, &mut escrow.reclaim)?;
        if escrow != EscrowEvent::default() {
            api.escrow = Some(escrow);
        }
        if known {
            out.push(api);
        }
    }
    Ok(out)
}

fn read<T: TypedEvent + Decode>(key: &[u8], value: &[u8], place: &mut Option<T>) -> Result<bool, cbor::Error> {
    let known = key == T::KIND.as_bytes();
    if known {
        *place = Some(cbor::from_slice(value)?);
    }
    Ok(known)
}
