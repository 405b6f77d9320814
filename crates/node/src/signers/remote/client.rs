//! The side that needs signatures.

use std::{
    collections::BTreeMap,
    fs,
    net::{SocketAddr, ToSocketAddrs},
    path::Path,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
};

use oasis_primitives::{
    cbor::{NilVec, Value},
    identity::SignerRole,
    signature::{PublicKey, RawSignature, SignError, Signer, SigningContext},
};

use super::{
    super::{Factory, RemoteSettings, SignerError},
    CLIENT_NAME, PUBLIC_KEYS, RoleKey, SERVER_NAME, SERVICE, SIGN, SignRequest, role_of,
};
use crate::{
    files::read_secret,
    grpc::{Client, ClientError, ServerKey, certificate_key},
    tls::TlsKey,
};

/// Connections to the signer end in this much memory of calls under way; further ones wait.
const CALLS: usize = 64;

type Answer = Result<Vec<u8>, ClientError>;
type Call = (SignRequest, mpsc::SyncSender<Answer>);

/// A thread that speaks with the signer. Who signs waits for it, on whatever thread that is.
struct Connection {
    address: String,
    calls: Mutex<mpsc::SyncSender<Call>>,
}

impl Connection {
    fn sign(&self, request: SignRequest) -> Result<Vec<u8>, String> {
        let gone = || format!("remote signer {}: the connection's thread has ended", self.address);
        let (answer, answered) = mpsc::sync_channel(1);
        let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone();
        calls.send((request, answer)).map_err(|_| gone())?;
        let answer = answered.recv().map_err(|_| gone())?;
        answer.map_err(|e| format!("remote signer {}: {e}", self.address))
    }
}

/// The keys that a remote signer has.
pub struct RemoteFactory {
    address: String,
    keys: BTreeMap<SignerRole, PublicKey>,
    connection: Arc<Connection>,
}

fn read_key(settings: &RemoteSettings) -> Result<ServerKey, SignerError> {
    let fail = |key: &str, path: &Path, reason: &dyn std::fmt::Display| SignerError::Other(format!("{key}: {}: {reason}", path.display()));
    let wrong = |reason: &dyn std::fmt::Display| fail("signer.remote.client.key", &settings.client_key, reason);
    let text = read_secret(&settings.client_key).map_err(|e| wrong(&e))?;
    let key = TlsKey::from_pem(&text).map_err(|e| wrong(&e))?;
    let wrong = |reason: &dyn std::fmt::Display| fail("signer.remote.client.certificate", &settings.client_certificate, reason);
    let text = fs::read_to_string(&settings.client_certificate).map_err(|e| wrong(&e))?;
    let certified = certificate_key(&text).map_err(|e| wrong(&e))?;
    if certified != key.public_key() {
        return Err(wrong(&format_args!("expected the certificate of the key in {}, found another's", settings.client_key.display())));
    }
    ServerKey::named(key, CLIENT_NAME).map_err(|e| wrong(&e))
}

fn resolve(address: &str) -> Result<SocketAddr, SignerError> {
    let wrong = |reason: String| SignerError::Other(format!("signer.remote.address: {reason}; for example: signer.example.com:9001"));
    if address.is_empty() {
        return Err(wrong("expected the host and port of the remote signer, found none".to_owned()));
    }
    let mut found = address.to_socket_addrs().map_err(|e| wrong(format!("{address}: {e}")))?;
    found.next().ok_or_else(|| wrong(format!("{address}: no such host")))
}

impl RemoteFactory {
    /// Connects to the signer and asks which keys it has.
    ///
    /// Source: go/common/crypto/signature/signers/remote/grpc.go, `NewFactory`, `NewRemoteFactory`.
    pub fn connect(settings: &RemoteSettings) -> Result<Self, SignerError> {
        let address = resolve(&settings.address)?;
        let own = read_key(settings)?;
        let path = &settings.server_certificate;
        let wrong =
            |reason: &dyn std::fmt::Display| SignerError::Other(format!("signer.remote.server.certificate: {}: {reason}", path.display()));
        let text = fs::read_to_string(path).map_err(|e| wrong(&e))?;
        let server = certificate_key(&text).map_err(|e| wrong(&e))?;
        Self::with_keys(settings.address.clone(), address, server, own)
    }

    pub(super) fn with_keys(name: String, address: SocketAddr, server: PublicKey, own: ServerKey) -> Result<Self, SignerError> {
        let failed = |reason: &dyn std::fmt::Display| SignerError::Other(format!("remote signer {name}: {reason}"));
        let (calls, called) = mpsc::sync_channel::<Call>(CALLS);
        let (first, opened) = mpsc::sync_channel(1);
        let run = move || {
            let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(e) => return drop(first.send(Err(e.to_string()))),
            };
            let connect = async {
                let client = Client::connect_tls_named(address, server, SERVER_NAME, Some(own)).await?;
                let keys: NilVec<RoleKey> = client.call(&format!("{SERVICE}/{PUBLIC_KEYS}"), &Value::Null).await?;
                Ok::<_, ClientError>((client, keys))
            };
            let client = match runtime.block_on(connect) {
                Ok((client, keys)) => {
                    let _ = first.send(Ok(keys));
                    client
                }
                Err(e) => return drop(first.send(Err(e.to_string()))),
            };
            // Ends when nobody has a key any more.
            while let Ok((request, answer)) = called.recv() {
                let _ = answer.send(runtime.block_on(sign(&client, &request)));
            }
        };
        thread::Builder::new().name("remote-signer".to_owned()).spawn(run).map_err(|e| failed(&e))?;
        let keys = opened.recv().map_err(|e| failed(&e))?.map_err(|e| failed(&e))?;
        let keys = keys.iter().filter_map(|key| Some((role_of(key.role)?, key.public_key))).collect();
        let connection = Arc::new(Connection { address: name.clone(), calls: Mutex::new(calls) });
        Ok(Self { address: name, keys, connection })
    }
}

/// One that has hung up since the last call is connected to again, once.
async fn sign(client: &Client, request: &SignRequest) -> Answer {
    let method = format!("{SERVICE}/{SIGN}");
    let answer: Result<NilVec<u8>, _> = client.call(&method, request).await;
    let answer = match answer {
        Err(ClientError::Answer { .. }) => client.call(&method, request).await,
        Err(ClientError::Refused(e)) if e.grpc == crate::grpc::GrpcCode::Unavailable => client.call(&method, request).await,
        answer => answer,
    };
    answer.map(|signature| signature.to_vec())
}

impl Factory for RemoteFactory {
    fn load(&self, role: SignerRole) -> Result<Arc<dyn Signer>, SignerError> {
        let Some(key) = self.keys.get(&role) else {
            let roles: Vec<&str> = self.keys.keys().map(|role| role.as_str()).collect();
            let has = if roles.is_empty() { "none".to_owned() } else { roles.join(", ") };
            return Err(SignerError::Other(format!("remote signer {}: it has no {role} key; it has: {has}", self.address)));
        };
        Ok(Arc::new(RemoteKey { role, key: *key, connection: Arc::clone(&self.connection) }))
    }

    fn generate(&self, role: SignerRole) -> Result<Arc<dyn Signer>, SignerError> {
        Err(SignerError::Other(format!(
            "remote signer {}: it makes no {role} key for others; run there: oasis-node signer remote init",
            self.address
        )))
    }
}

/// A key of a remote signer.
struct RemoteKey {
    role: SignerRole,
    key: PublicKey,
    connection: Arc<Connection>,
}

impl Signer for RemoteKey {
    fn public_key(&self) -> PublicKey {
        self.key
    }

    /// Source: go/common/crypto/signature/signers/remote/grpc.go, `remoteSigner.ContextSign`.
    fn sign_prepared(&self, context: &SigningContext, message: &[u8]) -> Result<RawSignature, SignError> {
        let role = i64::from(self.role.number());
        let request = SignRequest { role, context: context.as_str().to_owned(), message: message.to_vec().into() };
        let signature = self.connection.sign(request).map_err(SignError::Signer)?;
        let signature = <[u8; 64]>::try_from(signature.as_slice());
        signature.map(RawSignature).map_err(|_| SignError::Signer("remote signer: expected a signature of 64 bytes".to_owned()))
    }
}
