//! A light client that asks several nodes.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    error::{VerifyError, ensure, same_bytes},
    proto::Timestamp,
    state::ChainState,
};

use super::{
    TrustedState,
    block::TrustedBlock,
    source::{LightBlockSource, SourceError},
    verify::{LightError, LightRules, check_own_commit, verify, verify_backwards},
};

/// Light blocks that are kept. Source: `defaultPruningSize`.
const MAX_TRUSTED: usize = 1000;
/// Headers that are gone back one by one at most.
const MAX_BACKWARDS: i64 = 10_000;
/// The next height to try when trust does not reach, in sixteenths of the way. Source: `verifySkippingNumerator`.
const PIVOT: i64 = 9;

/// Where trust begins: the options `consensus.tendermint.state_sync.trust_{period,height,hash}`.
///
/// Source: tendermint `light/trust_options.go`, `TrustOptions`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustOptions {
    /// Nanoseconds for which a header is trusted.
    pub period: i64,
    /// Height of the header that is known to be right.
    pub height: i64,
    /// Its hash, 32 bytes.
    pub hash: Vec<u8>,
}

impl TrustOptions {
    /// Source: `TrustOptions.ValidateBasic`.
    pub fn check(&self) -> Result<(), VerifyError> {
        ensure(self.period > 0, "trust_period", "above zero", self.period)?;
        ensure(self.height > 0, "trust_height", "above zero", self.height)?;
        ensure(self.hash.len() == 32, "trust_hash", "32 bytes", self.hash.len())
    }
}

/// Whether headers between are looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Only where too few of the trusted validators signed. Source: `SkippingVerification`.
    #[default]
    Skipping,
    /// All. Source: `SequentialVerification`.
    Sequential,
}

/// Carries trust from header to header; one node is asked, the others are witnesses.
#[derive(Debug)]
pub struct LightClient<S> {
    pub(super) source: S,
    chain_id: String,
    rules: LightRules,
    mode: Mode,
    pub(super) primary: usize,
    pub(super) witnesses: Vec<usize>,
    trusted: BTreeMap<i64, Arc<TrustedBlock>>,
}

impl<S: LightBlockSource> LightClient<S> {
    /// Takes the configured header from the first node, and sees that no other contradicts it. The period of the options
    /// takes the place of that of the rules.
    ///
    /// Source: `NewClient`, `Client.initializeWithTrustOptions`.
    pub fn new(chain_id: &str, options: &TrustOptions, rules: LightRules, mode: Mode, source: S) -> Result<Self, LightError> {
        options.check().and_then(|()| rules.trust_level.check()).map_err(LightError::Options)?;
        let count = source.count();
        ensure(count >= 2, "consensus_node", "at least two nodes", count).map_err(LightError::Options)?;
        let rules = LightRules { trusting_period: options.period, ..rules };
        let chain_id = chain_id.to_owned();
        let witnesses = (1..count).collect();
        let mut client = Self { source, chain_id, rules, mode, primary: 0, witnesses, trusted: BTreeMap::new() };
        let block = client.ask_primary(options.height)?;
        same_bytes("trust_hash", &options.hash, &block.hash).map_err(LightError::Options)?;
        check_own_commit(&client.rules, &client.chain_id, block.height(), &block.commit, &block.validators).map_err(LightError::Invalid)?;
        client.compare_first(&block)?;
        client.trust(Arc::new(block));
        Ok(client)
    }

    /// The node that is asked first, by number.
    pub fn primary(&self) -> usize {
        self.primary
    }

    /// The nodes that are asked.
    pub fn source(&mut self) -> &mut S {
        &mut self.source
    }

    fn trust(&mut self, block: Arc<TrustedBlock>) {
        self.trusted.insert(block.height(), block);
        while self.trusted.len() > MAX_TRUSTED {
            self.trusted.pop_first();
        }
    }

    /// A light block of a node, consistent by itself and of the height that was asked for.
    pub(super) fn fetch(&mut self, node: usize, height: i64) -> Result<TrustedBlock, SourceError> {
        let message = self.source.light_block(node, height)?;
        let block = TrustedBlock::from_message(message, &self.chain_id).map_err(|e| SourceError::Bad(e.to_string()))?;
        if block.height() != height {
            return Err(SourceError::Bad(format!("height {} instead of {height}", block.height())));
        }
        Ok(block)
    }

    /// A light block of the primary. If it has no answer, it changes places with a witness, as long as another is left to
    /// contradict that one; if its answer is bad, it is not asked again.
    ///
    /// Source: `Client.lightBlockFromPrimary`, `Client.findNewPrimary`.
    fn ask_primary(&mut self, height: i64) -> Result<TrustedBlock, LightError> {
        let mut reasons = Vec::new();
        let mut may_come = false;
        for _ in 0..=self.witnesses.len() {
            let error = match self.fetch(self.primary, height) {
                Ok(block) => return Ok(block),
                Err(e) => e,
            };
            let bad = matches!(error, SourceError::Bad(_));
            may_come |= !bad;
            reasons.push(format!("{}: {error}", self.source.name(self.primary)));
            let Some(next) = self.next_witness() else { break };
            let old = std::mem::replace(&mut self.primary, next);
            self.witnesses.retain(|w| *w != next);
            if !bad {
                self.witnesses.push(old);
            }
        }
        Err(LightError::NotAvailable { height, reason: reasons.join("; "), may_come })
    }

    /// A witness that may become the primary: one more must be left to contradict it.
    fn next_witness(&self) -> Option<usize> {
        match self.witnesses.as_slice() {
            [first, _, ..] => Some(*first),
            _ => None,
        }
    }

    /// Replaces a primary that gave a false header; the new one must give the same target.
    fn replace_primary(&mut self, target: &TrustedBlock, cause: LightError) -> Result<(), LightError> {
        while let Some(node) = self.next_witness() {
            self.witnesses.retain(|w| *w != node);
            if self.fetch(node, target.height()).is_ok_and(|b| b.hash == target.hash) {
                self.primary = node;
                return Ok(());
            }
        }
        Err(cause)
    }

    /// The light block of a height, verified now or before.
    ///
    /// Source: `Client.VerifyLightBlockAtHeight`, `Client.verifyLightBlock`.
    pub fn verified(&mut self, height: i64, now: Timestamp) -> Result<Arc<TrustedBlock>, LightError> {
        ensure(height > 0, "height", "above zero", height).map_err(LightError::Options)?;
        if let Some(block) = self.trusted.get(&height) {
            return Ok(Arc::clone(block));
        }
        let block = Arc::new(self.ask_primary(height)?);
        let below = self.trusted.range(..height).next_back().map(|(_, b)| Arc::clone(b));
        match below {
            Some(trusted) => self.forwards(&trusted, &block, now)?,
            None => {
                let first = self.trusted.first_key_value().map(|(_, b)| Arc::clone(b));
                let none = || LightError::Options(VerifyError::new("trust_height", "a trusted header", "none"));
                let first = first.ok_or_else(none)?;
                self.backwards(&first, &block)?;
            }
        }
        self.trust(Arc::clone(&block));
        Ok(block)
    }

    fn forwards(&mut self, trusted: &Arc<TrustedBlock>, target: &Arc<TrustedBlock>, now: Timestamp) -> Result<(), LightError> {
        loop {
            let node = self.primary;
            let (at, cause) = match self.path(node, trusted, target, now) {
                Ok(trace) => return self.detect_divergence(&trace, now),
                Err(error) => error,
            };
            if at == target.height() || !matches!(cause, LightError::Invalid(_)) {
                return Err(cause);
            }
            self.replace_primary(target, cause)?;
        }
    }

    /// The headers by which trust reaches the target, first and last included; on an error the height that is to blame.
    ///
    /// Source: `Client.verifySkipping`, `Client.verifySequential`.
    pub(super) fn path(
        &mut self,
        node: usize,
        trusted: &Arc<TrustedBlock>,
        target: &Arc<TrustedBlock>,
        now: Timestamp,
    ) -> Result<Vec<Arc<TrustedBlock>>, (i64, LightError)> {
        let mut trace = vec![Arc::clone(trusted)];
        let mut from = Arc::clone(trusted);
        // The nearest last.
        let mut targets = vec![Arc::clone(target)];
        while let Some(to) = targets.last().cloned() {
            let distance = to.height().saturating_sub(from.height());
            let outcome = if self.mode == Mode::Sequential && distance > 1 {
                Err(LightError::CannotBeTrusted(VerifyError::new("height", from.height().saturating_add(1), to.height())))
            } else {
                verify(&self.rules, now, &from.header, &from.validators, (&to.header, &to.commit), &to.validators)
            };
            match outcome {
                Ok(()) => {
                    trace.push(Arc::clone(&to));
                    from = to;
                    targets.pop();
                }
                Err(LightError::CannotBeTrusted(_)) if distance > 1 => {
                    let step = if self.mode == Mode::Sequential { 1 } else { distance.saturating_mul(PIVOT) / 16 };
                    let pivot = from.height().saturating_add(step.max(1));
                    let between = self.fetch(node, pivot).map_err(|e| (pivot, self.not_given(node, pivot, e)))?;
                    targets.push(Arc::new(between));
                }
                Err(e) => return Err((to.height(), e)),
            }
        }
        Ok(trace)
    }

    fn not_given(&self, node: usize, height: i64, e: SourceError) -> LightError {
        if let SourceError::Bad(reason) = e {
            return LightError::Invalid(VerifyError::new("light_block", format_args!("that of height {height}"), reason));
        }
        LightError::NotAvailable { height, reason: format!("{}: {e}", self.source.name(node)), may_come: true }
    }

    /// Source: `Client.backwards`.
    fn backwards(&mut self, trusted: &TrustedBlock, target: &TrustedBlock) -> Result<(), LightError> {
        let distance = trusted.height().saturating_sub(target.height());
        if distance > MAX_BACKWARDS {
            let reason = format!("it lies more than {MAX_BACKWARDS} heights below the trusted one, {}", trusted.height());
            return Err(LightError::NotAvailable { height: target.height(), reason, may_come: false });
        }
        let mut header = trusted.header.clone();
        while header.height > target.height() {
            let before = header.height.saturating_sub(1);
            let next = if before == target.height() { target.header.clone() } else { self.ask_primary(before)?.header };
            verify_backwards(&next, &header)?;
            header = next;
        }
        Ok(())
    }

    /// What a node needs to go on after a height, from the light blocks of that height and of the two after it.
    ///
    /// Source: go/consensus/tendermint/full/statesync.go, `stateProvider.State`; go/consensus/tendermint/light/client.go,
    /// `GetVerifiedParameters`.
    pub fn state_after(&mut self, height: i64, initial_height: i64, now: Timestamp) -> Result<TrustedState, LightError> {
        let last = self.verified(height, now)?;
        let current = self.verified(height.saturating_add(1), now)?;
        let next = self.verified(height.saturating_add(2), now)?;
        let primary = self.primary;
        let (at, params) = match self.source.params(primary, next.height()) {
            Ok(answer) => answer,
            Err(e) => return Err(self.not_given(primary, next.height(), e)),
        };
        params.check().map_err(LightError::Invalid)?;
        ensure(at > 0, "params.height", "above zero", at).map_err(LightError::Invalid)?;
        let of = self.verified(at, now)?;
        same_bytes("params", &of.header.consensus_hash, &params.hash()).map_err(LightError::Invalid)?;
        let state = ChainState {
            app_version: params.version.app_version,
            chain_id: self.chain_id.clone(),
            initial_height: initial_height.max(1),
            last_block_height: last.height(),
            last_block_id: last.commit.block_id.clone(),
            last_block_time: last.header.time,
            next_validators: Arc::clone(&next.validators),
            validators: Arc::clone(&current.validators),
            last_validators: Arc::clone(&last.validators),
            last_height_validators_changed: next.height(),
            consensus_params: params,
            last_height_consensus_params_changed: current.height(),
            last_results_hash: current.header.last_results_hash.clone(),
            app_hash: current.header.app_hash.clone(),
        };
        Ok(TrustedState { state, commit: last.commit.clone() })
    }
}
