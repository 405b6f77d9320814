//! Events of blocks as clients see them.

use oasis_consensus_app::event::Event;
use oasis_consensus_engine::proto;
use oasis_primitives::{
    cbor::{self, NilVec},
    hash::Hash,
};

use super::{Source, blocks, list, unknown};
use crate::grpc::ApiError;

/// Makes a client's events of one of the state machine.
pub type ToApi<T> = fn(&Event, i64, Hash) -> Result<Vec<T>, cbor::Error>;

/// What happened in a block: its own events, then those of its transactions.
pub struct BlockEvents<'a> {
    /// The height.
    pub height: i64,
    /// The transactions.
    pub txs: &'a [Vec<u8>],
    /// What the state machine answered.
    pub responses: &'a proto::AbciResponses,
}

impl BlockEvents<'_> {
    /// Visits all events, with the hash of their transaction or of nothing.
    pub fn each<E>(&self, mut visit: impl FnMut(&Event, Hash) -> Result<(), E>) -> Result<(), E> {
        let begin = self.responses.begin_block.as_ref().map_or(&[][..], |begin| &begin.events);
        let end = self.responses.end_block.as_ref().map_or(&[][..], |end| &end.events);
        for event in begin.iter().chain(end) {
            visit(&to_event(event), Hash::empty())?;
        }
        for (tx, result) in self.txs.iter().zip(&self.responses.deliver_txs) {
            let hash = Hash::of(tx);
            for event in &result.events {
                visit(&to_event(event), hash)?;
            }
        }
        Ok(())
    }

    /// The events of an app.
    pub fn of<T>(&self, to_api: ToApi<T>) -> Result<Vec<T>, cbor::Error> {
        let mut out = Vec::new();
        self.each(|event, hash| {
            out.extend(to_api(event, self.height, hash)?);
            Ok(())
        })?;
        Ok(out)
    }
}

fn to_event(event: &proto::Event) -> Event {
    let attributes = event.attributes.iter().map(|a| (a.key.clone(), a.value.clone())).collect();
    Event { kind: event.r#type.clone(), attributes }
}

/// The events of an app in a list of events, all of one transaction.
pub fn api_events<T>(events: &[proto::Event], height: i64, tx: Hash, to_api: ToApi<T>) -> Result<Vec<T>, cbor::Error> {
    let mut out = Vec::new();
    for event in events {
        out.extend(to_api(&to_event(event), height, tx)?);
    }
    Ok(out)
}

/// The events of an app in the block of a height. Source: `GetEvents` of each app.
pub(super) fn of_height<T>(source: &dyn Source, wanted: i64, to_api: ToApi<T>) -> Result<NilVec<T>, ApiError> {
    let (height, responses) = blocks::results(source, wanted)?;
    let block = blocks::required(source, wanted)?;
    let events = BlockEvents { height, txs: &block.data.txs, responses: &responses };
    Ok(list(events.of(to_api).map_err(unknown)?))
}
