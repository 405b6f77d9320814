//! The processes of a network.

use std::{
    fs::{self, File},
    io,
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use crate::{Layout, LocalnetError, usage::terminate};

/// How long a node may take to stop when told.
const PATIENCE: Duration = Duration::from_secs(20);

/// The variable that names the process with which a node ends.
pub const BOUND: &str = "OASIS_NODE_STOP_WITH";

/// A network with less space for its files than this does not go on, bytes.
const LEAST_SPACE: usize = 64 << 10;

/// What the system says of a full disk.
const NO_SPACE: &str = "No space left on device";

/// Running nodes; all are killed when this is dropped.
#[derive(Debug)]
pub struct Network {
    layout: Layout,
    binary: PathBuf,
    processes: Vec<Option<Child>>,
    /// Nodes stop when the thread that started them is gone.
    bound: bool,
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
    /// A network of which nothing runs yet; `binary` is the node's program.
    pub fn new(layout: Layout, binary: &Path) -> Self {
        let processes = (0..layout.size()).map(|_| None).collect();
        Self { layout, binary: binary.to_owned(), processes, bound: false }
    }

    /// Has nodes stop when the thread that starts them is gone, however it ends.
    #[must_use]
    pub fn bound(mut self) -> Self {
        self.bound = true;
        self
    }

    /// Its files.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The program with a configuration, without its standard streams.
    pub fn command(&self, config: &Path) -> Command {
        let mut command = Command::new(&self.binary);
        command.arg("--config").arg(config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    fn console(&self, number: usize) -> PathBuf {
        self.layout.node(number).join("console.log")
    }

    /// Starts a node that does not run.
    pub fn start(&mut self, number: usize) -> Result<(), LocalnetError> {
        let path = self.console(number);
        let file = File::create(&path).map_err(|e| LocalnetError::at(&path, e))?;
        let mut command = self.command(&self.layout.config(number));
        if self.bound {
            // A terminal's Ctrl-C is for the process that runs the network: it tells the nodes.
            command.env(BOUND, std::process::id().to_string()).process_group(0);
        }
        let child = command.stderr(file).spawn().map_err(|e| LocalnetError::at(&self.binary, e))?;
        self.processes[number] = Some(child);
        Ok(())
    }

    /// Starts all that do not run.
    pub fn start_all(&mut self) -> Result<(), LocalnetError> {
        (0..self.processes.len())
            .filter(|number| self.processes[*number].is_none())
            .collect::<Vec<_>>()
            .into_iter()
            .try_for_each(|n| self.start(n))
    }

    /// The process of a node.
    pub fn pid(&self, number: usize) -> Option<u32> {
        self.processes.get(number)?.as_ref().map(Child::id)
    }

    /// kill -9, and the end of the process.
    pub fn kill(&mut self, number: usize) -> io::Result<()> {
        if let Some(mut process) = self.processes[number].take() {
            process.kill()?;
            process.wait()?;
        }
        Ok(())
    }

    /// An error if a node has failed, with what it said last. One that was told to stop is no failure.
    pub fn check(&mut self) -> Result<(), LocalnetError> {
        self.ended().into_iter().try_for_each(|(_, end)| end)
    }

    /// The nodes that have ended since the last look: as they were told, or with an error and what each said last.
    pub fn ended(&mut self) -> Vec<(usize, Result<(), LocalnetError>)> {
        let mut ended = Vec::new();
        for number in 0..self.processes.len() {
            let Some(process) = &mut self.processes[number] else { continue };
            let Ok(Some(status)) = process.try_wait() else { continue };
            self.processes[number] = None;
            let end = if status.success() { Ok(()) } else { Err(self.failure(number, status)) };
            ended.push((number, end));
        }
        ended
    }

    fn failure(&self, number: usize, status: ExitStatus) -> LocalnetError {
        let said = fs::read_to_string(self.console(number)).unwrap_or_default();
        let said = last(&said);
        let known = said.contains(NO_SPACE);
        let said = if said.is_empty() { String::new() } else { format!(": {said}") };
        // Where the disk is full, so is that of what it said.
        let full = if !known && self.disk_is_full() { format!(": {NO_SPACE}") } else { String::new() };
        let log = self.layout.node(number).join("node.log");
        LocalnetError::new(format!("node {number} has failed ({status}){said}{full}\nits log: {}", log.display()))
    }

    /// Whether files can't grow any more, so that nodes fail again and again.
    pub fn disk_is_full(&self) -> bool {
        let path = self.layout.root().join("space");
        let full = fs::write(&path, [1; LEAST_SPACE]).is_err_and(|e| e.kind() == io::ErrorKind::StorageFull);
        let _ = fs::remove_file(&path);
        full
    }

    /// Tells all to stop and waits for them. A node that does not stop is killed, and that is an error.
    pub fn stop(&mut self) -> Result<(), LocalnetError> {
        for process in self.processes.iter().flatten() {
            terminate(process.id());
        }
        let start = Instant::now();
        let mut failed = Vec::new();
        for number in 0..self.processes.len() {
            let Some(mut process) = self.processes[number].take() else { continue };
            loop {
                match process.try_wait() {
                    // One that had no time to hear the signal ends by it.
                    Ok(Some(status)) if status.success() || status.signal() == Some(rustix::process::Signal::TERM.as_raw()) => break,
                    Ok(Some(status)) => {
                        failed.push(format!("node {number} ended with {status}"));
                        break;
                    }
                    Ok(None) if start.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(20)),
                    _ => {
                        failed.push(format!("node {number} did not stop within {} s and was killed", PATIENCE.as_secs()));
                        let _ = process.kill();
                        let _ = process.wait();
                        break;
                    }
                }
            }
        }
        if failed.is_empty() { Ok(()) } else { Err(LocalnetError::new(failed.join("; "))) }
    }
}

/// The end of a text.
fn last(text: &str) -> &str {
    let text = text.trim_end();
    let from = text.char_indices().rev().nth(2000).map_or(0, |(at, _)| at);
    text.get(from..).unwrap_or(text)
}
