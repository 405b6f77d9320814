//! Block sync and state sync under any sequence of inputs: nothing but the chain's own blocks is applied.
#![no_main]

use std::{collections::VecDeque, sync::LazyLock};

use libfuzzer_sys::fuzz_target;
use oasis_consensus_engine::{
    PeerId,
    blocksync::{self, BlockSync},
    light::{LightError, TrustedState},
    messages::{BlockResponse, BlockSyncMessage, ChunkResponse, NoBlockResponse, SnapshotsResponse, StateSyncMessage, StatusResponse},
    ports::{AppInfo, ApplyChunk, OfferSnapshot},
    statesync::{self, StateSync},
};

#[path = "../../crates/consensus/engine/tests/common/mod.rs"]
mod common;
use common::{Chain, Plan, SECOND, at};

static CHAIN: LazyLock<Chain> = LazyLock::new(|| Chain::new(&Plan { blocks: 12, change_every: 3, ..Plan::default() }));

struct Bytes<'a>(std::slice::Iter<'a, u8>);

impl Bytes<'_> {
    fn next(&mut self) -> Option<u8> {
        self.0.next().copied()
    }
}

fn peer(byte: u8) -> PeerId {
    PeerId::of_key(&[byte % 5; 32])
}

fn block_sync(bytes: &mut Bytes<'_>) -> Option<()> {
    let config = blocksync::Config { max_bytes: 5000, max_blocks: 10, batch_signatures: 8, ..blocksync::Config::default() };
    let mut sync = BlockSync::new(config, CHAIN.first_state.clone(), at(0));
    let mut now = 0;
    let mut applied = 0;
    let mut answers = VecDeque::new();
    loop {
        let (kind, who, height) = (bytes.next()?, peer(bytes.next()?), i64::from(bytes.next()? % 16));
        let block = |h| CHAIN.get(h).map(|m| m.encoded.clone()).unwrap_or_default();
        let message = |message| blocksync::Input::Message { peer: who, message };
        let response = |block| message(BlockSyncMessage::BlockResponse(BlockResponse { block: Some(block) }));
        let input = match kind % 8 {
            0 => blocksync::Input::Connected(who),
            1 => blocksync::Input::Gone(who),
            2 => message(BlockSyncMessage::StatusResponse(StatusResponse { height, base: height / 4 })),
            3 => message(BlockSyncMessage::NoBlockResponse(NoBlockResponse { height })),
            4 => response(block(height)),
            5 => {
                let mut block = block(height);
                let (place, bit) = (usize::from(bytes.next()?) * 7, bytes.next()? % 8);
                if let Some(byte) = block.get_mut(place) {
                    *byte ^= 1 << bit;
                }
                response(block)
            }
            6 => match answers.pop_front() {
                Some(input) => input,
                None => continue,
            },
            _ => {
                now += i64::from(height) * SECOND / 5;
                blocksync::Input::Tick
            }
        };
        for effect in sync.handle(at(now), input) {
            match effect {
                blocksync::Effect::Verify(batch) => answers.push_back(blocksync::Input::Verified(batch.verify())),
                blocksync::Effect::Apply(proven) => {
                    applied += 1;
                    let made = CHAIN.get(applied).expect("the chain has it");
                    assert_eq!(proven.encoded, made.encoded);
                    answers.push_back(blocksync::Input::Applied(Box::new(made.state.clone())));
                }
                _ => {}
            }
        }
        assert!(sync.bytes_waiting() <= 5000 + 2000);
    }
}

fn state_sync(bytes: &mut Bytes<'_>) -> Option<()> {
    let mut sync = StateSync::new(statesync::Config::default(), at(0));
    let mut now = 0;
    loop {
        let (kind, who, number) = (bytes.next()?, peer(bytes.next()?), bytes.next()?);
        let height = u64::from(number % 16);
        let message = |message| statesync::Input::Message { peer: who, message };
        let input = match kind % 10 {
            0 => statesync::Input::Connected(who),
            1 => statesync::Input::Gone(who),
            2 => {
                let chunks = if number > 250 { u32::MAX } else { u32::from(number % 7) + 1 };
                let m = SnapshotsResponse { height, format: 1, chunks, hash: vec![number], metadata: vec![] };
                message(StateSyncMessage::SnapshotsResponse(m))
            }
            3 => {
                let (index, missing) = (u32::from(bytes.next()? % 8), number > 200);
                let m = ChunkResponse { height, format: 1, index, chunk: vec![number], missing };
                message(StateSyncMessage::ChunkResponse(m))
            }
            4 => statesync::Input::Trusted(match CHAIN.get(height as i64) {
                Some(made) => Ok(Box::new(TrustedState { state: made.state.clone(), commit: made.commit.clone() })),
                None => Err(LightError::NotAvailable { height: 0, reason: String::new(), may_come: number % 2 == 0 }),
            }),
            5 => statesync::Input::Offered(match number % 8 {
                0 => OfferSnapshot::Reject,
                1 => OfferSnapshot::RejectFormat,
                2 => OfferSnapshot::RejectSender,
                _ => OfferSnapshot::Accept,
            }),
            6 | 7 => statesync::Input::ChunkApplied(match number % 16 {
                0 => ApplyChunk::RetrySnapshot,
                1 => ApplyChunk::RefetchFromOthers,
                2 => ApplyChunk::RejectSnapshot(String::new()),
                _ => ApplyChunk::Accept,
            }),
            8 => statesync::Input::App(AppInfo { last_height: height as i64, app_hash: vec![height as u8; 32], app_version: 7 }),
            _ => {
                now += i64::from(number) * SECOND / 5;
                statesync::Input::Tick
            }
        };
        for effect in sync.handle(at(now), input) {
            if let statesync::Effect::Done { state, .. } = effect {
                assert_eq!(state.app_hash, vec![state.last_block_height as u8; 32]);
            }
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut bytes = Bytes(bytes.iter());
    let _ = match bytes.next() {
        Some(first) if first % 2 == 0 => block_sync(&mut bytes),
        _ => state_sync(&mut bytes),
    };
});
