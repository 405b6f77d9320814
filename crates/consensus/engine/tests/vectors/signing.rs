//! What validators sign, and what they refuse to sign.

use anyhow::{Context, Result, ensure};
use oasis_consensus_engine::{
    proto::{Proposal, SignedMsgType, Timestamp, Vote},
    sign_state::{SignState, Signing},
};
use oasis_primitives::signature::{ChainContext, MemorySigner, PublicKey, Signer, TENDERMINT_CONTEXT};
use prost::Message;
use serde_json::Value;

use crate::case::{array, block_id, bytes, each, items, message, number, read, same_bytes, same_verdict, small, text, time};

fn sign(signer: &MemorySigner, bytes: &[u8]) -> Result<Vec<u8>> {
    Ok(signer.sign(&TENDERMINT_CONTEXT, &ChainContext::UNSET, bytes)?.signature.0.to_vec())
}

fn check_signed(case: &Value, sign_bytes: &[u8], proto: &[u8]) -> Result<()> {
    let signer = MemorySigner::from_seed(&array(case, "seed")?);
    same_bytes(case, "public", signer.public_key().0)?;
    same_bytes(case, "sign_bytes", sign_bytes)?;
    same_bytes(case, "signature", sign(&signer, sign_bytes)?)?;
    same_bytes(case, "proto", proto)
}

#[test]
fn votes_are_signed_as_in_the_vectors() -> Result<()> {
    read("sign-bytes", |file| {
        each(&file["votes"], 80, |case| {
            let vote = Vote {
                r#type: small(case, "type")?,
                height: number(case, "height")?,
                round: small(case, "round")?,
                block_id: block_id(&case["block_id"])?,
                timestamp: time(&case["timestamp"])?,
                validator_address: bytes(case, "validator_address")?,
                validator_index: small(case, "validator_index")?,
                signature: bytes(case, "signature")?,
            };
            same_verdict(case, "valid", &vote.check_basic())?;
            ensure!(case["verifies"].is_null());
            check_signed(case, &vote.sign_bytes(text(case, "chain_id")?), &vote.encode_to_vec())
        })?;
        Ok(())
    })
}

#[test]
fn proposals_are_signed_as_in_the_vectors() -> Result<()> {
    read("sign-bytes", |file| {
        each(&file["proposals"], 80, |case| {
            let proposal = Proposal {
                r#type: SignedMsgType::PROPOSAL,
                height: number(case, "height")?,
                round: small(case, "round")?,
                pol_round: small(case, "pol_round")?,
                block_id: block_id(&case["block_id"])?,
                timestamp: time(&case["timestamp"])?,
                signature: bytes(case, "signature")?,
            };
            same_verdict(case, "valid", &proposal.check_basic())?;
            check_signed(case, &proposal.sign_bytes(text(case, "chain_id")?), &proposal.encode_to_vec())
        })?;
        Ok(())
    })
}

/// What is asked to be signed, and the time in it.
fn asked(state: &SignState, chain_id: &str, step: &Value) -> Result<(Result<Signing, String>, Timestamp)> {
    if step.get("vote").is_some() {
        let vote: Vote = message(step, "vote")?;
        return Ok((state.vote(chain_id, &vote), vote.timestamp));
    }
    let proposal: Proposal = message(step, "proposal")?;
    Ok((state.proposal(chain_id, &proposal), proposal.timestamp))
}

#[test]
fn a_validator_of_the_vectors_signs_what_the_original_signs() -> Result<()> {
    read("priv-validator", |file| {
        let outcomes = each(&file["runs"], 25, |run| {
            let signer = MemorySigner::from_seed(&array(run, "seed")?);
            let key = signer.public_key().0;
            let mut state = SignState::new(key);
            ensure!(state.to_json() == text(run, "initial_file")?);
            let mut counts = [0; 3];
            for (i, step) in items(&run["steps"])?.iter().enumerate() {
                let (outcome, timestamp) = asked(&state, text(run, "chain_id")?, step)?;
                same_verdict(step, "error", &outcome).with_context(|| format!("step {i}"))?;
                let (signature, timestamp) = match outcome {
                    Ok(Signing::Sign(what)) => {
                        counts[0] += 1;
                        let signature = sign(&signer, &what.bytes)?;
                        state = state.signed(&what, &signature);
                        (signature, timestamp)
                    }
                    Ok(Signing::Again { timestamp, signature }) => {
                        counts[1] += 1;
                        (signature, timestamp)
                    }
                    Err(_) => {
                        counts[2] += 1;
                        (Vec::new(), timestamp)
                    }
                };
                same_bytes(step, "signature", signature)?;
                ensure!(timestamp == time(&step["timestamp"])?, "step {i}: the time {timestamp}");
                let text = text(step, "file")?;
                ensure!(state.to_json() == text, "step {i}: expected {text}, found {}", state.to_json());
                state = SignState::from_json(text, &key)?;
            }
            Ok(counts)
        })?;
        let sum = outcomes.iter().fold([0; 3], |sum, o| [0, 1, 2].map(|i| sum[i] + o[i]));
        ensure!(sum[0] + sum[1] == 184 && sum[1] > 0 && sum[2] == 316, "{sum:?} signed, signed again, refused");
        Ok(())
    })
}

#[test]
fn key_files_of_the_vectors_are_read_and_written() -> Result<()> {
    read("priv-validator", |file| {
        each(&file["key_files"], 4, |case| {
            let signer = MemorySigner::from_pem(text(case, "text")?)?;
            ensure!(signer.to_pem().as_str() == text(case, "text")?);
            same_bytes(case, "public", signer.public_key().0)?;
            same_bytes(case, "raw", oasis_primitives::pem::decode("ED25519 PRIVATE KEY", text(case, "text")?)?)?;
            ensure!(signer.public_key().to_pem() == text(case, "public_text")?);
            ensure!(PublicKey::from_pem(text(case, "public_text")?)? == signer.public_key());
            Ok(())
        })?;
        Ok(())
    })
}
