//! Evidence that a node signed two different things in one round.
//!
//! Source: go/roothash/api/api.go, `Evidence`.

use oasis_primitives::{
    cbor::Cbor,
    hash::Hash,
    json::Json,
    namespace::Namespace,
    signature::{PublicKey, SignatureRules},
};

use super::commitment::{ExecutorCommitment, SignedProposedBatch};

/// First byte of what evidence of two signatures is hashed from.
///
/// Source: go/roothash/api/api.go, `EvidenceKindEquivocation`.
const KIND_EQUIVOCATION: u8 = 1;

/// Evidence against a runtime's node; one field is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct Evidence {
    /// The runtime.
    pub id: Namespace,
    /// Two commitments.
    #[cbor(omitempty)]
    pub equivocation_executor: Option<EquivocationExecutorEvidence>,
    /// Two batches.
    #[cbor(omitempty)]
    pub equivocation_batch: Option<EquivocationBatchEvidence>,
}

/// Two commitments of a node in one round.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct EquivocationExecutorEvidence {
    /// One.
    pub commit_a: ExecutorCommitment,
    /// The other.
    pub commit_b: ExecutorCommitment,
}

/// Two batches of a proposer in one round.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor, Json)]
pub struct EquivocationBatchEvidence {
    /// One.
    pub batch_a: SignedProposedBatch,
    /// The other.
    pub batch_b: SignedProposedBatch,
}

/// What valid evidence shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Equivocation {
    /// The node.
    pub signer: PublicKey,
    /// The round, as the first of the two has it.
    pub round: u64,
}

impl Equivocation {
    /// The hash by which evidence is known: one a node and round.
    ///
    /// Source: go/roothash/api/api.go, `Evidence.Hash`.
    pub fn hash(&self) -> Hash {
        Hash::of_parts(&[&[KIND_EQUIVOCATION], &self.signer.0])
    }
}

impl Evidence {
    /// Checks all that can be checked without state, signatures included, and says what was shown.
    ///
    /// Source: go/roothash/api/api.go, `Evidence.ValidateBasic`.
    pub fn validate_basic(&self, rules: &SignatureRules) -> Result<Equivocation, String> {
        match (&self.equivocation_executor, &self.equivocation_batch) {
            (Some(_), Some(_)) => Err("evidence has multiple fields set".into()),
            (Some(evidence), None) => evidence.validate_basic(rules, &self.id),
            (None, Some(evidence)) => evidence.validate_basic(rules, &self.id),
            (None, None) => Err("evidence content has no fields set".into()),
        }
    }
}

impl EquivocationExecutorEvidence {
    /// Source: go/roothash/api/api.go, `EquivocationExecutorEvidence.ValidateBasic`.
    fn validate_basic(&self, rules: &SignatureRules, id: &Namespace) -> Result<Equivocation, String> {
        let (commit_a, commit_b) = (&self.commit_a, &self.commit_b);
        let signed = (&commit_a.0.signature, &commit_a.0.blob[..]) == (&commit_b.0.signature, &commit_b.0.blob[..]);
        if signed {
            return Err("commits are equal, no sign of equivocation".into());
        }
        let signer = commit_a.0.signature.public_key;
        if signer != commit_b.0.signature.public_key {
            return Err("equivocation executor evidence signature public keys don't match".into());
        }
        let a = commit_a.open(rules, id).ok_or("opening CommitA: commitment has invalid signature")?.body;
        let b = commit_b.open(rules, id).ok_or("opening CommitB: commitment has invalid signature")?.body;
        if a.header.round != b.header.round {
            return Err("equivocation evidence commit headers not for same round".into());
        }
        a.validate_basic().map_err(|e| format!("equivocation evidence commit A not valid: {e}"))?;
        b.validate_basic().map_err(|e| format!("equivocation evidence commit B not valid: {e}"))?;
        if a.is_failure() || b.is_failure() {
            if a.failure == b.failure {
                return Err("equivocation evidence failure indication fields match, no sign of equivocation".into());
            }
        } else if a.header == b.header {
            return Err("equivocation evidence commit headers match, no sign of equivocation".into());
        }
        Ok(Equivocation { signer, round: a.header.round })
    }
}

impl EquivocationBatchEvidence {
    /// Source: go/roothash/api/api.go, `EquivocationBatchEvidence.ValidateBasic`.
    fn validate_basic(&self, rules: &SignatureRules, id: &Namespace) -> Result<Equivocation, String> {
        let (batch_a, batch_b) = (&self.batch_a, &self.batch_b);
        let signed = (&batch_a.0.signature, &batch_a.0.blob[..]) == (&batch_b.0.signature, &batch_b.0.blob[..]);
        if signed {
            return Err("batches are equal, no sign of equivocation".into());
        }
        let signer = batch_a.0.signature.public_key;
        if signer != batch_b.0.signature.public_key {
            return Err("equivocation batch evidence signature public keys don't match".into());
        }
        let a = batch_a.open(rules, id).map_err(|e| format!("opening BatchA: {e}"))?;
        let b = batch_b.open(rules, id).map_err(|e| format!("opening BatchB: {e}"))?;
        if a.header.round != b.header.round {
            return Err("equivocation evidence batch header rounds don't match".into());
        }
        if a.io_root == b.io_root && a.header.mostly_equal(&b.header) {
            return Err("equivocation evidence batch io roots match, no sign of equivocation".into());
        }
        Ok(Equivocation { signer, round: a.header.round })
    }
}
