//! Messages of peers, on every channel: what is read can be written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oasis_consensus_engine::messages::{BlockSyncMessage, ConsensusMessage, EvidenceMessage, StateSyncMessage, TxsMessage};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(m) = ConsensusMessage::decode(bytes) {
        assert_eq!(ConsensusMessage::decode(&m.clone().to_bytes()), Ok(m));
    }
    if let Ok(m) = BlockSyncMessage::decode(bytes) {
        assert_eq!(BlockSyncMessage::decode(&m.clone().to_bytes()), Ok(m));
    }
    if let Ok(m) = StateSyncMessage::decode(bytes) {
        assert_eq!(StateSyncMessage::decode(&m.clone().to_bytes()), Ok(m));
    }
    if let Ok(m) = TxsMessage::decode_message(bytes) {
        assert_eq!(TxsMessage::decode_message(&m.clone().to_bytes()), Ok(m));
    }
    if let Ok(m) = EvidenceMessage::decode(bytes) {
        assert_eq!(EvidenceMessage::decode(&m.clone().to_bytes()), Ok(m));
    }
});
