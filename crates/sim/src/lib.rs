//! Whole networks of the real engine and state machine on virtual time.
//!
//! One seed decides everything: who is Byzantine, what breaks when, how long each message takes. A run that fails can be
//! made again from its seed.

mod byzantine;
pub mod checks;
pub mod disk;
pub mod faults;
pub mod genesis;
pub mod network;
pub mod queue;
mod signer;
pub mod timeline;
mod topology;
mod trap;
mod world;

pub use world::{Options, Planted, Report, run};
