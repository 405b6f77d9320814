//! gRPC over TLS 1.3 between nodes: who is spoken to is known by the Ed25519 key of the certificate, which nobody else signs.
//!
//! Source: go/common/crypto/tls, go/common/grpc/credentials.go, go/common/grpc/grpc.go, `NewServer`.

use std::{
    collections::BTreeMap,
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use hyper_util::rt::TokioIo;
use oasis_primitives::{identity::TLS_COMMON_NAME, signature::PublicKey};
use rustls::{
    ClientConfig, DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring, verify_tls13_signature},
    pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime},
    server::{
        ClientHello, ResolvesServerCert,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    sign::CertifiedKey,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tonic::transport::Endpoint;
use tower::service_fn;
use x509_parser::{
    certificate::X509Certificate,
    extensions::ParsedExtension,
    oid_registry::{OID_SIG_ED25519, Oid},
    prelude::FromDer,
    time::ASN1Time,
};

use super::{
    client::{Client, ClientError},
    server::{Limits, Service, connection, stopped},
};
use crate::tls::{TlsError, TlsKey};

/// What is spoken within.
const ALPN: &[u8] = b"h2";
/// A certificate is made anew after so long.
const RENEW: Duration = Duration::from_secs(30 * 24 * 3600);
/// Most clients at a time; further ones wait.
const MAX_CLIENTS: usize = 128;
/// Most clients of one IP address at a time; further ones are turned away.
const MAX_PER_ADDRESS: usize = 32;
/// A client has so long to agree on keys, and a server to be reached.
const HANDSHAKE: Duration = Duration::from_secs(if cfg!(test) { 4 } else { 10 });
/// A client is told to connect anew after so long, that none stays for ever.
const LIFETIME: Duration = Duration::from_secs(600);
/// It then has so long for calls under way.
const GRACE: Duration = Duration::from_secs(30);
/// A server has so long to answer a call.
const ANSWER: Duration = Duration::from_secs(15);
/// Limits of a connection from anybody.
const PUBLIC: Limits = Limits { streams: 16, request: 1 << 20, ping: Some(Duration::from_secs(60)) };

/// What stands before the signature at a certificate's end: the algorithm, and that 64 bytes follow (RFC 8410, section 3).
const SIGNATURE_PREFIX: [u8; 10] = [0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x41, 0x00];
/// Bytes of a signature.
const SIGNATURE_LENGTH: usize = 64;

/// Why a certificate is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Not one certificate alone.
    #[error("expected one certificate, found {0}")]
    Count(usize),
    /// Not of the form that nodes make.
    #[error("certificate: {0}")]
    Form(&'static str),
    /// Of somebody else.
    #[error("the certificate has key {found}, which is not the one expected")]
    Key {
        /// Its key.
        found: PublicKey,
    },
    /// Too early or too late.
    #[error("the certificate does not hold at this time; check the clocks")]
    Time,
}

/// Checks what a node presents; gives its key. `key` is the one it must have.
///
/// Source: go/common/crypto/tls/verify.go, `VerifyCertificate`.
pub fn check_certificate(chain: &[&[u8]], key: Option<&PublicKey>, now: i64) -> Result<PublicKey, CertificateError> {
    use CertificateError::{Count, Form};
    let [der] = chain else { return Err(Count(chain.len())) };
    let (rest, certificate) = X509Certificate::from_der(der).map_err(|_| Form("expected X.509"))?;
    if !rest.is_empty() {
        return Err(Form("expected nothing after it"));
    }
    // What is signed covers the rest; this is DER in one way only.
    let signed = der.len().checked_sub(SIGNATURE_LENGTH).and_then(|at| der.split_at_checked(at));
    if !signed.is_some_and(|(before, _)| before.ends_with(&SIGNATURE_PREFIX)) {
        return Err(Form("expected Ed25519"));
    }
    let info = certificate.public_key();
    let ed25519 = |oid: &Oid<'_>| *oid == OID_SIG_ED25519;
    if !ed25519(&info.algorithm.algorithm) || !ed25519(&certificate.signature_algorithm.algorithm) {
        return Err(Form("expected Ed25519"));
    }
    let found = <[u8; 32]>::try_from(&*info.subject_public_key.data).map_err(|_| Form("expected a key of 32 bytes"))?;
    let found = PublicKey(found);
    if key.is_some_and(|key| *key != found) {
        return Err(CertificateError::Key { found });
    }
    // Go takes the last of several common names.
    let name = certificate.subject().iter_common_name().last().and_then(|name| name.as_str().ok());
    if name != Some(TLS_COMMON_NAME) {
        return Err(Form("expected the common name oasis-node"));
    }
    if certificate.raw_serial() != [1] {
        return Err(Form("expected serial number 1"));
    }
    check_extensions(&certificate)?;
    let now = ASN1Time::from_timestamp(now).map_err(|_| CertificateError::Time)?;
    if !certificate.validity().is_valid_at(now) {
        return Err(CertificateError::Time);
    }
    certificate.verify_signature(None).map_err(|_| Form("expected a signature by its own key"))?;
    Ok(found)
}

/// Uses are those of the certificates that nodes make; nothing unknown is critical.
fn check_extensions(certificate: &X509Certificate<'_>) -> Result<(), CertificateError> {
    /// Digital signature, key encipherment, signing certificates; bits from the lowest.
    const USES: u16 = 1 | 1 << 2 | 1 << 5;
    let (mut uses, mut extended) = (false, false);
    for extension in certificate.extensions() {
        match extension.parsed_extension() {
            ParsedExtension::KeyUsage(usage) => uses = usage.flags == USES,
            ParsedExtension::ExtendedKeyUsage(usage) => {
                let others = usage.any || usage.code_signing || usage.email_protection || usage.time_stamping || usage.ocsp_signing;
                extended = usage.server_auth && usage.client_auth && !others && usage.other.is_empty();
            }
            ParsedExtension::SubjectKeyIdentifier(_) | ParsedExtension::AuthorityKeyIdentifier(_) => {}
            _ if extension.critical => return Err(CertificateError::Form("expected no further critical extension")),
            _ => {}
        }
    }
    if uses && extended { Ok(()) } else { Err(CertificateError::Form("expected the uses of a node's key")) }
}

/// Verifies nodes and clients by their keys.
#[derive(Debug)]
struct ByKey {
    key: Option<PublicKey>,
    provider: Arc<CryptoProvider>,
}

impl ByKey {
    fn check(&self, end: &CertificateDer<'_>, further: &[CertificateDer<'_>], now: UnixTime) -> Result<(), Error> {
        let chain: Vec<&[u8]> = std::iter::once(end).chain(further).map(|der| &**der).collect();
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        check_certificate(&chain, self.key.as_ref(), now).map(drop).map_err(|e| Error::General(e.to_string()))
    }

    fn check_handshake(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, signed, &self.provider.signature_verification_algorithms)
    }
}

fn only_1_3() -> Error {
    Error::General("expected TLS 1.3".to_owned())
}

impl ServerCertVerifier for ByKey {
    fn verify_server_cert(
        &self,
        end: &CertificateDer<'_>,
        further: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check(end, further, now).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(only_1_3())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_handshake(message, cert, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

impl ClientCertVerifier for ByKey {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn verify_client_cert(
        &self,
        end: &CertificateDer<'_>,
        further: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check(end, further, now).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(only_1_3())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_handshake(message, cert, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

fn client_config(key: PublicKey) -> Result<ClientConfig, Error> {
    let provider = Arc::new(ring::default_provider());
    let verifier = Arc::new(ByKey { key: Some(key), provider: Arc::clone(&provider) });
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[&rustls::version::TLS13])?;
    let mut config = builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.enable_sni = false;
    Ok(config)
}

impl Client {
    /// Connects to a node's public service; its certificate must have the key. The client stays unknown, as in the original.
    ///
    /// Source: go/consensus/tendermint/light/client.go, `newLightClientProvider`.
    pub async fn connect_tls(address: SocketAddr, key: PublicKey) -> Result<Self, ClientError> {
        let unreachable = |reason: &dyn fmt::Display| ClientError::Tls { address: address.to_string(), reason: reason.to_string() };
        let connector = TlsConnector::from(Arc::new(client_config(key).map_err(|e| unreachable(&e))?));
        let connect = move || {
            let connector = connector.clone();
            async move {
                let shake = async {
                    let stream = TcpStream::connect(address).await?;
                    stream.set_nodelay(true)?;
                    connector.connect(ServerName::IpAddress(address.ip().into()), stream).await
                };
                timeout(HANDSHAKE, shake).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            }
        };
        // The first connection is made here, to tell what is wrong with it; the channel would hide that.
        let first = connect().await.map_err(|e| unreachable(&e))?;
        let first = Arc::new(Mutex::new(Some(first)));
        let connector = service_fn(move |_: http::Uri| {
            let ready = first.lock().unwrap_or_else(PoisonError::into_inner).take();
            let connecting = connect();
            async move {
                match ready {
                    Some(stream) => Ok(TokioIo::new(stream)),
                    None => connecting.await.map(TokioIo::new),
                }
            }
        });
        let endpoint = Endpoint::from_static("http://localhost").timeout(ANSWER);
        let channel = endpoint.connect_with_connector(connector).await.map_err(|e| unreachable(&e))?;
        Ok(Self { channel })
    }
}

/// A server's key, which may be replaced while it serves.
#[derive(Clone)]
pub struct ServerKey(Arc<Mutex<Held>>);

struct Held {
    key: TlsKey,
    made: Instant,
    certified: Arc<CertifiedKey>,
}

impl fmt::Debug for ServerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ServerKey").field(&self.lock().key.public_key()).finish()
    }
}

fn certify(key: &TlsKey) -> Result<Arc<CertifiedKey>, TlsError> {
    let certificate = key.certificate()?.der().clone();
    let pkcs8 = key.pkcs8();
    let signer = ring::sign::any_eddsa_type(&PrivatePkcs8KeyDer::from(pkcs8.as_slice())).map_err(|_| TlsError::NotEd25519)?;
    Ok(Arc::new(CertifiedKey::new(vec![certificate], signer)))
}

impl ServerKey {
    /// A key with a fresh certificate.
    pub fn new(key: TlsKey) -> Result<Self, TlsError> {
        let certified = certify(&key)?;
        Ok(Self(Arc::new(Mutex::new(Held { key, made: Instant::now(), certified }))))
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes another key for connections to come.
    pub fn replace(&self, key: TlsKey) -> Result<(), TlsError> {
        let certified = certify(&key)?;
        *self.lock() = Held { key, made: Instant::now(), certified };
        Ok(())
    }
}

impl ResolvesServerCert for ServerKey {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let mut held = self.lock();
        if held.made.elapsed() > RENEW
            && let Ok(certified) = certify(&held.key)
        {
            (held.made, held.certified) = (Instant::now(), certified);
        }
        Some(Arc::clone(&held.certified))
    }
}

fn server_config(key: ServerKey) -> Result<ServerConfig, Error> {
    let provider = Arc::new(ring::default_provider());
    let verifier = Arc::new(ByKey { key: None, provider: Arc::clone(&provider) });
    let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(&[&rustls::version::TLS13])?;
    let mut config = builder.with_client_cert_verifier(verifier).with_cert_resolver(Arc::new(key));
    config.alpn_protocols = vec![ALPN.to_vec()];
    // No state is kept of clients.
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// Connections by IP address.
#[derive(Clone, Default)]
struct Addresses(Arc<Mutex<BTreeMap<IpAddr, usize>>>);

struct Counted {
    all: Addresses,
    address: IpAddr,
}

impl Addresses {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a connection until the result is dropped; none if the address has too many.
    fn count(&self, address: IpAddr) -> Option<Counted> {
        let mut all = self.lock();
        let count = all.entry(address).or_default();
        if *count >= MAX_PER_ADDRESS {
            return None;
        }
        *count += 1;
        Some(Counted { all: self.clone(), address })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut all = self.all.lock();
        if let Some(count) = all.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                all.remove(&self.address);
            }
        }
    }
}

/// Serves anybody over TLS, until `stop` turns true.
pub async fn serve_tls(
    listener: TcpListener,
    key: ServerKey,
    service: Arc<dyn Service>,
    mut stop: watch::Receiver<bool>,
) -> Result<(), Error> {
    let acceptor = TlsAcceptor::from(Arc::new(server_config(key)?));
    let permits = Arc::new(Semaphore::new(MAX_CLIENTS));
    let addresses = Addresses::default();
    loop {
        let permit = tokio::select! {
            permit = Arc::clone(&permits).acquire_owned() => permit.map_err(|e| Error::General(e.to_string()))?,
            () = stopped(&mut stop) => return Ok(()),
        };
        let (stream, from) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(target: "grpc", %error, "connection was not accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
            () = stopped(&mut stop) => return Ok(()),
        };
        let Some(counted) = addresses.count(from.ip()) else {
            tracing::debug!(target: "grpc", %from, "too many connections of this address");
            continue;
        };
        let (acceptor, service, stop) = (acceptor.clone(), Arc::clone(&service), stop.clone());
        tokio::spawn(async move {
            serve_client(acceptor, stream, from, service, stop).await;
            drop((counted, permit));
        });
    }
}

async fn serve_client(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    from: SocketAddr,
    service: Arc<dyn Service>,
    mut stop: watch::Receiver<bool>,
) {
    let _ = stream.set_nodelay(true);
    let stream = match timeout(HANDSHAKE, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::debug!(target: "grpc", %from, %error, "no connection by TLS"),
        Err(_) => return tracing::debug!(target: "grpc", %from, "no connection by TLS in time"),
    };
    let (end, ended) = watch::channel(false);
    let serving = connection(stream, service, PUBLIC, ended);
    tokio::pin!(serving);
    tokio::select! {
        () = &mut serving => return,
        () = tokio::time::sleep(LIFETIME) => {}
        () = stopped(&mut stop) => {}
    }
    let _ = end.send(true);
    let _ = timeout(GRACE, serving).await;
}

#[cfg(test)]
mod tests {
    use std::time::{SystemTime, UNIX_EPOCH};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::{
        super::{ApiError, Reply},
        *,
    };

    struct Echo;

    impl Service for Echo {
        fn call(&self, _: &str, _: &str, request: Vec<u8>) -> Option<Reply> {
            Some(Reply::Unary(Box::pin(async move { Ok::<_, ApiError>(request) })))
        }

        fn is_stream(&self, _: &str, method: &str) -> Option<bool> {
            (method == "Echo").then_some(false)
        }
    }

    fn now() -> i64 {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().cast_signed()
    }

    async fn serve(seed: u8) -> (SocketAddr, PublicKey, watch::Sender<bool>, ServerKey) {
        let key = TlsKey::from_seed(&[seed; 32]);
        let public = key.public_key();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        let key = ServerKey::new(key).unwrap();
        tokio::spawn(serve_tls(listener, key.clone(), Arc::new(Echo), stopped));
        (address, public, stop, key)
    }

    #[test]
    fn a_certificate_is_known_by_its_key() {
        let key = TlsKey::from_seed(&[1; 32]);
        let der = key.certificate().unwrap().der().to_vec();
        assert_eq!(check_certificate(&[&der], Some(&key.public_key()), now()), Ok(key.public_key()));
        assert_eq!(check_certificate(&[&der], None, now()), Ok(key.public_key()));
        let other = TlsKey::from_seed(&[2; 32]).public_key();
        assert_eq!(check_certificate(&[&der], Some(&other), now()), Err(CertificateError::Key { found: key.public_key() }));
        assert_eq!(check_certificate(&[&der], None, now() + 400 * 86_400), Err(CertificateError::Time));
        assert_eq!(check_certificate(&[&der], None, now() - 2 * 3600), Err(CertificateError::Time));
        assert_eq!(check_certificate(&[&der, &der], None, now()), Err(CertificateError::Count(2)));
        assert_eq!(check_certificate(&[], None, now()), Err(CertificateError::Count(0)));
    }

    #[test]
    fn a_certificate_that_was_changed_anywhere_is_refused() {
        let key = TlsKey::from_seed(&[1; 32]);
        let der = key.certificate().unwrap().der().to_vec();
        for at in 0..der.len() {
            let mut changed = der.clone();
            changed[at] ^= 1;
            assert!(check_certificate(&[&changed], Some(&key.public_key()), now()).is_err(), "byte {at}");
            assert!(check_certificate(&[&der[..at]], None, now()).is_err(), "{at} bytes");
        }
    }

    #[tokio::test]
    async fn calls_go_through_tls_to_the_key_that_is_expected() {
        let (address, key, _stop, server) = serve(1).await;
        let client = Client::connect_tls(address, key).await.unwrap();
        let answer: u64 = client.call("oasis-core.Echo/Echo", &7u64).await.unwrap();
        assert_eq!(answer, 7);
        assert!(client.call_bytes("oasis-core.Echo/Other", vec![]).await.is_err());
        assert!(client.call_bytes("oasis-core.Echo/Echo", vec![0; PUBLIC.request + 1]).await.is_err());
        let other = TlsKey::from_seed(&[2; 32]);
        let error = Client::connect_tls(address, other.public_key()).await.unwrap_err();
        assert!(error.to_string().contains("which is not the one expected"), "{error}");
        server.replace(other.clone()).unwrap();
        assert!(Client::connect_tls(address, key).await.is_err());
        Client::connect_tls(address, other.public_key()).await.unwrap();
    }

    #[tokio::test]
    async fn noise_in_place_of_tls_ends_the_connection_and_others_are_served() {
        let (address, key, _stop, _) = serve(1).await;
        for noise in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xff; 5000], &[0x16, 3, 1, 0x40, 0]] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(noise).await.unwrap();
            stream.shutdown().await.unwrap();
            let mut rest = Vec::new();
            let _ = timeout(HANDSHAKE, stream.read_to_end(&mut rest)).await.unwrap();
        }
        Client::connect_tls(address, key).await.unwrap();
    }

    #[tokio::test]
    async fn one_address_has_its_share_of_connections_only() {
        let (address, key, _stop, _) = serve(1).await;
        let mut silent = Vec::new();
        for _ in 0..MAX_PER_ADDRESS {
            silent.push(TcpStream::connect(address).await.unwrap());
        }
        assert!(Client::connect_tls(address, key).await.is_err());
        drop(silent);
        let again = async {
            while Client::connect_tls(address, key).await.is_err() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(HANDSHAKE, again).await.unwrap();
    }

    #[tokio::test]
    async fn a_handshake_that_does_not_come_is_given_up() {
        let (address, _, _stop, _) = serve(1).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        let mut rest = Vec::new();
        let _ = timeout(10 * HANDSHAKE, stream.read_to_end(&mut rest)).await.unwrap();
        assert!(rest.is_empty());
    }
}
