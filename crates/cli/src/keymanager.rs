//! `oasis-node keymanager`: policies and statuses of key managers.
//!
//! Source: go/oasis-node/cmd/keymanager/keymanager.go.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use oasis_consensus_types::keymanager::{
    EnclavePolicySgx, METHOD_UPDATE_POLICY, POLICY_SIGNATURE_CONTEXT, PolicySgx, SignedPolicySgx, Status,
};
use oasis_node_service::files::read_secret;
use oasis_primitives::{
    cbor,
    json::{self, ToJson},
    namespace::Namespace,
    sgx::EnclaveIdentity,
    signature::{Blacklist, ChainContext, MemorySigner, Signature, SignatureRules, Signer},
};

use crate::common::{CommonFlags, VerboseFlag, parse, print_json, tx::TxFlags, write_file};

const ENCLAVE: &str = "keymanager.policy.enclave.id";
const REPLICATE: &str = "keymanager.policy.may.replicate";
const QUERY: &str = "keymanager.policy.may.query";
/// Bytes of a checksum. Source: go/keymanager/api/api.go, `ChecksumSize`.
const CHECKSUM: usize = 32;
/// Names of the keys that everybody knows. Source: go/keymanager/api/api.go, `init`.
const TEST_KEYS: [&str; 4] = [
    "ekiden test key manager RAK seed",
    "ekiden key manager test multisig key 0",
    "ekiden key manager test multisig key 1",
    "ekiden key manager test multisig key 2",
];
const NAMESPACE: &str = "4000000000000000ffffffffffffffffffffffffffffffffffffffffffffffff";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum KeymanagerCommand {
    /// Makes a policy.
    #[command(name = "init_policy")]
    InitPolicy(PolicyFlags),
    /// Signs a policy.
    #[command(name = "sign_policy")]
    SignPolicy {
        /// The private key.
        #[arg(id = "keymanager.policy.key.file", long = "keymanager.policy.key.file", value_name = "FILE")]
        key: Option<PathBuf>,
        /// A key that everybody knows, from 1.
        #[arg(id = "keymanager.policy.testkey", long = "keymanager.policy.testkey", default_value_t = 0, hide = true)]
        test_key: usize,
        #[command(flatten)]
        files: FileFlags,
    },
    /// Verifies a policy and its signatures.
    #[command(name = "verify_policy")]
    VerifyPolicy {
        /// Only look at the policy.
        #[arg(id = "keymanager.policy.ignore.signature", long = "keymanager.policy.ignore.signature")]
        ignore: bool,
        #[command(flatten)]
        verbose: VerboseFlag,
        #[command(flatten)]
        files: FileFlags,
    },
    /// Makes a status for a genesis document.
    #[command(name = "init_status")]
    InitStatus(StatusFlags),
    /// Makes a transaction that sets a key manager's policy.
    #[command(name = "gen_update")]
    GenUpdate {
        #[command(flatten)]
        files: FileFlags,
        #[command(flatten)]
        tx: TxFlags,
    },
}

/// A new policy.
#[derive(Debug, Args)]
pub struct PolicyFlags {
    /// Number of the policy; the next one's is larger.
    #[arg(id = "keymanager.policy.serial", long = "keymanager.policy.serial", value_name = "NUMBER", required = true)]
    serial: u32,
    /// The key manager's runtime, in hexadecimal.
    #[arg(id = "keymanager.policy.id", long = "keymanager.policy.id", value_name = "ID", required = true)]
    id: String,
    /// An enclave of the key manager in hexadecimal; what follows is of this enclave. May be given several times.
    #[arg(id = ENCLAVE, long = ENCLAVE, value_name = "ID")]
    enclaves: Vec<String>,
    /// Enclaves that may copy the master secret, with commas between them.
    #[arg(id = REPLICATE, long = REPLICATE, value_name = "IDS")]
    replicate: Vec<String>,
    /// Enclaves of a runtime that may ask for keys, RUNTIME=ID,ID.
    #[arg(id = QUERY, long = QUERY, value_name = "RUNTIME=IDS")]
    query: Vec<String>,
    /// File of the policy, in CBOR.
    #[arg(id = "keymanager.policy.file", long = "keymanager.policy.file", value_name = "FILE", default_value = "km_policy.cbor")]
    file: PathBuf,
}

/// Files of a policy.
#[derive(Debug, Args)]
pub struct FileFlags {
    /// File of the policy, in CBOR.
    #[arg(id = "keymanager.policy.file", long = "keymanager.policy.file", value_name = "FILE", default_value = "km_policy.cbor")]
    policy: PathBuf,
    /// Files of signatures, with commas between them.
    #[arg(
        id = "keymanager.policy.signature.file",
        long = "keymanager.policy.signature.file",
        value_name = "FILES",
        value_delimiter = ',',
        default_value = "km_policy.cbor.sign"
    )]
    signatures: Vec<PathBuf>,
}

/// A new status.
#[derive(Debug, Args)]
pub struct StatusFlags {
    /// The key manager's runtime, in hexadecimal.
    #[arg(id = "keymanager.status.id", long = "keymanager.status.id", value_name = "ID", required = true)]
    id: String,
    /// File of the status, in JSON.
    #[arg(id = "keymanager.status.file", long = "keymanager.status.file", value_name = "FILE", default_value = "km_status.json")]
    file: PathBuf,
    /// The key manager has its master secret.
    #[arg(id = "keymanager.status.initialized", long = "keymanager.status.initialized")]
    initialized: bool,
    /// The key manager is secure.
    #[arg(id = "keymanager.status.secure", long = "keymanager.status.secure")]
    secure: bool,
    /// Checksum of the master secret, in hexadecimal.
    #[arg(id = "keymanager.status.checksum", long = "keymanager.status.checksum", value_name = "CHECKSUM", default_value = "")]
    checksum: String,
    #[command(flatten)]
    files: FileFlags,
}

/// Runs a command.
pub fn run(command: &KeymanagerCommand, common: &CommonFlags) -> Result<()> {
    match command {
        KeymanagerCommand::InitPolicy(flags) => {
            let given: Vec<String> = std::env::args().collect();
            let id = namespace("keymanager.policy.id", &flags.id)?;
            let policy = PolicySgx { serial: flags.serial, id, enclaves: enclaves(&given)?.into() };
            write_file(&flags.file, &cbor::to_vec(&policy))
        }
        KeymanagerCommand::SignPolicy { key, test_key, files } => {
            let signer = policy_key(key.as_deref(), *test_key, common)?;
            let (_, bytes) = read_policy(&files.policy)?;
            let signature = signer.sign(&POLICY_SIGNATURE_CONTEXT, &ChainContext::UNSET, &bytes).context("failed to sign policy")?;
            let path = files.signatures.first().context("--keymanager.policy.signature.file: no file")?;
            write_file(path, signature.to_pem().as_bytes())
        }
        KeymanagerCommand::VerifyPolicy { ignore, verbose, files } => {
            let (policy, bytes) = read_policy(&files.policy)?;
            if verbose.verbose {
                print_json(&policy)?;
            }
            if *ignore { Ok(()) } else { verify(files, &bytes).map(|_| ()) }
        }
        KeymanagerCommand::InitStatus(flags) => {
            let status = status(flags)?;
            write_file(&flags.file, json::to_text_pretty(&status.to_json()).as_bytes())
        }
        KeymanagerCommand::GenUpdate { files, tx } => {
            let (policy, bytes) = read_policy(&files.policy)?;
            let signed = SignedPolicySgx { policy, signatures: verify(files, &bytes)?.into() };
            let maker = tx.begin(common)?;
            let tx = maker.transaction(METHOD_UPDATE_POLICY, &signed)?;
            maker.finish(&tx, None)
        }
    }
}

fn namespace(flag: &str, text: &str) -> Result<Namespace> {
    parse(flag, Some(text), "a runtime's identifier in hexadecimal", NAMESPACE, Namespace::from_text)
}

fn enclave(flag: &str, text: &str) -> Result<EnclaveIdentity> {
    parse(flag, Some(text), "an enclave's identity in hexadecimal", &"00".repeat(64), EnclaveIdentity::from_hex)
}

/// What is given after an enclave is of that enclave.
///
/// Source: go/oasis-node/cmd/keymanager/keymanager.go, `policyFromFlags`.
fn enclaves(given: &[String]) -> Result<BTreeMap<EnclaveIdentity, Option<EnclavePolicySgx>>> {
    type Queries = BTreeMap<Namespace, oasis_primitives::cbor::NilVec<EnclaveIdentity>>;
    let mut all = BTreeMap::new();
    let mut current: Option<(EnclaveIdentity, Vec<EnclaveIdentity>, Queries)> = None;
    let mut keep = |current: Option<(EnclaveIdentity, Vec<EnclaveIdentity>, Queries)>| {
        if let Some((id, replicate, query)) = current {
            all.insert(id, Some(EnclavePolicySgx { may_query: query.into(), may_replicate: replicate.into() }));
        }
    };
    let mut given = given.iter();
    while let Some(flag) = given.next() {
        let Some(name) = flag.strip_prefix("--") else { continue };
        let (name, value) = match name.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (name, None),
        };
        if ![ENCLAVE, REPLICATE, QUERY].contains(&name) {
            continue;
        }
        let value = value.or_else(|| given.next().map(String::as_str)).unwrap_or_default();
        match (name, &mut current) {
            (ENCLAVE, _) => keep(current.replace((enclave(ENCLAVE, value)?, Vec::new(), BTreeMap::new()))),
            (_, None) => bail!("--{name}: give the enclave before it; for example: --{ENCLAVE} ID --{name} {value}"),
            (REPLICATE, Some((_, replicate, _))) => {
                for id in value.split(',') {
                    replicate.push(enclave(REPLICATE, id)?);
                }
            }
            (_, Some((_, _, query))) => {
                let (runtime, ids) =
                    value.split_once('=').with_context(|| format!("--{QUERY}: expected RUNTIME=ID,ID, found {value:?}"))?;
                let ids = ids.split(',').map(|id| enclave(QUERY, id)).collect::<Result<Vec<_>>>()?;
                query.insert(namespace(QUERY, runtime)?, ids.into());
            }
        }
    }
    keep(current);
    Ok(all)
}

fn policy_key(file: Option<&Path>, test_key: usize, common: &CommonFlags) -> Result<MemorySigner> {
    if let Some(path) = file {
        let text = read_secret(path).with_context(|| path.display().to_string())?;
        return MemorySigner::from_pem(&text).with_context(|| path.display().to_string());
    }
    if test_key == 0 {
        bail!("no private key file or test key provided; for example: --keymanager.policy.key.file key.pem");
    }
    if !common.debug {
        bail!("refusing to use test keys for signing; for a test network add --debug.dont_blame_oasis");
    }
    let name = test_key.checked_sub(1).and_then(|index| TEST_KEYS.get(index)).context("test key index invalid: expected 1 to 4")?;
    Ok(MemorySigner::for_test(name))
}

/// A policy, which must be in canonical form.
fn read_policy(path: &Path) -> Result<(PolicySgx, Vec<u8>)> {
    let bytes = fs::read(path).with_context(|| path.display().to_string())?;
    let policy: PolicySgx = cbor::from_slice(&bytes).with_context(|| path.display().to_string())?;
    if cbor::to_vec(&policy) != bytes {
        bail!("{}: policy file not in canonical form", path.display());
    }
    Ok((policy, bytes))
}

fn read_signatures(files: &FileFlags) -> Result<Vec<Signature>> {
    let read = |path: &PathBuf| {
        let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
        Signature::from_pem(&text).with_context(|| path.display().to_string())
    };
    files.signatures.iter().map(read).collect()
}

fn verify(files: &FileFlags, bytes: &[u8]) -> Result<Vec<Signature>> {
    let rules = SignatureRules::new(ChainContext::UNSET, Blacklist::default());
    let signatures = read_signatures(files)?;
    for (signature, path) in signatures.iter().zip(&files.signatures) {
        if !signature.verify(&rules, &POLICY_SIGNATURE_CONTEXT, bytes) {
            bail!("{}: signature is not valid for given policy", path.display());
        }
    }
    Ok(signatures)
}

/// Source: go/oasis-node/cmd/keymanager/keymanager.go, `statusFromFlags`.
fn status(flags: &StatusFlags) -> Result<Status> {
    let id = namespace("keymanager.status.id", &flags.id)?;
    let policy = match flags.files.policy.as_os_str().is_empty() {
        true => None,
        false => {
            let (policy, _) = read_policy(&flags.files.policy)?;
            Some(SignedPolicySgx { policy, signatures: read_signatures(&flags.files)?.into() })
        }
    };
    let checksum = hex::decode(&flags.checksum).context("--keymanager.status.checksum: expected hexadecimal digits")?;
    match (checksum.len(), flags.initialized) {
        (0, true) => bail!("keymanager.status.initialized is true, but keymanager.status.checksum is not provided"),
        (0, false) | (CHECKSUM, true) => {}
        (CHECKSUM, false) => bail!("keymanager.status.checksum provided, but keymanager.status.initialized is false"),
        _ => bail!("--keymanager.status.checksum: {} is not {CHECKSUM} bytes long", flags.checksum),
    }
    Ok(Status { id, is_initialized: flags.initialized, is_secure: flags.secure, checksum: checksum.into(), policy, ..Default::default() })
}
