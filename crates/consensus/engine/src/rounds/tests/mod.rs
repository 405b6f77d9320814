//! The rounds, told what Go's tests of them tell: tendermint `consensus/state_test.go`.

mod byzantine;
mod harness;
mod network;
mod scenarios;
