//! Changes of a commission schedule.
//!
//! Source: go/oasis-node/cmd/debug/txsource/workload/commission.go.

use oasis_consensus_types::staking::{Account, AmendCommissionSchedule, ConsensusParameters, METHOD_AMEND_COMMISSION_SCHEDULE, OwnerQuery};
use oasis_primitives::{address::Address, signature::Signer as _};

use super::{PAUSE, again, commission_schedule::amendment};
use crate::session::{Error, LATEST, Session};

pub fn run(session: &mut Session<'_>) -> Result<(), Error> {
    let signer = session.random.signer()?;
    let owner = Address::of_public_key(&signer.public_key());
    let parameters: ConsensusParameters = session.ask("Staking/ConsensusParameters", &LATEST)?;
    let rules = parameters.commission_schedule_rules;
    if rules.max_bound_steps == 0 || rules.max_rate_steps == 0 || rules.rate_change_interval == 0 {
        let text =
            "the network allows no commission schedules: staking.params.commission_schedule_rules of its genesis document has no steps";
        return Err(Error::Asked(text.to_owned()));
    }
    loop {
        let epoch: u64 = session.ask("Beacon/GetEpoch", &LATEST)?;
        let account: Account = session.ask("Staking/Account", &OwnerQuery { height: LATEST, owner })?;
        let mut schedule = account.escrow.commission_schedule;
        schedule.prune(epoch);
        match amendment(&mut session.random, &schedule, &rules, epoch)? {
            Some(amendment) => {
                session.fund_and_submit(&signer, METHOD_AMEND_COMMISSION_SCHEDULE, &AmendCommissionSchedule { amendment })?;
            }
            None => session.world.say(format_args!("the bounds need more rates than are allowed")),
        }
        if !again(session, PAUSE) {
            return Ok(());
        }
    }
}
