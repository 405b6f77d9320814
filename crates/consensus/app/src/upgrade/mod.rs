//! Upgrades of the network.
//!
//! Source: go/upgrade/upgrade.go.

/// The upgrades that a node knows of and has not finished.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Upgrader {}
