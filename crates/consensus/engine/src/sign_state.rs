//! What a validator remembers of what it signed, so that it never signs two things that contradict each other.
//!
//! Whoever holds the key asks [`SignState::vote`] or [`SignState::proposal`] first, signs only what it is told to, and has
//! the state of [`SignState::signed`] on its disk before the signature leaves its hands.
//!
//! Source: tendermint `privval/file.go`; go/consensus/tendermint/crypto/priv_val.go.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use prost::Message;
use serde_json::{Map, Value};

use crate::{
    error::{VerifyError, ensure},
    proto::{CanonicalProposal, CanonicalVote, Proposal, SignedMsgType, Timestamp, Vote},
};

/// Name of the file in the data directory of the original. Source: priv_val.go, `privValFileName`.
pub const SIGN_STATE_FILE: &str = "oasis_priv_validator.json";

/// Source: priv_val.go, `stepPropose`, `stepPrevote`, `stepPrecommit`.
const STEP_PROPOSE: i8 = 1;
const STEP_PREVOTE: i8 = 2;
const STEP_PRECOMMIT: i8 = 3;

/// The last thing that was signed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignState {
    height: i64,
    round: i32,
    step: i8,
    signature: Vec<u8>,
    sign_bytes: Vec<u8>,
    public_key: [u8; 32],
}

/// What to do with something that is to be signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signing {
    /// Sign these bytes, keep the state of [`SignState::signed`], then give the signature out.
    Sign(ToSign),
    /// It was signed before, but for the time: take that time and signature.
    Again {
        /// The time that was signed.
        timestamp: Timestamp,
        /// The signature.
        signature: Vec<u8>,
    },
}

/// What may be signed now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToSign {
    /// The message, under the context `oasis-core/tendermint`.
    pub bytes: Vec<u8>,
    height: i64,
    round: i32,
    step: i8,
}

impl SignState {
    /// Nothing signed yet with this key.
    pub fn new(public_key: [u8; 32]) -> Self {
        Self { public_key, ..Self::default() }
    }

    /// The key.
    pub fn public_key(&self) -> &[u8; 32] {
        &self.public_key
    }

    /// Height of the last signature, 0 before the first.
    pub fn height(&self) -> i64 {
        self.height
    }

    /// Whether and how a vote may be signed; an error says what it contradicts.
    ///
    /// Source: priv_val.go, `privVal.SignVote`.
    pub fn vote(&self, chain_id: &str, vote: &Vote) -> Result<Signing, String> {
        let step = match vote.r#type {
            SignedMsgType::PREVOTE => STEP_PREVOTE,
            SignedMsgType::PRECOMMIT => STEP_PRECOMMIT,
            other => return Err(format!("vote of unknown type {other}")),
        };
        let bytes = vote.sign_bytes(chain_id);
        self.check(vote.height, vote.round, step, bytes, |last, new| {
            let (mut last, new) = (CanonicalVote::decode_length_delimited(last).ok()?, CanonicalVote::decode_length_delimited(new).ok()?);
            let timestamp = std::mem::replace(&mut last.timestamp, new.timestamp);
            (last == new).then_some(timestamp)
        })
    }

    /// Whether and how a proposal may be signed; an error says what it contradicts.
    ///
    /// Source: priv_val.go, `privVal.SignProposal`.
    pub fn proposal(&self, chain_id: &str, proposal: &Proposal) -> Result<Signing, String> {
        let bytes = proposal.sign_bytes(chain_id);
        self.check(proposal.height, proposal.round, STEP_PROPOSE, bytes, |last, new| {
            let last = CanonicalProposal::decode_length_delimited(last).ok();
            let (mut last, new) = (last?, CanonicalProposal::decode_length_delimited(new).ok()?);
            let timestamp = std::mem::replace(&mut last.timestamp, new.timestamp);
            (last == new).then_some(timestamp)
        })
    }

    /// Source: `FilePVLastSignState.CheckHRS`.
    fn check(
        &self,
        height: i64,
        round: i32,
        step: i8,
        bytes: Vec<u8>,
        time_if_only_that_differs: impl Fn(&[u8], &[u8]) -> Option<Timestamp>,
    ) -> Result<Signing, String> {
        let (last, now) = ((self.height, self.round, self.step), (height, round, step));
        if last > now {
            return Err(format!("height, round and step {now:?} come before {last:?}, which was signed already"));
        }
        if last < now {
            return Ok(Signing::Sign(ToSign { bytes, height, round, step }));
        }
        if self.sign_bytes.is_empty() || self.signature.is_empty() {
            return Err(format!("height, round and step {now:?} were signed already, and what was signed is not known"));
        }
        match time_if_only_that_differs(&self.sign_bytes, &bytes) {
            Some(timestamp) => Ok(Signing::Again { timestamp, signature: self.signature.clone() }),
            None => Err(format!("something else was signed already for height, round and step {now:?}")),
        }
    }

    /// The state once something is signed. It has to be on the disk before the signature is given out.
    #[must_use]
    pub fn signed(&self, what: &ToSign, signature: &[u8]) -> Self {
        Self {
            height: what.height,
            round: what.round,
            step: what.step,
            signature: signature.to_vec(),
            sign_bytes: what.bytes.clone(),
            public_key: self.public_key,
        }
    }

    /// As it stands in the file. Source: priv_val.go, `privVal.save`.
    pub fn to_json(&self) -> String {
        let mut map = Map::new();
        map.insert("height".into(), self.height.into());
        map.insert("round".into(), self.round.into());
        map.insert("step".into(), self.step.into());
        if !self.signature.is_empty() {
            map.insert("signature".into(), BASE64.encode(&self.signature).into());
        }
        if !self.sign_bytes.is_empty() {
            map.insert("signbytes".into(), hex::encode_upper(&self.sign_bytes).into());
        }
        map.insert("public_key".into(), BASE64.encode(self.public_key).into());
        Value::Object(map).to_string()
    }

    /// Reads the file's text; `public_key` is the key that will sign. A file that is damaged or belongs to another key is
    /// refused: a validator that does not know what it signed must not sign.
    ///
    /// Source: priv_val.go, `LoadOrGeneratePrivVal`.
    pub fn from_json(text: &str, public_key: &[u8; 32]) -> Result<Self, VerifyError> {
        let value: Value = serde_json::from_str(text).map_err(|e| VerifyError::new(SIGN_STATE_FILE, "JSON", e))?;
        let Value::Object(map) = value else { return Err(VerifyError::new(SIGN_STATE_FILE, "an object", "another value")) };
        let known = ["height", "round", "step", "signature", "signbytes", "public_key"];
        if let Some(key) = map.keys().find(|k| !known.contains(&k.as_str())) {
            return Err(VerifyError::new(key.clone(), "a known key", "another"));
        }
        let number = |key: &str| {
            let value = map.get(key).ok_or_else(|| VerifyError::new(key, "a number", "nothing"))?;
            value.as_i64().filter(|n| *n >= 0).ok_or_else(|| VerifyError::new(key, "a number that is not negative", value))
        };
        let text = |key: &str| match map.get(key) {
            None | Some(Value::Null) => Ok(String::new()),
            Some(Value::String(s)) => Ok(s.clone()),
            Some(other) => Err(VerifyError::new(key, "a text", other)),
        };
        let base64 = |key: &str| {
            let text = text(key)?;
            BASE64.decode(&text).map_err(|_| VerifyError::new(key, "base64", text))
        };
        let narrow = |key: &str| VerifyError::new(key, "a smaller number", "a large one");
        let sign_bytes = text("signbytes")?;
        let state = Self {
            height: number("height")?,
            round: i32::try_from(number("round")?).map_err(|_| narrow("round"))?,
            step: i8::try_from(number("step")?).map_err(|_| narrow("step"))?,
            signature: base64("signature")?,
            sign_bytes: hex::decode(&sign_bytes).map_err(|_| VerifyError::new("signbytes", "hexadecimal digits", sign_bytes))?,
            public_key: *public_key,
        };
        let key = base64("public_key")?;
        ensure(key == public_key, "public_key", BASE64.encode(public_key), BASE64.encode(&key))?;
        let whole = state.signature.is_empty() == state.sign_bytes.is_empty();
        ensure(whole, "signature", "one that goes with signbytes", "only one of both")?;
        Ok(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::{BlockId, PartSetHeader};

    const CHAIN: &str = "test chain";

    fn vote(kind: i32, height: i64, round: i32, block: u8, seconds: i64) -> Vote {
        let block_id = match block {
            0 => BlockId::default(),
            n => BlockId { hash: vec![n; 32], part_set_header: PartSetHeader { total: 1, hash: vec![n; 32] } },
        };
        Vote { r#type: kind, height, round, block_id, timestamp: Timestamp { seconds, nanos: 0 }, ..Default::default() }
    }

    fn proposal(height: i64, round: i32, pol_round: i32, seconds: i64) -> Proposal {
        let v = vote(1, height, round, 1, seconds);
        Proposal { r#type: 32, height, round, pol_round, block_id: v.block_id, timestamp: v.timestamp, ..Default::default() }
    }

    /// Signs if it is allowed, with a restart in between.
    fn sign(state: &mut SignState, what: Result<Signing, String>) -> Result<Option<i64>, String> {
        let again = match what? {
            Signing::Sign(what) => {
                *state = state.signed(&what, &[7; 64]);
                None
            }
            Signing::Again { timestamp, signature } => {
                assert_eq!(signature, [7; 64]);
                Some(timestamp.seconds)
            }
        };
        *state = SignState::from_json(&state.to_json(), &[3; 32]).unwrap();
        Ok(again)
    }

    #[test]
    fn nothing_is_signed_that_contradicts_or_comes_before_what_was_signed() {
        let mut s = SignState::new([3; 32]);
        let p = s.proposal(CHAIN, &proposal(5, 1, -1, 10));
        assert_eq!(sign(&mut s, p), Ok(None));
        let steps: [(i32, i64, i32, u8, i64, Result<Option<i64>, ()>); 14] = [
            (1, 5, 1, 1, 11, Ok(None)),
            (1, 5, 1, 1, 99, Ok(Some(11))),
            (1, 5, 1, 2, 11, Err(())),
            (1, 5, 1, 0, 11, Err(())),
            (2, 5, 1, 1, 12, Ok(None)),
            (1, 5, 1, 1, 11, Err(())),
            (2, 5, 1, 1, 13, Ok(Some(12))),
            (2, 5, 0, 1, 13, Err(())),
            (2, 4, 9, 1, 13, Err(())),
            (1, 5, 2, 0, 14, Ok(None)),
            (1, 5, 2, 1, 14, Err(())),
            (2, 6, 0, 1, 15, Ok(None)),
            (2, 5, 3, 1, 15, Err(())),
            (3, 7, 0, 1, 15, Err(())),
        ];
        for (i, (kind, height, round, block, seconds, expected)) in steps.into_iter().enumerate() {
            let what = s.vote(CHAIN, &vote(kind, height, round, block, seconds));
            assert_eq!(sign(&mut s, what).map_err(|_| ()), expected, "step {i}");
        }
        assert!(s.proposal(CHAIN, &proposal(6, 0, -1, 10)).is_err());
        assert!(s.vote("another chain", &vote(2, 6, 0, 1, 15)).is_err());
    }

    #[test]
    fn a_proposal_is_given_again_only_if_nothing_but_the_time_differs() {
        let mut s = SignState::new([3; 32]);
        let first = s.proposal(CHAIN, &proposal(5, 1, -1, 10));
        assert_eq!(sign(&mut s, first), Ok(None));
        let again = s.proposal(CHAIN, &proposal(5, 1, -1, 77));
        assert_eq!(sign(&mut s, again), Ok(Some(10)));
        assert!(s.proposal(CHAIN, &proposal(5, 1, 0, 10)).is_err());
    }

    #[test]
    fn the_file_is_that_of_the_original() {
        let mut s = SignState::new([3; 32]);
        let empty = r#"{"height":0,"round":0,"step":0,"public_key":"AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM="}"#;
        assert_eq!(s.to_json(), empty);
        let first = s.vote(CHAIN, &vote(1, 5, 1, 0, 1)).unwrap();
        let Signing::Sign(what) = first else { panic!() };
        s = s.signed(&what, &[7; 3]);
        let text = s.to_json();
        assert!(text.starts_with(r#"{"height":5,"round":1,"step":2,"signature":"BwcH","signbytes":"24"#), "{text}");
        assert_eq!(SignState::from_json(&text, &[3; 32]), Ok(s));
    }

    #[test]
    fn a_damaged_file_or_that_of_another_key_is_refused() {
        let mut s = SignState::new([3; 32]);
        let Ok(Signing::Sign(what)) = s.vote(CHAIN, &vote(1, 5, 1, 0, 1)) else { panic!() };
        s = s.signed(&what, &[7; 64]);
        let text = s.to_json();
        assert!(SignState::from_json(&text, &[4; 32]).is_err());
        for cut in 0..text.len() {
            assert!(SignState::from_json(&text[..cut], &[3; 32]).is_err(), "cut at {cut}");
        }
        for (from, to) in [
            ("\"height\":5", "\"height\":-5"),
            ("\"height\":5,", ""),
            ("\"round\":1", "\"round\":4294967296"),
            ("\"signbytes\"", "\"signbites\""),
            ("\"step\":2", "\"step\":null"),
        ] {
            assert_ne!(text.replace(from, to), text);
            assert!(SignState::from_json(&text.replace(from, to), &[3; 32]).is_err(), "{to}");
        }
    }
}
