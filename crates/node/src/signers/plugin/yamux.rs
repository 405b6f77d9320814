//! Streams over one connection, as yamux has them: as much of it as a client of go-plugin needs.
//!
//! Source: github.com/hashicorp/yamux, spec.md, session.go, stream.go.

use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
    os::unix::net::UnixStream,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc},
    thread,
    time::Duration,
};

/// Bytes that each side of a stream may send before the other says that it has taken some.
const WINDOW: u32 = 256 * 1024;
/// Data that nobody reads waits in so many frames.
const WAITING: usize = 16;
/// The other side has so long to take what it is sent.
const TAKEN: Duration = Duration::from_secs(60);

const DATA: u8 = 0;
const WINDOW_UPDATE: u8 = 1;
const PING: u8 = 2;
const SYN: u16 = 1;
const ACK: u16 = 2;
const FIN: u16 = 4;
const RST: u16 = 8;
const HEAD: usize = 12;

struct Frame {
    kind: u8,
    flags: u16,
    stream: u32,
    length: u32,
}

impl Frame {
    fn bytes(&self) -> Vec<u8> {
        let mut out = vec![0, self.kind];
        out.extend_from_slice(&self.flags.to_be_bytes());
        out.extend_from_slice(&self.stream.to_be_bytes());
        out.extend_from_slice(&self.length.to_be_bytes());
        out
    }

    /// None where the version is another.
    fn read(bytes: [u8; HEAD]) -> Option<Self> {
        let [0, kind, f0, f1, s0, s1, s2, s3, l0, l1, l2, l3] = bytes else { return None };
        Some(Self {
            kind,
            flags: u16::from_be_bytes([f0, f1]),
            stream: u32::from_be_bytes([s0, s1, s2, s3]),
            length: u32::from_be_bytes([l0, l1, l2, l3]),
        })
    }
}

/// What a stream may still send, and where what comes is put; a stream whose data nobody wants has no such place.
struct Open {
    window: u64,
    data: Option<mpsc::SyncSender<Vec<u8>>>,
}

#[derive(Default)]
struct Streams {
    open: BTreeMap<u32, Open>,
    next: u32,
    ended: bool,
}

struct Shared {
    writer: Mutex<UnixStream>,
    streams: Mutex<Streams>,
    changed: Condvar,
}

impl Shared {
    fn streams(&self) -> MutexGuard<'_, Streams> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, frame: &Frame, data: &[u8]) -> io::Result<()> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        writer.write_all(&[&frame.bytes(), data].concat())
    }

    /// Takes frames until the connection ends.
    fn receive(&self, mut from: UnixStream) -> io::Result<()> {
        let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
        loop {
            let mut head = [0; HEAD];
            from.read_exact(&mut head)?;
            let frame = Frame::read(head).ok_or_else(|| wrong("expected version 0"))?;
            match frame.kind {
                DATA => {
                    if frame.length > WINDOW {
                        return Err(wrong("more data than the window has"));
                    }
                    let mut data = Vec::new();
                    (&mut from).take(frame.length.into()).read_to_end(&mut data)?;
                    self.received(&frame, data)?;
                }
                WINDOW_UPDATE => {
                    let mut streams = self.streams();
                    if let Some(open) = streams.open.get_mut(&frame.stream) {
                        open.window = open.window.saturating_add(frame.length.into());
                    }
                    self.changed.notify_all();
                }
                PING if frame.flags & SYN != 0 => self.send(&Frame { flags: ACK, ..frame }, &[])?,
                PING => {}
                _ => return Ok(()),
            }
            if frame.flags & (FIN | RST) != 0 {
                self.streams().open.remove(&frame.stream);
                self.changed.notify_all();
            }
        }
    }

    fn received(&self, frame: &Frame, data: Vec<u8>) -> io::Result<()> {
        if data.is_empty() {
            return Ok(());
        }
        let place = self.streams().open.get(&frame.stream).and_then(|open| open.data.clone());
        if let Some(place) = place {
            // Who reads may have gone.
            let _ = place.send(data);
        }
        self.send(&Frame { kind: WINDOW_UPDATE, flags: 0, stream: frame.stream, length: frame.length }, &[])
    }
}

/// A connection on the client's side.
pub(super) struct Session(Arc<Shared>);

impl Session {
    /// Takes a connection.
    pub(super) fn new(connection: UnixStream) -> io::Result<Self> {
        let from = connection.try_clone()?;
        let streams = Streams { next: 1, ..Streams::default() };
        let shared = Arc::new(Shared { writer: Mutex::new(connection), streams: Mutex::new(streams), changed: Condvar::new() });
        let reader = Arc::clone(&shared);
        thread::Builder::new().name("plugin".to_owned()).spawn(move || {
            if let Err(error) = reader.receive(from) {
                tracing::debug!(target: "signer/plugin", %error, "the connection has ended");
            }
            let mut streams = reader.streams();
            streams.ended = true;
            streams.open.clear();
            reader.changed.notify_all();
        })?;
        Ok(Self(shared))
    }

    fn begin(&self, data: Option<mpsc::SyncSender<Vec<u8>>>) -> io::Result<u32> {
        let id = {
            let mut streams = self.0.streams();
            if streams.ended {
                return Err(io::ErrorKind::NotConnected.into());
            }
            let id = streams.next;
            streams.next = id.checked_add(2).ok_or_else(|| io::Error::other("no further stream"))?;
            streams.open.insert(id, Open { window: WINDOW.into(), data });
            id
        };
        self.0.send(&Frame { kind: WINDOW_UPDATE, flags: SYN, stream: id, length: 0 }, &[])?;
        Ok(id)
    }

    /// Opens a stream.
    pub(super) fn open(&self) -> io::Result<Stream> {
        let (data, came) = mpsc::sync_channel(WAITING);
        let id = self.begin(Some(data))?;
        Ok(Stream { shared: Arc::clone(&self.0), id, came, rest: io::Cursor::default() })
    }

    /// Opens a stream whose data nobody reads.
    pub(super) fn open_ignored(&self) -> io::Result<()> {
        self.begin(None).map(drop)
    }

    /// Ends the connection.
    pub(super) fn close(&self) {
        let writer = self.0.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = writer.shutdown(std::net::Shutdown::Both);
    }
}

/// A stream.
pub(super) struct Stream {
    shared: Arc<Shared>,
    id: u32,
    came: mpsc::Receiver<Vec<u8>>,
    rest: io::Cursor<Vec<u8>>,
}

impl Stream {
    /// Sends, as much at a time as the other side takes.
    pub(super) fn send(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let mut streams = self.shared.streams();
            let most = loop {
                match streams.open.get_mut(&self.id) {
                    None => return Err(io::ErrorKind::NotConnected.into()),
                    Some(open) if open.window > 0 => {
                        let most = open.window.min(bytes.len() as u64).min(WINDOW.into());
                        open.window -= most;
                        break most as usize;
                    }
                    Some(_) => {}
                }
                let (guard, waited) = self.shared.changed.wait_timeout(streams, TAKEN).unwrap_or_else(PoisonError::into_inner);
                if waited.timed_out() {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                streams = guard;
            };
            drop(streams);
            let (now, later) = bytes.split_at(most);
            self.shared.send(&Frame { kind: DATA, flags: 0, stream: self.id, length: most as u32 }, now)?;
            bytes = later;
        }
        Ok(())
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.rest.read(buffer)? {
                0 if !buffer.is_empty() => {}
                count => return Ok(count),
            }
            match self.came.recv() {
                Ok(data) => self.rest = io::Cursor::new(data),
                Err(_) => return Ok(0),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a frame of the client.
    fn take(from: &mut UnixStream) -> (Frame, Vec<u8>) {
        let mut head = [0; HEAD];
        from.read_exact(&mut head).unwrap();
        let frame = Frame::read(head).unwrap();
        let mut data = vec![0; if frame.kind == DATA { frame.length as usize } else { 0 }];
        from.read_exact(&mut data).unwrap();
        (frame, data)
    }

    fn data(stream: u32, text: &[u8]) -> Vec<u8> {
        [&Frame { kind: DATA, flags: 0, stream, length: text.len() as u32 }.bytes(), text].concat()
    }

    #[test]
    fn streams_send_what_the_other_takes_and_pings_are_answered() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let session = Session::new(ours).unwrap();
        let mut stream = session.open().unwrap();
        session.open_ignored().unwrap();
        assert_eq!((take(&mut theirs).0.stream, take(&mut theirs).0.stream), (1, 3));
        theirs.write_all(&Frame { kind: PING, flags: SYN, stream: 0, length: 77 }.bytes()).unwrap();
        let (pong, _) = take(&mut theirs);
        assert_eq!((pong.kind, pong.flags, pong.length), (PING, ACK, 77));
        theirs.write_all(&[data(3, b"noise"), data(1, b"hello")].concat()).unwrap();
        let mut text = [0; 5];
        stream.read_exact(&mut text).unwrap();
        assert_eq!(&text, b"hello");
        for stream in [3, 1] {
            let (update, _) = take(&mut theirs);
            assert_eq!((update.kind, update.stream, update.length), (WINDOW_UPDATE, stream, 5));
        }
        let sending = thread::spawn(move || {
            stream.send(&vec![1; WINDOW as usize + 10]).unwrap();
            stream
        });
        assert_eq!(take(&mut theirs).1.len(), WINDOW as usize);
        theirs.write_all(&Frame { kind: WINDOW_UPDATE, flags: 0, stream: 1, length: 100 }.bytes()).unwrap();
        assert_eq!(take(&mut theirs).1.len(), 10);
        let mut stream = sending.join().unwrap();
        drop(theirs);
        assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0);
        assert!(stream.send(b"more").is_err());
    }

    #[test]
    fn another_protocol_ends_the_connection() {
        for noise in [&[9; 12][..], &data(1, &[0; 10])[..11], &[0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff]] {
            let (ours, mut theirs) = UnixStream::pair().unwrap();
            let session = Session::new(ours).unwrap();
            let mut stream = session.open().unwrap();
            theirs.write_all(noise).unwrap();
            theirs.shutdown(std::net::Shutdown::Write).unwrap();
            assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0);
        }
    }
}
