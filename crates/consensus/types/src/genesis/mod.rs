//! The genesis document.
//!
//! Source: go/genesis/api.

mod problem;

pub use problem::Problem;
