//! The side that has the keys.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use oasis_primitives::{
    cbor::{self, NilVec},
    identity::SignerRole,
    signature::{PublicKey, Signer, SigningContext},
};
use tokio::net::TcpListener;

use super::{
    super::{SignerError, SignerSettings, open},
    CLIENT_NAME, PUBLIC_KEYS, RoleKey, SERVER_NAME, SERVICE, SIGN, SignRequest, role_of,
};
use crate::{
    api::query::read,
    files::make_private_directory,
    grpc::{self, ApiError, Clients, Reply, ServerKey, Service, certificate_key},
    identity::kept_tls_key,
    service::{listen, stop},
    tls::TlsKey,
};

/// Source: go/oasis-remote-signer/cmd/root.go, `serverInit`, `doClientInit`.
const SERVER_FILES: (&str, &str) = ("remote_signer_server_key.pem", "remote_signer_server_cert.pem");
const CLIENT_FILES: (&str, &str) = ("remote_signer_client_key.pem", "remote_signer_client_cert.pem");

/// What a signer is.
#[derive(Clone, Debug, Default)]
pub struct ServerSettings {
    /// Its directory, with its certificate and with keys in files.
    pub datadir: PathBuf,
    /// Where its own keys are.
    pub signer: SignerSettings,
    /// The certificate of the one that may ask.
    pub client_certificate: PathBuf,
    /// The port that it listens on.
    pub port: u16,
}

fn tls_key(datadir: &Path, (key, certificate): (&str, &str), name: &'static str) -> Result<TlsKey, SignerError> {
    make_private_directory(datadir).map_err(|e| SignerError::at(datadir, e))?;
    kept_tls_key(&datadir.join(key), &datadir.join(certificate), name).map_err(|e| SignerError::Other(e.to_string()))
}

/// Makes a signer's keys, all of them new, and its certificate; gives the certificate's path.
///
/// Source: go/oasis-remote-signer/cmd/root.go, `doServerInit`.
pub fn init(settings: &ServerSettings) -> Result<PathBuf, SignerError> {
    make_private_directory(&settings.datadir).map_err(|e| SignerError::at(&settings.datadir, e))?;
    let factory = open(&settings.signer, &settings.datadir, &SignerRole::ALL)?;
    for role in SignerRole::ALL {
        factory.generate(role)?;
    }
    tls_key(&settings.datadir, SERVER_FILES, SERVER_NAME)?;
    Ok(settings.datadir.join(SERVER_FILES.1))
}

/// Makes a client's key and certificate; gives the certificate's path.
///
/// Source: go/oasis-remote-signer/cmd/root.go, `doClientInit`.
pub fn init_client(datadir: &Path) -> Result<PathBuf, SignerError> {
    tls_key(datadir, CLIENT_FILES, CLIENT_NAME)?;
    Ok(datadir.join(CLIENT_FILES.1))
}

/// Signs for one client until told to stop.
///
/// Source: go/oasis-remote-signer/cmd/root.go, `runRoot`.
pub fn serve(settings: &ServerSettings, ready: impl FnOnce(u16)) -> Result<(), SignerError> {
    let other = |e: &dyn std::fmt::Display| SignerError::Other(e.to_string());
    let factory = open(&settings.signer, &settings.datadir, &SignerRole::ALL)?;
    let mut keys = BTreeMap::new();
    for role in SignerRole::ALL {
        let signer = factory.load(role).map_err(|e| match e {
            SignerError::Missing { .. } => other(&format_args!("{e}; run first: oasis-node signer remote init --datadir DIR")),
            e => e,
        })?;
        keys.insert(role, signer);
    }
    let path = &settings.client_certificate;
    let wrong = |e: &dyn std::fmt::Display| {
        other(&format_args!(
            "client.certificate: {}: {e}; expected the certificate that the client made (signer remote init_client)",
            path.display()
        ))
    };
    let text = fs::read_to_string(path).map_err(|e| wrong(&e))?;
    let client = certificate_key(&text).map_err(|e| wrong(&e))?;
    let key = tls_key(&settings.datadir, SERVER_FILES, SERVER_NAME)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| other(&e))?;
    runtime.block_on(async {
        let (stopper, stop) = stop();
        stopper.on_signals().map_err(|e| other(&e))?;
        let listener = listen("grpc.port", settings.port).await.map_err(|e| other(&e))?;
        ready(listener.local_addr().map(|address| address.port()).unwrap_or(settings.port));
        RemoteSigner::new(keys).serve(listener, key, client, stop.receiver()).await
    })
}

/// Answers with the signatures of some keys.
pub struct RemoteSigner {
    keys: BTreeMap<SignerRole, Arc<dyn Signer>>,
}

impl RemoteSigner {
    /// Signs with these keys.
    pub fn new(keys: BTreeMap<SignerRole, Arc<dyn Signer>>) -> Self {
        Self { keys }
    }

    /// Serves the one client that has a key, until `stop` turns true.
    pub async fn serve(
        self,
        listener: TcpListener,
        key: TlsKey,
        client: PublicKey,
        stop: tokio::sync::watch::Receiver<bool>,
    ) -> Result<(), SignerError> {
        let fail = |e: &dyn std::fmt::Display| SignerError::Other(e.to_string());
        let key = ServerKey::named(key, SERVER_NAME).map_err(|e| fail(&e))?;
        let served = grpc::serve_tls(listener, key, Clients::Only(vec![client], CLIENT_NAME), Arc::new(self), stop).await;
        served.map_err(|e| fail(&e))
    }

    /// Source: go/common/crypto/signature/signers/remote/grpc.go, `wrapper.PublicKeys`.
    pub(super) fn public_keys(&self) -> Vec<u8> {
        let all = self.keys.iter().map(|(role, key)| RoleKey { role: i64::from(role.number()), public_key: key.public_key() });
        let all: Vec<RoleKey> = all.collect();
        cbor::to_vec(&if all.is_empty() { NilVec::default() } else { NilVec::from(all) })
    }

    /// Source: go/common/crypto/signature/signers/remote/grpc.go, `wrapper.Sign`.
    fn sign(&self, request: &SignRequest) -> Result<Vec<u8>, ApiError> {
        let key = role_of(request.role).and_then(|role| self.keys.get(&role));
        let key = key.ok_or_else(|| ApiError::unknown("file does not exist"))?;
        let context = SigningContext::from_prepared(&request.context).map_err(|e| ApiError::unknown(e.to_string()))?;
        let signature = key.sign_prepared(&context, &request.message).map_err(|e| ApiError::unknown(e.to_string()))?;
        Ok(cbor::to_vec(&NilVec::<u8>::from(signature.0.to_vec())))
    }
}

impl Service for RemoteSigner {
    fn call(&self, service: &str, method: &str, request: Vec<u8>) -> Option<Reply> {
        self.is_stream(service, method)?;
        let answer = match method {
            PUBLIC_KEYS => Ok(self.public_keys()),
            _ => read::<SignRequest>(&request).and_then(|request| self.sign(&request)),
        };
        Some(Reply::Ready(answer))
    }

    fn is_stream(&self, service: &str, method: &str) -> Option<bool> {
        (service == SERVICE && [PUBLIC_KEYS, SIGN].contains(&method)).then_some(false)
    }

    fn knows(&self, service: &str) -> bool {
        service == SERVICE
    }
}
