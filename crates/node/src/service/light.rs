//! Light blocks from other nodes, for a start from a snapshot.
//!
//! Source: go/consensus/tendermint/light/client.go, go/consensus/tendermint/full/statesync.go.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use oasis_consensus_engine::{
    light::{LightBlockSource, LightClient, LightError, LightRules, Mode, SourceError, TrustOptions, TrustedState},
    proto::{self, ConsensusParams, Evidence},
};
use oasis_consensus_types::consensus::ERR_VERSION_NOT_FOUND;
use oasis_primitives::{
    cbor::{Decode, Encode},
    signature::PublicKey,
};
use prost::Message;
use tokio::runtime::Handle;

use super::{engine, prepare::Prepared};
use crate::{
    api::light::{EvidenceMessage, LightBlock, ParametersMessage},
    config::TlsAddress,
    grpc::{Client, ClientError},
    metrics::Metrics,
};

/// The configured nodes. Each is connected to when it is asked first.
struct Nodes {
    runtime: Handle,
    nodes: Vec<(TlsAddress, Option<Client>)>,
    metrics: Option<Arc<Metrics>>,
}

impl Nodes {
    fn call<Q: Encode + ?Sized, A: Decode>(&mut self, node: usize, method: &str, request: &Q) -> Result<A, SourceError> {
        let silent = |reason: String| SourceError::NoResponse(reason);
        let method = format!("oasis-core.ConsensusLight/{method}");
        let metrics = self.metrics.clone();
        let (address, client) = self.nodes.get_mut(node).ok_or_else(|| silent("no such node".to_owned()))?;
        let calling = async {
            let client = match client {
                Some(client) => client,
                None => {
                    let key: PublicKey = address.key.ok_or_else(|| silent("no key is configured for it".to_owned()))?;
                    client.insert(Client::connect_tls(address.address, key, None).await.map_err(|e| silent(e.to_string()))?)
                }
            };
            let start = Instant::now();
            let answer = client.call(&method, request).await;
            if let Some(metrics) = metrics {
                metrics.made.answered(&format!("/{method}"), start.elapsed());
            }
            answer.map_err(|e| match e {
                ClientError::Refused(e) if e.module == ERR_VERSION_NOT_FOUND.module && e.code == ERR_VERSION_NOT_FOUND.code => {
                    SourceError::NotFound
                }
                ClientError::Answer { .. } => SourceError::Bad(e.to_string()),
                e => silent(e.to_string()),
            })
        };
        self.runtime.block_on(calling)
    }
}

impl LightBlockSource for Nodes {
    fn count(&self) -> usize {
        self.nodes.len()
    }

    fn name(&self, node: usize) -> String {
        self.nodes.get(node).map(|(address, _)| address.address.to_string()).unwrap_or_default()
    }

    fn light_block(&mut self, node: usize, height: i64) -> Result<proto::LightBlock, SourceError> {
        let block: LightBlock = self.call(node, "GetLightBlock", &height)?;
        proto::LightBlock::decode(block.meta.as_slice()).map_err(|e| SourceError::Bad(e.to_string()))
    }

    fn params(&mut self, node: usize, height: i64) -> Result<(i64, ConsensusParams), SourceError> {
        let params: ParametersMessage = self.call(node, "GetParameters", &height)?;
        let decoded = ConsensusParams::decode(params.meta.as_slice()).map_err(|e| SourceError::Bad(e.to_string()))?;
        Ok((params.height, decoded))
    }

    fn report(&mut self, node: usize, evidence: Evidence) {
        let answer: Result<oasis_primitives::cbor::Value, _> =
            self.call(node, "SubmitEvidence", &EvidenceMessage { meta: evidence.encode_to_vec() });
        if let Err(error) = answer {
            tracing::warn!(target: "tendermint/light", node = self.name(node), %error, "evidence was not taken");
        }
    }

    fn wait(&mut self, nanos: i64) {
        thread::sleep(Duration::from_nanos(u64::try_from(nanos).unwrap_or_default()));
    }
}

/// The state after a height, as the light client finds it.
pub async fn trusted_state(prepared: &Prepared, height: i64) -> Result<Box<TrustedState>, LightError> {
    let failed = |reason: String| LightError::NotAvailable { height, reason, may_come: false };
    let settings = prepared.settings.state_sync.clone().ok_or_else(|| failed("no nodes are configured".to_owned()))?;
    let genesis = &prepared.network.engine;
    let (chain_id, initial_height) = (genesis.chain_id.clone(), genesis.initial_height);
    let (runtime, metrics) = (Handle::current(), prepared.metrics.clone());
    let ask = move || {
        let period = i64::try_from(settings.trust_period.as_nanos()).unwrap_or(i64::MAX);
        let options = TrustOptions { period, height: settings.trust_height, hash: settings.trust_hash.to_vec() };
        let nodes = settings.nodes.into_iter().map(|node| (node, None)).collect();
        let source = Nodes { runtime, nodes, metrics };
        let mut client = LightClient::new(&chain_id, &options, LightRules::new(period), Mode::default(), source)?;
        client.state_after(height, initial_height, engine::now()).map(Box::new)
    };
    tokio::task::spawn_blocking(ask).await.unwrap_or_else(|e| Err(failed(e.to_string())))
}
