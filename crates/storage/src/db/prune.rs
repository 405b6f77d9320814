//! Dropping old versions.

use oasis_mkvs::Root;

use super::NodeDb;
use crate::{
    Error,
    engine::{Batch, Durability, Table},
    record,
};

impl NodeDb {
    /// Drops the earliest version, with all nodes that no later version has.
    ///
    /// Source: go/storage/mkvs/db/badger/badger.go, `badgerNodeDB.Prune`.
    pub fn prune(&self, version: u64) -> Result<(), Error> {
        let mut meta = self.meta();
        let (Some(earliest), Some(latest)) = (meta.earliest, meta.latest) else { return Err(Error::VersionNotFound) };
        if version != earliest {
            return Err(if version < earliest || version > latest { Error::VersionNotFound } else { Error::NotEarliest });
        }
        if version == latest {
            return Err(Error::LatestVersion);
        }
        // After a restoration from a checkpoint there may be a gap.
        let mut next_version = version.saturating_add(1);
        while next_version < latest && self.root_records(next_version)?.is_empty() {
            next_version = next_version.saturating_add(1);
        }
        let successors = self.root_records(next_version)?;
        let mut batch = Batch::default();
        for (root, record) in self.root_records(version)? {
            let mut followed = false;
            for (next, next_record) in &successors {
                if next_record.base == Some(root) {
                    followed = true;
                    for key in self.obsolete_nodes(next)? {
                        batch.delete(Table::Nodes, key);
                    }
                }
            }
            if !followed && !root.hash.is_empty() {
                self.drop_tree(&root, record.place(), &mut batch)?;
            }
            batch.delete(Table::Index, record::root_key(&root));
            batch.delete(Table::Index, record::obsolete_key(&root));
            batch.delete(Table::Index, record::write_log_key(&root));
        }
        let mut next = meta.clone();
        next.earliest = Some(next_version);
        Self::put_meta(&mut batch, &next);
        // If power loss undoes it, the version is there again.
        self.inner.engine.write(batch, Durability::Process)?;
        *meta = next;
        Ok(())
    }

    /// Deletes all nodes of a tree from which nothing else was made.
    fn drop_tree(&self, root: &Root, place: oasis_mkvs::Place, batch: &mut Batch) -> Result<(), Error> {
        let tree = oasis_mkvs::Tree::with_root_at(self.store(), *root, place);
        for key in tree.node_keys() {
            batch.delete(Table::Nodes, record::node_key(&key?));
        }
        Ok(())
    }
}
