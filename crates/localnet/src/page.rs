//! The page of a network, on loopback.

use std::{convert::Infallible, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Request, Response, StatusCode, body::Incoming, header, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::TcpListener,
    sync::{Mutex, Semaphore},
};

use crate::{Explorer, LocalnetError};

/// Most readers at a time.
const READERS: usize = 64;
/// The page itself: everything in one file.
const PAGE: &str = include_str!("page.html");

/// What the page shows, in JSON.
pub type State = Arc<str>;

/// Serves the page of a network at a free port of loopback for as long as the process lives.
pub async fn serve(explorer: Explorer) -> Result<SocketAddr, LocalnetError> {
    let fail = |e: std::io::Error| LocalnetError::new(format!("the page: {e}"));
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(fail)?;
    let address = listener.local_addr().map_err(fail)?;
    tokio::spawn(accept(listener, Arc::new(Mutex::new(explorer))));
    Ok(address)
}

async fn accept(listener: TcpListener, explorer: Arc<Mutex<Explorer>>) {
    let readers = Arc::new(Semaphore::new(READERS));
    while let Ok(permit) = readers.clone().acquire_owned().await {
        let Ok((socket, _)) = listener.accept().await else { continue };
        let explorer = Arc::clone(&explorer);
        tokio::spawn(async move {
            let _permit = permit;
            let service = service_fn(move |request| {
                let explorer = Arc::clone(&explorer);
                async move { Ok::<_, Infallible>(answer(&request, &explorer).await) }
            });
            // A reader that goes away is nobody's concern.
            let _ = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(socket), service).await;
        });
    }
}

async fn answer(request: &Request<Incoming>, explorer: &Mutex<Explorer>) -> Response<Full<Bytes>> {
    let local = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).is_some_and(|host| {
        // A page elsewhere whose name was made to point to this machine has another host.
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        name == "127.0.0.1" || name == "localhost"
    });
    let (status, kind, body) = match (local, request.method(), request.uri().path()) {
        (false, ..) => (StatusCode::FORBIDDEN, "text/plain", Bytes::from_static(b"this page is for this machine only\n")),
        (_, &Method::GET, "/") => (StatusCode::OK, "text/html; charset=utf-8", Bytes::from_static(PAGE.as_bytes())),
        (_, &Method::GET, "/state") => {
            (StatusCode::OK, "application/json", Bytes::copy_from_slice(explorer.lock().await.state().await.as_bytes()))
        }
        _ => (StatusCode::NOT_FOUND, "text/plain", Bytes::from_static(b"no such page\n")),
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    response.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpStream,
        sync::watch,
    };

    use super::*;
    use crate::{Form, Layout, Sample};

    async fn get(address: SocketAddr, path: &str, host: &str) -> String {
        let mut socket = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        socket.read_to_string(&mut text).await.unwrap();
        text
    }

    #[tokio::test]
    async fn the_page_is_for_this_machine_only() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::create(dir.path(), Form { validators: 1, epoch_interval: 10, ..Form::default() }).unwrap();
        let (_tell, sample) = watch::channel(Sample::default());
        let address = serve(Explorer::new(&layout, sample).unwrap()).await.unwrap();
        let own = address.to_string();
        assert!(get(address, "/", &own).await.contains("<title>Local network</title>"));
        assert!(get(address, "/state", &own).await.ends_with("\r\n\r\nnull"));
        assert!(get(address, "/state", "localhost:1").await.starts_with("HTTP/1.1 200"));
        assert!(get(address, "/state", "example.com").await.starts_with("HTTP/1.1 403"));
        assert!(get(address, "/other", &own).await.starts_with("HTTP/1.1 404"));
    }
}
