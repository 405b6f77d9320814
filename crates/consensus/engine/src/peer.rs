//! Who is on the other side of a connection.

use std::{fmt, str::FromStr};

use crate::validator_set::{ADDRESS_SIZE, address_of};

/// Name of a node in the peer-to-peer network: the address of its P2P key.
///
/// In text 40 hexadecimal digits, lower case. Source: tendermint `p2p/key.go`, `PubKeyToID`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub [u8; ADDRESS_SIZE]);

/// Why a text names no peer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("peer ID: expected 40 hexadecimal digits, found {0:?}")]
pub struct PeerIdError(String);

impl PeerId {
    /// The name that goes with an Ed25519 key.
    pub fn of_key(key: &[u8; 32]) -> Self {
        Self(address_of(key).try_into().unwrap_or_default())
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl FromStr for PeerId {
    type Err = PeerIdError;

    fn from_str(text: &str) -> Result<Self, PeerIdError> {
        let refused = || PeerIdError(text.to_owned());
        let mut id = Self::default();
        hex::decode_to_slice(text, &mut id.0).map_err(|_| refused())?;
        Ok(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_it_is_written() {
        let id = PeerId::of_key(&[7; 32]);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!("00".parse::<PeerId>().is_err());
        assert!("zz".repeat(20).parse::<PeerId>().is_err());
    }
}
