//! The CBOR decoder in every mode; what it accepts is encoded and read back the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oasis_primitives::{
    address::Address,
    cbor::{self, Decode, Encode, NilMap, NilVec, OrNil, RawCbor, Value},
    quantity::Quantity,
    signature::{MultiSigned, PublicKey, SignedBlob},
};

fn decode<T: Decode + Encode>(bytes: &[u8]) {
    for value in
        [cbor::from_slice::<T>(bytes), cbor::from_slice_higher_limits(bytes), cbor::from_slice_trusted(bytes)].into_iter().flatten()
    {
        let encoded = cbor::to_vec(&value);
        let again: T = cbor::from_slice_trusted(&encoded).expect("what was encoded is read back");
        assert_eq!(cbor::to_vec(&again), encoded);
    }
}

fuzz_target!(|bytes: &[u8]| {
    decode::<NilVec<NilVec<u8>>>(bytes);
    decode::<NilMap<String, u64>>(bytes);
    decode::<NilMap<PublicKey, NilVec<OrNil<Quantity>>>>(bytes);
    decode::<Vec<Option<Address>>>(bytes);
    decode::<SignedBlob>(bytes);
    decode::<MultiSigned>(bytes);
    decode::<RawCbor>(bytes);
    let _ = (cbor::from_slice::<Value>(bytes), cbor::from_slice_trusted::<Value>(bytes), cbor::sequence_from_slice::<Value>(bytes));
});
