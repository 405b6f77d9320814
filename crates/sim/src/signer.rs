//! A validator's key, with its memory of what it signed on the simulated disk.

use std::sync::{Arc, Mutex, PoisonError};

use oasis_consensus_engine::{
    ports::{Fatal, SignError, Signer},
    proto::{Proposal, Timestamp, Vote},
    sign_state::{SignState, Signing},
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

/// Signs, and remembers on the disk what.
pub struct DiskSigner {
    key: MemorySigner,
    disk: Disk,
    state: SignState,
    signed: Signed,
}

/// The signature of one who has the key.
pub fn sign(key: &MemorySigner, bytes: &[u8]) -> Vec<u8> {
    let signed = key.sign(&TENDERMINT_CONTEXT, &ChainContext::UNSET, bytes);
    signed.map(|s| s.signature.0.to_vec()).unwrap_or_default()
}

impl DiskSigner {
    /// Goes on from what the disk says was signed.
    pub fn open(key: MemorySigner, disk: Disk, signed: Signed) -> Result<Self, Fatal> {
        let public = key.public_key().0;
        let state = match disk.signed() {
            Some(text) => SignState::from_json(&text, &public).map_err(Fatal::new)?,
            None => SignState::new(public),
        };
        Ok(Self { key, disk, state, signed })
    }

    fn carry_out(&mut self, signing: Signing) -> Result<(Vec<u8>, Option<Timestamp>), SignError> {
        match signing {
            Signing::Again { timestamp, signature } => Ok((signature, Some(timestamp))),
            Signing::Sign(what) => {
                let signature = sign(&self.key, &what.bytes);
                let state = self.state.signed(&what, &signature);
                self.disk.keep_signed(state.to_json())?;
                self.state = state;
                Ok((signature, None))
            }
        }
    }
}

impl Signer for DiskSigner {
    fn public_key(&self) -> [u8; 32] {
        self.key.public_key().0
    }

    fn sign_vote(&mut self, chain_id: &str, vote: &mut Vote) -> Result<(), SignError> {
        let signing = self.state.vote(chain_id, vote).map_err(SignError::Refused)?;
        let (signature, timestamp) = self.carry_out(signing)?;
        vote.signature = signature;
        vote.timestamp = timestamp.unwrap_or(vote.timestamp);
        self.signed.add(vote);
        Ok(())
    }

    fn sign_proposal(&mut self, chain_id: &str, proposal: &mut Proposal) -> Result<(), SignError> {
        let signing = self.state.proposal(chain_id, proposal).map_err(SignError::Refused)?;
        let (signature, timestamp) = self.carry_out(signing)?;
        proposal.signature = signature;
        proposal.timestamp = timestamp.unwrap_or(proposal.timestamp);
        Ok(())
    }
}
