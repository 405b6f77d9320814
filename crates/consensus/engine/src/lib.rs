//! Tendermint blocks, validator sets and their verification.
