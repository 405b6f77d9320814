//! A client that costs little beside what is measured: HTTP/2 with nothing above it.

use std::path::Path;

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Request,
    client::conn::http2::{self, SendRequest},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::UnixStream;

/// A connection to a node; clones share it.
#[derive(Clone)]
pub struct Caller {
    sender: SendRequest<Full<Bytes>>,
}

impl Caller {
    /// Connects to a socket.
    pub async fn connect(socket: &Path) -> Result<Self> {
        let stream = TokioIo::new(UnixStream::connect(socket).await?);
        let (sender, connection) = http2::handshake(TokioExecutor::new(), stream).await?;
        tokio::spawn(connection);
        Ok(Self { sender })
    }

    /// Calls a method; gives the answer, or why the node refused.
    pub async fn call(&self, method: &str, message: &[u8]) -> Result<Result<Bytes, String>> {
        let mut body = vec![0];
        body.extend_from_slice(&u32::try_from(message.len())?.to_be_bytes());
        body.extend_from_slice(message);
        let request = Request::post(format!("http://localhost/{method}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(Full::new(Bytes::from(body)))?;
        let mut sender = self.sender.clone();
        sender.ready().await?;
        let response = sender.send_request(request).await?;
        // A refusal may come without a body, its status among the headers.
        let headers = response.headers().clone();
        let answer = response.into_body().collect().await?;
        let field = |name: &str| {
            let value = answer.trailers().and_then(|trailers| trailers.get(name)).or(headers.get(name));
            value.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let status = field("grpc-status").context("an answer without a status")?;
        if status != "0" {
            // Other escapes do not matter here.
            return Ok(Err(field("grpc-message").map_or(status, |text| text.replace("%20", " "))));
        }
        Ok(Ok(answer.to_bytes()))
    }
}
