//! Writing canonical CBOR.

/// A value with a canonical encoding.
pub trait Encode {
    /// Appends the encoding.
    fn encode(&self, e: &mut Encoder);

    /// Whether a field marked `omitempty` leaves this value out.
    fn is_empty(&self) -> bool {
        false
    }

    /// Appends the encoding of a sequence of these: an array, for bytes a byte string.
    fn encode_slice(slice: &[Self], e: &mut Encoder)
    where
        Self: Sized,
    {
        e.array(slice.len());
        for item in slice {
            item.encode(e);
        }
    }
}

/// Collects encoded items.
#[derive(Clone, Debug, Default)]
pub struct Encoder {
    out: Vec<u8>,
}

impl Encoder {
    /// An encoder without bytes.
    pub fn new() -> Self {
        Self::default()
    }

    /// What was written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    /// Appends a head: major type 0 to 7 and its argument in the shortest form.
    fn head(&mut self, major: u8, argument: u64) {
        let major = major << 5;
        // The argument's range decides how many bytes follow (RFC 7049, section 3.9).
        if let Ok(byte) = u8::try_from(argument) {
            if byte < 24 {
                self.out.push(major | byte);
            } else {
                self.out.extend_from_slice(&[major | 24, byte]);
            }
        } else if let Ok(short) = u16::try_from(argument) {
            self.out.push(major | 25);
            self.out.extend_from_slice(&short.to_be_bytes());
        } else if let Ok(word) = u32::try_from(argument) {
            self.out.push(major | 26);
            self.out.extend_from_slice(&word.to_be_bytes());
        } else {
            self.out.push(major | 27);
            self.out.extend_from_slice(&argument.to_be_bytes());
        }
    }

    /// An unsigned integer.
    pub fn uint(&mut self, value: u64) {
        self.head(0, value);
    }

    /// A signed integer.
    pub fn int(&mut self, value: i64) {
        match u64::try_from(value) {
            Ok(value) => self.head(0, value),
            // -1 - n is written as n, which is the bitwise complement.
            Err(_) => self.head(1, (!value).cast_unsigned()),
        }
    }

    /// The negative integer -1 - n.
    pub fn negative(&mut self, n: u64) {
        self.head(1, n);
    }

    /// A byte string.
    pub fn bytes(&mut self, value: &[u8]) {
        self.head(2, value.len() as u64);
        self.out.extend_from_slice(value);
    }

    /// A text string.
    pub fn text(&mut self, value: &str) {
        self.head(3, value.len() as u64);
        self.out.extend_from_slice(value.as_bytes());
    }

    /// The head of an array of `len` items, which the caller writes next.
    pub fn array(&mut self, len: usize) {
        self.head(4, len as u64);
    }

    /// The head of a map of `len` pairs, which the caller writes next in canonical order.
    pub fn map(&mut self, len: usize) {
        self.head(5, len as u64);
    }

    /// True or false.
    pub fn bool(&mut self, value: bool) {
        self.out.push(if value { 0xf5 } else { 0xf4 });
    }

    /// Null.
    pub fn null(&mut self) {
        self.out.push(0xf6);
    }

    /// Bytes that are an encoding already.
    pub fn raw(&mut self, encoded: &[u8]) {
        self.out.extend_from_slice(encoded);
    }
}

/// Writes a map whose pairs are sorted by the canonical order of their encoded keys.
pub fn write_sorted_map<'a, K, V>(e: &mut Encoder, pairs: impl Iterator<Item = (&'a K, &'a V)>)
where
    K: Encode + 'a,
    V: Encode + 'a,
{
    let mut encoded: Vec<(Vec<u8>, &V)> = pairs.map(|(k, v)| (super::to_vec(k), v)).collect();
    encoded.sort_by(|(a, _), (b, _)| a.len().cmp(&b.len()).then_with(|| a.cmp(b)));
    e.map(encoded.len());
    for (key, value) in encoded {
        e.raw(&key);
        value.encode(e);
    }
}
