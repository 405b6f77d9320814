//! The token's symbol and exponent.
//!
//! Source: go/staking/api/token/token.go.

use crate::errors::Code;

/// Longest symbol, bytes.
pub const SYMBOL_MAX_LENGTH: usize = 8;
/// Greatest exponent.
pub const VALUE_EXPONENT_MAX: u8 = 20;

/// The exponent is too great.
pub const ERR_INVALID_TOKEN_VALUE_EXPONENT: Code = Code::new("staking/token", 1, "staking/token: invalid token's value exponent");
