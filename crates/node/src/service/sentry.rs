//! Sentries stand before a validator: its descriptor has their addresses, and only they know its own.
//!
//! Source: go/sentry, go/worker/sentry.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use oasis_consensus_types::node::{ConsensusAddress, TlsAddress};
use oasis_primitives::{
    cbor::{self, Cbor, NilVec},
    identity::TLS_COMMON_NAME,
    signature::PublicKey,
};
use tokio::{net::TcpListener, time::sleep};

use super::{
    full::Running,
    net,
    prepare::{Prepared, StartError},
    public,
    stop::Stop,
};
use crate::{
    api::{SERVICE_PREFIX, query::read},
    config::Sentry,
    grpc::{self, ApiError, Client, ClientError, Clients, Reply, Service},
    identity::Identity,
    workers::registration,
};

/// The service of a sentry.
const SERVICE: &str = "Sentry";
const GET_ADDRESSES: &str = "GetAddresses";
const SET_UPSTREAM_TLS_PUB_KEYS: &str = "SetUpstreamTLSPubKeys";
const GET_UPSTREAM_TLS_PUB_KEYS: &str = "GetUpstreamTLSPubKeys";

/// A sentry that is not there when the node starts is asked again so often, with this pause between.
///
/// Source: go/worker/registration/worker.go, `registrationLoop`.
const TRIES: usize = 60;
const PAUSE: Duration = Duration::from_secs(1);

/// Where sentries are reached. Source: go/sentry/api/api.go, `SentryAddresses`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
pub struct Addresses {
    /// By validators.
    pub consensus: NilVec<ConsensusAddress>,
    /// By clients of public services.
    pub tls: NilVec<TlsAddress>,
}

/// Takes the port, if the node is a sentry.
pub async fn bind(prepared: &Prepared) -> Result<Option<TcpListener>, StartError> {
    match &prepared.settings.sentry {
        Some(settings) => public::listen("worker.sentry.control.port", settings.port).await.map(Some),
        None => Ok(None),
    }
}

/// Starts to answer the nodes behind this one. Ends when the node stops.
pub fn start(running: &Running, listener: Option<TcpListener>, stop: &Stop) {
    let (Some(listener), Some(key), Some(settings)) = (listener, running.tls.clone(), &running.prepared.settings.sentry) else { return };
    tracing::info!(target: "worker/sentry", address = ?listener.local_addr().ok(), "serving the nodes behind this sentry");
    let service = Arc::new(SentryApi { prepared: Arc::clone(&running.prepared), upstream: Arc::default() });
    let (clients, stop) = (Clients::Only(settings.authorized.clone(), TLS_COMMON_NAME), stop.receiver());
    tokio::spawn(async move {
        if let Err(error) = grpc::serve_tls(listener, key, clients, service, stop).await {
            tracing::error!(target: "worker/sentry", %error, "the sentry has stopped");
        }
    });
}

/// Answers the nodes behind a sentry. Source: go/sentry/sentry.go, `backend`.
struct SentryApi {
    prepared: Arc<Prepared>,
    /// The TLS keys of the node behind this one.
    upstream: Arc<Mutex<Vec<PublicKey>>>,
}

impl Service for SentryApi {
    fn call(&self, service: &str, method: &str, request: Vec<u8>) -> Option<Reply> {
        self.is_stream(service, method)?;
        let mut upstream = self.upstream.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = match method {
            GET_ADDRESSES => addresses(&self.prepared).map(|found| cbor::to_vec(&found)).map_err(ApiError::unknown),
            GET_UPSTREAM_TLS_PUB_KEYS => Ok(cbor::to_vec(&*upstream)),
            _ => read::<NilVec<PublicKey>>(&request).map(|keys| {
                *upstream = keys.to_vec();
                Vec::new()
            }),
        };
        Some(Reply::Ready(answer))
    }

    fn is_stream(&self, service: &str, method: &str) -> Option<bool> {
        let known = [GET_ADDRESSES, SET_UPSTREAM_TLS_PUB_KEYS, GET_UPSTREAM_TLS_PUB_KEYS].contains(&method);
        (service.strip_prefix(SERVICE_PREFIX) == Some(SERVICE) && known).then_some(false)
    }
}

/// Where this sentry is reached. It stands before no public services.
fn addresses(prepared: &Prepared) -> Result<Addresses, String> {
    let external =
        net::external_address(prepared).ok_or("this node's address is not known; set consensus.tendermint.core.external_address")?;
    let address = registration::consensus_address(&prepared.identity, &external, true)?;
    Ok(Addresses { consensus: vec![address].into(), tls: NilVec::default() })
}

fn method(name: &str) -> String {
    format!("{SERVICE_PREFIX}{SERVICE}/{name}")
}

/// Asks a sentry where it is reached, and tells it this node's keys.
async fn query(sentry: Sentry, identity: &Identity) -> Result<Addresses, ClientError> {
    let client = connect(sentry, identity).await?;
    let found = client.call(&method(GET_ADDRESSES), &Option::<u64>::None).await?;
    if let Err(error) = tell_keys(&client, identity).await {
        tracing::warn!(target: "worker/registration", sentry = %sentry.address, %error, "the sentry was not told this node's TLS keys");
    }
    Ok(found)
}

async fn connect(sentry: Sentry, identity: &Identity) -> Result<Client, ClientError> {
    Client::connect_tls(sentry.address, sentry.key, Some(identity.sentry_client.clone())).await
}

async fn tell_keys(client: &Client, identity: &Identity) -> Result<(), ClientError> {
    client.call_bytes(&method(SET_UPSTREAM_TLS_PUB_KEYS), cbor::to_vec(&identity.tls_keys())).await.map(drop)
}

/// Tells the sentries this node's keys when it starts. Source: go/worker/registration/worker.go, `registrationLoop`.
pub async fn introduce(sentries: &[Sentry], identity: &Identity) {
    for sentry in sentries {
        for attempt in 1..=TRIES {
            let told = async { tell_keys(&connect(*sentry, identity).await?, identity).await };
            match told.await {
                Ok(()) => break,
                Err(error) if attempt == TRIES => {
                    tracing::error!(target: "worker/registration", sentry = %sentry.address, %error, "the sentry was not told this node's TLS keys");
                }
                Err(_) => sleep(PAUSE).await,
            }
        }
    }
}

/// What the sentries that answer say, all together. Source: go/worker/registration/worker.go, `querySentries`.
pub async fn query_all(sentries: &[Sentry], identity: &Identity) -> (Vec<ConsensusAddress>, Vec<TlsAddress>) {
    let (mut consensus, mut tls) = (Vec::new(), Vec::new());
    for sentry in sentries {
        match query(*sentry, identity).await {
            Ok(found) => {
                consensus.extend(found.consensus.iter().cloned());
                tls.extend(found.tls.iter().cloned());
            }
            Err(error) => tracing::warn!(target: "worker/registration", sentry = %sentry.address, %error, "the sentry does not answer"),
        }
    }
    (consensus, tls)
}

#[cfg(test)]
mod tests {
    use tokio::sync::watch;

    use super::*;
    use crate::grpc::ServerKey;

    /// What a sentry of the original says.
    struct Fixed(Addresses);

    impl Service for Fixed {
        fn call(&self, service: &str, method: &str, request: Vec<u8>) -> Option<Reply> {
            assert_eq!(service, "oasis-core.Sentry");
            let answer = match method {
                "GetAddresses" => {
                    assert_eq!(request, [0xf6]);
                    cbor::to_vec(&self.0)
                }
                _ => {
                    assert!(!cbor::from_slice::<Vec<PublicKey>>(&request).unwrap().is_empty());
                    Vec::new()
                }
            };
            Some(Reply::Ready(Ok(answer)))
        }

        fn is_stream(&self, _: &str, _: &str) -> Option<bool> {
            Some(false)
        }
    }

    #[tokio::test]
    async fn addresses_of_all_sentries_that_answer_are_taken() {
        let dir = tempfile::tempdir().unwrap();
        let identity = Identity::load_or_generate(dir.path()).unwrap();
        let (_stop, stopped) = watch::channel(false);
        let mut sentries = Vec::new();
        for (number, authorized) in
            [identity.sentry_client.public_key(), PublicKey([7; 32]), identity.sentry_client.public_key()].into_iter().enumerate()
        {
            let key = crate::tls::TlsKey::from_seed(&[1 + number as u8; 32]);
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            sentries.push(Sentry { key: key.public_key(), address: listener.local_addr().unwrap() });
            let address = registration::consensus_address(&identity, &("192.0.2.1".into(), 26656 + number as u16), true).unwrap();
            let service = Arc::new(Fixed(Addresses { consensus: vec![address].into(), ..Addresses::default() }));
            tokio::spawn(grpc::serve_tls(
                listener,
                ServerKey::new(key).unwrap(),
                Clients::Only(vec![authorized], TLS_COMMON_NAME),
                service,
                stopped.clone(),
            ));
        }
        // This one is of somebody else.
        sentries[2].key = PublicKey([9; 32]);
        let (consensus, tls) = query_all(&sentries, &identity).await;
        assert_eq!(consensus.iter().map(|a| a.address.to_string()).collect::<Vec<_>>(), ["192.0.2.1:26656"]);
        assert!(tls.is_empty());
    }
}
