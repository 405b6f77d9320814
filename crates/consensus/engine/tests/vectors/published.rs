//! Tendermint's own published values, as they stand in its tests.

use oasis_consensus_engine::{
    ValidatorSet, VoteContent, max_data_bytes, merkle,
    proto::{BlockId, Consensus, Header, PartSetHeader, Proposal, SignedMsgType, Timestamp, Validator, Vote},
};
use prost::Message;

/// Source: tendermint `types/vote_test.go`, `TestVoteSignBytesTestVectors`.
#[test]
fn sign_bytes_of_votes_are_those_of_the_vectors() {
    const TIME: &str = "2a0b088092b8c398feffffff01";
    const HEIGHT_AND_ROUND: &str = "110100000000000000190100000000000000";
    let cases = [
        ("", 0, 0, 0, format!("0d{TIME}")),
        ("", SignedMsgType::PRECOMMIT, 1, 1, format!("210802{HEIGHT_AND_ROUND}{TIME}")),
        ("", SignedMsgType::PREVOTE, 1, 1, format!("210801{HEIGHT_AND_ROUND}{TIME}")),
        ("", 0, 1, 1, format!("1f{HEIGHT_AND_ROUND}{TIME}")),
        ("test_chain_id", 0, 1, 1, format!("2e{HEIGHT_AND_ROUND}{TIME}320d746573745f636861696e5f6964")),
    ];
    for (i, (chain_id, kind, height, round, expected)) in cases.into_iter().enumerate() {
        let content = VoteContent { kind, height, round, block_id: None, timestamp: Timestamp::ZERO };
        assert_eq!(hex::encode(content.sign_bytes(chain_id)), expected, "case {i}");
    }
}

/// Source: tendermint `types/vote_test.go`, `TestVoteProposalNotEq`.
#[test]
fn sign_bytes_of_votes_and_proposals_differ_as_the_vectors_say() {
    let vote = Vote { height: 1, round: 1, ..Default::default() };
    let proposal = Proposal { height: 1, round: 1, ..Default::default() };
    assert_ne!(vote.sign_bytes(""), proposal.sign_bytes(""));
}

/// Source: tendermint `crypto/merkle/tree_test.go`, `TestHashFromByteSlices`; `crypto/merkle/rfc6962_test.go`.
#[test]
fn merkle_roots_are_those_of_the_vectors() {
    let cases: [(&[&[u8]], &str); 5] = [
        (&[], "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (&[&[1, 2, 3]], "054edec1d0211f624fed0cbca9d4f9400b0e491c43742af2c5b0abebf0c990d8"),
        (&[&[]], "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
        (&[&[1, 2, 3], &[4, 5, 6]], "82e6cfce00453804379b53962939eaa7906b39904be0813fcadd31b100773c4b"),
        (&[&[1, 2], &[3, 4], &[5, 6], &[7, 8], &[9, 10]], "f326493eceab4f2d9ffbc78c59432a0a005d6ea98392045c74df5d14a113be18"),
    ];
    for (leaves, expected) in cases {
        assert_eq!(hex::encode(merkle::root(leaves)), expected);
        let (root, proofs) = merkle::proofs(leaves);
        assert_eq!(hex::encode(root), expected);
        for (leaf, proof) in leaves.iter().zip(proofs) {
            proof.verify(&root, leaf).unwrap();
        }
    }
}

/// Source: tendermint `types/block_test.go`, `TestHeaderHash`.
#[test]
fn the_hash_of_a_header_is_that_of_the_vectors() {
    let sum = |text: &str| merkle::sha256(text.as_bytes()).to_vec();
    let zeros = vec![0; 32];
    let header = Header {
        version: Consensus { block: 1, app: 2 },
        chain_id: "chainId".into(),
        height: 3,
        time: Timestamp { seconds: 1_570_983_284, nanos: 0 },
        last_block_id: BlockId { hash: zeros.clone(), part_set_header: PartSetHeader { total: 6, hash: zeros } },
        last_commit_hash: sum("last_commit_hash"),
        data_hash: sum("data_hash"),
        validators_hash: sum("validators_hash"),
        next_validators_hash: sum("next_validators_hash"),
        consensus_hash: sum("consensus_hash"),
        app_hash: sum("app_hash"),
        last_results_hash: sum("last_results_hash"),
        evidence_hash: sum("evidence_hash"),
        proposer_address: sum("proposer_address")[..20].to_vec(),
    };
    assert_eq!(hex::encode_upper(header.hash()), "F740121F553B5418C3EFBD343C2DBFE9E007BB67B0D020A0741374BAB65242A4");
}

fn proposers(validators: &[(&[u8], i64)], count: usize) -> Vec<Vec<u8>> {
    let new = |(address, power): &(&[u8], i64)| Validator { address: address.to_vec(), ..Validator::new(&[1; 32], *power) };
    let mut set = ValidatorSet::new(validators.iter().map(new).collect()).unwrap();
    let mut out = Vec::new();
    for _ in 0..count {
        out.push(set.proposer().unwrap().address.clone());
        set.increment_proposer_priority(1);
    }
    out
}

/// Source: tendermint `types/block_test.go`, `TestBlockMaxDataBytes`, `TestBlockMaxDataBytesNoEvidence`.
#[test]
fn the_room_for_transactions_is_that_of_the_vectors() {
    let cases = [
        (-10, 0, 1, None),
        (10, 0, 1, None),
        (841, 0, 1, None),
        (842, 0, 1, Some(0)),
        (843, 0, 1, Some(1)),
        (954, 0, 2, Some(1)),
        (1053, 100, 2, Some(0)),
    ];
    for (max_bytes, evidence_bytes, validators, expected) in cases {
        assert_eq!(max_data_bytes(max_bytes, evidence_bytes, validators), expected, "{max_bytes}");
    }
}

/// Source: tendermint `types/validator_set_test.go`, `TestProposerSelection1`.
#[test]
fn proposers_come_in_the_order_of_the_vectors() {
    let expected = "foo baz foo bar foo foo baz foo bar foo foo baz foo foo bar foo baz foo foo bar \
                    foo foo baz foo bar foo foo baz foo bar foo foo baz foo foo bar foo baz foo foo bar \
                    foo baz foo foo bar foo baz foo foo bar foo baz foo foo foo baz bar foo foo foo baz \
                    foo bar foo foo baz foo bar foo foo baz foo bar foo foo baz foo bar foo foo baz foo \
                    foo bar foo baz foo foo bar foo baz foo foo bar foo baz foo foo";
    let found = proposers(&[(b"foo", 1000), (b"bar", 300), (b"baz", 330)], 99);
    let found: Vec<String> = found.into_iter().map(|a| String::from_utf8(a).unwrap()).collect();
    assert_eq!(found.join(" "), expected);
}

/// Source: tendermint `types/validator_set_test.go`, `TestProposerSelection2`.
#[test]
fn proposers_of_equal_and_unequal_power_come_as_the_vectors_say() {
    let addresses: Vec<Vec<u8>> = (0..3u8).map(|i| [vec![0; 19], vec![i]].concat()).collect();
    let of = |powers: [i64; 3]| -> Vec<(&[u8], i64)> { addresses.iter().map(Vec::as_slice).zip(powers).collect() };
    let places = |powers, count| -> Vec<u8> { proposers(&of(powers), count).iter().map(|a| a[19]).collect() };
    assert_eq!(places([100, 100, 100], 15), [0, 1, 2].repeat(5));
    assert_eq!(places([100, 100, 400], 2), [2, 0]);
    assert_eq!(places([100, 100, 401], 3), [2, 2, 0]);
    let counts = |places: Vec<u8>| [0, 1, 2].map(|i| places.iter().filter(|p| **p == i).count());
    assert_eq!(counts(places([4, 5, 3], 120)), [40, 50, 30]);
}

#[test]
fn an_empty_commit_has_the_hash_of_nothing_as_in_the_vectors() {
    let commit = oasis_consensus_engine::proto::Commit::default();
    assert_eq!(hex::encode(commit.hash()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert!(commit.encode_to_vec().len() < 10);
}
