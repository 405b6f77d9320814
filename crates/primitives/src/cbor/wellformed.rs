//! The first pass: is the item whole and within the limits of the mode?
//!
//! Source: fxamacker/cbor v2 `valid.go`, `validInternal`.

use super::{Error, Mode};

/// Levels of arrays, maps and tags that may nest.
const MAX_DEPTH: u32 = 32;

/// A head: major type, additional information, argument, and where the next byte stands.
pub(super) struct Head {
    pub major: u8,
    pub info: u8,
    pub argument: u64,
    pub end: usize,
}

/// Reads the head at `at`.
pub(super) fn head(data: &[u8], at: usize) -> Result<Head, Error> {
    let first = *data.get(at).ok_or(Error::UnexpectedEnd(at))?;
    let (major, info) = (first >> 5, first & 0x1f);
    let after = at.saturating_add(1);
    let argument_of = |len: usize| -> Result<(u64, usize), Error> {
        let end = after.saturating_add(len);
        let bytes = data.get(after..end).ok_or(Error::UnexpectedEnd(at))?;
        Ok((bytes.iter().fold(0u64, |n, b| (n << 8) | u64::from(*b)), end))
    };
    let (argument, end) = match info {
        0..=23 => (u64::from(info), after),
        24 => argument_of(1)?,
        25 => argument_of(2)?,
        26 => argument_of(4)?,
        27 => argument_of(8)?,
        31 if matches!(major, 2..=5) => (31, after),
        _ => return Err(Error::InvalidHead(at)),
    };
    if major == 7 && info == 24 && argument < 32 {
        return Err(Error::InvalidHead(at));
    }
    Ok(Head { major, info, argument, end })
}

/// Checks the item at `at` and returns where the next one stands.
pub(super) fn check(data: &[u8], at: usize, mode: Mode) -> Result<usize, Error> {
    if at >= data.len() {
        return Err(Error::Empty);
    }
    item(data, at, 0, mode)
}

fn item(data: &[u8], at: usize, depth: u32, mode: Mode) -> Result<usize, Error> {
    let h = head(data, at)?;
    match h.major {
        2 | 3 if h.info == 31 => {
            if !mode.indefinite_lengths() {
                return Err(Error::IndefiniteLength(at));
            }
            chunks(data, h.end, h.major)
        }
        2 | 3 => string_end(data, at, &h),
        4 | 5 => {
            let depth = deeper(depth)?;
            if h.info == 31 {
                if !mode.indefinite_lengths() {
                    return Err(Error::IndefiniteLength(at));
                }
                return until_break(data, h.end, h.major, depth, mode);
            }
            if h.argument > mode.max_elements() {
                return Err(Error::TooManyElements(h.argument));
            }
            let items = if h.major == 5 { h.argument.saturating_mul(2) } else { h.argument };
            let mut end = h.end;
            // Each item takes at least a byte, so a length that lies ends at the end of the input.
            for _ in 0..items {
                end = item(data, end, depth, mode)?;
            }
            Ok(end)
        }
        6 => {
            if !mode.tags() {
                return Err(Error::Tag(at));
            }
            let (mut end, mut depth) = (h.end, depth);
            while data.get(end).is_some_and(|b| b >> 5 == 6) {
                end = head(data, end)?.end;
                depth = deeper(depth)?;
            }
            item(data, end, depth, mode)
        }
        _ => Ok(h.end),
    }
}

fn deeper(depth: u32) -> Result<u32, Error> {
    if depth >= MAX_DEPTH { Err(Error::TooDeep) } else { Ok(depth.saturating_add(1)) }
}

fn string_end(data: &[u8], at: usize, h: &Head) -> Result<usize, Error> {
    let len = usize::try_from(h.argument).map_err(|_| Error::UnexpectedEnd(at))?;
    match h.end.checked_add(len) {
        Some(end) if end <= data.len() => Ok(end),
        _ => Err(Error::UnexpectedEnd(at)),
    }
}

fn chunks(data: &[u8], mut at: usize, major: u8) -> Result<usize, Error> {
    loop {
        match data.get(at) {
            None => return Err(Error::UnexpectedEnd(at)),
            Some(0xff) => return Ok(at.saturating_add(1)),
            Some(_) => {}
        }
        let h = head(data, at)?;
        if h.major != major || h.info == 31 {
            return Err(Error::InvalidHead(at));
        }
        at = string_end(data, at, &h)?;
    }
}

fn until_break(data: &[u8], mut at: usize, major: u8, depth: u32, mode: Mode) -> Result<usize, Error> {
    let mut items = 0u64;
    loop {
        match data.get(at) {
            None => return Err(Error::UnexpectedEnd(at)),
            Some(0xff) if major == 5 && !items.is_multiple_of(2) => return Err(Error::InvalidHead(at)),
            Some(0xff) => return Ok(at.saturating_add(1)),
            Some(_) => {}
        }
        at = item(data, at, depth, mode)?;
        items = items.saturating_add(1);
        let elements = if major == 5 { items / 2 } else { items };
        if elements > mode.max_elements() {
            return Err(Error::TooManyElements(elements));
        }
    }
}
