//! A synced node's state in one file, without its keys and secrets, and a node that begins with it.
//!
//! The file has the state after a block in the chunks that state sync sends, and the headers of that block and of the two after it, which say
//! what the state must be. Who knows the hash of the last of them needs to trust nobody for the rest.

mod create;
mod file;
mod restore;

pub use create::create;
pub use file::{Manifest, Reader, read_manifest};
pub use restore::{Trust, restore};

/// Told of how much is done, in bytes of the file.
pub type Progress<'a> = &'a mut dyn FnMut(u64);

#[cfg(test)]
mod tests;
