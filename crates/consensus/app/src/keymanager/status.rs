//! Which nodes serve a key manager.
//!
//! Source: go/consensus/tendermint/apps/keymanager/keymanager.go, `generateStatus`; go/keymanager/api/api.go, `VerifyExtraInfo`.

use oasis_consensus_types::{
    keymanager::{INIT_RESPONSE_SIGNATURE_CONTEXT, InitResponse, SignedInitResponse, Status, test_public_key},
    node::{Node, Roles, Runtime as NodeRuntime, TeeHardware},
    registry::Runtime,
};
use oasis_primitives::{
    cbor::{self, NilVec},
    signature::{PublicKey, SignatureRules},
};
use sha3::{Digest, Sha3_256};

use crate::{
    error::{Error, Result},
    registry::verify::{Rules, verify_node_runtime_enclave_ids},
};

fn sha3_256(bytes: &[u8]) -> [u8; 32] {
    Sha3_256::digest(bytes).into()
}

/// Whether an enclave's response holds.
///
/// Source: go/keymanager/api/api.go, `SignedInitResponse.Verify`.
fn verify_init_response(rules: &SignatureRules, signed: &SignedInitResponse, key: &PublicKey) -> bool {
    key.verify(rules, &INIT_RESPONSE_SIGNATURE_CONTEXT, &cbor::to_vec(&signed.init_response), &signed.signature)
}

/// What a node's enclave says of itself, verified.
///
/// Source: go/keymanager/api/api.go, `VerifyExtraInfo`.
pub fn verify_extra_info(rules: &Rules, runtime: &Runtime, node_runtime: &NodeRuntime) -> Result<InitResponse> {
    let tee = node_runtime.capabilities.tee.as_ref().filter(|tee| tee.hardware != TeeHardware::INVALID);
    let (hardware, key) = tee.map_or_else(|| (TeeHardware::INVALID, test_public_key()), |tee| (tee.hardware, tee.rak));
    if hardware != runtime.tee_hardware {
        return Err(Error::unknown("keymanager: TEEHardware mismatch"));
    }
    verify_node_runtime_enclave_ids(rules, node_runtime, runtime)?;
    let Some(extra_info) = &node_runtime.extra_info.0 else { return Err(Error::unknown("keymanager: missing ExtraInfo")) };
    let signed: SignedInitResponse = cbor::from_slice(extra_info)?;
    if !verify_init_response(&rules.signatures, &signed, &key) {
        return Err(Error::unknown("keymanager: invalid initialization response signature"));
    }
    Ok(signed.init_response)
}

/// The status that follows from the registered nodes, which are sorted by identity key.
///
/// Source: go/consensus/tendermint/apps/keymanager/keymanager.go, `generateStatus`.
pub(super) fn generate(rules: &Rules, runtime: &Runtime, old: &Status, nodes: &[Node]) -> Status {
    let mut status = Status { id: runtime.id, nodes: NilVec::NIL, ..old.clone() };
    let policy_hash = sha3_256(&status.policy.as_ref().map(cbor::to_vec).unwrap_or_default());
    for node in nodes.iter().filter(|node| node.has_roles(Roles::KEY_MANAGER)) {
        let Some(node_runtime) = node.runtime(&runtime.id) else { continue };
        let hardware = node_runtime.capabilities.tee.as_ref().map_or(TeeHardware::INVALID, |tee| tee.hardware);
        if hardware != runtime.tee_hardware {
            continue;
        }
        let Ok(response) = verify_extra_info(rules, runtime, node_runtime) else { continue };
        let node_policy_hash = match &response.policy_checksum[..] {
            [] => sha3_256(&[]),
            bytes => match bytes.try_into() {
                Ok(hash) => hash,
                Err(_) => continue,
            },
        };
        if node_policy_hash != policy_hash || !joins(&mut status, response) {
            continue;
        }
        status.nodes.push(node.id);
    }
    status
}

/// Whether a node's enclave fits the others; the first one decides what the others must fit.
fn joins(status: &mut Status, response: InitResponse) -> bool {
    if status.is_initialized {
        return response.is_secure == status.is_secure && response.checksum[..] == status.checksum[..];
    }
    // The genesis document may have said that the key manager is secure; it cannot become insecure.
    if status.is_secure && !response.is_secure {
        return false;
    }
    status.is_secure = response.is_secure;
    status.is_initialized = true;
    status.checksum = response.checksum;
    true
}
