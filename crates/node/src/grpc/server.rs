//! The server: one socket, any number of services.

use std::{
    convert::Infallible,
    fs,
    future::Future,
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{UnixListener, UnixStream},
    runtime::Handle,
    sync::{Semaphore, watch},
};
use tokio_stream::Stream;
use tonic::{Code, Request, Response, Status, body::Body, server::Grpc};

use super::{
    MAX_MESSAGE,
    codec::Bytes,
    error::ApiError,
    turns::{ConnectionTurns, InTurn},
    whole,
};

/// Most connections at a time; further ones wait.
const MAX_CONNECTIONS: usize = 4096;
/// Longest path of a socket.
const MAX_SOCKET_PATH: usize = 107;

/// Messages of a stream.
pub type Messages = Pin<Box<dyn Stream<Item = Result<Vec<u8>, ApiError>> + Send>>;

/// What a call is answered with.
pub enum Reply {
    /// One message, or an error, without waiting.
    Ready(Result<Vec<u8>, ApiError>),
    /// One message, or an error.
    Unary(Pin<Box<dyn Future<Output = Result<Vec<u8>, ApiError>> + Send>>),
    /// Messages until either side has enough.
    Stream(Messages),
}

/// Answers calls.
pub trait Service: Send + Sync + 'static {
    /// Answers a call of `method` of `service`, both as in its path; none if there is no such method.
    fn call(&self, service: &str, method: &str, request: RequestBytes) -> Option<Reply>;

    /// Whether a method of a service answers with a stream; none if there is no such method.
    fn is_stream(&self, service: &str, method: &str) -> Option<bool>;

    /// Whether there is a service at all, with other methods.
    fn knows(&self, service: &str) -> bool {
        let _ = service;
        true
    }
}

/// A request's message in CBOR.
pub type RequestBytes = Vec<u8>;

/// Why the server can't start.
#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}", path.display())]
pub struct ServeError {
    /// The socket.
    pub path: PathBuf,
    /// Why.
    pub reason: String,
}

/// A Unix socket that only its owner may use.
pub struct UnixServer {
    path: PathBuf,
    listener: UnixListener,
}

impl UnixServer {
    /// Takes the socket. One that nobody listens on any more is replaced.
    pub async fn bind(path: &Path) -> Result<Self, ServeError> {
        let listener = listen(path).await.map_err(|e| ServeError { path: path.to_owned(), reason: e.to_string() })?;
        Ok(Self { path: path.to_owned(), listener })
    }

    /// Serves until `stop` turns true.
    pub async fn serve(self, service: Arc<dyn Service>, stop: watch::Receiver<bool>) -> Result<(), ServeError> {
        self.serve_on(vec![Handle::current()], service, stop).await
    }

    /// Serves until `stop` turns true; connections go to some threads in turn.
    pub async fn serve_on(
        self,
        threads: Vec<Handle>,
        service: Arc<dyn Service>,
        mut stop: watch::Receiver<bool>,
    ) -> Result<(), ServeError> {
        let mut threads = threads.iter().cycle();
        let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        loop {
            let permit = Arc::clone(&permits).acquire_owned().await;
            let permit = permit.map_err(|e| ServeError { path: self.path.clone(), reason: e.to_string() })?;
            let stream = tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        tracing::warn!(target: "grpc", %error, "connection was not accepted");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        continue;
                    }
                },
                () = stopped(&mut stop) => return Ok(()),
            };
            let (Some(thread), Ok(stream)) = (threads.next(), stream.into_std()) else { continue };
            let service = Arc::clone(&service);
            let stop = stop.clone();
            thread.spawn(async move {
                // The thread has its own way to hear of what comes.
                if let Ok(stream) = UnixStream::from_std(stream) {
                    connection(stream, service, Limits::LOCAL, None, stop).await;
                }
                drop(permit);
            });
        }
    }
}

impl Drop for UnixServer {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Waits until the server is to stop.
pub(super) async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn listen(path: &Path) -> io::Result<UnixListener> {
    let length = path.as_os_str().len();
    if length > MAX_SOCKET_PATH {
        let text = format!("a socket's path has at most {MAX_SOCKET_PATH} bytes, found {length}; use a shorter data directory");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    if UnixStream::connect(path).await.is_ok() {
        return Err(io::Error::new(io::ErrorKind::AddrInUse, "another node is listening here"));
    }
    let _ = fs::remove_file(path);
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// What a connection may take.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// Calls at a time.
    pub streams: u32,
    /// Bytes of a request's message.
    pub request: usize,
    /// How often a silent client is asked whether it is still there.
    pub ping: Option<Duration>,
    /// Bytes of requests that come before they are wanted.
    pub window: Option<u32>,
}

impl Limits {
    /// For programs of the node's owner.
    const LOCAL: Self = Self { streams: 1024, request: MAX_MESSAGE, ping: None, window: None };
}

/// Serves a connection until the client ends it, or `stop` turns true and its calls are answered, or a call's turn takes too long.
pub(super) async fn connection<S>(
    stream: S,
    service: Arc<dyn Service>,
    limits: Limits,
    turns: Option<ConnectionTurns>,
    mut stop: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let of_calls = turns.clone();
    let answer = service_fn(move |request: http::Request<Incoming>| {
        let (service, turns) = (Arc::clone(&service), of_calls.clone());
        async move {
            let Some(turns) = turns else { return Ok(answer(service, request, limits.request).await) };
            let Some(turn) = turns.take().await else { return Ok(Status::unavailable("the node is stopping").into_http()) };
            Ok::<_, Infallible>(answer(service, request, limits.request).await.map(|body| Body::new(InTurn::new(body, turn))))
        }
    });
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.timer(TokioTimer::new()).keep_alive_interval(limits.ping);
    builder.max_concurrent_streams(limits.streams).max_header_list_size(64 << 10);
    if let Some(window) = limits.window {
        builder.initial_stream_window_size(window).initial_connection_window_size(window);
    }
    let serving = builder.serve_connection(TokioIo::new(stream), answer);
    tokio::pin!(serving);
    let result = tokio::select! {
        result = serving.as_mut() => result,
        () = stopped(&mut stop) => {
            serving.as_mut().graceful_shutdown();
            serving.as_mut().await
        }
        () = overdue(turns.as_ref()) => return tracing::debug!(target: "grpc", "connection dropped: a call took too long"),
    };
    if let Err(error) = result {
        tracing::debug!(target: "grpc", %error, "connection ended");
    }
}

async fn overdue(turns: Option<&ConnectionTurns>) {
    match turns {
        Some(turns) => turns.overdue().await,
        None => std::future::pending().await,
    }
}

async fn answer(service: Arc<dyn Service>, request: http::Request<Incoming>, most: usize) -> http::Response<Body> {
    let path = request.uri().path().to_owned();
    let (name, method) = path.strip_prefix('/').and_then(|p| p.rsplit_once('/')).unwrap_or_default();
    let call = |service| Call { service, name: name.to_owned(), method: method.to_owned() };
    let library = || Grpc::new(Bytes).apply_max_message_size_config(Some(most), Some(MAX_MESSAGE));
    // What is rare stands on the heap, so that the usual call has little to carry around.
    match service.is_stream(name, method) {
        None if service.knows(name) => ApiError::unimplemented(name, method).into_status().into_http(),
        None => ApiError::grpc(Code::Unimplemented, format!("unknown service {name}")).into_status().into_http(),
        Some(false) => match whole::message(request, most).await {
            Ok(message) => match unary(service.as_ref(), name, method, message.to_vec()).await {
                Ok(message) => whole::answer(&message),
                Err(status) => status.into_http(),
            },
            Err(request) => Box::pin(async move { library().unary(UnaryCall(call(service)), *request).await }).await,
        },
        Some(true) => Box::pin(async move { library().server_streaming(StreamCall(call(service)), request).await }).await,
    }
}

/// Answers a call of one message each way.
async fn unary(service: &dyn Service, name: &str, method: &str, request: Vec<u8>) -> Result<Vec<u8>, Status> {
    match service.call(name, method, request) {
        Some(Reply::Ready(answer)) => answer.map_err(ApiError::into_status),
        Some(Reply::Unary(answer)) => answer.await.map_err(ApiError::into_status),
        Some(Reply::Stream(_)) => Err(Status::internal("a stream where one message was expected")),
        None => Err(ApiError::unimplemented(name, method).into_status()),
    }
}

#[derive(Clone)]
struct Call {
    service: Arc<dyn Service>,
    name: String,
    method: String,
}

impl Call {
    fn reply(&self, request: Vec<u8>) -> Result<Reply, Status> {
        let reply = self.service.call(&self.name, &self.method, request);
        reply.ok_or_else(|| ApiError::unimplemented(&self.name, &self.method).into_status())
    }
}

type Answer<T> = Pin<Box<dyn Future<Output = Result<Response<T>, Status>> + Send>>;

struct UnaryCall(Call);

impl tower::Service<Request<Vec<u8>>> for UnaryCall {
    type Response = Response<Vec<u8>>;
    type Error = Status;
    type Future = Answer<Vec<u8>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Vec<u8>>) -> Self::Future {
        let call = self.0.clone();
        Box::pin(async move { unary(call.service.as_ref(), &call.name, &call.method, request.into_inner()).await.map(Response::new) })
    }
}

/// The stream of a call, in the form that is sent.
pub(super) struct Sent(Messages);

impl Stream for Sent {
    type Item = Result<Vec<u8>, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(cx).map(|item| item.map(|result| result.map_err(ApiError::into_status)))
    }
}

struct StreamCall(Call);

impl tower::Service<Request<Vec<u8>>> for StreamCall {
    type Response = Response<Sent>;
    type Error = Status;
    type Future = Answer<Sent>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Vec<u8>>) -> Self::Future {
        let reply = self.0.reply(request.into_inner());
        Box::pin(async move {
            let error = match reply? {
                Reply::Stream(messages) => return Ok(Response::new(Sent(messages))),
                Reply::Ready(answer) => answer.err(),
                Reply::Unary(answer) => answer.await.err(),
            };
            Err(error.map_or_else(|| Status::internal("one message where a stream was expected"), ApiError::into_status))
        })
    }
}
