//! What the original's CBOR decoder accepts and refuses, for every recorded type.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use anyhow::{Result, bail, ensure};
use oasis_consensus_types::{
    beacon, entity, governance, keymanager, node, registry,
    roothash::{self, commitment},
    staking, transaction, upgrade,
};
use oasis_mkvs::{LogEntry, checkpoint, proof};
use oasis_primitives::{
    address::Address,
    cbor::{self, Decode, Encode, NilMap, NilVec, RawCbor, Value},
    hash::Hash,
    namespace::Namespace,
    pvss,
    quantity::Quantity,
    sgx, signature, version,
};
use oasis_runtime_protocol as protocol;

/// The number of types in the recorded file.
const TYPES: usize = 69;

/// What came of decoding: whether it did, and the encoding of the value.
type Outcome = Option<Vec<u8>>;

fn decode<T: Encode + Decode>(input: Option<&[u8]>) -> (Outcome, Outcome) {
    let trusted = input.map_or_else(|| Ok(T::default()), cbor::from_slice_trusted::<T>);
    let reencoded = |value: Result<T, cbor::Error>| value.ok().map(|v| cbor::to_vec(&v));
    (reencoded(cbor::from_nil_slice::<T>(input)), reencoded(trusted))
}

fn decode_named(name: &str, input: Option<&[u8]>) -> Result<(Outcome, Outcome)> {
    Ok(match name {
        "*uint64" => decode::<Option<u64>>(input),
        "[][]byte" => decode::<NilVec<NilVec<u8>>>(input),
        "[]byte" => decode::<NilVec<u8>>(input),
        "[]uint64" => decode::<NilVec<u64>>(input),
        "beacon.PVSSCommit" => decode::<beacon::PvssCommit>(input),
        "beacon.PVSSReveal" => decode::<beacon::PvssReveal>(input),
        "block.Header" => decode::<roothash::Header>(input),
        "bool" => decode::<bool>(input),
        "cbor.RawMessage" => decode::<RawCbor>(input),
        "checkpoint.GetCheckpointsRequest" => decode::<checkpoint::GetCheckpointsRequest>(input),
        "checkpoint.Metadata" => decode::<checkpoint::Metadata>(input),
        "commitment.ComputeBody" => decode::<commitment::ComputeBody>(input),
        "commitment.ComputeResultsHeader" => decode::<commitment::ComputeResultsHeader>(input),
        "commitment.ExecutorCommitment" => decode::<commitment::ExecutorCommitment>(input),
        "common.Namespace" => decode::<Namespace>(input),
        "entity.Entity" => decode::<entity::Entity>(input),
        "entity.SignedEntity" => decode::<entity::SignedEntity>(input),
        "governance.ProposalContent" => decode::<governance::ProposalContent>(input),
        "governance.ProposalVote" => decode::<governance::ProposalVote>(input),
        "hash.Hash" => decode::<Hash>(input),
        "ias.AVRBundle" => decode::<sgx::AvrBundle>(input),
        "int64" => decode::<i64>(input),
        "interface{}" => decode::<Value>(input),
        "keymanager.SignedPolicySGX" => decode::<keymanager::SignedPolicySgx>(input),
        "map[signature.PublicKey]uint64" => decode::<NilMap<signature::PublicKey, u64>>(input),
        "map[string]uint64" => decode::<NilMap<String, u64>>(input),
        "map[uint64]string" => decode::<NilMap<u64, String>>(input),
        "message.Message" => decode::<roothash::Message>(input),
        "node.MultiSignedNode" => decode::<node::MultiSignedNode>(input),
        "node.Node" => decode::<node::Node>(input),
        "protocol.Message" => decode::<protocol::Message>(input),
        "pvss.Point" => decode::<pvss::Point>(input),
        "pvss.Scalar" => decode::<pvss::Scalar>(input),
        "quantity.Quantity" => decode::<Quantity>(input),
        "registry.DeregisterEntity" => decode::<registry::DeregisterEntity>(input),
        "registry.EntityWhitelistConfig" => decode::<registry::EntityWhitelistConfig>(input),
        "registry.Runtime" => decode::<registry::Runtime>(input),
        "registry.UnfreezeNode" => decode::<registry::UnfreezeNode>(input),
        "roothash.Evidence" => decode::<roothash::Evidence>(input),
        "roothash.ExecutorCommit" => decode::<roothash::ExecutorCommit>(input),
        "roothash.ExecutorProposerTimeoutRequest" => decode::<roothash::ExecutorProposerTimeoutRequest>(input),
        "signature.MultiSigned" => decode::<signature::MultiSigned>(input),
        "signature.PublicKey" => decode::<signature::PublicKey>(input),
        "signature.RawSignature" => decode::<signature::RawSignature>(input),
        "signature.Signed" => decode::<signature::SignedBlob>(input),
        "staking.Account" => decode::<staking::Account>(input),
        "staking.Address" => decode::<Address>(input),
        "staking.Allow" => decode::<staking::Allow>(input),
        "staking.AmendCommissionSchedule" => decode::<staking::AmendCommissionSchedule>(input),
        "staking.Burn" => decode::<staking::Burn>(input),
        "staking.Escrow" => decode::<staking::Escrow>(input),
        "staking.ReclaimEscrow" => decode::<staking::ReclaimEscrow>(input),
        "staking.Transfer" => decode::<staking::Transfer>(input),
        "staking.Withdraw" => decode::<staking::Withdraw>(input),
        "storage.GetPrefixesRequest" => decode::<proof::GetPrefixesRequest>(input),
        "storage.GetRequest" => decode::<proof::GetRequest>(input),
        "storage.IterateRequest" => decode::<proof::IterateRequest>(input),
        "storage.ProofResponse" => decode::<proof::ProofResponse>(input),
        "storage.WriteLog" => decode::<NilVec<LogEntry>>(input),
        "string" => decode::<String>(input),
        "transaction.Fee" => decode::<transaction::Fee>(input),
        "transaction.SignedTransaction" => decode::<transaction::SignedTransaction>(input),
        "transaction.Transaction" => decode::<transaction::Transaction>(input),
        "uint16" => decode::<u16>(input),
        "uint32" => decode::<u32>(input),
        "uint64" => decode::<u64>(input),
        "uint8" => decode::<u8>(input),
        "upgrade.Descriptor" => decode::<upgrade::Descriptor>(input),
        "version.Version" => decode::<version::Version>(input),
        other => bail!("type {other} has no counterpart here"),
    })
}

/// One recorded decoding.
#[derive(Debug)]
struct Recorded {
    ok: bool,
    out: Option<Vec<u8>>,
}

fn recorded(item: &Value, mode: &str) -> Recorded {
    let out = match item.get(&format!("{mode}_out")) {
        Some(Value::Bytes(bytes)) => Some(bytes.clone()),
        _ => None,
    };
    Recorded { ok: item.get(&format!("{mode}_ok")) == Some(&Value::Bool(true)), out }
}

fn text<'a>(item: &'a Value, name: &str) -> &'a str {
    match item.get(name) {
        Some(Value::Text(text)) => text,
        _ => "",
    }
}

#[test]
fn cbor_vectors_are_accepted_refused_and_written_as_recorded() {
    oasis_test_vectors::for_each("cbor-cases.cbor.gz", |_, bytes| {
        let mut types = BTreeMap::<String, u32>::new();
        let mut wrong = Vec::new();
        for (index, item) in cbor::sequence_from_slice::<Value>(bytes)?.iter().enumerate() {
            let name = text(item, "type");
            let input = match item.get("input") {
                Some(Value::Bytes(bytes)) => Some(bytes.as_slice()),
                _ => None,
            };
            let (untrusted, trusted) = decode_named(name, input)?;
            for (mode, got) in [("untrusted", untrusted), ("trusted", trusted)] {
                let expected = recorded(item, mode);
                let unencodable = text(item, "note").split("; ").any(|n| n.starts_with(&format!("{mode}: re-encoding failed")));
                let same = got.is_some() == expected.ok && (!expected.ok || got == expected.out || unencodable && expected.out.is_none());
                if !same {
                    let (mutation, error) = (text(item, "mutation"), text(item, &format!("{mode}_err")));
                    let show = |bytes: Option<&[u8]>| bytes.map_or_else(|| "none".to_owned(), hex::encode);
                    wrong.push(format!(
                        "{index} {name} {mutation} {mode}: {}\n  ok {} {error} {}\n  got {}",
                        show(input),
                        expected.ok,
                        show(expected.out.as_deref()),
                        show(got.as_deref())
                    ));
                }
            }
            *types.entry(name.to_owned()).or_default() += 1;
        }
        let first: Vec<_> = wrong.iter().take(20).cloned().collect();
        ensure!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), first.join("\n"));
        ensure!(types.len() == TYPES, "types seen: {types:?}");
        Ok(())
    })
    .unwrap();
}
