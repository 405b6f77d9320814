//! As much of Go's gob as `net/rpc` needs: fixed requests out, answers in.
//!
//! What a stream holds is known beforehand, so the definitions of types that it has before its values are passed over.
//! Source: Go's `encoding/gob`, doc.go; `net/rpc`, server.go.

use std::io::{self, Read};

/// The largest message that is taken, bytes.
const MAX_MESSAGE: u64 = 1 << 20;

/// Numbers of the types that every stream knows. Source: `encoding/gob`, type.go, `tBool`….
const BOOL: i64 = 1;
const INT: i64 = 2;
const UINT: i64 = 3;
const BYTES: i64 = 5;
const STRING: i64 = 6;
/// Numbers of types that a stream defines begin here; these are in the order in which they are first sent.
const REQUEST: i64 = 64;
const INIT: i64 = 65;
const ROLES: i64 = 66;
const LOAD: i64 = 67;
const SIGN: i64 = 68;

fn put_uint(out: &mut Vec<u8>, value: u64) {
    if value < 0x80 {
        return out.push(value as u8);
    }
    let bytes = value.to_be_bytes();
    let rest = bytes.get(value.leading_zeros() as usize / 8..).unwrap_or_default();
    out.push(0u8.wrapping_sub(rest.len() as u8));
    out.extend_from_slice(rest);
}

fn put_int(out: &mut Vec<u8>, value: i64) {
    put_uint(out, ((value << 1) ^ (value >> 63)).cast_unsigned());
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_uint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// A struct's fields in their order; those that are zero are left out.
#[derive(Default)]
struct Fields {
    out: Vec<u8>,
    skipped: u64,
}

impl Fields {
    fn field(mut self, zero: bool, put: impl FnOnce(&mut Vec<u8>)) -> Self {
        self.skipped += 1;
        if !zero {
            put_uint(&mut self.out, self.skipped);
            self.skipped = 0;
            put(&mut self.out);
        }
        self
    }

    fn text(self, text: &str) -> Self {
        self.field(text.is_empty(), |out| put_bytes(out, text.as_bytes()))
    }

    fn int(self, value: i64) -> Self {
        self.field(value == 0, |out| put_int(out, value))
    }

    fn end(mut self) -> Vec<u8> {
        self.out.push(0);
        self.out
    }
}

/// A message: its length, the number of a type, and the value.
fn message(id: i64, value: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    put_int(&mut body, id);
    body.extend_from_slice(value);
    let mut out = Vec::new();
    put_bytes(&mut out, &body);
    out
}

/// A value that is no struct stands after a zero.
fn single(id: i64, put: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut value = vec![0];
    put(&mut value);
    message(id, &value)
}

fn common(name: &str, id: i64) -> Vec<u8> {
    Fields::default().text(name).int(id).end()
}

/// Source: `encoding/gob`, type.go, `wireType`, `structType`, `fieldType`.
fn define_struct(id: i64, name: &str, fields: &[(&str, i64)]) -> Vec<u8> {
    let list = |out: &mut Vec<u8>| {
        put_uint(out, fields.len() as u64);
        for (name, id) in fields {
            out.extend_from_slice(&common(name, *id));
        }
    };
    let definition = Fields::default().field(false, |out| out.extend_from_slice(&common(name, id))).field(false, list).end();
    let wire = Fields { skipped: 2, ..Default::default() }.field(false, |out| out.extend_from_slice(&definition)).end();
    message(-id, &wire)
}

/// Source: `encoding/gob`, type.go, `sliceType`.
fn define_slice(id: i64, name: &str, element: i64) -> Vec<u8> {
    let definition = Fields::default().field(false, |out| out.extend_from_slice(&common(name, id))).int(element).end();
    let wire = Fields { skipped: 1, ..Default::default() }.field(false, |out| out.extend_from_slice(&definition)).end();
    message(-id, &wire)
}

/// What a plugin is asked.
///
/// Source: go/common/crypto/signature/signers/plugin/rpc.go; go-plugin, rpc_server.go.
#[derive(Clone, Copy, Debug)]
pub enum Call<'a> {
    /// For the plugin itself, of a program that could have several.
    Dispense(&'a str),
    /// To end.
    Quit,
    /// To get ready.
    Initialize {
        /// Its configuration.
        config: &'a str,
        /// The roles that will sign, by number.
        roles: &'a [i64],
    },
    /// For a key to be there.
    Load {
        /// Whose.
        role: i64,
        /// Whether it is a new one.
        generate: bool,
    },
    /// Which key it is.
    Public {
        /// Whose.
        role: i64,
    },
    /// For a signature.
    Sign {
        /// Whose.
        role: i64,
        /// The whole context.
        context: &'a str,
        /// The message.
        message: &'a [u8],
    },
}

impl Call<'_> {
    fn method(&self) -> &'static str {
        match self {
            Self::Dispense(_) => "Dispenser.Dispense",
            Self::Quit => "Control.Quit",
            Self::Initialize { .. } => "Plugin.Initialize",
            Self::Load { .. } => "Plugin.Load",
            Self::Public { .. } => "Plugin.Public",
            Self::Sign { .. } => "Plugin.ContextSign",
        }
    }
}

/// Writes the calls of one stream.
#[derive(Debug, Default)]
pub struct Writer {
    defined: Vec<i64>,
    calls: u64,
}

impl Writer {
    fn define(&mut self, out: &mut Vec<u8>, id: i64, definition: impl FnOnce() -> Vec<u8>) {
        if !self.defined.contains(&id) {
            self.defined.push(id);
            out.extend(definition());
        }
    }

    /// The bytes of the next call. Source: `net/rpc`, client.go, `gobClientCodec.WriteRequest`.
    pub fn call(&mut self, call: &Call<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        self.define(&mut out, REQUEST, || define_struct(REQUEST, "Request", &[("ServiceMethod", STRING), ("Seq", UINT)]));
        let number = self.calls;
        self.calls = number.wrapping_add(1);
        let request = Fields::default().text(call.method()).field(number == 0, |out| put_uint(out, number)).end();
        out.extend(message(REQUEST, &request));
        match call {
            Call::Dispense(name) => out.extend(single(STRING, |out| put_bytes(out, name.as_bytes()))),
            Call::Quit => out.extend(single(BOOL, |out| put_uint(out, 1))),
            Call::Public { role } => out.extend(single(INT, |out| put_int(out, *role))),
            Call::Initialize { config, roles } => {
                self.define(&mut out, INIT, || {
                    let mut both = define_struct(INIT, "RPCInitArgs", &[("Config", STRING), ("Roles", ROLES)]);
                    both.extend(define_slice(ROLES, "[]signature.SignerRole", INT));
                    both
                });
                let list = |out: &mut Vec<u8>| {
                    put_uint(out, roles.len() as u64);
                    roles.iter().for_each(|role| put_int(out, *role));
                };
                out.extend(message(INIT, &Fields::default().text(config).field(roles.is_empty(), list).end()));
            }
            Call::Load { role, generate } => {
                self.define(&mut out, LOAD, || define_struct(LOAD, "RPCLoadArgs", &[("Role", INT), ("MustGenerate", BOOL)]));
                out.extend(message(LOAD, &Fields::default().int(*role).field(!generate, |out| put_uint(out, 1)).end()));
            }
            Call::Sign { role, context, message: text } => {
                let fields = [("Role", INT), ("RawContext", STRING), ("Message", BYTES)];
                self.define(&mut out, SIGN, || define_struct(SIGN, "RPCContextSignArgs", &fields));
                let value = Fields::default().int(*role).text(context).field(text.is_empty(), |out| put_bytes(out, text));
                out.extend(message(SIGN, &value.end()));
            }
        }
        out
    }
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the plugin's answer can't be read: {what}"))
}

fn read_uint(from: &mut impl Read) -> io::Result<u64> {
    let mut first = [0];
    from.read_exact(&mut first)?;
    let [first] = first;
    if first < 0x80 {
        return Ok(first.into());
    }
    let length = usize::from(0u8.wrapping_sub(first));
    let mut bytes = [0; 8];
    let rest = 8usize.checked_sub(length).and_then(|at| bytes.get_mut(at..)).ok_or_else(|| wrong("a number of more than 8 bytes"))?;
    from.read_exact(rest)?;
    Ok(u64::from_be_bytes(bytes))
}

fn read_int(from: &mut impl Read) -> io::Result<i64> {
    let value = read_uint(from)?;
    Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
}

fn read_bytes(from: &mut &[u8]) -> io::Result<Vec<u8>> {
    let length = read_uint(from)?;
    let length = usize::try_from(length).map_err(|_| wrong("a length"))?;
    let (bytes, rest) = from.split_at_checked(length).ok_or_else(|| wrong("a length beyond the message"))?;
    *from = rest;
    Ok(bytes.to_vec())
}

/// The next value's bytes; definitions before it are passed over.
fn read_value(from: &mut impl Read) -> io::Result<Vec<u8>> {
    loop {
        let length = read_uint(from)?;
        if length > MAX_MESSAGE {
            return Err(wrong("a message of more than 1 MiB"));
        }
        let mut bytes = Vec::new();
        from.take(length).read_to_end(&mut bytes)?;
        if bytes.len() as u64 != length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut rest = bytes.as_slice();
        if read_int(&mut rest)? > 0 {
            return Ok(rest.to_vec());
        }
    }
}

/// What a call came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The number of the call.
    pub call: u64,
    /// Why it failed, in the plugin's words; empty where it did not.
    pub error: String,
    /// The value's bytes.
    value: Vec<u8>,
}

/// Reads the answer of a call. Source: `net/rpc`, server.go, `Response`, `gobServerCodec.WriteResponse`.
pub fn read_answer(from: &mut impl Read) -> io::Result<Answer> {
    let head = read_value(from)?;
    let mut rest = head.as_slice();
    let mut answer = Answer { call: 0, error: String::new(), value: Vec::new() };
    let mut field = 0u64;
    loop {
        match read_uint(&mut rest)? {
            0 => break,
            skip => field = field.saturating_add(skip),
        }
        match field {
            1 => drop(read_bytes(&mut rest)?),
            2 => answer.call = read_uint(&mut rest)?,
            3 => answer.error = String::from_utf8_lossy(&read_bytes(&mut rest)?).into_owned(),
            _ => return Err(wrong("a field that is not there")),
        }
    }
    answer.value = read_value(from)?;
    Ok(answer)
}

impl Answer {
    fn single(&self) -> io::Result<&[u8]> {
        self.value.strip_prefix(&[0]).ok_or_else(|| wrong("expected one value"))
    }

    /// The value as a number.
    pub fn number(&self) -> io::Result<u64> {
        read_uint(&mut self.single()?)
    }

    /// The value as bytes.
    pub fn bytes(&self) -> io::Result<Vec<u8>> {
        read_bytes(&mut self.single()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // What Go's encoder wrote, of one stream each.
    const REQUEST: &str = "2e7f030101075265717565737401ff80000102010d536572766963654d6574686f64010c0001035365710106000000";
    const INITIALIZE: &str = "16ff800111506c7567696e2e496e697469616c697a6500\
        2fff810301010b525043496e69744172677301ff820001020106436f6e666967010c000105526f6c657301ff84000000\
        24ff83020101165b5d7369676e61747572652e5369676e6572526f6c6501ff84000104000\
        00dff820104636f6e660102020800";
    const LOAD: &str = "12ff80010b506c7567696e2e4c6f6164010100\
        33ff850301010b5250434c6f61644172677301ff860001020104526f6c65010400010c4d75737447656e65726174650102000000\
        07ff860102010100";
    const SIGN: &str = "44ff8703010112525043436f6e746578745369676e4172677301ff880001030104526f6c65010400010a526177436f6e74657874010c0001\
        074d657373616765010a000000ffd5ff880104010363747801ffc8";
    const ANSWERS: &str = "3aff8903010108526573706f6e736501ff8a000103010d536572766963654d6574686f64010c00010353657101060001054572726f72010c000000\
        17ff8a011244697370656e7365722e44697370656e73650003060001\
        18ff8a0111506c7567696e2e496e697469616c697a6501010003100000\
        21ff8a010b506c7567696e2e4c6f616401fe012c010b6e6f2073756368206b6579000aff8b030102ff8c00000003ff8c00\
        16ff8a010d506c7567696e2e5075626c696301fe012d00\
        0aff8d060102ff9000000024ff8e00200102030000000000000000000000000000000000000000000000000000000000";

    fn go(hex: &str) -> Vec<u8> {
        hex::decode(hex).unwrap()
    }

    #[test]
    fn calls_are_written_as_go_writes_them() {
        let mut writer = Writer::default();
        let first = writer.call(&Call::Initialize { config: "conf", roles: &[1, 4] });
        assert_eq!(hex::encode(first), [REQUEST, INITIALIZE].concat());
        assert_eq!(writer.call(&Call::Load { role: 1, generate: true }), go(LOAD));
        let sign = writer.call(&Call::Sign { role: 2, context: "ctx", message: &[7; 200] });
        let body = [go(SIGN), vec![7; 200], vec![0]].concat();
        assert!(sign.ends_with(&body));
        assert!(writer.call(&Call::Public { role: 3 }).ends_with(&go("03040006")));
        assert!(writer.call(&Call::Dispense("oasis_core_signer")).ends_with(&go("140c00116f617369735f636f72655f7369676e6572")));
        assert!(writer.call(&Call::Quit).ends_with(&go("03020001")));
    }

    #[test]
    fn answers_of_go_are_read() {
        let bytes = go(ANSWERS);
        let mut from = bytes.as_slice();
        let mut next = || read_answer(&mut from).unwrap();
        assert_eq!(next().number().unwrap(), 1);
        let done = next();
        assert_eq!((done.call, done.error.as_str()), (1, ""));
        let failed = next();
        assert_eq!((failed.call, failed.error.as_str()), (300, "no such key"));
        assert_eq!(next().bytes().unwrap()[..4], [1, 2, 3, 0]);
        assert!(from.is_empty());
    }

    #[test]
    fn an_answer_cut_off_anywhere_is_an_error() {
        let bytes = go(ANSWERS);
        let one = bytes.len() - {
            let mut rest = bytes.as_slice();
            read_answer(&mut rest).unwrap();
            rest.len()
        };
        for end in 0..one {
            assert!(read_answer(&mut &bytes[..end]).is_err(), "{end}");
        }
        assert!(read_answer(&mut &[0xf8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff][..]).is_err());
        assert!(read_answer(&mut &[0x80][..]).is_err());
    }

    proptest::proptest! {
        #[test]
        fn numbers_are_read_back(unsigned: u64, signed: i64) {
            let mut out = Vec::new();
            put_uint(&mut out, unsigned);
            put_int(&mut out, signed);
            let mut from = out.as_slice();
            proptest::prop_assert_eq!(read_uint(&mut from).unwrap(), unsigned);
            proptest::prop_assert_eq!(read_int(&mut from).unwrap(), signed);
        }

        #[test]
        fn noise_is_an_error_or_an_answer(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            if let Ok(answer) = read_answer(&mut bytes.as_slice()) {
                let _ = (answer.number(), answer.bytes());
            }
        }
    }
}
