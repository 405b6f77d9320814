//! `oasis-node genesis init`: a genesis document made of parameters and descriptors.
//!
//! Source: go/oasis-node/cmd/genesis/genesis.go, `doInitGenesis`; go/oasis-node/cmd/common/genesis/staking.go.

use std::{collections::BTreeMap, collections::BTreeSet, path::PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use oasis_consensus_app::genesis::{CheckOptions, check};
use oasis_consensus_types::{
    beacon::{self, InsecureParameters, PvssParameters},
    consensus,
    entity::{Entity, SignedEntity},
    genesis::Document,
    governance, keymanager,
    node::MultiSignedNode,
    registry::{self, GovernanceModel, Runtime},
    roothash, scheduler,
    staking::{self, Account, Delegation, ThresholdKind},
    transaction::Costs,
};
use oasis_node_service::entity::{descriptor, test_signer};
use oasis_primitives::{
    address::Address,
    namespace::Namespace,
    quantity::Quantity,
    signature::{Blacklist, ChainContext, PublicKey, SignatureRules, Signer as _},
    time::Timestamp,
};

use crate::{
    common::{CommonFlags, number, parse, path, read_json, warn, write_file},
    registry::entity::sign,
};

/// What the test entity owns, and as much again in escrow; base units.
///
/// Source: go/oasis-node/cmd/common/genesis/staking.go, `AppendTo`.
const TEST_ENTITY_STAKE: u64 = 100_000_000_000;

fn uint(text: &str) -> Result<u64, String> {
    number::uint(text).ok_or_else(|| "expected a whole number".to_owned())
}

fn small(text: &str) -> Result<u8, String> {
    uint(text).and_then(|number| u8::try_from(number).map_err(|_| "expected 0 to 255".to_owned()))
}

fn medium(text: &str) -> Result<u32, String> {
    uint(text).and_then(|number| u32::try_from(number).map_err(|_| format!("expected 0 to {}", u32::MAX)))
}

fn int(text: &str) -> Result<i64, String> {
    number::int(text).ok_or_else(|| "expected a whole number".to_owned())
}

fn duration(text: &str) -> Result<i64, String> {
    number::duration(text).ok_or_else(|| "expected a duration, for example 1s or 500ms".to_owned())
}

/// Arguments of `genesis init`.
#[derive(Debug, Args)]
pub struct InitArguments {
    /// Where the document goes.
    #[arg(id = "genesis.file", short = 'g', long = "genesis.file", value_name = "FILE", default_value = "genesis.json", value_parser = path)]
    file: PathBuf,
    /// The network's name.
    #[arg(id = "chain.id", long = "chain.id", value_name = "NAME", default_value = "", hide_default_value = true)]
    chain_id: String,
    /// The epoch in which the network halts.
    #[arg(id = "halt.epoch", long = "halt.epoch", value_name = "EPOCH", default_value = "18446744073709551615", value_parser = uint)]
    halt_epoch: u64,
    /// Height of the first block.
    #[arg(id = "initial_height", long = "initial_height", value_name = "HEIGHT", default_value = "1", value_parser = int, allow_negative_numbers = true)]
    initial_height: i64,
    /// Registrations of entities (`entity_genesis.json`).
    #[arg(long, value_name = "FILE", value_delimiter = ',')]
    entity: Vec<PathBuf>,
    /// Descriptors of runtimes.
    #[arg(long, value_name = "FILE", value_delimiter = ',')]
    runtime: Vec<PathBuf>,
    /// Registrations of nodes (`node_genesis.json`).
    #[arg(long, value_name = "FILE", value_delimiter = ',')]
    node: Vec<PathBuf>,
    /// States of runtimes.
    #[arg(long, value_name = "FILE", value_delimiter = ',')]
    roothash: Vec<PathBuf>,
    /// Statuses of key managers.
    #[arg(long, value_name = "FILE", value_delimiter = ',')]
    keymanager: Vec<PathBuf>,
    /// The staking section.
    #[arg(long, value_name = "FILE", default_value = "", hide_default_value = true, value_parser = path)]
    staking: PathBuf,
    #[command(flatten)]
    registry_flags: RegistryFlags,
    #[command(flatten)]
    scheduler_flags: SchedulerFlags,
    #[command(flatten)]
    governance_flags: GovernanceFlags,
    #[command(flatten)]
    beacon_flags: BeaconFlags,
    #[command(flatten)]
    roothash_flags: RootHashFlags,
    #[command(flatten)]
    staking_flags: StakingFlags,
    #[command(flatten)]
    consensus_flags: ConsensusFlags,
    /// Add the test entity, whose key everybody knows, with tokens.
    #[arg(id = "debug.test_entity", long = "debug.test_entity", hide = true)]
    test_entity: bool,
}

#[derive(Debug, Args)]
struct RegistryFlags {
    /// How many epochs ahead a node may register; 0 for no limit.
    #[arg(id = "registry.max_node_expiration", long = "registry.max_node_expiration", value_name = "EPOCHS", default_value = "5", value_parser = uint)]
    max_node_expiration: u64,
    /// Let no runtimes register after genesis.
    #[arg(id = "registry.disable_runtime_registration", long = "registry.disable_runtime_registration")]
    disable_runtime_registration: bool,
    #[arg(id = "registry.debug.allow_unroutable_addresses", long = "registry.debug.allow_unroutable_addresses", hide = true)]
    allow_unroutable_addresses: bool,
    #[arg(id = "registry.debug.allow_test_runtimes", long = "registry.debug.allow_test_runtimes", hide = true)]
    allow_test_runtimes: bool,
    #[arg(id = "registry.debug.bypass_stake", long = "registry.debug.bypass_stake", hide = true)]
    registry_bypass_stake: bool,
    /// Who may change runtimes: entity, runtime, consensus.
    #[arg(
        id = "registry.enable_runtime_governance_models",
        long = "registry.enable_runtime_governance_models",
        value_name = "MODELS",
        value_delimiter = ',',
        default_value = "entity"
    )]
    governance_models: Vec<String>,
}

#[derive(Debug, Args)]
struct SchedulerFlags {
    /// The fewest validators.
    #[arg(id = "scheduler.min_validators", long = "scheduler.min_validators", value_name = "NUMBER", default_value = "1", value_parser = int, allow_negative_numbers = true)]
    min_validators: i64,
    /// The most validators.
    #[arg(id = "scheduler.max_validators", long = "scheduler.max_validators", value_name = "NUMBER", default_value = "100", value_parser = int, allow_negative_numbers = true)]
    max_validators: i64,
    /// The most validators of an entity.
    #[arg(id = "scheduler.max_validators_per_entity", long = "scheduler.max_validators_per_entity", value_name = "NUMBER", default_value = "1", value_parser = int, allow_negative_numbers = true)]
    max_validators_per_entity: i64,
    #[arg(id = "scheduler.debug.bypass_stake", long = "scheduler.debug.bypass_stake", hide = true)]
    scheduler_bypass_stake: bool,
}

#[derive(Debug, Args)]
struct GovernanceFlags {
    /// Deposit of a proposal, base units.
    #[arg(id = "governance.min_proposal_deposit", long = "governance.min_proposal_deposit", value_name = "AMOUNT", default_value = "100", value_parser = uint)]
    min_proposal_deposit: u64,
    /// Percent of the voting power that must vote.
    #[arg(id = "governance.quorum", long = "governance.quorum", value_name = "PERCENT", default_value = "90", value_parser = small)]
    quorum: u8,
    /// Percent of the votes that must be for a proposal.
    #[arg(id = "governance.threshold", long = "governance.threshold", value_name = "PERCENT", default_value = "90", value_parser = small)]
    threshold: u8,
    /// Epochs before an upgrade in which it can't be cancelled any more.
    #[arg(id = "governance.upgrade_cancel_min_epoch_diff", long = "governance.upgrade_cancel_min_epoch_diff", value_name = "EPOCHS", default_value = "300", value_parser = uint)]
    upgrade_cancel_min_epoch_diff: u64,
    /// How many epochs ahead an upgrade must be.
    #[arg(id = "governance.upgrade_min_epoch_diff", long = "governance.upgrade_min_epoch_diff", value_name = "EPOCHS", default_value = "300", value_parser = uint)]
    upgrade_min_epoch_diff: u64,
    /// Epochs in which votes may be cast.
    #[arg(id = "governance.voting_period", long = "governance.voting_period", value_name = "EPOCHS", default_value = "100", value_parser = uint)]
    voting_period: u64,
}

#[derive(Debug, Args)]
struct BeaconFlags {
    /// Where randomness comes from: insecure, pvss.
    #[arg(id = "beacon.backend", long = "beacon.backend", value_name = "BACKEND", default_value = "insecure")]
    backend: String,
    #[arg(id = "beacon.debug.deterministic", long = "beacon.debug.deterministic", hide = true)]
    deterministic: bool,
    #[arg(id = "beacon.debug.mock_backend", long = "beacon.debug.mock_backend", hide = true)]
    mock_backend: bool,
    /// Blocks of an epoch.
    #[arg(id = "beacon.insecure.tendermint.interval", long = "beacon.insecure.tendermint.interval", value_name = "BLOCKS", default_value = "86400", value_parser = int, allow_negative_numbers = true)]
    interval: i64,
    /// Participants of a round.
    #[arg(id = "beacon.pvss.participants", long = "beacon.pvss.participants", value_name = "NUMBER", default_value = "10", value_parser = medium)]
    participants: u32,
    /// How many of them must take part.
    #[arg(id = "beacon.pvss.threshold", long = "beacon.pvss.threshold", value_name = "NUMBER", default_value = "7", value_parser = medium)]
    pvss_threshold: u32,
    /// Blocks in which they commit.
    #[arg(id = "beacon.pvss.commit_interval", long = "beacon.pvss.commit_interval", value_name = "BLOCKS", default_value = "43200", value_parser = int, allow_negative_numbers = true)]
    commit_interval: i64,
    /// Blocks in which they reveal.
    #[arg(id = "beacon.pvss.reveal_interval", long = "beacon.pvss.reveal_interval", value_name = "BLOCKS", default_value = "34560", value_parser = int, allow_negative_numbers = true)]
    reveal_interval: i64,
    /// Blocks from the last of them to the epoch's end.
    #[arg(id = "beacon.pvss.transition_delay", long = "beacon.pvss.transition_delay", value_name = "BLOCKS", default_value = "8639", value_parser = int, allow_negative_numbers = true)]
    transition_delay: i64,
    #[arg(id = "beacon.pvss.debug.forced_participant", long = "beacon.pvss.debug.forced_participant", value_delimiter = ',', hide = true)]
    forced_participants: Vec<String>,
}

#[derive(Debug, Args)]
struct RootHashFlags {
    #[arg(id = "roothash.debug.do_not_suspend_runtimes", long = "roothash.debug.do_not_suspend_runtimes", hide = true)]
    do_not_suspend_runtimes: bool,
    #[arg(id = "roothash.debug.bypass_stake", long = "roothash.debug.bypass_stake", hide = true)]
    roothash_bypass_stake: bool,
    /// The most messages of a runtime in a round.
    #[arg(id = "roothash.max_runtime_messages", long = "roothash.max_runtime_messages", value_name = "NUMBER", default_value = "128", value_parser = medium)]
    max_runtime_messages: u32,
}

#[derive(Debug, Args)]
struct StakingFlags {
    /// The token's ticker symbol; in place of the staking section's.
    #[arg(
        id = "staking.token_symbol",
        long = "staking.token_symbol",
        value_name = "SYMBOL",
        default_value = "",
        hide_default_value = true
    )]
    token_symbol: String,
    /// A token is 10 to this power base units; in place of the staking section's.
    #[arg(id = "staking.token_value_exponent", long = "staking.token_value_exponent", value_name = "NUMBER", default_value = "0", value_parser = small)]
    token_value_exponent: u8,
}

#[derive(Debug, Args)]
struct ConsensusFlags {
    /// The consensus engine: tendermint.
    #[arg(id = "consensus.backend", long = "consensus.backend", value_name = "BACKEND", default_value = "tendermint")]
    consensus_backend: String,
    /// Pause after a block.
    #[arg(id = "consensus.tendermint.timeout_commit", long = "consensus.tendermint.timeout_commit", value_name = "DURATION", default_value = "1s", value_parser = duration, allow_hyphen_values = true)]
    timeout_commit: i64,
    /// Go on as soon as all have voted.
    #[arg(id = "consensus.tendermint.skip_timeout_commit", long = "consensus.tendermint.skip_timeout_commit")]
    skip_timeout_commit: bool,
    /// Pause before a block without transactions.
    #[arg(id = "consensus.tendermint.empty_block_interval", long = "consensus.tendermint.empty_block_interval", value_name = "DURATION", default_value = "0s", value_parser = duration, allow_hyphen_values = true)]
    empty_block_interval: i64,
    /// Largest transaction.
    #[arg(
        id = "consensus.tendermint.max_tx_size",
        long = "consensus.tendermint.max_tx_size",
        value_name = "BYTES",
        default_value = "32kb"
    )]
    max_tx_size: String,
    /// Largest block.
    #[arg(
        id = "consensus.tendermint.max_block_size",
        long = "consensus.tendermint.max_block_size",
        value_name = "BYTES",
        default_value = "21mb"
    )]
    max_block_size: String,
    /// Most gas of a block; 0 for no limit.
    #[arg(id = "consensus.tendermint.max_block_gas", long = "consensus.tendermint.max_block_gas", value_name = "GAS", default_value = "0", value_parser = uint)]
    max_block_gas: u64,
    /// Most evidence of a block.
    #[arg(
        id = "consensus.tendermint.max_evidence_size",
        long = "consensus.tendermint.max_evidence_size",
        value_name = "BYTES",
        default_value = "1mb"
    )]
    max_evidence_size: String,
    /// Blocks between checkpoints of the state.
    #[arg(id = "consensus.state_checkpoint.interval", long = "consensus.state_checkpoint.interval", value_name = "BLOCKS", default_value = "10000", value_parser = uint)]
    checkpoint_interval: u64,
    /// How many checkpoints are kept.
    #[arg(id = "consensus.state_checkpoint.num_kept", long = "consensus.state_checkpoint.num_kept", value_name = "NUMBER", default_value = "2", value_parser = uint)]
    checkpoint_num_kept: u64,
    /// Size of a checkpoint's chunks.
    #[arg(
        id = "consensus.state_checkpoint.chunk_size",
        long = "consensus.state_checkpoint.chunk_size",
        value_name = "BYTES",
        default_value = "8mb"
    )]
    checkpoint_chunk_size: String,
    /// Gas for each byte of a transaction.
    #[arg(id = "consensus.gas_costs.tx_byte", long = "consensus.gas_costs.tx_byte", value_name = "GAS", default_value = "1", value_parser = uint)]
    gas_tx_byte: u64,
    /// Keys whose signatures are never accepted.
    #[arg(id = "consensus.blacklist_public_key", long = "consensus.blacklist_public_key", value_name = "KEY", value_delimiter = ',')]
    blacklist: Vec<String>,
}

/// Makes a document and writes it.
pub fn init(args: &InitArguments, common: &CommonFlags) -> Result<()> {
    if args.file.as_os_str().is_empty() {
        bail!("--genesis.file: no place for the document; for example: --genesis.file genesis.json");
    }
    if args.chain_id.is_empty() {
        bail!("--chain.id: genesis chain id missing; for example: --chain.id my-network");
    }
    let document = document(args, common, now())?;
    let options = CheckOptions { debug: common.debug, allow_test_keys: common.allow_test_keys };
    check(&document, options).map_err(|e| {
        let hint = if common.debug { "" } else { "; a test network's document needs --debug.dont_blame_oasis" };
        anyhow::anyhow!("genesis document failed sanity check: {e}{hint}")
    })?;
    write_file(&args.file, document.to_json_text().as_bytes())
}

/// The time, in UTC as any other.
fn now() -> Timestamp {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_unix(i64::try_from(now.as_secs()).unwrap_or(i64::MAX), now.subsec_nanos())
}

fn document(args: &InitArguments, common: &CommonFlags, time: Timestamp) -> Result<Document> {
    // Source: go/oasis-node/cmd/common/flags/flags.go, `DebugTestEntity`.
    let test_entity = args.test_entity && common.debug;
    Ok(Document {
        height: args.initial_height,
        time,
        chain_id: args.chain_id.clone(),
        registry: registry(args, common, test_entity)?,
        roothash: roothash(args)?,
        staking: staking(args, test_entity)?,
        keymanager: keymanager::Genesis {
            statuses: args.keymanager.iter().map(|path| Ok(read_json::<keymanager::Status>(path)?.into())).collect::<Result<_>>()?,
        },
        scheduler: scheduler(&args.scheduler_flags),
        beacon: beacon(&args.beacon_flags)?,
        governance: governance(&args.governance_flags),
        consensus: consensus(&args.consensus_flags)?,
        halt_epoch: args.halt_epoch,
        extra_data: Default::default(),
    })
}

fn costs<const N: usize>(operations: [&str; N], gas: u64) -> Costs {
    operations.into_iter().map(|operation| (operation.to_owned(), gas)).collect()
}

fn keys(flag: &str, texts: &[String]) -> Result<Vec<PublicKey>> {
    let example = "yT1h8/eN0VInQxn3YKcHxvSgGcsjsTSYmdTLZZMBTWI=";
    texts.iter().map(|text| parse(flag, Some(text), "a public key in base64", example, PublicKey::from_base64)).collect()
}

/// Source: go/oasis-node/cmd/genesis/genesis.go, `AppendRegistryState`.
fn registry(args: &InitArguments, common: &CommonFlags, with_test_entity: bool) -> Result<registry::Genesis> {
    let flags = &args.registry_flags;
    let mut models = BTreeMap::new();
    for model in flags.governance_models.iter().filter(|model| !model.is_empty()) {
        let read = |text: &str| GovernanceModel::from_text(&text.to_lowercase());
        let flag = "registry.enable_runtime_governance_models";
        models.insert(parse(flag, Some(model), "entity, runtime or consensus", "entity,runtime", read)?, true);
    }
    let rules = SignatureRules::new(ChainContext::UNSET, Blacklist::new(common.debug && common.allow_test_keys));
    let mut entities = Vec::new();
    let mut known = BTreeSet::new();
    for path in &args.entity {
        let name = path.display();
        let signed: SignedEntity = read_json(path)?;
        let entity: Entity = signed
            .0
            .open(&rules, &registry::REGISTER_ENTITY_SIGNATURE_CONTEXT)
            .with_context(|| format!("{name}: failed to load genesis entity"))?;
        // The original logs it, and goes on.
        if known.insert(entity.id) {
            entities.push(signed.into());
        } else {
            warn(format_args!("warning: {name}: duplicate entity registration, left out"));
        }
    }
    if with_test_entity {
        let key = test_signer();
        let entity = descriptor(key.public_key(), Vec::new());
        if !known.insert(entity.id) {
            bail!("--debug.test_entity: duplicate entity registration");
        }
        entities.push(sign(&key, &entity)?.into());
    }
    let operations = [
        registry::GAS_OP_REGISTER_ENTITY,
        registry::GAS_OP_DEREGISTER_ENTITY,
        registry::GAS_OP_REGISTER_NODE,
        registry::GAS_OP_UNFREEZE_NODE,
        registry::GAS_OP_REGISTER_RUNTIME,
        registry::GAS_OP_RUNTIME_EPOCH_MAINTENANCE,
        registry::GAS_OP_UPDATE_KEY_MANAGER,
    ];
    Ok(registry::Genesis {
        parameters: registry::ConsensusParameters {
            debug_allow_unroutable_addresses: flags.allow_unroutable_addresses,
            debug_allow_test_runtimes: flags.allow_test_runtimes,
            debug_bypass_stake: flags.registry_bypass_stake,
            gas_costs: costs(operations, 1000),
            max_node_expiration: flags.max_node_expiration,
            disable_runtime_registration: flags.disable_runtime_registration,
            enable_runtime_governance_models: models,
            ..Default::default()
        },
        entities,
        runtimes: args.runtime.iter().map(|path| Ok(read_json::<Runtime>(path)?.into())).collect::<Result<_>>()?,
        nodes: args.node.iter().map(|path| Ok(read_json::<MultiSignedNode>(path)?.into())).collect::<Result<_>>()?,
        ..Default::default()
    })
}

/// Source: go/oasis-node/cmd/genesis/genesis.go, `AppendRootHashState`.
fn roothash(args: &InitArguments) -> Result<roothash::Genesis> {
    let flags = &args.roothash_flags;
    let mut states = BTreeMap::new();
    for path in &args.roothash {
        let more: BTreeMap<Namespace, _> = read_json(path)?;
        for (id, state) in more {
            if states.insert(id, state).is_some() {
                bail!("{}: duplicate genesis roothash runtime states: {id}", path.display());
            }
        }
    }
    Ok(roothash::Genesis {
        parameters: roothash::ConsensusParameters {
            gas_costs: roothash::DEFAULT_GAS_COSTS.into_iter().map(|(operation, gas)| (operation.to_owned(), gas)).collect(),
            debug_do_not_suspend_runtimes: flags.do_not_suspend_runtimes,
            debug_bypass_stake: flags.roothash_bypass_stake,
            max_runtime_messages: flags.max_runtime_messages,
            max_evidence_age: 0,
        },
        runtime_states: states,
    })
}

/// Source: go/oasis-node/cmd/genesis/genesis.go, `appendStakingState`; go/oasis-node/cmd/common/genesis/staking.go, `AppendTo`.
fn staking(args: &InitArguments, with_test_entity: bool) -> Result<staking::Genesis> {
    let flags = &args.staking_flags;
    let mut state: staking::Genesis = if args.staking.as_os_str().is_empty() { Default::default() } else { read_json(&args.staking)? };
    if state.parameters.fee_split_weight_vote.is_zero() {
        state.parameters.fee_split_weight_vote = Quantity::from(1u64);
    }
    if !flags.token_symbol.is_empty() {
        state.token_symbol.clone_from(&flags.token_symbol);
    }
    if flags.token_value_exponent != 0 {
        state.token_value_exponent = flags.token_value_exponent;
    }
    if state.token_symbol.is_empty() {
        bail!("--staking.token_symbol: token symbol not set; for example: --staking.token_symbol TEST");
    }
    if with_test_entity {
        add_test_entity(&mut state)?;
    }
    if state.parameters.thresholds.is_empty() {
        state.parameters.thresholds = ThresholdKind::ALL.into_iter().map(|kind| (kind, Quantity::ZERO)).collect();
    }
    Ok(state)
}

fn add_test_entity(state: &mut staking::Genesis) -> Result<()> {
    let address = Address::of_public_key(&test_signer().public_key());
    if state.ledger.contains_key(&address) {
        bail!("--debug.test_entity: test entity already in ledger");
    }
    let stake = Quantity::from(TEST_ENTITY_STAKE);
    let share = Quantity::from(1u64);
    let mut account = Account::default();
    account.general.balance = stake.clone();
    account.escrow.active.balance = stake.clone();
    account.escrow.active.total_shares = share.clone();
    state.ledger.insert(address, account.into());
    let delegations = state.delegations.entry(address).or_default();
    let mut own = std::mem::take(delegations).0.unwrap_or_default();
    if own.insert(address, Delegation { shares: share }.into()).is_some() {
        bail!("--debug.test_entity: test entity already has a self-delegation");
    }
    *delegations = own.into();
    state.total_supply.add(&stake);
    state.total_supply.add(&stake);
    Ok(())
}

fn scheduler(flags: &SchedulerFlags) -> scheduler::Genesis {
    scheduler::Genesis {
        parameters: scheduler::ConsensusParameters {
            min_validators: flags.min_validators,
            max_validators: flags.max_validators,
            max_validators_per_entity: flags.max_validators_per_entity,
            debug_bypass_stake: flags.scheduler_bypass_stake,
            ..Default::default()
        },
    }
}

fn governance(flags: &GovernanceFlags) -> governance::Genesis {
    governance::Genesis {
        parameters: governance::ConsensusParameters {
            gas_costs: costs([governance::GAS_OP_SUBMIT_PROPOSAL, governance::GAS_OP_CAST_VOTE], 1000),
            min_proposal_deposit: Quantity::from(flags.min_proposal_deposit),
            voting_period: flags.voting_period,
            quorum: flags.quorum,
            threshold: flags.threshold,
            upgrade_min_epoch_diff: flags.upgrade_min_epoch_diff,
            upgrade_cancel_min_epoch_diff: flags.upgrade_cancel_min_epoch_diff,
        },
        ..Default::default()
    }
}

fn beacon(flags: &BeaconFlags) -> Result<beacon::Genesis> {
    let mut parameters = beacon::ConsensusParameters {
        backend: flags.backend.clone(),
        debug_mock_backend: flags.mock_backend,
        debug_deterministic: flags.deterministic,
        ..Default::default()
    };
    match flags.backend.as_str() {
        beacon::BACKEND_INSECURE => parameters.insecure_parameters = Some(InsecureParameters { interval: flags.interval }),
        beacon::BACKEND_PVSS => {
            parameters.pvss_parameters = Some(PvssParameters {
                participants: flags.participants,
                threshold: flags.pvss_threshold,
                commit_interval: flags.commit_interval,
                reveal_interval: flags.reveal_interval,
                transition_delay: flags.transition_delay,
                debug_forced_participants: keys("beacon.pvss.debug.forced_participant", &flags.forced_participants)?,
            });
        }
        // The check of the document says what is wrong.
        _ => (),
    }
    Ok(beacon::Genesis { base: 0, parameters })
}

fn consensus(flags: &ConsensusFlags) -> Result<consensus::Genesis> {
    Ok(consensus::Genesis {
        backend: flags.consensus_backend.clone(),
        parameters: consensus::Parameters {
            timeout_commit: flags.timeout_commit,
            skip_timeout_commit: flags.skip_timeout_commit,
            empty_block_interval: flags.empty_block_interval,
            max_tx_size: number::size(&flags.max_tx_size),
            max_block_size: number::size(&flags.max_block_size),
            max_block_gas: flags.max_block_gas,
            max_evidence_size: number::size(&flags.max_evidence_size),
            state_checkpoint_interval: flags.checkpoint_interval,
            state_checkpoint_num_kept: flags.checkpoint_num_kept,
            state_checkpoint_chunk_size: number::size(&flags.checkpoint_chunk_size),
            gas_costs: costs([consensus::GAS_OP_TX_BYTE], flags.gas_tx_byte),
            public_key_blacklist: keys("consensus.blacklist_public_key", &flags.blacklist)?,
        },
    })
}
