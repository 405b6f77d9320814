//! The client: calls of a node over its socket.

use std::path::{Path, PathBuf};

use http::uri::PathAndQuery;
use hyper_util::rt::TokioIo;
use oasis_primitives::cbor::{self, Decode, Encode};
use tokio::net::{TcpStream, UnixStream};
use tonic::{
    Request,
    transport::{Channel, Endpoint},
};
use tower::service_fn;

use super::{MAX_MESSAGE, codec::Bytes, error::ApiError};

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens there.
    #[error("{address}: {reason}; is the node running, and is this its socket (--address unix:DATADIR/internal.sock)?")]
    Unreachable {
        /// The address.
        address: String,
        /// Why.
        reason: String,
    },
    /// No connection by TLS.
    #[error("{address}: {reason}")]
    Tls {
        /// The address.
        address: String,
        /// Why.
        reason: String,
    },
    /// An address of a form that is not known.
    #[error("--address: expected unix:PATH or HOST:PORT, found {0:?}; for example: --address unix:/node/data/internal.sock")]
    Address(String),
    /// The node refused.
    #[error(transparent)]
    Refused(#[from] ApiError),
    /// The answer is not what the method gives.
    #[error("{method}: the answer can't be read: {reason}")]
    Answer {
        /// The method.
        method: String,
        /// Why.
        reason: String,
    },
}

/// A connection to a node.
#[derive(Clone, Debug)]
pub struct Client {
    pub(super) channel: Channel,
}

impl Client {
    /// Connects to `unix:PATH` or `HOST:PORT`, as the original's `--address` has them. What goes over the second is open to who sees it.
    ///
    /// Source: go/oasis-node/cmd/common/grpc/grpc.go, `NewClient`.
    pub async fn connect(address: &str) -> Result<Self, ClientError> {
        match address.strip_prefix("unix:") {
            Some(path) => Self::connect_unix(Path::new(path.strip_prefix("//").unwrap_or(path))).await,
            None => Self::connect_tcp(address).await,
        }
    }

    async fn connect_tcp(address: &str) -> Result<Self, ClientError> {
        let host = address.strip_prefix("dns:///").or_else(|| address.strip_prefix("passthrough:///")).unwrap_or(address).to_owned();
        if host.rsplit_once(':').is_none_or(|(name, port)| name.is_empty() || port.parse::<u16>().is_err()) {
            return Err(ClientError::Address(address.to_owned()));
        }
        let unreachable = |reason: String| ClientError::Unreachable { address: address.to_owned(), reason };
        drop(TcpStream::connect(&host).await.map_err(|e| unreachable(e.to_string()))?);
        let connector = service_fn(move |_: http::Uri| {
            let host = host.clone();
            async move {
                let stream = TcpStream::connect(&host).await?;
                stream.set_nodelay(true)?;
                Ok::<_, std::io::Error>(TokioIo::new(stream))
            }
        });
        let endpoint = Endpoint::from_static("http://localhost");
        let channel = endpoint.connect_with_connector(connector).await.map_err(|e| unreachable(e.to_string()))?;
        Ok(Self { channel })
    }

    /// Connects to a socket.
    pub async fn connect_unix(path: &Path) -> Result<Self, ClientError> {
        let unreachable = |reason: String| ClientError::Unreachable { address: path.display().to_string(), reason };
        // Tells what is wrong with the socket itself, which the channel would hide.
        drop(UnixStream::connect(path).await.map_err(|e| unreachable(e.to_string()))?);
        let socket: PathBuf = path.to_owned();
        let connector = service_fn(move |_: http::Uri| {
            let socket = socket.clone();
            async move { UnixStream::connect(socket).await.map(TokioIo::new) }
        });
        let endpoint = Endpoint::from_static("http://localhost");
        let channel = endpoint.connect_with_connector(connector).await.map_err(|e| unreachable(e.to_string()))?;
        Ok(Self { channel })
    }

    /// Calls a method, `oasis-core.SERVICE/METHOD`, with a message in CBOR.
    pub async fn call_bytes(&self, method: &str, request: Vec<u8>) -> Result<Vec<u8>, ClientError> {
        let wrong = |reason: String| ClientError::Answer { method: method.to_owned(), reason };
        let path: PathAndQuery = format!("/{method}").parse().map_err(|e: http::uri::InvalidUri| wrong(e.to_string()))?;
        let client = tonic::client::Grpc::new(self.channel.clone());
        let mut client = client.max_decoding_message_size(MAX_MESSAGE).max_encoding_message_size(MAX_MESSAGE);
        client.ready().await.map_err(|e| wrong(e.to_string()))?;
        let answer = client.unary(Request::new(request), path, Bytes).await;
        answer.map(tonic::Response::into_inner).map_err(|status| ApiError::from_status(&status).into())
    }

    /// Calls a method with a value, and reads the answer.
    pub async fn call<Q: Encode + ?Sized, A: Decode>(&self, method: &str, request: &Q) -> Result<A, ClientError> {
        let answer = self.call_bytes(method, cbor::to_vec(request)).await?;
        cbor::from_slice_higher_limits(&answer).map_err(|e| ClientError::Answer { method: method.to_owned(), reason: e.to_string() })
    }

    /// Calls a method that answers with a stream.
    pub async fn watch<Q: Encode + ?Sized>(&self, method: &str, request: &Q) -> Result<Watch, ClientError> {
        let wrong = |reason: String| ClientError::Answer { method: method.to_owned(), reason };
        let path: PathAndQuery = format!("/{method}").parse().map_err(|e: http::uri::InvalidUri| wrong(e.to_string()))?;
        let client = tonic::client::Grpc::new(self.channel.clone());
        let mut client = client.max_decoding_message_size(MAX_MESSAGE);
        client.ready().await.map_err(|e| wrong(e.to_string()))?;
        let answer = client.server_streaming(Request::new(cbor::to_vec(request)), path, Bytes).await;
        let messages = answer.map_err(|status| ApiError::from_status(&status))?.into_inner();
        Ok(Watch { method: method.to_owned(), messages })
    }
}

/// The messages of a stream.
#[derive(Debug)]
pub struct Watch {
    method: String,
    messages: tonic::Streaming<Vec<u8>>,
}

impl Watch {
    /// The next message; none at the stream's end.
    pub async fn next<A: Decode>(&mut self) -> Result<Option<A>, ClientError> {
        let message = self.messages.message().await.map_err(|status| ApiError::from_status(&status))?;
        let read = |bytes: Vec<u8>| cbor::from_slice_higher_limits(&bytes);
        message.map(read).transpose().map_err(|e| ClientError::Answer { method: self.method.clone(), reason: e.to_string() })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::watch;

    use super::{
        super::{Reply, Service, UnixServer},
        *,
    };

    struct Echo;

    impl Service for Echo {
        fn call(&self, _: &str, method: &str, request: Vec<u8>) -> Option<Reply> {
            let fail = method == "Fail";
            if method == "Watch" {
                let end = Err(ApiError { module: "m".into(), code: 8, message: "ended".into(), grpc: tonic::Code::Unknown });
                return Some(Reply::Stream(Box::pin(tokio_stream::iter([Ok(request.clone()), Ok(request), end]))));
            }
            Some(Reply::Unary(Box::pin(async move {
                let error = ApiError { module: "m".into(), code: 7, message: "failed".into(), grpc: tonic::Code::Unknown };
                if fail { Err(error) } else { Ok(request) }
            })))
        }

        fn is_stream(&self, service: &str, method: &str) -> Option<bool> {
            (service == "oasis-core.Echo").then_some(method == "Watch")
        }
    }

    #[tokio::test]
    async fn calls_and_errors_go_through_a_socket() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("internal.sock");
        let (stop, stopped) = watch::channel(false);
        let server = UnixServer::bind(&path).await.unwrap();
        let error = UnixServer::bind(&path).await.err().unwrap();
        assert!(error.to_string().contains("another node is listening here"), "{error}");
        let server = tokio::spawn(server.serve(Arc::new(Echo), stopped));
        let client = Client::connect(&format!("unix:{}", path.display())).await.unwrap();
        let answer: u64 = client.call("oasis-core.Echo/Echo", &5u64).await.unwrap();
        assert_eq!(answer, 5);
        let error = client.call_bytes("oasis-core.Echo/Fail", vec![]).await.unwrap_err();
        assert!(matches!(error, ClientError::Refused(ApiError { code: 7, .. })), "{error}");
        let error = client.call_bytes("oasis-core.Other/Echo", vec![]).await.unwrap_err();
        assert!(error.to_string().contains("unknown method Echo for service oasis-core.Other"), "{error}");
        let mut watch = client.watch("oasis-core.Echo/Watch", &5u64).await.unwrap();
        for _ in 0..2 {
            assert_eq!(watch.next::<u64>().await.unwrap(), Some(5));
        }
        let error = watch.next::<u64>().await.unwrap_err();
        assert!(matches!(error, ClientError::Refused(ApiError { code: 8, .. })), "{error}");
        drop((client, watch));
        stop.send(true).unwrap();
        server.await.unwrap().unwrap();
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_missing_socket_says_what_to_check() {
        let error = Client::connect("unix:/nowhere/internal.sock").await.unwrap_err();
        assert!(error.to_string().contains("is the node running"), "{error}");
        assert!(matches!(Client::connect("127.0.0.1:1").await, Err(ClientError::Unreachable { .. })));
        for wrong in ["internal.sock", ":80", "host:port", ""] {
            let error = Client::connect(wrong).await.unwrap_err();
            assert!(error.to_string().contains("expected unix:PATH or HOST:PORT"), "{error}");
        }
    }
}
