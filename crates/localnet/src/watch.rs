//! What a network does, seen through its sockets.

use std::time::Duration;

use oasis_node_service::{
    api::status::Status,
    grpc::{Client, ClientError},
};
use oasis_primitives::{
    cbor::{self, Decode, Encode},
    json::Json,
};

use crate::{Layout, Network, socket, usage::resident_memory};

/// The most blocks whose transactions are counted at one look.
const BLOCKS_AT_ONCE: i64 = 1000;

/// A node at one moment.
#[derive(Clone, Debug, Default, PartialEq, Json)]
pub struct NodeSample {
    /// Whether its process runs.
    pub runs: bool,
    /// Whether it answers.
    pub answers: bool,
    /// Height of its last block.
    pub height: i64,
    /// Whether it votes.
    pub validator: bool,
    /// How many peers it has.
    pub peers: u64,
    /// Resident memory, bytes.
    pub memory: u64,
}

/// A network at one moment.
#[derive(Clone, Debug, Default, PartialEq, Json)]
pub struct Sample {
    /// The highest block of any node.
    pub height: i64,
    /// Its epoch.
    pub epoch: u64,
    /// Nodes that vote.
    pub validators: u64,
    /// Transactions in blocks since the watch began.
    pub transactions: u64,
    /// Resident memory of all nodes, bytes.
    pub memory: u64,
    /// The nodes.
    pub nodes: Vec<NodeSample>,
}

impl Sample {
    /// A node that has the highest block.
    pub fn best(&self) -> usize {
        self.nodes.iter().position(|node| node.height == self.height).unwrap_or_default()
    }
}

/// Looks at a network again and again.
pub struct Watch {
    layout: Layout,
    clients: Vec<Option<Client>>,
    /// The last block whose transactions are counted.
    counted: Option<i64>,
    transactions: u64,
}

impl Watch {
    /// A watch over a network.
    pub fn new(layout: &Layout) -> Self {
        Self { layout: layout.clone(), clients: (0..layout.size()).map(|_| None).collect(), counted: None, transactions: 0 }
    }

    /// A call of a node; the connection is made anew after a failure.
    pub async fn call<Q: Encode + ?Sized, A: Decode>(&mut self, number: usize, method: &str, request: &Q) -> Result<A, ClientError> {
        let client = match &self.clients[number] {
            Some(client) => client.clone(),
            None => {
                let client = Client::connect_unix(&socket(&self.layout, number)).await?;
                self.clients[number].insert(client).clone()
            }
        };
        let answer = client.call(&format!("oasis-core.{method}"), request).await;
        if answer.is_err() {
            self.clients[number] = None;
        }
        answer
    }

    /// The network now.
    pub async fn sample(&mut self, network: &Network) -> Sample {
        let mut sample = Sample::default();
        for number in 0..self.layout.size() {
            let memory = network.pid(number).and_then(resident_memory).unwrap_or_default();
            let runs = network.pid(number).is_some();
            let mut node = NodeSample { runs, memory, ..NodeSample::default() };
            let status = tokio::time::timeout(Duration::from_secs(2), self.call(number, "NodeController/GetStatus", &cbor::Value::Null));
            if let Ok(Ok(status)) = status.await {
                let status: Status = status;
                let consensus = status.consensus;
                node = NodeSample {
                    runs,
                    answers: true,
                    height: consensus.latest_height,
                    validator: consensus.is_validator,
                    peers: consensus.node_peers.len() as u64,
                    memory,
                };
                if node.height > sample.height {
                    (sample.height, sample.epoch) = (node.height, consensus.latest_epoch);
                }
            }
            sample.validators += u64::from(node.validator);
            sample.memory += memory;
            sample.nodes.push(node);
        }
        self.count(sample.best(), sample.height).await;
        sample.transactions = self.transactions;
        sample
    }

    async fn count(&mut self, number: usize, height: i64) {
        let Some(counted) = self.counted else {
            self.counted = (height > 0).then_some(height);
            return;
        };
        for height in counted + 1..=height.min(counted + BLOCKS_AT_ONCE) {
            let Ok(transactions) = self.call::<_, Vec<cbor::RawCbor>>(number, "Consensus/GetTransactions", &height).await else { return };
            self.transactions += transactions.len() as u64;
            self.counted = Some(height);
        }
    }
}
