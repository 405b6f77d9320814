//! What a generator needs of the world.

use std::{fmt, time::Duration};

use oasis_node_service::grpc::ApiError;

/// A call of a node: a method, `oasis-core.SERVICE/METHOD`, and its message in CBOR.
pub type Call = (String, Vec<u8>);

/// A node, and the time.
pub trait World {
    /// Calls the node.
    fn call(&mut self, call: Call) -> Result<Vec<u8>, ApiError>;

    /// Makes calls side by side; gives the answers in their order.
    fn call_all(&mut self, calls: Vec<Call>) -> Vec<Result<Vec<u8>, ApiError>>;

    /// Lets time pass, but not more than there is.
    fn pause(&mut self, time: Duration);

    /// Whether the time is over.
    fn is_over(&self) -> bool;

    /// Tells people what happens.
    fn say(&mut self, text: fmt::Arguments<'_>);
}
