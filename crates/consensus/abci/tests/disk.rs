//! The state on disk: goes on after any end of the process, prunes, and is no other network's.

mod common;

use std::{
    env,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use common::{Chain, apply};
use oasis_consensus_abci::{Config, Disk, DiskOptions, Machine, Pruning, StopReason};
use oasis_consensus_engine::ports::Application;
use oasis_consensus_types::upgrade::Descriptor;
use oasis_primitives::version::VERSIONS;

/// Set for the process that is killed: the data directory.
const VICTIM: &str = "OASIS_ABCI_TEST_VICTIM";

fn disk(path: &Path, chain: &Chain) -> Disk {
    Disk::open(&path.join("state"), DiskOptions::new(&chain.network.chain_context)).unwrap()
}

#[test]
fn a_state_on_disk_goes_on_from_every_block_vectors() {
    for name in ["gas-fees-staking", "node-upgrade-consensus-params-update-2021-08"] {
        let chain = common::named(name);
        let dir = tempfile::tempdir().unwrap();
        for (i, (state, recorded)) in chain.states().iter().zip(&chain.blocks).enumerate() {
            let mut machine = if i == 0 {
                let mut machine = chain.machine(disk(dir.path(), &chain));
                assert_eq!(chain.init(&mut machine), *state);
                machine
            } else {
                // The pending upgrades are those that were kept.
                Machine::open(disk(dir.path(), &chain), chain.network.clone(), Config::default()).unwrap()
            };
            apply(&mut machine, state, recorded);
            if let Some(next) = chain.blocks.get(i + 1) {
                // Executed, and never committed.
                let after = state.after_block(&recorded.block, &recorded.results, &recorded.root.0).unwrap();
                machine.execute(&next.block, &after.vote_infos(&next.block), &next.block.evidence().byzantine_validators()).unwrap();
            }
        }
    }
}

#[test]
fn a_state_of_another_network_is_refused_vectors() {
    let (chain, other) = (common::named("gas-fees-staking"), common::named("debond"));
    let dir = tempfile::tempdir().unwrap();
    drop(disk(dir.path(), &chain));
    let refused = Disk::open(&dir.path().join("state"), DiskOptions::new(&other.network.chain_context)).err().unwrap();
    assert!(refused.to_string().contains("chain context"), "{refused}");
}

#[test]
fn pruning_on_disk_keeps_what_its_strategy_says_vectors() {
    let chain = common::named("gas-fees-runtimes");
    let states = chain.states();
    let dir = tempfile::tempdir().unwrap();
    let mut machine = chain.machine(disk(dir.path(), &chain));
    chain.init(&mut machine);
    let half = chain.blocks.len() / 2;
    for (state, recorded) in states.iter().zip(&chain.blocks).take(half) {
        assert_eq!(apply(&mut machine, state, recorded), 0, "without pruning all blocks are needed");
    }
    drop(machine);
    // The operator turns pruning on.
    let mut machine = chain.machine_with(disk(dir.path(), &chain), Config { pruning: Pruning::KeepN(3), ..Config::default() });
    let mut retained = 0;
    for (state, recorded) in states.iter().zip(&chain.blocks).skip(half) {
        let retain = apply(&mut machine, state, recorded);
        let height = recorded.height();
        let first = machine.earliest_height().unwrap();
        assert!(retain >= retained && retain <= first && first <= height - 3);
        retained = retain;
        for kept in first..=height {
            let store = machine.executor().query(kept).unwrap();
            assert!(store.iterate(&[0xf1]).unwrap().len() == 1);
        }
        assert!(first == 1 || machine.executor().query(first - 1).is_err());
    }
    let last = chain.blocks.last().unwrap().height();
    assert_eq!(machine.earliest_height(), Some(last - 3), "it caught up");
    assert!(retained > 1);
    let machine = chain.machine_with(disk_after(machine, dir.path(), &chain), Config::default());
    assert_eq!(machine.earliest_height(), Some(last - 3));
}

fn disk_after(machine: Machine<Disk>, path: &Path, chain: &Chain) -> Disk {
    drop(machine);
    disk(path, chain)
}

#[test]
fn an_upgrade_that_was_submitted_or_cancelled_is_remembered_vectors() {
    let chain = common::named("gas-fees-staking");
    let dir = tempfile::tempdir().unwrap();
    let mut machine = chain.machine(disk(dir.path(), &chain));
    chain.init(&mut machine);
    apply(&mut machine, &chain.states()[0], &chain.blocks[0]);
    let descriptor = Descriptor { v: 1, handler: "consensus-max-allowances-16".into(), target: VERSIONS, epoch: 1 << 40 };
    machine.submit_upgrade(descriptor.clone()).unwrap();
    let mut machine = chain.machine(disk_after(machine, dir.path(), &chain));
    assert_eq!(machine.executor().upgrader().unwrap().pending().len(), 1);
    machine.cancel_upgrade(&descriptor).unwrap();
    let machine = chain.machine(disk_after(machine, dir.path(), &chain));
    assert!(machine.executor().upgrader().unwrap().pending().is_empty());
}

/// As the original: the node stops before the block of the upgrade, and the next start performs it.
#[test]
fn a_node_stops_at_an_upgrade_once_and_performs_it_when_started_again_vectors() {
    let chain = common::named("node-upgrade-consensus-params-update-2021-08");
    let dir = tempfile::tempdir().unwrap();
    let config = || Config { stop_at_upgrades: true, ..Config::default() };
    let mut machine = chain.machine_with(disk(dir.path(), &chain), config());
    chain.init(&mut machine);
    let mut stops = Vec::new();
    for (state, recorded) in chain.states().iter().zip(&chain.blocks) {
        let votes = state.vote_infos(&recorded.block);
        if machine.execute(&recorded.block, &votes, &recorded.block.evidence().byzantine_validators()).is_err() {
            let Some(StopReason::Upgrade { height, .. }) = machine.stop_reason() else { panic!("height {}", recorded.height()) };
            stops.push(*height);
        } else {
            // Executed, and never committed.
            assert_eq!(machine.stop_reason(), None);
        }
        machine = chain.machine_with(disk_after(machine, dir.path(), &chain), config());
        if recorded.height() == 1 {
            chain.init(&mut machine);
        }
        apply(&mut machine, state, recorded);
    }
    assert_eq!(stops.len(), 1, "{stops:?}");
    assert!(machine.executor().upgrader().unwrap().pending().is_empty());
}

#[test]
fn a_process_killed_at_any_moment_leaves_a_state_that_goes_on_vectors() {
    let chain = common::named("gas-fees-runtimes");
    if let Ok(path) = env::var(VICTIM) {
        // This is the process that is killed.
        advance(&chain, Path::new(&path), usize::MAX);
        loop {
            thread::sleep(Duration::from_secs(1));
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let mut seen = 0;
    for round in 0u64.. {
        let mut victim = Command::new(env::current_exe().unwrap())
            .args(["--exact", "a_process_killed_at_any_moment_leaves_a_state_that_goes_on_vectors", "--nocapture"])
            .env(VICTIM, dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // From the first write on, later and later.
        let began = Instant::now();
        while !dir.path().join("state").exists() && began.elapsed() < Duration::from_secs(60) {
            thread::sleep(Duration::from_millis(5));
        }
        thread::sleep(Duration::from_millis(100 + (round * 37) % 211));
        victim.kill().unwrap();
        victim.wait().unwrap();
        let height = check(&chain, dir.path());
        assert!(height >= seen, "what was committed stays");
        seen = height;
        println!("killed at height {height} of {}", chain.blocks.last().unwrap().height());
        if round >= 8 || height == chain.blocks.last().unwrap().height() {
            break;
        }
    }
    assert!(seen > 0, "something was committed before a kill");
    advance(&chain, dir.path(), usize::MAX);
    assert_eq!(check(&chain, dir.path()), chain.blocks.last().unwrap().height());
}

/// Executes up to `count` more blocks.
fn advance(chain: &Chain, path: &Path, count: usize) {
    let mut machine = chain.machine_with(disk(path, chain), Config { pruning: Pruning::KeepN(5), ..Config::default() });
    if machine.height() == 0 {
        chain.init(&mut machine);
    }
    let height = machine.height();
    let next = chain.states().into_iter().zip(&chain.blocks).filter(|(_, b)| b.height() > height);
    for (state, recorded) in next.take(count) {
        apply(&mut machine, &state, recorded);
    }
}

/// The height of the state, whose root is the recorded one.
fn check(chain: &Chain, path: &Path) -> i64 {
    let machine = chain.machine(disk(path, chain));
    let info = machine.info().unwrap();
    if let Some(recorded) = chain.blocks.iter().find(|b| b.height() == info.last_height) {
        assert_eq!(info.app_hash, recorded.root.0);
        for kept in machine.earliest_height().unwrap()..=info.last_height {
            machine.executor().query(kept).unwrap().iterate(&[]).unwrap();
        }
    } else {
        assert_eq!((info.last_height, info.app_hash.len()), (0, 0));
    }
    info.last_height
}
