//! Requests, and the original's words for what is wrong with them.
//!
//! Source: go/common/grpc/cbor.go, `Unmarshal`; gRPC for Go, `processUnaryRPC`; the CBOR library of the original, `decode.go`, `valid.go`.

use oasis_primitives::cbor::{self, Decode, Decoder, Error, Mode, RawCbor};

use crate::grpc::{ApiError, GrpcCode};

/// Decodes a request; an empty one is the zero value, as gRPC for Go hands it on as nil.
pub fn read<T: Decode>(request: &[u8]) -> Result<T, ApiError> {
    if request.is_empty() {
        return Ok(T::default());
    }
    let wrong = |e: Error| {
        // A name that stands twice, or one that is none of the type's.
        let is_field = |name: &str| {
            let alone = [&[0xa1], cbor::to_vec(name).as_slice(), &[0xf6]].concat();
            !matches!(cbor::from_slice_higher_limits::<T>(&alone), Err(Error::UnknownField(_)))
        };
        let text = match &e {
            Error::UnknownField(name) if is_field(name) => words(&Error::DuplicateKey, request, go_type(std::any::type_name::<T>())),
            error => words(error, request, go_type(std::any::type_name::<T>())),
        };
        ApiError::grpc(GrpcCode::Internal, format!("grpc: error unmarshalling request: {text}"))
    };
    cbor::from_slice_higher_limits(request).map_err(wrong)
}

/// The original's name of a type.
fn go_type(name: &str) -> String {
    let last = name.rsplit("::").next().unwrap_or_default();
    match last {
        "i64" => "int64".to_owned(),
        // Epochs are the only such requests.
        "u64" => "api.EpochTime".to_owned(),
        "bool" => "bool".to_owned(),
        "IdQuery" => "api.IDQuery".to_owned(),
        "SignerNonceRequest" => "api.GetSignerNonceRequest".to_owned(),
        "EvidenceMessage" => "api.Evidence".to_owned(),
        "SignedTransaction" => "transaction.SignedTransaction".to_owned(),
        "Namespace" => "common.Namespace".to_owned(),
        "GetRequest" | "GetPrefixesRequest" | "IterateRequest" => format!("syncer.{last}"),
        _ => format!("api.{last}"),
    }
}

/// The original's name of a field's type.
fn go_field_type(structure: &str, field: &str) -> Option<&'static str> {
    Some(match (structure, field) {
        (_, "height") => "int64",
        (_, "owner" | "beneficiary" | "account_address") => "api.Address",
        (_, "kind") => "api.ThresholdKind",
        (_, "include_suspended") => "bool",
        (_, "runtime_id") | ("api.NamespaceQuery", "id") => "common.Namespace",
        ("api.IDQuery", "id") | (_, "signer") => "signature.PublicKey",
        ("api.ProposalQuery", "id") => "uint64",
        (_, "address" | "meta") => "[]uint8",
        _ => return None,
    })
}

fn kind(found: &str) -> &str {
    match found {
        "unsigned integer" => "positive integer",
        "text string" => "UTF-8 text string",
        "boolean" | "null" | "float" | "simple value" => "primitives",
        found => found,
    }
}

fn words(error: &Error, request: &[u8], target: String) -> String {
    match error {
        Error::Empty => "EOF".to_owned(),
        Error::UnexpectedEnd(_) => "unexpected EOF".to_owned(),
        Error::TooDeep => "cbor: exceeded max nested level 32".to_owned(),
        Error::Tag(_) => "cbor: CBOR tag isn't allowed".to_owned(),
        Error::NotUtf8 => "cbor: invalid UTF-8 string".to_owned(),
        Error::IndefiniteLength(at) => format!("cbor: indefinite-length {} isn't allowed", kind_of(byte(request, *at))),
        Error::InvalidHead(at) => match byte(request, *at) {
            0xff => "cbor: unexpected \"break\" code".to_owned(),
            0xf8 => format!("cbor: invalid simple value {} for type primitives", byte(request, at.saturating_add(1))),
            head => format!("cbor: invalid additional information {} for type {}", head & 0x1f, kind_of(head)),
        },
        Error::WrongType { expected: "text string as key", found } => {
            let at = keys(request).iter().position(Option::is_none);
            match (*found, at) {
                ("unsigned integer" | "negative integer", Some(index)) => format!("cbor: found unknown field at map element index {index}"),
                (found, _) => {
                    let found = kind(found);
                    let reason = format!("map key is of type {found} and cannot be used to match struct field name");
                    format!("cbor: cannot unmarshal {found} into Go value of type string ({reason})")
                }
            }
        }
        Error::WrongType { found: "text string", .. } if cbor::from_slice::<String>(request) == Err(Error::NotUtf8) => {
            words(&Error::NotUtf8, request, target)
        }
        Error::WrongType { found: "negative integer", .. } if number(request).is_some() => words(&Error::Overflow(""), request, target),
        Error::WrongType { found, .. } => {
            let reason = if *found == "array" && target.contains('.') && target != "api.EpochTime" && target != "common.Namespace" {
                " (cannot decode CBOR array to struct without toarray option)"
            } else {
                ""
            };
            format!("cbor: cannot unmarshal {} into Go value of type {target}{reason}", kind(found))
        }
        Error::Overflow(_) => match number(request) {
            Some(number) if number >= 0 => {
                format!("cbor: cannot unmarshal positive integer into Go value of type {target} ({number} overflows {target})")
            }
            Some(number) => {
                format!("cbor: cannot unmarshal negative integer into Go value of type {target} ({number} overflows Go's int64)")
            }
            None => format!("cbor: cannot unmarshal {} into Go value of type {target}", kind_of(byte(request, 0))),
        },
        Error::Field { field, source } => match (&**source, go_field_type(&target, field)) {
            (Error::WrongType { found, .. }, Some(of)) => {
                format!("cbor: cannot unmarshal {} into Go struct field {target}.{field} of type {of}", kind(found))
            }
            (Error::Invalid(reason), Some("signature.PublicKey")) => format!("signature: {reason}"),
            (Error::Invalid(reason), _) => reason.clone(),
            _ => format!("cbor: {error}"),
        },
        Error::UnknownField(name) => match keys(request).iter().position(|key| key.as_ref() == Some(name)) {
            Some(index) => format!("cbor: found unknown field at map element index {index}"),
            None => format!("cbor: {error}"),
        },
        Error::DuplicateKey => {
            let keys = keys(request);
            let again = keys.iter().enumerate().find(|(index, key)| keys.iter().take(*index).any(|before| before == *key));
            match again {
                Some((index, Some(key))) => format!("cbor: found duplicate map key \"{key}\" at map element index {index}"),
                _ => format!("cbor: {error}"),
            }
        }
        Error::Invalid(reason) => reason.clone(),
        error => format!("cbor: {error}"),
    }
}

fn byte(request: &[u8], at: usize) -> u8 {
    request.get(at).copied().unwrap_or_default()
}

/// The original's name of what a head begins.
fn kind_of(head: u8) -> &'static str {
    match head >> 5 {
        0 => "positive integer",
        1 => "negative integer",
        2 => "byte string",
        3 => "UTF-8 text string",
        4 => "array",
        5 => "map",
        6 => "tag",
        _ => "primitives",
    }
}

/// A request that is one integer, too large for 64 bits with a sign.
fn number(request: &[u8]) -> Option<i128> {
    let (first, rest) = request.split_first()?;
    let argument = match (first & 0x1f, rest) {
        (27, [a, b, c, d, e, f, g, h, ..]) => u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]),
        _ => return None,
    };
    match first >> 5 {
        _ if argument <= i64::MAX.cast_unsigned() => None,
        0 => Some(i128::from(argument)),
        1 => Some(!i128::from(argument)),
        _ => None,
    }
}

/// The keys of a map; none for those that are no texts.
fn keys(request: &[u8]) -> Vec<Option<String>> {
    let mut out = Vec::new();
    let Some((first, mut rest)) = request.split_first() else { return out };
    // Requests with more than 23 fields are none of the API's.
    let count = match first {
        0xa0..=0xb7 => usize::from(first & 0x1f),
        _ => return out,
    };
    for _ in 0..count {
        for is_key in [true, false] {
            let Ok(mut decoder) = Decoder::new(rest, Mode::HigherLimits) else { return out };
            let Ok(RawCbor(item)) = decoder.value::<RawCbor>() else { return out };
            rest = decoder.rest();
            if is_key {
                out.push(cbor::from_slice::<String>(&item).ok());
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use oasis_consensus_types::{registry::IdQuery, staking::OwnerQuery};

    use super::*;

    fn refused<T: Decode + std::fmt::Debug>(request: &str) -> String {
        let error = read::<T>(&hex::decode(request).unwrap()).unwrap_err();
        assert_eq!(error.grpc, GrpcCode::Internal);
        error.message.strip_prefix("grpc: error unmarshalling request: ").unwrap().to_owned()
    }

    /// Each was asked of the original.
    #[test]
    fn bad_requests_are_refused_in_the_words_of_the_original() {
        assert_eq!(read::<i64>(&[]).unwrap(), 0);
        for (request, words) in [
            ("61", "unexpected EOF"),
            ("6161", "cbor: cannot unmarshal UTF-8 text string into Go value of type int64"),
            ("f5", "cbor: cannot unmarshal primitives into Go value of type int64"),
            (
                "1bffffffffffffffff",
                "cbor: cannot unmarshal positive integer into Go value of type int64 (18446744073709551615 overflows int64)",
            ),
            (
                "3bffffffffffffffff",
                "cbor: cannot unmarshal negative integer into Go value of type int64 (-18446744073709551616 overflows Go's int64)",
            ),
            ("5fff", "cbor: indefinite-length byte string isn't allowed"),
            ("ff", "cbor: unexpected \"break\" code"),
            ("1c", "cbor: invalid additional information 28 for type positive integer"),
            ("61ff", "cbor: invalid UTF-8 string"),
        ] {
            assert_eq!(refused::<i64>(request), words, "{request}");
        }
        assert_eq!(refused::<u64>("20"), "cbor: cannot unmarshal negative integer into Go value of type api.EpochTime");
        for (request, words) in [
            (
                "80",
                "cbor: cannot unmarshal array into Go value of type api.OwnerQuery (cannot decode CBOR array to struct without toarray option)",
            ),
            ("a161780a", "cbor: found unknown field at map element index 0"),
            ("a266686569676874006668656967687401", "cbor: found duplicate map key \"height\" at map element index 1"),
            ("a10102", "cbor: found unknown field at map element index 0"),
            ("a1666865696768746161", "cbor: cannot unmarshal UTF-8 text string into Go struct field api.OwnerQuery.height of type int64"),
            (
                "a1a00000",
                "cbor: cannot unmarshal map into Go value of type string (map key is of type map and cannot be used to match struct field name)",
            ),
        ] {
            assert_eq!(refused::<OwnerQuery>(request), words, "{request}");
        }
        assert_eq!(refused::<IdQuery>("a16269644101"), "signature: malformed public key");
    }
}
