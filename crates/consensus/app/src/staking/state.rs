//! What the app keeps in the state, and where.
//!
//! Source: go/consensus/tendermint/apps/staking/state/state.go.

use std::{cell::RefCell, collections::BTreeMap, sync::Arc};

use oasis_consensus_types::staking::{
    Account, ConsensusParameters, DebondingDelegation, DebondingDelegations, Delegation, Delegations, EpochSigning, Thresholds,
};
use oasis_primitives::{address::Address, cbor::NilVec, quantity::Quantity};

use crate::{
    context::missing,
    epoch::EpochTime,
    error::{Error, Result},
    store::{Store, Value, decode},
};

/// Accounts: address.
const ACCOUNT: u8 = 0x50;
const TOTAL_SUPPLY: &[u8] = &[0x51];
const COMMON_POOL: &[u8] = &[0x52];
/// Delegations: escrow account, delegator.
const DELEGATION: u8 = 0x53;
/// Debonding delegations: delegator, escrow account, epoch.
const DEBONDING_DELEGATION: u8 = 0x54;
/// The debonding queue, with empty values: epoch, delegator, escrow account.
const DEBONDING_QUEUE: u8 = 0x55;
const PARAMETERS: &[u8] = &[0x56];
const LAST_BLOCK_FEES: &[u8] = &[0x57];
const EPOCH_SIGNING: &[u8] = &[0x58];
const GOVERNANCE_DEPOSITS: &[u8] = &[0x59];

fn key(prefix: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut out = vec![prefix];
    for part in parts {
        out.extend_from_slice(part);
    }
    out
}

fn damaged(key: &[u8]) -> Error {
    Error::fatal(format!("staking: malformed key with prefix {:02x?}", key.first()))
}

/// Splits a key of two addresses and whatever follows.
fn two_addresses(key: &[u8]) -> Result<(Address, Address, &[u8])> {
    let split = || {
        let (first, rest) = key.get(1..)?.split_at_checked(Address::SIZE)?;
        let (second, rest) = rest.split_at_checked(Address::SIZE)?;
        Some((Address::from_slice(first)?, Address::from_slice(second)?, rest))
    };
    split().ok_or_else(|| damaged(key))
}

fn balance(store: &Store, key: &[u8]) -> Result<Quantity> {
    Ok(store.get_cbor(key)?.unwrap_or_default())
}

/// All base units.
pub fn total_supply(store: &Store) -> Result<Quantity> {
    balance(store, TOTAL_SUPPLY)
}

/// Sets all base units.
pub fn set_total_supply(store: &mut Store, amount: &Quantity) {
    store.insert_cbor(TOTAL_SUPPLY, amount);
}

/// The common pool, base units.
pub fn common_pool(store: &Store) -> Result<Quantity> {
    balance(store, COMMON_POOL)
}

/// Sets the common pool, base units.
pub fn set_common_pool(store: &mut Store, amount: &Quantity) {
    store.insert_cbor(COMMON_POOL, amount);
}

/// The fees kept from the block before, base units.
pub fn last_block_fees(store: &Store) -> Result<Quantity> {
    balance(store, LAST_BLOCK_FEES)
}

/// Sets the fees kept for the next block, base units.
pub fn set_last_block_fees(store: &mut Store, amount: &Quantity) {
    store.insert_cbor(LAST_BLOCK_FEES, amount);
}

/// The deposits of open proposals, base units.
pub fn governance_deposits(store: &Store) -> Result<Quantity> {
    balance(store, GOVERNANCE_DEPOSITS)
}

/// Sets the deposits of open proposals, base units.
pub fn set_governance_deposits(store: &mut Store, amount: &Quantity) {
    store.insert_cbor(GOVERNANCE_DEPOSITS, amount);
}

thread_local! {
    /// The parameters that were read last, and from what: every transfer reads them, and they seldom change.
    static READ: RefCell<Option<(Value, Arc<ConsensusParameters>)>> = const { RefCell::new(None) };
}

/// The parameters.
pub fn params(store: &Store) -> Result<Arc<ConsensusParameters>> {
    let value = store.get(PARAMETERS)?.ok_or_else(|| missing("staking parameters"))?;
    let known = READ.with_borrow(|read| read.as_ref().filter(|(bytes, _)| *bytes == value).map(|(_, params)| Arc::clone(params)));
    if let Some(params) = known {
        return Ok(params);
    }
    let params: Arc<ConsensusParameters> = Arc::new(decode(PARAMETERS, &value)?);
    READ.set(Some((value, Arc::clone(&params))));
    Ok(params)
}

/// Sets the parameters; only for the first state and the end of a block.
pub fn set_params(store: &mut Store, params: &ConsensusParameters) {
    store.insert_cbor(PARAMETERS, params);
}

/// The thresholds, base units by kind.
pub fn thresholds(store: &Store) -> Result<Thresholds> {
    Ok(params(store)?.thresholds.clone())
}

/// Epochs that debonding takes.
pub fn debonding_interval(store: &Store) -> Result<EpochTime> {
    Ok(params(store)?.debonding_interval)
}

/// Every address with an account, in order.
pub fn addresses(store: &Store) -> Result<Vec<Address>> {
    let prefix = [ACCOUNT];
    let entries = store.iter_from(&prefix, &prefix);
    entries
        .map(|entry| {
            let (key, _) = entry?;
            key.get(1..).and_then(Address::from_slice).ok_or_else(|| damaged(&key))
        })
        .collect()
}

/// The account of an address, an empty one where there is none.
///
/// Fails without a code of its own for reserved addresses.
pub fn account(store: &Store, address: &Address) -> Result<Account> {
    if address.is_reserved() {
        return Err(Error::unknown(format!("tendermint/staking: invalid account address: {address}")));
    }
    Ok(store.get_cbor(&key(ACCOUNT, &[&address.0]))?.unwrap_or_default())
}

/// Sets an account.
pub fn set_account(store: &mut Store, address: &Address, account: &Account) {
    store.insert_cbor(&key(ACCOUNT, &[&address.0]), account);
}

/// The active escrow balance of an account, base units.
pub fn escrow_balance(store: &Store, address: &Address) -> Result<Quantity> {
    Ok(account(store, address)?.escrow.active.balance)
}

/// A delegation, an empty one where there is none.
pub fn delegation(store: &Store, delegator: &Address, escrow: &Address) -> Result<Delegation> {
    Ok(store.get_cbor(&key(DELEGATION, &[&escrow.0, &delegator.0]))?.unwrap_or_default())
}

/// Sets a delegation; one without shares is removed.
pub fn set_delegation(store: &mut Store, delegator: &Address, escrow: &Address, delegation: &Delegation) {
    let key = key(DELEGATION, &[&escrow.0, &delegator.0]);
    if delegation.shares.is_zero() {
        store.remove(&key);
    } else {
        store.insert_cbor(&key, delegation);
    }
}

/// All delegations.
pub fn delegations(store: &Store) -> Result<Delegations> {
    let mut out = Delegations::new();
    for (key, value) in store.iterate(&[DELEGATION])? {
        let (escrow, delegator, _) = two_addresses(&key)?;
        out.entry(escrow).or_default().as_mut().insert(delegator, decode::<Delegation>(&key, &value)?.into());
    }
    Ok(out)
}

/// The delegations of a delegator, by escrow account.
pub fn delegations_for(store: &Store, wanted: &Address) -> Result<BTreeMap<Address, Delegation>> {
    let prefix = [DELEGATION];
    let mut out = BTreeMap::new();
    for entry in store.iter_from(&prefix, &prefix) {
        let (key, value) = entry?;
        let (escrow, delegator, _) = two_addresses(&key)?;
        if delegator == *wanted {
            out.insert(escrow, decode(&key, &value)?);
        }
    }
    Ok(out)
}

/// The delegations to an escrow account, by delegator.
pub fn delegations_to(store: &Store, wanted: &Address) -> Result<BTreeMap<Address, Delegation>> {
    let mut out = BTreeMap::new();
    for (key, value) in store.iterate(&key(DELEGATION, &[&wanted.0]))? {
        let (_, delegator, _) = two_addresses(&key)?;
        out.insert(delegator, decode(&key, &value)?);
    }
    Ok(out)
}

/// A debonding delegation, an empty one where there is none.
pub fn debonding_delegation(store: &Store, delegator: &Address, escrow: &Address, epoch: EpochTime) -> Result<DebondingDelegation> {
    Ok(store.get_cbor(&debonding_key(delegator, escrow, epoch))?.unwrap_or_default())
}

fn debonding_key(delegator: &Address, escrow: &Address, epoch: EpochTime) -> Vec<u8> {
    key(DEBONDING_DELEGATION, &[&delegator.0, &escrow.0, &epoch.to_be_bytes()])
}

fn queue_key(epoch: EpochTime, delegator: &Address, escrow: &Address) -> Vec<u8> {
    key(DEBONDING_QUEUE, &[&epoch.to_be_bytes(), &delegator.0, &escrow.0])
}

/// Adds a debonding delegation to its queue; shares that end at the same epoch are added up.
///
/// Source: go/consensus/tendermint/apps/staking/state/state.go, `SetDebondingDelegation`.
pub fn add_debonding_delegation(
    store: &mut Store,
    delegator: &Address,
    escrow: &Address,
    epoch: EpochTime,
    new: &DebondingDelegation,
) -> Result<()> {
    let key = debonding_key(delegator, escrow, epoch);
    let mut merged = new.clone();
    if let Some(existing) = store.get_cbor::<DebondingDelegation>(&key)? {
        merged.merge(&existing)?;
    }
    store.insert(&queue_key(new.debond_end_time, delegator, escrow), Vec::new());
    store.insert_cbor(&key, &merged);
    Ok(())
}

/// Removes a debonding delegation, not its place in the queue.
pub fn remove_debonding_delegation(store: &mut Store, delegator: &Address, escrow: &Address, epoch: EpochTime) {
    store.remove(&debonding_key(delegator, escrow, epoch));
}

/// Removes a place of the debonding queue.
pub fn remove_from_debonding_queue(store: &mut Store, epoch: EpochTime, delegator: &Address, escrow: &Address) {
    store.remove(&queue_key(epoch, delegator, escrow));
}

/// All debonding delegations.
pub fn debonding_delegations(store: &Store) -> Result<DebondingDelegations> {
    let mut out = DebondingDelegations::new();
    for (key, value) in store.iterate(&[DEBONDING_DELEGATION])? {
        let (delegator, escrow, _) = two_addresses(&key)?;
        out.entry(escrow).or_default().as_mut().entry(delegator).or_default().push(decode::<DebondingDelegation>(&key, &value)?.into());
    }
    Ok(out)
}

/// Debonding delegations of or to one account, in the order of their ends.
pub type DebondingByAddress = BTreeMap<Address, NilVec<DebondingDelegation>>;

/// The debonding delegations of a delegator, by escrow account.
pub fn debonding_delegations_for(store: &Store, wanted: &Address) -> Result<DebondingByAddress> {
    let mut out = DebondingByAddress::new();
    for (key, value) in store.iterate(&key(DEBONDING_DELEGATION, &[&wanted.0]))? {
        let (_, escrow, _) = two_addresses(&key)?;
        out.entry(escrow).or_default().push(decode(&key, &value)?);
    }
    Ok(out)
}

/// The debonding delegations to an escrow account, by delegator.
pub fn debonding_delegations_to(store: &Store, wanted: &Address) -> Result<DebondingByAddress> {
    let prefix = [DEBONDING_DELEGATION];
    let mut out = DebondingByAddress::new();
    for entry in store.iter_from(&prefix, &prefix) {
        let (key, value) = entry?;
        let (delegator, escrow, _) = two_addresses(&key)?;
        if escrow == *wanted {
            out.entry(delegator).or_default().push(decode(&key, &value)?);
        }
    }
    Ok(out)
}

/// A place of the debonding queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DebondingQueueEntry {
    /// Epoch at which the delegation ends.
    pub epoch: EpochTime,
    /// The delegator.
    pub delegator: Address,
    /// The escrow account.
    pub escrow: Address,
    /// The delegation.
    pub delegation: DebondingDelegation,
}

/// The places of the debonding queue up to and with `epoch`, in order.
///
/// Source: go/consensus/tendermint/apps/staking/state/state.go, `ExpiredDebondingQueue`.
pub fn expired_debonding_queue(store: &Store, epoch: EpochTime) -> Result<Vec<DebondingQueueEntry>> {
    let prefix = [DEBONDING_QUEUE];
    let mut out = Vec::new();
    for entry in store.iter_from(&prefix, &prefix) {
        let (key, _) = entry?;
        let split = || {
            let (end, rest) = key.get(1..)?.split_at_checked(8)?;
            let (delegator, escrow) = rest.split_at_checked(Address::SIZE)?;
            Some((EpochTime::from_be_bytes(end.try_into().ok()?), Address::from_slice(delegator)?, Address::from_slice(escrow)?))
        };
        let (end, delegator, escrow) = split().ok_or_else(|| damaged(&key))?;
        if end > epoch {
            break;
        }
        let delegation = debonding_delegation(store, &delegator, &escrow, end)?;
        out.push(DebondingQueueEntry { epoch: end, delegator, escrow, delegation });
    }
    Ok(out)
}

/// Who signed how many blocks of this epoch.
pub fn epoch_signing(store: &Store) -> Result<EpochSigning> {
    Ok(store.get_cbor(EPOCH_SIGNING)?.unwrap_or_else(EpochSigning::new))
}

/// Sets who signed how many blocks.
pub fn set_epoch_signing(store: &mut Store, signing: &EpochSigning) {
    store.insert_cbor(EPOCH_SIGNING, signing);
}

/// Starts counting signatures anew.
pub fn clear_epoch_signing(store: &mut Store) {
    store.remove(EPOCH_SIGNING);
}

/// The name of a key of this app, for people; none for other keys.
pub fn key_name(key: &[u8]) -> Option<String> {
    let (prefix, _) = key.split_first()?;
    Some(match *prefix {
        ACCOUNT => format!("staking account {}", Address::from_slice(key.get(1..)?)?),
        0x51 => "staking total supply".to_owned(),
        0x52 => "staking common pool".to_owned(),
        DELEGATION => {
            let (escrow, delegator, _) = two_addresses(key).ok()?;
            format!("staking delegation of {delegator} to {escrow}")
        }
        DEBONDING_DELEGATION => {
            let (delegator, escrow, end) = two_addresses(key).ok()?;
            format!(
                "staking debonding delegation of {delegator} to {escrow} until epoch {}",
                EpochTime::from_be_bytes(end.try_into().ok()?)
            )
        }
        DEBONDING_QUEUE => {
            let end = EpochTime::from_be_bytes(key.get(1..9)?.try_into().ok()?);
            format!("staking debonding queue at epoch {end}")
        }
        0x56 => "staking parameters".to_owned(),
        0x57 => "staking last block fees".to_owned(),
        0x58 => "staking epoch signing".to_owned(),
        0x59 => "staking governance deposits".to_owned(),
        _ => return None,
    })
}
