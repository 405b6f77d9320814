//! Reading everything to see whether it is whole.

use super::NodeDb;
use crate::Error;

/// What was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// Versions checked.
    pub versions: u64,
    /// Roots checked.
    pub roots: u64,
    /// Nodes read, over all roots.
    pub nodes: u64,
}

impl NodeDb {
    /// Reads every node of every finalized root. The time it takes grows with the number of versions times the number
    /// of nodes.
    pub fn check(&self) -> Result<CheckReport, Error> {
        let mut report = CheckReport::default();
        let (Some(earliest), Some(latest)) = (self.earliest_version(), self.latest_version()) else { return Ok(report) };
        for version in earliest..=latest {
            let roots = self.roots(version)?;
            report.versions = report.versions.saturating_add(u64::from(!roots.is_empty()));
            for root in roots {
                report.roots = report.roots.saturating_add(1);
                for item in self.tree(&root)?.with_budget(0).node_keys() {
                    item.map_err(|e| Error::damaged(&self.inner.path, format!("{root}: {e}")))?;
                    report.nodes = report.nodes.saturating_add(1);
                }
            }
        }
        Ok(report)
    }
}
