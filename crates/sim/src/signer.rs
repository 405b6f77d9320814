//! A validator's key, with its memory of what it signed on the simulated disk.

use std::sync::{Arc, Mutex, PoisonError};

use oasis_consensus_engine::{
    ports::{Fatal, SignError},
    proto::Vote,
    sign_state::SignState,
    signer::{Keeper, RememberingSigner},
};
use oasis_primitives::signature::{ChainContext, MemorySigner, Signer as _, TENDERMINT_CONTEXT};

use crate::disk::Disk;

/// The votes that were signed since somebody looked.
#[derive(Clone, Default)]
pub struct Signed(Arc<Mutex<Vec<Vote>>>);

impl Signed {
    fn add(&self, vote: &Vote) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(vote.clone());
    }

    /// Takes them.
    pub fn take(&self) -> Vec<Vote> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The signature of one who has the key.
pub fn sign(key: &MemorySigner, bytes: &[u8]) -> Vec<u8> {
    let signed = key.sign(&TENDERMINT_CONTEXT, &ChainContext::UNSET, bytes);
    signed.map(|s| s.signature.0.to_vec()).unwrap_or_default()
}

/// A key, and the simulated disk.
pub struct DiskKeeper {
    key: MemorySigner,
    disk: Disk,
    signed: Signed,
}

/// Goes on from what the disk says was signed.
pub fn open(key: MemorySigner, disk: Disk, signed: Signed) -> Result<RememberingSigner<DiskKeeper>, Fatal> {
    let public = key.public_key().0;
    let state = match disk.signed() {
        Some(text) => SignState::from_json(&text, &public).map_err(Fatal::new)?,
        None => SignState::new(public),
    };
    Ok(RememberingSigner::new(public, state, DiskKeeper { key, disk, signed }))
}

impl Keeper for DiskKeeper {
    fn sign(&self, bytes: &[u8]) -> Result<Vec<u8>, SignError> {
        Ok(sign(&self.key, bytes))
    }

    fn keep(&mut self, state: &str) -> Result<(), Fatal> {
        self.disk.keep_signed(state.to_owned())
    }

    fn voted(&mut self, vote: &Vote) {
        self.signed.add(vote);
    }
}
