//! Encodings, hashes, keys and identities shared by every part of the network.

// Derived code names this crate by its own name.
extern crate self as oasis_primitives;

pub mod address;
pub mod cbor;
pub mod hash;
pub mod json;
pub mod namespace;
pub mod pvss;
pub mod quantity;
pub mod sgx;
pub mod signature;
pub mod time;
pub mod version;
