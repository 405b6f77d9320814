//! A plugin's process.
//!
//! Source: github.com/hashicorp/go-plugin, client.go, `Client.Start`.

use std::{
    env, fs,
    io::{self, BufRead, BufReader, Read, Write},
    os::unix::{fs::DirBuilderExt, net::UnixStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use crate::identity::entropy;

/// What tells a plugin that it was not started by mistake. Source: go/common/crypto/signature/signers/plugin/plugin.go, `handshakeConfigForName`.
const COOKIE: &str = "OASIS_CORE_SIGNER_PLUGIN";
/// The version of what plugins offer.
const VERSION: &str = "1";
/// The version of go-plugin's own protocol. Source: go-plugin, server.go, `CoreProtocolVersion`.
const CORE_VERSION: &str = "1";
/// A plugin has so long to say where it listens.
const START: Duration = Duration::from_secs(60);
/// And so long to end when it is told to.
const END: Duration = Duration::from_secs(2);
/// The longest first line.
const LINE: u64 = 64 * 1024;

/// The process, and the directory with its socket.
pub(super) struct Process {
    child: Child,
    dir: PathBuf,
}

/// Where a plugin listens, from the line that it prints.
fn socket(line: &str) -> Result<PathBuf, String> {
    let mut parts = line.trim().splitn(6, '|');
    let mut next = |what: &str| {
        parts.next().filter(|part| !part.is_empty()).ok_or_else(|| format!("expected a plugin's first line with {what}, found {line:?}"))
    };
    let core = next("the protocol's version")?;
    if core != CORE_VERSION {
        return Err(format!("expected version {CORE_VERSION} of go-plugin's protocol, found {core:?}"));
    }
    let version = next("its own version")?;
    if version != VERSION {
        return Err(format!("Incompatible API version with plugin. Plugin version: {version}, Client versions: [{VERSION}]"));
    }
    let network = next("the kind of its address")?;
    if network != "unix" {
        return Err(format!("expected a plugin that listens on a Unix socket, found {network:?}"));
    }
    let path = next("its address")?;
    match next("how it speaks") {
        Ok("netrpc") | Err(_) => Ok(path.into()),
        Ok(other) => Err(format!("Unsupported plugin protocol {other:?}. Supported: [netrpc]")),
    }
}

impl Process {
    /// Starts a plugin, and connects to it.
    pub(super) fn start(name: &str, path: &Path) -> Result<(Self, UnixStream), String> {
        let mut number = [0; 8];
        entropy(&mut number);
        let dir = env::temp_dir().join(format!("oasis-plugin-{}", hex::encode(number)));
        fs::DirBuilder::new().mode(0o700).create(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
        let mut command = Command::new(path);
        command.env(COOKIE, name).env("PLUGIN_PROTOCOL_VERSIONS", VERSION).env("PLUGIN_MIN_PORT", "0").env("PLUGIN_MAX_PORT", "0");
        command.env("TMPDIR", &dir).env_remove("PLUGIN_CLIENT_CERT");
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().map_err(|e| {
            let _ = fs::remove_dir(&dir);
            format!("failed to connect to plugin: {e}")
        })?;
        let mut process = Self { child, dir };
        let started = process.show_errors()?;
        let line = process.first_line()?;
        started.store(true, Ordering::Relaxed);
        let place = socket(&line)?;
        if !place.starts_with(&process.dir) {
            return Err(format!("expected a socket in {}, found {}", process.dir.display(), place.display()));
        }
        let connection = UnixStream::connect(&place).map_err(|e| format!("{}: {e}", place.display()))?;
        Ok((process, connection))
    }

    /// Passes on what a plugin complains of until it has started; the original drops all of it.
    fn show_errors(&mut self) -> Result<Arc<AtomicBool>, String> {
        let errors = self.child.stderr.take().ok_or("it has no output for errors")?;
        let started = Arc::new(AtomicBool::new(false));
        let quiet = Arc::clone(&started);
        let read = move || {
            let mut errors = BufReader::new(errors);
            let mut bytes = Vec::new();
            while (&mut errors).take(LINE).read_until(b'\n', &mut bytes).is_ok_and(|count| count > 0) {
                if !quiet.load(Ordering::Relaxed) {
                    let _ = io::stderr().write_all(&bytes);
                }
                bytes.clear();
            }
        };
        thread::Builder::new().name("plugin-errors".to_owned()).spawn(read).map_err(|e| e.to_string())?;
        Ok(started)
    }

    fn first_line(&mut self) -> Result<String, String> {
        let output = self.child.stdout.take().ok_or("it has no output")?;
        let (say, said) = mpsc::sync_channel(1);
        let read = move || {
            let mut output = BufReader::new(output);
            let mut line = String::new();
            let read = (&mut output).take(LINE).read_line(&mut line).map(|_| line);
            let _ = say.send(read);
            // What it prints later would stop it, if nobody took it.
            let _ = io::copy(&mut output, &mut io::sink());
        };
        thread::Builder::new().name("plugin-output".to_owned()).spawn(read).map_err(|e| e.to_string())?;
        let line = said.recv_timeout(START).map_err(|_| "timeout while waiting for plugin to start")?;
        let line = line.map_err(|e| e.to_string())?;
        if line.is_empty() {
            return Err("plugin exited before we could connect; is this the plugin of signer.plugin.name?".to_owned());
        }
        Ok(line)
    }

    /// Waits for the end, or brings it about where the plugin was not told.
    pub(super) fn end(&mut self, told: bool) {
        let begun = Instant::now();
        while told && begun.elapsed() < END {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Nothing where it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_says_where_a_plugin_listens() {
        assert_eq!(socket("1|1|unix|/tmp/plugin1|netrpc|\n").unwrap(), Path::new("/tmp/plugin1"));
        assert_eq!(socket("1|1|unix|/tmp/plugin1").unwrap(), Path::new("/tmp/plugin1"));
        for (line, expected) in [
            ("hello", "version 1 of go-plugin"),
            ("2|1|unix|/p|netrpc|", "version 1 of go-plugin"),
            ("1|2|unix|/p|netrpc|", "Plugin version: 2"),
            ("1|1|tcp|127.0.0.1:1|netrpc|", "Unix socket"),
            ("1|1|unix", "its address"),
            ("1|1|unix|/p|grpc|", "Unsupported plugin protocol"),
        ] {
            let error = socket(line).unwrap_err();
            assert!(error.contains(expected), "{line}: {error}");
        }
    }

    #[test]
    fn a_program_that_is_no_plugin_is_told_apart() {
        let error = |path: &str| Process::start("example", Path::new(path)).err().unwrap();
        assert!(error("/bin/true").contains("plugin exited before we could connect"));
        assert!(error("/bin/pwd").contains("go-plugin"));
        assert!(error("/nowhere/plugin").contains("failed to connect"));
    }
}
