//! Slashing: reasons, penalties and how a loss is spread.
//!
//! Source: go/staking/api/slashing.go; go/consensus/tendermint/apps/staking/state/state.go, `SlashEscrow`.

use std::fmt;

use oasis_primitives::{
    cbor::Cbor,
    json::{self, Json},
    quantity::Quantity,
};

use super::{EpochTime, EscrowAccount, SharePool};

/// Why stake is slashed; numbers without a name are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Cbor)]
#[cbor(transparent)]
pub struct SlashReason(pub u8);

impl SlashReason {
    /// Two votes of a validator at one height, round and step.
    pub const CONSENSUS_EQUIVOCATION: Self = Self(0x00);
    /// An invalid beacon commit.
    pub const BEACON_INVALID_COMMIT: Self = Self(0x01);
    /// An invalid beacon reveal.
    pub const BEACON_INVALID_REVEAL: Self = Self(0x02);
    /// No part taken in the beacon.
    pub const BEACON_NONPARTICIPATION: Self = Self(0x03);
    /// An attack on light clients.
    pub const CONSENSUS_LIGHT_CLIENT_ATTACK: Self = Self(0x04);
    /// Wrong results of a runtime's round.
    pub const RUNTIME_INCORRECT_RESULTS: Self = Self(0x80);
    /// Two commitments or proposed batches in one round.
    pub const RUNTIME_EQUIVOCATION: Self = Self(0x81);

    const ALL: [(Self, &'static str); 7] = [
        (Self::CONSENSUS_EQUIVOCATION, "consensus-equivocation"),
        (Self::BEACON_INVALID_COMMIT, "beacon-invalid-commit"),
        (Self::BEACON_INVALID_REVEAL, "beacon-invalid-reveal"),
        (Self::BEACON_NONPARTICIPATION, "beacon-nonparticipation"),
        (Self::CONSENSUS_LIGHT_CLIENT_ATTACK, "consensus-light-client-attack"),
        (Self::RUNTIME_INCORRECT_RESULTS, "runtime-incorrect-results"),
        (Self::RUNTIME_EQUIVOCATION, "runtime-equivocation"),
    ];

    /// Reads a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, n)| *n == name).map(|(reason, _)| reason)
    }
}

impl fmt::Display for SlashReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::ALL.into_iter().find(|(reason, _)| reason == self).map(|(_, name)| name);
        f.write_str(name.unwrap_or("[unknown slash reason]"))
    }
}

json::text_json!(SlashReason, "reason of slashing", SlashReason::from_name);

/// The penalty of a reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct Slash {
    /// Base units taken.
    pub amount: Quantity,
    /// Epochs for which the node is frozen; 0 for not at all.
    pub freeze_interval: EpochTime,
}

/// Takes `amount` out of both pools of an account by their balances, each part rounded down and at most what there is;
/// returns what was taken.
///
/// Source: go/consensus/tendermint/apps/staking/state/state.go, `SlashEscrow`, `slashPool`.
pub fn slash_escrow(escrow: &mut EscrowAccount, amount: &Quantity) -> Quantity {
    let total = escrow.active.balance.plus(&escrow.debonding.balance);
    let active = slash_pool(&mut escrow.active, amount, &total);
    active.plus(&slash_pool(&mut escrow.debonding, amount, &total))
}

fn slash_pool(pool: &mut SharePool, amount: &Quantity, total: &Quantity) -> Quantity {
    let part = pool.balance.times(amount).checked_div(total).unwrap_or_default();
    pool.balance.sub_up_to(&part)
}
