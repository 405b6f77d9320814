//! The rounds, told what Go's tests of them tell: tendermint `consensus/state_test.go`.

mod byzantine;
#[path = "../../../tests/common/mod.rs"]
mod common;
mod harness;
mod network;
mod scenarios;
