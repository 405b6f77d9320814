//! The consensus layer's state machine.
