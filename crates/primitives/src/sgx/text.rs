//! Base64, PEM and percent-encoding as Go's standard library reads them.

/// Reads base64: line ends anywhere are passed over, padding is needed, unused bits may be set.
pub(super) fn decode_base64(text: &[u8]) -> Option<Vec<u8>> {
    crate::text::from_base64(std::str::from_utf8(text).ok()?)
}

/// Replaces `%XX` and `+`.
///
/// Source: Go `net/url`, `QueryUnescape`.
pub(super) fn query_unescape(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.iter().copied();
    while let Some(b) = bytes.next() {
        match b {
            b'%' => {
                let digits = [bytes.next()?, bytes.next()?];
                let mut byte = [0];
                hex::decode_to_slice(digits, &mut byte).ok()?;
                out.extend_from_slice(&byte);
            }
            b'+' => out.push(b' '),
            b => out.push(b),
        }
    }
    Some(out)
}

/// A PEM block.
pub(super) struct PemBlock {
    pub(super) label: Vec<u8>,
    pub(super) bytes: Vec<u8>,
}

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const DASHES: &[u8] = b"-----";

/// Finds the next PEM block; what looks like one and is not is passed over. Gives it and what follows its last line.
///
/// Source: Go 1.17 `encoding/pem`, `Decode`.
pub(super) fn next_pem(data: &[u8]) -> Option<(PemBlock, &[u8])> {
    let mut rest = data;
    loop {
        let after_begin = if let Some(rest) = rest.strip_prefix(BEGIN) {
            rest
        } else {
            let at = find(rest, b"\n-----BEGIN ")?;
            rest.get(at.checked_add(1)?..)?.strip_prefix(BEGIN)?
        };
        match pem_body(after_begin) {
            Ok(found) => return Some(found),
            // Strictly shorter than before: the start of the refused block is gone.
            Err(Some(next)) => rest = next,
            Err(None) => return None,
        }
    }
}

/// Reads a block after its `BEGIN `; where it is refused, says where the search goes on, if at all.
fn pem_body(data: &[u8]) -> Result<(PemBlock, &[u8]), Option<&[u8]>> {
    let (type_line, mut rest) = line(data);
    let Some(label) = type_line.strip_suffix(DASHES) else { return Err(Some(rest)) };
    let mut headers = false;
    loop {
        if rest.is_empty() {
            return Err(None);
        }
        let (header, next) = line(rest);
        if !header.contains(&b':') {
            break;
        }
        headers = true;
        rest = next;
    }
    let refused = Err(Some(rest));
    let (body, trailer) = if !headers && rest.starts_with(END) {
        (&[][..], rest.strip_prefix(END))
    } else {
        let Some(at) = find(rest, b"\n-----END ") else { return refused };
        let Some((body, trailer)) = rest.split_at_checked(at) else { return refused };
        (body, trailer.get(1..).and_then(|t| t.strip_prefix(END)))
    };
    let Some(trailer) = trailer else { return refused };
    let Some(after) = trailer.strip_prefix(label).and_then(|t| t.strip_prefix(DASHES)) else { return refused };
    if !line(after).0.is_empty() {
        return refused;
    }
    let text: Vec<u8> = body.iter().copied().filter(|b| !matches!(b, b' ' | b'\t')).collect();
    let Some(bytes) = decode_base64(&text) else { return refused };
    let (_, next) = line(trailer);
    Ok((PemBlock { label: label.to_vec(), bytes }, next))
}

/// The first line without its end and without blanks before that, and what follows.
fn line(data: &[u8]) -> (&[u8], &[u8]) {
    let (mut first, rest) = match data.iter().position(|b| *b == b'\n') {
        Some(at) => {
            let (first, rest) = data.split_at_checked(at).unwrap_or((data, &[]));
            (first.strip_suffix(b"\r").unwrap_or(first), rest.get(1..).unwrap_or_default())
        }
        None => (data, &[][..]),
    };
    while let [shorter @ .., b' ' | b'\t'] = first {
        first = shorter;
    }
    (first, rest)
}

fn find(data: &[u8], what: &[u8]) -> Option<usize> {
    data.windows(what.len()).position(|w| w == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_skips_line_ends_and_unused_bits() {
        assert_eq!(decode_base64(b"A\nQ=\r=\n").unwrap(), [1]);
        assert_eq!(decode_base64(b"AR==").unwrap(), [1]);
        assert!(decode_base64(b"AQ").is_none());
        assert!(decode_base64(b"A Q==").is_none());
    }

    #[test]
    fn pem_passes_over_what_is_not_a_block() {
        let text = b"x\n-----BEGIN A----\n-----BEGIN B-----\nAQ==\n-----END C-----\n-----BEGIN D-----\nAQ==\n-----END D-----\nrest";
        let (block, rest) = next_pem(text).unwrap();
        assert_eq!((block.label.as_slice(), block.bytes.as_slice(), rest), (&b"D"[..], &[1][..], &b"rest"[..]));
        assert!(next_pem(rest).is_none());
        assert!(next_pem(b"-----BEGIN A-----\n").is_none());
        assert!(next_pem(b"-----BEGIN A-----\n-----END A-----").unwrap().0.bytes.is_empty());
    }

    #[test]
    fn percent_needs_two_digits() {
        assert_eq!(query_unescape(b"a%20b+c").unwrap(), b"a b c");
        assert!(query_unescape(b"%2").is_none());
        assert!(query_unescape(b"%zz").is_none());
    }
}
