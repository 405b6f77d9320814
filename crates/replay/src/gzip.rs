//! Reading gzip strictly: one member, checked to its last byte.
//!
//! The usual readers pass over what the checksum does not cover: time and system in the header, what follows the end.
//! A recording has none of that, so a difference there means that the file was changed.

use std::io::{self, BufRead, Read};

use flate2::{Crc, bufread::DeflateDecoder};

/// Longest file name that a header may carry, in bytes.
const MAX_NAME: usize = 4096;
/// Header flag: a file name follows.
const FLAG_NAME: u8 = 8;

/// Decompresses one gzip member and fails at its end unless checksum and length hold and nothing follows.
#[derive(Debug)]
pub struct StrictGzip<R> {
    inflate: DeflateDecoder<R>,
    crc: Crc,
    done: bool,
}

impl<R: BufRead> StrictGzip<R> {
    /// Reads the header.
    pub fn new(mut input: R) -> io::Result<Self> {
        let mut header = [0; 10];
        input.read_exact(&mut header).map_err(|e| named("gzip header", e))?;
        check_header(&header).map_err(invalid)?;
        if header[3] & FLAG_NAME != 0 {
            let mut name = Vec::new();
            input.by_ref().take(MAX_NAME as u64).read_until(0, &mut name)?;
            if name.last() != Some(&0) {
                return Err(invalid("gzip header: file name without an end".into()));
            }
        }
        Ok(Self { inflate: DeflateDecoder::new(input), crc: Crc::new(), done: false })
    }

    fn finish(&mut self) -> io::Result<()> {
        let input = self.inflate.get_mut();
        let mut trailer = [0; 8];
        input.read_exact(&mut trailer).map_err(|e| named("gzip trailer", e))?;
        let [c0, c1, c2, c3, l0, l1, l2, l3] = trailer;
        let (crc, length) = (u32::from_le_bytes([c0, c1, c2, c3]), u32::from_le_bytes([l0, l1, l2, l3]));
        if crc != self.crc.sum() {
            return Err(invalid(format!("gzip checksum {:08x} instead of {crc:08x}", self.crc.sum())));
        }
        if length != self.crc.amount() {
            return Err(invalid(format!("gzip length {} instead of {length}", self.crc.amount())));
        }
        if !input.fill_buf()?.is_empty() {
            return Err(invalid("bytes after the end of the gzip stream".into()));
        }
        Ok(())
    }
}

impl<R: BufRead> Read for StrictGzip<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.done || buf.is_empty() {
            return Ok(0);
        }
        let n = self.inflate.read(buf)?;
        if n == 0 {
            self.finish()?;
            self.done = true;
        }
        self.crc.update(&buf[..n]);
        Ok(n)
    }
}

/// Takes the headers that tools write, such that no single changed byte of a header without a time gives another of them.
fn check_header(header: &[u8; 10]) -> Result<(), String> {
    let [m0, m1, method, flags, t0, t1, t2, t3, level, system] = *header;
    if [m0, m1, method] != [0x1f, 0x8b, 8] {
        return Err("not a gzip file".into());
    }
    if flags & !FLAG_NAME != 0 {
        return Err(format!("gzip header: flags {flags:#x}"));
    }
    let zeros = [t0, t1, t2, t3].iter().filter(|b| **b == 0).count();
    let known = match (zeros, flags) {
        (4, 0) => matches!((level, system), (2, 255) | (2, 3) | (0, 3)),
        (0 | 1, _) => matches!(level, 0 | 2 | 4) && matches!(system, 3 | 255),
        _ => false,
    };
    if known { Ok(()) } else { Err("gzip header: time, level and system that no tool writes together".into()) }
}

fn invalid(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

fn named(what: &str, e: io::Error) -> io::Error {
    io::Error::new(e.kind(), format!("{what}: {e}"))
}
