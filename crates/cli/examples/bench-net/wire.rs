//! A client of calls that are known beforehand, which costs next to nothing beside the node that it measures: frames of HTTP/2 as they
//! are, one call at a time. Source: RFC 9113, RFC 7541.

use std::{ops::Range, path::Path};

use anyhow::{Context, Result, bail};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// No table of headers, no pushes, and streams that are never held up.
const SETTINGS: &[u8] = &[0, 1, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 4, 0x7f, 0xff, 0xff, 0xff];
/// Bytes that are read at once.
const READ: usize = 16 << 10;
/// Bytes of answers between two openings of the connection's window; half of the most that it can be.
const WINDOW: u32 = 1 << 30;

/// Bytes before a frame's payload.
const HEAD: usize = 9;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS_FRAME: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
const RST_STREAM: u8 = 3;
const GOAWAY: u8 = 7;

const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

/// A connection to a node's socket.
pub struct Wire {
    stream: UnixStream,
    /// What was read, from `at` on not looked at yet.
    read: Vec<u8>,
    at: usize,
    write: Vec<u8>,
    next_stream: u32,
    taken: u32,
}

fn frame(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes();
    out.extend_from_slice(length.get(1..).unwrap_or_default());
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
}

/// A header field that no table keeps.
fn text(out: &mut Vec<u8>, name: &[u8], value: &str) -> Result<()> {
    out.extend_from_slice(name);
    // Lengths below 127 take one byte.
    let length = u8::try_from(value.len()).ok().filter(|length| *length < 127).context("a header that is too long")?;
    out.push(length);
    out.extend_from_slice(value.as_bytes());
    Ok(())
}

/// The headers of calls of a method.
pub fn headers(method: &str) -> Result<Vec<u8>> {
    // `:method: POST` and `:scheme: http` stand in the static table.
    let mut out = vec![0x83, 0x86];
    text(&mut out, &[0x04], &format!("/{method}"))?;
    text(&mut out, &[0x01], "localhost")?;
    text(&mut out, &[0x0f, 0x10], "application/grpc")?;
    text(&mut out, b"\x00\x02te", "trailers")?;
    Ok(out)
}

impl Wire {
    /// Connects to a socket.
    pub async fn connect(socket: &Path) -> Result<Self> {
        let stream = UnixStream::connect(socket).await?;
        let mut write = PREFACE.to_vec();
        frame(&mut write, SETTINGS_FRAME, 0, 0, SETTINGS);
        frame(&mut write, WINDOW_UPDATE, 0, 0, &WINDOW.to_be_bytes());
        Ok(Self { stream, read: Vec::with_capacity(READ), at: 0, write, next_stream: 1, taken: 0 })
    }

    /// Calls a method whose [`headers`] are given; gives the length of the answer's message with its prefix. A refusal is an error.
    pub async fn call(&mut self, headers: &[u8], message: &[u8]) -> Result<usize> {
        let stream = self.next_stream;
        self.next_stream = stream.checked_add(2).context("no stream is left")?;
        frame(&mut self.write, HEADERS, END_HEADERS, stream, headers);
        let mut body = vec![0];
        body.extend_from_slice(&u32::try_from(message.len())?.to_be_bytes());
        body.extend_from_slice(message);
        frame(&mut self.write, DATA, END_STREAM, stream, &body);
        let mut length = 0;
        loop {
            if !self.write.is_empty() {
                self.stream.write_all(&self.write).await?;
                self.write.clear();
            }
            while let Some((kind, flags, of, payload)) = self.frame() {
                match kind {
                    DATA => {
                        length += payload.len();
                        self.took(payload.len())?;
                    }
                    SETTINGS_FRAME if flags & ACK == 0 => frame(&mut self.write, SETTINGS_FRAME, ACK, 0, &[]),
                    PING if flags & ACK == 0 => frame(&mut self.write, PING, ACK, 0, self.read.get(payload).unwrap_or_default()),
                    RST_STREAM | GOAWAY => bail!("the node ended a call: {:?}", self.read.get(payload)),
                    _ => {}
                }
                if of == stream && matches!(kind, DATA | HEADERS) && flags & END_STREAM != 0 {
                    if length == 0 {
                        bail!("the call was refused");
                    }
                    return Ok(length);
                }
            }
            if self.write.is_empty() && self.stream.read_buf(&mut self.read).await? == 0 {
                bail!("the node closed the connection");
            }
        }
    }

    /// The next frame, if all of it is there: its kind, flags, stream, and where its payload is in what was read.
    fn frame(&mut self) -> Option<(u8, u8, u32, Range<usize>)> {
        let rest = self.read.get(self.at..).unwrap_or_default();
        let whole = rest.split_first_chunk::<HEAD>().and_then(|(head, rest)| {
            let [a, b, c, kind, flags, stream @ ..] = *head;
            let length = u32::from_be_bytes([0, a, b, c]) as usize;
            (length <= rest.len()).then_some((kind, flags, u32::from_be_bytes(stream), length))
        });
        let Some((kind, flags, stream, length)) = whole else {
            self.read.drain(..self.at);
            self.at = 0;
            return None;
        };
        let payload = self.at + HEAD..self.at + HEAD + length;
        self.at = payload.end;
        Some((kind, flags, stream, payload))
    }

    /// Opens the window again that answers have taken.
    fn took(&mut self, length: usize) -> Result<()> {
        self.taken += u32::try_from(length)?;
        if self.taken > WINDOW / 2 {
            frame(&mut self.write, WINDOW_UPDATE, 0, 0, &self.taken.to_be_bytes());
            self.taken = 0;
        }
        Ok(())
    }
}
