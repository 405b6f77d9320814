//! Messages as they stand in Tendermint's own tests. Some are not sound: what is tested there and here is how they are written.

use oasis_consensus_engine::{
    CheckedBlock,
    bits::BitArray,
    merkle,
    messages::{
        BlockPartMessage, BlockRequest, BlockResponse, BlockSyncMessage, ChunkRequest, ChunkResponse, ConsensusMessage, EvidenceMessage,
        HasVoteMessage, NewRoundStepMessage, NewValidBlockMessage, NoBlockResponse, ProposalMessage, ProposalPolMessage, SnapshotsRequest,
        SnapshotsResponse, StateSyncMessage, StatusRequest, StatusResponse, TxsMessage, VoteMessage, VoteSetBitsMessage,
        VoteSetMaj23Message,
    },
    proto::{
        Block, BlockId, Consensus, Data, DuplicateVoteEvidence, Evidence, EvidenceList, EvidenceSum, Header, Part, PartSetHeader, Proof,
        Proposal, Timestamp, Vote,
    },
    rounds::RoundMessage,
    wal::WalRecord,
};
use prost::Message;

const TEXT: &[u8] = b"add_more_exclamation_marks_code-";
const SHORT_TEXT: &[u8] = b"add_more_exclamation";
const DATE: Timestamp = Timestamp { seconds: 1_535_630_400, nanos: 0 };

const PROPOSAL: &str = "1a720a7008201001180120012a480a206164645f6d6f72655f6578636c616d6174696f6e5f6d61726b735f636f64652d1224080112206164645f6d6f72655f6578636c616d6174696f6e5f6d61726b735f636f64652d320608c0b89fdc053a146164645f6d6f72655f6578636c616d6174696f6e";
const PART: &str = "2a36080110011a3008011204746573741a26080110011a206164645f6d6f72655f6578636c616d6174696f6e5f6d61726b735f636f64652d";
const VOTE: &str = "32700a6e0802100122480a206164645f6d6f72655f6578636c616d6174696f6e5f6d61726b735f636f64652d1224080112206164645f6d6f72655f6578636c616d6174696f6e5f6d61726b735f636f64652d2a0608c0b89fdc0532146164645f6d6f72655f6578636c616d6174696f6e3801";

fn parts() -> PartSetHeader {
    PartSetHeader { total: 1, hash: TEXT.to_vec() }
}

fn block_id() -> BlockId {
    BlockId { hash: TEXT.to_vec(), part_set_header: parts() }
}

fn proposal() -> Proposal {
    let signature = SHORT_TEXT.to_vec();
    Proposal { r#type: 32, height: 1, round: 1, pol_round: 1, block_id: block_id(), timestamp: DATE, signature }
}

fn part() -> Part {
    let proof = Proof { total: 1, index: 1, leaf_hash: TEXT.to_vec(), aunts: Vec::new() };
    Part { index: 1, bytes: b"test".to_vec(), proof }
}

fn vote() -> Vote {
    let validator_address = SHORT_TEXT.to_vec();
    Vote { r#type: 2, height: 1, block_id: block_id(), timestamp: DATE, validator_address, validator_index: 1, ..Default::default() }
}

fn written(bytes: &[u8], expected: &str) {
    assert_eq!(hex::encode(bytes), expected);
}

/// Source: tendermint `consensus/msgs_test.go`, `TestConsMsgsVectors`.
#[test]
fn messages_of_the_rounds_are_written_as_in_the_vectors() {
    let bits = || BitArray::new(1).to_message();
    let one = NewRoundStepMessage { height: 1, round: 1, step: 1, seconds_since_start_time: 1, last_commit_round: 1 };
    let largest = NewRoundStepMessage {
        height: i64::MAX,
        round: i32::MAX,
        step: u32::MAX,
        seconds_since_start_time: i64::MAX,
        last_commit_round: i32::MAX,
    };
    let valid = NewValidBlockMessage { height: 1, round: 1, block_part_set_header: parts(), block_parts: Some(bits()), is_commit: false };
    let polka = ProposalPolMessage { height: 1, proposal_pol_round: 1, ..Default::default() };
    let has = HasVoteMessage { height: 1, round: 1, r#type: 1, index: 1 };
    let has_largest = HasVoteMessage { height: i64::MAX, round: i32::MAX, r#type: 1, index: i32::MAX };
    let majority = VoteSetMaj23Message { height: 1, round: 1, r#type: 1, block_id: block_id() };
    let set_bits = VoteSetBitsMessage { height: 1, round: 1, r#type: 1, block_id: block_id(), votes: bits() };
    let cases = [
        (ConsensusMessage::NewRoundStep(one), "0a0a08011001180120012801"),
        (ConsensusMessage::NewRoundStep(largest), "0a2608ffffffffffffffff7f10ffffffff0718ffffffff0f20ffffffffffffffff7f28ffffffff07"),
        (
            ConsensusMessage::NewValidBlock(valid),
            "1231080110011a24080112206164645f6d6f72655f6578636c616d6174696f6e5f6d61726b735f636f64652d22050801120100",
        ),
        (ConsensusMessage::Proposal(ProposalMessage { proposal: proposal() }), PROPOSAL),
        (ConsensusMessage::ProposalPol(polka), "2206080110011a00"),
        (ConsensusMessage::BlockPart(BlockPartMessage { height: 1, round: 1, part: part() }), PART),
        (ConsensusMessage::Vote(VoteMessage { vote: Some(vote()) }), VOTE),
        (ConsensusMessage::HasVote(has), "3a080801100118012001"),
        (ConsensusMessage::HasVote(has_largest), "3a1808ffffffffffffffff7f10ffffffff07180120ffffffff07"),
        (
            ConsensusMessage::VoteSetMaj23(majority),
            "425008011001180122480a206164645f6d6f72655f6578636c616d6174696f6e5f6d61726b735f636f64652d1224080112206164645f6d6f72655f6578636c616d6174696f6e5f6d61726b735f636f64652d",
        ),
        (
            ConsensusMessage::VoteSetBits(set_bits),
            "4a5708011001180122480a206164645f6d6f72655f6578636c616d6174696f6e5f6d61726b735f636f64652d1224080112206164645f6d6f72655f6578636c616d6174696f6e5f6d61726b735f636f64652d2a050801120100",
        ),
    ];
    for (message, expected) in cases {
        written(&message.to_bytes(), expected);
    }
}

/// Proposals, parts and votes stand in the log as they do in messages.
#[test]
fn messages_in_the_log_are_those_of_the_vectors() {
    let cases = [
        (RoundMessage::Proposal(proposal()), PROPOSAL),
        (RoundMessage::BlockPart { height: 1, round: 1, part: part() }, PART),
        (RoundMessage::Vote(vote()), VOTE),
    ];
    for (msg, expected) in cases {
        let record = WalRecord::Message { from: None, msg }.encode(Timestamp::default());
        // Time, then the message with the record's kind, then the message itself.
        let expected = hex::decode(expected).unwrap();
        let mut info = vec![0x0a, expected.len() as u8];
        info.extend_from_slice(&expected);
        let mut whole = vec![0x12, info.len() as u8];
        whole.extend_from_slice(&info);
        let mut all = vec![0x0a, 0x00, 0x12, whole.len() as u8];
        all.extend_from_slice(&whole);
        written(&record, &hex::encode(all));
    }
}

/// Source: tendermint `blockchain/msgs_test.go`, `TestBlockchainMessageVectors`.
#[test]
fn messages_of_block_sync_are_written_as_in_the_vectors() {
    let data = Data { txs: vec![b"Hello World".to_vec()] };
    let header = Header {
        version: Consensus { block: 11, app: 0 },
        height: 3,
        time: Timestamp::ZERO,
        data_hash: data.hash().to_vec(),
        evidence_hash: EvidenceList::default().hash().to_vec(),
        ..Default::default()
    };
    let block = Block { header, data, ..Default::default() }.encode_to_vec();
    assert!(CheckedBlock::decode(&block).is_err(), "it has no commit");
    let cases = [
        (BlockSyncMessage::BlockRequest(BlockRequest { height: 1 }), "0a020801"),
        (BlockSyncMessage::BlockRequest(BlockRequest { height: i64::MAX }), "0a0a08ffffffffffffffff7f"),
        (
            BlockSyncMessage::BlockResponse(BlockResponse { block: Some(block) }),
            "1a700a6e0a5b0a02080b1803220b088092b8c398feffffff012a0212003a20c4da88e876062aa1543400d50d0eaa0dac88096057949cfb7bca7f3a48c04bf96a20e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855120d0a0b48656c6c6f20576f726c641a00",
        ),
        (BlockSyncMessage::NoBlockResponse(NoBlockResponse { height: 1 }), "12020801"),
        (BlockSyncMessage::NoBlockResponse(NoBlockResponse { height: i64::MAX }), "120a08ffffffffffffffff7f"),
        (BlockSyncMessage::StatusRequest(StatusRequest {}), "2200"),
        (BlockSyncMessage::StatusResponse(StatusResponse { height: 1, base: 2 }), "2a0408011002"),
        (
            BlockSyncMessage::StatusResponse(StatusResponse { height: i64::MAX, base: i64::MAX }),
            "2a1408ffffffffffffffff7f10ffffffffffffffff7f",
        ),
    ];
    for (message, expected) in cases {
        written(&message.to_bytes(), expected);
    }
}

/// Source: tendermint `statesync/messages_test.go`, `TestStateSyncVectors`.
#[test]
fn messages_of_state_sync_are_written_as_in_the_vectors() {
    let (hash, metadata, chunk) = (b"chuck hash".to_vec(), b"snapshot metadata".to_vec(), b"it's a chunk".to_vec());
    let cases = [
        (StateSyncMessage::SnapshotsRequest(SnapshotsRequest {}), "0a00"),
        (
            StateSyncMessage::SnapshotsResponse(SnapshotsResponse { height: 1, format: 2, chunks: 3, hash, metadata }),
            "1225080110021803220a636875636b20686173682a11736e617073686f74206d65746164617461",
        ),
        (StateSyncMessage::ChunkRequest(ChunkRequest { height: 1, format: 2, index: 3 }), "1a06080110021803"),
        (
            StateSyncMessage::ChunkResponse(ChunkResponse { height: 1, format: 2, index: 3, chunk, missing: false }),
            "2214080110021803220c697427732061206368756e6b",
        ),
    ];
    for (message, expected) in cases {
        written(&message.to_bytes(), expected);
    }
}

/// Source: tendermint `mempool/reactor_test.go`, `TestMempoolVectors`.
#[test]
fn transactions_are_written_as_in_the_vectors() {
    let message = |tx: &[u8]| TxsMessage { txs: vec![tx.to_vec()] }.to_bytes();
    written(&message(&[123]), "0a030a017b");
    written(&message(b"proto encoding in mempool"), "0a1b0a1970726f746f20656e636f64696e6720696e206d656d706f6f6c");
}

/// Source: tendermint `evidence/reactor_test.go`, `TestEvidenceVectors`.
#[test]
fn evidence_is_written_as_in_the_vectors() {
    let sum = |text: &str| merkle::sha256(text.as_bytes()).to_vec();
    let vote = |kind| Vote {
        r#type: kind,
        height: 3,
        round: 2,
        timestamp: Timestamp { seconds: 1_514_170_801, nanos: 234_000_000 },
        block_id: BlockId {
            hash: sum("blockID_hash"),
            part_set_header: PartSetHeader { total: 1_000_000, hash: sum("blockID_part_set_header_hash") },
        },
        validator_address: sum("validator_address")[..20].to_vec(),
        validator_index: 56_789,
        signature: Vec::new(),
    };
    // The names of both blocks are equal, so the order is that of the call.
    let evidence = DuplicateVoteEvidence {
        vote_a: Some(vote(2)),
        vote_b: Some(vote(1)),
        total_voting_power: 10,
        validator_power: 10,
        timestamp: Timestamp { seconds: 1_546_300_800, nanos: 0 },
    };
    let list = EvidenceMessage(vec![Evidence { sum: Some(EvidenceSum::DuplicateVote(Box::new(evidence))) }]);
    written(
        &list.to_bytes(),
        "0a85020a82020a79080210031802224a0a208b01023386c371778ecb6368573e539afc3cc860ec3a2f614e54fe5652f4fc80122608c0843d122072db3d959635dff1bb567bedaa70573392c5159666a3f8caf11e413aac52207a2a0b08b1d381d20510809dca6f32146af1f4111082efb388211bc72c55bcd61e9ac3d538d5bb031279080110031802224a0a208b01023386c371778ecb6368573e539afc3cc860ec3a2f614e54fe5652f4fc80122608c0843d122072db3d959635dff1bb567bedaa70573392c5159666a3f8caf11e413aac52207a2a0b08b1d381d20510809dca6f32146af1f4111082efb388211bc72c55bcd61e9ac3d538d5bb03180a200a2a060880dbaae105",
    );
}
