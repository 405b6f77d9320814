//! `oasis-node`: runs the node.

use std::process::ExitCode;

use clap::ArgMatches;
use oasis_node_service::config::{Served, Settings};

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
    for (key, served) in config.not_served() {
        match served {
            Served::NotYet(part) => eprintln!("warning: {key}: {part}: accepted, but not served yet"),
            Served::NoMeaning(why) => eprintln!("warning: {key}: accepted, but without effect: {why}"),
            Served::Yes => {}
        }
    }
    match oasis_node_service::service::run(settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => fail(&e),
    }
}

fn fail(e: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("error: {e}");
    ExitCode::FAILURE
}
