//! Keys of a plugin: a program that this one starts and asks, a hardware wallet's for example.
//!
//! The protocol is go-plugin's, version 1, with Go's `net/rpc` in yamux streams over a Unix socket. The original also wraps it in TLS, with keys
//! made for the one connection; here the socket is in a new directory that only this user may enter, which keeps the same others out.
//!
//! Source: go/common/crypto/signature/signers/plugin; github.com/hashicorp/go-plugin.

pub mod gob;
mod process;
mod yamux;

use std::{
    collections::BTreeMap,
    io::Read as _,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use oasis_primitives::{
    identity::SignerRole,
    signature::{PublicKey, RawSignature, SignError, Signer, SigningContext},
};

use self::{
    gob::{Answer, Call},
    process::Process,
    yamux::{Session, Stream},
};
use super::{Factory, PluginSettings, SignerError};

/// The name of the one thing that such a program offers. Source: go/common/crypto/signature/signers/plugin/plugin.go, `pluginName`.
const OFFER: &str = "oasis_core_signer";

/// Calls and answers, one after the other, in one stream.
struct Rpc {
    stream: Stream,
    writer: gob::Writer,
    calls: u64,
}

impl Rpc {
    fn new(stream: Stream) -> Self {
        Self { stream, writer: gob::Writer::default(), calls: 0 }
    }

    fn call(&mut self, call: &Call<'_>) -> Result<Answer, String> {
        let bytes = self.writer.call(call);
        self.stream.send(&bytes).map_err(|e| format!("it has gone: {e}"))?;
        let answer = gob::read_answer(&mut self.stream).map_err(|e| format!("no answer: {e}"))?;
        let number = self.calls;
        self.calls = number.wrapping_add(1);
        if answer.call != number {
            return Err(format!("expected the answer of call {number}, found that of {}", answer.call));
        }
        if answer.error.is_empty() { Ok(answer) } else { Err(answer.error) }
    }
}

/// A plugin that runs. It is told to end when nobody has a key of it any more.
struct Plugin {
    name: String,
    rpc: Mutex<Rpc>,
    control: Mutex<Rpc>,
    session: Session,
    process: Process,
}

impl Plugin {
    fn start(settings: &PluginSettings) -> Result<Self, String> {
        let (process, socket) = Process::start(&settings.name, &settings.path)?;
        let broken = |e: std::io::Error| format!("the connection failed: {e}");
        let session = Session::new(socket).map_err(broken)?;
        let mut control = Rpc::new(session.open().map_err(broken)?);
        // What it prints to its output and its errors; the original drops that too.
        session.open_ignored().and_then(|()| session.open_ignored()).map_err(broken)?;
        let id = control.call(&Call::Dispense(OFFER))?.number().map_err(broken)?;
        let id = u32::try_from(id).map_err(|_| format!("expected the number of a stream, found {id}"))?;
        // Source: go-plugin, mux_broker.go, `MuxBroker.Dial`.
        let mut stream = session.open().map_err(broken)?;
        stream.send(&id.to_le_bytes()).map_err(broken)?;
        let mut agreed = [0; 4];
        stream.read_exact(&mut agreed).map_err(broken)?;
        if u32::from_le_bytes(agreed) != id {
            return Err("it agreed to another stream than it was asked for".to_owned());
        }
        Ok(Self { name: settings.name.clone(), rpc: Mutex::new(Rpc::new(stream)), control: Mutex::new(control), session, process })
    }

    fn rpc(&self) -> MutexGuard<'_, Rpc> {
        self.rpc.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fail(&self, doing: &str, reason: impl std::fmt::Display) -> String {
        format!("signer plugin {}: {doing}: {reason}", self.name)
    }
}

impl Drop for Plugin {
    fn drop(&mut self) {
        let asked = self.control.get_mut().unwrap_or_else(PoisonError::into_inner).call(&Call::Quit);
        self.session.close();
        self.process.end(asked.is_ok());
    }
}

/// The keys of a plugin. Source: go/common/crypto/signature/signers/plugin/plugin.go, `wrapperFactory`.
pub(super) struct PluginFactory {
    plugin: Arc<Plugin>,
    roles: Vec<SignerRole>,
    loaded: Mutex<BTreeMap<SignerRole, PublicKey>>,
}

impl PluginFactory {
    /// Starts the plugin. Source: go/common/crypto/signature/signers/plugin/plugin.go, `NewFactory`.
    pub(super) fn start(settings: &PluginSettings, roles: &[SignerRole]) -> Result<Self, SignerError> {
        if settings.name.is_empty() {
            let text = "signer.plugin.name: a plugin name must be specified; for example: --signer.plugin.name ledger";
            return Err(SignerError::Other(text.to_owned()));
        }
        if settings.path == Path::new("") {
            let text =
                "signer.plugin.path: expected the plugin's program, found none; for example: --signer.plugin.path /usr/bin/ledger-signer";
            return Err(SignerError::Other(text.to_owned()));
        }
        let plugin = Plugin::start(settings).map_err(|e| SignerError::at(&settings.path, format_args!("signer plugin: {e}")))?;
        let numbers: Vec<i64> = roles.iter().map(|role| role.number().into()).collect();
        let begun = plugin.rpc().call(&Call::Initialize { config: &settings.config, roles: &numbers });
        begun.map_err(|e| SignerError::Other(plugin.fail("failed to initialize plugin", e)))?;
        Ok(Self { plugin: Arc::new(plugin), roles: roles.to_vec(), loaded: Mutex::default() })
    }

    /// Source: go/common/crypto/signature/signers/plugin/plugin.go, `wrapperSigner.doLoad`.
    fn key(&self, role: SignerRole, generate: bool) -> Result<Arc<dyn Signer>, SignerError> {
        if !self.roles.contains(&role) {
            return Err(SignerError::Role(role));
        }
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let key = match loaded.get(&role) {
            Some(_) if generate => {
                return Err(SignerError::Other(self.plugin.fail("failed to load/generate key", "refusing to overwrite existing key")));
            }
            Some(key) => *key,
            None => {
                let fail = |doing: &str, e: &str| SignerError::Other(self.plugin.fail(doing, e));
                let number = role.number().into();
                let mut rpc = self.plugin.rpc();
                rpc.call(&Call::Load { role: number, generate }).map_err(|e| fail("failed to load/generate key", &e))?;
                let key = rpc.call(&Call::Public { role: number }).and_then(|answer| answer.bytes().map_err(|e| e.to_string()));
                let key = key.map_err(|e| fail("failed to obtain public key", &e))?;
                let key = <[u8; 32]>::try_from(key.as_slice()).map_err(|_| fail("failed to obtain public key", "expected 32 bytes"))?;
                PublicKey(key)
            }
        };
        loaded.insert(role, key);
        Ok(Arc::new(PluginKey { role, key, plugin: Arc::clone(&self.plugin) }))
    }
}

impl Factory for PluginFactory {
    fn load(&self, role: SignerRole) -> Result<Arc<dyn Signer>, SignerError> {
        self.key(role, false)
    }

    fn generate(&self, role: SignerRole) -> Result<Arc<dyn Signer>, SignerError> {
        self.key(role, true)
    }
}

/// A key of a plugin.
struct PluginKey {
    role: SignerRole,
    key: PublicKey,
    plugin: Arc<Plugin>,
}

impl Signer for PluginKey {
    fn public_key(&self) -> PublicKey {
        self.key
    }

    /// Source: go/common/crypto/signature/signers/plugin/plugin.go, `wrapperSigner.ContextSign`.
    fn sign_prepared(&self, context: &SigningContext, message: &[u8]) -> Result<RawSignature, SignError> {
        let fail = |reason: String| SignError::Signer(self.plugin.fail("failed to sign", reason));
        let call = Call::Sign { role: self.role.number().into(), context: context.as_str(), message };
        let signature = self.plugin.rpc().call(&call).and_then(|answer| answer.bytes().map_err(|e| e.to_string())).map_err(fail)?;
        let signature = <[u8; 64]>::try_from(signature.as_slice());
        signature.map(RawSignature).map_err(|_| fail("expected a signature of 64 bytes".to_owned()))
    }
}
