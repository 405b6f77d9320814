//! What strangers send before they are peers, and peers outside the engine's channels: handshakes, node information, packets,
//! exchanged addresses, and the address book's file.
#![no_main]

use bytes::{Bytes, BytesMut};
use libfuzzer_sys::fuzz_target;
use oasis_consensus_net::{
    Exchange, MAX_NODE_INFO, NodeInfo, PEX_DESCRIPTOR, PeerAddress,
    book::AddressBook,
    mux::{Assembler, Packet, max_packet_size},
    secret::{Handshake, Opener, Progress, SEALED_FRAME},
    wire::take_delimited,
};
use oasis_primitives::signature::MemorySigner;
use tokio::time::Instant;

fn handshake(bytes: &[u8]) {
    let signer = MemorySigner::from_seed(&[1; 32]);
    let (mut fresh, _) = Handshake::start([2; 32]);
    let _ = fresh.receive(&mut BytesMut::from(bytes), &signer);
    let (mut begun, _) = Handshake::start([2; 32]);
    let (_, theirs) = Handshake::start([3; 32]);
    if let Ok(Progress::Send(_)) = begun.receive(&mut BytesMut::from(&theirs[..]), &signer) {
        let _ = begun.receive(&mut BytesMut::from(bytes), &signer);
    }
    if let Some(frame) = bytes.first_chunk::<SEALED_FRAME>() {
        let _ = Opener::new(&[4; 32]).open(&mut frame.clone());
    }
}

fn packets(bytes: &[u8]) {
    let mut assembler = Assembler::new(&[PEX_DESCRIPTOR], std::time::Duration::MAX);
    let mut buffer = BytesMut::from(bytes);
    while let Ok(Some(bytes)) = take_delimited(&mut buffer, max_packet_size(1024)) {
        match Packet::decode(&bytes) {
            Ok(Packet::Piece { channel, last, data }) => {
                let _ = assembler.receive(channel, last, &data, Instant::now());
            }
            Ok(_) => {}
            Err(_) => break,
        }
    }
}

fn messages(bytes: &[u8]) {
    let message = Bytes::copy_from_slice(bytes);
    if let Ok(info) = NodeInfo::decode(&message) {
        let mut again = BytesMut::from(&info.encode()[..]);
        assert_eq!(take_delimited(&mut again, MAX_NODE_INFO).unwrap().unwrap(), message);
        let _ = (info.address(), info.check_compatible(&info));
    }
    if let Ok(exchange) = Exchange::decode(&message) {
        assert_eq!(Exchange::decode(&exchange.encode()), Ok(exchange));
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = text.parse::<PeerAddress>();
    }
}

fn book(bytes: &[u8]) {
    if let Ok(value) = serde_json::from_slice(bytes)
        && let Some(book) = AddressBook::from_json(&value, true)
    {
        let again = serde_json::from_str(&book.to_text()).unwrap();
        assert!(AddressBook::from_json(&again, true).is_some());
    }
}

// The first byte chooses: a handshake takes a thousand times as long as the rest.
fuzz_target!(|bytes: &[u8]| {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    match kind {
        0 => handshake(bytes),
        1..=99 => packets(bytes),
        100..=199 => messages(bytes),
        _ => book(bytes),
    }
});
