//! Publicly verifiable secret sharing over P-256, from which the beacon draws its entropy.
//!
//! Every participant commits to a secret by dealing encrypted shares of it to all the others (a *commit*), then everybody
//! publishes the decrypted shares that were dealt to it (a *reveal*), and enough reveals give all the secrets away.
//!
//! Source: go/common/crypto/pvss, and under it go.dedis.ch/kyber v3.0.13 (`share`, `share/pvss`, `proof/dleq`, `group/nist`).

mod batch;
mod dealer;
mod group;
mod instance;
mod messages;
mod point;
mod xof;

pub use dealer::Entropy;
pub use group::base_point;
pub use instance::Instance;
pub use messages::{Commit, CommitShare, CommitState, PubVerShare, Reveal};
pub use point::{Point, Scalar};
pub use xof::Xof;

/// Why a message or configuration is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("pvss: {0}")]
pub struct Error(pub String);

impl Error {
    fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}
