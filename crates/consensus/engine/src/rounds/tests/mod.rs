//! The rounds, told what Go's tests of them tell: tendermint `consensus/state_test.go`.

mod byzantine;
#[path = "../../../tests/common/mod.rs"]
mod common;
mod harness;
mod malachite;
mod network;
mod oracle;
mod scenarios;
