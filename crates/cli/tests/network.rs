//! Networks of processes of this program.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use oasis_consensus_engine::{address_of, proto};
use oasis_consensus_types::{
    entity::Entity,
    node::{Address, BeaconInfo, ConsensusAddress, ConsensusInfo, MultiSignedNode, Node, P2pInfo, Roles, TlsInfo},
    registry::{REGISTER_ENTITY_SIGNATURE_CONTEXT, REGISTER_NODE_SIGNATURE_CONTEXT},
};
use oasis_node_service::{
    grpc::{Client, SOCKET_FILE},
    identity::Identity,
};
use oasis_primitives::{
    address,
    cbor::Cbor,
    json::ToJson,
    signature::{ChainContext, MemorySigner, MultiSigned, SignedBlob, Signer},
};
use prost::Message;
use serde_json::{Value, json};

const NODES: usize = 4;
const STAKE: u64 = 1_000_000_000;
const BALANCE: u64 = 1_000_000_000_000;
const EXPIRATION: u64 = 1_000_000;
const INTERVAL: u64 = 30;
/// How long anything may take, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone, Debug, Default, Cbor)]
struct LightBlock {
    height: i64,
    meta: Vec<u8>,
}

/// Processes of a network in a directory; all are killed when this is dropped.
struct Network {
    dir: tempfile::TempDir,
    ports: Vec<u16>,
    ids: Vec<String>,
    processes: Vec<Option<Child>>,
}

impl Drop for Network {
    fn drop(&mut self) {
        for process in self.processes.iter_mut().flatten() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

impl Network {
    /// A network with a genesis document, configurations and keys. Nothing runs yet.
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        // All are open at once, so that no port is given twice.
        let free: Vec<TcpListener> = (0..NODES).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let ports: Vec<u16> = free.iter().map(|socket| socket.local_addr().unwrap().port()).collect();
        drop(free);
        let mut network = Self { dir, ports, ids: Vec::new(), processes: (0..NODES).map(|_| None).collect() };
        let identities: Vec<Identity> = (0..NODES)
            .map(|number| {
                oasis_node_service::files::make_private_directory(&network.node(number)).unwrap();
                Identity::load_or_generate(&network.node(number)).unwrap()
            })
            .collect();
        network.ids = identities.iter().map(|identity| hex::encode(address_of(&identity.p2p.public_key().0))).collect();
        for name in ["processes", "another"] {
            fs::write(network.dir.path().join(format!("{name}.json")), genesis(name, &identities, &network.ports)).unwrap();
        }
        for number in 0..NODES {
            fs::write(network.config(number), network.config_text(number, "processes")).unwrap();
        }
        network
    }

    fn node(&self, number: usize) -> PathBuf {
        self.dir.path().join(format!("node{number}"))
    }

    fn config(&self, number: usize) -> PathBuf {
        self.dir.path().join(format!("node{number}.yml"))
    }

    fn config_text(&self, number: usize, genesis: &str) -> String {
        let peers: Vec<String> =
            (0..NODES).filter(|peer| *peer != number).map(|peer| format!("{}@127.0.0.1:{}", self.ids[peer], self.ports[peer])).collect();
        let port = self.ports[number];
        let value = json!({
            "datadir": self.node(number),
            "log": { "file": self.node(number).join("node.log"), "level": { "default": "info" } },
            "genesis": { "file": self.dir.path().join(format!("{genesis}.json")) },
            "consensus": {
                "validator": true,
                "tendermint": {
                    "core": { "listen_address": format!("tcp://127.0.0.1:{port}"), "external_address": format!("tcp://127.0.0.1:{port}") },
                    "p2p": { "persistent_peer": peers },
                    "debug": { "addr_book_lenient": true, "allow_duplicate_ip": true },
                },
            },
            "debug": { "dont_blame_oasis": true },
        });
        // JSON is YAML.
        value.to_string()
    }

    fn command(config: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_oasis-node"));
        command.arg("--config").arg(config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    fn start(&mut self, number: usize) {
        self.processes[number] = Some(Self::command(&self.config(number)).spawn().unwrap());
    }

    /// kill -9.
    fn kill(&mut self, number: usize) {
        let mut process = self.processes[number].take().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// What a start that must fail says.
    fn refusal(config: &Path) -> String {
        let output = Self::command(config).stderr(Stdio::piped()).output().unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    }

    /// The header of a height on a node.
    async fn header(&self, number: usize, height: i64) -> Option<proto::Header> {
        let client = Client::connect_unix(&self.node(number).join(SOCKET_FILE)).await.ok()?;
        let block: LightBlock = client.call("oasis-core.ConsensusLight/GetLightBlock", &height).await.ok()?;
        proto::LightBlock::decode(block.meta.as_slice()).unwrap().signed_header?.header
    }

    async fn wait_height(&mut self, height: i64) {
        let start = Instant::now();
        for number in 0..NODES {
            while self.header(number, height).await.is_none() {
                let log = || fs::read_to_string(self.node(number).join("node.log")).unwrap_or_default();
                assert!(start.elapsed() < PATIENCE, "node {number} has not reached height {height}: {}", tail(&log()));
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

fn tail(text: &str) -> &str {
    text.get(text.len().saturating_sub(4000)..).unwrap_or(text)
}

/// The genesis document of a network of these validators.
fn genesis(name: &str, validators: &[Identity], ports: &[u16]) -> String {
    let chain = ChainContext::UNSET;
    let mut entities = Vec::new();
    let mut nodes = Vec::new();
    let mut ledger = serde_json::Map::new();
    let mut delegations = serde_json::Map::new();
    for (number, keys) in validators.iter().enumerate() {
        let mut seed = [7; 32];
        seed[0] = number as u8;
        let owner = MemorySigner::from_seed(&seed);
        let entity = Entity { v: 2, id: owner.public_key(), nodes: vec![keys.node.public_key()] };
        entities.push(SignedBlob::sign(&owner, &REGISTER_ENTITY_SIGNATURE_CONTEXT, &chain, &entity).unwrap().to_json());
        let address = Address::from_text(&format!("127.0.0.1:{}", ports[number])).unwrap();
        let node = Node {
            v: 1,
            id: keys.node.public_key(),
            entity_id: owner.public_key(),
            expiration: EXPIRATION,
            tls: TlsInfo { pub_key: keys.tls.public_key(), ..TlsInfo::default() },
            p2p: P2pInfo { id: keys.p2p.public_key(), ..P2pInfo::default() },
            consensus: ConsensusInfo {
                id: keys.consensus.public_key(),
                addresses: vec![ConsensusAddress { id: keys.p2p.public_key(), address }].into(),
            },
            beacon: Some(BeaconInfo { point: keys.beacon.point() }),
            roles: Roles::VALIDATOR,
            ..Node::default()
        };
        let signers: [&dyn Signer; 4] = [&*keys.node, &*keys.p2p, &*keys.consensus, keys.tls.signer()];
        let signed = MultiSigned::sign(&signers, &REGISTER_NODE_SIGNATURE_CONTEXT, &chain, &node).unwrap();
        nodes.push(MultiSignedNode(signed).to_json());
        let owner = address::Address::of_public_key(&owner.public_key()).to_string();
        let pool = json!({ "balance": STAKE.to_string(), "total_shares": STAKE.to_string() });
        ledger.insert(owner.clone(), json!({ "general": { "balance": BALANCE.to_string() }, "escrow": { "active": pool } }));
        delegations.insert(owner.clone(), json!({ owner: { "shares": STAKE.to_string() } }));
    }
    let genesis_time = "2021-06-01T12:00:00Z";
    let thresholds =
        ["entity", "node-compute", "node-keymanager", "node-storage", "node-validator", "runtime-compute", "runtime-keymanager"];
    let thresholds: serde_json::Map<String, Value> = thresholds.iter().map(|kind| ((*kind).to_owned(), json!("0"))).collect();
    let supply = (STAKE + BALANCE) * NODES as u64;
    let text = json!({
        "height": 1,
        "genesis_time": genesis_time,
        "chain_id": name,
        "registry": {
            "params": { "debug_allow_unroutable_addresses": true, "max_node_expiration": EXPIRATION },
            "entities": entities,
            "nodes": nodes,
        },
        "roothash": { "params": { "max_runtime_messages": 128, "max_evidence_age": 0 } },
        "staking": {
            "params": {
                "thresholds": thresholds,
                "debonding_interval": 1,
                "commission_schedule_rules": {},
                "slashing": { "consensus-equivocation": { "amount": "1000", "freeze_interval": 1 } },
                "min_delegation": "0",
                "fee_split_weight_propose": "1",
                "fee_split_weight_vote": "1",
                "fee_split_weight_next_propose": "1",
                "reward_factor_epoch_signed": "0",
                "reward_factor_block_proposed": "0",
            },
            "token_symbol": "TEST",
            "token_value_exponent": 9,
            "total_supply": supply.to_string(),
            "common_pool": "0",
            "last_block_fees": "0",
            "governance_deposits": "0",
            "ledger": ledger,
            "delegations": delegations,
        },
        "keymanager": {},
        "scheduler": {
            "params": { "min_validators": 1, "max_validators": 200, "max_validators_per_entity": 1, "reward_factor_epoch_election_any": "0" },
        },
        "beacon": { "base": 0, "params": { "backend": "insecure", "insecure_parameters": { "interval": INTERVAL } } },
        "governance": {
            "params": {
                "min_proposal_deposit": "100", "voting_period": 100, "quorum": 90, "threshold": 90,
                "upgrade_min_epoch_diff": 300, "upgrade_cancel_min_epoch_diff": 300,
            },
        },
        "consensus": {
            "backend": "tendermint",
            "params": {
                "timeout_commit": 100_000_000, "skip_timeout_commit": false, "empty_block_interval": 0,
                "max_tx_size": 32_768, "max_block_size": 1_048_576, "max_block_gas": 0, "max_evidence_size": 65_536,
                "state_checkpoint_interval": 0, "gas_costs": { "tx_byte": 0 },
            },
        },
        "halt_epoch": u64::MAX,
        "extra_data": null,
    });
    text.to_string()
}

#[tokio::test]
async fn four_processes_agree_through_kills_and_stop_when_told() {
    let mut network = Network::new();
    for number in 0..NODES {
        network.start(number);
    }
    network.wait_height(5).await;

    let refusal = Network::refusal(&network.config(0));
    assert!(refusal.contains("another node is running on this data directory"), "{refusal}");

    for height in [12, 20] {
        network.kill(3);
        network.start(3);
        network.wait_height(height).await;
    }
    for height in 1..=20 {
        let first = network.header(0, height).await.unwrap();
        for number in 1..NODES {
            assert_eq!(network.header(number, height).await.unwrap(), first, "height {height} of node {number}");
        }
    }

    for process in network.processes.iter().flatten() {
        assert!(Command::new("kill").args(["-TERM", &process.id().to_string()]).status().unwrap().success());
    }
    let start = Instant::now();
    for (number, process) in network.processes.iter_mut().enumerate() {
        let process = process.as_mut().unwrap();
        let status = loop {
            if let Some(status) = process.try_wait().unwrap() {
                break status;
            }
            assert!(start.elapsed() < PATIENCE, "node {number} does not stop");
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        assert!(status.success(), "node {number}: {status}");
    }

    let other = network.dir.path().join("other.yml");
    fs::write(&other, network.config_text(0, "another")).unwrap();
    let refusal = Network::refusal(&other);
    assert!(refusal.contains("the data directory belongs to another network"), "{refusal}");
}
