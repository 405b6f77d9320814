//! What clients send to a server over TLS before anything is encrypted: any bytes, or a client's messages cut into records and packets
//! and changed.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use oasis_node_service::{
    grpc::{Clients, FirstMessages, ServerKey, server_config},
    tls::TlsKey,
};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, ServerConfig, ServerConnection, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};

/// Rounds of a handshake, of which three are enough.
const ROUNDS: usize = 8;
const NAME: &str = "127-0-0-1-9100";
const BAD: &[u8] = b"127.0.0.1:9100";

static KEY: LazyLock<TlsKey> = LazyLock::new(|| TlsKey::from_seed(&[1; 32]));

/// A server that takes a client's first share of a key, and one that asks for another.
static SERVERS: LazyLock<[Arc<ServerConfig>; 2]> = LazyLock::new(|| {
    let config = server_config(ServerKey::new(KEY.clone()).unwrap(), Clients::Anybody).unwrap();
    let provider = CryptoProvider { kx_groups: vec![ring::kx_group::SECP384R1], ..(**config.crypto_provider()).clone() };
    let retrying = ServerConfig::builder_with_provider(Arc::new(provider)).with_protocol_versions(&[&rustls::version::TLS13]);
    let mut retrying = retrying.unwrap().with_no_client_auth().with_cert_resolver(config.cert_resolver.clone());
    retrying.alpn_protocols = config.alpn_protocols.clone();
    [Arc::new(config), Arc::new(retrying)]
});

static CLIENT: LazyLock<Arc<ClientConfig>> = LazyLock::new(|| {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_protocol_versions(&[&rustls::version::TLS13]);
    Arc::new(builder.unwrap().dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider))).with_no_client_auth())
});

#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(&self, _: &[u8], _: &CertificateDer<'_>, _: &DigitallySignedStruct) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.2".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

fn pieces(size: u8, bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.chunks(usize::from(size) + 1)
}

/// Gives bytes to a server; whether it goes on.
fn give(server: &mut ServerConnection, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        if !matches!(server.read_tls(&mut bytes), Ok(1..)) || server.process_new_packets().is_err() {
            return false;
        }
    }
    true
}

/// Any bytes come out as many, with nothing changed but the numbers of names, however they are cut.
fn raw(size: u8, bytes: &[u8]) {
    let filtered = |size: u8| {
        let mut first = FirstMessages::default();
        let mut out = Vec::new();
        for piece in pieces(size, bytes) {
            first.push(piece);
            out.extend(first.take());
        }
        first.end();
        out.extend(first.take());
        out
    };
    let out = filtered(size);
    assert_eq!(out, filtered(255), "it matters how the bytes come");
    assert_eq!(out.len(), bytes.len());
    let changed: Vec<(u8, u8)> = bytes.iter().zip(&out).filter(|(before, after)| before != after).map(|(b, a)| (*b, *a)).collect();
    assert!(changed.len() <= 4 && changed.chunks(2).all(|pair| pair == [(0, 0xff), (0, 0x53)]), "changed {changed:?}");
    for config in &*SERVERS {
        let mut server = ServerConnection::new(Arc::clone(config)).unwrap();
        for piece in pieces(size, &out) {
            if !give(&mut server, piece) {
                break;
            }
        }
    }
}

/// The records of a flight, those of the handshake cut into shorter ones.
fn in_records(flight: &[u8], size: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = flight;
    while let [kind, major, minor, high, low, next @ ..] = rest {
        let (content, next) = next.split_at(usize::from(u16::from_be_bytes([*high, *low])));
        let size = if *kind == 22 { size } else { usize::MAX };
        for part in content.chunks(size) {
            out.extend([*kind, *major, *minor]);
            out.extend(u16::try_from(part.len()).unwrap().to_be_bytes());
            out.extend(part);
        }
        rest = next;
    }
    out
}

/// A client's handshake. It succeeds, unless its messages were changed.
fn shake(kind: u8, size: u8, record: u8, mut changes: &[u8]) {
    let (retry, misnamed) = (kind & 2 != 0, kind & 4 != 0);
    let mut server = ServerConnection::new(Arc::clone(&SERVERS[usize::from(retry)])).unwrap();
    let mut client = ClientConnection::new(Arc::clone(&CLIENT), ServerName::try_from(NAME).unwrap()).unwrap();
    let mut first = FirstMessages::default();
    let mut intact = !misnamed;
    for _ in 0..ROUNDS {
        let mut flight = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut flight).unwrap();
        }
        if misnamed && let Some(at) = flight.windows(NAME.len()).position(|part| part == NAME.as_bytes()) {
            flight[at..at + NAME.len()].copy_from_slice(BAD);
        }
        // A message in more than 64 records is not taken.
        flight = in_records(&flight, usize::from(record) + 9);
        while let [high, low, by, next @ ..] = changes {
            let at = usize::from(u16::from_be_bytes([*high, *low]));
            changes = next;
            match flight.get_mut(at) {
                Some(byte) if *by != 0 => {
                    *byte ^= by;
                    intact = false;
                }
                // The next flight's changes follow.
                _ => break,
            }
        }
        let mut goes_on = true;
        for piece in pieces(size, &flight) {
            first.push(piece);
            goes_on = goes_on && give(&mut server, &first.take());
        }
        let mut answer = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut answer).unwrap();
        }
        let mut rest = &answer[..];
        while goes_on && !rest.is_empty() {
            goes_on = matches!(client.read_tls(&mut rest), Ok(1..)) && client.process_new_packets().is_ok();
        }
        if !goes_on || !client.is_handshaking() && !server.is_handshaking() {
            break;
        }
    }
    let agreed = !client.is_handshaking() && !server.is_handshaking();
    assert!(agreed || !intact, "client: {}, server: {}", client.is_handshaking(), server.is_handshaking());
    assert!(!agreed || !misnamed, "what was sent is not what was agreed on");
}

fuzz_target!(|bytes: &[u8]| {
    match bytes {
        [kind, size, rest @ ..] if kind % 2 == 0 => raw(*size, rest),
        [kind, size, record, changes @ ..] => shake(*kind, *size, *record, changes),
        _ => {}
    }
});
