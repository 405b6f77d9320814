//! The genesis document.
//!
//! Source: go/genesis/api.

mod document;
pub mod network;
mod nil;
mod problem;

pub use document::{Document, ReadError};
pub use problem::Problem;
