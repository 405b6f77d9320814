//! Text for people: amounts in tokens, transactions before they are signed, accounts.
//!
//! Source: the original's `PrettyPrint` methods; go/common/prettyprint.

mod account;
mod transaction;

pub use account::{AccountState, account_state};
pub use transaction::{signed_transaction, transaction};

use oasis_primitives::{hash::Hash, quantity::Quantity};

use crate::staking::{
    COMMISSION_RATE_DENOMINATOR, CommissionSchedule,
    token::{SYMBOL_MAX_LENGTH, VALUE_EXPONENT_MAX},
};

/// Decimal places of a commission rate in per cent: rates have five, and a hundred is two.
const PERCENT_EXPONENT: u8 = 3;

/// Adds a line.
macro_rules! line {
    ($out:expr, $($text:tt)*) => {{
        $out.push_str(&format!($($text)*));
        $out.push('\n');
    }};
}
use line;

/// What the network says of its token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// Ticker symbol; amounts are in base units where it is empty or too long.
    pub symbol: String,
    /// A token is ten to the power of this in base units; amounts are in base units where it is too large.
    pub exponent: u8,
    /// Hash of the genesis document, where that is to be said.
    pub genesis: Option<Hash>,
}

impl Network {
    /// An amount in tokens.
    ///
    /// Source: go/staking/api/token/prettyprint.go, `PrettyPrintAmount`.
    pub fn amount(&self, amount: &Quantity) -> String {
        if self.symbol.is_empty() || self.symbol.len() > SYMBOL_MAX_LENGTH || self.exponent > VALUE_EXPONENT_MAX {
            return format!("{amount} base units");
        }
        format!("{} {}", fraction(amount, self.exponent), self.symbol)
    }
}

/// A number divided by ten to the power of `exponent`, in decimals: at least one of them, and no zeros after it.
///
/// Source: go/common/prettyprint/quantity.go, `QuantityFrac`.
pub fn fraction(number: &Quantity, exponent: u8) -> String {
    let places = usize::from(exponent);
    let digits = format!("{number:0>width$}", number = number.to_string(), width = places.saturating_add(1));
    let (whole, rest) = digits.split_at_checked(digits.len().saturating_sub(places)).unwrap_or((&digits, ""));
    let rest = rest.trim_end_matches('0');
    format!("{whole}.{}", if rest.is_empty() { "0" } else { rest })
}

/// A commission rate in per cent.
///
/// Source: go/staking/api/prettyprint.go, `PrettyPrintCommissionRatePercentage`.
pub fn rate(numerator: &Quantity) -> String {
    if *numerator > Quantity::from(COMMISSION_RATE_DENOMINATOR) {
        return "(invalid)".to_owned();
    }
    format!("{}%", fraction(numerator, PERCENT_EXPONENT))
}

/// Rates and bounds with their numbers.
///
/// Source: go/staking/api/commission.go, `CommissionSchedule.PrettyPrint`.
fn commission_schedule(schedule: &CommissionSchedule, prefix: &str, out: &mut String) {
    let numbers = |index: usize| {
        let number = format!("({}) ", index.saturating_add(1));
        let empty = " ".repeat(number.len());
        (number, empty)
    };
    line!(out, "{prefix}Rates:{}", if schedule.rates.is_empty() { " (none)" } else { "" });
    for (i, step) in schedule.rates.iter().enumerate() {
        let (number, empty) = numbers(i);
        line!(out, "{prefix}  {number}start: epoch {}", step.start);
        line!(out, "{prefix}  {empty}rate:  {}", rate(&step.rate));
    }
    line!(out, "{prefix}Rate Bounds:{}", if schedule.bounds.is_empty() { " (none)" } else { "" });
    for (i, step) in schedule.bounds.iter().enumerate() {
        let (number, empty) = numbers(i);
        line!(out, "{prefix}  {number}start:        epoch {}", step.start);
        line!(out, "{prefix}  {empty}minimum rate: {}", rate(&step.rate_min));
        line!(out, "{prefix}  {empty}maximum rate: {}", rate(&step.rate_max));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_one_decimal_at_least_and_no_zeros_after_it() {
        let cases = [
            (10_000_000_000_000_000_000u64, 9, "10000000000.0"),
            (7_999_217_230_119_682_890, 9, "7999217230.11968289"),
            (7_999_217_230_100_000_000, 9, "7999217230.1"),
            (0, 9, "0.0"),
            (100_000_000_000, 18, "0.0000001"),
            (10_000_000_000_000_000_001, 0, "10000000000000000001.0"),
        ];
        for (amount, exponent, text) in cases {
            assert_eq!(fraction(&Quantity::from(amount), exponent), text);
        }
    }

    #[test]
    fn amounts_are_in_base_units_where_the_token_is_not_known() {
        let amount = Quantity::from(1_500_000_000u64);
        let mut network = Network { symbol: "TEST".into(), exponent: 9, genesis: None };
        assert_eq!(network.amount(&amount), "1.5 TEST");
        network.exponent = 21;
        assert_eq!(network.amount(&amount), "1500000000 base units");
        assert_eq!(Network::default().amount(&amount), "1500000000 base units");
    }

    #[test]
    fn rates_are_in_per_cent() {
        assert_eq!(rate(&Quantity::from(5_000u64)), "5.0%");
        assert_eq!(rate(&Quantity::from(12_345u64)), "12.345%");
        assert_eq!(rate(&Quantity::from(100_001u64)), "(invalid)");
    }
}
