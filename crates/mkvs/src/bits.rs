//! Keys and labels as strings of bits, the highest bit of a byte first.
//!
//! Source: go/storage/mkvs/node/key.go.

use crate::small::Label;

/// The number of bytes that hold `bits` bits.
pub(crate) fn bytes_for(bits: usize) -> usize {
    bits.div_ceil(8)
}

/// The length of a key in bits.
pub(crate) fn len(key: &[u8]) -> usize {
    key.len().saturating_mul(8)
}

/// The bit at a position; bits past the end are zero.
pub(crate) fn bit(key: &[u8], at: usize) -> bool {
    key.get(at / 8).is_some_and(|byte| byte & mask(at) != 0)
}

fn mask(at: usize) -> u8 {
    0x80 >> (at & 7)
}

/// Eight bits from a position on, zeros past the end.
fn octet(key: &[u8], from: usize) -> u8 {
    let first = from / 8;
    let high = key.get(first).copied().unwrap_or(0);
    match from & 7 {
        0 => high,
        shift => {
            let low = key.get(first.saturating_add(1)).copied().unwrap_or(0);
            let word = u16::from_be_bytes([high, low]);
            let [_, out] = (word >> 8usize.saturating_sub(shift)).to_be_bytes();
            out
        }
    }
}

/// Bits `from..to`, moved to the front of a string of their own, zeros after them.
///
/// Source: go/storage/mkvs/node/key.go, `Key.Split`.
pub(crate) fn slice(key: &[u8], from: usize, to: usize) -> Label {
    let count = to.saturating_sub(from);
    let mut out = Label::zeroed(bytes_for(count));
    for (i, byte) in out.iter_mut().enumerate() {
        *byte = octet(key, from.saturating_add(i.saturating_mul(8)));
    }
    clear_tail(&mut out, count);
    out
}

fn clear_tail(out: &mut [u8], bits: usize) {
    let used = bits & 7;
    if used != 0
        && let Some(last) = out.last_mut()
    {
        *last &= !(0xffu8 >> used);
    }
}

/// The first `a_bits` of `a` and then the first `b_bits` of `b`.
///
/// Source: go/storage/mkvs/node/key.go, `Key.Merge`.
pub(crate) fn join(a: &[u8], a_bits: usize, b: &[u8], b_bits: usize) -> Label {
    let total = a_bits.saturating_add(b_bits);
    let mut out = Label::zeroed(bytes_for(total));
    for (to, from) in out.iter_mut().zip(a).take(bytes_for(a_bits)) {
        *to = *from;
    }
    if let Some(front) = out.get_mut(..bytes_for(a_bits)) {
        clear_tail(front, a_bits);
    }
    let shift = a_bits & 7;
    let start = a_bits / 8;
    for (i, byte) in b.iter().take(bytes_for(b_bits)).enumerate() {
        let [high, low] = (u16::from(*byte) << 8usize.saturating_sub(shift)).to_be_bytes();
        let at = start.saturating_add(i);
        if let Some(place) = out.get_mut(at) {
            *place |= high;
        }
        if let Some(place) = out.get_mut(at.saturating_add(1)) {
            *place |= low;
        }
    }
    clear_tail(&mut out, total);
    out
}

/// The first `bits` of a string and one bit more.
///
/// Source: go/storage/mkvs/node/key.go, `Key.AppendBit`.
pub(crate) fn append(key: &[u8], bits: usize, value: bool) -> Vec<u8> {
    let mut out = key.to_vec();
    out.resize(bytes_for(bits.saturating_add(1)), 0);
    if let Some(byte) = out.get_mut(bits / 8) {
        if value {
            *byte |= mask(bits);
        } else {
            *byte &= !mask(bits);
        }
    }
    out
}

/// How many bits a label and a key from bit `from` on have in common.
///
/// Source: go/storage/mkvs/node/key.go, `Key.CommonPrefixLen`.
pub(crate) fn common(label: &[u8], label_bits: usize, key: &[u8], from: usize) -> usize {
    let limit = label_bits.min(len(key).saturating_sub(from));
    let mut found = 0usize;
    for byte in label {
        if found >= limit {
            break;
        }
        let differing = byte ^ octet(key, from.saturating_add(found));
        if differing != 0 {
            found = found.saturating_add(usize::try_from(differing.leading_zeros()).unwrap_or(0));
            break;
        }
        found = found.saturating_add(8);
    }
    found.min(limit)
}

/// How many bits two keys have in common, from bit `from` on.
pub(crate) fn common_keys(a: &[u8], b: &[u8], from: usize) -> usize {
    let limit = len(a).min(len(b));
    let mut at = from & !7;
    let start = from / 8;
    for (x, y) in a.iter().zip(b).skip(start) {
        let differing = x ^ y;
        if differing != 0 {
            at = at.saturating_add(usize::try_from(differing.leading_zeros()).unwrap_or(0));
            break;
        }
        at = at.saturating_add(8);
    }
    at.min(limit).saturating_sub(from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn naive(key: &[u8]) -> Vec<bool> {
        (0..len(key)).map(|i| key[i / 8] >> (7 - i % 8) & 1 == 1).collect()
    }

    fn pack(bits: &[bool]) -> Vec<u8> {
        let mut out = vec![0; bits.len().div_ceil(8)];
        for (i, b) in bits.iter().enumerate() {
            if *b {
                out[i / 8] |= 0x80 >> (i % 8);
            }
        }
        out
    }

    proptest! {
        #[test]
        fn slices_joins_and_prefixes_agree_with_lists_of_bits(a in proptest::collection::vec(any::<u8>(), 0..6), b in proptest::collection::vec(any::<u8>(), 0..6), x in 0usize..48, y in 0usize..48) {
            let bits = naive(&a);
            let (x, y) = (x.min(bits.len()), y.min(bits.len()));
            let (from, to) = (x.min(y), x.max(y));
            let part = slice(&a, from, to);
            prop_assert_eq!(&part[..], &pack(&bits[from..to])[..]);
            let other = naive(&b);
            let mut both = bits[from..to].to_vec();
            both.extend(&other);
            prop_assert_eq!(&join(&part, to - from, &b, other.len())[..], &pack(&both)[..]);
            let expected = bits[from..to].iter().zip(&other).take_while(|(p, q)| p == q).count();
            prop_assert_eq!(common(&part, to - from, &b, 0), expected);
            let from = from.min(other.len());
            let expected = bits[from..].iter().zip(&other[from..]).take_while(|(p, q)| p == q).count();
            if bits[..from] == other[..from] {
                prop_assert_eq!(common_keys(&a, &b, from), expected);
            }
        }
    }
}
