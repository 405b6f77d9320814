//! `oasis-node debug beacon`: the random beacon, and where its round of secret sharing stands.
//!
//! Source: go/oasis-node/cmd/debug/beacon/beacon.go.

use std::collections::BTreeMap;

use anyhow::Result;
use clap::Subcommand;
use oasis_consensus_types::beacon::PvssState;
use oasis_primitives::{
    json::{self, ToJson},
    pvss::{Commit, CommitShare, Instance, Point, PubVerShare, Reveal},
};
use serde_json::{Map, Value, json};

use crate::common::{CommonFlags, LATEST, Node, NodeFlags, print};

/// The commands.
#[derive(Debug, Subcommand)]
pub enum BeaconCommand {
    /// Prints the beacon of this epoch and the round for the next in JSON.
    Status {
        #[command(flatten)]
        common: CommonFlags,
        #[command(flatten)]
        node: NodeFlags,
    },
}

/// Runs a command.
///
/// Source: go/oasis-node/cmd/debug/beacon/beacon.go, `doBeaconStatus`.
pub fn run(command: &BeaconCommand) -> Result<()> {
    let BeaconCommand::Status { node, .. } = command;
    let node = Node::connect(node)?;
    let beacon: Vec<u8> = node.call("Beacon/GetBeacon", &LATEST)?;
    // Null where the network has another backend.
    let round: Option<PvssState> = node.call("Beacon/GetPVSSState", &LATEST)?;
    let round = round.unwrap_or_default();
    print(&json::to_text_pretty(&json!({ "Beacon": beacon.to_json(), "State": state(&round) })))
}

/// Source: go/beacon/api/pvss.go, `PVSSState`.
fn state(round: &PvssState) -> Value {
    let number = |n: i64| (n != 0).then(|| json!(n));
    let fields = [
        ("height", number(round.height)),
        ("epoch", (round.epoch != 0).then(|| json!(round.epoch))),
        ("round", (round.round != 0).then(|| json!(round.round))),
        ("state", (round.state.0 != 0).then(|| json!(round.state.0))),
        ("instance", round.instance.as_ref().map(instance)),
        ("participants", (!round.participants.is_empty()).then(|| round.participants.to_json())),
        ("entropy", (!round.entropy.is_empty()).then(|| round.entropy.to_json())),
        ("bad_participants", (!round.bad_participants.is_empty()).then(|| round.bad_participants.to_json())),
        ("commit_deadline", number(round.commit_deadline)),
        ("reveal_deadline", number(round.reveal_deadline)),
        ("transition_height", number(round.transition_height)),
        ("runtime_disable_height", number(round.runtime_disable_height)),
    ];
    fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect::<Map<_, _>>().into()
}

/// A map by number; its keys are sorted as texts. Source: Go's `encoding/json`, `mapEncoder`.
fn by_number<'a, T: 'a>(items: impl Iterator<Item = (&'a i64, &'a T)>, value: impl Fn(&T) -> Value) -> Value {
    let sorted: BTreeMap<String, Value> = items.map(|(key, item)| (key.to_string(), value(item))).collect();
    sorted.into_iter().collect::<Map<_, _>>().into()
}

fn or_null<T>(item: Option<&T>, value: impl Fn(&T) -> Value) -> Value {
    item.map_or(Value::Null, value)
}

/// Source: go/common/crypto/pvss/pvss.go, `Instance`.
fn instance(instance: &Instance) -> Value {
    let Instance { participants, commits, reveals, decrypted_shares, threshold } = instance;
    let shares = |of: &_| {
        let of: &oasis_primitives::cbor::NilMap<i64, oasis_primitives::cbor::OrNil<PubVerShare>> = of;
        if of.is_nil() { Value::Null } else { by_number(of.iter(), |one| if one.is_nil() { Value::Null } else { share(one) }) }
    };
    json!({
        "participants": if participants.is_nil() { Value::Null } else { participants.iter().map(point).collect() },
        "commits": if commits.is_nil() { Value::Null } else {
            by_number(commits.iter(), |one| {
                if one.is_nil() {
                    return Value::Null;
                }
                let mut fields = json!({ "commit": or_null(one.commit.as_ref(), commit) });
                if let Some(own) = &one.decrypted_share {
                    fields["decrypted_share"] = share(own);
                }
                fields
            })
        },
        "reveals": if reveals.is_nil() { Value::Null } else {
            by_number(reveals.iter(), |one| if one.is_nil() { Value::Null } else { reveal(one) })
        },
        "decrypted_shares": if decrypted_shares.is_nil() { Value::Null } else { by_number(decrypted_shares.iter(), shares) },
        "threshold": threshold,
    })
}

fn commit(commit: &Commit) -> Value {
    let shares = || commit.shares.iter().map(|one| or_null(one.as_ref(), committed)).collect();
    json!({ "index": commit.index, "shares": if commit.shares.is_nil() { Value::Null } else { shares() } })
}

fn reveal(reveal: &Reveal) -> Value {
    let shares = &reveal.decrypted_shares;
    let shares = if shares.is_nil() { Value::Null } else { by_number(shares.iter(), |one| or_null(one.as_ref(), share)) };
    json!({ "index": reveal.index, "decrypted_shares": shares })
}

/// Source: go/common/crypto/pvss/s11n.go, `CommitShare`.
fn committed(of: &CommitShare) -> Value {
    let mut fields = json!({ "poly_v": point(&of.poly_v) });
    if let (Value::Object(all), Value::Object(more)) = (&mut fields, share(&of.share())) {
        all.extend(more);
    }
    fields
}

/// Scalars have no form in JSON: nothing is said of them.
///
/// Source: go/common/crypto/pvss/s11n.go, `PubVerShare`.
fn share(share: &PubVerShare) -> Value {
    json!({ "v": point(&share.v), "c": {}, "r": {}, "vg": point(&share.vg), "vh": point(&share.vh) })
}

/// Source: go/common/crypto/pvss/s11n.go, `Point.MarshalText`.
fn point(point: &Point) -> Value {
    point.to_bytes().map_or(Value::Null, |bytes| bytes.to_vec().to_json())
}

#[cfg(test)]
mod tests {
    use oasis_consensus_types::beacon::RoundState;
    use oasis_primitives::{cbor::NilMap, pvss::Scalar};

    use super::*;

    /// As the original's program prints such rounds.
    #[test]
    fn rounds_are_written_as_by_the_original() {
        assert_eq!(state(&PvssState::default()), json!({}));
        let point = Scalar::from_slice(&[1; 32]).unwrap().point();
        let committed = CommitShare { poly_v: point, v: point, vg: point, vh: point, ..CommitShare::default() };
        let commit = Commit { index: 2, shares: vec![Some(committed), None].into() };
        let state_of = |index| (index, oasis_primitives::pvss::CommitState { commit: Some(commit.clone()), decrypted_share: None }.into());
        let instance = Instance {
            participants: vec![point].into(),
            commits: [state_of(2), state_of(10)].into_iter().collect::<BTreeMap<_, _>>().into(),
            reveals: NilMap::default(),
            threshold: 1,
            ..Instance::default()
        };
        let round =
            PvssState { height: 43, state: RoundState::COMMIT, instance: Some(instance), commit_deadline: 51, ..PvssState::default() };
        let p = point.to_bytes().unwrap().to_vec().to_json();
        let one = json!({ "commit": { "index": 2, "shares": [{ "poly_v": p, "v": p, "c": {}, "r": {}, "vg": p, "vh": p }, null] } });
        let expected = json!({
            "height": 43,
            "state": 1,
            "instance": { "participants": [p], "commits": { "10": one, "2": one }, "reveals": null, "decrypted_shares": null, "threshold": 1 },
            "commit_deadline": 51,
        });
        // The order of fields counts too.
        assert_eq!(state(&round).to_string(), expected.to_string());
    }
}
