//! Clients that name the server by something that is no name.
//!
//! The original's clients name it by `IP:port`, which rustls takes for an attack and ends the connection (its versions from 0.24 can be
//! told not to). Names mean nothing here. So a bad name is hidden from rustls in the first message, under a number of extensions that
//! nobody knows, and is back in its place where the hash of the handshake is taken: both ends hash what the client sent, and agree.
//!
//! Source: google.golang.org/grpc/security/advancedtls `advancedtls.go`, `ClientHandshake`.

use std::{
    io,
    pin::Pin,
    sync::LazyLock,
    task::{Context, Poll},
};

use rustls::{
    SupportedCipherSuite, Tls13CipherSuite,
    crypto::{
        CipherSuiteCommon, CryptoProvider,
        hash::{self, Hash, HashAlgorithm, Output},
        ring,
    },
    pki_types::ServerName,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

/// A record's type, version and length.
const RECORD_HEADER: usize = 5;
/// The type of records of the handshake.
const HANDSHAKE_RECORD: u8 = 22;
/// The longest record (RFC 8446, section 5.1).
const MAX_RECORD: usize = 1 << 14;
/// The type of a client's first message.
const CLIENT_HELLO: u8 = 1;
/// The extension that names the server (RFC 6066, section 3).
const SERVER_NAME: [u8; 2] = [0, 0];
/// The number that hides it, of those for private use.
const HIDDEN: [u8; 2] = [0xff, 0x53];

/// The end of what has its length before it, in `size` bytes at a place.
fn end(bytes: &[u8], at: usize, size: usize) -> Option<usize> {
    let start = at.checked_add(size)?;
    let length = bytes.get(at..start)?.iter().fold(0usize, |length, byte| length << 8 | usize::from(*byte));
    start.checked_add(length).filter(|end| *end <= bytes.len())
}

/// Where an extension is in a client's first message, and what it says (RFC 8446, section 4.1.2).
fn extension(hello: &[u8], number: [u8; 2]) -> Option<(usize, &[u8])> {
    // Type, length, version, random bytes; then session, suites, compression.
    let suites = end(hello, 4 + 2 + 32, 1)?;
    let mut at = end(hello, end(hello, suites, 2)?, 1)?.checked_add(2)?;
    loop {
        let start = at.checked_add(2)?;
        let next = end(hello, start, 2)?;
        if hello.get(at..start)? == number {
            return Some((at, hello.get(start.checked_add(2)?..next)?));
        }
        at = next;
    }
}

/// Hides the server's name in a client's first message, if it is a text that is no name.
fn hide(hello: &mut [u8]) {
    if hello.first() != Some(&CLIENT_HELLO) {
        return;
    }
    let Some((at, [_, _, 0, _, _, name @ ..])) = extension(hello, SERVER_NAME) else { return };
    if ServerName::try_from(name).is_err() {
        hello[at..at + 2].copy_from_slice(&HIDDEN);
    }
}

/// A client's first message as it was sent; none if nothing in it is hidden.
fn restore(message: &[u8]) -> Option<Vec<u8>> {
    if message.first() != Some(&CLIENT_HELLO) {
        return None;
    }
    let (at, _) = extension(message, HIDDEN)?;
    let mut message = message.to_vec();
    message.get_mut(at..at.checked_add(2)?)?.copy_from_slice(&SERVER_NAME);
    Some(message)
}

/// Reads a client's first record and hides a bad name in it. The result gives it again, then the rest.
///
/// A first message in several records goes through as it is.
pub(super) async fn read<S: AsyncRead + Unpin>(mut stream: S) -> io::Result<Replayed<S>> {
    let mut first = Vec::with_capacity(RECORD_HEADER);
    (&mut stream).take(RECORD_HEADER as u64).read_to_end(&mut first).await?;
    if let [HANDSHAKE_RECORD, _, _, high, low] = first[..] {
        let length = usize::from(u16::from_be_bytes([high, low]));
        if length <= MAX_RECORD {
            (&mut stream).take(length as u64).read_to_end(&mut first).await?;
            hide(&mut first[RECORD_HEADER..]);
        }
    }
    Ok(Replayed { first, given: 0, stream })
}

/// A stream of which the beginning was read before.
pub(super) struct Replayed<S> {
    first: Vec<u8>,
    given: usize,
    stream: S,
}

impl<S: AsyncRead + Unpin> AsyncRead for Replayed<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let rest = &this.first[this.given..];
        if rest.is_empty() {
            return Pin::new(&mut this.stream).poll_read(cx, buffer);
        }
        let count = rest.len().min(buffer.remaining());
        buffer.put_slice(&rest[..count]);
        this.given += count;
        if this.given == this.first.len() {
            (this.first, this.given) = (Vec::new(), 0);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Replayed<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// ring's cryptography, TLS 1.3 only, with hashes of what clients sent.
pub(super) fn provider() -> CryptoProvider {
    static HASHES: LazyLock<Vec<Original>> = LazyLock::new(|| original(restore));
    static SUITES: LazyLock<Vec<Tls13CipherSuite>> = LazyLock::new(|| suites(&HASHES));
    CryptoProvider { cipher_suites: SUITES.iter().map(SupportedCipherSuite::Tls13).collect(), ..ring::default_provider() }
}

fn ring_suites() -> impl Iterator<Item = &'static Tls13CipherSuite> {
    ring::ALL_CIPHER_SUITES.iter().filter_map(SupportedCipherSuite::tls13)
}

/// The hashes of ring's suites, with a change to the handshake's first message.
fn original(restore: fn(&[u8]) -> Option<Vec<u8>>) -> Vec<Original> {
    ring_suites().map(|suite| Original { hash: suite.common.hash_provider, restore }).collect()
}

/// ring's suites with other hashes.
fn suites(hashes: &'static [Original]) -> Vec<Tls13CipherSuite> {
    let suite = |(suite, hash_provider): (&Tls13CipherSuite, &'static Original)| Tls13CipherSuite {
        common: CipherSuiteCommon { hash_provider, ..suite.common },
        ..*suite
    };
    ring_suites().zip(hashes).map(suite).collect()
}

/// A hash that takes a client's first message as it was sent.
struct Original {
    hash: &'static dyn Hash,
    restore: fn(&[u8]) -> Option<Vec<u8>>,
}

impl Hash for Original {
    fn start(&self) -> Box<dyn hash::Context> {
        Box::new(OriginalContext { hash: self.hash.start(), restore: Some(self.restore) })
    }

    fn hash(&self, data: &[u8]) -> Output {
        self.hash.hash(data)
    }

    fn output_len(&self) -> usize {
        self.hash.output_len()
    }

    fn algorithm(&self) -> HashAlgorithm {
        self.hash.algorithm()
    }
}

struct OriginalContext {
    hash: Box<dyn hash::Context>,
    /// For the first message, which is hashed alone.
    restore: Option<fn(&[u8]) -> Option<Vec<u8>>>,
}

impl hash::Context for OriginalContext {
    fn fork_finish(&self) -> Output {
        self.hash.fork_finish()
    }

    fn fork(&self) -> Box<dyn hash::Context> {
        Box::new(Self { hash: self.hash.fork(), restore: self.restore })
    }

    fn finish(self: Box<Self>) -> Output {
        self.hash.finish()
    }

    fn update(&mut self, data: &[u8]) {
        if data.is_empty() {
            return;
        }
        match self.restore.take().and_then(|restore| restore(data)) {
            Some(original) => self.hash.update(&original),
            None => self.hash.update(data),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection};

    use super::{
        super::{ServerKey, verify::ByKey},
        *,
    };
    use crate::tls::TlsKey;

    const NAME: &[u8] = b"127-0-0-1-9100";
    const BAD: &[u8] = b"127.0.0.1:9100";

    /// What a client that says the good name would have sent with the bad one.
    fn misname(message: &[u8]) -> Option<Vec<u8>> {
        let at = message.windows(NAME.len()).position(|part| part == NAME)?;
        let mut message = message.to_vec();
        message[at..at + NAME.len()].copy_from_slice(BAD);
        Some(message)
    }

    fn client(key: &TlsKey, name: &[u8], provider: CryptoProvider) -> ClientConnection {
        let provider = Arc::new(provider);
        let verifier = Arc::new(ByKey {
            keys: vec![key.public_key()],
            name: oasis_primitives::identity::TLS_COMMON_NAME,
            provider: Arc::clone(&provider),
        });
        let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[&rustls::version::TLS13]).unwrap();
        let config = builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
        ClientConnection::new(Arc::new(config), ServerName::try_from(name).unwrap().to_owned()).unwrap()
    }

    fn server(key: &TlsKey) -> ServerConnection {
        let builder = ServerConfig::builder_with_provider(Arc::new(provider())).with_protocol_versions(&[&rustls::version::TLS13]);
        let resolver = Arc::new(ServerKey::new(key.clone()).unwrap());
        ServerConnection::new(Arc::new(builder.unwrap().with_no_client_auth().with_cert_resolver(resolver))).unwrap()
    }

    /// Shakes hands; `change` is made to what the client sends first.
    async fn shake(
        mut client: ClientConnection,
        mut server: ServerConnection,
        change: impl Fn(Vec<u8>) -> Vec<u8>,
    ) -> Result<(), rustls::Error> {
        let mut first = Vec::new();
        client.write_tls(&mut first).unwrap();
        let mut replayed = read(io::Cursor::new(change(first))).await.unwrap();
        let mut bytes = Vec::new();
        replayed.read_to_end(&mut bytes).await.unwrap();
        loop {
            while !bytes.is_empty() {
                let mut rest = &bytes[..];
                server.read_tls(&mut rest).unwrap();
                bytes = rest.to_vec();
                server.process_new_packets()?;
            }
            if !client.is_handshaking() && !server.is_handshaking() {
                return Ok(());
            }
            let mut answer = Vec::new();
            while server.wants_write() {
                server.write_tls(&mut answer).unwrap();
            }
            let mut rest = &answer[..];
            while !rest.is_empty() {
                client.read_tls(&mut rest).unwrap();
                client.process_new_packets()?;
            }
            while client.wants_write() {
                client.write_tls(&mut bytes).unwrap();
            }
        }
    }

    #[tokio::test]
    async fn a_client_that_names_no_name_is_served() {
        static HASHES: LazyLock<Vec<Original>> = LazyLock::new(|| original(misname));
        static SUITES: LazyLock<Vec<Tls13CipherSuite>> = LazyLock::new(|| suites(&HASHES));
        let key = TlsKey::from_seed(&[1; 32]);
        for suite in SUITES.iter() {
            let provider = CryptoProvider { cipher_suites: vec![SupportedCipherSuite::Tls13(suite)], ..ring::default_provider() };
            let misnamed = |first: Vec<u8>| misname(&first).unwrap();
            shake(client(&key, NAME, provider.clone()), server(&key), misnamed).await.unwrap();
            // The name is part of what both ends agree on.
            let error = shake(client(&key, NAME, provider), server(&key), |first| first).await.unwrap_err();
            assert!(error.to_string().contains("decrypt"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_client_that_names_a_name_is_served() {
        let key = TlsKey::from_seed(&[1; 32]);
        shake(client(&key, b"localhost", ring::default_provider()), server(&key), |first| first).await.unwrap();
        shake(client(&key, b"127.0.0.1", ring::default_provider()), server(&key), |first| first).await.unwrap();
    }

    #[tokio::test]
    async fn a_first_message_that_ends_anywhere_is_no_trouble() {
        let key = TlsKey::from_seed(&[1; 32]);
        let mut first = Vec::new();
        client(&key, NAME, ring::default_provider()).write_tls(&mut first).unwrap();
        let first = misname(&first).unwrap();
        for at in 0..first.len() {
            let mut replayed = read(&first[..at]).await.unwrap();
            let mut bytes = Vec::new();
            replayed.read_to_end(&mut bytes).await.unwrap();
            assert_eq!(bytes.len(), at);
            let hello = first.get(RECORD_HEADER..at).unwrap_or_default();
            assert!(restore(hello).is_none());
        }
        let hello = &first[RECORD_HEADER..];
        let mut hidden = hello.to_vec();
        hide(&mut hidden);
        assert_ne!(hidden, hello);
        assert_eq!(restore(&hidden).unwrap(), hello);
    }
}
