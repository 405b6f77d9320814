//! PEM, as key files have it.
//!
//! Source: go/common/pem/pem.go; Go's `encoding/pem`.

use crate::{
    signature::{MemorySigner, PublicKey, RawSignature, Signature, Signer},
    text,
};

/// The type of private key files. Source: go/common/crypto/signature/signers/file/file_signer.go, `privateKeyPemType`.
pub const PRIVATE_KEY: &str = "ED25519 PRIVATE KEY";
/// The type of public key files. Source: go/common/crypto/signature/signature.go, `pubPEMType`.
pub const PUBLIC_KEY: &str = "ED25519 PUBLIC KEY";
/// The type of signatures. Source: go/common/crypto/signature/signature.go, `sigPEMType`.
pub const SIGNATURE: &str = "ED25519 SIGNATURE";

/// Characters of base64 on a line.
const LINE: usize = 64;

/// Why a PEM text was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No block.
    #[error("pem: data does not contain a block")]
    NoBlock,
    /// Something stands after the block.
    #[error("pem: data has trailing garbage")]
    Trailing,
    /// The block is of another type.
    #[error("pem: malformed, unexpected type")]
    WrongType,
    /// The block's bytes are not a key or signature.
    #[error("pem: malformed content")]
    Content,
}

/// Writes a block.
pub fn encode(kind: &str, bytes: &[u8]) -> String {
    let mut out = format!("-----BEGIN {kind}-----\n");
    let mut rest = text::to_base64(bytes);
    while !rest.is_empty() {
        let next = rest.split_off(rest.len().min(LINE));
        out.push_str(&rest);
        out.push('\n');
        rest = next;
    }
    out.push_str("-----END ");
    out.push_str(kind);
    out.push_str("-----\n");
    out
}

/// Reads the one block of a text, which must be of a type.
///
/// Source: go/common/pem/pem.go, `Unmarshal`.
pub fn decode(kind: &str, pem: &str) -> Result<Vec<u8>, Error> {
    let (block, rest) = first_block(pem).ok_or(Error::NoBlock)?;
    if !rest.is_empty() {
        return Err(Error::Trailing);
    }
    if block.kind != kind {
        return Err(Error::WrongType);
    }
    Ok(block.bytes)
}

struct Block<'a> {
    kind: &'a str,
    bytes: Vec<u8>,
}

/// The first block and what follows its last line. Text before the block and headers inside are passed over.
///
/// Source: Go's `encoding/pem`, `Decode`.
fn first_block(pem: &str) -> Option<(Block<'_>, &str)> {
    let mut lines = Lines(pem);
    let mut begun: Option<(&str, String)> = None;
    while let Some(line) = lines.next() {
        if let Some(kind) = line.strip_prefix("-----BEGIN ").and_then(|l| l.strip_suffix("-----")) {
            begun = Some((kind, String::new()));
        } else if let Some(end) = line.strip_prefix("-----END ") {
            if let Some((kind, body)) = begun.take()
                && end.strip_suffix("-----") == Some(kind)
                && let Some(bytes) = text::from_base64(&body)
            {
                return Some((Block { kind, bytes }, lines.0));
            }
        } else if let Some((_, body)) = &mut begun
            && !(body.is_empty() && line.contains(':'))
        {
            body.extend(line.chars().filter(|c| !matches!(c, ' ' | '\t')));
        }
    }
    None
}

/// Lines without their ends and the white space before these.
struct Lines<'a>(&'a str);

impl<'a> Lines<'a> {
    fn next(&mut self) -> Option<&'a str> {
        if self.0.is_empty() {
            return None;
        }
        let (line, rest) = self.0.split_once('\n').unwrap_or((self.0, ""));
        self.0 = rest;
        Some(line.trim_end_matches([' ', '\t', '\r']))
    }
}

impl PublicKey {
    /// The contents of a public key file.
    ///
    /// Source: go/common/crypto/signature/signature.go, `PublicKey.MarshalPEM`.
    pub fn to_pem(&self) -> String {
        encode(PUBLIC_KEY, &self.0)
    }

    /// Reads a public key file.
    ///
    /// Source: go/common/crypto/signature/signature.go, `PublicKey.UnmarshalPEM`.
    pub fn from_pem(pem: &str) -> Result<Self, Error> {
        Self::from_slice(&decode(PUBLIC_KEY, pem)?).ok_or(Error::Content)
    }
}

impl Signature {
    /// Two blocks: the key, then the signature.
    ///
    /// Source: go/common/crypto/signature/signature.go, `Signature.MarshalPEM`.
    pub fn to_pem(&self) -> String {
        self.public_key.to_pem() + &encode(SIGNATURE, &self.signature.0)
    }

    /// Reads two blocks: the key, then the signature. What follows is passed over.
    ///
    /// Source: go/common/crypto/signature/signature.go, `Signature.UnmarshalPEM`.
    pub fn from_pem(pem: &str) -> Result<Self, Error> {
        let (key, rest) = first_block(pem).ok_or(Error::NoBlock)?;
        let (signature, _) = first_block(rest).ok_or(Error::NoBlock)?;
        if key.kind != PUBLIC_KEY || signature.kind != SIGNATURE {
            return Err(Error::WrongType);
        }
        Ok(Self {
            public_key: PublicKey::from_slice(&key.bytes).ok_or(Error::Content)?,
            signature: RawSignature::from_slice(&signature.bytes).ok_or(Error::Content)?,
        })
    }
}

impl MemorySigner {
    /// The contents of a private key file: the seed and the public key. Secret.
    ///
    /// Source: go/common/crypto/signature/signers/file/file_signer.go, `marshalPEM`.
    pub fn to_pem(&self) -> zeroize::Zeroizing<String> {
        let bytes = zeroize::Zeroizing::new([*self.seed(), self.public_key().0].concat());
        zeroize::Zeroizing::new(encode(PRIVATE_KEY, &bytes))
    }

    /// Reads a private key file. Stricter than the original, which doesn't see that the public key is another's and would
    /// give the private one away by signing with it.
    ///
    /// Source: go/common/crypto/signature/signers/file/file_signer.go, `unmarshalPEM`.
    pub fn from_pem(pem: &str) -> Result<Self, Error> {
        let bytes = zeroize::Zeroizing::new(decode(PRIVATE_KEY, pem)?);
        let (seed, public) = bytes.split_first_chunk().ok_or(Error::Content)?;
        let signer = Self::from_seed(seed);
        if signer.public_key().0 != *public {
            return Err(Error::Content);
        }
        Ok(signer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::{ChainContext, TENDERMINT_CONTEXT};

    #[test]
    fn key_files_are_read_back() {
        let signer = MemorySigner::for_test("pem");
        let pem = signer.to_pem();
        assert!(pem.starts_with("-----BEGIN ED25519 PRIVATE KEY-----\n"));
        assert_eq!(pem.lines().nth(1).unwrap().len(), 64);
        assert_eq!(MemorySigner::from_pem(&pem).unwrap().public_key(), signer.public_key());
        assert_eq!(PublicKey::from_pem(&signer.public_key().to_pem()).unwrap(), signer.public_key());
        let signature = signer.sign(&TENDERMINT_CONTEXT, &ChainContext::UNSET, b"message").unwrap();
        assert_eq!(Signature::from_pem(&signature.to_pem()).unwrap(), signature);
    }

    #[test]
    fn malformed_key_files_are_refused() {
        let key = MemorySigner::for_test("pem").public_key();
        let pem = key.to_pem();
        assert_eq!(PublicKey::from_pem("").unwrap_err(), Error::NoBlock);
        assert_eq!(PublicKey::from_pem(&pem.replace("END", "DNE")).unwrap_err(), Error::NoBlock);
        assert_eq!(PublicKey::from_pem(&(pem.clone() + "x")).unwrap_err(), Error::Trailing);
        assert_eq!(PublicKey::from_pem(&encode("X", &key.0)).unwrap_err(), Error::WrongType);
        assert_eq!(PublicKey::from_pem(&encode(PUBLIC_KEY, &key.0[1..])).unwrap_err(), Error::Content);
        let other = [[7; 32], key.0].concat();
        assert_eq!(MemorySigner::from_pem(&encode(PRIVATE_KEY, &other)).unwrap_err(), Error::Content);
    }

    #[test]
    fn text_around_and_headers_are_passed_over() {
        let key = MemorySigner::for_test("pem").public_key();
        let pem = format!("a comment\r\n{}", key.to_pem().replace("KEY-----\n", "KEY-----\r\nName: value\n\n").replace("==", "= ="));
        let pem = pem.replacen("-----END ED25519 PUBLIC KEY-----\r\nName: value\n\n", "-----END ED25519 PUBLIC KEY-----\n", 1);
        assert_eq!(PublicKey::from_pem(&pem), Ok(key));
    }
}
