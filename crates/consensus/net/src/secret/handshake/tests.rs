use oasis_primitives::signature::MemorySigner;

use super::*;

fn signer(name: &str) -> MemorySigner {
    MemorySigner::for_test(name)
}

fn step(handshake: &mut Handshake, bytes: &[u8], signer: &MemorySigner) -> Result<Progress, HandshakeError> {
    handshake.receive(&mut BytesMut::from(bytes), signer)
}

fn sent(progress: Result<Progress, HandshakeError>) -> Vec<u8> {
    match progress {
        Ok(Progress::Send(bytes)) => bytes,
        Ok(_) => panic!("nothing was sent"),
        Err(e) => panic!("{e}"),
    }
}

fn failure(progress: Result<Progress, HandshakeError>) -> HandshakeError {
    match progress {
        Err(e) => e,
        Ok(_) => panic!("was accepted"),
    }
}

fn ephemeral_message(key: &[u8]) -> Vec<u8> {
    let mut out = BytesMut::new();
    put_delimited(&BytesValue { value: Bytes::copy_from_slice(key) }, &mut out);
    out.to_vec()
}

#[test]
fn both_sides_learn_each_others_key_and_can_talk() {
    for (a, b) in [([1; 32], [2; 32]), ([9; 32], [3; 32])] {
        let (mut alice, first_a) = Handshake::start(a);
        let (mut bob, first_b) = Handshake::start(b);
        let auth_a = sent(step(&mut alice, &first_b, &signer("alice")));
        let auth_b = sent(step(&mut bob, &first_a, &signer("bob")));
        let Ok(Progress::Done(mut alice)) = step(&mut alice, &auth_b, &signer("alice")) else { panic!() };
        let Ok(Progress::Done(mut bob)) = step(&mut bob, &auth_a, &signer("bob")) else { panic!() };
        assert_eq!((alice.remote, bob.remote), (signer("bob").public_key(), signer("alice").public_key()));
        let mut frame = Vec::new();
        alice.sealer.seal(b"hello", &mut frame).unwrap();
        assert_eq!(bob.opener.open((&mut frame.clone()[..]).try_into().unwrap()), Ok(&b"hello"[..]));
        assert!(alice.opener.open((&mut frame[..]).try_into().unwrap()).is_err());
    }
}

#[test]
fn bytes_may_come_one_by_one() {
    let (mut alice, first_a) = Handshake::start([1; 32]);
    let (mut bob, first_b) = Handshake::start([2; 32]);
    let auth_b = sent(step(&mut bob, &first_a, &signer("bob")));
    let mut input = BytesMut::new();
    let mut known = None;
    for byte in first_b.iter().chain(&auth_b) {
        input.extend_from_slice(&[*byte]);
        match alice.receive(&mut input, &signer("alice")).unwrap() {
            Progress::NeedMore | Progress::Send(_) => {}
            Progress::Done(e) => known = Some(e.remote),
        }
    }
    assert_eq!(known, Some(signer("bob").public_key()));
}

/// All points whose order divides 8, and their other spellings.
#[test]
fn points_of_low_order_are_refused() {
    let points = [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ];
    for point in points {
        let mut point = hex::decode(point).unwrap();
        for top in [0, 0x80] {
            point[31] |= top;
            let (mut alice, _) = Handshake::start([1; 32]);
            assert_eq!(failure(step(&mut alice, &ephemeral_message(&point), &signer("alice"))), HandshakeError::LowOrder);
        }
    }
}

#[test]
fn our_own_key_sent_back_is_refused() {
    let (mut alice, first) = Handshake::start([1; 32]);
    assert_eq!(failure(step(&mut alice, &first, &signer("alice"))), HandshakeError::Reflected);
}

#[test]
fn an_ephemeral_key_of_another_length_is_refused() {
    for (length, error) in [(0, HandshakeError::KeyLength(0)), (31, HandshakeError::KeyLength(31))] {
        let (mut alice, _) = Handshake::start([1; 32]);
        assert_eq!(failure(step(&mut alice, &ephemeral_message(&vec![7; length]), &signer("alice"))), error);
    }
    let (mut alice, _) = Handshake::start([1; 32]);
    let long = ephemeral_message(&[7; 33]);
    assert_eq!(failure(step(&mut alice, &long, &signer("alice"))), WireError::TooLong { found: 35, most: 34 }.into());
}

/// Somebody between two nodes hands on what one of them signed in another handshake.
#[test]
fn a_signature_of_another_handshake_is_refused() {
    let (mut bob, _) = Handshake::start([2; 32]);
    let (_, first_a) = Handshake::start([1; 32]);
    sent(step(&mut bob, &first_a, &signer("bob")));
    let signed_elsewhere = signer("bob").sign(&TENDERMINT_CONTEXT, &ChainContext::UNSET, &[5; 32]).unwrap();

    let (mut alice, first_a) = Handshake::start([1; 32]);
    let (mallory, first_m) = Handshake::start([6; 32]);
    sent(step(&mut alice, &first_m, &signer("alice")));
    let State::Ephemeral { secret, public } = mallory.0 else { panic!() };
    let alice_public: [u8; 32] = first_a[3..].try_into().unwrap();
    let shared = secret.diffie_hellman(&x25519_dalek::PublicKey::from(alice_public));
    let keys = SessionKeys::derive(shared.as_bytes(), public < alice_public);
    let mut fresh = Sealer::new(&keys.send);
    let pub_key = proto::PublicKey { sum: Some(proto::PublicKeySum::Ed25519(signer("bob").public_key().0.to_vec())) };
    let mut plain = BytesMut::new();
    put_delimited(&AuthSigMessage { pub_key, sig: signed_elsewhere.signature.0.to_vec() }, &mut plain);
    let mut replayed = Vec::new();
    fresh.seal(&plain, &mut replayed).unwrap();
    assert_eq!(failure(step(&mut alice, &replayed, &signer("alice"))), HandshakeError::Signature);
}

#[test]
fn a_recorded_frame_of_another_handshake_is_refused() {
    let (mut bob, _) = Handshake::start([2; 32]);
    let (_, first_a) = Handshake::start([1; 32]);
    let recorded = sent(step(&mut bob, &first_a, &signer("bob")));
    let (mut alice, _) = Handshake::start([3; 32]);
    let (_, first_b) = Handshake::start([2; 32]);
    sent(step(&mut alice, &first_b, &signer("alice")));
    assert_eq!(failure(step(&mut alice, &recorded, &signer("alice"))), FrameError::Tag.into());
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_answered(bytes in proptest::collection::vec(proptest::arbitrary::any::<u8>(), 0..3000)) {
        let (mut alice, _) = Handshake::start([1; 32]);
        let _ = step(&mut alice, &bytes, &signer("alice"));
        let (mut alice, _) = Handshake::start([1; 32]);
        let (_, first) = Handshake::start([2; 32]);
        sent(step(&mut alice, &first, &signer("alice")));
        let _ = step(&mut alice, &bytes, &signer("alice"));
    }
}
