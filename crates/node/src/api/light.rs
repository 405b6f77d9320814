//! Messages of the light consensus service.

use oasis_primitives::cbor::{Cbor, RawCbor};

/// Source: go/consensus/api/light.go, `LightBlock`.
#[derive(Clone, Debug, Default, PartialEq, Cbor)]
pub struct LightBlock {
    /// The height.
    pub height: i64,
    /// The engine's light block.
    pub meta: Vec<u8>,
}

/// Source: go/consensus/api/light.go, `Parameters`.
#[derive(Clone, Debug, Default, PartialEq, Cbor)]
pub struct ParametersMessage {
    /// The height.
    pub height: i64,
    /// Those of any engine.
    pub parameters: RawCbor,
    /// Those of the engine.
    pub meta: Vec<u8>,
}

/// Source: go/consensus/api/light.go, `Evidence`.
#[derive(Clone, Debug, Default, PartialEq, Cbor)]
pub struct EvidenceMessage {
    /// The engine's evidence.
    pub meta: Vec<u8>,
}
