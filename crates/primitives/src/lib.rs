//! Encodings, hashes, keys and identities shared by every part of the network.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)
)]

// Derived code names this crate by its own name.
extern crate self as oasis_primitives;

pub mod address;
mod bytes;
pub mod cbor;
pub mod drbg;
pub mod hash;
pub mod identity;
pub mod json;
pub mod mathrand;
pub mod mnemonic;
pub mod mrae;
pub mod namespace;
pub mod pem;
pub mod pvss;
pub mod quantity;
pub mod sgx;
pub mod signature;
pub mod text;
pub mod time;
pub mod version;
