//! Calls of the API, by method.
//!
//! Source: go/common/grpc/grpc.go, `grpcCollectors`.

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use tokio_stream::Stream;

use super::{Family, Metrics, Page, Sample};
use crate::grpc::{ApiError, Messages, Reply, Service};

/// Calls of one method.
#[derive(Debug, Default)]
struct Method {
    calls: AtomicU64,
    /// Calls that were answered with one message, and for how long they took, nanoseconds.
    answered: AtomicU64,
    nanos: AtomicU64,
    /// Messages of streams.
    writes: AtomicU64,
}

/// Calls by method, `/SERVICE/METHOD`.
#[derive(Debug, Default)]
pub struct Calls(RwLock<BTreeMap<String, Arc<Method>>>);

impl Calls {
    fn method(&self, name: &str) -> Arc<Method> {
        if let Some(method) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(name) {
            return Arc::clone(method);
        }
        Arc::clone(self.0.write().unwrap_or_else(PoisonError::into_inner).entry(name.to_owned()).or_default())
    }

    /// Counts a call that was answered, with how long it took. `name` is one of a bounded number of names.
    pub fn answered(&self, name: &str, took: Duration) {
        let method = self.method(name);
        method.calls.fetch_add(1, Ordering::Relaxed);
        method.took(took);
    }

    /// Tells them. `side` is `server` or `client`.
    pub(super) fn add(&self, page: &mut Page, side: &str) {
        let (calls, latency, writes) = match side {
            "server" => ("oasis_grpc_server_calls", "oasis_grpc_server_latency", "oasis_grpc_server_stream_writes"),
            _ => ("oasis_grpc_client_calls", "oasis_grpc_client_latency", "oasis_grpc_client_stream_writes"),
        };
        let methods: Vec<_> =
            self.0.read().unwrap_or_else(PoisonError::into_inner).iter().map(|(name, m)| (name.clone(), Arc::clone(m))).collect();
        for (name, method) in methods {
            let labels = [("call", name.as_str())];
            let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
            page.counter(calls, "Number of gRPC calls.", &labels, load(&method.calls));
            let answered = load(&method.answered);
            if answered > 0 {
                let sum = Duration::from_nanos(load(&method.nanos)).as_secs_f64();
                page.add(Family::Summary, latency, "gRPC call latency (seconds).", &labels, Sample::Sum(answered, sum));
            }
            let written = load(&method.writes);
            if written > 0 {
                page.counter(writes, "Number of gRPC stream writes.", &labels, written);
            }
        }
    }
}

impl Method {
    fn took(&self, took: Duration) {
        self.answered.fetch_add(1, Ordering::Relaxed);
        self.nanos.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

/// A service whose calls are counted.
pub struct Counted {
    service: Arc<dyn Service>,
    metrics: Arc<Metrics>,
}

impl Counted {
    /// Counts the calls of a service, if anything is counted.
    pub fn over(service: Arc<dyn Service>, metrics: Option<&Arc<Metrics>>) -> Arc<dyn Service> {
        match metrics {
            Some(metrics) => Arc::new(Self { service, metrics: Arc::clone(metrics) }),
            None => service,
        }
    }
}

impl Service for Counted {
    fn call(&self, service: &str, method: &str, request: Vec<u8>) -> Option<Reply> {
        let start = Instant::now();
        let reply = self.service.call(service, method, request)?;
        let counts = self.metrics.served.method(&format!("/{service}/{method}"));
        counts.calls.fetch_add(1, Ordering::Relaxed);
        Some(match reply {
            Reply::Ready(answer) => {
                counts.took(start.elapsed());
                Reply::Ready(answer)
            }
            Reply::Unary(answer) => Reply::Unary(Box::pin(async move {
                let result = answer.await;
                counts.took(start.elapsed());
                result
            })),
            Reply::Stream(messages) => Reply::Stream(Box::pin(Written { messages, counts })),
        })
    }

    fn is_stream(&self, service: &str, method: &str) -> Option<bool> {
        self.service.is_stream(service, method)
    }

    fn knows(&self, service: &str) -> bool {
        self.service.knows(service)
    }
}

/// A stream whose messages are counted.
struct Written {
    messages: Messages,
    counts: Arc<Method>,
}

impl Stream for Written {
    type Item = Result<Vec<u8>, ApiError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = self.messages.as_mut().poll_next(cx);
        if matches!(next, Poll::Ready(Some(Ok(_)))) {
            self.counts.writes.fetch_add(1, Ordering::Relaxed);
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use tokio_stream::StreamExt as _;

    use super::*;

    struct Two;

    impl Service for Two {
        fn call(&self, _: &str, method: &str, request: Vec<u8>) -> Option<Reply> {
            match method {
                "One" => Some(Reply::Unary(Box::pin(std::future::ready(Ok(request))))),
                "Known" => Some(Reply::Ready(Ok(request))),
                "Many" => Some(Reply::Stream(Box::pin(tokio_stream::iter([Ok(request.clone()), Ok(request)])))),
                _ => None,
            }
        }

        fn is_stream(&self, _: &str, _: &str) -> Option<bool> {
            None
        }
    }

    #[tokio::test]
    async fn calls_answers_and_messages_are_counted_by_method() {
        let metrics = Metrics::new("/".into(), "chain", Vec::new());
        let service = Counted::over(Arc::new(Two), Some(&metrics));
        let Some(Reply::Unary(answer)) = service.call("oasis-core.A", "One", vec![1]) else { panic!("no answer") };
        assert_eq!(answer.await.unwrap(), [1]);
        let Some(Reply::Ready(answer)) = service.call("oasis-core.A", "Known", vec![1]) else { panic!("no answer") };
        assert_eq!(answer.unwrap(), [1]);
        let Some(Reply::Stream(messages)) = service.call("oasis-core.A", "Many", vec![1]) else { panic!("no stream") };
        assert_eq!(messages.collect::<Vec<_>>().await.len(), 2);
        assert!(service.call("oasis-core.A", "None", vec![]).is_none());
        let mut page = Page::default();
        metrics.served.add(&mut page, "server");
        let text = page.text();
        for line in [
            "oasis_grpc_server_calls{call=\"/oasis-core.A/Many\"} 1",
            "oasis_grpc_server_calls{call=\"/oasis-core.A/One\"} 1",
            "oasis_grpc_server_latency_count{call=\"/oasis-core.A/Known\"} 1",
            "oasis_grpc_server_latency_count{call=\"/oasis-core.A/One\"} 1",
            "oasis_grpc_server_stream_writes{call=\"/oasis-core.A/Many\"} 2",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing:\n{text}");
        }
        assert!(!text.contains("None"), "{text}");
    }
}
