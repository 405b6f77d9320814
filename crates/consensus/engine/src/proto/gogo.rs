//! Lenient reading: what the original's generated decoder makes of bytes that it would not have written itself.
//!
//! Differences from other decoders of protobuf: an absent time is the year 1, a time that comes twice is replaced as a
//! whole, so is a oneof, a field number is cut to 32 bits and an integer to its width.
//!
//! Source: gogo/protobuf, the generated `Unmarshal` of `proto/tendermint/types/*.pb.go`; `types/timestamp.go`, `StdTimeUnmarshal`.

use prost::{
    Message,
    encoding::{WireType, encode_key, encode_varint},
};

use super::{
    WireError,
    schema::{Field, Schema},
    types::Timestamp,
};

/// A message that the original may read in another encoding than its own.
pub(crate) trait Lenient: Message + Default {
    /// Its fields.
    const SCHEMA: &'static Schema;
}

/// Reads a message as the original does.
pub(crate) fn decode_lenient<M: Lenient>(bytes: &[u8]) -> Result<M, WireError> {
    let malformed = |e: prost::DecodeError| WireError::Malformed(e.to_string());
    if let Ok(message) = M::decode(bytes)
        && message.encode_to_vec() == bytes
    {
        return Ok(message);
    }
    M::decode(rewritten(M::SCHEMA, bytes)?.as_slice()).map_err(malformed)
}

/// The bytes that the original writes for what it read.
pub(crate) fn rewritten(schema: &'static Schema, bytes: &[u8]) -> Result<Vec<u8>, WireError> {
    let mut values = Values::of(schema);
    values.read(bytes)?;
    let mut out = Vec::with_capacity(bytes.len());
    values.write(&mut out);
    Ok(out)
}

/// What was read of one field.
enum Value<'a> {
    Absent,
    Integer(u64),
    Bytes(&'a [u8]),
    Time(Timestamp),
    Message(Values<'a>),
    /// Elements of a list or the one of a oneof, with their keys, as they are written.
    Written(Vec<u8>),
}

struct Values<'a> {
    schema: &'static Schema,
    values: Vec<Value<'a>>,
}

fn error(what: &str) -> WireError {
    WireError::Malformed(what.to_owned())
}

fn key_and_bytes(number: u32, bytes: &[u8], out: &mut Vec<u8>) {
    encode_key(number, WireType::LengthDelimited, out);
    encode_varint(u64::try_from(bytes.len()).unwrap_or(u64::MAX), out);
    out.extend_from_slice(bytes);
}

impl<'a> Values<'a> {
    fn of(schema: &'static Schema) -> Self {
        Self { schema, values: schema.iter().map(|_| Value::Absent).collect() }
    }

    fn read(&mut self, mut bytes: &'a [u8]) -> Result<(), WireError> {
        while !bytes.is_empty() {
            let before = bytes;
            let (number, wire) = key(&mut bytes)?;
            let known = self.schema.iter().position(|(n, _)| *n == number);
            let Some(place) = known else {
                bytes = before;
                skip(&mut bytes)?;
                continue;
            };
            let Some((_, field)) = self.schema.get(place) else { continue };
            let expected = if matches!(field, Field::Int64 | Field::Int32 | Field::Uint32) { 0 } else { 2 };
            if wire != expected {
                return Err(error("wrong wire type"));
            }
            if expected == 0 {
                let value = varint(&mut bytes)?;
                self.put(place, Value::Integer(field.cut(value)));
                continue;
            }
            let content = delimited(&mut bytes)?;
            match field {
                Field::Time => self.put(place, Value::Time(time(content)?)),
                Field::Message(inner) | Field::Optional(inner) => {
                    let Some(slot) = self.values.get_mut(place) else { continue };
                    if !matches!(slot, Value::Message(_)) {
                        *slot = Value::Message(Values::of(inner()));
                    }
                    if let Value::Message(values) = slot {
                        values.read(content)?;
                    }
                }
                Field::List(inner) => {
                    let element = rewritten(inner(), content)?;
                    self.add(place, number, &element);
                }
                Field::BytesList => self.add(place, number, content),
                Field::OneOf(inner) => {
                    let element = inner.map_or_else(|| Ok(content.to_vec()), |inner| rewritten(inner(), content))?;
                    let mut written = Vec::new();
                    key_and_bytes(number, &element, &mut written);
                    // All fields of a message with a oneof belong to it.
                    self.values.iter_mut().for_each(|v| *v = Value::Absent);
                    self.put(place, Value::Written(written));
                }
                _ => self.put(place, Value::Bytes(content)),
            }
        }
        Ok(())
    }

    fn put(&mut self, place: usize, value: Value<'a>) {
        if let Some(slot) = self.values.get_mut(place) {
            *slot = value;
        }
    }

    /// Adds an element to a list.
    fn add(&mut self, place: usize, number: u32, element: &[u8]) {
        match self.values.get_mut(place) {
            Some(Value::Written(bytes)) => key_and_bytes(number, element, bytes),
            Some(slot) => {
                let mut bytes = Vec::new();
                key_and_bytes(number, element, &mut bytes);
                *slot = Value::Written(bytes);
            }
            None => {}
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        for ((number, field), value) in self.schema.iter().zip(&self.values) {
            match value {
                Value::Integer(0) => {}
                Value::Integer(n) => {
                    encode_key(*number, WireType::Varint, out);
                    encode_varint(*n, out);
                }
                Value::Bytes(bytes) if !bytes.is_empty() => key_and_bytes(*number, bytes, out),
                Value::Bytes(_) => {}
                Value::Time(time) => key_and_bytes(*number, &time.encode_to_vec(), out),
                Value::Written(bytes) => out.extend_from_slice(bytes),
                Value::Message(values) => {
                    let mut inner = Vec::new();
                    values.write(&mut inner);
                    key_and_bytes(*number, &inner, out);
                }
                Value::Absent => match field {
                    Field::Time => key_and_bytes(*number, &Timestamp::ZERO.encode_to_vec(), out),
                    Field::Message(inner) => {
                        let mut bytes = Vec::new();
                        Values::of(inner()).write(&mut bytes);
                        key_and_bytes(*number, &bytes, out);
                    }
                    _ => {}
                },
            }
        }
    }
}

fn varint(bytes: &mut &[u8]) -> Result<u64, WireError> {
    let mut value = 0_u64;
    for shift in (0..64_u32).step_by(7) {
        let Some((byte, rest)) = bytes.split_first() else { return Err(error("unexpected end")) };
        *bytes = rest;
        value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
        if *byte < 0x80 {
            return Ok(value);
        }
    }
    Err(error("integer overflow"))
}

fn key(bytes: &mut &[u8]) -> Result<(u32, u64), WireError> {
    let wire = varint(bytes)?;
    let number = u32::try_from((wire >> 3) & 0xffff_ffff).unwrap_or(0);
    if wire & 7 == 4 {
        return Err(error("end of a group that did not begin"));
    }
    if i32::try_from(number).unwrap_or(0) == 0 {
        return Err(error("illegal field number"));
    }
    Ok((number, wire & 7))
}

fn take<'a>(bytes: &mut &'a [u8], count: u64) -> Result<&'a [u8], WireError> {
    let count = usize::try_from(count).map_err(|_| error("unexpected end"))?;
    let (taken, rest) = bytes.split_at_checked(count).ok_or_else(|| error("unexpected end"))?;
    *bytes = rest;
    Ok(taken)
}

fn delimited<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], WireError> {
    let count = varint(bytes)?;
    take(bytes, count)
}

/// Skips an unknown field, with all that is in it if it is a group. Source: `proto/tendermint/types/types.pb.go`, `skipTypes`.
fn skip(bytes: &mut &[u8]) -> Result<(), WireError> {
    let mut depth = 0_usize;
    loop {
        match varint(bytes)? & 7 {
            0 => drop(varint(bytes)?),
            1 => drop(take(bytes, 8)?),
            2 => drop(delimited(bytes)?),
            3 => depth = depth.saturating_add(1),
            4 => depth = depth.checked_sub(1).ok_or_else(|| error("end of a group that did not begin"))?,
            5 => drop(take(bytes, 4)?),
            _ => return Err(error("illegal wire type")),
        }
        if depth == 0 {
            return Ok(());
        }
    }
}

fn time(bytes: &[u8]) -> Result<Timestamp, WireError> {
    const FIELDS: &Schema = &[(1, Field::Int64), (2, Field::Int32)];
    let time = Timestamp::decode(rewritten(FIELDS, bytes)?.as_slice()).map_err(|e| error(&e.to_string()))?;
    time.check("time").map_err(|e| error(&e.to_string()))?;
    Ok(time)
}

#[cfg(test)]
mod tests {
    use super::{super::*, *};

    #[test]
    fn an_absent_time_is_the_year_one() {
        assert_eq!(decode_lenient::<Vote>(&[8, 1]).unwrap().timestamp, Timestamp::ZERO);
        assert_eq!(decode_lenient::<Vote>(&[8, 1, 0x2a, 0]).unwrap().timestamp, Timestamp::default());
        assert_eq!(decode_lenient::<Proposal>(&[]).unwrap().timestamp, Timestamp::ZERO);
        let block = decode_lenient::<Block>(&[0x22, 2, 0x22, 0]).unwrap();
        assert_eq!(block.header.time, Timestamp::ZERO);
        assert_eq!(block.last_commit.unwrap().signatures.first().unwrap().timestamp, Timestamp::ZERO);
    }

    #[test]
    fn a_time_or_a_oneof_that_comes_twice_is_replaced() {
        let vote = decode_lenient::<Vote>(&[0x2a, 2, 8, 7, 0x2a, 2, 16, 9]).unwrap();
        assert_eq!(vote.timestamp, Timestamp { seconds: 0, nanos: 9 });
        let list = decode_lenient::<EvidenceList>(&[10, 8, 10, 2, 24, 5, 10, 2, 32, 6]).unwrap();
        let Some(EvidenceSum::DuplicateVote(evidence)) = &list.evidence.first().unwrap().sum else { panic!() };
        assert_eq!((evidence.total_voting_power, evidence.validator_power, evidence.timestamp), (0, 6, Timestamp::ZERO));
    }

    #[test]
    fn embedded_messages_that_come_twice_are_merged_and_groups_are_skipped() {
        let vote = decode_lenient::<Vote>(&[0x22, 3, 10, 1, 5, 0x7b, 8, 1, 0x7c, 0x22, 4, 0x12, 2, 8, 3]).unwrap();
        assert_eq!((vote.block_id.hash, vote.block_id.part_set_header.total), (vec![5], 3));
        assert!(decode_lenient::<Vote>(&[0x7b, 8, 1]).is_err());
        assert!(decode_lenient::<Vote>(&[0x10, 0xff]).is_err());
    }

    fn again<M: Lenient>(bytes: &[u8]) -> (Option<Vec<u8>>, Option<Vec<u8>>) {
        (rewritten(M::SCHEMA, bytes).ok(), decode_lenient::<M>(bytes).ok().map(|m| m.encode_to_vec()))
    }

    #[test]
    fn odd_encodings_vectors() {
        let mut read = 0;
        let each = |_: &std::path::Path, bytes: &[u8]| {
            let cases: Vec<serde_json::Value> = serde_json::from_slice(bytes).unwrap();
            for case in cases {
                let bytes = hex::decode(case["bytes"].as_str().unwrap()).unwrap();
                let original = case["reencoded"].as_str().map(|t| hex::decode(t).unwrap());
                let (rewritten, decoded) = match case["type"].as_str().unwrap() {
                    "vote" => again::<Vote>(&bytes),
                    "proposal" => again::<Proposal>(&bytes),
                    "evidence" => again::<EvidenceList>(&bytes),
                    "block" => again::<Block>(&bytes),
                    other => panic!("{other}"),
                };
                assert_eq!(rewritten, original, "{case}");
                // Text that is not UTF-8 the original refuses later, by the chain's name.
                if let Some(decoded) = decoded {
                    assert_eq!(Some(decoded), original, "{case}");
                    read += 1;
                }
            }
            Ok(())
        };
        oasis_test_vectors::for_each("tendermint/odd-encodings.json.gz", each).unwrap();
        assert!(read > 700, "{read}");
    }
}
