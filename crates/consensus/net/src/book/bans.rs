//! Banned nodes.

use std::collections::BTreeMap;

use oasis_consensus_engine::PeerId;

use super::known::Known;

/// Most bans that are remembered; the one that ends first makes room.
pub const MAX_BANS: usize = 10_000;

/// Who is banned until when, and the address to take back afterwards.
#[derive(Debug, Default)]
pub(super) struct Bans(BTreeMap<PeerId, (i64, Option<Known>)>);

impl Bans {
    /// Bans; a longer ban stays.
    pub fn ban(&mut self, id: PeerId, until: i64, known: Option<Known>, now: i64) {
        if until <= now {
            return;
        }
        if self.0.len() >= MAX_BANS
            && !self.0.contains_key(&id)
            && let Some(first) = self.0.iter().min_by_key(|(_, (until, _))| *until).map(|(id, _)| *id)
        {
            self.0.remove(&first);
        }
        let entry = self.0.entry(id).or_insert((until, None));
        entry.0 = entry.0.max(until);
        entry.1 = known.or(entry.1.take());
    }

    pub fn is_banned(&self, id: &PeerId, now: i64) -> bool {
        self.0.get(id).is_some_and(|(until, _)| *until > now)
    }

    /// Removes the bans that ended; returns the addresses.
    pub fn take_ended(&mut self, now: i64) -> Vec<Known> {
        let ended: Vec<_> = self.0.iter().filter(|(_, (until, _))| *until <= now).map(|(id, _)| *id).collect();
        ended.into_iter().filter_map(|id| self.0.remove(&id)?.1).collect()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&PeerId, i64)> {
        self.0.iter().map(|(id, (until, _))| (id, *until))
    }
}
