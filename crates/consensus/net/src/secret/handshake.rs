//! The handshake without a socket: bytes in, bytes out.

use bytes::{Bytes, BytesMut};
use hkdf::Hkdf;
use merlin::Transcript;
use oasis_consensus_engine::proto;
use oasis_primitives::signature::{ChainContext, PublicKey, SignError, Signer, TENDERMINT_CONTEXT, verify_tendermint};
use sha2::Sha256;
use thiserror::Error;
use x25519_dalek::StaticSecret;
use zeroize::Zeroizing;

use super::{FrameError, Opener, SEALED_FRAME, Sealer};
use crate::wire::{AuthSigMessage, BytesValue, WireError, decode, put_delimited, take_delimited};

/// Bytes of the message with the ephemeral key.
const EPHEMERAL_MESSAGE: usize = 34;
/// Most bytes of the message with the signature: what an Ed25519 key and signature take.
const AUTH_MESSAGE: usize = 102;

/// Why a handshake failed.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum HandshakeError {
    /// A message is not what it should be.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// A frame is not what it should be.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The peer's ephemeral key has not 32 bytes.
    #[error("the ephemeral key has {0} bytes instead of 32")]
    KeyLength(usize),
    /// The peer's ephemeral key is a point of low order: the secret would be no secret.
    #[error("the ephemeral key is a point of low order")]
    LowOrder,
    /// The peer sent our own ephemeral key back.
    #[error("the peer sent our own ephemeral key back")]
    Reflected,
    /// The peer's key is not an Ed25519 key of 32 bytes.
    #[error("the peer's key is not an Ed25519 key")]
    KeyType,
    /// The signature of the challenge does not hold.
    #[error("the peer's signature of the challenge does not hold")]
    Signature,
    /// Our own signer failed.
    #[error("signing the challenge: {0}")]
    Sign(SignError),
    /// Called again after the end.
    #[error("the handshake is over")]
    Over,
}

/// What both sides derive from the shared secret.
pub struct SessionKeys {
    /// Opens what the peer sends.
    pub receive: Zeroizing<[u8; 32]>,
    /// Seals what goes to the peer.
    pub send: Zeroizing<[u8; 32]>,
}

impl SessionKeys {
    /// HKDF with SHA-256 over the shared secret; the side with the lower ephemeral key receives with the first half.
    ///
    /// Source: `deriveSecrets`.
    pub fn derive(shared: &[u8; 32], local_is_lower: bool) -> Self {
        let mut okm = Zeroizing::new([0u8; 96]);
        // 96 bytes are within what HKDF gives (255 times 32).
        let _ = Hkdf::<Sha256>::new(None, shared).expand(b"TENDERMINT_SECRET_CONNECTION_KEY_AND_CHALLENGE_GEN", &mut *okm);
        let half = |at: usize| {
            let mut key = Zeroizing::new([0u8; 32]);
            key.copy_from_slice(okm.get(at..at.saturating_add(32)).unwrap_or(&[0; 32]));
            key
        };
        match local_is_lower {
            true => Self { receive: half(0), send: half(32) },
            false => Self { receive: half(32), send: half(0) },
        }
    }
}

/// A handshake in progress.
///
/// Both sides do the same: send an ephemeral key, read the other's, send a signature of the transcript in a sealed frame,
/// read and verify the other's.
pub struct Handshake(State);

enum State {
    Ephemeral { secret: StaticSecret, public: [u8; 32] },
    Auth { sealer: Sealer, opener: Opener, challenge: [u8; 32], plain: BytesMut },
    Over,
}

/// What is to be done next.
pub enum Progress {
    /// Read more bytes.
    NeedMore,
    /// Send these bytes, then go on.
    Send(Vec<u8>),
    /// Both sides know each other.
    Done(Established),
}

/// A connection whose other side is known.
pub struct Established {
    /// The peer's key.
    pub remote: PublicKey,
    /// Seals what goes to the peer.
    pub sealer: Sealer,
    /// Opens what the peer sends.
    pub opener: Opener,
    /// What the peer already sent behind the handshake, opened.
    pub plain: BytesMut,
}

impl Handshake {
    /// Starts with 32 fresh random bytes; returns what is to be sent first.
    ///
    /// Source: `genEphKeys`, `shareEphPubKey`.
    pub fn start(ephemeral: [u8; 32]) -> (Self, Vec<u8>) {
        let secret = StaticSecret::from(ephemeral);
        let public = x25519_dalek::PublicKey::from(&secret).to_bytes();
        let mut first = BytesMut::new();
        put_delimited(&BytesValue { value: Bytes::copy_from_slice(&public) }, &mut first);
        (Self(State::Ephemeral { secret, public }), first.to_vec())
    }

    /// Takes what it can from the received bytes.
    pub fn receive(&mut self, input: &mut BytesMut, signer: &dyn Signer) -> Result<Progress, HandshakeError> {
        match std::mem::replace(&mut self.0, State::Over) {
            State::Ephemeral { secret, public } => {
                let Some(message) = take_delimited(input, EPHEMERAL_MESSAGE)? else {
                    self.0 = State::Ephemeral { secret, public };
                    return Ok(Progress::NeedMore);
                };
                let (state, out) = agree(&secret, &public, &message, signer)?;
                self.0 = state;
                Ok(Progress::Send(out))
            }
            State::Auth { sealer, mut opener, challenge, mut plain } => loop {
                if let Some(message) = take_delimited(&mut plain, AUTH_MESSAGE)? {
                    let remote = authenticate(&message, &challenge)?;
                    return Ok(Progress::Done(Established { remote, sealer, opener, plain }));
                }
                if input.len() < SEALED_FRAME {
                    self.0 = State::Auth { sealer, opener, challenge, plain };
                    return Ok(Progress::NeedMore);
                }
                let mut frame = [0; SEALED_FRAME];
                frame.copy_from_slice(&input.split_to(SEALED_FRAME));
                plain.extend_from_slice(opener.open(&mut frame)?);
            },
            State::Over => Err(HandshakeError::Over),
        }
    }
}

/// Computes the shared secret and the challenge, and signs it. Source: `MakeSecretConnection`.
fn agree(secret: &StaticSecret, local: &[u8; 32], message: &Bytes, signer: &dyn Signer) -> Result<(State, Vec<u8>), HandshakeError> {
    let value = decode::<BytesValue>(message, "ephemeral key")?.value;
    let remote: [u8; 32] = value.as_ref().try_into().map_err(|_| HandshakeError::KeyLength(value.len()))?;
    if remote == *local {
        return Err(HandshakeError::Reflected);
    }
    let shared = secret.diffie_hellman(&x25519_dalek::PublicKey::from(remote));
    if !shared.was_contributory() {
        return Err(HandshakeError::LowOrder);
    }
    let local_is_lower = *local < remote;
    let (lower, upper) = if local_is_lower { (local, &remote) } else { (&remote, local) };
    let challenge = challenge(lower, upper, shared.as_bytes());
    let keys = SessionKeys::derive(shared.as_bytes(), local_is_lower);
    let mut sealer = Sealer::new(&keys.send);

    let signed = signer.sign(&TENDERMINT_CONTEXT, &ChainContext::UNSET, &challenge).map_err(HandshakeError::Sign)?;
    let pub_key = proto::PublicKey { sum: Some(proto::PublicKeySum::Ed25519(signed.public_key.0.to_vec())) };
    let (mut plain, mut out) = (BytesMut::new(), Vec::new());
    put_delimited(&AuthSigMessage { pub_key, sig: signed.signature.0.to_vec() }, &mut plain);
    sealer.seal(&plain, &mut out)?;
    Ok((State::Auth { sealer, opener: Opener::new(&keys.receive), challenge, plain: BytesMut::new() }, out))
}

/// What each side signs: a digest of both ephemeral keys and the shared secret.
///
/// Source: `MakeSecretConnection`, github.com/gtank/merlin `Transcript.ExtractBytes`.
fn challenge(lower: &[u8; 32], upper: &[u8; 32], shared: &[u8; 32]) -> [u8; 32] {
    let mut transcript = Transcript::new(b"TENDERMINT_SECRET_CONNECTION_TRANSCRIPT_HASH");
    transcript.append_message(b"EPHEMERAL_LOWER_PUBLIC_KEY", lower);
    transcript.append_message(b"EPHEMERAL_UPPER_PUBLIC_KEY", upper);
    transcript.append_message(b"DH_SECRET", shared);
    let mut challenge = [0; 32];
    transcript.challenge_bytes(b"SECRET_CONNECTION_MAC", &mut challenge);
    challenge
}

/// The key of a peer whose signature holds. Source: `shareAuthSignature`, `MakeSecretConnection`.
fn authenticate(message: &Bytes, challenge: &[u8; 32]) -> Result<PublicKey, HandshakeError> {
    let AuthSigMessage { pub_key, sig } = decode(message, "authentication")?;
    let Some(proto::PublicKeySum::Ed25519(key)) = pub_key.sum else { return Err(HandshakeError::KeyType) };
    let key = PublicKey::from_slice(&key).ok_or(HandshakeError::KeyType)?;
    if !verify_tendermint(&key, challenge, &sig) {
        return Err(HandshakeError::Signature);
    }
    Ok(key)
}

#[cfg(test)]
mod tests;
