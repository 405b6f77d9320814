//! Transfers through four validators.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use oasis_consensus_types::{
    staking::Transfer,
    transaction::{Fee, SignedTransaction, Transaction},
};
use oasis_node_service::{
    api::{block::Block, results::TransactionsWithResults},
    grpc::Client,
};
use oasis_primitives::{
    address::Address,
    cbor,
    quantity::Quantity,
    signature::{ChainContext, MemorySigner, Signer},
};

use super::{
    PATIENCE, Plan,
    api::SignerNonceRequest,
    caller::Caller,
    network::{Kind, Network, Running, Spec},
    report::Figure,
};

/// Accounts that send, each one transfer after the other.
const SENDERS: u64 = 240;
/// Transfers that are signed beforehand, of each sender: more than any program takes.
const EACH: u64 = 1_500;
/// Connections to a node.
const CONNECTIONS: usize = 2;
/// Load before anything is measured.
const WARM_UP: Duration = Duration::from_secs(3);
/// How often blocks are looked for.
const POLL: Duration = Duration::from_millis(20);
/// The fewest blocks that are measured, and how long these are waited for.
const FEWEST_BLOCKS: i64 = 3;
const LONGEST: Duration = Duration::from_secs(90);
/// What a sender waits that was refused because too much waits already.
const PAUSE: Duration = Duration::from_millis(50);

struct Outcome {
    rate: f64,
    processor: f64,
    blocks: i64,
    refused: u64,
}

pub fn measure(plan: &Plan<'_>) -> Result<(Vec<Figure>, String)> {
    let outcomes = plan.each(|kind| one(plan, kind))?;
    let figures = vec![
        Figure {
            name: "transfers_per_second".to_owned(),
            title: "transfers through four validators".to_owned(),
            unit: "/s",
            digits: 0,
            more: true,
            goal: "5 times the original's",
            values: outcomes.iter().map(|o| o.rate).collect(),
        },
        Figure {
            name: "transfer_processor_microseconds".to_owned(),
            title: "processor time of all four, a transfer".to_owned(),
            unit: "µs",
            digits: 0,
            more: false,
            goal: "",
            values: outcomes.iter().map(|o| o.processor).collect(),
        },
    ];
    let seen: Vec<String> = plan
        .kinds
        .iter()
        .zip(&outcomes)
        .map(|(kind, o)| format!("{}: {} blocks, {} times refused for the moment", kind.name, o.blocks, o.refused))
        .collect();
    let note = format!(
        "Transfers came from {SENDERS} accounts, signed beforehand, over {} connections, for {} s or three blocks, with no pause between blocks ({}).",
        CONNECTIONS * Spec::default().validators,
        plan.options.load_seconds,
        seen.join("; ")
    );
    Ok((figures, note))
}

fn one(plan: &Plan<'_>, kind: &Kind) -> Result<Outcome> {
    plan.say(format_args!("transfers: {}", kind.name));
    let senders: Vec<MemorySigner> = (0..SENDERS).map(|n| MemorySigner::for_test(&format!("bench-net sender {n}"))).collect();
    let accounts = senders.iter().map(|sender| sender.public_key()).collect();
    let spec = Spec { timeout_commit: 1, epoch_interval: 1000, accounts, ..Spec::default() };
    let network = Network::new(plan.dir.join(format!("transfers-{}", kind.name)), &spec)?;
    let all: Vec<usize> = (0..spec.validators).collect();
    let start = |number: &usize| network.start(plan.processes, *number, kind, &all);
    let mut nodes: Vec<Running> = all.iter().map(start).collect::<Result<_>>()?;
    for node in &mut nodes {
        node.wait_height(5, PATIENCE)?;
    }
    // One thread: the rest of the machine is the nodes'.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(load(plan, &nodes, &senders));
    runtime.shutdown_timeout(Duration::from_secs(1));
    outcome
}

/// The transfers of a sender, in the order of their nonces.
fn signed(sender: &MemorySigner, chain: &ChainContext) -> Result<Vec<Vec<u8>>> {
    let to = Address::of_public_key(&MemorySigner::for_test("bench-net receiver").public_key());
    let body = Transfer { to, amount: Quantity::from(1u64) };
    let sign = |nonce| {
        let transaction = Transaction::new(nonce, Some(Fee { amount: Quantity::default(), gas: 10_000 }), "staking.Transfer", &body);
        Ok(cbor::to_vec(&SignedTransaction::sign(sender, chain, &transaction)?))
    };
    (0..EACH).map(sign).collect()
}

async fn load(plan: &Plan<'_>, nodes: &[Running], senders: &[MemorySigner]) -> Result<Outcome> {
    let mut callers = Vec::new();
    for node in nodes {
        for _ in 0..CONNECTIONS {
            callers.push(Caller::connect(&node.socket).await?);
        }
    }
    let first = Client::connect_unix(&nodes.first().context("no node")?.socket).await?;
    let context: String = first.call("oasis-core.Consensus/GetChainContext", &cbor::Value::Null).await?;
    let chain = ChainContext::new(context)?;
    let ready: Vec<Vec<Vec<u8>>> = senders.iter().map(|sender| signed(sender, &chain)).collect::<Result<_>>()?;
    let refused = Arc::new(AtomicU64::new(0));
    let stop = Arc::new(AtomicBool::new(false));
    let tasks: Vec<_> = ready
        .into_iter()
        .zip(senders)
        .zip(callers.iter().cycle())
        .map(|((transactions, sender), caller)| {
            let sender = Address::of_public_key(&sender.public_key());
            tokio::spawn(send(caller.clone(), sender, transactions, Arc::clone(&refused), Arc::clone(&stop)))
        })
        .collect();
    let processor = || nodes.iter().map(Running::processor_time).sum::<Result<Duration>>();
    tokio::time::sleep(WARM_UP).await;
    // From a block to a block: what is measured holds whole ones.
    let (before, start) = next_block(&first, latest(&first).await?).await?;
    let busy = processor()?;
    let mut last = (before, start, busy);
    while start.elapsed() < plan.load_time() || (last.0 < before + FEWEST_BLOCKS && start.elapsed() < LONGEST) {
        let (height, seen) = next_block(&first, last.0).await?;
        last = (height, seen, processor()?);
    }
    stop.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await??;
    }
    let (after, end, busy_after) = last;
    let mut count = 0;
    for height in before + 1..=after {
        let done: TransactionsWithResults = first.call("oasis-core.Consensus/GetTransactionsWithResults", &height).await?;
        count += done.results.iter().filter(|result| result.error.code == 0).count();
    }
    if count == 0 {
        bail!("no transfers between heights {before} and {after}");
    }
    Ok(Outcome {
        rate: count as f64 / end.duration_since(start).as_secs_f64(),
        processor: busy_after.saturating_sub(busy).as_secs_f64() * 1e6 / count as f64,
        blocks: after - before,
        refused: refused.load(Ordering::Relaxed),
    })
}

async fn latest(client: &Client) -> Result<i64> {
    let block: Block = client.call("oasis-core.Consensus/GetBlock", &0i64).await?;
    Ok(block.height)
}

/// Waits for a higher block; gives its height, and when it was seen.
async fn next_block(client: &Client, height: i64) -> Result<(i64, Instant)> {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        let now = latest(client).await?;
        if now > height {
            return Ok((now, Instant::now()));
        }
        tokio::time::sleep(POLL).await;
    }
    bail!("no block after height {height} within {} s", PATIENCE.as_secs())
}

/// Sends one transfer after the other until it is time.
async fn send(caller: Caller, sender: Address, transactions: Vec<Vec<u8>>, refused: Arc<AtomicU64>, stop: Arc<AtomicBool>) -> Result<()> {
    let mut next = 0;
    while !stop.load(Ordering::Relaxed) {
        let transaction = transactions.get(next).context("the program takes more transfers than were signed beforehand")?;
        let Err(reason) = caller.call("oasis-core.ConsensusLight/SubmitTxNoWait", transaction).await? else {
            next += 1;
            continue;
        };
        refused.fetch_add(1, Ordering::Relaxed);
        if reason.contains("duplicate") {
            next += 1;
            continue;
        }
        let lost = reason.contains("invalid nonce");
        if !lost && !reason.contains("mempool is full") {
            bail!("a transfer was refused: {reason}");
        }
        tokio::time::sleep(PAUSE).await;
        if lost {
            // What had been taken was forgotten again: from the last that is in a block.
            let request = cbor::to_vec(&SignerNonceRequest { account_address: sender, height: 0 });
            let answer = caller.call("oasis-core.Consensus/GetSignerNonce", &request).await?.map_err(anyhow::Error::msg)?;
            // A message has five bytes before it.
            next = cbor::from_slice::<u64>(answer.get(5..).unwrap_or_default())? as usize;
        }
    }
    Ok(())
}
