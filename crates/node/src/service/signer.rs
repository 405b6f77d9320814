//! The validator's key in a file, with the memory of what it signed.
//!
//! Source: go/consensus/tendermint/crypto/priv_val.go.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use oasis_consensus_engine::{
    ports::{Fatal, SignError},
    sign_state::SignState,
    signer::{Keeper, RememberingSigner},
};
use oasis_primitives::signature::{ChainContext, Signer, TENDERMINT_CONTEXT};

use crate::files;

/// A key in memory, and a file that has what was signed before anybody sees the signature.
pub struct FileKeeper {
    path: PathBuf,
    key: Arc<dyn Signer>,
}

/// Reads what was signed, or begins a new memory where there is none.
pub fn open(path: &Path, key: Arc<dyn Signer>) -> Result<RememberingSigner<FileKeeper>, Fatal> {
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
    Ok(RememberingSigner::new(public, state, FileKeeper { path: path.to_owned(), key }))
}

impl Keeper for FileKeeper {
    fn sign(&self, bytes: &[u8]) -> Result<Vec<u8>, SignError> {
        let signed = self.key.sign(&TENDERMINT_CONTEXT, &ChainContext::UNSET, bytes);
        Ok(signed.map_err(|e| SignError::Refused(format!("consensus key: {e}")))?.signature.0.to_vec())
    }

    fn keep(&mut self, state: &str) -> Result<(), Fatal> {
        files::replace(&self.path, state.as_bytes(), 0o600).map_err(|e| Fatal::new(format_args!("{}: {e}", self.path.display())))
    }
}

#[cfg(test)]
mod tests {
    use oasis_consensus_engine::{ports::Signer as _, proto::Vote};
    use oasis_primitives::signature::{MemorySigner, PublicKey, RawSignature, SigningContext};

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
        open(&path, key.clone()).unwrap().sign_vote("chain", &mut first).unwrap();
        let mut signer = open(&path, key.clone()).unwrap();
        let mut again = vote(1, 7);
        again.timestamp.seconds = 99;
        signer.sign_vote("chain", &mut again).unwrap();
        assert_eq!((&again.signature, again.timestamp), (&first.signature, first.timestamp));
        assert!(matches!(signer.sign_vote("chain", &mut vote(1, 8)), Err(SignError::Refused(_))));
        assert!(matches!(signer.sign_vote("chain", &mut vote(0, 7)), Err(SignError::Refused(_))));
        signer.sign_vote("chain", &mut vote(2, 8)).unwrap();
        let other = Arc::new(MemorySigner::for_test("other"));
        assert!(open(&path, other).is_err());
        fs::write(&path, "{").unwrap();
        assert!(open(&path, key).is_err());
    }

    /// A key whose signer has gone.
    struct Gone;

    impl Signer for Gone {
        fn public_key(&self) -> PublicKey {
            MemorySigner::for_test("validator").public_key()
        }

        fn sign_prepared(&self, _: &SigningContext, _: &[u8]) -> Result<RawSignature, oasis_primitives::signature::SignError> {
            Err(oasis_primitives::signature::SignError::Signer("remote signer 192.0.2.1:9001: connection refused".into()))
        }
    }

    #[test]
    fn a_signer_that_has_gone_costs_a_vote_and_not_the_node() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.json");
        let refused = open(&path, Arc::new(Gone)).unwrap().sign_vote("chain", &mut vote(1, 7));
        assert!(matches!(refused, Err(SignError::Refused(reason)) if reason.contains("connection refused")));
        // Nothing was signed, so that anything may be.
        open(&path, Arc::new(MemorySigner::for_test("validator"))).unwrap().sign_vote("chain", &mut vote(1, 8)).unwrap();
    }
}
