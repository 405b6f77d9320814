//! What only test networks allow. Source: go/control/debug.go.

use oasis_consensus_app::registry;
use oasis_consensus_types::{
    beacon::METHOD_SET_EPOCH,
    transaction::{ERR_METHOD_NOT_SUPPORTED, Transaction},
};
use oasis_primitives::signature::MemorySigner;

use super::{super::workers::sign_and_submit, Answer, Running, coded, current_epoch, nothing, query};
use crate::grpc::ApiError;

/// Whose transactions set epochs. Source: go/consensus/tendermint/beacon/beacon.go, `testSigner`.
const EPOCH_SIGNER: &str = "oasis-core epochtime mock key seed";

impl Running {
    /// Source: go/consensus/tendermint/beacon/beacon.go, `SetEpoch`.
    pub(super) async fn set_epoch(&self, epoch: u64) -> Answer {
        let signer = MemorySigner::for_test(EPOCH_SIGNER);
        let tx = Transaction::new(0, None, METHOD_SET_EPOCH, &epoch);
        let failed = |e: ApiError| ApiError { message: format!("epochtime: set epoch failed: {}", e.message), ..e };
        if self.is_archive() {
            return Err(failed(coded(ERR_METHOD_NOT_SUPPORTED)));
        }
        sign_and_submit(self, &signer, tx).await.map_err(failed)?;
        self.until(|| current_epoch(&self.source).is_ok_and(|(now, _)| now == epoch).then_some(())).await?;
        nothing()
    }

    /// Source: go/control/debug.go, `WaitNodesRegistered`.
    pub(super) async fn wait_nodes_registered(&self, count: i64) -> Answer {
        let enough = || {
            let nodes = query::state(&self.source, 0).and_then(|state| registry::query::nodes(&state)).ok()?;
            (i64::try_from(nodes.len()).unwrap_or(i64::MAX) >= count).then_some(())
        };
        self.until(enough).await?;
        nothing()
    }
}
