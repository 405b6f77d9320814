//! Recorded chains through the engine's interface.

mod common;

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use common::{apply, memory::Memory};
use oasis_consensus_abci::{Config, Machine, Pruning, Shared, StopReason};
use oasis_consensus_engine::ports::Application;
use oasis_consensus_types::upgrade::Descriptor;
use oasis_primitives::{
    quantity::Quantity,
    version::{ProtocolVersions, VERSIONS, Version},
};

#[test]
fn every_recorded_chain_gives_the_recorded_answers_and_app_hashes_chains_vectors() {
    let paths = common::paths();
    assert!(paths.len() >= 4);
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let chain = common::read(path);
                    let mut machine = chain.machine(Memory::new(2));
                    let mut state = chain.init(&mut machine);
                    for recorded in &chain.blocks {
                        assert_eq!(recorded.block.header().app_hash, state.app_hash, "{}", chain.name);
                        apply(&mut machine, &state, recorded);
                        state = state.after_block(&recorded.block, &recorded.results, &recorded.root.0).unwrap();
                    }
                }
            });
        }
    });
}

#[test]
fn a_machine_goes_on_from_its_state_after_any_block_vectors() {
    let chain = common::named("node-upgrade-consensus-params-update-2021-08");
    let mut machine = chain.machine(Memory::new(3));
    let state = chain.init(&mut machine);
    // Made again where nothing was committed since, as after a start.
    assert_eq!(chain.init(&mut machine), state);
    for (state, recorded) in chain.states().iter().zip(&chain.blocks) {
        apply(&mut machine, state, recorded);
        machine = Machine::open(machine.into_tree(), chain.network.clone(), Config::default()).unwrap();
    }
}

#[test]
fn a_state_that_lost_its_last_versions_executes_their_blocks_again_vectors() {
    let chain = common::named("gas-fees-staking");
    let states = chain.states();
    let mut machine = chain.machine(Memory::new(8));
    chain.init(&mut machine);
    let mut at = 0;
    let mut lost = 0;
    while at < chain.blocks.len() {
        apply(&mut machine, &states[at], &chain.blocks[at]);
        at += 1;
        if at % 5 == 0 && lost < at {
            lost = at;
            // Executed and not committed, then a crash that takes three versions.
            if let (Some(state), Some(next)) = (states.get(at), chain.blocks.get(at)) {
                machine.execute(&next.block, &state.vote_infos(&next.block), &[]).unwrap();
            }
            let mut tree = machine.into_tree();
            at -= 3;
            tree.rewind(chain.blocks[at - 1].height() as u64);
            machine = chain.machine(tree);
            assert_eq!(machine.height(), chain.blocks[at - 1].height());
        }
    }
}

#[test]
fn pruning_keeps_what_its_strategy_says_and_retained_heights_answer_vectors() {
    let chain = common::named("gas-fees-staking");
    let mut machine = chain.machine_with(Memory::new(usize::MAX), Config { pruning: Pruning::KeepN(4), ..Config::default() });
    chain.init(&mut machine);
    for (state, recorded) in chain.states().iter().zip(&chain.blocks) {
        let retain = apply(&mut machine, state, recorded);
        let height = recorded.height();
        let first = (height - 4).max(chain.network.document.height);
        assert_eq!(machine.earliest_height(), Some(first));
        if height > first + 4 {
            assert_eq!(retain, first);
        }
        for kept in first..=height {
            machine.executor().query(kept).unwrap();
        }
        if first > 1 {
            assert!(machine.executor().query(first - 1).is_err());
        }
    }
    assert!(Machine::open(Memory::new(1), chain.network.clone(), Config { pruning: Pruning::KeepN(0), ..Config::default() }).is_err());
}

#[test]
fn transactions_that_succeeded_pass_their_check_first_and_again_vectors() {
    for name in ["gas-fees-staking", "gas-fees-runtimes", "debond"] {
        let chain = common::named(name);
        let mut machine = chain.machine(Memory::new(1));
        chain.init(&mut machine);
        let mut checked = 0;
        for (state, recorded) in chain.states().iter().zip(&chain.blocks) {
            if machine.height() > 0 {
                for (raw, result) in recorded.block.txs().iter().zip(&recorded.results.deliver_txs) {
                    if result.code == 0 && result.gas_wanted > 0 {
                        let check = machine.check_tx(raw, false).unwrap();
                        assert_eq!((check.code, check.log.as_str(), check.gas_wanted), (0, "", result.gas_wanted), "{name}");
                        // Its nonce was taken by the first check, until a block is committed.
                        let again = machine.check_tx(raw, true).unwrap();
                        assert_eq!((again.codespace.as_str(), again.code), ("consensus/transaction", 1), "{}", again.log);
                        checked += 1;
                    }
                }
            }
            apply(&mut machine, state, recorded);
        }
        assert!(checked > 0, "{name}");
    }
}

#[test]
fn garbage_and_low_gas_prices_are_refused_for_the_mempool_vectors() {
    let chain = common::named("gas-fees-staking");
    let config = |price: u64| Config { min_gas_price: Quantity::from(price), ..Config::default() };
    let mut machine = chain.machine_with(Memory::new(1), config(u64::MAX));
    chain.init(&mut machine);
    let mut refused = 0;
    let mut own = 0;
    for (state, recorded) in chain.states().iter().zip(&chain.blocks) {
        for (raw, result) in recorded.block.txs().iter().zip(&recorded.results.deliver_txs) {
            if machine.height() == 0 || result.code != 0 || result.gas_wanted == 0 {
                continue;
            }
            let check = machine.check_tx(raw, false).unwrap();
            assert_eq!((check.codespace.as_str(), check.code), ("consensus/transaction", 3), "{}", check.log);
            refused += 1;
            let mut damaged = raw.clone();
            *damaged.last_mut().unwrap() ^= 1;
            for garbage in [&damaged[..], &raw[..raw.len() - 1], &[], &[0xff; 100]] {
                let check = machine.check_tx(garbage, false).unwrap();
                assert_eq!((check.codespace.as_str(), check.code), ("unknown", 1), "{}", check.log);
            }
            // The node's own transactions pay what they like.
            let signer = oasis_consensus_app::executor::PreparedTx::new(raw, &chain.network.rules).transaction().unwrap().1;
            let tree = machine.into_tree();
            let mut owned = chain.machine_with(tree, Config { own_tx_signer: Some(signer), ..config(u64::MAX) });
            assert_eq!(owned.check_tx(raw, false).unwrap().code, 0);
            own += 1;
            machine = chain.machine_with(owned.into_tree(), config(u64::MAX));
        }
        apply(&mut machine, state, recorded);
    }
    assert!(refused > 0 && own > 0);
}

#[test]
fn an_upgrade_to_other_versions_stops_the_node_before_its_block_vectors() {
    let chain = common::named("gas-fees-staking");
    let target = ProtocolVersions { consensus_protocol: Version { major: 99, minor: 0, patch: 0 }, ..VERSIONS };
    // The epoch of the second half of the chain.
    let epoch = {
        let mut machine = chain.machine(Memory::new(1));
        chain.init(&mut machine);
        for (state, recorded) in chain.states().iter().zip(&chain.blocks) {
            apply(&mut machine, state, recorded);
        }
        oasis_consensus_app::epoch::current(&machine.executor().query(0).unwrap()).unwrap().epoch
    };
    let descriptor = Descriptor { v: 1, handler: "consensus-max-allowances-16".into(), target, epoch };
    let machine = chain.machine(Memory::new(1));
    let mut shared = Shared::new(machine);
    chain.init(&mut shared.lock());
    shared.lock().submit_upgrade(descriptor.clone()).unwrap();
    assert!(shared.lock().submit_upgrade(descriptor).is_err());
    let mut stopped = None;
    for (state, recorded) in chain.states().iter().zip(&chain.blocks) {
        let votes = state.vote_infos(&recorded.block);
        if let Err(error) = shared.execute(&recorded.block, &votes, &recorded.block.evidence().byzantine_validators()) {
            stopped = Some((recorded.height(), error));
            break;
        }
        assert_eq!(shared.lock().stop_reason(), None);
        shared.commit().unwrap();
    }
    let (height, error) = stopped.expect("the upgrade's epoch comes");
    let machine = shared.lock();
    let Some(StopReason::Upgrade { height: at, reason }) = machine.stop_reason() else { panic!("{error}") };
    assert_eq!(*at, height);
    assert!(reason.contains("reached upgrade epoch") && error.to_string().contains("upgrade"), "{reason}");
    assert_eq!(machine.height(), height - 1);
}

#[test]
fn blocks_out_of_order_and_commits_of_nothing_are_fatal_vectors() {
    let chain = common::named("debond");
    let states = chain.states();
    let mut machine = chain.machine(Memory::new(1));
    assert!(machine.commit().is_err());
    chain.init(&mut machine);
    let execute = |machine: &mut Machine<Memory>, i: usize| {
        let block = &chain.blocks[i].block;
        machine.execute(block, &states[i].vote_infos(block), &[])
    };
    execute(&mut machine, 0).unwrap();
    assert!(execute(&mut machine, 0).is_err(), "executed again before the commit");
    machine.commit().unwrap();
    assert!(execute(&mut machine, 0).is_err() && execute(&mut machine, 2).is_err());
    assert!(machine.init_chain(&chain.network.engine).is_err(), "there is a state already");
    execute(&mut machine, 1).unwrap();
    assert_eq!(machine.commit().unwrap().app_hash, chain.blocks[1].root.0);
}

#[test]
fn a_network_halts_with_one_empty_block_in_its_halt_epoch_vectors() {
    let mut chain = common::named("gas-fees-runtimes");
    let mut machine = chain.machine(Memory::new(1));
    chain.init(&mut machine);
    let mut epochs: Vec<(u64, i64)> = Vec::new();
    let states = chain.states();
    for (state, recorded) in states.iter().zip(&chain.blocks) {
        apply(&mut machine, state, recorded);
        let epoch = oasis_consensus_app::epoch::current(&machine.executor().query(0).unwrap()).unwrap().epoch;
        if epochs.last().is_none_or(|(last, _)| *last != epoch) {
            epochs.push((epoch, recorded.height()));
        }
    }
    let (epoch, height) = epochs[1];
    chain.network.document.halt_epoch = epoch;
    let mut machine = chain.machine(Memory::new(1));
    chain.init(&mut machine);
    for (state, recorded) in states.iter().zip(&chain.blocks) {
        if recorded.height() <= height {
            apply(&mut machine, state, recorded);
            assert_eq!(machine.stop_reason(), None);
            continue;
        }
        // The apps saw the epoch change in the block before.
        let responses = machine.execute(&recorded.block, &state.vote_infos(&recorded.block), &[]).unwrap();
        let (begin, end) = (responses.begin_block.unwrap(), responses.end_block.unwrap());
        assert!(begin.events.is_empty() && end.events.is_empty() && end.consensus_param_updates.is_none());
        assert!(responses.deliver_txs.iter().all(|tx| tx.code == 1 && tx.log == b"halt mode, rejecting all transactions"));
        let before = machine.info().unwrap().app_hash;
        assert_eq!(machine.commit().unwrap().app_hash, before);
        assert_eq!(machine.stop_reason(), Some(&StopReason::Halted { height: height + 1, epoch }));
        assert_eq!(machine.check_tx(&[], false).unwrap().log, "halt mode, rejecting all transactions");
        break;
    }
    // In another process too.
    let mut machine = chain.machine(machine.into_tree());
    assert_eq!(machine.stop_reason(), Some(&StopReason::Halted { height: height + 1, epoch }));
    assert_eq!(machine.check_tx(&[], false).unwrap().log, "halt mode, rejecting all transactions");
    let after = chain.blocks.iter().zip(&states).find(|(b, _)| b.height() == height + 2).unwrap();
    assert!(machine.execute(&after.0.block, &after.1.vote_infos(&after.0.block), &[]).unwrap_err().to_string().contains("halted"));
}
