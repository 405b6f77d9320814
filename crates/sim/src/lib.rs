//! Whole networks of the real engine and state machine on virtual time.
//!
//! One seed decides everything: who is Byzantine, what breaks when, how long each message takes. A run that fails can be
//! made again from its seed.

pub mod faults;
pub mod network;
pub mod queue;
pub mod timeline;
