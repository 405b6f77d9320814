//! Bugs put in on purpose are found. `./x sim --planted` looks through many seeds; these are known ones.

use oasis_sim::{Options, Planted, checks::Violation, run};

fn found(seed: u64, blocks: i64, planted: Planted) -> Violation {
    let without = run(Options { seed, blocks, validators: None, faults: true, planted: None }).unwrap();
    assert_eq!(without.violation, None, "seed {seed} without the bug");
    let with = run(Options { seed, blocks, validators: None, faults: true, planted: Some(planted) }).unwrap();
    with.violation.unwrap_or_else(|| panic!("seed {seed} does not find {planted:?}"))
}

#[test]
fn a_lock_forgotten_on_restart_is_found() {
    assert!(matches!(found(9, 60, Planted::Lock), Violation::Lock { .. }));
}

#[test]
fn a_vote_counted_twice_is_found() {
    found(0, 60, Planted::Vote);
}

#[test]
fn evidence_that_is_not_checked_is_found() {
    assert!(matches!(found(5, 40, Planted::Evidence), Violation::Accused { .. }));
}
