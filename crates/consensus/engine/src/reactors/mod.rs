//! What nodes tell each other beside consensus: transactions and evidence.

mod evidence;
mod mempool;

pub use evidence::{EvidenceReactor, REPEAT_AFTER};
pub use mempool::MempoolReactor;
