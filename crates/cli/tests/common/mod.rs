//! What tests of processes share.

#![allow(dead_code, reason = "each test uses some of it")]

pub mod chromium;

use std::{
    io::{BufRead as _, BufReader, Write as _},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process_group};

/// The program that is tested.
pub fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_oasis-node"))
}

/// The root of the checkout.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// The first of some programs that is here.
pub fn installed(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut all = names.iter().flat_map(|name| std::env::split_paths(&path).map(move |dir| dir.join(name)));
    all.find(|path| path.is_file())
}

/// Says, past the test runner's capture, that a test had nothing to run with.
pub fn not_run(test: &str, why: &str) {
    let _ = writeln!(std::io::stderr(), "\nNOT RUN: {test}: {why}");
}

/// A network that runs as `oasis-node localnet`; its processes end with it.
pub struct Localnet {
    process: Child,
    output: BufReader<ChildStdout>,
}

impl Drop for Localnet {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Localnet {
    /// Starts it.
    pub fn start(dir: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(program());
        command.arg("localnet").arg("--dir").arg(dir).args(arguments);
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).process_group(0).spawn().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        Self { process, output }
    }

    /// The next line that it prints.
    pub fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let length = self.output.read_line(&mut line).unwrap();
        (length > 0).then(|| line.trim_end().to_owned())
    }

    /// Reads until a line has a text, and gives what follows the text.
    pub fn after(&mut self, text: &str) -> String {
        loop {
            let line = self.line().unwrap_or_else(|| panic!("it ended without {text:?}"));
            if let Some((_, rest)) = line.split_once(text) {
                return rest.to_owned();
            }
        }
    }

    /// What Ctrl-C in a terminal does, where all processes of a group hear it; gives whether it ended well.
    pub fn interrupt(mut self) -> bool {
        kill_process_group(Pid::from_child(&self.process), Signal::INT).unwrap();
        // It must not wait for its reader.
        while self.line().is_some() {}
        self.process.wait().unwrap().success()
    }
}
