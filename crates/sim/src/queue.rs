//! Virtual time: what happens next.

use std::collections::BTreeMap;

/// A moment, in nanoseconds since the simulation began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub u64);

impl Moment {
    /// A moment so many milliseconds from the beginning.
    pub fn from_millis(millis: u64) -> Self {
        Self(millis * 1_000_000)
    }

    /// A later moment.
    pub fn after(self, nanos: u64) -> Self {
        Self(self.0.saturating_add(nanos))
    }

    /// Seconds since the beginning.
    pub fn seconds(self) -> f64 {
        self.0 as f64 / 1e9
    }
}

/// Events by their moments; those of one moment in the order in which they were added.
#[derive(Debug)]
pub struct Queue<E> {
    events: BTreeMap<(Moment, u64), E>,
    added: u64,
    now: Moment,
}

impl<E> Default for Queue<E> {
    fn default() -> Self {
        Self { events: BTreeMap::new(), added: 0, now: Moment::default() }
    }
}

impl<E> Queue<E> {
    /// The present.
    pub fn now(&self) -> Moment {
        self.now
    }

    /// Adds an event; one that lies in the past happens now.
    pub fn add(&mut self, at: Moment, event: E) {
        self.events.insert((at.max(self.now), self.added), event);
        self.added += 1;
    }

    /// Goes to the next event.
    pub fn pop(&mut self) -> Option<(Moment, E)> {
        let ((at, _), event) = self.events.pop_first()?;
        self.now = at;
        Some((at, event))
    }

    /// Count of events to come.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether nothing is to come.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_in_order_and_never_in_the_past() {
        let mut queue = Queue::default();
        queue.add(Moment(5), 'b');
        queue.add(Moment(5), 'c');
        queue.add(Moment(1), 'a');
        assert_eq!(queue.pop(), Some((Moment(1), 'a')));
        assert_eq!(queue.pop(), Some((Moment(5), 'b')));
        queue.add(Moment(0), 'd');
        assert_eq!(queue.pop(), Some((Moment(5), 'c')));
        assert_eq!(queue.pop(), Some((Moment(5), 'd')));
        assert_eq!(queue.pop(), None);
    }
}
