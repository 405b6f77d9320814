//! Null among the elements of the document's lists and maps.

use oasis_primitives::json::{self, Value};

/// Where the original has pointers in lists and maps; `*` is every element.
///
/// Source: go/registry/api/api.go, go/staking/api/api.go, go/governance/api/api.go, go/keymanager/api/api.go,
/// go/roothash/api/api.go, `Genesis`.
const POINTERS: [&[&str]; 13] = [
    &["registry", "entities", "*"],
    &["registry", "runtimes", "*"],
    &["registry", "suspended_runtimes", "*"],
    &["registry", "nodes", "*"],
    &["registry", "node_statuses", "*"],
    &["staking", "ledger", "*"],
    &["staking", "delegations", "*", "*"],
    &["staking", "debonding_delegations", "*", "*", "*"],
    &["governance", "proposals", "*"],
    &["governance", "vote_entries", "*", "*"],
    &["keymanager", "statuses", "*"],
    &["roothash", "runtime_states", "*"],
    &["roothash", "runtime_states", "*", "message_results", "*"],
];

/// Refuses null where the original has a pointer that it follows without a look, which stops it with a panic.
pub(super) fn refuse(document: &Value) -> Result<(), json::Error> {
    POINTERS.iter().try_for_each(|path| walk(document, path))
}

fn walk(value: &Value, path: &[&str]) -> Result<(), json::Error> {
    let Some((step, rest)) = path.split_first() else {
        return if value.is_null() { Err(json::Error::expected("an object", value)) } else { Ok(()) };
    };
    match value {
        Value::Object(fields) if *step == "*" => {
            fields.iter().try_for_each(|(key, element)| walk(element, rest).map_err(|e| e.in_field(key)))
        }
        Value::Object(fields) => fields.get(*step).map_or(Ok(()), |field| walk(field, rest).map_err(|e| e.in_field(step))),
        Value::Array(elements) if *step == "*" => {
            elements.iter().enumerate().try_for_each(|(i, element)| walk(element, rest).map_err(|e| e.at_index(i)))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use crate::genesis::Document;

    #[test]
    fn null_elements_are_refused_by_their_path() {
        let refused = |text: &str| Document::from_json_text(text.as_bytes()).map(|_| ()).unwrap_err().to_string();
        assert!(refused(r#"{"registry": {"nodes": [null]}}"#).contains("registry.nodes[0]"));
        assert!(refused(r#"{"governance": {"vote_entries": {"1": [null]}}}"#).contains("governance.vote_entries.1[0]"));
        assert!(refused(r#"{"keymanager": {"statuses": [null]}}"#).contains("keymanager.statuses[0]"));
        // Null for a whole list is no list.
        assert!(Document::from_json_text(br#"{"registry": {"nodes": null}, "staking": {"ledger": null}}"#).is_ok());
    }
}
