//! The client: calls of a node that is known by its key.

use std::{
    fmt, io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use hyper_util::rt::TokioIo;
use oasis_primitives::{identity::TLS_COMMON_NAME, signature::PublicKey};
use rustls::{ClientConfig, crypto::ring, pki_types::ServerName};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;
use tonic::transport::Endpoint;
use tower::service_fn;

use super::{ALPN, HANDSHAKE, ServerKey, verify::ByKey};
use crate::{
    grpc::client::{Client, ClientError},
    tls::{TlsError, TlsKey},
};

/// A server has so long to answer a call.
const ANSWER: Duration = Duration::from_secs(15);

fn config(server: PublicKey, name: &'static str, own: Option<ServerKey>) -> Result<ClientConfig, String> {
    let provider = Arc::new(ring::default_provider());
    let verifier = Arc::new(ByKey { keys: vec![server], name, provider: Arc::clone(&provider) });
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[&rustls::version::TLS13]);
    let builder = builder.map_err(|e| e.to_string())?.dangerous().with_custom_certificate_verifier(verifier);
    let mut config = match own {
        None => builder.with_no_client_auth(),
        Some(key) => builder.with_client_cert_resolver(Arc::new(key)),
    };
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.enable_sni = false;
    Ok(config)
}

impl Client {
    /// Connects to a node's service; its certificate must have the key. The client stays unknown, unless it has a key of its own.
    ///
    /// Source: go/consensus/tendermint/light/client.go, `newLightClientProvider`; go/sentry/client/client.go, `createConnection`.
    pub async fn connect_tls(address: SocketAddr, key: PublicKey, own: Option<TlsKey>) -> Result<Self, ClientError> {
        let wrong = |reason: TlsError| ClientError::Tls { address: address.to_string(), reason: reason.to_string() };
        let own = own.map(ServerKey::new).transpose().map_err(wrong)?;
        Self::connect_tls_named(address, key, TLS_COMMON_NAME, own).await
    }

    /// The same with a service whose certificate has another common name.
    pub async fn connect_tls_named(
        address: SocketAddr,
        key: PublicKey,
        name: &'static str,
        own: Option<ServerKey>,
    ) -> Result<Self, ClientError> {
        let unreachable = |reason: &dyn fmt::Display| ClientError::Tls { address: address.to_string(), reason: reason.to_string() };
        let connector = TlsConnector::from(Arc::new(config(key, name, own).map_err(|e| unreachable(&e))?));
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
