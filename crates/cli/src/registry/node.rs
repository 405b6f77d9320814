//! `oasis-node registry node`.
//!
//! Source: go/oasis-node/cmd/registry/node/node.go.

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use oasis_consensus_types::{
    node::{
        Address, BeaconInfo, ConsensusAddress, ConsensusInfo, LATEST_DESCRIPTOR_VERSION, MultiSignedNode, Node as Descriptor, P2pInfo,
        Roles, Runtime, TlsAddress, TlsInfo,
    },
    registry,
};
use oasis_node_service::identity::Identity;
use oasis_primitives::{
    identity::SignerRole,
    json::{self, ToJson},
    namespace::Namespace,
    signature::{ChainContext, MultiSigned, PublicKey, Signer},
};

use super::list;
use crate::common::{CommonFlags, LATEST, Node, NodeFlags, VerboseFlag, entity::SignerFlags, parse, print, write_file};

/// The registration for a genesis document. Source: go/oasis-node/cmd/registry/node/node.go, `NodeGenesisFilename`.
const GENESIS_FILE: &str = "node_genesis.json";
/// Roles whose nodes serve a committee.
const COMMITTEE_MEMBERS: Roles = Roles::COMPUTE_WORKER.with(Roles::STORAGE_WORKER).with(Roles::KEY_MANAGER);

/// The commands.
#[derive(Debug, Subcommand)]
pub enum NodeCommand {
    /// Makes a node's keys, and its registration for a genesis document.
    Init(InitFlags),
    /// Lists the registered nodes.
    List {
        #[command(flatten)]
        node: NodeFlags,
        #[command(flatten)]
        verbose: VerboseFlag,
    },
    /// Says by its exit code whether the node of a data directory is registered.
    #[command(name = "is-registered")]
    IsRegistered(NodeFlags),
}

/// What a new node is.
#[derive(Debug, Args)]
pub struct InitFlags {
    /// Key of the entity that controls the node, in base64.
    #[arg(id = "node.entity_id", long = "node.entity_id", value_name = "KEY")]
    entity_id: Option<String>,
    /// Last epoch of the registration.
    #[arg(id = "node.expiration", long = "node.expiration", value_name = "EPOCH", default_value_t = 0)]
    expiration: u64,
    /// Addresses for TLS, `[KEY@]IP:PORT`.
    #[arg(id = "node.tls_address", long = "node.tls_address", value_name = "ADDRESS", value_delimiter = ',')]
    tls: Vec<String>,
    /// Addresses in the peer-to-peer network, IP:PORT.
    #[arg(id = "node.p2p_address", long = "node.p2p_address", value_name = "ADDRESS", value_delimiter = ',')]
    p2p: Vec<String>,
    /// Addresses as a member of consensus, `[KEY@]IP:PORT`.
    #[arg(id = "node.consensus_address", long = "node.consensus_address", value_name = "ADDRESS", value_delimiter = ',')]
    consensus: Vec<String>,
    /// Roles: compute-worker, storage-worker, key-manager, validator.
    #[arg(id = "node.role", long = "node.role", value_name = "ROLE", value_delimiter = ',')]
    roles: Vec<String>,
    /// Accepted: nodes sign their registrations themselves.
    #[arg(id = "node.is_self_signed", long = "node.is_self_signed", default_value_t = true, hide = true)]
    self_signed: bool,
    /// Runtimes, in hexadecimal.
    #[arg(id = "node.runtime.id", long = "node.runtime.id", value_name = "ID", value_delimiter = ',')]
    runtimes: Vec<String>,
    #[command(flatten)]
    signer: SignerFlags,
}

/// Runs a command.
pub fn run(command: &NodeCommand, common: &CommonFlags) -> Result<()> {
    match command {
        NodeCommand::Init(flags) => init(flags, common),
        NodeCommand::List { node, verbose } => {
            list(&Node::connect(node)?, "GetNodes", &LATEST, verbose.verbose, |node: &Descriptor| node.id.to_string())
        }
        NodeCommand::IsRegistered(node) => is_registered(node, common),
    }
}

/// Source: go/oasis-node/cmd/registry/node/node.go, `doInit`.
fn init(flags: &InitFlags, common: &CommonFlags) -> Result<()> {
    let key = "QTg+ZjubD/36egwByAIGC6lMVBKgqo7xnZPgHVoIKzc=";
    let entity_id = parse("node.entity_id", flags.entity_id.as_deref(), "the entity's public key in base64", key, PublicKey::from_base64)?;
    let roles = flags.roles.iter().try_fold(Roles(0), |roles, name| Ok::<_, anyhow::Error>(roles.with(role(name)?)))?;
    if roles.has(COMMITTEE_MEMBERS) && (flags.tls.is_empty() || flags.p2p.is_empty()) {
        bail!(
            "nodes that are committee members require at least 1 TLS and 1 P2P address; for example: --node.tls_address 1.2.3.4:30001 --node.p2p_address 1.2.3.4:30002"
        );
    }
    if roles.has(Roles::VALIDATOR) && flags.consensus.is_empty() {
        bail!("validator nodes require a consensus address; for example: --node.consensus_address 1.2.3.4:26656");
    }
    let dir = common.datadir_or_here()?;
    let mut runtimes = Vec::new();
    for id in &flags.runtimes {
        let id = parse("node.runtime.id", Some(id), "a runtime's identifier in hexadecimal", &"00".repeat(32), Namespace::from_text)?;
        runtimes.push(Runtime { id, ..Default::default() });
    }
    let p2p_addresses = flags.p2p.iter().map(|text| parse("node.p2p_address", Some(text), "IP:PORT", "1.2.3.4:30002", Address::from_text));
    let p2p_addresses = p2p_addresses.collect::<Result<Vec<_>>>()?;
    let keys = flags.signer.open(common, &dir, &Identity::ROLES)?;
    let identity = Identity::with_signers(&dir, &*keys)?;
    let tls_key = identity.tls.public_key();
    let tls_addresses = flags.tls.iter().map(|text| {
        parse("node.tls_address", Some(text), "[KEY@]IP:PORT", "1.2.3.4:30001", |text| {
            let plain = || Address::from_text(text).map(|address| TlsAddress { pub_key: tls_key, address });
            TlsAddress::from_text(text).or_else(plain)
        })
    });
    let p2p_key = identity.p2p.public_key();
    let consensus_addresses = flags.consensus.iter().filter(|_| roles.has(Roles::VALIDATOR)).map(|text| {
        parse("node.consensus_address", Some(text), "[KEY@]IP:PORT", "1.2.3.4:26656", |text| {
            let plain = || Address::from_text(text).map(|address| ConsensusAddress { id: p2p_key, address });
            ConsensusAddress::from_text(text).or_else(plain)
        })
    });
    let node = Descriptor {
        v: LATEST_DESCRIPTOR_VERSION,
        id: identity.node.public_key(),
        entity_id,
        expiration: flags.expiration,
        tls: TlsInfo {
            pub_key: tls_key,
            next_pub_key: identity.next_tls.as_ref().map(|key| key.public_key()).unwrap_or_default(),
            addresses: nil(tls_addresses.collect::<Result<Vec<_>>>()?),
        },
        p2p: P2pInfo { id: p2p_key, addresses: nil(p2p_addresses) },
        consensus: ConsensusInfo { id: identity.consensus.public_key(), addresses: nil(consensus_addresses.collect::<Result<Vec<_>>>()?) },
        beacon: Some(BeaconInfo { point: identity.beacon.point() }),
        runtimes: nil(runtimes.into_iter().map(Into::into).collect()),
        roles,
    };
    let signers: [&dyn Signer; 4] = [&*identity.node, &*identity.p2p, &*identity.consensus, identity.tls.signer()];
    let signed = MultiSigned::sign(&signers, &registry::REGISTER_NODE_SIGNATURE_CONTEXT, &ChainContext::UNSET, &node)
        .context("failed to sign node genesis registration")?;
    write_file(&dir.join(GENESIS_FILE), json::to_text_pretty(&MultiSignedNode(signed).to_json()).as_bytes())
}

/// An empty list is none, as the original leaves it.
fn nil<T>(list: Vec<T>) -> oasis_primitives::cbor::NilVec<T> {
    if list.is_empty() { Default::default() } else { list.into() }
}

fn role(name: &str) -> Result<Roles> {
    Ok(match name.to_lowercase().as_str() {
        "compute-worker" => Roles::COMPUTE_WORKER,
        "storage-worker" => Roles::STORAGE_WORKER,
        "key-manager" => Roles::KEY_MANAGER,
        "validator" => Roles::VALIDATOR,
        other => bail!(
            "--node.role: expected compute-worker, storage-worker, key-manager or validator, found {other:?}; for example: --node.role validator"
        ),
    })
}

/// Source: go/oasis-node/cmd/registry/node/node.go, `doIsRegistered`.
fn is_registered(flags: &NodeFlags, common: &CommonFlags) -> Result<()> {
    let path = common.datadir_or_here()?.join(SignerRole::Node.public_key_file().unwrap_or_default());
    let text = std::fs::read_to_string(&path).with_context(|| {
        format!("failed to load node identity: {}; say where it is with --datadir, for example: --datadir /node/data", path.display())
    })?;
    let id = PublicKey::from_pem(&text).with_context(|| path.display().to_string())?;
    let nodes: Option<Vec<Descriptor>> = Node::connect(flags)?.call("Registry/GetNodes", &LATEST)?;
    if nodes.unwrap_or_default().iter().any(|node| node.id == id) {
        return print("node is registered");
    }
    print("node is not registered")?;
    std::process::exit(1)
}
