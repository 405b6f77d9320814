//! Events.
//!
//! Source: go/staking/api/api.go.

use oasis_primitives::{
    address::Address,
    cbor::{Cbor, Encode},
    hash::Hash,
    json::Json,
    quantity::Quantity,
};

/// An event with a key of its own.
pub trait TypedEvent: Encode {
    /// The key of the event's attribute.
    const KIND: &'static str;
}

/// Base units moved from one account to another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct TransferEvent {
    /// Who paid.
    pub from: Address,
    /// Who received.
    pub to: Address,
    /// Base units.
    pub amount: Quantity,
}

/// Base units destroyed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct BurnEvent {
    /// Whose they were.
    pub owner: Address,
    /// Base units.
    pub amount: Quantity,
}

/// Base units escrowed; rewards make no new shares.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct AddEscrowEvent {
    /// Whose they were.
    pub owner: Address,
    /// The escrow account.
    pub escrow: Address,
    /// Base units.
    pub amount: Quantity,
    /// Shares that they bought.
    pub new_shares: Quantity,
}

/// Base units slashed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct TakeEscrowEvent {
    /// The escrow account.
    pub owner: Address,
    /// Base units.
    pub amount: Quantity,
}

/// Debonding started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct DebondingStartEscrowEvent {
    /// The delegator.
    pub owner: Address,
    /// The escrow account.
    pub escrow: Address,
    /// Base units at this time.
    pub amount: Quantity,
    /// Shares taken out of the active pool.
    pub active_shares: Quantity,
    /// Shares made in the debonding pool.
    pub debonding_shares: Quantity,
}

/// Debonding ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct ReclaimEscrowEvent {
    /// The delegator.
    pub owner: Address,
    /// The escrow account.
    pub escrow: Address,
    /// Base units released.
    pub amount: Quantity,
    /// Shares of the debonding pool.
    pub shares: Quantity,
}

/// An allowance changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct AllowanceChangeEvent {
    /// The account that allows.
    pub owner: Address,
    /// The account that may withdraw.
    pub beneficiary: Address,
    /// The new allowance, base units.
    pub allowance: Quantity,
    /// Whether it became less.
    #[cbor(omitempty)]
    pub negative: bool,
    /// By how much, base units.
    pub amount_change: Quantity,
}

macro_rules! typed {
    ($($type:ident: $kind:literal,)*) => {$(
        impl TypedEvent for $type {
            const KIND: &'static str = $kind;
        }
    )*};
}

typed! {
    TransferEvent: "transfer",
    BurnEvent: "burn",
    AddEscrowEvent: "add_escrow",
    TakeEscrowEvent: "take_escrow",
    DebondingStartEscrowEvent: "debonding_start",
    ReclaimEscrowEvent: "reclaim_escrow",
    AllowanceChangeEvent: "allowance_change",
}

/// An event of an escrow account, as clients see it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct EscrowEvent {
    /// Base units escrowed.
    #[cbor(omitempty)]
    pub add: Option<AddEscrowEvent>,
    /// Base units slashed.
    #[cbor(omitempty)]
    pub take: Option<TakeEscrowEvent>,
    /// Debonding started.
    #[cbor(omitempty)]
    pub debonding_start: Option<DebondingStartEscrowEvent>,
    /// Debonding ended.
    #[cbor(omitempty)]
    pub reclaim: Option<ReclaimEscrowEvent>,
}

/// An event, as clients see it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct Event {
    /// Height of the block.
    #[cbor(omitempty)]
    pub height: i64,
    /// Hash of the transaction; of the empty string for events of the block.
    #[cbor(omitempty)]
    pub tx_hash: Hash,
    /// Base units moved.
    #[cbor(omitempty)]
    pub transfer: Option<TransferEvent>,
    /// Base units destroyed.
    #[cbor(omitempty)]
    pub burn: Option<BurnEvent>,
    /// Something with an escrow account.
    #[cbor(omitempty)]
    pub escrow: Option<EscrowEvent>,
    /// An allowance changed.
    #[cbor(omitempty)]
    pub allowance_change: Option<AllowanceChangeEvent>,
}
