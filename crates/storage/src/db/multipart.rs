//! Restoring a version from a checkpoint, part by part.

use oasis_mkvs::{NewNode, Place, Root};

use super::NodeDb;
use crate::{
    Error,
    engine::{Batch, Durability, Table},
    record::{self, RootRecord},
};

impl NodeDb {
    /// Starts to restore a version, later than any finalized.
    ///
    /// Source: go/storage/mkvs/db/api/api.go, `NodeDB.StartMultipartInsert`.
    pub fn start_multipart(&self, version: u64) -> Result<(), Error> {
        let mut meta = self.meta();
        match meta.multipart {
            Some(current) if current == version => return Ok(()),
            Some(_) => return Err(Error::MultipartInProgress),
            None => {}
        }
        if meta.latest.is_some_and(|latest| version <= latest) {
            return Err(Error::AlreadyFinalized);
        }
        let mut next = meta.clone();
        next.multipart = Some(version);
        let mut batch = Batch::default();
        Self::put_meta(&mut batch, &next);
        self.inner.engine.write(batch, Durability::Sync)?;
        *meta = next;
        Ok(())
    }

    /// Keeps nodes of a chunk ([`oasis_mkvs::checkpoint::restore_chunk`]) of a root's checkpoint. Chunks come in any
    /// order, and may come again.
    pub fn import(&self, root: &Root, nodes: &[NewNode]) -> Result<(), Error> {
        let meta = self.meta();
        if meta.multipart != Some(root.version) {
            return Err(Error::InvalidMultipartVersion);
        }
        if root.namespace != self.namespace() {
            return Err(Error::BadNamespace);
        }
        let mut batch = Batch::default();
        for node in nodes {
            if node.key.place != Place::by_hash(root.version) {
                return Err(Error::InvalidMultipartVersion);
            }
            batch.put(Table::Nodes, record::node_key(&node.key), node.data.clone());
        }
        let Place { version, batch: in_batch, index } = Place::by_hash(root.version);
        let record = RootRecord { version, batch: in_batch, index, commit_batch: in_batch, base: None, finalized: false };
        let key = record::root_key(root);
        batch.put(Table::Index, key.clone(), record::seal(&key, &record));
        self.inner.engine.write(batch, Durability::Process)
    }

    /// Ends a restoration: every node has to be there. The roots given are finalized as the version's.
    pub fn finish_multipart(&self, version: u64, roots: &[Root]) -> Result<(), Error> {
        if self.meta().multipart != Some(version) {
            return Err(Error::InvalidMultipartVersion);
        }
        for root in roots {
            if !root.hash.is_empty() {
                for item in self.tree(root)?.node_keys() {
                    item?;
                }
            }
        }
        self.finalize(version, roots, Durability::Sync)
    }

    /// Undoes a restoration; nothing happens where there is none.
    ///
    /// Source: go/storage/mkvs/db/api/api.go, `NodeDB.AbortMultipartInsert`.
    pub fn abort_multipart(&self) -> Result<(), Error> {
        let mut meta = self.meta();
        let Some(version) = meta.multipart else { return Ok(()) };
        let mut batch = Batch::default();
        for key in self.node_keys(&record::node_prefix(version, Place::BY_HASH.batch))? {
            batch.delete(Table::Nodes, key);
        }
        for (root, record) in self.root_records(version)? {
            if record.commit_batch == Place::BY_HASH.batch {
                batch.delete(Table::Index, record::root_key(&root));
            }
        }
        let mut next = meta.clone();
        next.multipart = None;
        Self::put_meta(&mut batch, &next);
        self.inner.engine.write(batch, Durability::Sync)?;
        *meta = next;
        Ok(())
    }
}
