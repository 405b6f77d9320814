//! Deciding which roots of a version stay.

use std::collections::{BTreeMap, BTreeSet};

use oasis_mkvs::Root;

use super::NodeDb;
use crate::{
    Error,
    engine::{Batch, Durability, Table},
    record::{self, Meta, RootRecord},
};

/// The record about the database after a version was finalized.
pub(super) fn after_finalizing(meta: &Meta, version: u64) -> Result<Meta, Error> {
    match (meta.latest, meta.multipart) {
        (_, Some(multipart)) if multipart != version => return Err(Error::InvalidMultipartVersion),
        (Some(latest), _) if version <= latest => return Err(Error::AlreadyFinalized),
        (Some(latest), None) if Some(version) != latest.checked_add(1) => return Err(Error::NotFinalized),
        _ => {}
    }
    Ok(Meta { latest: Some(version), earliest: meta.earliest.or(Some(version)), multipart: None, ..meta.clone() })
}

impl NodeDb {
    /// Keeps some roots of a version, at most one of each type, and drops all its others. Versions are finalized one
    /// after another.
    ///
    /// Source: go/storage/mkvs/db/badger/badger.go, `badgerNodeDB.Finalize`.
    pub fn finalize(&self, version: u64, roots: &[Root], durability: Durability) -> Result<(), Error> {
        let mut meta = self.meta();
        let next = after_finalizing(&meta, version)?;
        let mut records: BTreeMap<Root, RootRecord> = self.root_records(version)?.into_iter().collect();
        let mut batch = Batch::default();
        let mut kept_batches = BTreeSet::new();
        let mut types = BTreeSet::new();
        for root in roots {
            if root.namespace != self.namespace() || root.version != version {
                return Err(Error::RootNotFound(*root));
            }
            if !types.insert(root.root_type) {
                return Err(Error::SeveralRoots(root.root_type));
            }
            if !records.contains_key(root) && !root.hash.is_empty() {
                return Err(Error::RootNotFound(*root));
            }
            let (base, obsolete) = self.follow(root, &records, &mut kept_batches)?;
            let (now, later): (Vec<_>, Vec<_>) = obsolete.into_iter().partition(|key| record::node_version(key) == Some(version));
            for key in now {
                batch.delete(Table::Nodes, key);
            }
            let key = record::obsolete_key(root);
            batch.put(Table::Index, key.clone(), record::seal_bytes(&key, join(later)));
            let record = RootRecord { finalized: true, base, ..records.remove(root).unwrap_or_default() };
            let key = record::root_key(root);
            batch.put(Table::Index, key.clone(), record::seal(&key, &record));
        }
        // What remains is not wanted.
        for (root, record) in records {
            batch.delete(Table::Index, record::root_key(&root));
            batch.delete(Table::Index, record::obsolete_key(&root));
            batch.delete(Table::Index, record::write_log_key(&root));
            if kept_batches.insert(record.commit_batch) {
                for key in self.node_keys(&record::node_prefix(version, record.commit_batch))? {
                    batch.delete(Table::Nodes, key);
                }
            }
        }
        Self::put_meta(&mut batch, &next);
        self.inner.engine.write(batch, durability)?;
        *meta = next;
        Ok(())
    }

    /// Goes back from a root over roots of the same version: gives the root of an earlier version from which it came,
    /// and the nodes that were made obsolete on the way.
    fn follow(
        &self,
        root: &Root,
        records: &BTreeMap<Root, RootRecord>,
        batches: &mut BTreeSet<u32>,
    ) -> Result<(Option<Root>, Vec<Vec<u8>>), Error> {
        let mut obsolete = Vec::new();
        let mut at = *root;
        // Each step needs a record of its own.
        for _ in 0..records.len() {
            let Some(record) = records.get(&at) else { break };
            batches.insert(record.commit_batch);
            obsolete.extend(self.obsolete_nodes(&at)?);
            match record.base {
                Some(base) if base.version == root.version => at = base,
                base => return Ok((base, obsolete)),
            }
        }
        Ok((None, obsolete))
    }

    /// The nodes that a root made obsolete.
    pub(super) fn obsolete_nodes(&self, root: &Root) -> Result<Vec<Vec<u8>>, Error> {
        let what = || format!("list of nodes made obsolete by {root}");
        let bytes = self.read_bytes(&record::obsolete_key(root), what)?.unwrap_or_default();
        record::nodes_from_bytes(&bytes).ok_or_else(|| Error::damaged(&self.inner.path, format!("the {} is unreadable", what())))
    }
}

fn join(keys: Vec<Vec<u8>>) -> Vec<u8> {
    let mut out = Vec::new();
    for key in keys {
        // Keys have 16 or 48 bytes.
        out.push(u8::try_from(key.len()).unwrap_or(0));
        out.extend_from_slice(&key);
    }
    out
}
