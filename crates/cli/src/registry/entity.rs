//! `oasis-node registry entity`.
//!
//! Source: go/oasis-node/cmd/registry/entity/entity.go.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use oasis_consensus_types::{
    entity::{Entity, SignedEntity},
    node::{MultiSignedNode, Node as Descriptor},
    registry,
};
use oasis_primitives::{
    json::{self, ToJson},
    signature::{Blacklist, ChainContext, PublicKey, SignatureRules, SignedBlob, Signer},
};

use super::list;
use crate::common::{CommonFlags, LATEST, Node, NodeFlags, VerboseFlag, entity::SignerFlags, parse, read_json, tx::TxFlags, write_file};

/// The registration for a genesis document. Source: go/oasis-node/cmd/registry/entity/entity.go, `entityGenesisFilename`.
const GENESIS_FILE: &str = "entity_genesis.json";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum EntityCommand {
    /// Makes an entity.
    Init {
        /// Use the key that is there instead of a new one.
        #[arg(id = "entity.reuse_signer", long = "entity.reuse_signer")]
        reuse: bool,
        /// Make it in place of one that is there.
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        signer: SignerFlags,
    },
    /// Sets the nodes of an entity.
    Update {
        /// Keys of nodes in base64, with commas between them; may be given several times.
        #[arg(id = "entity.node.id", long = "entity.node.id", value_name = "KEY", value_delimiter = ',')]
        ids: Vec<String>,
        /// Genesis descriptors of nodes, with commas between them; may be given several times.
        #[arg(id = "entity.node.descriptor", long = "entity.node.descriptor", value_name = "FILE", value_delimiter = ',')]
        descriptors: Vec<PathBuf>,
        #[command(flatten)]
        signer: SignerFlags,
    },
    /// Makes a transaction that registers the entity.
    #[command(name = "gen_register")]
    GenRegister(TxFlags),
    /// Makes a transaction that deregisters the entity.
    #[command(name = "gen_deregister")]
    GenDeregister(TxFlags),
    /// Lists the registered entities.
    List {
        #[command(flatten)]
        node: NodeFlags,
        #[command(flatten)]
        verbose: VerboseFlag,
    },
}

/// Runs a command.
pub fn run(command: &EntityCommand, common: &CommonFlags) -> Result<()> {
    match command {
        EntityCommand::Init { reuse, force, signer } => {
            let (entity, key) = signer.create(common, *reuse, *force)?;
            write_genesis(&signer.dir(), &*key, &entity)
        }
        EntityCommand::Update { ids, descriptors, signer } => update(ids, descriptors, signer, common),
        EntityCommand::GenRegister(flags) => {
            let maker = flags.begin(common)?;
            let (entity, key) = flags.signer().load(common)?;
            let tx = maker.transaction(registry::METHOD_REGISTER_ENTITY, &sign(&*key, &entity)?)?;
            maker.finish(&tx, Some(key))
        }
        EntityCommand::GenDeregister(flags) => {
            let maker = flags.begin(common)?;
            let tx = maker.bare(registry::METHOD_DEREGISTER_ENTITY)?;
            maker.finish(&tx, None)
        }
        EntityCommand::List { node, verbose } => {
            list(&Node::connect(node)?, "GetEntities", &LATEST, verbose.verbose, |entity: &Entity| entity.id.to_string())
        }
    }
}

/// Signs an entity's registration.
pub fn sign(key: &dyn Signer, entity: &Entity) -> Result<SignedEntity> {
    let signed = SignedBlob::sign(key, &registry::REGISTER_ENTITY_SIGNATURE_CONTEXT, &ChainContext::UNSET, entity);
    Ok(SignedEntity(signed.context("failed to sign entity descriptor")?))
}

/// Source: go/oasis-node/cmd/registry/entity/entity.go, `signAndWriteEntityGenesis`.
fn write_genesis(dir: &Path, key: &dyn Signer, entity: &Entity) -> Result<()> {
    write_file(&dir.join(GENESIS_FILE), json::to_text_pretty(&sign(key, entity)?.to_json()).as_bytes())
}

/// Source: go/oasis-node/cmd/registry/entity/entity.go, `doUpdate`. The original writes the nodes in no order; here they are sorted.
fn update(ids: &[String], descriptors: &[PathBuf], signer: &SignerFlags, common: &CommonFlags) -> Result<()> {
    let (mut entity, key) = signer.load(common).context("failed to load entity")?;
    let mut nodes = BTreeSet::new();
    for id in ids {
        let example = "yT1h8/eN0VInQxn3YKcHxvSgGcsjsTSYmdTLZZMBTWI=";
        nodes.insert(parse("entity.node.id", Some(id), "a public key in base64", example, PublicKey::from_base64)?);
    }
    for path in descriptors {
        nodes.insert(read_node(path, &entity).with_context(|| path.display().to_string())?);
    }
    entity.nodes = nodes.into_iter().collect();
    signer.save(&entity)?;
    write_genesis(&signer.dir(), &*key, &entity)
}

fn read_node(path: &Path, entity: &Entity) -> Result<PublicKey> {
    let signed: MultiSignedNode = read_json(path).context("failed to parse signed node descriptor")?;
    let Some(first) = signed.0.signatures.first() else { bail!("node genesis descriptor is missing signatures") };
    let rules = SignatureRules::new(ChainContext::UNSET, Blacklist::default());
    let node: Descriptor =
        signed.0.open(&rules, &registry::REGISTER_NODE_SIGNATURE_CONTEXT).context("failed to validate signed node descriptor")?;
    if node.entity_id != entity.id {
        bail!("entity ID mismatch, node does not belong to this entity: entity {}, node's entity {}", entity.id, node.entity_id);
    }
    if first.public_key != node.id {
        bail!("node genesis descriptor is not self signed: signer {}", first.public_key);
    }
    Ok(node.id)
}
