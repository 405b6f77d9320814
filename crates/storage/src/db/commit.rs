//! Writing commits.

use oasis_mkvs::{Commit, Root};

use super::NodeDb;
use crate::{
    Error,
    engine::{Batch, Durability, Table},
    record::{self, Meta, RootRecord},
};

/// What became of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Committed {
    /// It was written.
    New,
    /// The version had this root already, and nothing was written: the tree that made the commit has to be opened again.
    Existing,
}

impl NodeDb {
    /// A batch number for a commit at a version, which no commit written before has.
    pub fn next_batch(&self, version: u64) -> Result<u32, Error> {
        let last = self.root_records(version)?.into_iter().map(|(_, record)| record.commit_batch).max();
        Ok(last.map_or(0, |n| n.saturating_add(1)))
    }

    /// Keeps a commit whose tree was opened at `base`, and with it values of the application.
    ///
    /// Commits of one version need different batch numbers ([`oasis_mkvs::Tree::commit_batch`]).
    ///
    /// Source: go/storage/mkvs/db/badger/badger.go, `badgerBatch.Commit`.
    pub fn commit(
        &self,
        base: &Root,
        commit: &Commit,
        app: &[(Vec<u8>, Option<Vec<u8>>)],
        durability: Durability,
    ) -> Result<Committed, Error> {
        let meta = self.meta();
        self.check_commit(&meta, base, &commit.root)?;
        if self.root_record(&commit.root)?.is_some() {
            return Ok(Committed::Existing);
        }
        let mut batch = Batch::default();
        self.put_commit(&mut batch, base, commit, false);
        batch.put(Table::Index, record::obsolete_key(&commit.root), sealed_nodes(&commit.root, commit));
        Self::put_app_values(&mut batch, app);
        self.inner.engine.write(batch, durability)?;
        drop(meta);
        Ok(Committed::New)
    }

    /// Keeps a commit and finalizes it as the only root of its version, in one write.
    pub fn commit_final(
        &self,
        base: &Root,
        commit: &Commit,
        app: &[(Vec<u8>, Option<Vec<u8>>)],
        durability: Durability,
    ) -> Result<(), Error> {
        let mut meta = self.meta();
        self.check_commit(&meta, base, &commit.root)?;
        let version = commit.root.version;
        let next = super::finalize::after_finalizing(&meta, version)?;
        if base.version == version && !base.hash.is_empty() || !self.root_records(version)?.is_empty() {
            drop(meta);
            self.commit(base, commit, app, durability)?;
            return self.finalize(version, &[commit.root], durability);
        }
        let mut batch = Batch::default();
        self.put_commit(&mut batch, base, commit, true);
        batch.put(Table::Index, record::obsolete_key(&commit.root), sealed_nodes(&commit.root, commit));
        Self::put_app_values(&mut batch, app);
        Self::put_meta(&mut batch, &next);
        self.inner.engine.write(batch, durability)?;
        *meta = next;
        Ok(())
    }

    fn check_commit(&self, meta: &Meta, base: &Root, root: &Root) -> Result<(), Error> {
        if root.namespace != self.namespace() || base.namespace != self.namespace() {
            return Err(Error::BadNamespace);
        }
        if meta.multipart.is_some() {
            return Err(Error::MultipartInProgress);
        }
        if meta.latest.is_some_and(|latest| root.version <= latest) {
            return Err(Error::AlreadyFinalized);
        }
        if base.hash.is_empty() {
            return Ok(());
        }
        if !root.follows(base) {
            return Err(Error::RootMustFollowOld);
        }
        if self.root_record(base)?.is_none() {
            return Err(Error::RootNotFound(*base));
        }
        Ok(())
    }

    fn put_commit(&self, batch: &mut Batch, base: &Root, commit: &Commit, finalized: bool) {
        for node in &commit.nodes {
            batch.put(Table::Nodes, record::node_key(&node.key), node.data.clone());
        }
        let place = commit.root_place.unwrap_or_default();
        let record = RootRecord {
            version: place.version,
            batch: place.batch,
            index: place.index,
            commit_batch: commit.batch,
            base: (!base.hash.is_empty()).then_some(*base),
            finalized,
        };
        let key = record::root_key(&commit.root);
        batch.put(Table::Index, key.clone(), record::seal(&key, &record));
        if self.inner.options.write_logs {
            let key = record::write_log_key(&commit.root);
            batch.put(Table::Index, key.clone(), record::seal(&key, &commit.write_log));
        }
    }
}

fn sealed_nodes(root: &Root, commit: &Commit) -> Vec<u8> {
    record::seal_bytes(&record::obsolete_key(root), record::nodes_to_bytes(commit.removed.iter()))
}
