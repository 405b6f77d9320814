//! Comparison of what was computed with what is recorded.

use std::collections::BTreeMap;

use oasis_consensus_app::{
    block::{EndBlock, TxResult},
    event::Event,
};
use oasis_consensus_engine::proto::{self, AbciResponses, ResponseDeliverTx};
use serde_json::{Value, json};

use crate::{
    chain::Change,
    decode,
    difference::{Difference, KeyDifference},
    keys,
};

/// The most keys that are listed.
const MAX_KEYS: usize = 20;

/// What was computed for a block.
#[derive(Debug, Default)]
pub(crate) struct Computed {
    pub begin_events: Vec<Event>,
    pub txs: Vec<TxResult>,
    pub end: EndBlock,
    /// The application's version that it reports at the block's end; nothing in the block at which it halts.
    pub app_version: Option<u64>,
}

/// Path, recorded, computed.
type Found = (String, Value, Value);

/// The first difference of a block's results.
pub(crate) fn results(height: i64, recorded: &AbciResponses, computed: &Computed) -> Option<Difference> {
    let found = begin_block(recorded, computed).or_else(|| transactions(recorded, computed)).or_else(|| end_block(recorded, computed));
    found.map(|(field, expected, actual)| Difference { height, field, expected, actual, keys: Vec::new() })
}

fn begin_block(recorded: &AbciResponses, computed: &Computed) -> Option<Found> {
    let expected = recorded.begin_block.as_ref().map_or(&[][..], |b| &b.events);
    events("results.begin_block.events", expected, &computed.begin_events)
}

fn transactions(recorded: &AbciResponses, computed: &Computed) -> Option<Found> {
    let (a, b) = (&recorded.deliver_txs, &computed.txs);
    if a.len() != b.len() {
        return Some(("results.deliver_txs".into(), json!(a.len()), json!(b.len())));
    }
    a.iter().zip(b).enumerate().find_map(|(i, (a, b))| transaction(&format!("results.deliver_txs[{i}]"), a, b))
}

fn transaction(path: &str, a: &ResponseDeliverTx, b: &TxResult) -> Option<Found> {
    if (a.codespace.as_str(), a.code) != (b.module.as_str(), b.code) {
        let log = String::from_utf8_lossy(&a.log);
        return Some((
            format!("{path}.code"),
            json!({ "codespace": a.codespace, "code": a.code, "log": log }),
            json!({ "codespace": b.module, "code": b.code, "log": b.message }),
        ));
    }
    if a.data != b.data {
        return Some((format!("{path}.data"), decode::value(&a.data), decode::value(&b.data)));
    }
    if !a.info.is_empty() {
        return Some((format!("{path}.info"), json!(String::from_utf8_lossy(&a.info)), json!("")));
    }
    if a.gas_wanted != b.gas_wanted.cast_signed() {
        return Some((format!("{path}.gas_wanted"), json!(a.gas_wanted), json!(b.gas_wanted)));
    }
    if a.gas_used != b.gas_used.cast_signed() {
        return Some((format!("{path}.gas_used"), json!(a.gas_used), json!(b.gas_used)));
    }
    events(&format!("{path}.events"), &a.events, &b.events)
}

fn end_block(recorded: &AbciResponses, computed: &Computed) -> Option<Found> {
    let recorded = recorded.end_block.as_ref()?;
    let mut expected: Vec<(Option<[u8; 32]>, i64)> = recorded.validator_updates.iter().map(|u| (u.pub_key.as_ed25519(), u.power)).collect();
    let mut actual: Vec<(Option<[u8; 32]>, i64)> = computed.end.validator_updates.iter().map(|u| (Some(u.public_key.0), u.power)).collect();
    // The original goes through a map in no order of its own, and nothing depends on the order.
    expected.sort_unstable();
    actual.sort_unstable();
    if expected != actual {
        let show = |list: &[(Option<[u8; 32]>, i64)]| -> Value {
            list.iter().map(|(k, p)| json!({ "public_key": k.map(hex::encode), "power": p })).collect()
        };
        return Some(("results.end_block.validator_updates".into(), show(&expected), show(&actual)));
    }
    let params = computed
        .app_version
        .map(|app_version| proto::AbciConsensusParams { version: Some(proto::VersionParams { app_version }), ..Default::default() });
    if recorded.consensus_param_updates != params {
        let show = |p: &Option<proto::AbciConsensusParams>| p.as_ref().map_or(Value::Null, |p| json!(format!("{p:?}")));
        let field = "results.end_block.consensus_param_updates";
        return Some((field.into(), show(&recorded.consensus_param_updates), show(&params)));
    }
    events("results.end_block.events", &recorded.events, &computed.end.events)
}

fn events(path: &str, expected: &[proto::Event], actual: &[Event]) -> Option<Found> {
    let same = |a: &proto::Event, b: &Event| {
        let attribute = |(x, (k, v)): (&proto::EventAttribute, &(Vec<u8>, Vec<u8>))| x.key == *k && x.value == *v && !x.index;
        a.r#type == b.kind && a.attributes.len() == b.attributes.len() && a.attributes.iter().zip(&b.attributes).all(attribute)
    };
    let at = (0..expected.len().max(actual.len())).find(|i| match (expected.get(*i), actual.get(*i)) {
        (Some(a), Some(b)) => !same(a, b),
        _ => true,
    })?;
    let show_recorded = |e: &proto::Event| {
        let list = e.attributes.iter().map(|a| {
            let mut shown = attribute(&a.key, &a.value);
            if let (true, Value::Object(map)) = (a.index, &mut shown) {
                map.insert("index".into(), json!(true));
            }
            shown
        });
        json!({ "type": e.r#type, "attributes": list.collect::<Vec<_>>() })
    };
    let show_computed = |e: &Event| {
        let list = e.attributes.iter().map(|(k, v)| attribute(k, v));
        json!({ "type": e.kind, "attributes": list.collect::<Vec<_>>() })
    };
    let expected = expected.get(at).map_or(Value::Null, show_recorded);
    let actual = actual.get(at).map_or(Value::Null, show_computed);
    Some((format!("{path}[{at}]"), expected, actual))
}

fn attribute(key: &[u8], value: &[u8]) -> Value {
    json!({ "key": decode::value(key), "value": decode::value(value) })
}

/// The first difference of a block's changes of the state.
pub(crate) fn diff(height: i64, recorded: &[Change], computed: &[Change]) -> Option<Difference> {
    if recorded == computed {
        return None;
    }
    let expected: BTreeMap<&[u8], Option<&[u8]>> = by_key(recorded);
    let actual: BTreeMap<&[u8], Option<&[u8]>> = by_key(computed);
    let mut all: Vec<&[u8]> = expected.keys().chain(actual.keys()).copied().collect();
    all.sort_unstable();
    all.dedup();
    let differing: Vec<&[u8]> = all.into_iter().filter(|k| expected.get(k) != actual.get(k)).collect();
    let show = |side: Option<&Option<&[u8]>>| match side {
        None => json!("unchanged"),
        Some(None) => json!("removed"),
        Some(Some(v)) => decode::value(v),
    };
    let key = |k: &&[u8]| KeyDifference { name: keys::name(k), expected: show(expected.get(k)), actual: show(actual.get(k)) };
    Some(Difference {
        height,
        field: format!("diff ({} keys)", differing.len()),
        expected: json!(format!("{} changed keys", recorded.len())),
        actual: json!(format!("{} changed keys", computed.len())),
        keys: differing.iter().take(MAX_KEYS).map(key).collect(),
    })
}

fn by_key(changes: &[Change]) -> BTreeMap<&[u8], Option<&[u8]>> {
    changes.iter().map(|(k, v)| (k.as_slice(), v.as_deref())).collect()
}
