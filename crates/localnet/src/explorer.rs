//! What a network's page shows: blocks with their transactions, validators, proposals.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use oasis_consensus_engine::address_of;
use oasis_consensus_types::{
    genesis::Document,
    node::Node,
    scheduler::Validator,
    staking::{Account, OwnerQuery},
    transaction::SignedTransaction,
};
use oasis_node_service::{
    api::{
        block::{Block, BlockMeta},
        results::{TransactionsWithResults, TxEvent, TxResult},
    },
    grpc::ClientError,
};
use oasis_primitives::{
    address::Address,
    cbor::{self, NilVec, Value as Cbor},
    hash::Hash,
    json::ToJson,
    signature::{PublicKey, Signer as _},
};
use serde_json::{Map, Value, json};
use tokio::sync::watch;

use crate::{Layout, LocalnetError, Sample, State, Watch};

/// Blocks that are kept.
const BLOCKS: usize = 50;
/// Transactions of a block that are shown.
const TRANSACTIONS: usize = 20;
/// How long a reader waits for what is new.
const PATIENCE: Duration = Duration::from_secs(5);
/// The flag of a signature for the block. Source: tendermint `types/block.go`, `BlockIDFlagCommit`.
const SIGNED: u8 = 2;

/// The last blocks and who made them, looked up when somebody asks.
pub struct Explorer {
    watch: Watch,
    sample: watch::Receiver<Sample>,
    /// What was shown last, and of which look at the network.
    shown: Option<(Sample, State)>,
    blocks: VecDeque<Value>,
    /// Who signed each of the last blocks, by address.
    signed: VecDeque<BTreeSet<Vec<u8>>>,
    height: i64,
    /// Nodes by the address of their consensus key.
    nodes: BTreeMap<Vec<u8>, Node>,
    epoch: Option<u64>,
    /// The chain's name and its token, once they are known.
    about: Option<(String, Value)>,
    /// The owners of nodes, in their order.
    owners: Vec<PublicKey>,
    /// What addresses and keys are called.
    names: BTreeMap<String, String>,
}

impl Explorer {
    /// An explorer of a network that is looked at by somebody else, who tells what is seen.
    pub fn new(layout: &Layout, sample: watch::Receiver<Sample>) -> Result<Self, LocalnetError> {
        let key = |dir: PathBuf| layout.signer(&dir).map(|signer| signer.public_key());
        let owners = (0..layout.size()).map(|number| key(layout.entity(number))).collect::<Result<Vec<_>, _>>()?;
        let address = |key: &PublicKey| Address::of_public_key(key).to_string();
        let mut names = BTreeMap::from([(address(&key(layout.wallet())?), "wallet".to_owned())]);
        names.extend(owners.iter().enumerate().map(|(number, owner)| (address(owner), format!("owner {number}"))));
        Ok(Self {
            watch: Watch::new(layout),
            sample,
            shown: None,
            blocks: VecDeque::new(),
            signed: VecDeque::new(),
            height: 0,
            nodes: BTreeMap::new(),
            epoch: None,
            about: None,
            owners,
            names,
        })
    }

    /// All that is to be shown, in JSON; `null` before the first block, and an `error` where something can't be looked up now.
    pub async fn state(&mut self) -> State {
        let sample = self.sample.borrow().clone();
        if sample.height == 0 {
            return State::from("null");
        }
        if let Some((_, state)) = self.shown.as_ref().filter(|(of, _)| *of == sample) {
            return Arc::clone(state);
        }
        let error = match tokio::time::timeout(PATIENCE, self.look(&sample)).await {
            Ok(Ok(state)) => {
                let state = State::from(state.to_string());
                self.shown = Some((sample, Arc::clone(&state)));
                return state;
            }
            Ok(Err(e)) => e.to_string(),
            Err(_) => format!("no answer within {} s", PATIENCE.as_secs()),
        };
        State::from(json!({ "error": error }).to_string())
    }

    async fn look(&mut self, sample: &Sample) -> Result<Value, ClientError> {
        let best = sample.best();
        let (chain, token) = match &self.about {
            Some(about) => about.clone(),
            None => {
                let document: Document = self.watch.call(best, "Consensus/GetGenesisDocument", &Cbor::Null).await?;
                let symbol: String = self.watch.call(best, "Staking/TokenSymbol", &Cbor::Null).await?;
                let exponent: u8 = self.watch.call(best, "Staking/TokenValueExponent", &Cbor::Null).await?;
                self.about.insert((document.chain_id, json!({ "symbol": symbol, "exponent": exponent }))).clone()
            }
        };
        let from = (self.height + 1).max(sample.height - BLOCKS as i64 + 1).max(1);
        for height in from..=sample.height {
            let block = self.block(best, height).await?;
            self.blocks.push_front(block);
            self.blocks.truncate(BLOCKS);
            self.signed.truncate(BLOCKS);
            self.height = height;
        }
        let validators = self.validators(best).await?;
        let proposals: NilVec<Cbor> = self.watch.call(best, "Governance/Proposals", &0i64).await?;
        Ok(json!({
            "chain": chain,
            "token": token,
            "names": self.names,
            "network": sample.to_json(),
            "blocks": self.blocks,
            "validators": validators,
            "proposals": proposals.iter().map(|p| readable("", p)).collect::<Vec<_>>(),
        }))
    }

    async fn block(&mut self, number: usize, height: i64) -> Result<Value, ClientError> {
        let block: Block = self.watch.call(number, "Consensus/GetBlock", &height).await?;
        let results: TransactionsWithResults = self.watch.call(number, "Consensus/GetTransactionsWithResults", &height).await?;
        let epoch: u64 = self.watch.call(number, "Beacon/GetEpoch", &height).await?;
        let mut events = Vec::new();
        for app in ["Staking", "Registry", "Governance"] {
            let of_app: NilVec<Cbor> = self.watch.call(number, &format!("{app}/GetEvents"), &height).await?;
            events.extend(of_app.iter().filter(|event| of_block(event)).map(|event| readable("", event)));
        }
        let meta: BlockMeta = cbor::from_slice_higher_limits(&block.meta).unwrap_or_default();
        let proposer = meta.header.map(|header| header.proposer_address.to_vec()).unwrap_or_default();
        if !self.nodes.contains_key(&proposer) {
            let nodes: NilVec<Node> = self.watch.call(number, "Registry/GetNodes", &height).await?;
            self.nodes = nodes.iter().map(|node| (address_of(&node.consensus.id.0).to_vec(), node.clone())).collect();
            for node in nodes.iter() {
                if let Some(number) = self.owners.iter().position(|owner| *owner == node.entity_id) {
                    self.names.insert(node.id.to_string(), format!("node {number}"));
                    self.names.insert(hex::encode(node.id.0), format!("node {number}"));
                }
            }
        }
        let began = self.epoch.replace(epoch).is_some_and(|last| last != epoch);
        let signatures = meta.last_commit.map(|commit| commit.signatures).unwrap_or_default();
        let signers = signatures.iter().filter(|s| s.block_id_flag == SIGNED).map(|s| s.validator_address.to_vec());
        self.signed.push_front(signers.collect());
        let all = results.transactions.iter().zip(results.results.iter());
        Ok(json!({
            "height": height,
            "epoch": epoch,
            "began": began,
            "hash": block.hash.to_string(),
            "time": block.time.to_string(),
            "proposer": self.nodes.get(&proposer).map(|node| node.id.to_string()),
            "count": results.transactions.len(),
            "transactions": all.take(TRANSACTIONS).map(|(transaction, result)| decoded(transaction, result)).collect::<Vec<_>>(),
            "events": events,
        }))
    }

    async fn validators(&mut self, number: usize) -> Result<Vec<Value>, ClientError> {
        let elected: NilVec<Validator> = self.watch.call(number, "Scheduler/GetValidators", &0i64).await?;
        let mut all = Vec::new();
        for validator in elected.iter() {
            let node = self.nodes.iter().find(|(_, node)| node.id == validator.id);
            let mut stake = None;
            if let Some((_, node)) = node {
                let owner = Address::of_public_key(&node.entity_id);
                let account: Account = self.watch.call(number, "Staking/Account", &OwnerQuery { height: 0, owner }).await?;
                stake = Some((owner.to_string(), account.escrow.active.balance.to_string()));
            }
            let signed = node.map_or(0, |(address, _)| self.signed.iter().filter(|signers| signers.contains(address)).count());
            all.push(json!({
                "node": validator.id.to_string(),
                "entity": stake.as_ref().map(|(owner, _)| owner),
                "stake": stake.as_ref().map(|(_, stake)| stake),
                "power": validator.voting_power,
                "signed": signed,
                "blocks": self.signed.iter().filter(|signers| !signers.is_empty()).count(),
            }));
        }
        Ok(all)
    }
}

/// Whether an event is of no transaction, but of the block's begin or end.
fn of_block(event: &Cbor) -> bool {
    field(event, "tx_hash") == Some(&Cbor::Bytes(Hash::empty().0.to_vec()))
}

/// A field of a structure.
fn field<'a>(value: &'a Cbor, name: &str) -> Option<&'a Cbor> {
    let Cbor::Map(pairs) = value else { return None };
    pairs.iter().find_map(|(key, value)| matches!(key, Cbor::Text(text) if text == name).then_some(value))
}

fn decoded(raw: &[u8], result: &TxResult) -> Value {
    let Ok(signed) = cbor::from_slice::<SignedTransaction>(raw) else { return json!({ "method": "unreadable" }) };
    let Ok(transaction) = signed.0.decode_unverified::<oasis_consensus_types::transaction::Transaction>() else {
        return json!({ "method": "unreadable" });
    };
    let body = cbor::from_slice::<Cbor>(&transaction.body).unwrap_or_default();
    let fee = transaction.fee.unwrap_or_default();
    let error = (result.error.code != 0).then(|| format!("{} {}: {}", result.error.module, result.error.code, result.error.message));
    json!({
        "hash": signed.hash().to_string(),
        "method": transaction.method,
        "sender": Address::of_public_key(&signed.0.signature.public_key).to_string(),
        "nonce": transaction.nonce,
        "fee": fee.amount.to_string(),
        "gas": fee.gas,
        "body": readable("", &body),
        "error": error,
        "events": result.events.iter().map(event).collect::<Vec<_>>(),
    })
}

fn event(event: &TxEvent) -> Value {
    cbor::from_slice::<Cbor>(&cbor::to_vec(event)).map_or(Value::Null, |value| readable("", &value))
}

/// Names of fields that hold an amount of base units or shares.
const AMOUNTS: [&str; 12] = [
    "amount",
    "shares",
    "new_shares",
    "active_shares",
    "debonding_shares",
    "balance",
    "deposit",
    "rate",
    "allowance",
    "amount_change",
    "stake",
    "tokens",
];

/// A value for people: addresses and amounts as they are written, other bytes in hexadecimal.
fn readable(name: &str, value: &Cbor) -> Value {
    match value {
        Cbor::Null => Value::Null,
        Cbor::Bool(value) => json!(value),
        Cbor::Uint(value) => json!(value),
        Cbor::Negative(value) => i64::try_from(*value).map_or_else(|_| json!(format!("-1-{value}")), |value| json!(-1 - value)),
        Cbor::Bytes(bytes) if AMOUNTS.contains(&name) && bytes.len() <= 16 => {
            json!(bytes.iter().fold(0u128, |sum, byte| (sum << 8) | u128::from(*byte)).to_string())
        }
        Cbor::Bytes(bytes) => match <[u8; 21]>::try_from(bytes.as_slice()) {
            Ok(address) => json!(Address(address).to_string()),
            Err(_) => json!(hex::encode(bytes)),
        },
        Cbor::Text(text) => json!(text),
        Cbor::Array(items) => items.iter().map(|item| readable(name, item)).collect(),
        Cbor::Map(pairs) => {
            let mut map = Map::new();
            for (key, item) in pairs {
                let key = match key {
                    Cbor::Text(key) => key.clone(),
                    other => readable("", other).to_string(),
                };
                let item = readable(&key, item);
                map.insert(key, item);
            }
            Value::Object(map)
        }
        other => json!(format!("{other:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_written_as_people_know_them() {
        let map = |pairs: &[(&str, Cbor)]| Cbor::Map(pairs.iter().map(|(k, v)| (Cbor::Text((*k).to_owned()), v.clone())).collect());
        let value = map(&[
            ("amount", Cbor::Bytes(vec![1, 0])),
            ("to", Cbor::Bytes(Address::default().0.to_vec())),
            ("id", Cbor::Bytes(vec![0xab; 32])),
            ("no_amount", Cbor::Bytes(vec![1, 0])),
        ]);
        let to = Address::default().to_string();
        let expected = json!({ "amount": "256", "to": to, "id": "ab".repeat(32), "no_amount": "0100" });
        assert_eq!(readable("", &value), expected);
        assert_eq!(readable("", &Cbor::Negative(u64::MAX)), json!(format!("-1-{}", u64::MAX)));
        assert_eq!(decoded(b"no transaction", &TxResult::default()), json!({ "method": "unreadable" }));
    }
}
