//! What the original's CBOR decoder accepts and refuses, for every recorded type.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use anyhow::{Result, bail, ensure};
use oasis_consensus_types::{
    beacon, consensus, entity, genesis, governance, keymanager, node, registry,
    roothash::{self, commitment},
    scheduler, staking, transaction, upgrade,
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

/// The number of types in `cbor-cases.cbor.gz`.
const TYPES: usize = 69;
/// Types that the first file lacks.
const MORE: &str = "cbor-more.cbor.gz";
/// The number of types in [`MORE`].
const MORE_TYPES: usize = 95;

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

fn decode_more(name: &str, input: Option<&[u8]>) -> Result<(Outcome, Outcome)> {
    Ok(match name {
        "[]*scheduler.Validator" => decode::<NilVec<cbor::OrNil<scheduler::Validator>>>(input),
        "[]*staking.Event" => decode::<NilVec<cbor::OrNil<staking::Event>>>(input),
        "beacon.ConsensusParameters" => decode::<beacon::ConsensusParameters>(input),
        "beacon.EpochTimeState" => decode::<beacon::EpochTimeState>(input),
        "beacon.Genesis" => decode::<beacon::Genesis>(input),
        "beacon.PVSSEvent" => decode::<beacon::PvssEvent>(input),
        "beacon.PVSSState" => decode::<beacon::PvssState>(input),
        "block.Block" => decode::<roothash::Block>(input),
        "checkpoint.ChunkMetadata" => decode::<checkpoint::ChunkMetadata>(input),
        "commitment.OpenExecutorCommitment" => decode::<commitment::OpenExecutorCommitment>(input),
        "commitment.Pool" => decode::<commitment::Pool>(input),
        "commitment.ProposedBatch" => decode::<commitment::ProposedBatch>(input),
        "commitment.SignedProposedBatch" => decode::<commitment::SignedProposedBatch>(input),
        "consensus.Genesis" => decode::<consensus::Genesis>(input),
        "consensus.LightBlock" => decode::<protocol::LightBlock>(input),
        "consensus.Parameters" => decode::<consensus::Parameters>(input),
        "genesis.Document" => decode::<genesis::Document>(input),
        "governance.ConsensusParameters" => decode::<governance::ConsensusParameters>(input),
        "governance.Event" => decode::<governance::Event>(input),
        "governance.Genesis" => decode::<governance::Genesis>(input),
        "governance.Proposal" => decode::<governance::Proposal>(input),
        "governance.ProposalQuery" => decode::<governance::ProposalQuery>(input),
        "governance.VoteEntry" => decode::<governance::VoteEntry>(input),
        "keymanager.Genesis" => decode::<keymanager::Genesis>(input),
        "keymanager.InitResponse" => decode::<keymanager::InitResponse>(input),
        "keymanager.PolicySGX" => decode::<keymanager::PolicySgx>(input),
        "keymanager.SignedInitResponse" => decode::<keymanager::SignedInitResponse>(input),
        "keymanager.Status" => decode::<keymanager::Status>(input),
        "map[staking.Address]*staking.Delegation" => decode::<NilMap<Address, cbor::OrNil<staking::Delegation>>>(input),
        "map[staking.Address][]*staking.DebondingDelegation" => {
            decode::<NilMap<Address, NilVec<cbor::OrNil<staking::DebondingDelegation>>>>(input)
        }
        "mkvs.Root" => decode::<oasis_mkvs::Root>(input),
        "node.CapabilityTEE" => decode::<sgx::CapabilityTee>(input),
        "node.Runtime" => decode::<node::Runtime>(input),
        "pvss.Instance" => decode::<pvss::Instance>(input),
        "registry.ConsensusAddressQuery" => decode::<registry::ConsensusAddressQuery>(input),
        "registry.ConsensusParameters" => decode::<registry::ConsensusParameters>(input),
        "registry.Event" => decode::<registry::Event>(input),
        "registry.ExecutorParameters" => decode::<registry::ExecutorParameters>(input),
        "registry.Genesis" => decode::<registry::Genesis>(input),
        "registry.GetRuntimesQuery" => decode::<registry::GetRuntimesQuery>(input),
        "registry.IDQuery" => decode::<registry::IdQuery>(input),
        "registry.NamespaceQuery" => decode::<registry::NamespaceQuery>(input),
        "registry.NodeList" => decode::<registry::NodeList>(input),
        "registry.NodeStatus" => decode::<registry::NodeStatus>(input),
        "registry.RuntimeAdmissionPolicy" => decode::<registry::AdmissionPolicy>(input),
        "registry.RuntimeGenesis" => decode::<registry::RuntimeGenesis>(input),
        "registry.RuntimeStakingParameters" => decode::<registry::RuntimeStakingParameters>(input),
        "registry.SchedulingConstraints" => decode::<registry::SchedulingConstraints>(input),
        "registry.StorageParameters" => decode::<registry::StorageParameters>(input),
        "registry.TxnSchedulerParameters" => decode::<registry::TxnSchedulerParameters>(input),
        "registry.VersionInfo" => decode::<registry::VersionInfo>(input),
        "roothash.AnnotatedBlock" => decode::<roothash::AnnotatedBlock>(input),
        "roothash.ConsensusParameters" => decode::<roothash::ConsensusParameters>(input),
        "roothash.Event" => decode::<roothash::Event>(input),
        "roothash.ExecutionDiscrepancyDetectedEvent" => decode::<roothash::ExecutionDiscrepancyDetectedEvent>(input),
        "roothash.ExecutorCommittedEvent" => decode::<roothash::ExecutorCommittedEvent>(input),
        "roothash.FinalizedEvent" => decode::<roothash::FinalizedEvent>(input),
        "roothash.Genesis" => decode::<roothash::Genesis>(input),
        "roothash.GenesisRuntimeState" => decode::<roothash::GenesisRuntimeState>(input),
        "roothash.MessageEvent" => decode::<roothash::MessageEvent>(input),
        "roothash.RoundResults" => decode::<roothash::RoundResults>(input),
        "roothash.RuntimeRequest" => decode::<roothash::RuntimeRequest>(input),
        "roothash.RuntimeState" => decode::<roothash::RuntimeState>(input),
        "scheduler.Committee" => decode::<scheduler::Committee>(input),
        "scheduler.ConsensusParameters" => decode::<scheduler::ConsensusParameters>(input),
        "scheduler.Genesis" => decode::<scheduler::Genesis>(input),
        "scheduler.GetCommitteesRequest" => decode::<scheduler::GetCommitteesRequest>(input),
        "scheduler.Validator" => decode::<scheduler::Validator>(input),
        "sgx.Constraints" => decode::<sgx::Constraints>(input),
        "sgx.EnclaveIdentity" => decode::<sgx::EnclaveIdentity>(input),
        "staking.AllowanceChangeEvent" => decode::<staking::AllowanceChangeEvent>(input),
        "staking.AllowanceQuery" => decode::<staking::AllowanceQuery>(input),
        "staking.CommissionSchedule" => decode::<staking::CommissionSchedule>(input),
        "staking.CommissionScheduleRules" => decode::<staking::CommissionScheduleRules>(input),
        "staking.ConsensusParameters" => decode::<staking::ConsensusParameters>(input),
        "staking.DebondingDelegation" => decode::<staking::DebondingDelegation>(input),
        "staking.DebondingDelegationInfo" => decode::<staking::DebondingDelegationInfo>(input),
        "staking.Delegation" => decode::<staking::Delegation>(input),
        "staking.DelegationInfo" => decode::<staking::DelegationInfo>(input),
        "staking.EscrowEvent" => decode::<staking::EscrowEvent>(input),
        "staking.Event" => decode::<staking::Event>(input),
        "staking.Genesis" => decode::<staking::Genesis>(input),
        "staking.OwnerQuery" => decode::<staking::OwnerQuery>(input),
        "staking.RewardStep" => decode::<staking::RewardStep>(input),
        "staking.SharePool" => decode::<staking::SharePool>(input),
        "staking.Slash" => decode::<staking::Slash>(input),
        "staking.StakeAccumulator" => decode::<staking::StakeAccumulator>(input),
        "staking.StakeThreshold" => decode::<staking::StakeThreshold>(input),
        "staking.ThresholdQuery" => decode::<staking::ThresholdQuery>(input),
        "staking.TransferEvent" => decode::<staking::TransferEvent>(input),
        "stakingState.EpochSigning" => decode::<staking::EpochSigning>(input),
        "storage.Receipt" => decode::<roothash::receipt::Receipt>(input),
        "storage.ReceiptBody" => decode::<roothash::receipt::ReceiptBody>(input),
        "upgrade.PendingUpgrade" => decode::<upgrade::PendingUpgrade>(input),
        "version.ProtocolVersions" => decode::<version::ProtocolVersions>(input),
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

/// Shows two answers around the first byte that differs.
fn difference(expected: Option<&[u8]>, got: Option<&[u8]>) -> String {
    let (Some(expected), Some(got)) = (expected, got) else {
        return format!("expected {:?}, got {:?}", expected.map(hex::encode), got.map(hex::encode));
    };
    let equal = expected.iter().zip(got).take_while(|(a, b)| a == b).count();
    let part =
        |bytes: &[u8]| String::from_utf8_lossy(&bytes[equal.saturating_sub(20)..bytes.len().min(equal + 20)]).escape_debug().to_string();
    format!("at {equal} expected …{}… got …{}…", part(expected), part(got))
}

/// Compares every item of a file with what is decoded here.
fn check(file: &str, number_of_types: usize, decode: fn(&str, Option<&[u8]>) -> Result<(Outcome, Outcome)>) {
    oasis_test_vectors::for_each(file, |_, bytes| {
        let mut types = BTreeMap::<String, u32>::new();
        let mut wrong = BTreeMap::<String, Vec<String>>::new();
        for (index, item) in cbor::sequence_from_slice::<Value>(bytes)?.iter().enumerate() {
            let name = text(item, "type");
            let input = match item.get("input") {
                Some(Value::Bytes(bytes)) => Some(bytes.as_slice()),
                _ => None,
            };
            let mutation = text(item, "mutation");
            let (untrusted, trusted) = decode(name, input)?;
            for (mode, got) in [("untrusted", untrusted), ("trusted", trusted)] {
                let expected = recorded(item, mode);
                let unencodable = text(item, "note").split("; ").any(|n| n.starts_with(&format!("{mode}: re-encoding failed")));
                let same = got.is_some() == expected.ok && (!expected.ok || got == expected.out || unencodable && expected.out.is_none());
                if !same {
                    let error = text(item, &format!("{mode}_err"));
                    let line = format!("{index} {mutation} {mode}: {error} {}", difference(expected.out.as_deref(), got.as_deref()));
                    wrong.entry(name.to_owned()).or_default().push(line);
                }
            }
            *types.entry(name.to_owned()).or_default() += 1;
        }
        for (name, lines) in &wrong {
            eprintln!("{name}: {} wrong", lines.len());
            lines.iter().take(3).for_each(|line| eprintln!("    {line}"));
        }
        ensure!(wrong.is_empty(), "answers differ for {} types, see above", wrong.len());
        ensure!(types.len() == number_of_types, "types seen: {types:?}");
        Ok(())
    })
    .unwrap();
}

#[test]
fn cbor_vectors_are_accepted_refused_and_written_as_recorded() {
    check("cbor-cases.cbor.gz", TYPES, decode_named);
}

#[test]
fn cbor_more_vectors_are_accepted_refused_and_written_as_recorded() {
    check(MORE, MORE_TYPES, decode_more);
}
