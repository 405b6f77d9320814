//! Events of blocks and transactions.
//!
//! Source: go/consensus/tendermint/api/api.go, `EventBuilder`.

use oasis_primitives::cbor::{self, Decode, Encode};

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

/// What clients see of an event of an app: `read` is given each attribute and adds what it makes of it. Nothing of other
/// apps' events.
pub(crate) fn to_api<T>(
    event: &Event,
    app: &str,
    mut read: impl FnMut(&[u8], &[u8], &mut Vec<T>) -> Result<(), cbor::Error>,
) -> Result<Vec<T>, cbor::Error> {
    let mut out = Vec::new();
    if event.kind == Event::new(app).kind {
        event.attributes.iter().try_for_each(|(key, value)| read(key, value, &mut out))?;
    }
    Ok(out)
}

/// Reads an attribute's value where its key is `kind`, and says whether it is.
pub(crate) fn read<T: Decode>(key: &[u8], kind: &str, value: &[u8], place: &mut Option<T>) -> Result<bool, cbor::Error> {
    let known = key == kind.as_bytes();
    if known {
        *place = Some(cbor::from_slice(value)?);
    }
    Ok(known)
}
