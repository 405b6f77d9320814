//! What a client sends before anything is encrypted: the messages in it may stand in several records, and a client whose first one
//! offered no key of use sends another (RFC 8446, section 4.1.4).

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::hello::{CLIENT_HELLO, hide};

/// A record's type, version and length.
const RECORD_HEADER: usize = 5;
/// The type of records that mean nothing in TLS 1.3 (RFC 8446, appendix D.4).
const CHANGE_CIPHER: u8 = 20;
/// The type of records of the handshake.
const HANDSHAKE: u8 = 22;
/// The longest record (RFC 8446, section 5.1).
const MAX_RECORD: usize = 1 << 14;
/// A message's type and length.
const MESSAGE_HEADER: usize = 4;
/// The longest message that rustls takes, and the most records that it may come in.
const MAX_MESSAGE: usize = 0xffff;
const MAX_RECORDS: usize = 64;
/// The most records without a meaning before one with; rustls takes fewer.
const MAX_CHANGES: usize = 32;
/// A client says hello twice at most.
const HELLOS: usize = 2;

/// Hides bad names in what a client sends first. As many bytes come out as went in.
#[derive(Debug, Default)]
pub struct FirstMessages {
    pending: Vec<u8>,
    ready: Vec<u8>,
    hellos: usize,
    changes: usize,
    over: bool,
}

/// What stands at the beginning of some bytes.
enum Found {
    /// A record that means nothing, of so many bytes.
    Change(usize),
    /// A message in records whose contents are at these places.
    Hello(Vec<std::ops::Range<usize>>),
    /// Less than either.
    Part,
    /// Anything else.
    Other,
}

/// Source: RFC 8446, section 5.1.
fn find(bytes: &[u8]) -> Found {
    let mut places = Vec::new();
    // The message's header, and how much of the message is here.
    let (mut header, mut length) = (Vec::with_capacity(MESSAGE_HEADER), 0usize);
    let mut at = 0;
    loop {
        let Some([kind, _, _, high, low]) = bytes.get(at..at + RECORD_HEADER) else { return Found::Part };
        let (start, size) = (at + RECORD_HEADER, usize::from(u16::from_be_bytes([*high, *low])));
        at = start + size;
        if size == 0 || size > MAX_RECORD || places.len() == MAX_RECORDS {
            return Found::Other;
        }
        match (*kind, places.is_empty()) {
            (CHANGE_CIPHER, true) if at <= bytes.len() => return Found::Change(at),
            (CHANGE_CIPHER, true) => return Found::Part,
            (HANDSHAKE, _) => {}
            _ => return Found::Other,
        }
        let Some(content) = bytes.get(start..at) else { return Found::Part };
        header.extend(content.iter().take(MESSAGE_HEADER - header.len()));
        length += size;
        places.push(start..at);
        if header.first() != Some(&CLIENT_HELLO) {
            return Found::Other;
        }
        if let [_, high, mid, low] = header[..] {
            let body = u32::from_be_bytes([0, high, mid, low]) as usize;
            match length.cmp(&(MESSAGE_HEADER + body)) {
                std::cmp::Ordering::Equal => return Found::Hello(places),
                std::cmp::Ordering::Less if body <= MAX_MESSAGE => {}
                _ => return Found::Other,
            }
        }
    }
}

impl FirstMessages {
    /// Takes what came from the client.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.over {
            self.ready.extend_from_slice(bytes);
            return;
        }
        self.pending.extend_from_slice(bytes);
        let mut done = 0;
        while self.hellos < HELLOS && self.changes < MAX_CHANGES {
            let Some(rest) = self.pending.get_mut(done..) else { break };
            match find(rest) {
                Found::Part => {
                    self.ready.extend(self.pending.drain(..done));
                    return;
                }
                Found::Other => break,
                Found::Change(size) => {
                    self.changes += 1;
                    done += size;
                }
                Found::Hello(places) => {
                    self.hellos += 1;
                    done += places.last().map_or(0, |place| place.end);
                    let mut hello: Vec<u8> = places.iter().filter_map(|place| rest.get(place.clone())).flatten().copied().collect();
                    hide(&mut hello);
                    let mut from = &hello[..];
                    for place in places {
                        let (content, next) = from.split_at(place.len());
                        rest[place].copy_from_slice(content);
                        from = next;
                    }
                }
            }
        }
        self.end();
    }

    /// Nothing more is looked at; what was held back comes out as it is.
    pub fn end(&mut self) {
        self.over = true;
        self.ready.append(&mut self.pending);
    }

    /// Takes what may go on.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.ready)
    }
}

/// A stream from a client whose first messages are changed.
pub(super) struct Filtered<S> {
    first: FirstMessages,
    /// What may go on, and how much of it has.
    ready: Vec<u8>,
    given: usize,
    stream: S,
}

impl<S> Filtered<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { first: FirstMessages::default(), ready: Vec::new(), given: 0, stream }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Filtered<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            let rest = &this.ready[this.given..];
            if !rest.is_empty() {
                let count = rest.len().min(buffer.remaining());
                buffer.put_slice(&rest[..count]);
                this.given += count;
                return Poll::Ready(Ok(()));
            }
            (this.ready, this.given) = (this.first.take(), 0);
            if !this.ready.is_empty() {
                continue;
            }
            if this.first.over {
                return Pin::new(&mut this.stream).poll_read(cx, buffer);
            }
            let mut space = [0; 4096];
            let mut read = ReadBuf::new(&mut space);
            ready!(Pin::new(&mut this.stream).poll_read(cx, &mut read))?;
            match read.filled() {
                [] => this.first.end(),
                bytes => this.first.push(bytes),
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Filtered<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    fn record(kind: u8, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        [&[kind, 3, 1], &length[..], content].concat()
    }

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        [&[kind], &length[1..], body].concat()
    }

    /// A client's first message that names the server badly, and the same with the name hidden.
    fn hello() -> (Vec<u8>, Vec<u8>) {
        let name = b"127.0.0.1:9100";
        let list = [&[0, 17, 0, 0, 14][..], name].concat();
        let extensions = [&[0, 42, 0, 1, 7, 0, 0, 0, 19][..], &list].concat();
        let body = [&[3, 3][..], &[9; 32], &[0, 0, 2, 0x13, 1, 1, 0, 0, 28], &extensions].concat();
        let sent = message(CLIENT_HELLO, &body);
        let mut hidden = sent.clone();
        hide(&mut hidden);
        assert_ne!(sent, hidden);
        (sent, hidden)
    }

    fn filtered<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
        let mut first = FirstMessages::default();
        pieces.into_iter().for_each(|piece| first.push(piece));
        first.end();
        first.take()
    }

    #[test]
    fn a_name_is_hidden_wherever_a_record_or_a_packet_ends() {
        let (sent, hidden) = hello();
        for at in 1..sent.len() {
            let records = |message: &[u8]| [record(HANDSHAKE, &message[..at]), record(HANDSHAKE, &message[at..])].concat();
            let (sent, hidden) = (records(&sent), records(&hidden));
            assert_eq!(filtered([&sent[..]]), hidden);
            assert_eq!(filtered(sent.chunks(1)), hidden);
            assert_eq!(filtered(sent.chunks(7)), hidden);
        }
    }

    #[test]
    fn a_name_is_hidden_in_the_second_hello_and_not_in_a_third() {
        let (sent, hidden) = hello();
        let change = record(CHANGE_CIPHER, &[1]);
        let flow = |first: &[u8], second: &[u8]| {
            [record(HANDSHAKE, first), change.clone(), record(HANDSHAKE, second), record(HANDSHAKE, &sent)].concat()
        };
        let (all, expected) = (flow(&sent, &sent), flow(&hidden, &hidden));
        for size in [1, 3, all.len()] {
            assert_eq!(filtered(all.chunks(size)), expected);
        }
        let encrypted = |message: &[u8]| [record(HANDSHAKE, message), record(23, &[5; 40]), record(HANDSHAKE, &sent)].concat();
        assert_eq!(filtered([&encrypted(&sent)[..]]), encrypted(&hidden));
    }

    #[test]
    fn what_is_no_hello_goes_through_at_once() {
        let (sent, _) = hello();
        let long = message(CLIENT_HELLO, &vec![0; MAX_MESSAGE + 1]);
        for odd in [
            b"GET / HTTP/1.1\r\n".to_vec(),
            record(HANDSHAKE, &message(2, &[0; 40])),
            record(HANDSHAKE, &[]),
            record(HANDSHAKE, &long[..100]),
            record(HANDSHAKE, &[&sent[..], &[1]].concat()),
            record(21, &[2, 40]),
            [HANDSHAKE, 3, 1, 0xff, 0xff].to_vec(),
        ] {
            let mut first = FirstMessages::default();
            first.push(&odd);
            assert_eq!(first.take(), odd);
            assert!(first.over);
        }
        // No more is held back than one message of the longest.
        let mut first = FirstMessages::default();
        (0..MAX_RECORDS).for_each(|_| first.push(&record(HANDSHAKE, &[CLIENT_HELLO])));
        assert!(first.over, "a message in too many records");
        let mut first = FirstMessages::default();
        (0..MAX_CHANGES).for_each(|_| first.push(&record(CHANGE_CIPHER, &[1])));
        assert!(first.over, "too many records without a meaning");
    }

    #[test]
    fn the_name_that_the_original_gives_is_hidden_vectors() {
        oasis_test_vectors::for_each("tls.json.gz", |_, bytes| {
            let recorded: serde_json::Value = serde_json::from_slice(bytes)?;
            let sent = hex::decode(recorded["hello"].as_str().unwrap())?;
            let expected = {
                let mut hidden = sent.clone();
                hide(&mut hidden[RECORD_HEADER..]);
                hidden
            };
            anyhow::ensure!(sent != expected && filtered(sent.chunks(100)) == expected);
            Ok(())
        })
        .unwrap();
    }

    #[tokio::test]
    async fn a_stream_gives_all_that_it_gets() {
        let (sent, hidden) = hello();
        let flow = |message: &[u8]| [record(HANDSHAKE, message), record(23, &[5; 9000]), record(23, &[6; 9000])].concat();
        let (sent, hidden) = (flow(&sent), flow(&hidden));
        for at in [0, 1, 5, 30, 100, 5000, sent.len()] {
            let mut bytes = Vec::new();
            Filtered::new(&sent[..at]).read_to_end(&mut bytes).await.unwrap();
            assert_eq!(bytes.len(), at);
            assert!(at < 100 || bytes == hidden[..at]);
        }
    }
}
