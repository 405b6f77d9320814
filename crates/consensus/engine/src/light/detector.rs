//! Comparison of what one node said with what the others say.

use std::sync::Arc;

use crate::{
    evidence::{derived_differs, guilty},
    proto::{Evidence, EvidenceSum, LightClientAttackEvidence, Timestamp},
};

use super::{
    block::TrustedBlock,
    client::LightClient,
    source::{LightBlockSource, SourceError},
    verify::LightError,
};

/// How often a witness that does not have a height yet is asked again, and after how many nanoseconds.
const PATIENCE: u32 = 3;
const PAUSE: i64 = 2_000_000_000;

/// What a witness says of a header.
enum Word {
    Same,
    Other(Box<TrustedBlock>),
    Nothing(String),
    Bad(String),
}

impl<S: LightBlockSource> LightClient<S> {
    /// Source: tendermint `light/detector.go`, `Client.compareNewHeaderWithWitness`.
    fn word(&mut self, witness: usize, block: &TrustedBlock) -> Word {
        let mut tries = 0u32;
        loop {
            match self.fetch(witness, block.height()) {
                Ok(found) if found.hash == block.hash => return Word::Same,
                Ok(found) => return Word::Other(Box::new(found)),
                Err(SourceError::NotFound) if tries < PATIENCE => {
                    tries = tries.saturating_add(1);
                    self.source.wait(PAUSE);
                }
                Err(SourceError::Bad(reason)) => return Word::Bad(reason),
                Err(e) => return Word::Nothing(e.to_string()),
            }
        }
    }

    /// Compares the header that trust begins with. Witnesses without an answer do not count.
    ///
    /// Source: tendermint `light/client.go`, `Client.compareFirstHeaderWithWitnesses`.
    pub(super) fn compare_first(&mut self, block: &TrustedBlock) -> Result<(), LightError> {
        for witness in self.witnesses.clone() {
            match self.word(witness, block) {
                Word::Same | Word::Nothing(_) => {}
                Word::Other(found) => return Err(self.divergence(block, &found, witness)),
                Word::Bad(_) => self.witnesses.retain(|w| *w != witness),
            }
        }
        if self.witnesses.is_empty() {
            let reason = "no witness gives valid light blocks".into();
            return Err(LightError::NotAvailable { height: block.height(), reason, may_come: false });
        }
        Ok(())
    }

    fn divergence(&self, block: &TrustedBlock, found: &TrustedBlock, witness: usize) -> LightError {
        let (primary, witness) = (self.source.name(self.primary), self.source.name(witness));
        let reason = format!("{primary} has {}, {witness} has {}", hex::encode(block.hash), hex::encode(found.hash));
        LightError::Divergence { height: found.height(), reason }
    }

    /// Trusts a header only if a witness has it too, and none can show another that is as well signed.
    ///
    /// Source: tendermint `light/detector.go`, `Client.detectDivergence`.
    pub(super) fn detect_divergence(&mut self, trace: &[Arc<TrustedBlock>], now: Timestamp) -> Result<(), LightError> {
        let Some(last) = trace.last() else { return Ok(()) };
        let mut agreed = false;
        let mut reasons = Vec::new();
        for witness in self.witnesses.clone() {
            let reason = match self.word(witness, last) {
                Word::Same => {
                    agreed = true;
                    continue;
                }
                Word::Other(found) => match self.examine_conflict(trace, &Arc::new(*found), witness, now) {
                    Some(attack) => return Err(attack),
                    None => {
                        self.witnesses.retain(|w| *w != witness);
                        "its header does not hold".into()
                    }
                },
                Word::Bad(reason) => {
                    self.witnesses.retain(|w| *w != witness);
                    reason
                }
                Word::Nothing(reason) => reason,
            };
            reasons.push(format!("{}: {reason}", self.source.name(witness)));
        }
        if agreed {
            return Ok(());
        }
        let reason = format!("no witness confirms it: {}", reasons.join("; "));
        Err(LightError::NotAvailable { height: last.height(), reason, may_come: true })
    }

    /// Looks where two well signed histories part, tells each side of the other's misbehaviour, and gives the error; nothing
    /// if the witness cannot show that its header follows.
    ///
    /// Source: tendermint `light/detector.go`, `Client.handleConflictingHeaders`.
    fn examine_conflict(
        &mut self,
        trace: &[Arc<TrustedBlock>],
        found: &Arc<TrustedBlock>,
        witness: usize,
        now: Timestamp,
    ) -> Option<LightError> {
        let error = trace.last().map(|last| self.divergence(last, found, witness));
        let (witness_trace, primary_block) = self.examine(trace, found, witness, now)?;
        self.accuse(&witness_trace, &primary_block, witness);
        let primary = self.primary;
        if let Some((primary_trace, witness_block)) = self.examine(&witness_trace, &primary_block, primary, now) {
            self.accuse(&primary_trace, &witness_block, primary);
        }
        error
    }

    fn accuse(&mut self, trace: &[Arc<TrustedBlock>], conflicting: &TrustedBlock, to: usize) {
        if let (Some(common), Some(trusted)) = (trace.first(), trace.last()) {
            let evidence = Box::new(attack(conflicting, trusted, common));
            self.source.report(to, Evidence { sum: Some(EvidenceSum::LightClientAttack(evidence)) });
        }
    }

    /// Follows a trace with the headers of another node, up to the first that differs; gives that node's headers from the
    /// last common one on, and the block of the trace that differs.
    ///
    /// Source: tendermint `light/detector.go`, `Client.examineConflictingHeaderAgainstTrace`.
    fn examine(
        &mut self,
        trace: &[Arc<TrustedBlock>],
        target: &Arc<TrustedBlock>,
        node: usize,
        now: Timestamp,
    ) -> Option<(Vec<Arc<TrustedBlock>>, Arc<TrustedBlock>)> {
        let mut verified: Option<Arc<TrustedBlock>> = None;
        for block in trace {
            let own = if block.height() == target.height() {
                Arc::clone(target)
            } else if block.height() > target.height() {
                return None;
            } else {
                Arc::new(self.fetch(node, block.height()).ok()?)
            };
            let Some(from) = &verified else {
                if own.hash != block.hash {
                    return None;
                }
                verified = Some(own);
                continue;
            };
            let path = self.path(node, from, &own, now).ok()?;
            if own.hash != block.hash {
                return Some((path, Arc::clone(block)));
            }
            verified = Some(own);
        }
        None
    }
}

/// Source: tendermint `light/detector.go`, `newLightClientAttackEvidence`.
fn attack(conflicting: &TrustedBlock, trusted: &TrustedBlock, common: &TrustedBlock) -> LightClientAttackEvidence {
    let lunatic = derived_differs(&trusted.header, &conflicting.header);
    let at = if lunatic { common } else { trusted };
    LightClientAttackEvidence {
        conflicting_block: Some(conflicting.to_message()),
        common_height: at.height(),
        byzantine_validators: guilty(
            &common.validators,
            &trusted.header,
            &trusted.commit,
            &conflicting.header,
            &conflicting.commit,
            &conflicting.validators,
        ),
        total_voting_power: at.validators.total_voting_power(),
        timestamp: at.header.time,
    }
}
