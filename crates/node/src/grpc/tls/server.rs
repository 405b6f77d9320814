//! The server, for anybody or for some.

use std::{
    collections::BTreeMap,
    fmt,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use oasis_primitives::{identity::TLS_COMMON_NAME, signature::PublicKey};
use rustls::{
    Error, ServerConfig, SignatureScheme,
    client::ResolvesClientCert,
    crypto::ring,
    pki_types::PrivatePkcs8KeyDer,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

use super::{ALPN, HANDSHAKE, first::Filtered, hello, verify::ByKey};
use crate::{
    grpc::{
        server::{Limits, Service, connection, stopped},
        turns::{AddressTurns, ConnectionTurns, Turns},
    },
    tls::{TlsError, TlsKey},
};

/// A certificate is made anew after so long.
const RENEW: Duration = Duration::from_secs(30 * 24 * 3600);
/// Most clients at a time; further ones wait.
const MAX_CLIENTS: usize = 128;
/// Most clients of one IP address at a time; further ones are turned away.
const MAX_PER_ADDRESS: usize = 32;
/// A client is told to connect anew after so long, that none stays for ever.
const LIFETIME: Duration = Duration::from_secs(600);
/// It then has so long for calls under way.
const GRACE: Duration = Duration::from_secs(30);
/// Limits of a connection from anybody.
const PUBLIC: Limits = Limits { streams: 16, request: 1 << 20, ping: Some(Duration::from_secs(60)), window: Some(128 << 10) };

/// A server's key, which may be replaced while it serves.
#[derive(Clone)]
pub struct ServerKey(Arc<Mutex<Held>>);

struct Held {
    key: TlsKey,
    name: &'static str,
    made: Instant,
    certified: Arc<CertifiedKey>,
}

impl fmt::Debug for ServerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ServerKey").field(&self.lock().key.public_key()).finish()
    }
}

fn certify(key: &TlsKey, name: &str) -> Result<Arc<CertifiedKey>, TlsError> {
    let certificate = key.certificate(name)?.der().clone();
    let pkcs8 = key.pkcs8();
    let signer = ring::sign::any_eddsa_type(&PrivatePkcs8KeyDer::from(pkcs8.as_slice())).map_err(|_| TlsError::NotEd25519)?;
    Ok(Arc::new(CertifiedKey::new(vec![certificate], signer)))
}

impl ServerKey {
    /// A key with a fresh certificate.
    pub fn new(key: TlsKey) -> Result<Self, TlsError> {
        Self::named(key, TLS_COMMON_NAME)
    }

    /// A key with a fresh certificate that has another common name.
    pub fn named(key: TlsKey, name: &'static str) -> Result<Self, TlsError> {
        let certified = certify(&key, name)?;
        Ok(Self(Arc::new(Mutex::new(Held { key, name, made: Instant::now(), certified }))))
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes another key for connections to come.
    pub fn replace(&self, key: TlsKey) -> Result<(), TlsError> {
        let mut held = self.lock();
        let certified = certify(&key, held.name)?;
        *held = Held { key, name: held.name, made: Instant::now(), certified };
        Ok(())
    }
}

impl ServerKey {
    fn certified(&self) -> Arc<CertifiedKey> {
        let mut held = self.lock();
        if held.made.elapsed() > RENEW
            && let Ok(certified) = certify(&held.key, held.name)
        {
            (held.made, held.certified) = (Instant::now(), certified);
        }
        Arc::clone(&held.certified)
    }
}

impl ResolvesServerCert for ServerKey {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.certified())
    }
}

impl ResolvesClientCert for ServerKey {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.certified())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// Who may call.
#[derive(Clone, Debug)]
pub enum Clients {
    /// Anybody; nobody is asked who they are.
    Anybody,
    /// Those with these keys, in certificates with a common name.
    Only(Vec<PublicKey>, &'static str),
}

/// What a server agrees on with clients. What they send first has to go through [`super::FirstMessages`].
pub fn server_config(key: ServerKey, clients: Clients) -> Result<ServerConfig, Error> {
    let provider = Arc::new(hello::provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_protocol_versions(&[&rustls::version::TLS13])?;
    let builder = match clients {
        Clients::Anybody => builder.with_no_client_auth(),
        Clients::Only(keys, name) => builder.with_client_cert_verifier(Arc::new(ByKey { keys, name, provider })),
    };
    let mut config = builder.with_cert_resolver(Arc::new(key));
    config.alpn_protocols = vec![ALPN.to_vec()];
    // No state is kept of clients.
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// Connections by IP address, and the turns of the calls on them.
#[derive(Clone, Default)]
struct Addresses(Arc<Mutex<BTreeMap<IpAddr, (usize, AddressTurns)>>>);

struct Counted {
    all: Addresses,
    address: IpAddr,
    turns: AddressTurns,
}

impl Addresses {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<IpAddr, (usize, AddressTurns)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a connection until the result is dropped; none if the address has too many.
    fn count(&self, address: IpAddr) -> Option<Counted> {
        let mut all = self.lock();
        let (count, turns) = all.entry(address).or_default();
        if *count >= MAX_PER_ADDRESS {
            return None;
        }
        *count += 1;
        Some(Counted { all: self.clone(), address, turns: turns.clone() })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut all = self.all.lock();
        if let Some((count, _)) = all.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                all.remove(&self.address);
            }
        }
    }
}

/// Serves over TLS, until `stop` turns true.
pub async fn serve_tls(
    listener: TcpListener,
    key: ServerKey,
    clients: Clients,
    service: Arc<dyn Service>,
    mut stop: watch::Receiver<bool>,
) -> Result<(), Error> {
    let acceptor = TlsAcceptor::from(Arc::new(server_config(key, clients)?));
    let permits = Arc::new(Semaphore::new(MAX_CLIENTS));
    let (addresses, turns) = (Addresses::default(), Turns::default());
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
        let turns = ConnectionTurns::new(turns.clone(), counted.turns.clone());
        tokio::spawn(async move {
            serve_client(acceptor, stream, from, service, turns, stop).await;
            drop((counted, permit));
        });
    }
}

async fn serve_client(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    from: SocketAddr,
    service: Arc<dyn Service>,
    turns: ConnectionTurns,
    mut stop: watch::Receiver<bool>,
) {
    let _ = stream.set_nodelay(true);
    let stream = match timeout(HANDSHAKE, acceptor.accept(Filtered::new(stream))).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::debug!(target: "grpc", %from, %error, "no connection by TLS"),
        Err(_) => return tracing::debug!(target: "grpc", %from, "no connection by TLS in time"),
    };
    let (end, ended) = watch::channel(false);
    let serving = connection(stream, service, PUBLIC, Some(turns), ended);
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
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::grpc::{ApiError, Client, Reply};

    struct Echo;

    impl Service for Echo {
        fn call(&self, _: &str, method: &str, request: Vec<u8>) -> Option<Reply> {
            Some(Reply::Unary(match method {
                "Never" => Box::pin(std::future::pending()),
                "Much" => Box::pin(async { Ok(vec![0; 8 << 20]) }),
                _ => Box::pin(async move { Ok::<_, ApiError>(request) }),
            }))
        }

        fn is_stream(&self, _: &str, method: &str) -> Option<bool> {
            ["Echo", "Never", "Much"].contains(&method).then_some(false)
        }
    }

    async fn serve_to(clients: Clients, seed: u8) -> (SocketAddr, PublicKey, watch::Sender<bool>, ServerKey) {
        let key = TlsKey::from_seed(&[seed; 32]);
        let public = key.public_key();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        let key = ServerKey::new(key).unwrap();
        tokio::spawn(serve_tls(listener, key.clone(), clients, Arc::new(Echo), stopped));
        (address, public, stop, key)
    }

    #[tokio::test]
    async fn calls_go_through_tls_to_the_key_that_is_expected() {
        let (address, key, _stop, server) = serve_to(Clients::Anybody, 1).await;
        let client = Client::connect_tls(address, key, None).await.unwrap();
        let answer: u64 = client.call("oasis-core.Echo/Echo", &7u64).await.unwrap();
        assert_eq!(answer, 7);
        assert!(client.call_bytes("oasis-core.Echo/Other", vec![]).await.is_err());
        assert!(client.call_bytes("oasis-core.Echo/Echo", vec![0; PUBLIC.request + 1]).await.is_err());
        let other = TlsKey::from_seed(&[2; 32]);
        let error = Client::connect_tls(address, other.public_key(), None).await.unwrap_err();
        assert!(error.to_string().contains("which is not the one expected"), "{error}");
        server.replace(other.clone()).unwrap();
        assert!(Client::connect_tls(address, key, None).await.is_err());
        Client::connect_tls(address, other.public_key(), None).await.unwrap();
    }

    #[tokio::test]
    async fn a_server_for_some_refuses_others() {
        let ours = TlsKey::from_seed(&[8; 32]);
        let (address, key, _stop, _) = serve_to(Clients::Only(vec![ours.public_key()], TLS_COMMON_NAME), 1).await;
        let call = async |own| Client::connect_tls(address, key, own).await?.call::<u64, u64>("oasis-core.Echo/Echo", &7).await;
        assert_eq!(call(Some(ours)).await.unwrap(), 7);
        assert!(call(None).await.is_err());
        assert!(call(Some(TlsKey::from_seed(&[9; 32]))).await.is_err());
    }

    #[tokio::test]
    async fn noise_in_place_of_tls_ends_the_connection_and_others_are_served() {
        let (address, key, _stop, _) = serve_to(Clients::Anybody, 1).await;
        for noise in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xff; 5000], &[0x16, 3, 1, 0x40, 0]] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(noise).await.unwrap();
            stream.shutdown().await.unwrap();
            let mut rest = Vec::new();
            let _ = timeout(HANDSHAKE, stream.read_to_end(&mut rest)).await.unwrap();
        }
        Client::connect_tls(address, key, None).await.unwrap();
    }

    #[tokio::test]
    async fn calls_that_take_too_long_end_with_their_connection_and_others_have_their_turn() {
        let (address, key, _stop, _) = serve_to(Clients::Anybody, 1).await;
        for method in ["oasis-core.Echo/Never", "oasis-core.Echo/Much"] {
            let slow = Client::connect_tls(address, key, None).await.unwrap();
            let calls: Vec<_> = (0..12)
                .map(|_| {
                    let slow = slow.clone();
                    // Its answer is not read: of a stream only the beginning is.
                    tokio::spawn(async move { slow.watch(method, &7u64).await })
                })
                .collect();
            tokio::time::sleep(Duration::from_millis(300)).await;
            // There is a turn for this client's call again once the slow ones have lost theirs.
            let other = Client::connect_tls(address, key, None).await.unwrap();
            let answer: u64 = timeout(HANDSHAKE * 3, other.call("oasis-core.Echo/Echo", &7u64)).await.unwrap().unwrap();
            assert_eq!(answer, 7, "{method}");
            for call in calls {
                if let Ok(mut messages) = call.await.unwrap() {
                    assert!(messages.next::<u64>().await.is_err(), "{method}");
                }
            }
        }
    }

    #[tokio::test]
    async fn a_large_answer_comes_whole() {
        let (address, key, _stop, _) = serve_to(Clients::Anybody, 1).await;
        let client = Client::connect_tls(address, key, None).await.unwrap();
        assert_eq!(client.call_bytes("oasis-core.Echo/Much", vec![]).await.unwrap(), vec![0; 8 << 20]);
    }

    #[tokio::test]
    async fn one_address_has_its_share_of_connections_only() {
        let (address, key, _stop, _) = serve_to(Clients::Anybody, 1).await;
        let mut silent = Vec::new();
        for _ in 0..MAX_PER_ADDRESS {
            silent.push(TcpStream::connect(address).await.unwrap());
        }
        assert!(Client::connect_tls(address, key, None).await.is_err());
        drop(silent);
        let again = async {
            while Client::connect_tls(address, key, None).await.is_err() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(HANDSHAKE, again).await.unwrap();
    }

    #[tokio::test]
    async fn a_handshake_that_does_not_come_is_given_up() {
        let (address, _, _stop, _) = serve_to(Clients::Anybody, 1).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        let mut rest = Vec::new();
        let _ = timeout(10 * HANDSHAKE, stream.read_to_end(&mut rest)).await.unwrap();
        assert!(rest.is_empty());
    }
}
