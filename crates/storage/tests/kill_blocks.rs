//! Kills a process in the middle of keeping blocks and the consensus log, again and again, and looks at what is left; also
//! while it begins, and with a full disk.
//!
//! The number of kills is `$OASIS_KILL_ROUNDS`, 8 unless it is set.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use oasis_consensus_engine::{
    ChainState, CheckedBlock, EngineGenesis, InitChainResponse, KEY_TYPE_ED25519,
    parts::PartSet,
    ports::{Store, Wal},
    proto::{
        self, AbciResponses, BlockIdFlag, BlockParams, Commit, CommitSig, ConsensusParams, EvidenceParams, ResponseEndBlock, Timestamp,
        Validator, ValidatorParams, VersionParams,
    },
    wal::WalRecord,
};
use oasis_storage::{BlockDb, BlockOptions, FileWal, Together};

mod common;

/// Blocks that are retained.
const KEPT: i64 = 30;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some("--victim") => keep_blocks_for_ever(Path::new(&arguments[2])),
        Some("--limited") => keep_blocks_in(Path::new(&arguments[2]), &arguments[3]),
        Some("--check") => check_once(Path::new(&arguments[2]), &arguments[3]),
        // What `cargo test -- --list` and runners that ask for it want to see.
        Some("--list") => println!("a_killed_process_loses_no_block: test"),
        _ => {
            a_process_killed_while_it_begins_can_begin_again();
            a_killed_process_loses_no_block();
            a_full_disk_loses_no_block();
        }
    }
}

fn genesis() -> ChainState {
    let genesis = EngineGenesis {
        genesis_time: Timestamp { seconds: 1_600_000_000, nanos: 0 },
        chain_id: "killed".to_owned(),
        initial_height: 1,
        consensus_params: ConsensusParams {
            block: BlockParams { max_bytes: 1 << 22, max_gas: -1, time_iota_ms: 1 },
            evidence: EvidenceParams {
                max_age_num_blocks: 100,
                max_age_duration: proto::Duration { seconds: 3600, nanos: 0 },
                max_bytes: 1 << 20,
            },
            validator: ValidatorParams { pub_key_types: vec![KEY_TYPE_ED25519.to_owned()] },
            version: VersionParams { app_version: 0 },
        },
        validators: (1..5).map(|i| Validator::new(&[i; 32], 10)).collect(),
    };
    ChainState::from_genesis(&genesis, 0, &InitChainResponse::default()).expect("genesis")
}

/// The next block of the one chain that there is.
fn next(state: &ChainState, last_commit: Commit) -> (CheckedBlock, Vec<u8>, Commit) {
    let height = state.next_height();
    let txs = (0..3).map(|i| vec![height as u8; (height * 7919 + i * 31) as usize % 40_000]).collect();
    let proposer = state.validators.proposer().expect("proposer").address.clone();
    let (block, encoded) = state.make_block(txs, last_commit, Vec::new(), &proposer).expect("block");
    let signature = |v: &Validator| CommitSig {
        block_id_flag: BlockIdFlag::COMMIT,
        validator_address: v.address.clone(),
        timestamp: Timestamp { seconds: 1_600_000_000 + height, nanos: 0 },
        signature: vec![1; 64],
    };
    let signatures = state.validators.validators().iter().map(signature).collect();
    let seen = Commit { height, round: 0, block_id: block.id().clone(), signatures };
    (block, encoded, seen)
}

fn responses() -> AbciResponses {
    AbciResponses { end_block: Some(ResponseEndBlock::default()), ..AbciResponses::default() }
}

fn open(path: &Path) -> Result<(BlockDb, FileWal), String> {
    let directory = path.join("db");
    let together = Together::open(&directory, 1 << 20).map_err(|e| e.to_string())?;
    let options = BlockOptions { context: "kill".to_owned(), with_state: true, ..BlockOptions::default() };
    let db = BlockDb::on(together.blocks, &directory, options).map_err(|e| e.to_string())?;
    Ok((db, FileWal::open(path.join("wal")).map_err(|e| e.to_string())?))
}

/// Goes on with the chain from what is there; each block is announced when it is kept. Every other one is kept as one that
/// was fetched.
fn go_on(path: &Path) -> Result<(), String> {
    let (mut db, mut wal) = open(path)?;
    let text = |e: oasis_consensus_engine::ports::Fatal| e.to_string();
    let mut state = match db.chain_state().map_err(text)? {
        Some(state) => state,
        None => {
            db.save_genesis(&genesis()).map_err(text)?;
            genesis()
        }
    };
    loop {
        let height = state.next_height();
        let last_commit = db.seen_commit(height - 1).map_err(text)?.unwrap_or_default();
        let (block, encoded, seen) = next(&state, last_commit);
        if db.range().1 < height {
            wal.write(&[height as u8; 100], height % 3 == 0).map_err(text)?;
            match height % 2 {
                0 => db.save_fetched(&block, &encoded, &seen),
                _ => db.save_block(&block, &PartSet::from_bytes(&encoded), &seen),
            }
            .map_err(text)?;
            println!("{height}");
        }
        wal.write(&WalRecord::EndHeight(height).encode(Timestamp::default()), true).map_err(text)?;
        db.save_responses(height, &responses()).map_err(text)?;
        state = state.after_block(&block, &responses(), &height.to_be_bytes()).map_err(|e| e.to_string())?;
        db.save_applied(&state, &[]).map_err(text)?;
        db.prune(height - KEPT).map_err(text)?;
    }
}

fn keep_blocks_for_ever(path: &Path) {
    if let Err(error) = go_on(path) {
        println!("error: {error}");
        std::process::exit(3);
    }
}

/// What a node needs is there: nothing that was announced is lost, blocks and state belong together, the log is whole.
fn check(path: &Path, announced: i64, model: &mut (ChainState, Commit)) {
    let (db, mut wal) = open(path).expect("open");
    let (base, last) = db.range();
    assert!(last >= announced, "block {announced} was kept, {last} is left");
    let state = db.chain_state().expect("state").expect("state");
    assert!((last - 1..=last).contains(&state.last_block_height), "blocks to {last}, state of {}", state.last_block_height);
    while model.0.last_block_height < last {
        let (block, encoded, seen) = next(&model.0, model.1.clone());
        let height = block.header().height;
        if height >= base {
            assert_eq!(db.block(height).expect("block"), Some(encoded), "block {height}");
            assert_eq!(db.seen_commit(height).expect("commit").as_ref(), Some(&seen), "commit of {height}");
        }
        if height == state.last_block_height + 1 {
            assert_eq!(model.0, state);
        }
        model.0 = model.0.after_block(&block, &responses(), &height.to_be_bytes()).expect("next");
        model.1 = seen;
    }
    if state.last_block_height == last {
        assert_eq!(model.0, state);
    }
    assert!(base >= 1 && last - base <= KEPT + 2, "blocks from {base} to {last}");
    for height in base..=last {
        assert!(db.block(height).expect("block").is_some() && db.validators(height).expect("validators").is_some());
    }
    // The last height may have lost its end, the one before has not.
    let ended = |wal: &mut FileWal, height| wal.records_after(height).expect("log").is_some();
    assert!(last <= 1 || ended(&mut wal, last) || ended(&mut wal, last - 1), "the log ends neither {last} nor the height before");
}

fn a_killed_process_loses_no_block() {
    let rounds = common::rounds();
    let dir = tempfile::tempdir().expect("directory");
    let mut model = (genesis(), Commit::default());
    for round in 0..rounds {
        let announced = common::kill_one(dir.path(), round).cast_signed();
        check(dir.path(), announced, &mut model);
        println!("round {round}: killed after block {announced}, blocks to {} are left", model.0.last_block_height);
    }
    println!("test a_killed_process_loses_no_block ... ok ({rounds} kills, {} blocks)", model.0.last_block_height);
}

/// A database that a crash left in the making is made anew.
fn a_process_killed_while_it_begins_can_begin_again() {
    let rounds = 12;
    for round in 0..rounds {
        let dir = tempfile::tempdir().expect("directory");
        let mut child = common::victim(dir.path()).stdout(Stdio::null()).spawn().expect("spawn");
        std::thread::sleep(Duration::from_millis(2 + round * 3));
        child.kill().expect("kill");
        child.wait().expect("wait");
        drop(open(dir.path()).unwrap_or_else(|e| panic!("round {round}: {e}")));
    }
    // As a full disk leaves it.
    let dir = tempfile::tempdir().expect("directory");
    let db = dir.path().join("db");
    std::fs::create_dir_all(db.join("keyspaces")).expect("directory");
    for file in ["lock", "0.jnl", "version"] {
        std::fs::write(db.join(file), []).expect("write");
    }
    drop(open(dir.path()).expect("open"));
    println!("test a_process_killed_while_it_begins_can_begin_again ... ok ({rounds} kills)");
}

/// On a full disk: what fails says so, nothing is lost, and with more room it goes on.
fn a_full_disk_loses_no_block() {
    let limits = [300, 1024, 3072, 10_000];
    for kilobytes in limits {
        let dir = tempfile::tempdir().expect("directory");
        // Once it has begun no file may be longer: writes beyond that fail as on a full disk, with another code.
        let me = std::env::current_exe().expect("own path");
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' XFSZ; exec \"$0\" --limited \"$1\" \"$2\""]).arg(me).arg(dir.path()).arg(kilobytes.to_string());
        let output = command.output().expect("sh");
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(3), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
        let error = text.lines().last().unwrap_or_default();
        assert!(error.starts_with("error: ") && error.contains(dir.path().to_str().expect("path")), "{error}");
        print!("with files of {kilobytes} kB at most, {error}; ");
        check_once(dir.path(), text.lines().rev().nth(1).expect("a block"));
        common::kill_one(dir.path(), 0);
    }
    println!("test a_full_disk_loses_no_block ... ok ({} disks)", limits.len() + usize::from(on_a_small_file_system()));
}

/// Begins, and then goes on with files of so many kilobytes.
fn keep_blocks_in(path: &Path, kilobytes: &str) {
    drop(open(path).expect("open"));
    let limit = kilobytes.parse::<u64>().expect("a number") << 10;
    let limit = rustix::process::Rlimit { current: Some(limit), maximum: None };
    rustix::process::setrlimit(rustix::process::Resource::Fsize, limit).expect("a limit");
    keep_blocks_for_ever(path);
}

/// The same on a file system of three megabytes; tells whether one could be mounted here.
fn on_a_small_file_system() -> bool {
    const SCRIPT: &str = r#"
        mount -t tmpfs -o size=3m tmpfs "$1" || exit 7
        "$0" --victim "$1" > "$2"
        [ $? = 3 ] || exit 8
        tail -n 1 "$2"
        mount -o remount,size=300m tmpfs "$1" || exit 9
        "$0" --check "$1" "$(grep -v error "$2" | tail -n 1)"
    "#;
    let [dir, out] = [(); 2].map(|()| tempfile::tempdir().expect("directory"));
    let me = std::env::current_exe().expect("own path");
    let mut command = Command::new("unshare");
    command.args(["-rm", "sh", "-c", SCRIPT]).arg(me).arg(dir.path()).arg(out.path().join("out"));
    let output = match command.output() {
        Ok(output) if output.status.code() != Some(7) && !output.stdout.is_empty() => output,
        _ => return false,
    };
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    let error = text.lines().next().unwrap_or_default();
    assert!(error.starts_with("error: ") && error.contains(dir.path().to_str().expect("path")), "{error}");
    print!("{text}");
    true
}

/// What is left after a victim whose last announced block is known.
fn check_once(path: &Path, announced: &str) {
    let mut model = (genesis(), Commit::default());
    check(path, announced.parse().unwrap_or_default(), &mut model);
    println!("blocks to {} are left", model.0.last_block_height);
}
