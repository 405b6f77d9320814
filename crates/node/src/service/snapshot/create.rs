//! Writing a snapshot.

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use oasis_consensus_engine::ports::Store as _;
use oasis_mkvs::{Root, RootType, checkpoint::Creator};
use oasis_storage::{BlockDb, BlockOptions, NodeDb, Options, Together};
use prost::Message;

use super::{
    super::{
        paths::Paths,
        prepare::{StartError, hold},
    },
    Progress,
    file::{HEADERS, MARK, Manifest, ending},
};
use crate::api::query::light_block_of;

/// Bytes of a chunk before compression. Source: the genesis documents' `state_checkpoint_chunk_size`.
const CHUNK: u64 = 8 << 20;
/// Memory for what was read lately, bytes.
const CACHE: u64 = 8 << 20;
/// Memory for the tree of a chunk, bytes.
const TREE: usize = 16 << 20;

fn fatal(e: impl std::fmt::Display) -> StartError {
    StartError(e.to_string())
}

/// Writes the state of a data directory, whose node does not run, to a file that is not there yet.
pub fn create(datadir: &Path, output: &Path, progress: Progress<'_>) -> Result<Manifest, StartError> {
    let paths = Paths::new(datadir);
    if !paths.state().is_dir() {
        return Err(StartError::at(&paths.state(), "there is no state of a node here; for example: --datadir /node/data"));
    }
    let _held = hold(&paths, None)?;
    if output.exists() {
        return Err(StartError::at(output, "there is a file already; remove it, or name another"));
    }
    let context = fs::read_to_string(paths.chain_context()).map_err(|e| StartError::at(&paths.chain_context(), e))?;
    let source = Source::open(&paths, context.trim_end())?;
    let manifest = source.manifest(context.trim_end().to_owned())?;
    let part = partial(output);
    let made = source.write(manifest, &part, progress);
    let placed = made.and_then(|manifest| fs::rename(&part, output).map(|()| manifest).map_err(|e| StartError::at(output, e)));
    if placed.is_err() {
        // The error that matters is the first.
        let _ = fs::remove_file(&part);
    }
    placed
}

fn partial(output: &Path) -> PathBuf {
    let mut name = output.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    output.with_file_name(name)
}

/// The databases of a node.
struct Source {
    state: NodeDb,
    blocks: BlockDb,
}

impl Source {
    fn open(paths: &Paths, context: &str) -> Result<Self, StartError> {
        let path = paths.state();
        let together = Together::open(&path, CACHE).map_err(fatal)?;
        let options = Options { context: context.to_owned(), cache_bytes: CACHE, tree_bytes: TREE, ..Options::default() };
        let state = NodeDb::on(Arc::clone(&together.state), &path, options).map_err(fatal)?;
        let options = BlockOptions { context: context.to_owned(), with_state: true, ..BlockOptions::default() };
        let blocks = BlockDb::on(together.blocks, &path, options).map_err(fatal)?;
        Ok(Self { state, blocks })
    }

    fn manifest(&self, context: String) -> Result<Manifest, StartError> {
        let (_, last) = self.blocks.range();
        let height = last.saturating_sub(HEADERS as i64 - 1);
        if height < 1 || self.state.earliest_version().is_none_or(|first| i64::try_from(first).is_ok_and(|first| height < first)) {
            let what = match last {
                0 => "the node has no blocks yet; let it sync first".to_owned(),
                last => format!(
                    "the node has blocks up to height {last}, but not the state of height {height} any more or yet; let it run for some blocks, \
                     with consensus.tendermint.abci.prune.num_kept of 3 or more"
                ),
            };
            return Err(StartError(what));
        }
        let mut manifest = Manifest::new(context, height);
        let missing = |height: i64| StartError(format!("the header of height {height} is missing"));
        for height in height..=last {
            let block = light_block_of(&self.blocks, height).map_err(fatal)?.ok_or_else(|| missing(height))?;
            manifest.light_blocks.push(block.encode_to_vec());
        }
        manifest.parameters = self.blocks.params(last).map_err(fatal)?.ok_or_else(|| missing(last))?.encode_to_vec();
        Ok(manifest)
    }

    fn root(&self, height: i64) -> Result<Root, StartError> {
        let root = self.state.root_for(u64::try_from(height).unwrap_or_default(), RootType::STATE).map_err(fatal)?;
        root.ok_or_else(|| StartError(format!("the state of height {height} is missing")))
    }

    fn write(&self, mut manifest: Manifest, path: &Path, progress: Progress<'_>) -> Result<Manifest, StartError> {
        let fail = |e: std::io::Error| StartError::at(path, e);
        let root = self.root(manifest.height)?;
        let mut file = BufWriter::new(File::create_new(path).map_err(fail)?);
        file.write_all(MARK).map_err(fail)?;
        let mut made = Default::default();
        let mut written = 0u64;
        loop {
            // Opened anew for each chunk, so that memory holds no more than one.
            let tree = self.state.tree(&root).map_err(fatal)?.with_budget(TREE);
            let mut creator = Creator::resume(&tree, CHUNK, made).map_err(fatal)?;
            let Some(chunk) = creator.next_chunk().map_err(fatal)? else {
                manifest.state = creator.metadata();
                break;
            };
            file.write_all(&chunk.data).map_err(fail)?;
            manifest.lengths.push(chunk.data.len() as u64);
            written = written.saturating_add(chunk.data.len() as u64);
            progress(written);
            made = creator.into_progress();
        }
        file.write_all(&ending(&manifest)).map_err(fail)?;
        let file = file.into_inner().map_err(|e| fail(e.into_error()))?;
        file.sync_all().map_err(fail)?;
        Ok(manifest)
    }
}
