//! Blocks by height, and the words of the original where there are none.
//!
//! Source: go/consensus/tendermint/full/common.go; tendermint `rpc/core/{env,blocks}.go`.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use oasis_consensus_engine::proto::{self, AbciResponses};
use oasis_consensus_types::consensus::ERR_NO_COMMITTED_BLOCKS;
use oasis_primitives::cbor;
use prost::Message;

use super::{Answer, Source, coded, unknown, wrapped};
use crate::{api::block::Block, grpc::ApiError};

/// Blocks that are remembered.
const MAX_RECENT: usize = 32;
/// Larger ones are not.
const MAX_RECENT_BYTES: usize = 64 << 10;

/// The height that is meant: 0 stands for the last whose state is there. Source: `heightToTendermintHeight`.
pub(super) fn height(source: &dyn Source, height: i64) -> Result<i64, ApiError> {
    match (height, source.last_height()) {
        (0, 0) => Err(coded(ERR_NO_COMMITTED_BLOCKS)),
        (0, last) => Ok(last),
        _ => Ok(height),
    }
}

/// Refuses heights without a block. Source: tendermint `rpc/core/env.go`, `getHeight`.
pub(super) fn check(source: &dyn Source, height: i64) -> Result<(), ApiError> {
    let (base, last) = source.blocks().range();
    if height <= 0 {
        return Err(unknown(format_args!("height must be greater than 0, but got {height}")));
    }
    if height > last {
        return Err(unknown(format_args!("height {height} must be less than or equal to the current blockchain height {last}")));
    }
    if height < base {
        return Err(unknown(format_args!("height {height} is not available, lowest height is {base}")));
    }
    Ok(())
}

/// The height that is meant, where there is a block. Source: `GetTendermintBlock`.
fn available(source: &dyn Source, wanted: i64) -> Result<i64, ApiError> {
    let height = height(source, wanted)?;
    check(source, height).map_err(|e| wrapped("tendermint: block query failed", e))?;
    Ok(height)
}

/// A block; [`ERR_NO_COMMITTED_BLOCKS`] where there is none. Source: `GetTendermintBlock`.
pub(super) fn required(source: &dyn Source, wanted: i64) -> Result<Arc<proto::Block>, ApiError> {
    at(source, available(source, wanted)?)
}

/// The block of a height at which there is one.
fn at(source: &dyn Source, height: i64) -> Result<Arc<proto::Block>, ApiError> {
    let recent = source.recent();
    if let Some(block) = recent.and_then(|recent| recent.get(height)) {
        return Ok(block);
    }
    let encoded = source.blocks().block(height).map_err(unknown)?.ok_or_else(|| coded(ERR_NO_COMMITTED_BLOCKS))?;
    let block = Arc::new(proto::Block::decode(encoded.as_slice()).map_err(unknown)?);
    if let Some(recent) = recent {
        recent.put(height, encoded.len(), &block);
    }
    Ok(block)
}

/// What `GetBlock` answers, encoded: of large blocks too, which are not remembered themselves, since who waits for a block asks for the
/// last again and again.
pub(super) fn answer(source: &dyn Source, wanted: i64) -> Answer {
    let height = available(source, wanted)?;
    let recent = source.recent();
    if let Some(answer) = recent.and_then(|recent| recent.answer(height)) {
        return Ok(answer);
    }
    let block = at(source, height)?;
    let answer = cbor::to_vec(&Block::new(&block.header, block.last_commit.as_ref()));
    if let Some(recent) = recent {
        recent.put_answer(height, &answer);
    }
    Ok(answer)
}

/// Blocks that were asked for lately: who asks for one asks for its transactions, results and events too, and so do others.
#[derive(Debug, Default)]
pub struct Recent(Mutex<Remembered>);

/// By height, the latest first.
#[derive(Debug, Default)]
struct Remembered {
    blocks: VecDeque<(i64, Arc<proto::Block>)>,
    answers: VecDeque<(i64, Vec<u8>)>,
}

/// Takes one in at a height, and lets go of what is too much.
fn put<T>(all: &mut VecDeque<(i64, T)>, height: i64, one: T) {
    all.retain(|(known, _)| *known != height);
    all.push_front((height, one));
    all.truncate(MAX_RECENT);
}

fn find<T: Clone>(all: &VecDeque<(i64, T)>, height: i64) -> Option<T> {
    all.iter().find(|(known, _)| *known == height).map(|(_, one)| one.clone())
}

impl Recent {
    fn all(&self) -> MutexGuard<'_, Remembered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, height: i64) -> Option<Arc<proto::Block>> {
        find(&self.all().blocks, height)
    }

    fn answer(&self, height: i64) -> Option<Vec<u8>> {
        find(&self.all().answers, height)
    }

    fn put(&self, height: i64, size: usize, block: &Arc<proto::Block>) {
        if size <= MAX_RECENT_BYTES {
            put(&mut self.all().blocks, height, Arc::clone(block));
        }
    }

    fn put_answer(&self, height: i64, answer: &[u8]) {
        if answer.len() <= MAX_RECENT_BYTES {
            put(&mut self.all().answers, height, answer.to_vec());
        }
    }
}

/// What the state machine answered to a block, with its height. Source: `GetBlockResults`.
pub(super) fn results(source: &dyn Source, wanted: i64) -> Result<(i64, AbciResponses), ApiError> {
    let height = height(source, wanted)?;
    let failed = |e| wrapped("tendermint: block results query failed", e);
    check(source, height).map_err(failed)?;
    let missing = || failed(unknown(format_args!("could not find results for height #{height}")));
    let results = source.blocks().responses(height).map_err(unknown)?.ok_or_else(missing)?;
    Ok((height, results))
}
