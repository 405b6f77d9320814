//! Messages from runtimes to the consensus layer.
//!
//! Source: go/roothash/api/message/message.go.

use oasis_primitives::{cbor::Cbor, hash::Hash, json::Json};

use crate::{registry, staking};

/// A message of a runtime; one field is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct Message {
    /// A staking operation.
    #[cbor(omitempty)]
    pub staking: Option<StakingMessage>,
    /// A registry operation.
    #[cbor(omitempty)]
    pub registry: Option<RegistryMessage>,
}

/// A staking operation on the runtime's account; one field is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct StakingMessage {
    /// Version of the format.
    pub v: u16,
    /// Sends base units.
    #[cbor(omitempty)]
    pub transfer: Option<staking::Transfer>,
    /// Takes base units that an account allows the runtime.
    #[cbor(omitempty)]
    pub withdraw: Option<staking::Withdraw>,
    /// Delegates.
    #[cbor(omitempty)]
    pub add_escrow: Option<staking::Escrow>,
    /// Ends a delegation.
    #[cbor(omitempty)]
    pub reclaim_escrow: Option<staking::ReclaimEscrow>,
}

/// A registry operation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct RegistryMessage {
    /// Version of the format.
    pub v: u16,
    /// Updates a runtime that the sending runtime governs.
    #[cbor(omitempty)]
    pub update_runtime: Option<Box<registry::Runtime>>,
}

impl Message {
    /// Checks the fields' presence; a staking message is checked alone where both are set.
    ///
    /// Source: go/roothash/api/message/message.go, `Message.ValidateBasic`.
    pub fn validate_basic(&self) -> Result<(), &'static str> {
        match (&self.staking, &self.registry) {
            (Some(staking), _) => staking.validate_basic(),
            (None, Some(registry)) => registry.validate_basic(),
            (None, None) => Err("runtime message has no fields set"),
        }
    }
}

impl StakingMessage {
    /// Checks that one field is set.
    ///
    /// Source: go/roothash/api/message/message.go, `StakingMessage.ValidateBasic`.
    pub fn validate_basic(&self) -> Result<(), &'static str> {
        let set = [self.transfer.is_some(), self.withdraw.is_some(), self.add_escrow.is_some(), self.reclaim_escrow.is_some()];
        match set.into_iter().filter(|s| *s).count() {
            0 => Err("staking runtime message has no fields set"),
            1 => Ok(()),
            _ => Err("staking runtime message has multiple fields set"),
        }
    }
}

impl RegistryMessage {
    /// Checks that a field is set; the descriptor is checked where it is registered.
    ///
    /// Source: go/roothash/api/message/message.go, `RegistryMessage.ValidateBasic`.
    pub fn validate_basic(&self) -> Result<(), &'static str> {
        if self.update_runtime.is_some() { Ok(()) } else { Err("registry runtime message has no fields set") }
    }
}

/// The hash of a round's messages; the hash of nothing where there are none.
///
/// Source: go/roothash/api/message/message.go, `MessagesHash`.
pub fn messages_hash(messages: &[Message]) -> Hash {
    if messages.is_empty() { Hash::EMPTY } else { Hash::of_cbor(messages) }
}
