//! Transactions.
//!
//! Source: go/consensus/api/transaction/transaction.go, `Transaction.PrettyPrint`, `SignedTransaction.PrettyPrint`.

use oasis_primitives::{
    cbor::{self, Decode},
    json::{self, ToJson, Value},
    signature::{Signature, SignatureRules},
    text::to_base64,
};

use super::{Network, commission_schedule, line};
use crate::{
    beacon::EpochTime,
    entity::SignedEntity,
    governance::{self, ProposalContent, ProposalVote},
    keymanager::{self, SignedPolicySgx},
    node::MultiSignedNode,
    registry, roothash,
    staking::{self, Allow, AmendCommissionSchedule, Burn, Escrow, ReclaimEscrow, Transfer, Withdraw},
    transaction::{Fee, SIGNATURE_CONTEXT, SignedTransaction, Transaction},
};

/// Sets the epoch, on test networks. Source: go/consensus/tendermint/apps/beacon/api.go, `MethodSetEpoch`.
const METHOD_SET_EPOCH: &str = "100_beacon.SetEpoch";

/// What a transaction does, its nonce and its fee.
pub fn transaction(tx: &Transaction, network: &Network, prefix: &str) -> String {
    let mut out = String::new();
    line!(out, "{prefix}Method: {}", tx.method);
    line!(out, "{prefix}Body:");
    out.push_str(&body(tx, network, &format!("{prefix}  ")));
    line!(out, "{prefix}Nonce:  {}", tx.nonce);
    match &tx.fee {
        Some(fee) => {
            line!(out, "{prefix}Fee:");
            write_fee(fee, network, &format!("{prefix}  "), &mut out);
        }
        None => line!(out, "{prefix}Fee:   none"),
    }
    if let Some(hash) = &network.genesis {
        line!(out, "Other info:");
        line!(out, "  Genesis document's hash: {hash}");
    }
    out
}

/// A signed transaction: its hash, who signed it, whether the signature holds, and what it does.
pub fn signed_transaction(tx: &SignedTransaction, network: &Network, rules: &SignatureRules, prefix: &str) -> String {
    let mut out = String::new();
    let signature = &tx.0.signature;
    line!(out, "{prefix}Hash: {}", tx.hash());
    line!(out, "{prefix}Signer: {}", signature.public_key);
    line!(out, "{prefix}        (signature: {})", signature.signature);
    if !signature.verify(rules, &SIGNATURE_CONTEXT, &tx.0.blob) {
        line!(out, "{prefix}        [INVALID SIGNATURE]");
    }
    line!(out, "{prefix}Content:");
    match tx.0.decode_unverified() {
        Ok(content) => out.push_str(&transaction(&content, network, &format!("{prefix}  "))),
        Err(e) => malformed(&e, &tx.0.blob, &format!("{prefix}  "), &mut out),
    }
    out
}

fn malformed(error: &cbor::Error, bytes: &[u8], prefix: &str, out: &mut String) {
    line!(out, "{prefix}<error: {error}>");
    line!(out, "{prefix}<malformed: {}>", to_base64(bytes));
}

/// Source: go/consensus/api/transaction/gas.go, `Fee.PrettyPrint`.
fn write_fee(fee: &Fee, network: &Network, prefix: &str, out: &mut String) {
    line!(out, "{prefix}Amount: {}", network.amount(&fee.amount));
    line!(out, "{prefix}Gas limit: {}", fee.gas);
    line!(out, "{prefix}(gas price: {} per gas unit)", network.amount(&fee.gas_price()));
}

fn body(tx: &Transaction, network: &Network, prefix: &str) -> String {
    match tx.method.as_str() {
        staking::METHOD_TRANSFER => read(tx, prefix, |body: Transfer, out| {
            line!(out, "{prefix}To:     {}", body.to);
            line!(out, "{prefix}Amount: {}", network.amount(&body.amount));
        }),
        staking::METHOD_BURN => read(tx, prefix, |body: Burn, out| line!(out, "{prefix}Amount: {}", network.amount(&body.amount))),
        staking::METHOD_ADD_ESCROW => read(tx, prefix, |body: Escrow, out| {
            line!(out, "{prefix}To:     {}", body.account);
            line!(out, "{prefix}Amount: {}", network.amount(&body.amount));
        }),
        staking::METHOD_RECLAIM_ESCROW => read(tx, prefix, |body: ReclaimEscrow, out| {
            line!(out, "{prefix}From:   {}", body.account);
            line!(out, "{prefix}Shares: {}", body.shares);
        }),
        staking::METHOD_AMEND_COMMISSION_SCHEDULE => read(tx, prefix, |body: AmendCommissionSchedule, out| {
            line!(out, "{prefix}Amendment:");
            commission_schedule(&body.amendment, &format!("{prefix}  "), out);
        }),
        staking::METHOD_ALLOW => read(tx, prefix, |body: Allow, out| {
            let sign = if body.negative { '-' } else { '+' };
            line!(out, "{prefix}Beneficiary:   {}", body.beneficiary);
            line!(out, "{prefix}Amount change: {sign}{}", network.amount(&body.amount_change));
        }),
        staking::METHOD_WITHDRAW => read(tx, prefix, |body: Withdraw, out| {
            line!(out, "{prefix}From:   {}", body.from);
            line!(out, "{prefix}Amount: {}", network.amount(&body.amount));
        }),
        governance::METHOD_SUBMIT_PROPOSAL => read(tx, prefix, |body: ProposalContent, out| proposal(&body, prefix, out)),
        governance::METHOD_CAST_VOTE => read(tx, prefix, |body: ProposalVote, out| {
            line!(out, "{prefix}Proposal ID: {}", body.id);
            line!(out, "{prefix}Vote:        {}", body.vote);
        }),
        registry::METHOD_REGISTER_ENTITY => read(tx, prefix, |body: SignedEntity, out| match body.untrusted() {
            Ok(entity) => signed(entity.to_json(), "signature", body.0.signature.to_json(), prefix, out),
            Err(e) => line!(out, "{prefix}<error: malformed signed blob: {e}>"),
        }),
        registry::METHOD_REGISTER_NODE => read(tx, prefix, |body: MultiSignedNode, out| match body.untrusted() {
            Ok(node) => signed(node.to_json(), "signatures", signatures(&body.0.signatures), prefix, out),
            Err(e) => line!(out, "{prefix}<error: malformed signed blob: {e}>"),
        }),
        registry::METHOD_DEREGISTER_ENTITY => plain::<registry::DeregisterEntity>(tx, prefix),
        registry::METHOD_UNFREEZE_NODE => plain::<registry::UnfreezeNode>(tx, prefix),
        registry::METHOD_REGISTER_RUNTIME => plain::<registry::Runtime>(tx, prefix),
        roothash::METHOD_EXECUTOR_COMMIT => plain::<roothash::ExecutorCommit>(tx, prefix),
        roothash::METHOD_EXECUTOR_PROPOSER_TIMEOUT => plain::<roothash::ExecutorProposerTimeoutRequest>(tx, prefix),
        roothash::METHOD_EVIDENCE => plain::<roothash::Evidence>(tx, prefix),
        keymanager::METHOD_UPDATE_POLICY => plain::<SignedPolicySgx>(tx, prefix),
        METHOD_SET_EPOCH => plain::<EpochTime>(tx, prefix),
        _ => format!("{prefix}<unknown method body: {}>\n", to_base64(&tx.body.0)),
    }
}

fn read<T: Decode>(tx: &Transaction, prefix: &str, write: impl FnOnce(T, &mut String)) -> String {
    let mut out = String::new();
    match tx.body::<T>() {
        Ok(body) => write(body, &mut out),
        Err(e) => malformed(&e, &tx.body.0, prefix, &mut out),
    }
    out
}

/// A body that has no form of its own: JSON.
fn plain<T: Decode + ToJson>(tx: &Transaction, prefix: &str) -> String {
    read(tx, prefix, |body: T, out| indented(&body.to_json(), prefix, out))
}

/// Source: Go's `encoding/json`, `MarshalIndent` with a prefix.
fn indented(value: &Value, prefix: &str, out: &mut String) {
    line!(out, "{prefix}{}", json::to_text_pretty(value).replace('\n', &format!("\n{prefix}")));
}

/// Source: go/common/crypto/signature/signature.go, `PrettySigned`, `PrettyMultiSigned`.
fn signed(value: Value, name: &str, signature: Value, prefix: &str, out: &mut String) {
    let mut object = json::object();
    object.insert("untrusted_raw_value".to_owned(), value);
    object.insert(name.to_owned(), signature);
    indented(&Value::Object(object), prefix, out);
}

/// No list at all is null.
fn signatures(list: &[Signature]) -> Value {
    if list.is_empty() { Value::Null } else { Signature::slice_to_json(list) }
}

/// Source: go/governance/api/api.go, `ProposalContent.PrettyPrint`; go/upgrade/api/api.go, `Descriptor.PrettyPrint`.
fn proposal(content: &ProposalContent, prefix: &str, out: &mut String) {
    match (&content.upgrade, &content.cancel_upgrade) {
        (Some(upgrade), None) => {
            let upgrade = &upgrade.descriptor;
            line!(out, "{prefix}Upgrade:");
            line!(out, "{prefix}  Handler: {}", upgrade.handler);
            line!(out, "{prefix}  Target Version:");
            line!(out, "{prefix}    Consensus Protocol: {}", upgrade.target.consensus_protocol);
            line!(out, "{prefix}    Runtime Host Protocol: {}", upgrade.target.runtime_host_protocol);
            line!(out, "{prefix}    Runtime Committee Protocol: {}", upgrade.target.runtime_committee_protocol);
            line!(out, "{prefix}  Epoch: {}", upgrade.epoch);
        }
        (None, Some(cancel)) => {
            line!(out, "{prefix}Cancel Upgrade:");
            line!(out, "{prefix}  Proposal ID: {}", cancel.proposal_id);
        }
        _ => line!(out, "{prefix}(invalid)"),
    }
}

#[cfg(test)]
mod tests {
    use oasis_primitives::quantity::Quantity;

    use super::*;

    #[test]
    fn an_unknown_method_shows_its_bytes() {
        let tx = Transaction::new(7, None, "other.Method", &1u64);
        let text = transaction(&tx, &Network::default(), "");
        assert_eq!(text, "Method: other.Method\nBody:\n  <unknown method body: AQ==>\nNonce:  7\nFee:   none\n");
    }

    #[test]
    fn a_body_that_is_none_shows_its_bytes() {
        let fee = Fee { amount: Quantity::from(10u64), gas: 5 };
        let tx = Transaction::new(7, Some(fee), staking::METHOD_BURN, &1u64);
        let text = transaction(&tx, &Network::default(), "  ");
        assert!(text.contains("<malformed: AQ==>") && text.contains("    (gas price: 2 base units per gas unit)"), "{text}");
    }
}
