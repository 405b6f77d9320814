//! Forms of messages.

use super::*;
use crate::proto::{BlockId, PartSetHeader, Vote};

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
            block_parts: Some(Bits::new(70, [0, 69])),
            ..Default::default()
        }),
        ConsensusMessage::VoteSetBits(VoteSetBitsMessage { height: 1, r#type: 1, block_id: BlockId::default(), ..Default::default() }),
    ];
    for message in messages {
        assert_eq!(ConsensusMessage::decode(&message.clone().to_bytes()), Ok(message));
    }
}

#[test]
fn a_step_is_written_as_the_original_writes_it() {
    let message = NewRoundStepMessage { height: 1, round: 1, step: 1, seconds_since_start_time: 1, last_commit_round: 1 };
    // Source: tendermint `consensus/msgs_test.go`, `TestConsMsgsVectors`.
    assert_eq!(hex::encode(ConsensusMessage::NewRoundStep(message).to_bytes()), "0a0a08011001180120012801");
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
    for block_parts in [None, Some(Bits::new(2, [])), Some(Bits { bits: 3, elems: vec![0, 0] }), Some(Bits { bits: -1, elems: vec![] })] {
        let block_part_set_header = header.clone();
        refused(ConsensusMessage::NewValidBlock(NewValidBlockMessage { block_parts, block_part_set_header, ..Default::default() }));
    }
    let votes = Bits::new(MAX_VOTES + 1, []);
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
