//! `oasis-node`: runs the node.

use std::process::ExitCode;

use clap::ArgMatches;
use oasis_node_service::config::Settings;

use crate::flags;

/// Runs a node until it is told to stop.
pub fn run(matches: &ArgMatches) -> ExitCode {
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

fn fail(e: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("error: {e}");
    ExitCode::FAILURE
}
