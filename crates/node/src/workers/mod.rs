//! What a node does besides following the chain. Each worker decides from the state after a block, and touches nothing.

pub mod beacon;
pub mod byzantine;
pub mod registration;
