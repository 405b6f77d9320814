use oasis_primitives::{
    cbor::{self, Decode, Encode, Value},
    hash::Hash,
};

use proptest::prelude::*;

use super::{block::Header, commitment::*, *};

fn message(staking: StakingMessage) -> Message {
    Message { staking: Some(staking), registry: None }
}

#[test]
fn message_hashes_are_those_of_the_runtime_library() {
    let check = |messages: &[Message], expected: &str| assert_eq!(messages_hash(messages).to_string(), expected);
    check(&[], "c672b8d1ef56ed28ab87c3622c5114069bdd3ad7b8f9737498d0c01ecef0967a");
    let transfer = StakingMessage { transfer: Some(Default::default()), ..Default::default() };
    check(&[message(transfer)], "a6b91f974b34a9192efd12025659a768520d2f04e1dae9839677456412cdb2be");
    let withdraw = StakingMessage { withdraw: Some(Default::default()), ..Default::default() };
    check(&[message(withdraw)], "069b0fda76d804e3fd65d4bbd875c646f15798fb573ac613100df67f5ba4c3fd");
    let add_escrow = StakingMessage { add_escrow: Some(Default::default()), ..Default::default() };
    check(&[message(add_escrow)], "65049870b9dae657390e44065df0c78176816876e67b96dac7791ee6a1aa42e2");
    let reclaim = StakingMessage { reclaim_escrow: Some(Default::default()), ..Default::default() };
    check(&[message(reclaim)], "c78547eae2f104268e49827cbe624cf2b350ee59e8d693dec0673a70a4664a2e");
    let mut runtime = crate::registry::Runtime::default();
    runtime.admission_policy.any_node = Some(Default::default());
    let update = Message { staking: None, registry: Some(RegistryMessage { v: 0, update_runtime: Some(Box::new(runtime)) }) };
    check(&[update], "bc26afcca2efa9ba8138d2339a38389482466163b5bda0e1dac735b03c879905");
}

#[test]
fn messages_have_exactly_one_operation() {
    assert!(Message::default().validate_basic().is_err());
    assert!(message(StakingMessage::default()).validate_basic().is_err());
    let mut one = StakingMessage { transfer: Some(Default::default()), ..Default::default() };
    assert!(message(one.clone()).validate_basic().is_ok());
    one.withdraw = Some(Default::default());
    assert!(message(one).validate_basic().is_err());
    let registry = Message { staking: None, registry: Some(RegistryMessage::default()) };
    assert!(registry.validate_basic().is_err());
}

fn reencode<T: Decode + Encode>(input: Option<&[u8]>) -> Option<Vec<u8>> {
    cbor::from_nil_slice::<T>(input).ok().map(|v| cbor::to_vec(&v))
}

fn reencode_trusted<T: Decode + Encode>(input: Option<&[u8]>) -> Option<Vec<u8>> {
    let value = input.map_or_else(|| Ok(T::default()), cbor::from_slice_trusted::<T>);
    value.ok().map(|v| cbor::to_vec(&v))
}

#[test]
fn values_decode_and_encode_as_in_the_vectors() {
    oasis_test_vectors::for_each("cbor-cases.cbor.gz", |_, bytes| {
        let mut count = 0;
        for case in cbor::sequence_from_slice::<Value>(bytes)? {
            let text = |key: &str| if let Some(Value::Text(t)) = case.get(key) { t.as_str() } else { "" };
            let bytes = |key: &str| if let Some(Value::Bytes(b)) = case.get(key) { Some(b.as_slice()) } else { None };
            let both: [fn(Option<&[u8]>) -> Option<Vec<u8>>; 2] = match text("type") {
                "block.Header" => [reencode::<Header>, reencode_trusted::<Header>],
                "roothash.ExecutorCommit" => [reencode::<ExecutorCommit>, reencode_trusted::<ExecutorCommit>],
                "roothash.ExecutorProposerTimeoutRequest" => {
                    [reencode::<ExecutorProposerTimeoutRequest>, reencode_trusted::<ExecutorProposerTimeoutRequest>]
                }
                "roothash.Evidence" => [reencode::<Evidence>, reencode_trusted::<Evidence>],
                "commitment.ComputeBody" => [reencode::<ComputeBody>, reencode_trusted::<ComputeBody>],
                "commitment.ComputeResultsHeader" => [reencode::<ComputeResultsHeader>, reencode_trusted::<ComputeResultsHeader>],
                "commitment.ExecutorCommitment" => [reencode::<ExecutorCommitment>, reencode_trusted::<ExecutorCommitment>],
                "message.Message" => [reencode::<Message>, reencode_trusted::<Message>],
                _ => continue,
            };
            for (mode, reencode) in ["untrusted", "trusted"].into_iter().zip(both) {
                let ok = case.get(&format!("{mode}_ok")) == Some(&Value::Bool(true));
                let out = reencode(bytes("input"));
                let what = format!("{} {mode} {} {}", text("type"), text("mutation"), Hash::of(bytes("input").unwrap_or_default()));
                assert_eq!(out.is_some(), ok, "{what}");
                if let Some(expected) = bytes(&format!("{mode}_out")) {
                    assert_eq!(out.as_deref(), Some(expected), "{what}");
                }
                count += 1;
            }
        }
        assert!(count > 4000, "{count} cases");
        Ok(())
    })
    .unwrap();
}

proptest! {
    #[test]
    fn any_bytes_decode_or_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = cbor::from_slice::<ExecutorCommit>(&bytes);
        let _ = cbor::from_slice::<Evidence>(&bytes);
        let _ = cbor::from_slice::<RuntimeState>(&bytes);
        let _ = cbor::from_slice_trusted::<RuntimeState>(&bytes);
        let _ = cbor::from_slice::<Genesis>(&bytes);
    }

    #[test]
    fn changed_bytes_of_a_commitment_decode_to_what_encodes_or_are_refused(place in 0usize..200, byte: u8) {
        let body = ComputeBody { storage_signatures: vec![Default::default()], ..ComputeBody::default() };
        let mut bytes = cbor::to_vec(&body);
        if let Some(b) = bytes.get_mut(place) {
            *b = byte;
        }
        if let Ok(decoded) = cbor::from_slice::<ComputeBody>(&bytes) {
            prop_assert_eq!(cbor::from_slice::<ComputeBody>(&cbor::to_vec(&decoded)), Ok(decoded));
        }
    }
}
