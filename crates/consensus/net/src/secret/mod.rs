//! Encrypted and authenticated connections: an exchange of ephemeral keys, then frames of fixed size.
//!
//! Source: tendermint `p2p/conn/secret_connection.go`.

mod frame;
mod handshake;
mod stream;

pub use frame::{FRAME_DATA, FrameError, Opener, SEALED_FRAME, Sealer};
pub use handshake::{Established, Handshake, HandshakeError, Progress, SessionKeys};
pub use stream::{SecretReader, SecretWriter, StreamError, connect};
