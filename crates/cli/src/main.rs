//! The oasis-node program.

fn main() {}
