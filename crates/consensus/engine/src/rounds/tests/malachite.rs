//! The least that Malachite's driver needs to know: validators by their place, blocks by their hash, no signatures.

use std::{collections::BTreeSet, fmt, time::Duration};

use arc_malachitebft_core_driver::{Driver, Input, Output, ThresholdParams};
use arc_malachitebft_core_types::{
    self as types, NilOrVal, Round, SignedExtension, SignedMessage, Timeout, TimeoutKind, Validity, VoteType, VotingPower,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address(pub usize);

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl types::Address for Address {}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Height(u64);

impl fmt::Display for Height {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl types::Height for Height {
    const ZERO: Self = Self(0);
    const INITIAL: Self = Self(1);

    fn increment_by(&self, n: u64) -> Self {
        Self(self.0 + n)
    }

    fn decrement_by(&self, n: u64) -> Option<Self> {
        self.0.checked_sub(n).map(Self)
    }

    fn as_u64(&self) -> u64 {
        self.0
    }
}

/// Hash of a block, which stands for the block too.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Value(pub Vec<u8>);

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", hex::encode(&self.0))
    }
}

impl types::Value for Value {
    type Id = Self;

    fn id(&self) -> Self {
        self.clone()
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    pub round: Round,
    pub value: Value,
    pub pol_round: Round,
    pub by: Address,
}

impl types::Proposal<Ctx> for Proposal {
    fn height(&self) -> Height {
        Height(1)
    }

    fn round(&self) -> Round {
        self.round
    }

    fn value(&self) -> &Value {
        &self.value
    }

    fn take_value(self) -> Value {
        self.value
    }

    fn pol_round(&self) -> Round {
        self.pol_round
    }

    fn validator_address(&self) -> &Address {
        &self.by
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part;

impl types::ProposalPart<Ctx> for Part {
    fn is_first(&self) -> bool {
        true
    }

    fn is_last(&self) -> bool {
        true
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vote {
    pub kind: VoteType,
    pub round: Round,
    pub value: NilOrVal<Value>,
    pub by: Address,
}

impl types::Vote<Ctx> for Vote {
    fn height(&self) -> Height {
        Height(1)
    }

    fn round(&self) -> Round {
        self.round
    }

    fn value(&self) -> &NilOrVal<Value> {
        &self.value
    }

    fn take_value(self) -> NilOrVal<Value> {
        self.value
    }

    fn vote_type(&self) -> VoteType {
        self.kind
    }

    fn validator_address(&self) -> &Address {
        &self.by
    }

    fn extension(&self) -> Option<&SignedExtension<Ctx>> {
        None
    }

    fn take_extension(&mut self) -> Option<SignedExtension<Ctx>> {
        None
    }

    fn extend(self, _: SignedExtension<Ctx>) -> Self {
        self
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validator(Address);

impl types::Validator<Ctx> for Validator {
    fn address(&self) -> &Address {
        &self.0
    }

    fn public_key(&self) -> &() {
        &()
    }

    fn voting_power(&self) -> VotingPower {
        10
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validators(Vec<Validator>);

impl types::ValidatorSet<Ctx> for Validators {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn total_voting_power(&self) -> VotingPower {
        10 * self.0.len() as u64
    }

    fn get_by_address(&self, address: &Address) -> Option<&Validator> {
        self.0.get(address.0)
    }

    fn get_by_index(&self, index: usize) -> Option<&Validator> {
        self.0.get(index)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timeouts;

impl types::Timeouts<Ctx> for Timeouts {
    fn duration_for(&self, _: Timeout) -> Duration {
        Duration::ZERO
    }
}

/// Nothing is signed: who said what is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsigned;

impl types::SigningScheme for Unsigned {
    type DecodingError = String;
    type Signature = ();
    type PublicKey = ();
    type PrivateKey = ();

    fn decode_signature(_: &[u8]) -> Result<(), String> {
        Ok(())
    }

    fn encode_signature((): &()) -> Vec<u8> {
        Vec::new()
    }

    fn decode_public_key(_: &[u8]) -> Result<(), String> {
        Ok(())
    }

    fn encode_public_key((): &()) -> Vec<u8> {
        Vec::new()
    }
}

#[derive(Clone, Debug)]
pub struct Ctx;

impl types::Context for Ctx {
    type Address = Address;
    type Height = Height;
    type ProposalPart = Part;
    type Proposal = Proposal;
    type Validator = Validator;
    type ValidatorSet = Validators;
    type Timeouts = Timeouts;
    type Value = Value;
    type Vote = Vote;
    type Extension = ();
    type SigningScheme = Unsigned;

    /// The driver is told each round's proposer.
    fn select_proposer<'a>(&self, validators: &'a Validators, _: Height, _: Round) -> &'a Validator {
        &validators.0[0]
    }

    fn new_proposal(&self, _: Height, round: Round, value: Value, pol_round: Round, by: Address) -> Proposal {
        Proposal { round, value, pol_round, by }
    }

    fn new_prevote(&self, _: Height, round: Round, value: NilOrVal<Value>, by: Address) -> Vote {
        Vote { kind: VoteType::Prevote, round, value, by }
    }

    fn new_precommit(&self, _: Height, round: Round, value: NilOrVal<Value>, by: Address) -> Vote {
        Vote { kind: VoteType::Precommit, round, value, by }
    }
}

/// What the driver asks of whoever runs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A round begins: who is its proposer?
    Proposer(u32),
    /// A value to propose.
    Value(u32),
    Propose(Proposal),
    Vote(Vote),
    Decide(Value),
}

/// One node as Malachite sees it.
pub struct Malachite {
    driver: Driver<Ctx>,
    pub timeouts: BTreeSet<(u32, u8)>,
}

impl Malachite {
    pub fn new(validators: usize, own: usize) -> Self {
        let set = Validators((0..validators).map(|i| Validator(Address(i))).collect());
        let driver = Driver::new(Ctx, Height(1), set, Address(own), ThresholdParams::default());
        Self { driver, timeouts: BTreeSet::new() }
    }

    fn process(&mut self, input: Input<Ctx>) -> Vec<Asked> {
        let mut asked = Vec::new();
        for output in self.driver.process(input).unwrap() {
            match output {
                Output::NewRound(_, round) => asked.push(Asked::Proposer(round.as_u32().unwrap())),
                Output::Propose(proposal) => asked.push(Asked::Propose(proposal)),
                Output::Vote(vote) => asked.push(Asked::Vote(vote)),
                Output::Decide(_, proposal) => asked.push(Asked::Decide(proposal.value)),
                Output::ScheduleTimeout(t) => self.schedule(t),
                Output::GetValue(_, round, t) => {
                    self.schedule(t);
                    asked.push(Asked::Value(round.as_u32().unwrap()));
                }
            }
        }
        asked
    }

    fn schedule(&mut self, timeout: Timeout) {
        self.timeouts.insert((timeout.round.as_u32().unwrap(), number(timeout.kind)));
    }

    pub fn begin(&mut self, round: u32, proposer: usize) -> Vec<Asked> {
        self.process(Input::NewRound(Height(1), Round::new(round), Address(proposer)))
    }

    pub fn value(&mut self, round: u32, value: Value) -> Vec<Asked> {
        self.process(Input::ProposeValue(Round::new(round), value))
    }

    pub fn proposal(&mut self, proposal: Proposal, valid: bool) -> Vec<Asked> {
        self.process(Input::Proposal(SignedMessage::new(proposal, ()), Validity::from_bool(valid)))
    }

    pub fn vote(&mut self, vote: Vote) -> Vec<Asked> {
        self.process(Input::Vote(SignedMessage::new(vote, ())))
    }

    pub fn timeout(&mut self, round: u32, kind: TimeoutKind) -> Vec<Asked> {
        self.process(Input::TimeoutElapsed(Timeout::new(Round::new(round), kind)))
    }

    pub fn round(&self) -> i64 {
        self.driver.round().as_i64()
    }

    /// Round and value of the lock.
    pub fn locked(&self) -> Option<(i64, Value)> {
        self.driver.round_state().locked.as_ref().map(|l| (l.round.as_i64(), l.value.clone()))
    }

    /// The last value with two thirds of the prevotes, with its round.
    pub fn valid(&self) -> Option<(i64, Value)> {
        self.driver.round_state().valid.as_ref().map(|v| (v.round.as_i64(), v.value.clone()))
    }
}

/// The kinds of timeouts have no order.
pub fn number(kind: TimeoutKind) -> u8 {
    match kind {
        TimeoutKind::Propose => 1,
        TimeoutKind::Prevote => 2,
        TimeoutKind::Precommit => 3,
        TimeoutKind::Rebroadcast | TimeoutKind::FinalizeHeight(_) => 4,
    }
}
