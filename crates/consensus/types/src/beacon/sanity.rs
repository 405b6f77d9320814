//! What a genesis document must keep to.

use super::{BACKEND_INSECURE, BACKEND_PVSS, EPOCH_INVALID, Genesis, PvssParameters};
use crate::genesis::Problem;

impl Genesis {
    /// Checks the section; `debug` allows what only tests use. Names the field by its path below the section.
    ///
    /// Source: go/beacon/api/api.go, `Genesis.SanityCheck`.
    pub fn sanity_check(&self, debug: bool) -> Result<(), Problem> {
        let params = &self.parameters;
        match params.backend.as_str() {
            BACKEND_INSECURE => {
                let path = "params.insecure_parameters";
                let insecure = params.insecure_parameters.ok_or_else(|| Problem::new(path, "the parameters of the backend", "nothing"))?;
                if insecure.interval <= 0 && !params.debug_mock_backend {
                    return Err(Problem::new("params.insecure_parameters.interval", "more than 0 blocks", insecure.interval));
                }
            }
            BACKEND_PVSS => {
                let path = "params.pvss_parameters";
                let pvss = params.pvss_parameters.as_ref().ok_or_else(|| Problem::new(path, "the parameters of the backend", "nothing"))?;
                check_pvss(pvss, debug).map_err(|p| p.within(path))?;
            }
            other => return Err(Problem::new("params.backend", "insecure or pvss", format!("{other:?}"))),
        }
        for (path, set) in
            [("params.debug_mock_backend", params.debug_mock_backend), ("params.debug_deterministic", params.debug_deterministic)]
        {
            if set && !debug {
                return Err(Problem::new(path, "false, as this is not a test network", "true"));
            }
        }
        if self.base == EPOCH_INVALID {
            return Err(Problem::new("base", "an epoch below the invalid one", self.base));
        }
        Ok(())
    }
}

fn check_pvss(params: &PvssParameters, debug: bool) -> Result<(), Problem> {
    if params.participants <= 1 || i32::try_from(params.participants).is_err() {
        return Err(Problem::new("participants", "more than 1 and at most 2147483647", params.participants));
    }
    if params.threshold <= 1 || params.threshold > params.participants {
        return Err(Problem::new("threshold", format!("more than 1 and at most {}", params.participants), params.threshold));
    }
    let intervals = [
        ("commit_interval", params.commit_interval),
        ("reveal_interval", params.reveal_interval),
        ("transition_delay", params.transition_delay),
    ];
    for (path, blocks) in intervals {
        if blocks <= 0 {
            return Err(Problem::new(path, "more than 0 blocks", blocks));
        }
    }
    if !params.debug_forced_participants.is_empty() && !debug {
        let found = format!("{} nodes", params.debug_forced_participants.len());
        return Err(Problem::new("debug_forced_participants", "none, as this is not a test network", found));
    }
    Ok(())
}
