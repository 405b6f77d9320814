//! What the tests have in common that kill a process in the middle of its writes.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// How often to kill: `$OASIS_KILL_ROUNDS`, 8 unless it is set.
pub fn rounds() -> u64 {
    std::env::var("OASIS_KILL_ROUNDS").map_or(8, |n| n.parse().expect("OASIS_KILL_ROUNDS is a number"))
}

/// This program, to be started as one that writes to a directory until it is killed.
pub fn victim(directory: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("own path"));
    command.arg("--victim").arg(directory);
    command
}

/// Starts a victim, which prints a number for each thing done, and kills it; gives the last number.
///
/// The moment differs from round to round: after some things done, and some microseconds into the next.
pub fn kill_one(directory: &Path, round: u64) -> u64 {
    let mut child = victim(directory).stdout(Stdio::piped()).spawn().expect("spawn");
    let output = BufReader::new(child.stdout.take().expect("stdout"));
    let (enough, pause) = (1 + round * 7 % 23, Duration::from_micros(round * 977 % 9000));
    let (mut announced, mut seen) = (0, 0);
    for line in output.lines() {
        announced = line.expect("line").parse().expect("number");
        seen += 1;
        if seen == enough {
            let until = Instant::now() + pause;
            while Instant::now() < until {
                std::hint::spin_loop();
            }
            child.kill().expect("kill");
        }
    }
    let status = child.wait().expect("wait");
    assert!(!status.success() && seen >= enough, "round {round}: the victim stopped by itself: {status}");
    announced
}
