//! What a process takes, and how it is told to stop.

use std::{fs, time::Duration};

use rustix::process::{Pid, Signal, kill_process};

/// Resident memory of a process, bytes.
pub fn resident_memory(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// Processor time of a process so far.
pub fn processor_time(pid: u32) -> Option<Duration> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name of the program stands in brackets and may hold anything.
    let fields: Vec<&str> = text.rsplit(") ").next()?.split(' ').collect();
    let ticks = |at: usize| fields.get(at)?.parse::<u64>().ok();
    // What Linux tells is in hundredths of a second on every machine in use.
    Some(Duration::from_millis((ticks(11)? + ticks(12)?) * 10))
}

/// Tells a process to stop. One that has ended already is none to tell.
pub fn terminate(pid: u32) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, Signal::TERM);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_takes_memory_and_time() {
        let own = std::process::id();
        assert!(resident_memory(own).unwrap() > 100_000);
        assert!(processor_time(own).unwrap() < Duration::from_secs(10_000));
        assert_eq!((resident_memory(u32::MAX), processor_time(u32::MAX)), (None, None));
    }
}
