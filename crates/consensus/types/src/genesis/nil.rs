//! Nil among the elements of the document's lists and maps.

use std::fmt::Display;

use oasis_primitives::cbor::OrNil;

use super::{Document, Problem};

/// Where the elements of one list or map are nil, by their index or key.
fn nil<'a, K: Display + 'a, T: 'a>(path: &str, elements: impl IntoIterator<Item = (K, &'a OrNil<T>)>) -> Option<String> {
    elements.into_iter().find(|(_, element)| element.is_nil()).map(|(key, _)| format!("{path}.{key}"))
}

fn nil_in_list<T>(path: &str, elements: &[OrNil<T>]) -> Option<String> {
    elements.iter().position(OrNil::is_nil).map(|index| format!("{path}[{index}]"))
}

impl Document {
    /// Refuses a nil element that the original refuses, or that stops it with a panic, when it checks a document.
    ///
    /// It does not look at the statuses of nodes, the results of messages, and votes on proposals that do not exist.
    /// Source: go/genesis/api/sanity_check.go, `Document.SanityCheck`, and the checks of the sections.
    pub fn check_no_nil(&self) -> Result<(), Problem> {
        let place = self.nil_registration().or_else(|| self.nil_in_ledger()).or_else(|| self.nil_elsewhere());
        refuse(place)
    }

    /// Refuses a nil element that the original refuses, or that stops it with a panic, when it makes the first state.
    ///
    /// Source: go/consensus/tendermint/apps, `InitChain` of every app.
    pub fn check_no_nil_in_first_state(&self) -> Result<(), Problem> {
        self.check_no_nil()?;
        let known = || self.registry.runtimes.iter().chain(&self.registry.suspended_runtimes);
        let results = || {
            let states = self.roothash.runtime_states.iter().filter(|(id, _)| known().any(|rt| rt.id == **id && rt.is_compute()));
            states.into_iter().find_map(|(id, s)| nil_in_list(&format!("roothash.runtime_states.{id}.message_results"), &s.message_results))
        };
        refuse(nil("registry.node_statuses", &self.registry.node_statuses).or_else(results))
    }

    fn nil_registration(&self) -> Option<String> {
        let registry = &self.registry;
        nil_in_list("registry.entities", &registry.entities)
            .or_else(|| nil_in_list("registry.runtimes", &registry.runtimes))
            .or_else(|| nil_in_list("registry.suspended_runtimes", &registry.suspended_runtimes))
            .or_else(|| nil_in_list("registry.nodes", &registry.nodes))
    }

    fn nil_in_ledger(&self) -> Option<String> {
        let staking = &self.staking;
        let delegations = || {
            let mut all = staking.delegations.iter();
            all.find_map(|(to, of)| nil(&format!("staking.delegations.{to}"), of.iter()))
        };
        let debonding = || {
            let all = staking.debonding_delegations.iter().flat_map(|(to, of)| of.iter().map(move |(from, list)| (to, from, list)));
            all.into_iter().find_map(|(to, from, list)| nil_in_list(&format!("staking.debonding_delegations.{to}.{from}"), list))
        };
        nil("staking.ledger", &staking.ledger).or_else(delegations).or_else(debonding)
    }

    fn nil_elsewhere(&self) -> Option<String> {
        let governance = &self.governance;
        let votes = || {
            let of = |id| governance.vote_entries.get(id).and_then(|votes| nil_in_list(&format!("governance.vote_entries.{id}"), votes));
            governance.proposals.iter().find_map(|proposal| of(&proposal.id))
        };
        nil("roothash.runtime_states", &self.roothash.runtime_states)
            .or_else(|| nil_in_list("keymanager.statuses", &self.keymanager.statuses))
            .or_else(|| nil_in_list("governance.proposals", &governance.proposals))
            .or_else(votes)
    }
}

fn refuse(place: Option<String>) -> Result<(), Problem> {
    place.map_or(Ok(()), |place| Err(Problem::new(place, "an object", "null")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Document {
        Document::from_json_text(text.as_bytes()).unwrap()
    }

    #[test]
    fn nil_elements_are_refused_by_their_path() {
        let refused = |text: &str| read(text).check_no_nil().unwrap_err().to_string();
        assert!(refused(r#"{"registry": {"nodes": [null]}}"#).starts_with(".registry.nodes[0]: "));
        assert!(refused(r#"{"governance": {"proposals": [{"id": 1}], "vote_entries": {"1": [null]}}}"#).contains("vote_entries.1[0]"));
        assert!(refused(r#"{"keymanager": {"statuses": [null]}}"#).contains("keymanager.statuses[0]"));
        // Null for a whole list is no list.
        read(r#"{"registry": {"nodes": null}, "staking": {"ledger": null}}"#).check_no_nil_in_first_state().unwrap();
    }

    #[test]
    fn nil_elements_at_which_no_check_looks_are_taken() {
        read(r#"{"governance": {"vote_entries": {"1": [null]}}}"#).check_no_nil_in_first_state().unwrap();
        let key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        let status = read(&format!(r#"{{"registry": {{"node_statuses": {{"{key}": null}}}}}}"#));
        status.check_no_nil().unwrap();
        assert!(status.check_no_nil_in_first_state().unwrap_err().to_string().starts_with(".registry.node_statuses."));
    }
}
