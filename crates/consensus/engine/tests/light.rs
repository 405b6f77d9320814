//! The light client between honest and lying nodes.

use std::{cell::RefCell, rc::Rc};

use oasis_consensus_engine::{
    light::{LightBlockSource, LightClient, LightError, LightRules, Mode, SourceError, TrustOptions, TrustedBlock},
    proto::{BlockIdFlag, ConsensusParams, Evidence, EvidenceSum, LightBlock},
};

mod common;
use common::{CHAIN, Chain, Dice, Plan, SECOND, at, params};

#[derive(Clone)]
enum Node {
    Honest(Rc<Chain>),
    /// Has the first blocks only; one more after each wait.
    Behind(Rc<Chain>, Rc<RefCell<i64>>),
    Silent,
    /// Follows another chain from a height on, signed by the same validators.
    Fork(Rc<Chain>, Rc<Chain>, i64),
    /// Changes bits at random.
    Noise(Rc<Chain>, Rc<RefCell<Dice>>),
    /// Gives another height.
    Shifted(Rc<Chain>),
    /// Leaves out the signatures from a height on.
    Unsigned(Rc<Chain>, i64),
}

use Node::*;

#[derive(Default)]
struct Log {
    fetched: usize,
    reported: Vec<(usize, Evidence)>,
}

struct Net {
    nodes: Vec<Node>,
    log: Rc<RefCell<Log>>,
    params: ConsensusParams,
}

impl LightBlockSource for Net {
    fn count(&self) -> usize {
        self.nodes.len()
    }

    fn name(&self, node: usize) -> String {
        format!("node {node}")
    }

    fn light_block(&mut self, node: usize, height: i64) -> Result<LightBlock, SourceError> {
        self.log.borrow_mut().fetched += 1;
        let of = |chain: &Chain, height| chain.light_block(height).ok_or(SourceError::NotFound);
        match &self.nodes[node] {
            Honest(chain) => of(chain, height),
            Behind(chain, top) if height <= *top.borrow() => of(chain, height),
            Behind(..) => Err(SourceError::NotFound),
            Silent => Err(SourceError::NoResponse("timeout".into())),
            Fork(chain, other, from) => of(if height < *from { chain } else { other }, height),
            Shifted(chain) => of(chain, height + 1),
            Noise(chain, dice) => {
                use prost::Message;
                let mut bytes = of(chain, height)?.encode_to_vec();
                let i = dice.borrow_mut().below(bytes.len() as u64) as usize;
                bytes[i] ^= 1 << dice.borrow_mut().below(8);
                LightBlock::decode(bytes.as_slice()).map_err(|e| SourceError::Bad(e.to_string()))
            }
            Unsigned(chain, from) => {
                let mut block = of(chain, height)?;
                if height >= *from {
                    for sig in &mut block.signed_header.as_mut().unwrap().commit.as_mut().unwrap().signatures {
                        sig.block_id_flag = BlockIdFlag::NIL;
                    }
                }
                Ok(block)
            }
        }
    }

    fn params(&mut self, _: usize, height: i64) -> Result<(i64, ConsensusParams), SourceError> {
        Ok((height, self.params.clone()))
    }

    fn report(&mut self, node: usize, evidence: Evidence) {
        self.log.borrow_mut().reported.push((node, evidence));
    }

    fn wait(&mut self, _: i64) {
        for node in &self.nodes {
            if let Behind(_, top) = node {
                *top.borrow_mut() += 1;
            }
        }
    }
}

fn chain(change_every: usize) -> Rc<Chain> {
    Rc::new(Chain::new(&Plan { blocks: 120, change_every, ..Plan::default() }))
}

/// A chain with the same beginning and other transactions after `at`.
fn fork(chain: &Chain, at: usize) -> Rc<Chain> {
    let mut fork = chain.clone();
    fork.blocks.truncate(at);
    while fork.blocks.len() < chain.blocks.len() {
        let updates = chain.blocks[fork.blocks.len()].responses.end_block.clone().unwrap().validator_updates;
        fork.add(vec![b"fork".to_vec()], updates);
    }
    Rc::new(fork)
}

fn options(chain: &Chain, height: i64) -> TrustOptions {
    TrustOptions { period: 86_400 * SECOND, height, hash: chain.get(height).unwrap().block.id().hash.clone() }
}

type Client = LightClient<Net>;

fn client(nodes: Vec<Node>, mode: Mode, options: &TrustOptions) -> (Result<Client, LightError>, Rc<RefCell<Log>>) {
    let log = Rc::new(RefCell::new(Log::default()));
    let net = Net { nodes, log: Rc::clone(&log), params: params() };
    (LightClient::new(CHAIN, options, LightRules::new(1), mode, net), log)
}

const NOW: i64 = 1000 * SECOND;

#[test]
fn trust_reaches_every_height_over_changing_validators_forwards_and_backwards() {
    let chain = chain(3);
    for mode in [Mode::Skipping, Mode::Sequential] {
        let (c, log) = client(vec![Honest(chain.clone()), Honest(chain.clone())], mode, &options(&chain, 10));
        let mut c = c.unwrap();
        for height in [118, 11, 60, 59, 2, 1, 120] {
            assert_eq!(c.verified(height, at(NOW)).unwrap().header, *chain.get(height).unwrap().block.header(), "{height}");
        }
        if mode == Mode::Skipping {
            assert!(log.borrow().fetched < 120, "{}", log.borrow().fetched);
        }
    }
}

#[test]
fn unchanged_validators_need_no_header_between() {
    let chain = chain(0);
    let (c, log) = client(vec![Honest(chain.clone()), Honest(chain.clone())], Mode::Skipping, &options(&chain, 1));
    c.unwrap().verified(120, at(NOW)).unwrap();
    assert_eq!(log.borrow().fetched, 4);
}

#[test]
fn the_state_after_a_height_is_that_of_the_chain() {
    let chain = chain(7);
    let (c, _) = client(vec![Honest(chain.clone()), Honest(chain.clone())], Mode::Skipping, &options(&chain, 1));
    let trusted = c.unwrap().state_after(50, 1, at(NOW)).unwrap();
    let made = chain.get(50).unwrap();
    assert_eq!(trusted.commit, made.commit);
    let mut expected = made.state.clone();
    expected.last_height_validators_changed = 52;
    expected.last_height_consensus_params_changed = 51;
    assert_eq!(trusted.state, expected);
}

#[test]
fn parameters_that_no_header_names_are_refused() {
    let chain = chain(0);
    let mut other = params();
    other.block.max_bytes += 1;
    let net = Net { nodes: vec![Honest(chain.clone()), Honest(chain.clone())], log: Rc::default(), params: other };
    let mut c = LightClient::new(CHAIN, &options(&chain, 1), LightRules::new(1), Mode::Skipping, net).unwrap();
    assert!(matches!(c.state_after(50, 1, at(NOW)), Err(LightError::Invalid(e)) if e.field == "params"));
}

#[test]
fn options_that_do_not_fit_are_refused() {
    let chain = chain(0);
    let honest = || vec![Honest(chain.clone()), Honest(chain.clone())];
    let good = options(&chain, 5);
    let wrong = [
        TrustOptions { hash: vec![7; 32], ..good.clone() },
        TrustOptions { hash: vec![7; 31], ..good.clone() },
        TrustOptions { height: 0, ..good.clone() },
        TrustOptions { period: 0, ..good.clone() },
    ];
    for options in wrong {
        assert!(matches!(client(honest(), Mode::Skipping, &options).0, Err(LightError::Options(_))), "{options:?}");
    }
    assert!(matches!(client(vec![Honest(chain.clone())], Mode::Skipping, &good).0, Err(LightError::Options(_))));
    let (c, _) = client(honest(), Mode::Skipping, &TrustOptions { period: 100 * SECOND, ..good });
    assert!(matches!(c.unwrap().verified(9, at(NOW)), Err(LightError::Expired { .. })));
}

#[test]
fn a_fork_signed_by_the_validators_is_found_and_reported_to_both_sides() {
    let chain = chain(10);
    let other = fork(&chain, 40);
    for nodes in [
        vec![Honest(chain.clone()), Fork(chain.clone(), other.clone(), 41)],
        vec![Fork(chain.clone(), other.clone(), 41), Honest(chain.clone()), Honest(chain.clone())],
    ] {
        let (c, log) = client(nodes, Mode::Skipping, &options(&chain, 1));
        let mut c = c.unwrap();
        c.verified(30, at(NOW)).unwrap();
        let error = c.verified(100, at(NOW)).unwrap_err();
        assert!(matches!(error, LightError::Divergence { height: 100, .. }), "{error}");
        let reported = log.borrow();
        assert_eq!(reported.reported.iter().map(|(n, _)| *n).collect::<Vec<_>>(), [1, 0]);
        for (_, evidence) in &reported.reported {
            evidence.check_basic().unwrap();
            let Some(EvidenceSum::LightClientAttack(e)) = &evidence.sum else { panic!("another kind") };
            assert!(!e.byzantine_validators.is_empty());
        }
    }
    let (c, _) = client(vec![Honest(chain.clone()), Fork(chain.clone(), other, 41)], Mode::Skipping, &options(&chain, 80));
    assert!(matches!(c.err(), Some(LightError::Divergence { height: 80, .. })));
}

/// With a small sum a single validator would be two thirds of the power.
#[test]
fn the_sum_of_powers_that_comes_with_validators_is_not_believed() {
    let chain = chain(0);
    let mut block = chain.light_block(7).unwrap();
    let honest = TrustedBlock::from_message(block.clone(), CHAIN).unwrap();
    block.validator_set.as_mut().unwrap().total_voting_power = 1;
    let read = TrustedBlock::from_message(block, CHAIN).unwrap();
    assert_eq!(read.validators.total_voting_power(), 40);
    assert_eq!(read, honest);
}

#[test]
fn one_honest_witness_is_enough_whatever_the_others_do() {
    let chain = chain(5);
    let bad = |seed| -> Vec<Node> {
        vec![
            Silent,
            Noise(chain.clone(), Rc::new(RefCell::new(Dice(seed)))),
            Shifted(chain.clone()),
            Unsigned(chain.clone(), 20),
            Behind(chain.clone(), Rc::new(RefCell::new(10))),
        ]
    };
    for (i, node) in bad(1).into_iter().enumerate() {
        let (c, log) = client(vec![Honest(chain.clone()), node, Honest(chain.clone())], Mode::Skipping, &options(&chain, 5));
        let mut c = c.unwrap();
        for height in [30, 90, 91, 92] {
            c.verified(height, at(NOW)).unwrap_or_else(|e| panic!("{i}: {e}"));
        }
        assert!(log.borrow().reported.is_empty());
    }
}

#[test]
fn a_primary_that_fails_is_replaced_while_a_witness_remains() {
    let chain = chain(5);
    for (i, node) in [Silent, Shifted(chain.clone()), Behind(chain.clone(), Rc::new(RefCell::new(10)))].into_iter().enumerate() {
        let (c, _) = client(vec![node.clone(), Honest(chain.clone()), Honest(chain.clone())], Mode::Skipping, &options(&chain, 5));
        let mut c = c.unwrap_or_else(|e| panic!("{i}: {e}"));
        c.verified(100, at(NOW)).unwrap_or_else(|e| panic!("{i}: {e}"));
        assert_ne!(c.primary(), 0);
        if i < 2 {
            let (c, _) = client(vec![node, Honest(chain.clone())], Mode::Skipping, &options(&chain, 5));
            assert!(matches!(c.err(), Some(LightError::NotAvailable { .. })));
        }
    }
}

#[test]
fn without_a_witness_that_confirms_nothing_is_trusted() {
    let chain = chain(5);
    let behind = Behind(chain.clone(), Rc::new(RefCell::new(5)));
    for (node, may) in [(Silent, true), (behind, true)] {
        let (c, _) = client(vec![Honest(chain.clone()), node], Mode::Skipping, &options(&chain, 5));
        let error = c.unwrap().verified(100, at(NOW)).unwrap_err();
        assert!(matches!(&error, LightError::NotAvailable { may_come, .. } if *may_come == may), "{error}");
    }
    // A witness that is a block behind gets the time to catch up.
    let behind = Behind(chain.clone(), Rc::new(RefCell::new(98)));
    let (c, _) = client(vec![Honest(chain.clone()), behind], Mode::Skipping, &options(&chain, 5));
    c.unwrap().verified(100, at(NOW)).unwrap();
}

#[test]
fn noise_never_makes_another_header_trusted() {
    let chain = chain(4);
    for seed in 0..150 {
        let dice = Rc::new(RefCell::new(Dice(seed)));
        let noise = Noise(chain.clone(), dice);
        let (c, _) = client(vec![noise.clone(), noise.clone(), Honest(chain.clone()), noise], Mode::Skipping, &options(&chain, 5));
        let Ok(mut c) = c else { continue };
        for height in [20, 90, 3] {
            if let Ok(block) = c.verified(height, at(NOW)) {
                assert_eq!(block.header, *chain.get(height).unwrap().block.header());
            }
        }
    }
}
