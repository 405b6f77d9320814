//! Messages between a node and its runtimes, storage requests, write logs and runtime messages.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oasis_consensus_types::roothash::{Message as RuntimeMessage, commitment::ProposedBatch};
use oasis_mkvs::{
    LogEntry, RootType, Tree,
    proof::{GetPrefixesRequest, GetRequest, IterateRequest},
};
use oasis_primitives::{
    cbor::{self, NilVec},
    namespace::Namespace,
};
use oasis_runtime_protocol::Message;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(message) = cbor::from_slice::<Message>(bytes) {
        let _ = message.body.kind();
        // A node's settings may hold floats and tags, which are not equal to themselves or not written.
        let _ = cbor::from_slice::<Message>(&cbor::to_vec(&message));
    }
    let _ = cbor::from_slice::<RuntimeMessage>(bytes).map(|message| message.validate_basic());
    let _ = cbor::from_slice::<ProposedBatch>(bytes);
    let mut tree = Tree::empty(Namespace::default(), RootType::STATE);
    if let Ok(log) = cbor::from_slice::<NilVec<LogEntry>>(bytes) {
        let _ = tree.apply_write_log(&log);
        let _ = tree.commit(1);
    }
    let _ = cbor::from_slice::<GetRequest>(bytes).map(|request| tree.sync_get(&request).is_ok());
    let _ = cbor::from_slice::<GetPrefixesRequest>(bytes).map(|request| tree.sync_get_prefixes(&request).is_ok());
    let _ = cbor::from_slice::<IterateRequest>(bytes).map(|request| tree.sync_iterate(&request).is_ok());
});
