//! Entities: who controls nodes and runtimes.
//!
//! Source: go/common/entity/entity.go.

use oasis_primitives::{
    cbor::{self, Cbor, Decode, Decoder, Encode, Encoder},
    json::Json,
    signature::{PublicKey, SignedBlob},
};

/// The version that new descriptors have.
pub const LATEST_DESCRIPTOR_VERSION: u16 = 2;
/// The oldest version that is allowed.
pub const MIN_DESCRIPTOR_VERSION: u16 = 1;

/// An entity: a key that controls nodes and runtimes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Json)]
pub struct Entity {
    /// Version of the descriptor.
    pub v: u16,
    /// The key that identifies the entity.
    pub id: PublicKey,
    /// Identity keys of the nodes that the entity owns.
    #[cbor(omitempty)]
    pub nodes: Vec<PublicKey>,
}

/// The form of version 2.
#[derive(Default, Cbor)]
struct Plain {
    v: u16,
    id: PublicKey,
    #[cbor(omitempty)]
    nodes: Vec<PublicKey>,
}

/// The form of version 1, whose keys include those of version 2.
#[derive(Default, Cbor)]
struct WithEntitySignedNodes {
    v: Option<u16>,
    id: PublicKey,
    #[cbor(omitempty)]
    nodes: Vec<PublicKey>,
    #[cbor(omitempty)]
    allow_entity_signed_nodes: bool,
}

impl Entity {
    /// Source: go/common/entity/entity.go, `Entity.ValidateBasic`; `strict_version` allows the latest only.
    pub fn validate_basic(&self, strict_version: bool) -> Result<(), String> {
        let v = self.v;
        if strict_version && v != LATEST_DESCRIPTOR_VERSION {
            return Err(format!("invalid entity descriptor version: {v} (expected: {LATEST_DESCRIPTOR_VERSION})"));
        }
        if !(MIN_DESCRIPTOR_VERSION..=LATEST_DESCRIPTOR_VERSION).contains(&v) {
            let (min, max) = (MIN_DESCRIPTOR_VERSION, LATEST_DESCRIPTOR_VERSION);
            return Err(format!("invalid entity descriptor version: {v} (min: {min} max: {max})"));
        }
        Ok(())
    }
}

impl Encode for Entity {
    fn encode(&self, e: &mut Encoder) {
        Plain { v: self.v, id: self.id, nodes: self.nodes.clone() }.encode(e);
    }
}

impl Decode for Entity {
    const TAKES_NULL: bool = true;

    /// Always by the untrusted rules; version 1 becomes 2 unless it lets the entity sign for nodes.
    ///
    /// Source: go/common/entity/entity.go, `Entity.UnmarshalCBOR`.
    fn decode(d: &mut Decoder<'_>) -> Result<Self, cbor::Error> {
        let raw = strip_self_described(d.raw_item()?);
        let old: WithEntitySignedNodes = cbor::from_slice(raw)?;
        match old.v {
            Some(1) if old.allow_entity_signed_nodes => {
                Err(cbor::Error::invalid("entity descriptor must have allow_entity_signed_nodes set to false"))
            }
            Some(1) => Ok(Self { v: 2, id: old.id, nodes: old.nodes }),
            Some(2) => {
                let Plain { v, id, nodes } = cbor::from_slice(raw)?;
                Ok(Self { v, id, nodes })
            }
            Some(v) => Err(cbor::Error::invalid(format!("invalid entity descriptor version: {v}"))),
            None => Err(cbor::Error::invalid("cbor: missing or invalid version")),
        }
    }
}

/// Drops tags that say that CBOR follows, which the decoder passes over before it hands an item to a type.
///
/// Source: fxamacker/cbor v2 `decode.go`, `parseToValue`, `selfDescribedCBORTagNum`.
fn strip_self_described(mut raw: &[u8]) -> &[u8] {
    loop {
        raw = match raw {
            [0xd9, 0xd9, 0xf7, rest @ ..] => rest,
            [0xda, 0, 0, 0xd9, 0xf7, rest @ ..] => rest,
            [0xdb, 0, 0, 0, 0, 0, 0, 0xd9, 0xf7, rest @ ..] => rest,
            _ => return raw,
        };
    }
}

/// An encoded entity with the signature of its key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
#[cbor(transparent)]
pub struct SignedEntity(pub SignedBlob);

impl SignedEntity {
    /// Decodes the descriptor without looking at the signature.
    pub fn untrusted(&self) -> Result<Entity, cbor::Error> {
        self.0.decode_unverified()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use oasis_primitives::cbor::Value;

    use super::*;

    fn text(key: &str) -> Value {
        Value::Text(key.into())
    }

    fn map(version: Option<u64>, extra: Option<(&str, Value)>) -> Vec<u8> {
        let mut pairs = vec![(text("id"), Value::Bytes(vec![7; 32]))];
        pairs.extend(version.map(|v| (text("v"), Value::Uint(v))));
        pairs.extend(extra.map(|(k, v)| (text(k), v)));
        cbor::to_vec(&Value::Map(pairs))
    }

    #[test]
    fn version_one_becomes_two() {
        let entity: Entity = cbor::from_slice(&map(Some(1), None)).unwrap();
        assert_eq!(entity, Entity { v: 2, id: PublicKey([7; 32]), nodes: vec![] });
        let explicit = map(Some(1), Some(("allow_entity_signed_nodes", Value::Bool(false))));
        assert!(cbor::from_slice::<Entity>(&explicit).is_ok());
    }

    #[test]
    fn entity_signed_nodes_are_refused_in_every_version() {
        for v in [1, 2] {
            let bytes = map(Some(v), Some(("allow_entity_signed_nodes", Value::Bool(true))));
            assert!(cbor::from_slice::<Entity>(&bytes).is_err());
        }
        let bytes = map(Some(2), Some(("allow_entity_signed_nodes", Value::Bool(false))));
        assert!(cbor::from_slice::<Entity>(&bytes).is_err());
    }

    #[test]
    fn missing_and_other_versions_are_refused() {
        for v in [None, Some(0), Some(3), Some(65535)] {
            assert!(cbor::from_slice::<Entity>(&map(v, None)).is_err());
        }
        assert!(cbor::from_slice::<Entity>(&[0xf6]).is_err());
        assert!(cbor::from_slice::<Option<Entity>>(&[0xf6]).unwrap().is_none());
    }

    #[test]
    fn unknown_keys_are_refused_even_by_the_trusted_rules() {
        let bytes = map(Some(2), Some(("x", Value::Null)));
        assert!(cbor::from_slice_trusted::<Entity>(&bytes).is_err());
    }
}
