//! The page of a local network in a browser. Needs Chromium, and says so where it is missing.
//!
//! `$LOCALNET_SCREENSHOTS` names a directory that gets images of it.

mod common;

use std::{fs, path::PathBuf};

use common::{Localnet, chromium::Chromium, installed, not_run};
use oasis_consensus_types::{
    governance::{METHOD_SUBMIT_PROPOSAL, ProposalContent, UpgradeProposal},
    staking::Transfer,
    transaction::{Fee, SignedTransaction, Transaction},
    upgrade::Descriptor,
};
use oasis_localnet::Layout;
use oasis_node_service::grpc::{Client, SOCKET_FILE};
use oasis_primitives::{
    address::Address,
    cbor,
    quantity::Quantity,
    signature::{ChainContext, MemorySigner, Signer as _},
    version::{ProtocolVersions, Version},
};

/// Sends a transaction of an owner of a node, and waits for its block; gives what is wrong with it.
async fn send<T: cbor::Encode>(client: &Client, signer: &MemorySigner, nonce: u64, method: &str, body: &T) -> Result<(), String> {
    let context: String = client.call("oasis-core.Consensus/GetChainContext", &cbor::Value::Null).await.unwrap();
    let transaction = Transaction::new(nonce, Some(Fee { amount: Quantity::from(3u64), gas: 10_000 }), method, body);
    let signed = SignedTransaction::sign(signer, &ChainContext::new(context).unwrap(), &transaction).unwrap();
    let answer = client.call_bytes("oasis-core.Consensus/SubmitTx", cbor::to_vec(&signed)).await;
    answer.map(|_| ()).map_err(|error| error.to_string())
}

/// A condition, after all transactions of the blocks were opened: those after the third are folded.
fn unfolded(condition: &str) -> String {
    let more =
        "[...document.querySelectorAll('#blocks details:not([open]) > summary')].filter((e) => e.innerText.includes('more transaction'))";
    format!("({more}.forEach((e) => e.click()), {condition})")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_shows_blocks_transactions_events_validators_epochs_and_proposals() {
    const NAME: &str = "the_page_shows_blocks_transactions_events_validators_epochs_and_proposals";
    let Some(binary) = installed(&["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]) else {
        return not_run(NAME, "Chromium is not here (apt-get install chromium)");
    };
    let (dir, profile) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let form = ["--validators", "4", "--epoch-interval", "10", "--timeout-commit", "500", "--transfers-per-second", "3"];
    let mut network = Localnet::start(dir.path(), &form);
    let url = network.after("To look at it: ");
    let mut page = Chromium::start(&binary, profile.path());
    page.look(1280, 1400, false);
    page.open(&url);

    page.wait("document.querySelectorAll('#blocks .block').length > 2");
    let height: u64 = page.value("document.querySelector('#blocks .head b').textContent").as_str().unwrap().parse().unwrap();
    page.wait(&format!("Number(document.querySelector('#blocks .head b').textContent) > {height} + 3"));
    let heights = page.value("[...document.querySelectorAll('#blocks .head b')].map((e) => Number(e.textContent))");
    let heights: Vec<u64> = heights.as_array().unwrap().iter().map(|height| height.as_u64().unwrap()).collect();
    assert!(heights.windows(2).all(|pair| pair[0] == pair[1] + 1), "{heights:?}");

    // Who signs, with their stake; the processes.
    page.wait("document.querySelectorAll('#validators tr').length === 4");
    let validators = page.value("document.getElementById('validators').innerText").as_str().unwrap().to_owned();
    for number in 0..4 {
        let line = validators.lines().find(|line| line.starts_with(&format!("node {number}"))).unwrap_or_default().to_owned();
        assert!(line.contains("1 TEST") && line.contains(" of "), "{validators}");
    }
    page.wait("document.getElementById('nodes').innerText.split('validator').length === 5");

    // Load is decoded.
    page.wait("document.getElementById('blocks').innerText.includes('staking.Transfer by wallet, to owner 0, 0.000000001 TEST')");
    page.wait("document.getElementById('blocks').innerText.includes('event: transfer from wallet, to owner 0, 0.000000001 TEST')");

    // A transaction that fails, and a proposal.
    let layout = Layout::open(dir.path()).unwrap().unwrap();
    let client = Client::connect_unix(&layout.node(0).join(SOCKET_FILE)).await.unwrap();
    let signer = layout.signer(&layout.entity(1)).unwrap();
    let too_much = Transfer { to: Address::of_public_key(&signer.public_key()), amount: Quantity::from(u64::MAX) };
    let error = send(&client, &signer, 0, "staking.Transfer", &too_much).await.unwrap_err();
    assert!(error.contains("insufficient balance"), "{error}");
    page.wait(&unfolded("document.getElementById('blocks').innerText.includes('staking: insufficient balance')"));
    let version = Version { major: 5, minor: 0, patch: 0 };
    let target = ProtocolVersions { consensus_protocol: version, runtime_host_protocol: version, runtime_committee_protocol: version };
    let descriptor = Descriptor { v: 1, handler: "try-it".to_owned(), target, epoch: 1000 };
    let content = ProposalContent { upgrade: Some(UpgradeProposal { descriptor }), cancel_upgrade: None };
    send(&client, &signer, 1, METHOD_SUBMIT_PROPOSAL, &content).await.unwrap();
    page.wait("document.getElementById('proposals').innerText.includes('Proposal 1: upgrade try-it at epoch 1000 active')");
    page.wait(&unfolded("document.getElementById('blocks').innerText.includes('event: proposal submitted submitter owner 1')"));

    // What is folded opens, and stays open while blocks come.
    page.value("document.querySelector('#proposals summary').click()");
    page.wait("document.querySelector('#proposals pre')?.textContent.includes('\"handler\": \"try-it\"') === true");

    // Epochs.
    page.wait("document.querySelectorAll('#blocks .epoch').length > 0");
    page.wait("[...document.querySelectorAll('#numbers div')].some((e) => /^[1-9][0-9]*\\s*Epoch$/.test(e.innerText))");

    // Nothing is wider than the window, in any of them.
    let images = std::env::var_os("LOCALNET_SCREENSHOTS").map(PathBuf::from);
    for (width, height) in [(1280, 1000), (390, 844)] {
        for dark in [false, true] {
            page.look(width, height, dark);
            page.value("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))");
            let wide = page.value("document.documentElement.scrollWidth").as_u64().unwrap();
            assert!(wide <= u64::from(width), "{wide} of {width}");
            if let Some(images) = &images {
                fs::write(images.join(format!("page-{width}{}.png", if dark { "-dark" } else { "" })), page.screenshot()).unwrap();
            }
        }
    }
    assert_eq!(page.complaints, Vec::<String>::new());

    // It tells when the network is gone.
    assert!(network.interrupt());
    page.wait("document.body.className === 'lost'");
}
