//! Counting gas.
//!
//! Source: go/consensus/tendermint/api/gas.go.

use oasis_consensus_types::transaction::{Costs, Gas};

use crate::error::{Error, Result};

/// A limit and what was used of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GasAccountant {
    limit: Gas,
    used: Gas,
}

impl GasAccountant {
    /// Nothing used of `limit`.
    pub fn new(limit: Gas) -> Self {
        Self { limit, used: 0 }
    }

    /// The limit.
    pub fn wanted(&self) -> Gas {
        self.limit
    }

    /// What was used.
    pub fn used(&self) -> Gas {
        self.used
    }

    fn use_amount(&mut self, amount: Gas) -> Result<()> {
        let used = self.used.checked_add(amount).ok_or_else(|| Error::unknown("gas overflow"))?;
        if used > self.limit {
            return Err(Error::unknown(format!("out of gas (limit: {} wanted: {used})", self.limit)));
        }
        self.used = used;
        Ok(())
    }
}

/// Who counts the gas of an operation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum GasMeter {
    /// Nobody.
    #[default]
    None,
    /// The transaction's own limit.
    Transaction(GasAccountant),
    /// The transaction's own limit, then the block's.
    TransactionAndBlock(GasAccountant),
}

impl GasMeter {
    /// Uses `multiplier` times the cost of an operation; one without a cost is free.
    ///
    /// `block` is the block's accountant, none where the block has no limit. What the transaction's accountant took stays
    /// taken where the block's refuses.
    pub fn use_gas(&mut self, block: Option<&mut GasAccountant>, multiplier: u64, operation: &str, costs: &Costs) -> Result<()> {
        let (accountant, block) = match self {
            Self::None => return Ok(()),
            Self::Transaction(accountant) => (accountant, None),
            Self::TransactionAndBlock(accountant) => (accountant, block),
        };
        let Some(cost) = costs.get(operation) else { return Ok(()) };
        // The original multiplies without looking for an overflow.
        let amount = cost.wrapping_mul(multiplier);
        accountant.use_amount(amount)?;
        block.map_or(Ok(()), |b| b.use_amount(amount))
    }

    /// The transaction's limit.
    pub fn wanted(&self) -> Gas {
        match self {
            Self::None => 0,
            Self::Transaction(a) | Self::TransactionAndBlock(a) => a.wanted(),
        }
    }

    /// What was used: where the block counts too, the larger of the two.
    pub fn used(&self, block: Option<&GasAccountant>) -> Gas {
        match self {
            Self::None => 0,
            Self::Transaction(a) => a.used(),
            Self::TransactionAndBlock(a) => a.used().max(block.map_or(0, GasAccountant::used)),
        }
    }
}
