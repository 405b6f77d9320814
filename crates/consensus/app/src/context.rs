//! What an operation of the state machine runs in.
//!
//! Source: go/consensus/tendermint/api/context.go, `Context`.

use std::sync::Arc;

use oasis_consensus_types::{consensus::Parameters, transaction::Costs};
use oasis_primitives::{
    address::Address,
    quantity::Quantity,
    sgx::Policy,
    signature::{PublicKey, SignatureRules},
};

use crate::{
    epoch::{self, EPOCH_INVALID, EpochTime},
    error::{Error, Result},
    event::Event,
    gas::{GasAccountant, GasMeter},
    store::Store,
    upgrade::Upgrader,
};

/// What the operation is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Making the first state from the genesis document.
    InitChain,
    /// Checking a transaction for the mempool.
    CheckTx,
    /// A transaction of a block.
    DeliverTx,
    /// Estimating a transaction's gas.
    Simulate,
    /// Before a block's transactions.
    BeginBlock,
    /// After a block's transactions.
    EndBlock,
}

/// A block's time: seconds since 1970 and nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct BlockTime {
    /// Seconds since 1970-01-01 00:00 UTC.
    pub seconds: i64,
    /// Nanoseconds of the second.
    pub nanos: u32,
}

/// What the operator of a node chose.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Whether settings that only tests use are allowed (`--debug.dont_blame_oasis`).
    pub debug: bool,
    /// Least gas price for the mempool, base units a unit of gas.
    pub min_gas_price: Quantity,
    /// The node's own transaction signer.
    pub own_tx_signer: Option<PublicKey>,
    /// Which attestations of enclaves count.
    pub sgx: Policy,
    /// Whether each block ends with the supplementary sanity checks, and every how many blocks.
    pub supplementary_sanity_interval: Option<u64>,
}

/// What stays the same while one block (or one check) runs.
#[derive(Clone, Debug)]
pub struct Env {
    /// Height of the chain's first block.
    pub initial_height: i64,
    /// Height of the last committed block; one below the initial height where there is none.
    pub last_height: i64,
    /// Time of this block.
    pub now: BlockTime,
    /// The consensus parameters in force for this block.
    pub params: Arc<Parameters>,
    /// The epoch in the state after the last committed block.
    pub last_epoch: EpochTime,
    /// The epoch of the genesis document, in which there are no elections.
    ///
    /// Source: go/consensus/tendermint/abci/state.go, `GetBaseEpoch`.
    pub base_epoch: EpochTime,
    /// Which signatures count: the network's chain context and the keys that are never accepted.
    pub rules: SignatureRules,
    /// What the operator chose.
    pub options: Arc<Options>,
}

/// What the apps keep while a block runs and forget after it.
#[derive(Clone, Debug, Default)]
pub struct BlockContext {
    /// Gas left in the block; none where the block has no limit.
    pub gas: Option<GasAccountant>,
    /// Tendermint address of the proposer.
    pub proposer: Vec<u8>,
    /// The proposer's entity, where its node is registered.
    ///
    /// Source: go/consensus/tendermint/apps/staking/state/gas.go, `SetBlockProposer`.
    pub proposer_entity: Option<PublicKey>,
    /// Fees paid so far in the block, base units.
    ///
    /// Source: go/consensus/tendermint/apps/staking/state/gas.go, `feeAccumulator`.
    pub fees: Quantity,
    /// Whether the block has a transaction of the beacon already.
    ///
    /// Source: go/consensus/tendermint/apps/beacon/backend_pvss.go, `beaconTransactionIncludedKey`.
    pub beacon_tx_included: bool,
    /// Pending upgrades, where the node performs any; kept from block to block.
    pub upgrader: Option<Upgrader>,
}

/// An operation's view of the state and its block.
pub struct Context<'a> {
    /// The state.
    pub store: &'a mut Store,
    /// The block.
    pub block: &'a mut BlockContext,
    /// What stays the same.
    pub env: &'a Env,
    /// Events so far.
    pub events: Vec<Event>,
    /// Who counts the gas.
    pub gas: GasMeter,
    mode: Mode,
    message_execution: bool,
    tx_signer: PublicKey,
    caller: Address,
}

/// What differs in a child context.
#[derive(Clone, Copy, Debug, Default)]
pub struct Child {
    /// Another caller.
    pub caller: Option<Address>,
    /// Whether the child only simulates, which keeps its events from the parent.
    pub simulate: bool,
    /// Whether the child executes a runtime's message.
    pub message_execution: bool,
}

impl<'a> Context<'a> {
    /// A context without a signer, events or gas limit.
    pub fn new(store: &'a mut Store, block: &'a mut BlockContext, env: &'a Env, mode: Mode) -> Self {
        Self {
            store,
            block,
            env,
            events: Vec::new(),
            gas: GasMeter::None,
            mode,
            message_execution: false,
            tx_signer: PublicKey::default(),
            caller: Address::default(),
        }
    }

    /// What the operation is part of.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Whether this checks a transaction for the mempool.
    pub fn is_check_only(&self) -> bool {
        self.mode == Mode::CheckTx
    }

    /// Whether this estimates gas.
    pub fn is_simulation(&self) -> bool {
        self.mode == Mode::Simulate
    }

    /// Whether this makes the first state.
    pub fn is_init_chain(&self) -> bool {
        self.mode == Mode::InitChain
    }

    /// Whether this executes a runtime's message.
    pub fn is_message_execution(&self) -> bool {
        self.message_execution
    }

    /// The time of this block.
    pub fn now(&self) -> BlockTime {
        self.env.now
    }

    /// Height of the last committed block: the block that runs is one above.
    ///
    /// Source: go/consensus/tendermint/api/context.go, `BlockHeight`.
    pub fn block_height(&self) -> i64 {
        self.env.last_height
    }

    /// Height of the block that runs.
    pub fn current_height(&self) -> i64 {
        self.env.last_height.saturating_add(1)
    }

    /// Height of the chain's first block.
    pub fn initial_height(&self) -> i64 {
        self.env.initial_height
    }

    /// Last committed height as the application reports it: 0 where no block was committed.
    ///
    /// Source: go/consensus/tendermint/abci/state.go, `BlockHeight`.
    pub fn app_block_height(&self) -> i64 {
        if self.env.last_height < self.env.initial_height { 0 } else { self.env.last_height }
    }

    /// The transaction's signer.
    pub fn tx_signer(&self) -> PublicKey {
        self.tx_signer
    }

    /// Sets the signer, whose account becomes the caller.
    pub fn set_tx_signer(&mut self, signer: PublicKey) {
        self.set_tx_signer_at(signer, Address::of_public_key(&signer));
    }

    /// Sets the signer, whose account's address is known.
    pub(crate) fn set_tx_signer_at(&mut self, signer: PublicKey, address: Address) {
        self.tx_signer = signer;
        self.caller = address;
    }

    /// The account on whose behalf the operation runs.
    pub fn caller_address(&self) -> Address {
        self.caller
    }

    /// Adds an event; one without attributes is dropped.
    pub fn emit(&mut self, event: Event) {
        if !event.attributes.is_empty() {
            self.events.push(event);
        }
    }

    /// Whether an event of the app has an attribute with this key.
    pub fn has_event(&self, app: &str, key: &str) -> bool {
        let kind = Event::new(app).kind;
        self.events.iter().any(|e| e.kind == kind && e.attributes.iter().any(|(k, _)| k == key.as_bytes()))
    }

    /// Uses `multiplier` times the cost of an operation.
    pub fn use_gas(&mut self, multiplier: u64, operation: &str, costs: &Costs) -> Result<()> {
        self.gas.use_gas(self.block.gas.as_mut(), multiplier, operation, costs)
    }

    /// Gas used so far.
    pub fn gas_used(&self) -> u64 {
        self.gas.used(self.block.gas.as_ref())
    }

    /// The current epoch, the scheduled one where it starts with this block.
    ///
    /// Source: go/consensus/tendermint/abci/state.go, `GetCurrentEpoch`.
    pub fn current_epoch(&self) -> Result<EpochTime> {
        let height = self.app_block_height();
        if height == 0 {
            return Ok(EPOCH_INVALID);
        }
        let next = height.saturating_add(1);
        match epoch::future(self.store)? {
            Some(future) if future.height == next => Ok(future.epoch),
            _ => Ok(epoch::current(self.store)?.epoch),
        }
    }

    /// The new epoch, where it changed with this block.
    ///
    /// Source: go/consensus/tendermint/abci/state.go, `EpochChanged`.
    pub fn epoch_changed(&self) -> Result<Option<EpochTime>> {
        let (changed, epoch) = self.epoch_changed_or_current()?;
        Ok(changed.then_some(epoch))
    }

    /// Whether the epoch changed with this block, and the current epoch either way.
    ///
    /// The chain's first two blocks never change it: there is no block before the first one.
    pub fn epoch_changed_or_current(&self) -> Result<(bool, EpochTime)> {
        let height = self.app_block_height();
        if height == 0 {
            return Ok((false, EPOCH_INVALID));
        }
        let current = epoch::current(self.store)?.epoch;
        Ok((height != self.env.initial_height && current != self.env.last_epoch, current))
    }

    /// Runs `f` on a layer of changes: kept where it succeeds, dropped where it fails. Events stay either way.
    ///
    /// Source: go/consensus/tendermint/api/context.go, `StartCheckpoint`.
    pub fn checkpoint<T>(&mut self, f: impl FnOnce(&mut Context<'_>) -> Result<T>) -> Result<T> {
        self.store.begin();
        let result = f(self);
        if result.is_ok() {
            self.store.commit();
        } else {
            self.store.rollback();
        }
        result
    }

    /// Runs `f` on a layer of changes that is dropped in any case. Events stay.
    pub fn discard<T>(&mut self, f: impl FnOnce(&mut Context<'_>) -> Result<T>) -> Result<T> {
        self.store.begin();
        let result = f(self);
        self.store.rollback();
        result
    }

    /// Runs `f` in a child context, whose events reach this one unless it simulates.
    ///
    /// The child uses this context's gas meter.
    /// Source: go/consensus/tendermint/api/context.go, `NewChild`, `Close`.
    pub fn child<T>(&mut self, options: Child, f: impl FnOnce(&mut Context<'_>) -> T) -> T {
        let mode = if options.simulate { Mode::Simulate } else { self.mode };
        let mut child = Context {
            store: &mut *self.store,
            block: &mut *self.block,
            env: self.env,
            events: Vec::new(),
            gas: std::mem::take(&mut self.gas),
            mode,
            message_execution: self.message_execution || options.message_execution,
            tx_signer: self.tx_signer,
            caller: options.caller.unwrap_or(self.caller),
        };
        let result = f(&mut child);
        let Context { events, gas, .. } = child;
        self.gas = gas;
        if mode != Mode::Simulate {
            self.events.extend(events);
        }
        result
    }

    /// Runs `f` with another gas meter and puts the old one back; returns what `f` left of the other.
    pub fn with_gas<T>(&mut self, gas: GasMeter, f: impl FnOnce(&mut Context<'_>) -> T) -> (T, GasMeter) {
        let old = std::mem::replace(&mut self.gas, gas);
        let result = f(self);
        (result, std::mem::replace(&mut self.gas, old))
    }
}

/// A missing record that the state must hold.
pub fn missing(what: &str) -> Error {
    Error::fatal(format!("{what} is not in the state"))
}
