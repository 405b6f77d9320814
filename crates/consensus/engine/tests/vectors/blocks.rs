//! Blocks, headers, parameters and evidence.

use anyhow::{Result, ensure};
use oasis_consensus_engine::{
    ChainState, CheckedBlock, EngineGenesis, History, InitChainResponse, Misbehaviour, ValidatorSet,
    evidence_pool::verify_signatures,
    max_data_bytes, merkle,
    proto::{Block, Commit, ConsensusParams, Evidence, EvidenceList, EvidenceSum, Header},
};
use prost::Message;
use serde_json::Value;

use crate::{
    case::{bytes, each, items, message, number, read, same_bytes, same_verdict, text, time, validator_set},
    common::params,
};

#[test]
fn blocks_of_the_vectors_have_their_hashes_and_parts() -> Result<()> {
    read("blocks", |file| {
        each(&file["blocks"], 12, |case| {
            let encoded = bytes(case, "proto")?;
            let outcome = CheckedBlock::decode(&encoded);
            same_verdict(case, "valid", &outcome)?;
            let block = outcome?;
            same_bytes(case, "hash", &block.id().hash)?;
            same_bytes(case, "last_commit_hash", block.last_commit().hash())?;
            same_bytes(case, "evidence_hash", block.evidence().hash())?;
            let whole: Block = message(case, "proto")?;
            same_bytes(case, "data_hash", whole.data.hash())?;
            same_bytes(case, "proto", whole.encode_to_vec())?;
            ensure!(usize::try_from(number(case, "size")?)? == encoded.len());
            let (parts, _) = merkle::proofs(&encoded.chunks(usize::try_from(number(case, "part_size")?)?).collect::<Vec<_>>());
            same_bytes(case, "parts_hash", parts)
        })?;
        Ok(())
    })
}

#[test]
fn headers_of_the_vectors_have_their_hashes() -> Result<()> {
    read("blocks", |file| {
        each(&file["headers"], 30, |case| {
            let header: Header = message(case, "proto")?;
            same_verdict(case, "valid", &header.check_basic())?;
            // The original has no hash for a header without validators; no commit names such a header.
            if header.validators_hash.is_empty() { same_bytes(case, "hash", []) } else { same_bytes(case, "hash", header.hash()) }
        })?;
        Ok(())
    })
}

#[test]
fn parameters_of_the_vectors_have_their_hashes_and_limits() -> Result<()> {
    read("blocks", |file| {
        each(&file["params"], 12, |case| {
            let params: ConsensusParams = message(case, "proto")?;
            same_verdict(case, "valid", &params.check())?;
            same_bytes(case, "hash", params.hash())?;
            ensure!((params.block.max_bytes, params.block.max_gas) == (number(case, "max_bytes")?, number(case, "max_gas")?));
            let (ours, theirs) = (max_data_bytes(params.block.max_bytes, 0, 10), case["max_data_bytes_10_validators"].as_i64());
            ensure!(ours == theirs, "expected {theirs:?} bytes of data, found {ours:?}");
            Ok(())
        })?;
        Ok(())
    })
}

/// The height that a piece of evidence is about, and nothing else.
struct OneHeight {
    header: Header,
    validators: ValidatorSet,
}

impl History for OneHeight {
    fn header(&self, height: i64) -> Option<&Header> {
        (height == self.header.height).then_some(&self.header)
    }
    fn commit(&self, _: i64) -> Option<&Commit> {
        None
    }
    fn validators(&self, height: i64) -> Option<&ValidatorSet> {
        (height == self.header.height).then_some(&self.validators)
    }
    fn latest_height(&self) -> i64 {
        self.header.height
    }
    fn is_committed(&self, _: &merkle::Sha256Hash) -> bool {
        false
    }
}

/// Whether two votes are what the original takes for misbehaviour of one of the validators.
fn verify(case: &Value, evidence: &Evidence) -> Result<()> {
    let header = Header { height: number(case, "height")?, time: time(&case["time"])?, ..Default::default() };
    let history = OneHeight { header, validators: validator_set(&case["validators"])? };
    let genesis = EngineGenesis {
        genesis_time: history.header.time,
        chain_id: text(case, "chain_id")?.to_owned(),
        initial_height: 1,
        consensus_params: params(),
        validators: history.validators.validators().to_vec(),
    };
    let mut state = ChainState::from_genesis(&genesis, 1, &InitChainResponse::default())?;
    state.last_block_height = history.header.height;
    let outcome = EvidenceList { evidence: vec![evidence.clone()] }.verify(&state, &history);
    let holds = outcome.and_then(|checks| verify_signatures(&checks));
    // The order of the two blocks is part of the form, which the original checks elsewhere.
    same_verdict(case, "verify", &holds)
}

#[test]
fn evidence_of_the_vectors_is_read_and_told_as_by_the_original() -> Result<()> {
    read("blocks", |file| {
        let votes = each(&file["evidence"], 28, |case| {
            let evidence: Evidence = message(case, "proto")?;
            same_bytes(case, "hash", evidence.hash())?;
            let inner = match &evidence.sum {
                Some(EvidenceSum::DuplicateVote(e)) => e.encode_to_vec(),
                Some(EvidenceSum::LightClientAttack(e)) => e.encode_to_vec(),
                None => Vec::new(),
            };
            same_bytes(case, "bytes", inner)?;
            ensure!(evidence.when() == (number(case, "height")?, time(&case["time"])?));
            same_verdict(case, "valid", &evidence.check_basic())?;
            let told = EvidenceList { evidence: vec![evidence.clone()] }.byzantine_validators();
            let theirs = items(&case["abci"])?;
            ensure!(told.len() == theirs.len());
            for (ours, theirs) in told.iter().zip(theirs) {
                let kind = if ours.kind == Misbehaviour::DuplicateVote { 1 } else { 2 };
                same_bytes(theirs, "address", &ours.address)?;
                ensure!(
                    (kind, ours.power, ours.height, ours.total_voting_power)
                        == (number(theirs, "type")?, number(theirs, "power")?, number(theirs, "height")?, number(theirs, "total")?)
                        && ours.time == time(&theirs["time"])?,
                    "expected {theirs}, found {ours:?}"
                );
            }
            let of_votes = case.get("verify").is_some();
            if of_votes {
                verify(case, &evidence)?;
            }
            Ok(of_votes)
        })?;
        ensure!(votes.iter().filter(|v| **v).count() == 20);
        Ok(())
    })
}

#[test]
fn lists_of_evidence_have_the_hashes_of_the_vectors() -> Result<()> {
    read("blocks", |file| {
        each(&file["evidence_lists"], 4, |case| {
            let leaves = items(&case["evidence"])?.iter().map(|e| Ok(hex::decode(e.as_str().unwrap_or("?"))?));
            same_bytes(case, "hash", merkle::root(leaves.collect::<Result<Vec<_>>>()?))
        })?;
        Ok(())
    })
}
