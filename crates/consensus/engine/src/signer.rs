//! A validator's signatures: whatever holds the key and the memory of what was signed, the order is the same.

use crate::{
    ports::{Fatal, SignError, Signer},
    proto::{Proposal, Timestamp, Vote},
    sign_state::{SignState, Signing},
};

/// Where a validator's key is, and where it remembers what it signed.
pub trait Keeper {
    /// Signs bytes under the context of the consensus layer. A key that is out of reach for now is a refusal: others go on, and it may come
    /// back.
    fn sign(&self, bytes: &[u8]) -> Result<Vec<u8>, SignError>;
    /// Keeps the text of a [`SignState`]; when this returns, it survives a loss of power.
    fn keep(&mut self, state: &str) -> Result<(), Fatal>;
    /// Told of each vote that was signed, also of one signed again.
    fn voted(&mut self, vote: &Vote) {
        let _ = vote;
    }
}

/// Signs with a key, and remembers before anybody sees the signature.
pub struct RememberingSigner<K> {
    public_key: [u8; 32],
    state: SignState,
    keeper: K,
}

impl<K: Keeper> RememberingSigner<K> {
    /// A signer that goes on from a state.
    pub fn new(public_key: [u8; 32], state: SignState, keeper: K) -> Self {
        Self { public_key, state, keeper }
    }

    /// Gives a signature, and the time that goes with it where it was given before.
    fn carry_out(&mut self, signing: Signing) -> Result<(Vec<u8>, Option<Timestamp>), SignError> {
        match signing {
            Signing::Again { timestamp, signature } => Ok((signature, Some(timestamp))),
            Signing::Sign(what) => {
                let signature = self.keeper.sign(&what.bytes)?;
                let state = self.state.signed(&what, &signature);
                self.keeper.keep(&state.to_json())?;
                self.state = state;
                Ok((signature, None))
            }
        }
    }
}

impl<K: Keeper> Signer for RememberingSigner<K> {
    fn public_key(&self) -> [u8; 32] {
        self.public_key
    }

    fn sign_vote(&mut self, chain_id: &str, vote: &mut Vote) -> Result<(), SignError> {
        let signing = self.state.vote(chain_id, vote).map_err(SignError::Refused)?;
        let (signature, timestamp) = self.carry_out(signing)?;
        vote.signature = signature;
        vote.timestamp = timestamp.unwrap_or(vote.timestamp);
        self.keeper.voted(vote);
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
