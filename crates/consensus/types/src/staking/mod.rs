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

use oasis_primitives::address::Address;

use crate::{
    beacon::EpochTime,
    errors::{Code, CodedError},
};

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
pub const COMMON_POOL_ADDRESS: Address = Address::COMMON_POOL;
/// The address of the fees collected in a block, reserved.
pub const FEE_ACCUMULATOR_ADDRESS: Address = Address::FEE_ACCUMULATOR;
/// The address of the governance deposits, reserved.
pub const GOVERNANCE_DEPOSITS_ADDRESS: Address = Address::GOVERNANCE_DEPOSITS;

/// The original's error of a quantity that is too small; it has no code of its own.
///
/// Source: go/common/quantity/quantity.go, `ErrInsufficientBalance`.
fn insufficient() -> CodedError {
    CodedError::unknown("insufficient balance")
}

#[cfg(test)]
mod tests;
