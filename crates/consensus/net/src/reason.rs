//! Why a peer is gone.

use std::time::Duration;

use crate::secret::StreamError;

/// Why a connection ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// The peer closed it.
    #[error("closed by the peer")]
    Closed,
    /// It broke.
    #[error("broken: {0}")]
    Broken(String),
    /// The peer broke the rules of the protocol.
    #[error("{0}")]
    Fault(String),
    /// No pong came.
    #[error("no answer to a ping within {0:?}")]
    PongTimeout(Duration),
    /// The peer took nothing.
    #[error("took none of our bytes for {0:?}")]
    WriteTimeout(Duration),
    /// Too much waits for the peer.
    #[error("too slow: {waiting} bytes wait for it, at most {most} may")]
    TooSlow {
        /// Bytes that would wait.
        waiting: usize,
        /// The limit.
        most: usize,
    },
    /// Whoever uses the network asked for it.
    #[error("{0}")]
    Asked(String),
    /// We shut down.
    #[error("shutting down")]
    Shutdown,
}

impl Reason {
    /// The peer broke the rules.
    pub(crate) fn fault(error: impl std::fmt::Display) -> Self {
        Self::Fault(error.to_string())
    }

    /// Whether the peer broke the rules.
    pub fn is_fault(&self) -> bool {
        matches!(self, Self::Fault(_))
    }
}

impl From<StreamError> for Reason {
    fn from(error: StreamError) -> Self {
        match error {
            StreamError::Closed => Self::Closed,
            e if e.is_fault() => Self::fault(e),
            e => Self::Broken(e.to_string()),
        }
    }
}
