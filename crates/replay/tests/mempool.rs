//! Checks and gas estimates of recorded transactions, on the state before their block.

use std::path::Path;

use oasis_consensus_app::{executor::MemoryVersions, upgrade::Upgrader};
use oasis_primitives::hash::Hash;
use oasis_replay::{AppMachine, Executed, Machine, Replay, VerifiedBlock};

/// A machine that checks each transaction as a mempool does before it executes the block.
struct Checking {
    inner: AppMachine<MemoryVersions>,
    checked: usize,
}

impl Checking {
    fn check(&mut self, block: &VerifiedBlock) {
        for (i, (tx, recorded)) in block.txs.iter().zip(&block.results.deliver_txs).enumerate() {
            let (transaction, signer) = tx.transaction().unwrap();
            // A node takes the beacon's transactions only from itself.
            if recorded.code != 0 || transaction.method.starts_with("beacon.") {
                continue;
            }
            let place = format!("height {}, transaction {i}", block.height());
            let checked = self.inner.executor_mut().check_tx(tx).unwrap();
            assert_eq!((checked.code, checked.message.as_str()), (0, ""), "{place}");
            assert!(checked.events.is_empty() && checked.data.is_empty(), "{place}: a check reports neither events nor output");

            let estimate = self.inner.executor().estimate_gas(*signer, transaction).unwrap();
            let used = recorded.gas_used.cast_unsigned();
            assert!(estimate >= used, "{place}: {} takes {used} gas, estimated {estimate}", transaction.method);
            self.checked += 1;
        }
    }
}

impl Machine for Checking {
    fn height(&self) -> i64 {
        self.inner.height()
    }

    fn init_chain(&mut self) -> Result<Hash, String> {
        self.inner.init_chain()
    }

    fn execute(&mut self, block: &VerifiedBlock) -> Result<Executed, String> {
        // Nothing can be checked before the first block.
        if self.inner.height() > 0 {
            self.check(block);
        }
        self.inner.execute(block)
    }

    fn root(&mut self) -> Result<Hash, String> {
        self.inner.root()
    }

    fn commit(&mut self, block: &VerifiedBlock) -> Result<(), String> {
        self.inner.commit(block)
    }

    fn finish(&mut self) -> Result<(), String> {
        self.inner.finish()
    }
}

fn checked(path: &Path) -> usize {
    let mut reader = oasis_replay::open(path).unwrap();
    let first_time = reader.first_time().unwrap();
    let network = oasis_replay::network(reader.header(), first_time, true).unwrap();
    let inner = AppMachine::new(MemoryVersions::new(1), &network, Upgrader::default()).unwrap();
    let mut machine = Checking { inner, checked: 0 };
    let replay = Replay { file: path.display().to_string(), network: &network, to: None, known: Vec::new(), progress: &mut |_| {} };
    replay.run(reader, &mut machine).unwrap();
    machine.checked
}

#[test]
fn transactions_that_succeeded_are_accepted_by_a_check_and_need_no_more_gas_than_estimated_chains_vectors() {
    for name in ["gas-fees-staking", "gas-fees-runtimes", "debond"] {
        let paths = oasis_test_vectors::files("chains/", &format!("{name}.cbor.gz")).unwrap();
        let path = paths.first().unwrap_or_else(|| panic!("no chain {name}"));
        assert!(checked(path) > 0, "{name} holds no transaction that succeeded");
    }
}
