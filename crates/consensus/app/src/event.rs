//! Events of blocks and transactions.
//!
//! Source: go/consensus/tendermint/api/api.go, `EventBuilder`.

use oasis_primitives::cbor::{self, Encode};

/// An event: a type that names the app, and attributes in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// `oasis-event-` and the app's event name.
    pub kind: String,
    /// Keys and values.
    pub attributes: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Event {
    /// An event of an app (such as `staking`) without attributes.
    pub fn new(app: &str) -> Self {
        Self { kind: format!("oasis-event-{app}"), attributes: Vec::new() }
    }

    /// Adds an attribute.
    #[must_use]
    pub fn attr(mut self, key: impl AsRef<[u8]>, value: impl Into<Vec<u8>>) -> Self {
        self.attributes.push((key.as_ref().to_vec(), value.into()));
        self
    }

    /// Adds an attribute whose value is encoded.
    #[must_use]
    pub fn typed<T: Encode + ?Sized>(self, key: &str, value: &T) -> Self {
        self.attr(key, cbor::to_vec(value))
    }
}
