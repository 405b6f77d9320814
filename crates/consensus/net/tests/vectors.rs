//! The original's recorded formats and rules of the network.

use anyhow::{Context, Result, ensure};
use bytes::{Bytes, BytesMut};
use oasis_consensus_net::{
    Exchange, MAX_NODE_INFO, NetAddress, NodeInfo, PeerAddress, PeerId,
    mux::{Packet, max_packet_size},
    secret::{Handshake, HandshakeError, Opener, Progress, SEALED_FRAME, Sealer, SessionKeys},
    wire::{BytesValue, NetAddressMessage, PexAddrs, PexMessage, PexSum, put_delimited, take_delimited},
};
use oasis_primitives::signature::{MemorySigner, Signer};
use prost::Message;
use serde_json::Value;

fn each(name: &str, mut test: impl FnMut(&Value) -> Result<()>) -> Result<()> {
    oasis_test_vectors::for_each(&format!("tendermint/{name}.json.gz"), |_, bytes| test(&serde_json::from_slice(bytes)?))
}

fn list<'a>(value: &'a Value, key: &str) -> Result<&'a Vec<Value>> {
    let list = value.get(key).and_then(Value::as_array).with_context(|| format!("no list {key}"))?;
    ensure!(!list.is_empty(), "{key} is empty");
    Ok(list)
}

fn text<'a>(value: &'a Value, key: &str) -> Result<&'a str> {
    value.get(key).and_then(Value::as_str).with_context(|| format!("no text {key} in {value}"))
}

fn bytes(value: &Value, key: &str) -> Result<Vec<u8>> {
    Ok(hex::decode(text(value, key)?)?)
}

fn array(value: &Value, key: &str) -> Result<[u8; 32]> {
    Ok(bytes(value, key)?[..].try_into()?)
}

fn flag(value: &Value, key: &str) -> Result<bool> {
    value.get(key).and_then(Value::as_bool).with_context(|| format!("no {key}"))
}

#[test]
fn handshakes_are_those_of_the_vectors() -> Result<()> {
    let (mut done, mut refused) = (0, 0);
    each("secret-connection", |file| {
        for case in list(file, "handshakes")? {
            let (mut handshake, first) = Handshake::start(array(case, "local_ephemeral_private")?);
            let mut remote = BytesMut::new();
            put_delimited(&BytesValue { value: bytes(case, "remote_ephemeral_public")?.into() }, &mut remote);
            let Ok(seed) = array(case, "identity_seed") else {
                let error = handshake.receive(&mut remote, &MemorySigner::for_test("any")).err();
                ensure!(error == Some(HandshakeError::LowOrder), "{case}: {error:?}");
                refused += 1;
                continue;
            };
            assert_eq!(first, bytes(case, "ephemeral_message")?);
            let signer = MemorySigner::from_seed(&seed);
            assert_eq!(signer.public_key().0[..], bytes(case, "identity_public")?);
            let Ok(Progress::Send(sent)) = handshake.receive(&mut remote, &signer) else { anyhow::bail!("refused: {case}") };
            let keys = SessionKeys::derive(&array(case, "dh_secret")?, flag(case, "local_is_least")?);
            assert_eq!((*keys.receive, *keys.send), (array(case, "recv_key")?, array(case, "send_key")?));
            let mut expected = Vec::new();
            Sealer::new(&keys.send).seal(&bytes(case, "auth_message")?, &mut expected)?;
            assert_eq!(sent, expected);
            done += 1;
        }
        Ok(())
    })?;
    ensure!(done >= 20 && refused >= 5, "{done} done, {refused} refused");
    Ok(())
}

#[test]
fn frames_and_keys_are_those_of_the_vectors() -> Result<()> {
    each("secret-connection", |file| {
        for case in list(file, "frames")? {
            let (key, mut sealed) = (array(case, "key")?, Vec::new());
            let (mut sealer, mut opener) = (Sealer::new(&key), Opener::new(&key));
            let texts = |key| -> Result<Vec<u8>> {
                Ok(list(case, key)?.iter().map(|v| Ok(hex::decode(v.as_str().context("text")?)?)).collect::<Result<Vec<_>>>()?.concat())
            };
            for write in list(case, "writes")? {
                sealer.seal(&hex::decode(write.as_str().context("text")?)?, &mut sealed)?;
            }
            // What stands behind the data in a frame is whatever the original's buffer held, so frames are alike up to there only.
            let mut recorded = texts("sealed")?;
            ensure!(recorded.len() == sealed.len(), "{} bytes instead of {}", sealed.len(), recorded.len());
            let mut opened = Vec::new();
            for (ours, theirs) in sealed.chunks(SEALED_FRAME).zip(recorded.chunks_mut(SEALED_FRAME)) {
                let before = theirs.to_vec();
                let data = opener.open(theirs.try_into()?)?;
                ensure!(ours.get(..4 + data.len()) == before.get(..4 + data.len()), "a frame of {} bytes differs", data.len());
                opened.extend_from_slice(data);
            }
            ensure!(opened == texts("writes")?, "the frames open to something else");
        }
        for case in list(file, "published_key_derivation")? {
            let keys = SessionKeys::derive(&array(case, "dh_secret")?, flag(case, "local_is_least")?);
            assert_eq!((*keys.receive, *keys.send), (array(case, "recv_key")?, array(case, "send_key")?));
        }
        for case in list(file, "peer_ids")? {
            assert_eq!(PeerId::of_key(&array(case, "public")?).to_string(), text(case, "id")?);
        }
        Ok(())
    })
}

#[test]
fn packets_are_those_of_the_vectors() -> Result<()> {
    each("packets", |file| {
        for case in list(file, "packets")? {
            let recorded = bytes(case, "bytes")?;
            let mut buffer = BytesMut::from(&recorded[..]);
            let found = take_delimited(&mut buffer, max_packet_size(1 << 20))?.context("too short")?;
            let packet = Packet::decode(&found)?;
            if let Packet::Piece { channel, last, data } = &packet {
                assert_eq!(case.get("channel").and_then(Value::as_u64), Some(u64::from(*channel)));
                assert_eq!((flag(case, "eof")?, bytes(case, "data")?), (*last, data.to_vec()));
            }
            let mut written = BytesMut::new();
            packet.put(&mut written);
            assert_eq!(written, recorded);
        }
        Ok(())
    })
}

/// Source: tendermint `p2p/conn/connection_test.go`, `TestConnVectors`; `p2p/pex/pex_reactor_test.go`, `TestPexVectors`.
#[test]
fn messages_are_written_as_in_the_published_vectors() {
    let written = |packet: Packet| {
        let mut out = BytesMut::new();
        packet.put(&mut out);
        hex::encode(take_delimited(&mut out, max_packet_size(1024)).unwrap().unwrap())
    };
    assert_eq!(written(Packet::Ping), "0a00");
    assert_eq!(written(Packet::Pong), "1200");
    let piece = Packet::Piece { channel: 1, last: false, data: Bytes::from_static(b"data transmitted over the wire") };
    assert_eq!(written(piece), "1a2208011a1e64617461207472616e736d6974746564206f766572207468652077697265");
    assert_eq!(hex::encode(Exchange::Request.encode()), "0a00");
    // An address of a peer without a proper name.
    let address = NetAddressMessage { id: "1".into(), ip: "127.0.0.1".into(), port: 9090 };
    let message = PexMessage { sum: Some(PexSum::Addrs(PexAddrs { addrs: vec![address] })) };
    assert_eq!(hex::encode(message.encode_to_vec()), "12130a110a013112093132372e302e302e31188247");
}

fn node_info(recorded: Vec<u8>) -> Result<Result<NodeInfo, String>> {
    let found = take_delimited(&mut BytesMut::from(&recorded[..]), MAX_NODE_INFO)?.context("too short")?;
    let info = NodeInfo::decode(&found);
    if let Ok(info) = &info {
        assert_eq!(info.encode(), recorded);
    }
    Ok(info.map_err(|e| e.to_string()))
}

#[test]
fn node_information_is_judged_as_in_the_vectors() -> Result<()> {
    each("node-info", |file| {
        for case in list(file, "infos")? {
            let ours = node_info(bytes(case, "bytes")?)?;
            let theirs = case.get("valid").and_then(Value::as_str);
            // The original looks up the hosts that peers name, and refuses those it does not find; here nothing is looked up.
            if theirs.is_some_and(|e| e.contains("error looking up host") || e.contains("no such host")) {
                continue;
            }
            ensure!(ours.is_ok() == theirs.is_none(), "{case}: {ours:?}");
        }
        for case in list(file, "compatible")? {
            let [ours, theirs] = ["ours", "theirs"].map(|key| node_info(bytes(case, key)?));
            let (ours, theirs) = (ours?, theirs?);
            let verdict = ours.and_then(|ours| theirs.and_then(|theirs| ours.check_compatible(&theirs).map_err(|e| e.to_string())));
            ensure!(verdict.is_ok() == case.get("compatible").is_none_or(Value::is_null), "{case}: {verdict:?}");
        }
        Ok(())
    })
}

#[test]
fn addresses_are_judged_as_in_the_vectors() -> Result<()> {
    each("node-info", |file| {
        for case in list(file, "addresses")? {
            let source = text(case, "text")?;
            let ours = source.parse::<PeerAddress>();
            let refused = case.get("error").and_then(Value::as_str);
            if refused.is_some_and(|e| e.contains("error looking up host") || e.contains("no such host")) {
                continue;
            }
            ensure!(ours.is_ok() == refused.is_none(), "{case}: {ours:?}");
            if let Some(address) = ours.ok().and_then(|a| a.ip()) {
                judge(case, address)?;
            }
        }
        for case in list(file, "ips")? {
            judge(case, text(case, "string")?.parse()?)?;
        }
        Ok(())
    })
}

fn judge(case: &Value, address: NetAddress) -> Result<()> {
    let recorded =
        (text(case, "string")?.to_lowercase(), flag(case, "local")?, flag(case, "routable")?, case.get("valid").is_none_or(Value::is_null));
    assert_eq!((address.to_string(), address.is_local(), address.is_routable(), address.is_valid()), recorded, "{case}");
    Ok(())
}

#[test]
fn exchanged_addresses_are_those_of_the_vectors() -> Result<()> {
    let mut count = 0;
    each("messages", |file| {
        for case in file.as_array().context("no list")?.iter().filter(|c| c.get("channel").and_then(Value::as_u64) == Some(0)) {
            let recorded: Bytes = bytes(case, "bytes")?.into();
            let ours = Exchange::decode(&recorded);
            ensure!(ours.is_ok() == case.get("error").is_none_or(Value::is_null), "{case}: {ours:?}");
            if let Ok(ours) = ours {
                assert_eq!(ours.encode(), recorded);
            }
            count += 1;
        }
        Ok(())
    })?;
    ensure!(count >= 5, "{count} messages");
    Ok(())
}
