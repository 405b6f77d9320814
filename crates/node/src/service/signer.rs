//! The validator's key in a file, with the memory of what it signed.
//!
//! Source: go/consensus/tendermint/crypto/priv_val.go.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use oasis_consensus_engine::{
    ports::{Fatal, SignError, Signer},
    proto::{Proposal, Vote},
    sign_state::{SignState, Signing},
};
use oasis_primitives::signature::{ChainContext, MemorySigner, Signer as _, TENDERMINT_CONTEXT};

use crate::files;

/// Signs with a key in memory; what it signed is on the disk before anybody sees the signature.
pub struct FileSigner {
    path: PathBuf,
    state: SignState,
    key: Arc<MemorySigner>,
}

impl FileSigner {
    /// Reads what was signed, or begins a new memory where there is none.
    pub fn open(path: &Path, key: Arc<MemorySigner>) -> Result<Self, Fatal> {
        let fail = |e: &dyn std::fmt::Display| {
            Fatal::new(format_args!("{}: {e}; without the memory of what was signed this validator could sign twice", path.display()))
        };
        let public = key.public_key().0;
        let state = match fs::read_to_string(path) {
            Ok(text) => SignState::from_json(&text, &public).map_err(|e| fail(&e))?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                let state = SignState::new(public);
                files::replace(path, state.to_json().as_bytes(), 0o600).map_err(|e| fail(&e))?;
                state
            }
            Err(e) => return Err(fail(&e)),
        };
        Ok(Self { path: path.to_owned(), state, key })
    }

    /// Gives a signature, and the time that goes with it where it was given before.
    fn carry_out(&mut self, signing: Signing) -> Result<(Vec<u8>, Option<oasis_consensus_engine::proto::Timestamp>), SignError> {
        match signing {
            Signing::Again { timestamp, signature } => Ok((signature, Some(timestamp))),
            Signing::Sign(what) => {
                let signed = self.key.sign(&TENDERMINT_CONTEXT, &ChainContext::UNSET, &what.bytes);
                let signature = signed.map_err(|e| Fatal::new(format_args!("consensus key: {e}")))?.signature.0.to_vec();
                let state = self.state.signed(&what, &signature);
                let kept = files::replace(&self.path, state.to_json().as_bytes(), 0o600);
                kept.map_err(|e| Fatal::new(format_args!("{}: {e}", self.path.display())))?;
                self.state = state;
                Ok((signature, None))
            }
        }
    }
}

impl Signer for FileSigner {
    fn public_key(&self) -> [u8; 32] {
        self.key.public_key().0
    }

    fn sign_vote(&mut self, chain_id: &str, vote: &mut Vote) -> Result<(), SignError> {
        let signing = self.state.vote(chain_id, vote).map_err(SignError::Refused)?;
        let (signature, timestamp) = self.carry_out(signing)?;
        vote.signature = signature;
        vote.timestamp = timestamp.unwrap_or(vote.timestamp);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn vote(round: i32, hash: u8) -> Vote {
        let mut vote = Vote { r#type: 1, height: 5, round, ..Default::default() };
        if hash > 0 {
            vote.block_id.hash = vec![hash; 32];
            vote.block_id.part_set_header.total = 1;
            vote.block_id.part_set_header.hash = vec![hash; 32];
        }
        vote
    }

    #[test]
    fn a_restart_does_not_let_it_sign_twice() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.json");
        let key = Arc::new(MemorySigner::for_test("validator"));
        let mut first = vote(1, 7);
        FileSigner::open(&path, key.clone()).unwrap().sign_vote("chain", &mut first).unwrap();
        let mut signer = FileSigner::open(&path, key.clone()).unwrap();
        let mut again = vote(1, 7);
        again.timestamp.seconds = 99;
        signer.sign_vote("chain", &mut again).unwrap();
        assert_eq!((&again.signature, again.timestamp), (&first.signature, first.timestamp));
        assert!(matches!(signer.sign_vote("chain", &mut vote(1, 8)), Err(SignError::Refused(_))));
        assert!(matches!(signer.sign_vote("chain", &mut vote(0, 7)), Err(SignError::Refused(_))));
        signer.sign_vote("chain", &mut vote(2, 8)).unwrap();
        let other = Arc::new(MemorySigner::for_test("other"));
        assert!(FileSigner::open(&path, other).is_err());
        fs::write(&path, "{").unwrap();
        assert!(FileSigner::open(&path, key).is_err());
    }
}
