//! `oasis-node`: runs the node.

use std::{
    io::{Write as _, stderr},
    process::ExitCode,
};

use clap::ArgMatches;
use oasis_localnet::BOUND;
use oasis_node_service::config::Settings;

use rustix::process::{Signal, getppid, set_parent_process_death_signal};

use crate::flags;

/// Runs a node until it is told to stop.
pub fn run(matches: &ArgMatches) -> ExitCode {
    if let Err(e) = bind() {
        return fail(&e);
    }
    let config = match flags::read(matches) {
        Ok(config) => config,
        Err(e) => return fail(&e),
    };
    let settings = match Settings::new(&config) {
        Ok(settings) => settings,
        Err(e) => return fail(&e),
    };
    match oasis_node_service::service::run(settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => fail(&e),
    }
}

/// A node of a local network stops when the process that runs the network is gone.
fn bind() -> Result<(), std::io::Error> {
    let Some(wanted) = std::env::var_os(BOUND) else { return Ok(()) };
    set_parent_process_death_signal(Some(Signal::TERM))?;
    let parent = getppid().map(|pid| pid.as_raw_pid().to_string());
    if parent.is_none_or(|parent| *parent != *wanted) {
        return Err(std::io::Error::other("the process that started this node is gone"));
    }
    Ok(())
}

fn fail(e: &dyn std::fmt::Display) -> ExitCode {
    // It may have nowhere to say it.
    let _ = writeln!(stderr(), "error: {e}");
    ExitCode::FAILURE
}
