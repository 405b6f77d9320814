//! Calls of one message each way that came in one piece, as nearly all do: their frames are made here. Everything else, such as a
//! request in several pieces or a compressed one, goes the library's way with what was read of it.
//!
//! Source: <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tonic::Status;

use super::MAX_MESSAGE;

/// A byte that says whether a message is compressed, and four for its length.
const PREFIX: usize = 5;

/// A request's body whose first frame was read.
pub(super) struct Begun {
    first: Option<Result<Frame<Bytes>, hyper::Error>>,
    rest: Incoming,
}

/// The message of a request, or the request as it was.
pub(super) async fn message(request: http::Request<Incoming>, most: usize) -> Result<Bytes, Box<http::Request<Begun>>> {
    let (parts, mut rest) = request.into_parts();
    let first = rest.frame().await;
    let plain = parts.headers.get("grpc-encoding").is_none_or(|encoding| encoding == "identity");
    let data = first.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref());
    let message = data.filter(|_| plain && rest.is_end_stream()).and_then(|data| whole(data, most));
    message.ok_or_else(|| Box::new(http::Request::from_parts(parts, Begun { first, rest })))
}

/// The message where the bytes are just one, not compressed and not too large.
fn whole(data: &Bytes, most: usize) -> Option<Bytes> {
    let ([compressed, length @ ..], message) = data.split_first_chunk::<PREFIX>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    (*compressed == 0 && length == message.len() && length <= most).then(|| data.slice(PREFIX..))
}

/// The answer with a message.
pub(super) fn answer(message: &[u8]) -> http::Response<tonic::body::Body> {
    let length = match u32::try_from(message.len()) {
        Ok(length) if message.len() <= MAX_MESSAGE => length,
        // Source: grpc-go server.go, `sendResponse`.
        _ => {
            let text = format!("grpc: trying to send message larger than max ({} vs. {MAX_MESSAGE})", message.len());
            return Status::resource_exhausted(text).into_http();
        }
    };
    let mut data = Vec::with_capacity(PREFIX.saturating_add(message.len()));
    data.push(0);
    data.extend_from_slice(&length.to_be_bytes());
    data.extend_from_slice(message);
    let mut response = http::Response::new(tonic::body::Body::new(Whole { data: Some(data.into()), ended: false }));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}

/// A message, and that all went well.
struct Whole {
    data: Option<Bytes>,
    ended: bool,
}

impl Body for Whole {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Some(data) = self.data.take() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        if std::mem::replace(&mut self.ended, true) {
            return Poll::Ready(None);
        }
        let mut trailers = HeaderMap::with_capacity(1);
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }
}

impl Body for Begun {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.first.take() {
            Some(first) => Poll::Ready(Some(first)),
            None => Pin::new(&mut self.rest).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.first.is_none() { self.rest.size_hint() } else { SizeHint::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_whole_message_is_taken() {
        let of = |bytes: &'static [u8]| whole(&Bytes::from_static(bytes), 3);
        assert_eq!(of(&[0, 0, 0, 0, 0]), Some(Bytes::new()));
        assert_eq!(of(&[0, 0, 0, 0, 3, 7, 8, 9]), Some(Bytes::from_static(&[7, 8, 9])));
        for other in [
            &[][..],
            &[0, 0, 0, 0],
            &[1, 0, 0, 0, 1, 7],
            &[0, 0, 0, 0, 2, 7],
            &[0, 0, 0, 0, 1, 7, 8],
            &[0, 0, 0, 0, 4, 6, 7, 8, 9],
            &[0, 255, 255, 255, 255, 7],
        ] {
            assert_eq!(of(other), None, "{other:?}");
        }
    }
}
