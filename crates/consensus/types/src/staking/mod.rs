//! The ledger: accounts, escrow, delegations, commissions, rewards and fees.
//!
//! Source: go/staking/api.

mod account;
mod commission;
mod events;
mod fees;
mod genesis;
mod params;
mod pool;
mod query;
mod rewards;
mod sanity;
mod slashing;
mod threshold;
pub mod token;
mod transactions;

pub use account::{Account, DebondingDelegation, Delegation, EscrowAccount, GeneralAccount};
pub use commission::{
    COMMISSION_RATE_DENOMINATOR, CommissionRateBoundStep, CommissionRateStep, CommissionSchedule, CommissionScheduleRules, take_commission,
};
pub use events::{
    AddEscrowEvent, AllowanceChangeEvent, BurnEvent, DebondingStartEscrowEvent, EscrowEvent, Event, ReclaimEscrowEvent, TakeEscrowEvent,
    TransferEvent, TypedEvent,
};
pub use fees::{EndOfBlockFees, NextBlockFees, split_fees_at_end, split_fees_in_next_block};
pub use genesis::{DebondingDelegations, Delegations, Genesis};
pub use params::ConsensusParameters;
pub use pool::SharePool;
pub use query::{AllowanceQuery, DebondingDelegationInfo, DelegationInfo, OwnerQuery, ThresholdQuery};
pub use rewards::{EpochSigning, REWARD_AMOUNT_DENOMINATOR, RewardStep, active_step, reward_amount, reward_amount_attenuated};
pub use sanity::{sanity_check_account, sanity_check_account_shares, sanity_check_debonding_delegations, sanity_check_delegations};
pub use slashing::{Slash, SlashReason, slash_escrow};
pub use threshold::{StakeAccumulator, StakeClaim, StakeThreshold, ThresholdKind, Thresholds};
pub use transactions::{Allow, AmendCommissionSchedule, Burn, Escrow, ReclaimEscrow, Transfer, Withdraw};

use oasis_primitives::{address::Address, signature::PublicKey};

use crate::errors::{Code, CodedError};

/// Epochs since the network's start.
type EpochTime = u64;

/// Name of the module in error codes and methods.
pub const MODULE_NAME: &str = "staking";

/// An argument is malformed.
pub const ERR_INVALID_ARGUMENT: Code = Code::new(MODULE_NAME, 1, "staking: invalid argument");
/// A signature is invalid.
pub const ERR_INVALID_SIGNATURE: Code = Code::new(MODULE_NAME, 2, "staking: invalid signature");
/// The balance is too low.
pub const ERR_INSUFFICIENT_BALANCE: Code = Code::new(MODULE_NAME, 3, "staking: insufficient balance");
/// The escrowed stake is too low.
pub const ERR_INSUFFICIENT_STAKE: Code = Code::new(MODULE_NAME, 4, "staking: insufficient stake");
/// Policy forbids the operation.
pub const ERR_FORBIDDEN: Code = Code::new(MODULE_NAME, 5, "staking: forbidden by policy");
/// The kind of threshold does not exist.
pub const ERR_INVALID_THRESHOLD: Code = Code::new(MODULE_NAME, 6, "staking: invalid threshold");
/// The account would have more allowances than it may have.
pub const ERR_TOO_MANY_ALLOWANCES: Code = Code::new(MODULE_NAME, 7, "staking: too many allowances");
/// The amount is below the least delegation.
pub const ERR_UNDER_MIN_DELEGATION_AMOUNT: Code = Code::new(MODULE_NAME, 8, "staking: amount is lower than the minimum delegation amount");

/// Method: transfer of base units.
pub const METHOD_TRANSFER: &str = "staking.Transfer";
/// Method: destruction of base units.
pub const METHOD_BURN: &str = "staking.Burn";
/// Method: escrow of base units.
pub const METHOD_ADD_ESCROW: &str = "staking.AddEscrow";
/// Method: start of the debonding of shares.
pub const METHOD_RECLAIM_ESCROW: &str = "staking.ReclaimEscrow";
/// Method: change of the sender's commission schedule.
pub const METHOD_AMEND_COMMISSION_SCHEDULE: &str = "staking.AmendCommissionSchedule";
/// Method: change of a beneficiary's allowance.
pub const METHOD_ALLOW: &str = "staking.Allow";
/// Method: use of an allowance.
pub const METHOD_WITHDRAW: &str = "staking.Withdraw";

/// All methods.
pub const METHODS: &[&str] = &[
    METHOD_TRANSFER,
    METHOD_BURN,
    METHOD_ADD_ESCROW,
    METHOD_RECLAIM_ESCROW,
    METHOD_AMEND_COMMISSION_SCHEDULE,
    METHOD_ALLOW,
    METHOD_WITHDRAW,
];

/// Gas operation of a transfer.
pub const GAS_OP_TRANSFER: &str = "transfer";
/// Gas operation of a burn.
pub const GAS_OP_BURN: &str = "burn";
/// Gas operation of an escrow.
pub const GAS_OP_ADD_ESCROW: &str = "add_escrow";
/// Gas operation of a reclamation.
pub const GAS_OP_RECLAIM_ESCROW: &str = "reclaim_escrow";
/// Gas operation of a commission schedule's change.
pub const GAS_OP_AMEND_COMMISSION_SCHEDULE: &str = "amend_commission_schedule";
/// Gas operation of an allowance's change.
pub const GAS_OP_ALLOW: &str = "allow";
/// Gas operation of a withdrawal.
pub const GAS_OP_WITHDRAW: &str = "withdraw";

/// The common pool's address, reserved.
///
/// Source: go/staking/api/api.go, `CommonPoolAddress`.
pub const COMMON_POOL_ADDRESS: Address =
    Address([0x00, 0xf7, 0xc4, 0xde, 0xd6, 0x21, 0x13, 0xe2, 0xc2, 0x82, 0xea, 0x86, 0x72, 0x23, 0xa5, 0x44, 0xed, 0x55, 0xd6, 0xba, 0x6e]);

/// The address of the fees collected in a block, reserved.
///
/// Source: go/staking/api/api.go, `FeeAccumulatorAddress`.
pub const FEE_ACCUMULATOR_ADDRESS: Address =
    Address([0x00, 0x26, 0xc8, 0x87, 0x3c, 0x68, 0x99, 0x9b, 0x5f, 0x9f, 0x49, 0xd9, 0x1b, 0xad, 0x45, 0x15, 0x70, 0xbb, 0xda, 0xe4, 0xf2]);

/// The address of the governance deposits, reserved.
///
/// Source: go/staking/api/api.go, `GovernanceDepositsAddress`.
pub const GOVERNANCE_DEPOSITS_ADDRESS: Address =
    Address([0x00, 0x75, 0x4f, 0xf4, 0x47, 0x14, 0x3a, 0x5e, 0xc5, 0xf4, 0x71, 0xb3, 0x0f, 0x86, 0x76, 0xb9, 0x4d, 0x56, 0xb1, 0x57, 0x50]);

/// The public keys from which the reserved addresses are made; no signature of theirs is accepted.
pub const RESERVED_PUBLIC_KEYS: [PublicKey; 3] = [
    PublicKey(reserved_key([0x1a, 0xbe, 0x11, 0xed, 0xc0, 0x01, 0xff, 0xff])),
    PublicKey(reserved_key([0x1a, 0xbe, 0x11, 0xed, 0xfe, 0xea, 0xcc, 0xff])),
    PublicKey(reserved_key([0x1a, 0xbe, 0x11, 0xed, 0xde, 0xac, 0xcf, 0xff])),
];

const fn reserved_key(start: [u8; 8]) -> [u8; 32] {
    let [a, b, c, d, e, f, g, h] = start;
    let mut out = [0xff; 32];
    [out[0], out[1], out[2], out[3], out[4], out[5], out[6], out[7]] = [a, b, c, d, e, f, g, h];
    out
}

/// Whether no one may use the address.
///
/// Source: go/staking/api/address.go, `Address.IsReserved`.
pub fn is_reserved(address: &Address) -> bool {
    [COMMON_POOL_ADDRESS, FEE_ACCUMULATOR_ADDRESS, GOVERNANCE_DEPOSITS_ADDRESS].contains(address)
}

/// The original's error of a quantity that is too small; it has no code of its own.
///
/// Source: go/common/quantity/quantity.go, `ErrInsufficientBalance`.
fn insufficient() -> CodedError {
    CodedError::unknown("insufficient balance")
}

#[cfg(test)]
mod tests;
