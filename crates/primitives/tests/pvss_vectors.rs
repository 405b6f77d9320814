//! Secret sharing against recorded rounds.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use oasis_primitives::{
    cbor::{self, Value},
    pvss::{Commit, Instance, Point, Reveal, Scalar, Xof, base_point},
};

struct Item(Value);

impl Item {
    fn bytes(&self, key: &str) -> Result<&[u8]> {
        match self.0.get(key) {
            Some(Value::Bytes(b)) => Ok(b),
            other => bail!("field {key}: {other:?}"),
        }
    }

    fn list(&self, key: &str) -> Result<Vec<&[u8]>> {
        // A round that stopped early has none.
        let items = match self.0.get(key) {
            Some(Value::Array(items)) => items.as_slice(),
            Some(Value::Null) | None => &[],
            Some(other) => bail!("field {key}: {other:?}"),
        };
        items.iter().map(|i| if let Value::Bytes(b) = i { Ok(b.as_slice()) } else { bail!("field {key}") }).collect()
    }

    fn text(&self, key: &str) -> &str {
        if let Some(Value::Text(t)) = self.0.get(key) { t } else { "" }
    }

    fn flag(&self, key: &str) -> bool {
        matches!(self.0.get(key), Some(Value::Bool(true)))
    }

    fn int(value: &Value) -> Result<i64> {
        Ok(match value {
            Value::Uint(n) => i64::try_from(*n)?,
            Value::Negative(n) => !i64::try_from(*n)?,
            other => bail!("not an integer: {other:?}"),
        })
    }

    fn number(&self, key: &str) -> Result<i64> {
        Self::int(self.0.get(key).unwrap_or(&Value::Uint(0)))
    }

    fn instance(&self) -> Result<Instance> {
        let points = self.list("points")?;
        let points = points.into_iter().map(|b| Point::from_slice(b).context("point")).collect::<Result<_>>()?;
        Ok(Instance::new(points, self.number("threshold")?)?)
    }

    fn check(&self) -> Result<()> {
        let ok = self.flag("ok");
        match self.text("kind") {
            "kyber-p256-pick" => {
                let seed = self.bytes("seed")?;
                let mut stream = vec![0; self.bytes("xof")?.len()];
                Xof::new(seed).read(&mut stream);
                ensure!(stream == self.bytes("xof")?, "stream");
                ensure!(Scalar::pick(&mut Xof::new(seed)).to_bytes().context("scalar")?.as_slice() == self.bytes("scalar")?, "scalar");
                ensure!(Point::pick(&mut Xof::new(seed)).to_bytes().context("point")?.as_slice() == self.bytes("point")?, "point");
            }
            "pvss-point-decode" => {
                let point = Point::from_slice(self.bytes("input")?);
                ensure!(point.is_some() == ok, "point decoding");
                if let Some(bytes) = point.and_then(|p| p.to_bytes()) {
                    ensure!(bytes.as_slice() == self.bytes("output")?, "point encoding");
                }
            }
            "pvss-scalar-decode" => {
                let scalar = Scalar::from_slice(self.bytes("input")?);
                ensure!(scalar.is_some() == ok, "scalar decoding");
                if let Some(scalar) = scalar {
                    ensure!(scalar.to_bytes().context("scalar")?.as_slice() == self.bytes("output")?, "scalar encoding");
                    if self.0.get("point").is_some() {
                        ensure!(scalar.point().to_bytes().context("point")?.as_slice() == self.bytes("point")?, "point of scalar");
                    }
                }
            }
            "pvss-config" => {
                let mut seed = Xof::new(b"participants");
                let points = (0..self.number("participants")?).map(|_| Point::pick(&mut seed)).collect();
                ensure!(Instance::new(points, self.number("threshold")?).is_ok() == ok, "configuration");
            }
            "pvss-round" | "pvss-partial" | "pvss-round-forged-reveals" => self.round()?,
            "pvss-commit-check" => {
                let commit = cbor::from_slice::<Commit>(self.bytes("message")?);
                ensure!(commit.is_ok() == self.flag("decode_ok"), "commit decoding: {commit:?}");
                if let Ok(commit) = commit {
                    let result = self.instance()?.on_commit(commit);
                    ensure!(result.is_ok() == ok, "commit: {result:?}");
                }
            }
            "pvss-commit-twice" => {
                let mut instance = self.instance()?;
                let commit: Commit = cbor::from_slice(self.bytes("message")?)?;
                instance.on_commit(commit.clone())?;
                ensure!(instance.on_commit(commit).is_err() && !ok, "second commit");
            }
            "pvss-reveal-check" => {
                let mut instance = self.instance()?;
                for commit in self.list("commits")? {
                    instance.on_commit(cbor::from_slice(commit)?)?;
                }
                let reveal = cbor::from_slice::<Reveal>(self.bytes("message")?);
                ensure!(reveal.is_ok() == self.flag("decode_ok"), "reveal decoding: {reveal:?}");
                if let Ok(reveal) = reveal {
                    let result = instance.on_reveal(reveal);
                    ensure!(result.is_ok() == ok, "reveal: {result:?}");
                }
            }
            // Bodies of transactions: the consensus types have a test of their own.
            "pvss-tx-body" => {}
            other => bail!("unknown kind {other}"),
        }
        Ok(())
    }

    fn round(&self) -> Result<()> {
        let mut instance = self.instance()?;
        for commit in self.list("commits")? {
            instance.on_commit(cbor::from_slice(commit)?)?;
        }
        if self.0.get("may_reveal").is_some() {
            ensure!(instance.may_reveal() == (self.flag("may_reveal"), usize::try_from(self.number("num_commits")?)?), "may reveal");
        }
        for reveal in self.list("reveals")? {
            instance.on_reveal(cbor::from_slice(reveal)?)?;
        }
        if self.0.get("may_recover").is_some() {
            ensure!(instance.may_recover() == (self.flag("may_recover"), usize::try_from(self.number("num_reveals")?)?), "may recover");
        }
        let recovered = instance.recover();
        if self.0.get("entropy").is_some_and(|e| matches!(e, Value::Bytes(b) if !b.is_empty())) {
            let (entropy, contributors) = recovered?;
            ensure!(entropy.as_slice() == self.bytes("entropy")?, "entropy");
            let Some(Value::Array(expected)) = self.0.get("contributors") else { bail!("contributors") };
            ensure!(contributors == expected.iter().map(Self::int).collect::<Result<Vec<_>>>()?, "contributors");
        } else {
            ensure!(recovered.is_err(), "recovered too early");
        }
        if let Some(Value::Bytes(state)) = self.0.get("instance") {
            ensure!(cbor::to_vec(&instance) == *state, "instance");
            ensure!(cbor::from_slice_trusted::<Instance>(state)? == instance, "instance decoding");
        }
        if self.0.get("base_point").is_some() {
            ensure!(base_point().to_bytes().context("base point")?.as_slice() == self.bytes("base_point")?, "base point");
        }
        Ok(())
    }
}

#[test]
fn secret_sharing_matches_recorded_vectors() {
    let mut kinds = BTreeMap::new();
    oasis_test_vectors::for_each("misc-crypto.cbor.gz", |_, bytes| {
        for item in cbor::sequence_from_slice::<Value>(bytes)? {
            let item = Item(item);
            let kind = item.text("kind").to_owned();
            if kind.starts_with("pvss-") || kind.starts_with("kyber-") {
                item.check().with_context(|| format!("{kind}: {} ({})", item.text("comment"), item.text("error")))?;
                *kinds.entry(kind).or_insert(0) += 1;
            }
        }
        Ok(())
    })
    .unwrap();
    assert_eq!(kinds.len(), 11, "{kinds:?}");
}

#[test]
fn a_dealt_round_recovers_the_same_entropy_for_all() {
    let mut stream = Xof::new(b"a round");
    let mut entropy = |out: &mut [u8]| stream.read(out);
    let keys: Vec<Scalar> = (0..4).map(|_| Scalar::generate(&mut entropy)).collect();
    let points: Vec<Point> = keys.iter().map(Scalar::point).collect();
    let mut instances: Vec<Instance> = keys.iter().map(|_| Instance::new(points.clone(), 3).unwrap()).collect();
    for dealer in 0..3 {
        let commit = instances[dealer].commit(&keys[dealer], &mut entropy).unwrap();
        for (i, key) in keys.iter().enumerate().filter(|(i, _)| *i != dealer) {
            instances[i].on_commit_as(commit.clone(), key, &mut entropy).unwrap();
        }
    }
    for participant in 1..4 {
        let reveal = instances[participant].reveal(&keys[participant]).unwrap();
        for i in (0..4).filter(|i| *i != participant) {
            instances[i].on_reveal(reveal.clone()).unwrap();
        }
    }
    let all: Vec<_> = instances.iter().map(|i| i.recover().unwrap()).collect();
    assert!(all.iter().all(|r| *r == all[0]));
    assert_eq!(all[0].1, [1, 2, 3]);
}

#[test]
fn changed_messages_are_refused_without_a_panic() {
    let mut stream = Xof::new(b"changes");
    let mut entropy = |out: &mut [u8]| stream.read(out);
    let keys: Vec<Scalar> = (0..3).map(|_| Scalar::generate(&mut entropy)).collect();
    let points: Vec<Point> = keys.iter().map(Scalar::point).collect();
    let mut dealer = Instance::new(points.clone(), 2).unwrap();
    let commit = dealer.commit(&keys[0], &mut entropy).unwrap();
    let mut second = Instance::new(points.clone(), 2).unwrap();
    let other = second.commit(&keys[1], &mut entropy).unwrap();
    dealer.on_commit_as(other.clone(), &keys[0], &mut entropy).unwrap();
    let reveal = dealer.clone().reveal(&keys[0]).unwrap();
    let (commit, reveal) = (cbor::to_vec(&commit), cbor::to_vec(&reveal));
    for _ in 0..400 {
        let mut draw = [0; 3];
        entropy(&mut draw);
        let place = usize::from(draw[0]) << 8 | usize::from(draw[1]);
        let change = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            let at = place % bytes.len();
            bytes[at] = bytes[at].wrapping_add(draw[2].max(1));
            bytes
        };
        // Any change of a proof, a share or the dealer shows; case of a key's letters does not.
        if let Ok(changed) = cbor::from_slice::<Commit>(&change(&commit)) {
            let same = cbor::to_vec(&changed) == commit;
            let mut fresh = Instance::new(points.clone(), 2).unwrap();
            let index_only = changed.index != 0;
            assert!(fresh.on_commit(changed).is_err() || same || index_only);
        }
        if let Ok(changed) = cbor::from_slice::<Reveal>(&change(&reveal)) {
            let same = cbor::to_vec(&changed) == reveal;
            assert!(dealer.clone().on_reveal(changed).is_err() || same);
        }
    }
}
