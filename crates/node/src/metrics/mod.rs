//! Metrics for Prometheus, with the original's names.
//!
//! What happens is counted in plain numbers, and only while metrics are on. A page is made of them when somebody asks for it, with what
//! the system says of the process at that moment; between two pages nothing is done.
//!
//! Source: go/oasis-node/cmd/common/metrics; the `metrics.go` files of Tendermint's packages.

mod calls;
mod chain;
mod histogram;
mod page;
mod process;
mod push;
mod serve;
mod timed;

use std::{path::PathBuf, sync::Arc};

pub use calls::{Calls, Counted};
pub use chain::Chain;
pub use histogram::Histogram;
pub use page::{Family, Page, Sample};
pub use process::size_of;
pub use push::PushError;
pub use serve::{Server, start};
pub use timed::Timed;

/// Everything that a node counts.
#[derive(Debug)]
pub struct Metrics {
    /// Blocks, peers and transactions.
    pub chain: Chain,
    /// Calls that were answered.
    pub served: Calls,
    /// Calls that were made.
    pub made: Calls,
    /// The data directory, whose size is told.
    datadir: PathBuf,
}

impl Metrics {
    /// Counters of a node. `chain_id` is Tendermint's name of the network, `address` the validator's.
    pub fn new(datadir: PathBuf, chain_id: &str, address: Vec<u8>) -> Arc<Self> {
        Arc::new(Self { chain: Chain::new(chain_id, address), served: Calls::default(), made: Calls::default(), datadir })
    }
}

/// What a page is made of besides what was counted.
pub trait More: Send + Sync + 'static {
    /// Adds to the page. May read disks.
    fn add(&self, page: &mut Page);
}

/// For a node that has nothing more to tell.
pub struct Nothing;

impl More for Nothing {
    fn add(&self, _: &mut Page) {}
}

/// The page, in Prometheus' text format. May read disks.
pub fn text(metrics: &Metrics, more: &dyn More) -> String {
    let mut page = Page::default();
    process::add(&mut page, &metrics.datadir);
    metrics.served.add(&mut page, "server");
    metrics.made.add(&mut page, "client");
    metrics.chain.add(&mut page);
    more.add(&mut page);
    page.text()
}
