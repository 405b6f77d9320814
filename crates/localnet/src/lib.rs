//! Networks of node processes on loopback: made, started, watched, given load, stopped.
//!
//! A network lives in one directory and survives a stop:
//!
//! ```text
//! DIR/localnet.json    its form; whoever has this file has a whole network
//! DIR/genesis.json
//! DIR/node0.yml        a node's configuration
//! DIR/node0/           its data directory, with internal.sock and node.log
//! DIR/entity0/         its owner's key and descriptor
//! DIR/wallet/          a funded account
//! ```

mod explorer;
mod files;
pub mod member;
mod page;
mod processes;
mod transfers;
pub mod usage;
mod watch;

use std::path::{Path, PathBuf};

pub use explorer::Explorer;
pub use files::{Form, Layout};
pub use page::{State, serve};
pub use processes::{BOUND, Network};
pub use transfers::{Counts, Transfers};
pub use watch::{NodeSample, Sample, Watch};

/// What went wrong with a network, and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct LocalnetError(String);

impl LocalnetError {
    fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    fn at(path: &Path, error: impl std::fmt::Display) -> Self {
        Self(format!("{}: {error}", path.display()))
    }
}

/// The address of a node's socket, as `--address` takes it.
pub fn address(layout: &Layout, number: usize) -> String {
    format!("unix:{}", socket(layout, number).display())
}

fn socket(layout: &Layout, number: usize) -> PathBuf {
    layout.node(number).join(oasis_node_service::grpc::SOCKET_FILE)
}
