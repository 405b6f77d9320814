//! A gateway that keeps pages for Prometheus.
//!
//! Source: prometheus/client_golang, `push.Pusher`.

use std::{collections::BTreeMap, fmt, time::Duration};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use http::{
    Request, Uri,
    header::{CONTENT_TYPE, HOST},
};
use http_body_util::Full;
use hyper::{body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::timeout};

use super::serve::FORMAT;

/// A gateway that does not answer in this time is given up.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a page was not sent.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// No connection.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// No answer.
    #[error(transparent)]
    Http(#[from] hyper::Error),
    /// No answer in time.
    #[error("no answer in {} seconds", PATIENCE.as_secs())]
    Late(#[from] tokio::time::error::Elapsed),
    /// The gateway refused the page.
    #[error("the gateway answers {0}")]
    Refused(http::StatusCode),
    /// No request can be made.
    #[error(transparent)]
    Request(#[from] http::Error),
}

/// Where pages are sent to.
#[derive(Clone, Debug)]
pub struct Target {
    authority: String,
    path: String,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority, self.path)
    }
}

impl Target {
    /// A gateway, with what the page is kept under.
    pub fn new(address: &str, job: &str, labels: &BTreeMap<String, String>) -> Result<Self, String> {
        let wrong = |reason: &str| format!("expected http://HOST:PORT, found {address:?}: {reason}");
        let full = if address.contains("://") { address.to_owned() } else { format!("http://{address}") };
        let uri: Uri = full.parse().map_err(|e: http::uri::InvalidUri| wrong(&e.to_string()))?;
        if uri.scheme_str() != Some("http") {
            return Err(wrong("the gateway is reached by http only"));
        }
        let authority = uri.authority().ok_or_else(|| wrong("no host"))?.to_string();
        let authority = if uri.port().is_none() { format!("{authority}:80") } else { authority };
        let mut path = format!("{}/metrics/", uri.path().trim_end_matches('/'));
        path += &component("job", job);
        for (name, value) in labels {
            path += "/";
            path += &component(name, value);
        }
        Ok(Self { authority, path })
    }

    /// Replaces the page that the gateway has.
    pub async fn push(&self, page: String) -> Result<(), PushError> {
        timeout(PATIENCE, async {
            let stream = TcpStream::connect(&self.authority).await?;
            let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
            let connection = tokio::spawn(connection);
            let request = Request::put(&self.path).header(HOST, &self.authority).header(CONTENT_TYPE, FORMAT);
            let answer = sender.send_request(request.body(Full::new(Bytes::from(page)))?).await?;
            connection.abort();
            match answer.status() {
                status if status.is_success() => Ok(()),
                status => Err(PushError::Refused(status)),
            }
        })
        .await?
    }
}

/// Source: prometheus/client_golang, `Pusher.fullURL`, `encodeComponent`.
fn component(name: &str, value: &str) -> String {
    if value.is_empty() {
        return format!("{name}@base64/=");
    }
    if value.contains('/') {
        return format!("{name}@base64/{}", BASE64_URL_SAFE_NO_PAD.encode(value));
    }
    let mut escaped = String::new();
    for byte in value.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => escaped.push(char::from(byte)),
            _ => escaped += &format!("%{byte:02X}"),
        }
    }
    format!("{name}/{escaped}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_is_named_with_or_without_http() {
        let labels = [("instance".to_owned(), "a b".to_owned())].into();
        assert_eq!(Target::new("gate:9091", "j", &labels).unwrap().to_string(), "http://gate:9091/metrics/job/j/instance/a%20b");
        assert_eq!(Target::new("http://gate/x/", "j", &labels).unwrap().to_string(), "http://gate:80/x/metrics/job/j/instance/a%20b");
        assert!(Target::new("https://gate", "j", &labels).unwrap_err().contains("by http only"));
    }
}
