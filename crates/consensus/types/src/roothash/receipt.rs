//! What storage nodes sign to say that they hold roots.
//!
//! Source: go/storage/api/api.go, `ReceiptBody`, `Receipt`; go/storage/mkvs/node/node.go, `RootType`.

use oasis_primitives::{
    cbor::{Cbor, NilVec},
    hash::Hash,
    json::Json,
    namespace::Namespace,
    signature::{Context, OpenError, SignatureRules, SignedBlob},
};

/// The context under which receipts are signed, for a chain.
pub const RECEIPT_CONTEXT: Context = Context::new("oasis-core/storage: receipt").with_chain_separation();

/// What a root is of.
///
/// Source: go/storage/mkvs/node/node.go, `RootType`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Cbor, Json)]
#[cbor(transparent)]
pub struct RootType(pub u8);

impl RootType {
    /// No type.
    pub const INVALID: Self = Self(0);
    /// A runtime's state.
    pub const STATE: Self = Self(1);
    /// A round's inputs and outputs.
    pub const IO: Self = Self(2);
}

/// The signed content of a receipt.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct ReceiptBody {
    /// Version of the format, 1.
    pub version: u16,
    /// The runtime.
    #[cbor(rename = "ns")]
    pub namespace: Namespace,
    /// The round that the roots are of.
    pub round: u64,
    /// The type of each root, one byte each.
    pub root_types: NilVec<u8>,
    /// The roots.
    pub roots: NilVec<Hash>,
}

impl ReceiptBody {
    /// The content for roots of a round.
    pub fn new(namespace: Namespace, round: u64, roots: &[(RootType, Hash)]) -> Self {
        Self {
            version: 1,
            namespace,
            round,
            root_types: roots.iter().map(|(kind, _)| kind.0).collect(),
            roots: roots.iter().map(|(_, root)| *root).collect(),
        }
    }

    /// Checks that this receipt's content is for the given roots of a round.
    ///
    /// Source: go/roothash/api/block/header.go, `Header.VerifyStorageReceipt`.
    pub fn verify(&self, expected: &ReceiptBody) -> Result<(), &'static str> {
        if self.namespace != expected.namespace {
            return Err("roothash: receipt has unexpected namespace");
        }
        if self.round != expected.round {
            return Err("roothash: receipt has unexpected round");
        }
        if self.roots.len() != expected.roots.len() {
            return Err("roothash: receipt has unexpected number of roots");
        }
        if self.root_types.len() != expected.root_types.len() {
            return Err("roothash: receipt has unexpected number of root types");
        }
        if *self.root_types != *expected.root_types {
            return Err("roothash: receipt has unexpected root types");
        }
        if *self.roots != *expected.roots {
            return Err("roothash: receipt has unexpected roots");
        }
        Ok(())
    }
}

/// A signed receipt.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
#[cbor(transparent)]
pub struct Receipt(pub SignedBlob);

impl Receipt {
    /// Checks the signature and decodes the content.
    pub fn open(&self, rules: &SignatureRules) -> Result<ReceiptBody, OpenError> {
        self.0.open(rules, &RECEIPT_CONTEXT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_types_are_written_as_bytes() {
        let body = ReceiptBody::new(Namespace([0; 32]), 0, &[(RootType::IO, Hash::EMPTY), (RootType::STATE, Hash::EMPTY)]);
        let encoded = oasis_primitives::cbor::to_vec(&body.root_types);
        assert_eq!(encoded, [0x42, 2, 1]);
    }

    #[test]
    fn a_receipt_is_compared_field_by_field() {
        let expected = ReceiptBody::new(Namespace([1; 32]), 1, &[(RootType::IO, Hash::EMPTY), (RootType::STATE, Hash::EMPTY)]);
        let mut receipt = ReceiptBody::new(
            Namespace([2; 32]),
            2,
            &[(RootType::STATE, Hash::EMPTY), (RootType::IO, Hash::EMPTY), (RootType::INVALID, Hash::EMPTY)],
        );
        assert_eq!(receipt.verify(&expected), Err("roothash: receipt has unexpected namespace"));
        receipt.namespace = Namespace([1; 32]);
        assert_eq!(receipt.verify(&expected), Err("roothash: receipt has unexpected round"));
        receipt.round = 1;
        assert_eq!(receipt.verify(&expected), Err("roothash: receipt has unexpected number of roots"));
        receipt.roots = expected.roots.clone();
        assert_eq!(receipt.verify(&expected), Err("roothash: receipt has unexpected number of root types"));
        receipt.root_types = vec![1, 2].into();
        assert_eq!(receipt.verify(&expected), Err("roothash: receipt has unexpected root types"));
        receipt.root_types = vec![2, 1].into();
        assert_eq!(receipt.verify(&expected), Ok(()));
    }
}
