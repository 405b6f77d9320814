use super::*;

#[derive(Clone, Debug, Default, PartialEq, Cbor)]
struct Fee {
    amount: u64,
    #[cbor(omitempty)]
    gas: u64,
    #[cbor(rename = "to", omitempty)]
    destination: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Cbor)]
#[cbor(as_array)]
struct Entry {
    key: Vec<u8>,
    value: NilVec<u8>,
}

#[test]
fn keys_are_written_by_length_then_bytes() {
    let fee = Fee { amount: 1, gas: 2, destination: Some("x".into()) };
    assert_eq!(to_vec(&fee), hex::decode("a362746f6178636761730266616d6f756e7401").unwrap());
}

#[test]
fn empty_fields_are_left_out() {
    assert_eq!(to_vec(&Fee::default()), hex::decode("a1666172".replace("6172", "616d6f756e7400")).unwrap());
}

#[test]
fn keys_match_without_case_but_not_twice() {
    assert_eq!(from_slice::<Fee>(&hex::decode("a16347415307").unwrap()).unwrap().gas, 7);
    assert!(from_slice::<Fee>(&hex::decode("a2634741530763676173 07".replace(' ', "")).unwrap()).is_err());
}

#[test]
fn null_in_a_scalar_map_keeps_the_entry_before() {
    let map: std::collections::BTreeMap<String, u64> = from_slice(&hex::decode("a2616105 6162f6".replace(' ', "")).unwrap()).unwrap();
    assert_eq!(map["b"], 5);
}

#[test]
fn bytes_may_be_an_array_of_integers() {
    assert_eq!(from_slice::<Vec<u8>>(&[0x83, 1, 0xf6, 3]).unwrap(), vec![1, 0, 3]);
    assert_eq!(from_slice::<crate::hash::Hash>(&[0x81, 9]).unwrap().0[..2], [9, 0]);
}

#[test]
fn array_structures_need_the_exact_count() {
    let entry = Entry { key: vec![1], value: NilVec::NIL };
    assert_eq!(to_vec(&entry), [0x82, 0x41, 1, 0xf6]);
    assert_eq!(from_slice::<Entry>(&[0x82, 0x41, 1, 0xf6]).unwrap(), entry);
    assert!(from_slice::<Entry>(&[0x81, 0x41, 1]).is_err());
}

#[test]
fn nesting_ends_at_32_levels() {
    let nested = |n: usize| [vec![0x81; n], vec![0]].concat();
    assert!(from_slice::<Value>(&nested(32)).is_ok());
    assert_eq!(from_slice::<Value>(&nested(33)), Err(Error::TooDeep));
}
