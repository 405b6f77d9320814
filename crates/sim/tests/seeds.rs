//! A few whole runs; `./x sim` makes many.

use oasis_sim::{Options, Report, run};

fn seed(seed: u64, blocks: i64, faults: bool) -> Report {
    let report = run(Options { seed, blocks, validators: None, faults, planted: None }).unwrap();
    if let Some(violation) = &report.violation {
        panic!("seed {seed}: {violation}\n{:?}\n{}", report.plan, report.timeline);
    }
    assert!(report.height >= blocks);
    report
}

#[test]
fn without_faults_blocks_are_made() {
    let report = seed(1, 10, false);
    assert!(report.messages > 0 && report.decided_in < 1.0);
}

#[test]
fn a_seed_gives_one_run() {
    let (a, b) = (seed(3, 20, true), seed(3, 20, true));
    assert_eq!(a.timeline.to_string(), b.timeline.to_string());
    assert_eq!((a.messages, a.bytes, a.app_hash), (b.messages, b.bytes, b.app_hash));
}

/// Two thirds that hang on a vote which contradicts another of its validator, then power loss: the lock has to be found again.
/// Of 1,000 seeds this one, 510 and 908 come upon it; in shorter runs the faults lie elsewhere.
#[test]
fn a_lock_that_hangs_on_a_contradicting_vote_is_found_in_the_log() {
    seed(617, 500, true);
}

#[test]
fn nothing_is_violated_by_these_seeds() {
    for number in 10..18 {
        seed(number, 40, true);
    }
}
