//! Transactions that are too large.
//!
//! Source: go/oasis-node/cmd/debug/txsource/workload/oversized.go.

use oasis_consensus_types::{
    consensus::{GAS_OP_TX_BYTE, Parameters},
    staking::METHOD_TRANSFER,
    transaction::Transaction,
};
use oasis_node_service::api::light::ParametersMessage;
use oasis_primitives::{
    address::Address,
    cbor::{self, Cbor},
    signature::Signer as _,
};

use super::{PAUSE, again};
use crate::session::{Error, LATEST, Session};

const GAS: u64 = 10_000;

/// A transfer of nothing that would be good, were it not for the data.
#[derive(Clone, Debug, Default, Cbor)]
struct Large {
    to: Address,
    data: Vec<u8>,
}

/// The parameters of consensus.
pub fn parameters(session: &mut Session<'_>) -> Result<Parameters, Error> {
    let message: ParametersMessage = session.ask("ConsensusLight/GetParameters", &LATEST)?;
    cbor::from_slice(&message.parameters).map_err(|e| Error::Answer("ConsensusLight/GetParameters".to_owned(), e))
}

pub fn run(session: &mut Session<'_>) -> Result<(), Error> {
    let signer = session.random.signer()?;
    let to = Address::of_public_key(&signer.public_key());
    let parameters = parameters(session)?;
    let a_byte = parameters.gas_costs.get(GAS_OP_TX_BYTE).copied().unwrap_or_default();
    let mut fee = session.fee(GAS);
    fee.gas = GAS.saturating_add(parameters.max_tx_size.saturating_mul(a_byte));
    loop {
        let mut data = vec![0; usize::try_from(parameters.max_tx_size).unwrap_or(usize::MAX)];
        session.random.fill(&mut data)?;
        session.fund(to, &fee.amount)?;
        let transaction = Transaction::new(0, Some(fee.clone()), METHOD_TRANSFER, &Large { to, data });
        let signed = session.sign(&signer, &transaction)?;
        let result = session.submit(&signed);
        session.expect_refusal("an oversized transfer", result, &[("consensus", 2)])?;
        if !again(session, PAUSE) {
            return Ok(());
        }
    }
}
