//! A node's socket.

use std::{
    fmt,
    time::{Duration, Instant},
};

use oasis_node_service::grpc::{ApiError, Client, ClientError, GrpcCode};
use tokio::runtime::{Builder, Runtime};

use crate::world::{Call, World};

/// How long a node that is not there is waited for before the next attempt.
const RETRY: Duration = Duration::from_millis(500);

/// A node, and the clock.
pub struct NodeWorld {
    runtime: Runtime,
    client: Client,
    until: Option<Instant>,
    verbose: bool,
}

impl NodeWorld {
    /// Connects to `unix:PATH`, where asked to once the node is there. The time begins now; without a limit it does not end.
    pub fn connect(address: &str, wait: bool, limit: Option<Duration>, verbose: bool) -> Result<Self, ClientError> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| ClientError::Unreachable { address: address.to_owned(), reason: e.to_string() })?;
        let until = limit.map(|limit| Instant::now() + limit);
        let client = runtime.block_on(async {
            loop {
                match Client::connect(address).await {
                    Err(ClientError::Unreachable { .. }) if wait => tokio::time::sleep(RETRY).await,
                    result => return result,
                }
            }
        })?;
        Ok(Self { runtime, client, until, verbose })
    }
}

async fn call(client: Client, (method, request): Call) -> Result<Vec<u8>, ApiError> {
    client.call_bytes(&method, request).await.map_err(|error| match error {
        ClientError::Refused(error) => error,
        other => ApiError::grpc(GrpcCode::Unavailable, other.to_string()),
    })
}

impl World for NodeWorld {
    fn call(&mut self, request: Call) -> Result<Vec<u8>, ApiError> {
        self.runtime.block_on(call(self.client.clone(), request))
    }

    fn call_all(&mut self, calls: Vec<Call>) -> Vec<Result<Vec<u8>, ApiError>> {
        self.runtime.block_on(async {
            let calls: Vec<_> = calls.into_iter().map(|request| tokio::spawn(call(self.client.clone(), request))).collect();
            let mut answers = Vec::new();
            for answer in calls {
                let ended = |e: tokio::task::JoinError| Err(ApiError::unknown(e.to_string()));
                answers.push(answer.await.unwrap_or_else(ended));
            }
            answers
        })
    }

    fn pause(&mut self, time: Duration) {
        let left = self.until.map_or(time, |until| until.saturating_duration_since(Instant::now()));
        std::thread::sleep(time.min(left));
    }

    fn is_over(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() >= until)
    }

    fn say(&mut self, text: fmt::Arguments<'_>) {
        if self.verbose {
            eprintln!("{text}");
        }
    }
}
