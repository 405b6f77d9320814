//! The page on an address, or sent to a gateway.
//!
//! Source: go/oasis-node/cmd/common/metrics/metrics.go, `pullService`, `pushService`.

use std::{convert::Infallible, sync::Arc, time::Duration};

use http::header::CONTENT_TYPE;
use http_body_util::Full;
use hyper::{body::Bytes, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Mutex, Semaphore, watch},
    time::{MissedTickBehavior, interval},
};

use super::{Metrics, More, push, text};
use crate::config::MetricsSettings;

/// Most connections at a time; further ones wait.
const MAX_CONNECTIONS: usize = 16;
/// A connection without a whole request in this time is closed.
const HEADERS: Duration = Duration::from_secs(10);
/// The format of the page. Source: prometheus/common, `expfmt.FmtText`.
pub(super) const FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Where the page goes.
pub enum Server {
    /// To whoever asks.
    Pull(TcpListener),
    /// To a gateway, once in a while.
    Push(push::Target, Duration),
}

impl Server {
    /// Takes the address, or finds out where the gateway is. None where metrics are off.
    pub async fn bind(settings: &MetricsSettings) -> Result<Option<Self>, String> {
        match settings {
            MetricsSettings::None => Ok(None),
            MetricsSettings::Pull(address) => {
                // Without a host it is any address of this machine, as in Go.
                let bind = if address.starts_with(':') { format!("[::]{address}") } else { address.clone() };
                let bound = TcpListener::bind(&bind).await;
                let wrong = |e| format!("metrics.address: expected an address and a port that are free, found {address}: {e}");
                Ok(Some(Self::Pull(bound.map_err(wrong)?)))
            }
            MetricsSettings::Push { address, job, labels, interval } => {
                let target = push::Target::new(address, job, labels).map_err(|e| format!("metrics.address: {e}"))?;
                Ok(Some(Self::Push(target, *interval)))
            }
        }
    }
}

/// What pages are made of. One page is made at a time.
struct Pages {
    metrics: Arc<Metrics>,
    more: Arc<dyn More>,
    turn: Mutex<()>,
}

impl Pages {
    async fn page(&self) -> String {
        let _turn = self.turn.lock().await;
        let (metrics, more) = (Arc::clone(&self.metrics), Arc::clone(&self.more));
        tokio::task::spawn_blocking(move || text(&metrics, &*more)).await.unwrap_or_default()
    }
}

/// Serves or sends pages until the node stops.
pub fn start(server: Server, metrics: Arc<Metrics>, more: impl More, stop: watch::Receiver<bool>) {
    let pages = Arc::new(Pages { metrics, more: Arc::new(more), turn: Mutex::new(()) });
    match server {
        Server::Pull(listener) => {
            tracing::info!(target: "metrics", address = ?listener.local_addr().ok(), "serving metrics");
            tokio::spawn(pull(listener, pages, stop));
        }
        Server::Push(target, pause) => {
            tracing::info!(target: "metrics", %target, seconds = pause.as_secs_f64(), "sending metrics");
            tokio::spawn(send(target, pause, pages, stop));
        }
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn pull(listener: TcpListener, pages: Arc<Pages>, mut stop: watch::Receiver<bool>) {
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(target: "metrics", %error, "connection was not accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
            () = stopped(&mut stop) => return,
        };
        let (pages, mut stop) = (Arc::clone(&pages), stop.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = connection(stream, pages) => {}
                () = stopped(&mut stop) => {}
            }
            drop(permit);
        });
    }
}

/// Whatever is asked for, it is the page, as in the original.
async fn connection(stream: TcpStream, pages: Arc<Pages>) {
    let answer = service_fn(move |_| {
        let pages = Arc::clone(&pages);
        async move {
            let mut response = http::Response::new(Full::new(Bytes::from(pages.page().await)));
            response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static(FORMAT));
            Ok::<_, Infallible>(response)
        }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEADERS);
    if let Err(error) = builder.serve_connection(TokioIo::new(stream), answer).await {
        tracing::debug!(target: "metrics", %error, "connection ended");
    }
}

async fn send(target: push::Target, pause: Duration, pages: Arc<Pages>, mut stop: watch::Receiver<bool>) {
    let mut turns = interval(pause);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first is at once.
    turns.tick().await;
    loop {
        tokio::select! {
            _ = turns.tick() => {}
            () = stopped(&mut stop) => return,
        }
        if let Err(error) = target.push(pages.page().await).await {
            tracing::warn!(target: "metrics", %error, "metrics were not sent");
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::{super::Nothing, *};

    async fn ask(address: std::net::SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn whoever_asks_gets_the_page() {
        let dir = tempfile::tempdir().unwrap();
        let metrics = Metrics::new(dir.path().to_owned(), "chain", vec![1; 20]);
        let server = Server::bind(&MetricsSettings::Pull("localhost:0".to_owned())).await.unwrap().unwrap();
        let Server::Pull(listener) = &server else { panic!("not served") };
        let address = listener.local_addr().unwrap();
        let taken = Server::bind(&MetricsSettings::Pull(address.to_string())).await.err().unwrap();
        assert!(taken.starts_with("metrics.address: expected an address and a port that are free, found"), "{taken}");
        let (stop, stopped) = watch::channel(false);
        start(server, metrics, Nothing, stopped);
        let answer = ask(address, "GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"), "{answer}");
        assert!(answer.contains("\n# TYPE oasis_node_mem_rss_anon_bytes gauge\n"), "{answer}");
        assert!(answer.contains("\ntendermint_consensus_height{chain_id=\"chain\"} 0\n"), "{answer}");
        assert!(ask(address, "nonsense\r\n\r\n").await.starts_with("HTTP/1.1 400"));
        stop.send(true).unwrap();
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_gateway_is_sent_the_page_under_its_labels() {
        let gateway = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let labels = [("instance".to_owned(), "a".to_owned()), ("path".to_owned(), "b/c".to_owned())].into();
        let address = gateway.local_addr().unwrap().to_string();
        let settings = MetricsSettings::Push { address, job: "tests".to_owned(), labels, interval: Duration::from_millis(10) };
        let server = Server::bind(&settings).await.unwrap().unwrap();
        let (_stop, stopped) = watch::channel(false);
        start(server, Metrics::new("/nowhere".into(), "chain", vec![]), Nothing, stopped);
        let (mut stream, _) = gateway.accept().await.unwrap();
        let mut request = [0; 2048];
        let length = stream.read(&mut request).await.unwrap();
        let request = String::from_utf8_lossy(&request[..length]).into_owned();
        assert!(request.starts_with("PUT /metrics/job/tests/instance/a/path@base64/Yi9j HTTP/1.1\r\n"), "{request}");
        assert!(request.contains("content-type: text/plain; version=0.0.4"), "{request}");
    }
}
