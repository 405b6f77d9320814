//! Load: transfers at a steady rate.

use std::time::Duration;

use oasis_consensus_types::{
    staking::Transfer,
    transaction::{Fee, SignedTransaction, Transaction},
};
use oasis_node_service::grpc::Client;
use oasis_primitives::{
    address::Address,
    cbor::{self, Cbor},
    quantity::Quantity,
    signature::{ChainContext, MemorySigner, Signer as _},
};
use tokio::{sync::watch, time::Instant};

use crate::{Layout, LocalnetError, socket};

/// How often transfers that are due go out.
const TICK: Duration = Duration::from_millis(50);
/// What waits no longer than this is not too much: a node that can't follow is not overrun.
const LATEST: Duration = Duration::from_secs(1);

#[derive(Clone, Debug, Default, Cbor)]
struct SignerNonceRequest {
    account_address: Address,
    height: i64,
}

/// What came of the transfers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Those that a node took.
    pub submitted: u64,
    /// Those that it refused.
    pub refused: u64,
}

/// Transfers from the wallet to the first validator's owner, one base unit each.
pub struct Transfers {
    client: Client,
    signer: MemorySigner,
    to: Address,
    chain: ChainContext,
    nonce: u64,
}

impl Transfers {
    /// Ready to send to the first node.
    pub async fn new(layout: &Layout) -> Result<Self, LocalnetError> {
        let fail = |e: &dyn std::fmt::Display| LocalnetError::new(format!("transfers: {e}"));
        let client = Client::connect_unix(&socket(layout, 0)).await.map_err(|e| fail(&e))?;
        let context: String = client.call("oasis-core.Consensus/GetChainContext", &cbor::Value::Null).await.map_err(|e| fail(&e))?;
        let chain = ChainContext::new(context).map_err(|e| fail(&e))?;
        let signer = layout.signer(&layout.wallet())?;
        let to = Address::of_public_key(&layout.signer(&layout.entity(0))?.public_key());
        let mut transfers = Self { client, signer, to, chain, nonce: 0 };
        transfers.nonce = transfers.next_nonce().await.map_err(|e| fail(&e))?;
        Ok(transfers)
    }

    async fn next_nonce(&self) -> Result<u64, oasis_node_service::grpc::ClientError> {
        let request = SignerNonceRequest { account_address: Address::of_public_key(&self.signer.public_key()), height: 0 };
        self.client.call("oasis-core.Consensus/GetSignerNonce", &request).await
    }

    /// Sends `rate` transfers a second until told to stop; `seen` has the counts so far.
    pub async fn run(mut self, rate: u64, seen: watch::Sender<Counts>, mut stop: watch::Receiver<bool>) {
        let mut counts = Counts::default();
        let mut begun = Instant::now();
        let mut sent: u64 = 0;
        let mut tick = tokio::time::interval(TICK);
        loop {
            tokio::select! {
                _ = stop.changed() => return,
                _ = tick.tick() => {}
            }
            let due = (begun.elapsed().as_secs_f64() * rate as f64) as u64;
            if Duration::from_secs_f64(due.saturating_sub(sent) as f64 / rate.max(1) as f64) > LATEST {
                // It could not follow: no debt is kept.
                (begun, sent) = (Instant::now(), 0);
                continue;
            }
            while sent < due && !*stop.borrow() {
                sent += 1;
                if self.send().await {
                    counts.submitted += 1;
                } else {
                    counts.refused += 1;
                    if let Ok(nonce) = self.next_nonce().await {
                        self.nonce = nonce;
                    }
                    break;
                }
            }
            let _ = seen.send(counts);
        }
    }

    async fn send(&mut self) -> bool {
        let body = Transfer { to: self.to, amount: Quantity::from(1u64) };
        let transaction = Transaction::new(self.nonce, Some(Fee { amount: Quantity::default(), gas: 10_000 }), "staking.Transfer", &body);
        let Ok(signed) = SignedTransaction::sign(&self.signer, &self.chain, &transaction) else { return false };
        let taken = self.client.call_bytes("oasis-core.ConsensusLight/SubmitTxNoWait", cbor::to_vec(&signed)).await.is_ok();
        self.nonce += u64::from(taken);
        taken
    }
}
