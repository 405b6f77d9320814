//! A backend for each role.
//!
//! Source: go/common/crypto/signature/signers/composite/composite_signer.go.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use oasis_primitives::{identity::SignerRole, signature::Signer};

use super::{COMPOSITE, Factory, SignerError, SignerSettings, open_one};

/// The factory of each role.
pub(super) struct CompositeFactory(BTreeMap<SignerRole, Arc<dyn Factory>>);

/// Which backend each role has.
///
/// Source: go/oasis-node/cmd/common/signer/signer.go, `doNewComposite`.
fn assignments(text: &str) -> Result<BTreeMap<SignerRole, String>, SignerError> {
    let wrong = |reason: String| {
        let roles = SignerRole::ALL.map(SignerRole::as_str).join(", ");
        SignerError::Other(format!(
            "signer.composite.backends: {reason} (valid roles are: {roles}); for example: entity:remote,node:file,p2p:file,consensus:remote"
        ))
    };
    let mut found = BTreeMap::new();
    for part in text.split(',') {
        let Some((name, backend)) = part.split_once(':').filter(|(_, backend)| !backend.contains(':')) else {
            return Err(wrong(format!("malformed composite role assignment {part:?}")));
        };
        let role = SignerRole::from_name(name).ok_or_else(|| wrong(format!("invalid signer role: {name}")))?;
        let backend = backend.to_lowercase();
        if backend == COMPOSITE || backend.is_empty() {
            return Err(wrong(format!("unsupported signer backend: {backend:?} for role: {role}")));
        }
        if found.insert(role, backend).is_some() {
            return Err(wrong(format!("multiple backends configured for role: {role}")));
        }
    }
    Ok(found)
}

/// Opens what the roles that are asked for have. Each backend is opened once, for all of its roles.
pub(super) fn open(settings: &SignerSettings, dir: &Path, roles: &[SignerRole]) -> Result<CompositeFactory, SignerError> {
    let assigned = assignments(&settings.composite)?;
    if let Some(role) = roles.iter().find(|role| !assigned.contains_key(role)) {
        return Err(SignerError::Role(*role));
    }
    let mut by_backend: BTreeMap<&str, Vec<SignerRole>> = BTreeMap::new();
    for (role, backend) in &assigned {
        by_backend.entry(backend).or_default().push(*role);
    }
    let mut all = BTreeMap::new();
    for (backend, its) in by_backend {
        let factory = open_one(backend, settings, dir, &its)?;
        all.extend(its.into_iter().filter(|role| roles.contains(role)).map(|role| (role, Arc::clone(&factory))));
    }
    Ok(CompositeFactory(all))
}

impl CompositeFactory {
    fn of(&self, role: SignerRole) -> Result<&dyn Factory, SignerError> {
        self.0.get(&role).map(|factory| &**factory).ok_or(SignerError::Role(role))
    }
}

impl Factory for CompositeFactory {
    fn load(&self, role: SignerRole) -> Result<Arc<dyn Signer>, SignerError> {
        self.of(role)?.load(role)
    }

    fn generate(&self, role: SignerRole) -> Result<Arc<dyn Signer>, SignerError> {
        self.of(role)?.generate(role)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(composite: &str) -> SignerSettings {
        SignerSettings { backend: COMPOSITE.into(), composite: composite.into(), allow_memory: true, ..Default::default() }
    }

    #[test]
    fn each_role_has_its_backend() {
        let dir = tempfile::tempdir().unwrap();
        let roles = [SignerRole::Entity, SignerRole::P2p];
        let factory = open(&settings("entity:memory,p2p:file,node:file"), dir.path(), &roles).unwrap();
        factory.generate(SignerRole::P2p).unwrap();
        factory.generate(SignerRole::Entity).unwrap();
        assert!(factory.load(SignerRole::P2p).is_ok());
        assert!(matches!(factory.load(SignerRole::Entity), Err(SignerError::Missing { .. })));
        assert!(matches!(factory.load(SignerRole::Node), Err(SignerError::Role(SignerRole::Node))));
        assert!(matches!(open(&settings("entity:memory"), dir.path(), &roles), Err(SignerError::Role(SignerRole::P2p))));
    }

    #[test]
    fn a_malformed_assignment_is_told_with_an_example() {
        for (text, expected) in [
            ("", "malformed"),
            ("entity", "malformed"),
            ("entity:file:file", "malformed"),
            ("user:file", "invalid signer role: user"),
            ("entity:file,entity:memory", "multiple backends"),
            ("entity:composite", "unsupported"),
        ] {
            let error = assignments(text).unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains("for example"), "{text}: {error}");
        }
    }
}
