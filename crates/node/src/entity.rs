//! An entity's files: its descriptor, beside the key of its signer.
//!
//! Source: go/common/entity/entity.go.

use std::{io, path::Path};

use oasis_consensus_types::entity::{Entity, LATEST_DESCRIPTOR_VERSION};
use oasis_primitives::{
    identity::KEY_FILE_MODE,
    json::{self, ToJson},
    signature::{MemorySigner, PublicKey},
};

use crate::files::replace;

/// The descriptor's file. Source: go/common/entity/entity.go, `entityFilename`.
pub const DESCRIPTOR_FILE: &str = "entity.json";
/// Names the key of the well-known test entity. Source: go/common/entity/entity.go, `init`.
const TEST_ENTITY: &str = "ekiden test entity key seed";

/// The descriptor of a new entity.
pub fn descriptor(id: PublicKey, nodes: Vec<PublicKey>) -> Entity {
    Entity { v: LATEST_DESCRIPTOR_VERSION, id, nodes }
}

/// The key of the well-known test entity.
///
/// Source: go/common/entity/entity.go, `TestEntity`.
pub fn test_signer() -> MemorySigner {
    MemorySigner::for_test(TEST_ENTITY)
}

/// Writes an entity's descriptor into its directory. Source: go/common/entity/entity.go, `Save`.
pub fn save_descriptor(dir: &Path, entity: &Entity) -> io::Result<()> {
    replace(&dir.join(DESCRIPTOR_FILE), json::to_text_pretty(&entity.to_json()).as_bytes(), KEY_FILE_MODE)
}
