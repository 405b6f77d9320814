use std::{collections::BTreeMap, sync::Arc};

use oasis_primitives::{
    cbor,
    signature::{ChainContext, Context, MemorySigner, Signer},
};
use tokio::{net::TcpListener, sync::watch};

use super::{super::Factory, *};
use crate::{
    grpc::{Reply, ServerKey, Service},
    tls::TlsKey,
};

const CONTEXT: Context = Context::new("oasis-core/test");

fn signer() -> RemoteSigner {
    let mut keys: BTreeMap<SignerRole, Arc<dyn Signer>> = BTreeMap::new();
    keys.insert(SignerRole::Entity, Arc::new(MemorySigner::for_test("entity")));
    RemoteSigner::new(keys)
}

#[test]
fn signatures_of_a_remote_signer_are_those_of_its_key() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (server, client, other) = (TlsKey::from_seed(&[1; 32]), TlsKey::from_seed(&[2; 32]), TlsKey::from_seed(&[3; 32]));
    let (_stop, stopped) = watch::channel(false);
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    runtime.spawn(signer().serve(listener, server.clone(), client.public_key(), stopped));
    let connect = |key: &TlsKey, name| {
        RemoteFactory::with_keys(address.to_string(), address, server.public_key(), ServerKey::named(key.clone(), name).unwrap())
    };
    let factory = connect(&client, CLIENT_NAME).unwrap();
    let key = factory.load(SignerRole::Entity).unwrap();
    let own = MemorySigner::for_test("entity");
    let sign = |key: &dyn Signer| key.sign(&CONTEXT, &ChainContext::UNSET, b"message").unwrap();
    assert_eq!(sign(&*key), sign(&own));
    assert!(factory.load(SignerRole::Node).err().unwrap().to_string().contains("it has: entity"));
    assert!(factory.generate(SignerRole::Node).err().unwrap().to_string().contains("signer remote init"));
    assert!(connect(&other, CLIENT_NAME).is_err());
    assert!(connect(&client, "oasis-node").is_err());
}

async fn call(method: &str, request: &SignRequest) -> Result<Vec<u8>, String> {
    match signer().call(SERVICE, method, cbor::to_vec(request)).unwrap() {
        Reply::Ready(answer) => answer.map_err(|e| e.to_string()),
        Reply::Unary(_) | Reply::Stream(_) => panic!("the signer answers at once"),
    }
}

#[tokio::test]
async fn what_can_not_be_signed_is_refused_in_the_original_s_words() {
    let request = SignRequest { role: 1, context: "context".into(), message: b"m".to_vec().into() };
    assert!(call(SIGN, &request).await.is_ok());
    assert_eq!(call(SIGN, &SignRequest { role: 2, ..request.clone() }).await.unwrap_err(), "file does not exist");
    for context in ["", &"x".repeat(256)] {
        let request = SignRequest { context: context.into(), ..request.clone() };
        assert_eq!(call(SIGN, &request).await.unwrap_err(), "signature: malformed context");
    }
    assert!(signer().call("oasis-core.Other", SIGN, Vec::new()).is_none());
}

#[test]
fn messages_are_those_of_the_original_to_the_byte() {
    // Recorded from the original: `cbor.Marshal` of its `SignRequest` and `[]PublicKey`.
    let keys = "82a264726f6c65016a7075626c69635f6b65795820010000000000000000000000000000000000000000000000000000000000000\
        0a264726f6c65036a7075626c69635f6b6579582002000000000000000000000000000000000000000000000000000000000000\
        00";
    let requests = [
        (
            SignRequest { role: 4, context: "oasis-core/test".into(), message: vec![1, 2].into() },
            "a364726f6c650467636f6e746578746f6f617369732d636f72652f74657374676d657373616765420102",
        ),
        (SignRequest { role: 2, context: "c".into(), message: NilVec::default() }, "a364726f6c650267636f6e746578746163676d657373616765f6"),
    ];
    for (request, expected) in requests {
        assert_eq!(hex::encode(cbor::to_vec(&request)), expected);
        assert_eq!(cbor::from_slice::<SignRequest>(&hex::decode(expected).unwrap()).unwrap(), request);
    }
    let key = |role, first| {
        let mut key = [0; 32];
        key[0] = first;
        RoleKey { role, public_key: PublicKey(key) }
    };
    assert_eq!(hex::encode(cbor::to_vec(&NilVec::from(vec![key(1, 1), key(3, 2)]))), keys.replace(' ', ""));
    assert_eq!(RemoteSigner::new(BTreeMap::new()).public_keys(), [0xf6]);
}
