//! Forms of messages.

use super::*;
use crate::{
    bits::{BitArray, BitArrayMessage},
    proto::{BlockId, PartSetHeader, Vote},
};

fn bits(size: usize, ones: &[usize]) -> BitArrayMessage {
    BitArray::from_ones(size, ones.iter().copied()).to_message()
}

fn vote() -> Vote {
    Vote { r#type: 1, height: 3, validator_address: vec![1; 20], signature: vec![2; 64], ..Default::default() }
}

#[test]
fn what_is_written_is_read_again() {
    let messages = [
        ConsensusMessage::NewRoundStep(NewRoundStepMessage {
            height: 5,
            round: 1,
            step: 3,
            seconds_since_start_time: -1,
            last_commit_round: 0,
        }),
        ConsensusMessage::Vote(VoteMessage { vote: Some(vote()) }),
        ConsensusMessage::HasVote(HasVoteMessage { height: 1, round: 2, r#type: 2, index: 3 }),
        ConsensusMessage::NewValidBlock(NewValidBlockMessage {
            height: 1,
            block_part_set_header: PartSetHeader { total: 70, hash: vec![1; 32] },
            block_parts: Some(bits(70, &[0, 69])),
            ..Default::default()
        }),
        ConsensusMessage::VoteSetBits(VoteSetBitsMessage { height: 1, r#type: 1, block_id: BlockId::default(), ..Default::default() }),
    ];
    for message in messages {
        assert_eq!(ConsensusMessage::decode(&message.clone().to_bytes()), Ok(message));
    }
}

#[test]
fn unknown_fields_pass_and_unknown_kinds_do_not() {
    let mut bytes = ConsensusMessage::HasVote(HasVoteMessage { height: 1, round: 2, r#type: 2, index: 3 }).to_bytes();
    bytes.extend([0xa0, 0x06, 0x01]);
    assert!(ConsensusMessage::decode(&bytes).is_ok());
    assert_eq!(ConsensusMessage::decode(&[0xa0, 0x06, 0x01]), Err(MessageError::UnknownKind));
    assert_eq!(ConsensusMessage::decode(&[]), Err(MessageError::UnknownKind));
}

#[test]
fn what_no_honest_node_sends_is_refused() {
    let refused =
        |m: ConsensusMessage| assert!(matches!(ConsensusMessage::decode(&m.clone().to_bytes()), Err(MessageError::Invalid(_))), "{m:?}");
    refused(ConsensusMessage::NewRoundStep(NewRoundStepMessage { step: 9, ..Default::default() }));
    refused(ConsensusMessage::NewRoundStep(NewRoundStepMessage { step: 1, height: -1, ..Default::default() }));
    refused(ConsensusMessage::Vote(VoteMessage { vote: None }));
    refused(ConsensusMessage::Vote(VoteMessage { vote: Some(Vote { signature: vec![], ..vote() }) }));
    refused(ConsensusMessage::HasVote(HasVoteMessage { r#type: 32, ..Default::default() }));
    let header = PartSetHeader { total: 3, hash: vec![1; 32] };
    for block_parts in
        [None, Some(bits(2, &[])), Some(BitArrayMessage { bits: 3, elems: vec![0, 0] }), Some(BitArrayMessage { bits: -1, elems: vec![] })]
    {
        let block_part_set_header = header.clone();
        refused(ConsensusMessage::NewValidBlock(NewValidBlockMessage { block_parts, block_part_set_header, ..Default::default() }));
    }
    let votes = bits(MAX_VOTES + 1, &[]);
    refused(ConsensusMessage::VoteSetBits(VoteSetBitsMessage { r#type: 1, votes, ..Default::default() }));
    assert!(BlockSyncMessage::decode(&BlockSyncMessage::StatusResponse(StatusResponse { height: 1, base: 2 }).to_bytes()).is_err());
    assert!(TxsMessage::decode_message(&TxsMessage::default().to_bytes()).is_err());
    assert!(
        StateSyncMessage::decode(&StateSyncMessage::ChunkResponse(ChunkResponse { height: 1, ..Default::default() }).to_bytes()).is_err()
    );
}

#[test]
fn long_messages_are_refused_unread() {
    let limit = channel(ChannelId::MEMPOOL).unwrap().max_message;
    let largest = TxsMessage { txs: vec![vec![7; MAX_TX_BYTES]] }.to_bytes();
    assert_eq!(largest.len(), limit);
    assert!(TxsMessage::decode_message(&largest).is_ok());
    let longer = TxsMessage { txs: vec![vec![7; MAX_TX_BYTES + 1]] }.to_bytes();
    assert_eq!(TxsMessage::decode_message(&longer), Err(MessageError::TooLong { limit, found: limit + 1 }));
}

#[test]
fn the_first_height_alone_has_no_commit_before_it() {
    let step = |height, last_commit_round| {
        NewRoundStepMessage { height, last_commit_round, step: 1, ..Default::default() }.check_height(5).is_ok()
    };
    assert!(step(5, -1) && step(6, 0) && !step(5, 0) && !step(6, -1) && !step(4, -1));
}

/// A recorded message and what the original says of it.
struct Recorded {
    channel: ChannelId,
    name: String,
    stage: String,
    error: String,
    bytes: Vec<u8>,
    /// Whether the original writes what it read as these bytes.
    same: bool,
}

fn recorded(file: &str, mut test: impl FnMut(Recorded)) {
    let each = |_: &std::path::Path, bytes: &[u8]| {
        let cases: Vec<serde_json::Value> = serde_json::from_slice(bytes).unwrap();
        for case in cases {
            let text = |key: &str| case[key].as_str().unwrap_or_default().to_owned();
            test(Recorded {
                channel: ChannelId(case["channel"].as_u64().unwrap().try_into().unwrap()),
                name: text("name"),
                stage: text("stage"),
                error: text("error"),
                bytes: hex::decode(text("bytes")).unwrap(),
                same: case["reencoded_equal"] == true,
            });
        }
        Ok(())
    };
    oasis_test_vectors::for_each(file, each).unwrap();
}

/// Reads a message as the node does; gives what it is written as. None for channels of others.
fn read(channel: ChannelId, bytes: &[u8]) -> Option<Result<Vec<u8>, MessageError>> {
    Some(match channel {
        ChannelId::STATE | ChannelId::DATA | ChannelId::VOTE | ChannelId::VOTE_SET_BITS => {
            ConsensusMessage::decode(bytes).map(ConsensusMessage::to_bytes)
        }
        ChannelId::MEMPOOL => TxsMessage::decode_message(bytes).map(TxsMessage::to_bytes),
        ChannelId::EVIDENCE => EvidenceMessage::decode(bytes).map(EvidenceMessage::to_bytes),
        ChannelId::BLOCKCHAIN => BlockSyncMessage::decode(bytes).map(BlockSyncMessage::to_bytes),
        ChannelId::SNAPSHOT | ChannelId::CHUNK => StateSyncMessage::decode(bytes).map(StateSyncMessage::to_bytes),
        _ => return None,
    })
}

#[test]
fn vectors_of_messages_are_read_and_written_as_by_the_original() {
    let mut count = 0;
    recorded("tendermint/messages.json.gz", |case| {
        let Some(ours) = read(case.channel, &case.bytes) else { return };
        assert_eq!(ours.is_ok(), case.stage.is_empty(), "{} {} {:?}", case.name, case.error, ours);
        if let (Ok(ours), true) = (ours, case.same) {
            assert_eq!(hex::encode(ours), hex::encode(&case.bytes), "{}", case.name);
        }
        count += 1;
    });
    assert!(count > 200);
}

#[test]
fn vectors_of_changed_messages_are_refused_where_the_original_refuses_them() {
    let (mut taken, mut refused) = (0, 0);
    recorded("tendermint/messages-changed.json.gz", |case| {
        let Some(ours) = read(case.channel, &case.bytes) else { return };
        match (&ours, case.stage.is_empty()) {
            // Of bit arrays with words too many, and of integers past 64 bits, the original takes what fits.
            (Err(e), true) => assert!(["elems: expected", "invalid varint"].iter().any(|t| e.to_string().contains(t)), "{e}"),
            // A block is looked at later.
            (Ok(_), false) => assert_eq!(case.channel, ChannelId::BLOCKCHAIN, "{}", case.error),
            _ => {}
        }
        if ours.is_ok() { taken += 1 } else { refused += 1 }
    });
    assert!(taken > 500 && refused > 1000, "{taken} {refused}");
}
