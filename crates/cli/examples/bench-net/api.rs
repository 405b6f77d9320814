//! Calls of a validator over its socket.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use oasis_consensus_types::staking::OwnerQuery;
use oasis_primitives::{
    address::Address,
    cbor::{self, Cbor},
    signature::{MemorySigner, Signer},
};

use super::{
    PATIENCE, Plan,
    network::{Kind, Network, Running, Spec},
    report::Figure,
    wire::{self, Wire},
};

/// Accounts that are asked for.
const ACCOUNTS: u64 = 1000;
/// Connections, each with one call at a time.
const CONNECTIONS: usize = 16;
/// Blocks that are asked for.
const BLOCKS: u64 = 10;
/// Pause between the calls of a connection where times are measured: together 4,000 calls/s, which both programs bear.
const EVERY: Duration = Duration::from_millis(4);
/// Calls before anything is measured.
const WARM_UP: Duration = Duration::from_secs(1);

/// Source: go/consensus/api/api.go, `GetSignerNonceRequest`.
#[derive(Clone, Debug, Default, Cbor)]
pub struct SignerNonceRequest {
    /// The account.
    pub account_address: Address,
    /// 0 for the latest.
    pub height: i64,
}

/// A kind of call: name in JSON, title, method, and the requests that take turns.
type Call = (&'static str, &'static str, &'static str, Vec<Vec<u8>>);

fn calls() -> Vec<Call> {
    let accounts: Vec<Address> = keys().iter().map(|key| Address::of_public_key(&key.public_key())).collect();
    let account = accounts.iter().map(|owner| cbor::to_vec(&OwnerQuery { height: 0, owner: *owner })).collect();
    let nonce = accounts.iter().map(|owner| cbor::to_vec(&SignerNonceRequest { account_address: *owner, height: 0 })).collect();
    let heights: Vec<Vec<u8>> = (1..=BLOCKS).map(|height| cbor::to_vec(&height)).collect();
    vec![
        ("account", "accounts (Staking/Account)", "oasis-core.Staking/Account", account),
        ("nonce", "nonces (Consensus/GetSignerNonce)", "oasis-core.Consensus/GetSignerNonce", nonce),
        ("block", "blocks (Consensus/GetBlock)", "oasis-core.Consensus/GetBlock", heights.clone()),
        ("transactions", "a block's transactions (Consensus/GetTransactions)", "oasis-core.Consensus/GetTransactions", heights),
    ]
}

fn keys() -> Vec<MemorySigner> {
    (0..ACCOUNTS).map(|n| MemorySigner::for_test(&format!("bench-net account {n}"))).collect()
}

/// What came of a kind of call.
#[derive(Clone, Copy, Default)]
struct Outcome {
    rate: f64,
    /// Microseconds.
    p50: f64,
    p99: f64,
    /// The node's processor time, microseconds a call.
    processor: f64,
}

pub fn measure(plan: &Plan<'_>) -> Result<(Vec<Figure>, String)> {
    let calls = calls();
    let outcomes = plan.each(|kind| one(plan, kind, &calls))?;
    let mut figures = Vec::new();
    type Column = (&'static str, &'static str, &'static str, bool, &'static str, fn(&Outcome) -> f64);
    let columns: [Column; 4] = [
        ("calls_per_second", "calls for", "/s", true, "5 times the original's", |o| o.rate),
        ("p50_microseconds", "median time, at 4,000 /s, of calls for", "µs", false, "", |o| o.p50),
        ("p99_microseconds", "99th percentile, at 4,000 /s, of calls for", "µs", false, "a fifth", |o| o.p99),
        ("processor_microseconds", "the node's processor time, a call for", "µs", false, "", |o| o.processor),
    ];
    for (at, (name, title, _, _)) in calls.iter().enumerate() {
        for (suffix, what, unit, more, goal, value) in columns {
            let values = outcomes.iter().map(|all| all.get(at).map(value).unwrap_or_default()).collect();
            let (name, title) = (format!("{name}_{suffix}"), format!("{what} {title}"));
            figures.push(Figure { name, title, unit, digits: 0, more, goal, values });
        }
    }
    let note = format!(
        "Calls went over {CONNECTIONS} connections to a validator with a pause of 1 s after each block, one at a time on each, for {} s a kind: \
         first as many as the node answers, then 4,000 a second, whose times are those here; the client shares the machine.",
        plan.options.load_seconds
    );
    Ok((figures, note))
}

fn one(plan: &Plan<'_>, kind: &Kind, calls: &[Call]) -> Result<Vec<Outcome>> {
    plan.say(format_args!("calls: {}", kind.name));
    let accounts = keys().iter().map(|key| key.public_key()).collect();
    let spec = Spec { validators: 1, accounts, ..Spec::default() };
    let network = Network::new(plan.dir.join(format!("api-{}", kind.name)), &spec)?;
    let mut node = network.start(plan.processes, 0, kind, &[])?;
    node.wait_height(BLOCKS, PATIENCE)?;
    // One thread: the rest of the machine is the node's.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcomes = calls.iter().map(|(_, title, method, requests)| {
        plan.say(format_args!("calls: {}, {title}", kind.name));
        let requests = Arc::new(requests.clone());
        let run = |every, time| runtime.block_on(load(&node.socket, method, &requests, every, time));
        drop(run(None, WARM_UP)?);
        let before = node.processor_time()?;
        let start = Instant::now();
        let count = run(None, plan.load_time())?.len();
        let (elapsed, processor) = (start.elapsed(), node.processor_time()?.saturating_sub(before));
        outcome(count, elapsed, processor, run(Some(EVERY), plan.load_time())?)
    });
    let outcomes = outcomes.collect();
    runtime.shutdown_timeout(Duration::from_secs(1));
    alive(node)?;
    outcomes
}

/// A node that has failed in the meantime is no result.
fn alive(mut node: Running) -> Result<()> {
    let height = node.height + 1;
    node.wait_height(height, PATIENCE).map(drop)
}

fn outcome(count: usize, elapsed: Duration, processor: Duration, mut times: Vec<Duration>) -> Result<Outcome> {
    times.sort_unstable();
    let part = |hundredths: usize| times.get(times.len().saturating_sub(1) * hundredths / 100).context("no call was answered");
    Ok(Outcome {
        rate: count as f64 / elapsed.as_secs_f64(),
        p50: part(50)?.as_secs_f64() * 1e6,
        p99: part(99)?.as_secs_f64() * 1e6,
        processor: processor.as_secs_f64() * 1e6 / count as f64,
    })
}

/// Calls over all connections for a while, each at its time or as soon as the one before is answered; gives how long each took.
async fn load(
    socket: &Path,
    method: &'static str,
    requests: &Arc<Vec<Vec<u8>>>,
    every: Option<Duration>,
    time: Duration,
) -> Result<Vec<Duration>> {
    let headers: Arc<[u8]> = wire::headers(method)?.into();
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        connections.push(Wire::connect(socket).await?);
    }
    let begin = Instant::now();
    let mut tasks = Vec::new();
    for (number, mut connection) in connections.into_iter().enumerate() {
        let (requests, headers) = (Arc::clone(requests), Arc::clone(&headers));
        // Connections take turns.
        let mut due = every.map(|every| begin + every * number as u32 / CONNECTIONS as u32);
        tasks.push(tokio::spawn(async move {
            let mut times = Vec::new();
            for request in requests.iter().cycle().skip(number * requests.len() / CONNECTIONS) {
                let mut start = Instant::now();
                if let (Some(every), Some(at)) = (every, &mut due) {
                    // One that could not be made in time has waited since then.
                    if start < *at {
                        tokio::time::sleep_until((*at).into()).await;
                        start = Instant::now();
                    } else {
                        start = *at;
                    }
                    *at += every;
                }
                if start.duration_since(begin) >= time {
                    break;
                }
                connection.call(&headers, request).await.with_context(|| method)?;
                times.push(start.elapsed());
            }
            anyhow::Ok(times)
        }));
    }
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await??);
    }
    Ok(all)
}
