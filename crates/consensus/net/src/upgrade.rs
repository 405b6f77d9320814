//! From a socket to a peer: secret connection, then what both say of themselves.
//!
//! Source: tendermint `p2p/transport.go`, `MultiplexTransport.upgrade`.

use oasis_consensus_engine::PeerId;
use oasis_primitives::signature::Signer;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::{
    address::AddressError,
    node_info::{MAX_NODE_INFO, NodeInfo, NodeInfoError},
    rng::random_bytes,
    secret::{SecretReader, SecretWriter, StreamError, connect},
};

/// Why a connection did not become a peer.
#[derive(Debug, Error)]
pub enum UpgradeError {
    /// The address could not be looked up.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The connection failed.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// What the peer says of itself was refused.
    #[error(transparent)]
    Info(#[from] NodeInfoError),
    /// Somebody else was dialed.
    #[error("found node {found}, dialed {dialed}")]
    WrongId {
        /// Who answered.
        found: PeerId,
        /// Who was dialed.
        dialed: PeerId,
    },
    /// The peer claims another name than its key's.
    #[error("node {found} calls itself {claimed}")]
    ClaimedId {
        /// The name that goes with the key.
        found: PeerId,
        /// The name it claims.
        claimed: PeerId,
    },
    /// We reached ourselves.
    #[error("this is ourselves")]
    Ourselves,
    /// It took too long.
    #[error("timed out")]
    Timeout,
}

/// A peer, ready for messages.
pub(crate) struct Upgraded<R, W> {
    pub info: NodeInfo,
    pub reader: SecretReader<R>,
    pub writer: SecretWriter<W>,
}

/// Makes a peer of a connection. The caller limits the time.
pub(crate) async fn upgrade<R, W>(
    read: R,
    write: W,
    signer: &dyn Signer,
    ours: &NodeInfo,
    dialed: Option<PeerId>,
) -> Result<Upgraded<R, W>, UpgradeError>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let (key, mut reader, mut writer) = connect(read, write, signer, random_bytes()).await?;
    let found = PeerId::of_key(&key.0);
    if let Some(dialed) = dialed
        && dialed != found
    {
        return Err(UpgradeError::WrongId { found, dialed });
    }
    let hello = ours.encode();
    let (written, read) = tokio::join!(writer.write(&hello), reader.message(MAX_NODE_INFO));
    written?;
    let info = NodeInfo::decode(&read?)?;
    if info.id != found {
        return Err(UpgradeError::ClaimedId { found, claimed: info.id });
    }
    if found == ours.id {
        return Err(UpgradeError::Ourselves);
    }
    ours.check_compatible(&info)?;
    Ok(Upgraded { info, reader, writer })
}
