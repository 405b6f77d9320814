//! Clients that name the server by something that is no name.
//!
//! The original's clients name it by `IP:port`, which rustls takes for an attack and ends the connection (its versions from 0.24 can be
//! told not to). Names mean nothing here. So a bad name is hidden from rustls in the first message ([`super::first`]), under a number of
//! extensions that nobody knows, and is back in its place where the hash of the handshake is taken: both ends hash what the client
//! sent, and agree.
//!
//! Source: google.golang.org/grpc/security/advancedtls `advancedtls.go`, `ClientHandshake`.

use std::sync::LazyLock;

use rustls::{
    SupportedCipherSuite, Tls13CipherSuite,
    crypto::{
        CipherSuiteCommon, CryptoProvider,
        hash::{self, Hash, HashAlgorithm, Output},
        ring,
    },
    pki_types::ServerName,
};

/// The type of a client's first message.
pub(super) const CLIENT_HELLO: u8 = 1;
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
pub(super) fn hide(hello: &mut [u8]) {
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

/// ring's cryptography, TLS 1.3 only, with hashes of what clients sent.
pub(super) fn provider() -> CryptoProvider {
    static HASHES: LazyLock<Vec<Original>> = LazyLock::new(|| original(restore));
    static SUITES: LazyLock<Vec<Tls13CipherSuite>> = LazyLock::new(|| suites(&HASHES));
    CryptoProvider { cipher_suites: SUITES.iter().map(SupportedCipherSuite::Tls13).collect(), ..ring::default_provider() }
}

fn ring_suites() -> impl Iterator<Item = &'static Tls13CipherSuite> {
    ring::ALL_CIPHER_SUITES.iter().filter_map(SupportedCipherSuite::tls13)
}

/// The hashes of ring's suites, with a change to a client's first messages.
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

/// A hash that takes a client's first messages as they were sent. Messages of the handshake are hashed whole, one at a time.
struct Original {
    hash: &'static dyn Hash,
    restore: fn(&[u8]) -> Option<Vec<u8>>,
}

impl Hash for Original {
    fn start(&self) -> Box<dyn hash::Context> {
        Box::new(OriginalContext { hash: self.hash.start(), restore: self.restore })
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
    restore: fn(&[u8]) -> Option<Vec<u8>>,
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
        match (self.restore)(data) {
            Some(original) => self.hash.update(&original),
            None => self.hash.update(data),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection, crypto::SupportedKxGroup};

    use super::{
        super::{ServerKey, first::FirstMessages, verify::ByKey},
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

    /// A server that agrees on keys by these groups only; all for none.
    fn server(key: &TlsKey, groups: &[&'static dyn SupportedKxGroup]) -> ServerConnection {
        let mut provider = provider();
        if !groups.is_empty() {
            provider.kx_groups = groups.to_vec();
        }
        let builder = ServerConfig::builder_with_provider(Arc::new(provider)).with_protocol_versions(&[&rustls::version::TLS13]);
        let resolver = Arc::new(ServerKey::new(key.clone()).unwrap());
        ServerConnection::new(Arc::new(builder.unwrap().with_no_client_auth().with_cert_resolver(resolver))).unwrap()
    }

    /// What was changed in a flight in one record, in records of this size.
    fn in_records(flight: Vec<u8>, size: usize) -> Vec<u8> {
        let (header, content) = flight.split_at(5);
        let record = |part: &[u8]| [&header[..3], &u16::try_from(part.len()).unwrap().to_be_bytes(), part].concat();
        content.chunks(size).flat_map(record).collect()
    }

    /// Shakes hands; `change` is made to every flight of the client. Says how many flights it had.
    fn shake(
        mut client: ClientConnection,
        mut server: ServerConnection,
        change: impl Fn(Vec<u8>) -> Vec<u8>,
    ) -> Result<usize, rustls::Error> {
        let mut first = FirstMessages::default();
        let mut flights = 0;
        loop {
            let mut flight = Vec::new();
            while client.wants_write() {
                client.write_tls(&mut flight).unwrap();
            }
            if !flight.is_empty() {
                flights += 1;
                first.push(&change(flight));
            }
            let bytes = first.take();
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                server.read_tls(&mut rest).unwrap();
                server.process_new_packets()?;
            }
            if !client.is_handshaking() && !server.is_handshaking() {
                return Ok(flights);
            }
            let mut answer = Vec::new();
            while server.wants_write() {
                server.write_tls(&mut answer).unwrap();
            }
            assert!(!answer.is_empty() || !bytes.is_empty(), "neither has anything to say");
            let mut rest = &answer[..];
            while !rest.is_empty() {
                client.read_tls(&mut rest).unwrap();
                client.process_new_packets()?;
            }
        }
    }

    /// The suites of a client that names the server badly.
    fn misnaming() -> impl Iterator<Item = CryptoProvider> {
        static HASHES: LazyLock<Vec<Original>> = LazyLock::new(|| original(misname));
        static SUITES: LazyLock<Vec<Tls13CipherSuite>> = LazyLock::new(|| suites(&HASHES));
        SUITES.iter().map(|suite| CryptoProvider { cipher_suites: vec![SupportedCipherSuite::Tls13(suite)], ..ring::default_provider() })
    }

    #[test]
    fn a_client_that_names_no_name_is_served() {
        let key = TlsKey::from_seed(&[1; 32]);
        for provider in misnaming() {
            let misnamed = |flight: Vec<u8>| misname(&flight).unwrap_or(flight);
            assert_eq!(shake(client(&key, NAME, provider.clone()), server(&key, &[]), misnamed), Ok(2));
            // The name is part of what both ends agree on.
            let error = shake(client(&key, NAME, provider), server(&key, &[]), |flight| flight).unwrap_err();
            assert!(error.to_string().contains("decrypt"), "{error}");
        }
    }

    #[test]
    fn a_first_message_in_several_records_is_as_good() {
        let key = TlsKey::from_seed(&[1; 32]);
        for size in [9, 50, 200] {
            for provider in misnaming() {
                let misnamed = |flight: Vec<u8>| misname(&flight).map_or(flight, |hello| in_records(hello, size));
                assert_eq!(shake(client(&key, NAME, provider), server(&key, &[]), misnamed), Ok(2), "{size}");
            }
        }
    }

    #[test]
    fn a_client_that_has_to_say_hello_again_is_served() {
        let key = TlsKey::from_seed(&[1; 32]);
        // The client's first message has a share for X25519 only.
        let retrying = || server(&key, &[ring::kx_group::SECP384R1]);
        for provider in misnaming() {
            let misnamed = |flight: Vec<u8>| misname(&flight).unwrap_or(flight);
            assert_eq!(shake(client(&key, NAME, provider.clone()), retrying(), misnamed), Ok(3));
            let error = shake(client(&key, NAME, provider), retrying(), |flight| flight).unwrap_err();
            assert!(error.to_string().contains("decrypt"), "{error}");
        }
        assert_eq!(shake(client(&key, b"localhost", ring::default_provider()), retrying(), |flight| flight), Ok(3));
    }

    #[test]
    fn a_client_that_names_a_name_is_served() {
        let key = TlsKey::from_seed(&[1; 32]);
        for name in [&b"localhost"[..], b"127.0.0.1"] {
            assert_eq!(shake(client(&key, name, ring::default_provider()), server(&key, &[]), |flight| flight), Ok(2));
        }
    }

    #[test]
    fn a_first_message_that_ends_anywhere_is_no_trouble() {
        let key = TlsKey::from_seed(&[1; 32]);
        let mut first = Vec::new();
        client(&key, NAME, ring::default_provider()).write_tls(&mut first).unwrap();
        let first = misname(&first).unwrap();
        let hello = &first[5..];
        for at in 0..hello.len() {
            let mut part = hello[..at].to_vec();
            hide(&mut part);
            assert!(part == hello[..at] || restore(&part).is_some_and(|part| part == hello[..at]));
        }
        let mut hidden = hello.to_vec();
        hide(&mut hidden);
        assert_ne!(hidden, hello);
        assert_eq!(restore(&hidden).unwrap(), hello);
    }
}
