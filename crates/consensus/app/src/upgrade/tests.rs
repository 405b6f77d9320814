#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use oasis_consensus_types::{consensus::Parameters, entity::Entity, staking::ConsensusParameters as StakingParameters};
use oasis_primitives::{
    signature::{MemorySigner, SignatureRules, Signer},
    version::{VERSIONS, Version},
};

use super::*;
use crate::{
    context::{BlockContext, BlockTime, Env, Mode, Options},
    executor::KEY_PARAMETERS,
    registry, staking,
    store::Store,
};

fn descriptor(handler: &str, epoch: u64) -> Descriptor {
    Descriptor { v: 1, handler: handler.to_owned(), target: VERSIONS, epoch }
}

struct Node {
    store: Store,
    block: BlockContext,
    env: Env,
}

impl Node {
    fn new(upgrader: Upgrader) -> Self {
        let mut store = Store::empty();
        store.insert_cbor(KEY_PARAMETERS, &Parameters { max_tx_size: 7, ..Parameters::default() });
        staking::state::set_params(&mut store, &StakingParameters::default());
        let env = Env {
            initial_height: 1,
            last_height: 0,
            now: BlockTime::default(),
            params: Arc::new(Parameters::default()),
            last_epoch: 0,
            base_epoch: 0,
            rules: SignatureRules::default(),
            options: Arc::new(Options::default()),
        };
        Self { store, block: BlockContext { upgrader: Some(upgrader), ..BlockContext::default() }, env }
    }

    fn block(&mut self, last_height: i64, epoch: EpochTime) -> Result<()> {
        self.env.last_height = last_height;
        for mode in [Mode::BeginBlock, Mode::EndBlock] {
            let mut ctx = Context::new(&mut self.store, &mut self.block, &self.env, mode);
            consensus_upgrade(&mut ctx, epoch)?;
        }
        Ok(())
    }

    fn pending(&self) -> &[PendingUpgrade] {
        self.block.upgrader.as_ref().unwrap().pending()
    }

    fn max_tx_size(&self) -> u64 {
        self.store.get_cbor::<Parameters>(KEY_PARAMETERS).unwrap().unwrap().max_tx_size
    }
}

#[test]
fn an_upgrade_is_performed_in_the_first_block_of_its_epoch_and_forgotten_in_the_next() {
    let mut node = Node::new(Upgrader::new([descriptor("__e2e-test-valid", 5), descriptor("__e2e-test-valid", 5)]));
    node.block(0, EPOCH_INVALID).unwrap();
    node.block(9, 4).unwrap();
    assert_eq!((node.max_tx_size(), node.pending()[0].upgrade_height), (7, INVALID_UPGRADE_HEIGHT));
    node.block(10, 5).unwrap();
    assert_eq!(node.max_tx_size(), 8);
    assert!(node.block.upgrader.as_ref().unwrap().has_pending_at(10));
    let id = MemorySigner::for_test("__e2e-test-migration-entity").public_key();
    let entity: Entity = registry::state::entity(&node.store, &id).unwrap();
    assert_eq!(entity.id, id);
    node.block(11, 5).unwrap();
    assert_eq!(node.max_tx_size(), 8);
    assert!(node.pending().is_empty());
}

#[test]
fn an_upgrade_to_another_protocol_or_by_an_unknown_handler_stops_the_node() {
    let mut other = descriptor("__e2e-test-valid", 5);
    other.target.consensus_protocol = Version::new(5, 0, 0);
    for upgrade in [other, descriptor("unknown-handler", 5)] {
        let mut node = Node::new(Upgrader::new([upgrade]));
        node.block(9, 4).unwrap();
        let stopped = node.block(10, 5).unwrap_err();
        assert!(stopped.is(ERR_STOP_FOR_UPGRADE), "{stopped}");
        assert!(node.block.upgrader.as_mut().unwrap().start().is_err());
    }
}

#[test]
fn a_node_that_stops_goes_on_after_its_next_start() {
    let mut node = Node::new(Upgrader::new([descriptor("consensus-max-allowances-16", 5)]).stopping_at_upgrades());
    assert!(node.block(10, 5).unwrap_err().is(ERR_STOP_FOR_UPGRADE));
    let kept = node.pending().to_vec();
    let mut upgrader = Upgrader::resume(kept).stopping_at_upgrades();
    upgrader.start().unwrap();
    node.block.upgrader = Some(upgrader);
    node.block(10, 5).unwrap();
    assert_eq!(staking::state::params(&node.store).unwrap().max_allowances, 16);
}

#[test]
fn an_upgrade_in_progress_is_not_canceled() {
    let upgrade = descriptor("__e2e-test-valid", 5);
    let mut node = Node::new(Upgrader::new([upgrade.clone()]));
    node.block(10, 5).unwrap();
    let upgrader = node.block.upgrader.as_mut().unwrap();
    assert!(upgrader.cancel(&upgrade).unwrap_err().is(ERR_UPGRADE_IN_PROGRESS));
    assert!(upgrader.submit(upgrade).unwrap_err().is(ERR_ALREADY_PENDING));
    let later = descriptor("__e2e-test-valid", 50);
    upgrader.submit(later.clone()).unwrap();
    upgrader.cancel(&later).unwrap();
    assert!(upgrader.find(&later).unwrap_err().is(ERR_UPGRADE_NOT_FOUND));
}
