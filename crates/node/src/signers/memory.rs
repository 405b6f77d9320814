//! Keys in memory.
//!
//! Source: go/common/crypto/signature/signers/memory/memory_signer.go.

use std::sync::Arc;

use oasis_primitives::{
    identity::SignerRole,
    signature::{MemorySigner, Signer},
};

use super::{Factory, SignerError};
use crate::identity::seed;

/// Has no keys until they are made.
pub(super) struct MemoryFactory;

impl Factory for MemoryFactory {
    fn load(&self, role: SignerRole) -> Result<Arc<dyn Signer>, SignerError> {
        Err(SignerError::Missing { role, place: "in memory".to_owned() })
    }

    fn generate(&self, _: SignerRole) -> Result<Arc<dyn Signer>, SignerError> {
        Ok(Arc::new(MemorySigner::from_seed(&seed())))
    }
}
