//! Recordings of the original's engine, and the values that Tendermint publishes.

mod blocks;
mod case;
mod commits;
#[path = "../common/mod.rs"]
mod common;
mod light;
mod merkle_trees;
mod proposers;
mod published;
mod published_messages;
mod signing;
