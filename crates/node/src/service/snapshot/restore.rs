//! A node's data directory from a snapshot.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    sync::Arc,
};

use oasis_consensus_abci::{Config as MachineConfig, Disk, DiskOptions, Machine, Network};
use oasis_consensus_engine::{
    light::{LightBlockSource, LightClient, LightRules, Mode, SourceError, TrustOptions, TrustedState},
    ports::{Application as _, ApplyChunk, OfferSnapshot, Snapshot, Store as _},
    proto::{self, ConsensusParams, Evidence},
};
use oasis_primitives::{cbor, hash::Hash};
use oasis_storage::{BlockDb, BlockOptions, Together};
use prost::Message;

use super::{
    super::{
        engine,
        paths::Paths,
        prepare::{StartError, check_chain, hold},
    },
    Manifest, Progress,
    file::Reader,
};
use crate::files;

/// Memory for what was read lately, bytes.
const CACHE: u64 = 8 << 20;

/// A block that somebody knows to be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trust {
    /// Its height, where it was said.
    pub height: Option<i64>,
    /// Its hash.
    pub hash: [u8; 32],
}

/// The headers of a snapshot, as the light client asks for them.
struct Headers<'a>(&'a Manifest);

impl LightBlockSource for Headers<'_> {
    fn count(&self) -> usize {
        2
    }

    fn name(&self, _: usize) -> String {
        "the snapshot".to_owned()
    }

    fn light_block(&mut self, _: usize, height: i64) -> Result<proto::LightBlock, SourceError> {
        self.0.light_block(height).ok_or(SourceError::NotFound)
    }

    fn params(&mut self, _: usize, _: i64) -> Result<(i64, ConsensusParams), SourceError> {
        let params = ConsensusParams::decode(self.0.parameters.as_slice()).map_err(|e| SourceError::Bad(e.to_string()))?;
        Ok((self.0.trust_height(), params))
    }

    fn report(&mut self, _: usize, _: Evidence) {}

    fn wait(&mut self, _: i64) {}
}

fn fatal(e: impl std::fmt::Display) -> StartError {
    StartError(e.to_string())
}

/// What the state must be, by the one block that is trusted: the blocks before it follow from its header's hashes.
fn trusted_state(manifest: &Manifest, network: &Network, trust: &Trust) -> Result<TrustedState, StartError> {
    let height = manifest.trust_height();
    if let Some(wanted) = trust.height.filter(|wanted| *wanted != height) {
        return Err(StartError(format!("--trust-height: expected {height}, the height of the snapshot's last header, found {wanted}")));
    }
    let claimed = manifest.claimed_hash().unwrap_or_default();
    if claimed != trust.hash {
        return Err(StartError(format!(
            "--trust-hash: the snapshot's block of height {height} has the hash {}, which is not the one that is trusted, {}; \
             do not use the snapshot, unless the trusted hash is that of another height",
            hex::encode_upper(claimed),
            hex::encode_upper(trust.hash)
        )));
    }
    // The hash is trusted now, by who gives it; how old the block is does not matter.
    let options = TrustOptions { period: i64::MAX, height, hash: trust.hash.to_vec() };
    let (chain_id, initial_height) = (&network.engine.chain_id, network.engine.initial_height);
    let mut client = LightClient::new(chain_id, &options, LightRules::new(i64::MAX), Mode::default(), Headers(manifest)).map_err(fatal)?;
    client.state_after(manifest.height, initial_height, engine::now()).map_err(fatal)
}

/// Puts the state of a snapshot into a data directory that has none. A directory is as it was until all of the state has proved right.
pub fn restore(datadir: &Path, network: &Network, file: &Path, trust: &Trust, progress: Progress<'_>) -> Result<Manifest, StartError> {
    let mut reader = Reader::open(file)?;
    let manifest = reader.manifest().clone();
    if manifest.chain_context != network.chain_context {
        return Err(StartError::at(
            file,
            format_args!(
                "the snapshot is of another network: expected the genesis document with hash {}, found {}",
                network.chain_context, manifest.chain_context
            ),
        ));
    }
    let trusted = trusted_state(&manifest, network, trust)?;
    let paths = Paths::new(datadir);
    files::make_private_directory(datadir).map_err(|e| StartError::at(datadir, e))?;
    let _held = hold(&paths, None)?;
    if paths.state().exists() {
        let text = format!(
            "there is a node's state already; remove it first, for example: oasis-node unsafe-reset --datadir {}",
            datadir.display()
        );
        return Err(StartError::at(&paths.state(), text));
    }
    check_chain(&paths.chain_context(), &network.chain_context)?;
    files::make_private_directory(&paths.consensus()).map_err(|e| StartError::at(&paths.consensus(), e))?;
    let part = partial(&paths.state());
    let _ = fs::remove_dir_all(&part);
    let built = build(&part, network, &mut reader, trusted, progress);
    let placed = built.and_then(|()| place(&part, &paths));
    if placed.is_err() {
        // The error that matters is the first.
        let _ = fs::remove_dir_all(&part);
    }
    placed.map(|()| manifest)
}

fn partial(state: &Path) -> PathBuf {
    state.with_extension("restoring")
}

fn place(part: &Path, paths: &Paths) -> Result<(), StartError> {
    let fail = |e: std::io::Error| StartError::at(&paths.state(), e);
    fs::rename(part, paths.state()).map_err(fail)?;
    File::open(paths.consensus()).and_then(|dir| dir.sync_all()).map_err(fail)
}

/// Builds the databases of a node in a directory of their own.
fn build(path: &Path, network: &Network, reader: &mut Reader, trusted: TrustedState, progress: Progress<'_>) -> Result<(), StartError> {
    files::make_private_directory(path).map_err(|e| StartError::at(path, e))?;
    let together = Together::open(path, CACHE).map_err(fatal)?;
    let tree = Disk::on(Arc::clone(&together.state), path, DiskOptions::new(network.chain_context.clone())).map_err(fatal)?;
    let mut machine = Machine::open(tree, network.clone(), MachineConfig::default()).map_err(fatal)?;
    let TrustedState { mut state, commit } = trusted;
    let metadata = cbor::to_vec(&reader.manifest().state);
    let snapshot = Snapshot {
        height: u64::try_from(reader.manifest().height).unwrap_or_default(),
        format: reader.manifest().state.version.into(),
        chunks: u32::try_from(reader.manifest().lengths.len()).unwrap_or(u32::MAX),
        hash: Hash::of(&metadata).0.to_vec(),
        metadata,
    };
    if machine.offer_snapshot(&snapshot, &state.app_hash).map_err(fatal)? != OfferSnapshot::Accept {
        let expected = hex::encode(&state.app_hash);
        let found = reader.manifest().state.root;
        return Err(StartError(format!("the snapshot's state is not that of its header: expected the root {expected}, found {found}")));
    }
    let mut done = 0u64;
    while let Some((index, chunk)) = reader.next_chunk()? {
        match machine.apply_chunk(u32::try_from(index).unwrap_or(u32::MAX), &chunk).map_err(fatal)? {
            ApplyChunk::Accept => {}
            ApplyChunk::Abort(reason) | ApplyChunk::RejectSnapshot(reason) => return Err(reader.damaged(index, reason)),
            ApplyChunk::RefetchFromOthers | ApplyChunk::RetrySnapshot => return Err(reader.damaged(index, "it is not of this state")),
        }
        done = done.saturating_add(chunk.len() as u64);
        progress(done);
    }
    let info = machine.info().map_err(fatal)?;
    if info.app_hash != state.app_hash || info.last_height != state.last_block_height {
        let (found, expected) = (hex::encode(&info.app_hash), hex::encode(&state.app_hash));
        return Err(StartError(format!("the restored state has height {} and root {found}, expected {expected}", info.last_height)));
    }
    state.app_version = info.app_version;
    let options = BlockOptions { context: network.chain_context.clone(), with_state: true, ..BlockOptions::default() };
    let mut blocks = BlockDb::on(together.blocks, path, options).map_err(fatal)?;
    blocks.bootstrap(&state, &commit).map_err(fatal)?;
    machine.sync().map_err(fatal)?;
    blocks.sync().map_err(fatal)
}
