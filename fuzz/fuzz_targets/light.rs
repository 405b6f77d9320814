//! What light clients are told: nodes that lie without the validators' keys never have another header trusted.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use oasis_consensus_engine::{
    light::{LightBlockSource, LightClient, LightRules, Mode, SourceError, TrustOptions, TrustedBlock},
    proto::{ConsensusParams, Evidence, LightBlock},
};
use prost::Message;

#[path = "../../crates/consensus/engine/tests/common/mod.rs"]
mod common;
use common::{CHAIN as NAME, Chain, Plan, SECOND, at, params};

static CHAIN: LazyLock<Chain> = LazyLock::new(|| Chain::new(&Plan { blocks: 30, change_every: 4, ..Plan::default() }));
/// The same, as others would have made it.
static OTHER: LazyLock<Chain> = LazyLock::new(|| Chain::new(&Plan { blocks: 30, change_every: 4, name: "stranger", ..Plan::default() }));

struct Nodes<'a> {
    bytes: std::slice::Iter<'a, u8>,
    asked: usize,
}

impl Nodes<'_> {
    fn next(&mut self) -> u8 {
        self.bytes.next().copied().unwrap_or_default()
    }

    fn changed<M: Message + Default>(&mut self, message: &M) -> Result<M, SourceError> {
        let mut bytes = message.encode_to_vec();
        let place = usize::from(self.next()) << 8 | usize::from(self.next());
        if let Some(byte) = bytes.get_mut(place % 4096) {
            *byte ^= self.next();
        }
        M::decode(bytes.as_slice()).map_err(|e| SourceError::Bad(e.to_string()))
    }
}

impl LightBlockSource for Nodes<'_> {
    fn count(&self) -> usize {
        3
    }

    fn name(&self, node: usize) -> String {
        node.to_string()
    }

    fn light_block(&mut self, _: usize, height: i64) -> Result<LightBlock, SourceError> {
        self.asked += 1;
        let of = |chain: &Chain, height| chain.light_block(height).ok_or(SourceError::NotFound);
        match self.next() % 8 {
            0..=3 => of(&CHAIN, height),
            4 => self.changed(&of(&CHAIN, height)?),
            5 => of(&OTHER, height),
            6 => of(&CHAIN, height + 1),
            _ => Err(SourceError::NoResponse(String::new())),
        }
    }

    fn params(&mut self, _: usize, height: i64) -> Result<(i64, ConsensusParams), SourceError> {
        if self.next() % 2 == 0 { Ok((height, params())) } else { self.changed(&params()).map(|p| (height, p)) }
    }

    fn report(&mut self, _: usize, evidence: Evidence) {
        let _ = (evidence.check_basic(), evidence.hash());
    }

    fn wait(&mut self, _: i64) {}
}

fuzz_target!(|bytes: &[u8]| {
    let Some((first, rest)) = bytes.split_first() else { return };
    if *first == 0 {
        if let Ok(Ok(block)) = LightBlock::decode(rest).map(|message| TrustedBlock::from_message(message, NAME)) {
            assert_eq!(TrustedBlock::from_message(block.to_message(), NAME).map(|b| b.hash), Ok(block.hash));
        }
        let _ = ConsensusParams::decode(rest).map(|params| params.check().is_ok());
        return;
    }
    let start = i64::from(first % 28) + 1;
    let options = TrustOptions { period: 86_400 * SECOND, height: start, hash: CHAIN.get(start).unwrap().block.id().hash.clone() };
    let mode = if first & 128 == 0 { Mode::Skipping } else { Mode::Sequential };
    let nodes = Nodes { bytes: rest.iter(), asked: 0 };
    let Ok(mut client) = LightClient::new(NAME, &options, LightRules::new(options.period), mode, nodes) else { return };
    for _ in 0..4 {
        let height = i64::from(client.source().next() % 28) + 1;
        let now = at(60 * SECOND);
        if let Ok(block) = client.verified(height, now) {
            assert_eq!(block.hash.to_vec(), CHAIN.get(height).unwrap().block.id().hash);
        }
        if let Ok(trusted) = client.state_after(height, 1, now) {
            assert_eq!(trusted.state.last_block_id, *CHAIN.get(height).unwrap().block.id());
        }
    }
    assert!(client.source().asked < 2000);
});
