//! What the system says of this process.
//!
//! Source: go/oasis-node/cmd/common/metrics, `cpu.go`, `disk.go`, `mem.go`, `net.go`; prometheus/client_golang, `process_collector.go`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::Page;

/// Parts of a second in which the system counts processor time. Source: cpu.go, `ClockTicks`.
const TICKS: f64 = 100.0;

/// Tells what the system says. What it does not say is left out.
pub fn add(page: &mut Page, datadir: &Path) {
    let read = |file: &str| fs::read_to_string(Path::new("/proc").join(file)).unwrap_or_default();
    if let Some(stat) = Stat::read(&read("self/stat")) {
        stat.add(page, boot_time(&read("stat")));
    }
    memory(page, &read("self/status"));
    disk(page, &read("self/io"), datadir);
    network(page, &read("net/dev"));
    files(page, &read("self/limits"));
}

/// `/proc/PID/stat`, the parts that are told.
#[derive(Debug, PartialEq)]
struct Stat {
    user: f64,
    system: f64,
    start: f64,
    size: f64,
    resident_pages: f64,
}

impl Stat {
    fn read(text: &str) -> Option<Self> {
        // The program's name stands in brackets, and may have any byte.
        let (_, fields) = text.rsplit_once(')')?;
        let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
        Some(Self {
            user: field(14)? / TICKS,
            system: field(15)? / TICKS,
            start: field(22)? / TICKS,
            size: field(23)?,
            resident_pages: field(24)?,
        })
    }

    fn add(&self, page: &mut Page, boot: Option<f64>) {
        let both = self.user + self.system;
        page.gauge(
            "oasis_node_cpu_utime_seconds",
            "CPU user time spent by worker as reported by /proc/<PID>/stat (seconds).",
            &[],
            self.user,
        );
        page.gauge(
            "oasis_node_cpu_stime_seconds",
            "CPU system time spent by worker as reported by /proc/<PID>/stat (seconds).",
            &[],
            self.system,
        );
        page.counter("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.", &[], both);
        page.gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.", &[], self.size);
        #[allow(clippy::cast_precision_loss, reason = "the size of a page is small")]
        let page_size = rustix::param::page_size() as f64;
        page.gauge("process_resident_memory_bytes", "Resident memory size in bytes.", &[], self.resident_pages * page_size);
        if let Some(boot) = boot {
            let help = "Start time of the process since unix epoch in seconds.";
            page.gauge("process_start_time_seconds", help, &[], boot + self.start);
        }
    }
}

/// When the system started, seconds since 1970.
fn boot_time(text: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

/// The number after `name` at the start of a line.
fn value(text: &str, name: &str) -> Option<f64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_ascii_whitespace().next()?.parse().ok()
}

fn memory(page: &mut Page, status: &str) {
    const ALL: [(&str, &str, &str); 4] = [
        ("VmSize:", "oasis_node_mem_vm_size_bytes", "Virtual memory size of worker (bytes)."),
        (
            "RssAnon:",
            "oasis_node_mem_rss_anon_bytes",
            "Size of resident anonymous memory of worker as reported by /proc/<PID>/status (bytes).",
        ),
        ("RssFile:", "oasis_node_mem_rss_file_bytes", "Size of resident file mappings of worker as reported by /proc/<PID>/status (bytes)"),
        ("RssShmem:", "oasis_node_mem_rss_shmem_bytes", "Size of resident shared memory of worker."),
    ];
    for (key, name, help) in ALL {
        if let Some(kib) = value(status, key) {
            page.gauge(name, help, &[], kib * 1024.0);
        }
    }
}

fn disk(page: &mut Page, io: &str, datadir: &Path) {
    page.gauge("oasis_node_disk_usage_bytes", "Size of datadir of the worker (bytes).", &[], size_of(datadir));
    // The original tells each of the two under the other's name.
    if let Some(bytes) = value(io, "read_bytes:") {
        let help = "Read data from block storage by the worker as reported by /proc/<PID>/io (bytes).";
        page.gauge("oasis_node_disk_read_bytes", help, &[], bytes);
    }
    if let Some(bytes) = value(io, "write_bytes:") {
        let help = "Written data from block storage by the worker as reported by /proc/<PID>/io (bytes)";
        page.gauge("oasis_node_disk_written_bytes", help, &[], bytes);
    }
}

/// The sizes of all files and directories below one, and its own, bytes. Files that go meanwhile do not count.
pub fn size_of(root: &Path) -> u64 {
    let mut sum = 0u64;
    let mut waiting: Vec<PathBuf> = vec![root.to_owned()];
    while let Some(path) = waiting.pop() {
        let Ok(meta) = fs::symlink_metadata(&path) else { continue };
        sum = sum.saturating_add(meta.len());
        if meta.is_dir() {
            waiting.extend(fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path()));
        }
    }
    sum
}

fn network(page: &mut Page, dev: &str) {
    const ALL: [(usize, &str, &str); 4] = [
        (0, "oasis_node_net_receive_bytes_total", "Received data for each network device as reported by /proc/net/dev (bytes)."),
        (1, "oasis_node_net_receive_packets_total", "Received data for each network device as reported by /proc/net/dev (packets)."),
        (8, "oasis_node_net_transmit_bytes_total", "Transmitted data for each network device as reported by /proc/net/dev (bytes)."),
        (9, "oasis_node_net_transmit_packets_total", "Transmitted data for each network device as reported by /proc/net/dev (packets)."),
    ];
    for line in dev.lines().skip(2) {
        let Some((device, numbers)) = line.rsplit_once(':') else { continue };
        let numbers: Vec<&str> = numbers.split_ascii_whitespace().collect();
        for (place, name, help) in ALL {
            if let Some(value) = numbers.get(place).and_then(|text| text.parse::<f64>().ok()) {
                page.gauge(name, help, &[("device", device.trim())], value);
            }
        }
    }
}

fn files(page: &mut Page, limits: &str) {
    if let Some(most) = value(limits, "Max open files") {
        page.gauge("process_max_fds", "Maximum number of open file descriptors.", &[], most);
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        page.gauge("process_open_fds", "Number of open file descriptors.", &[], open.count());
    }
    // No limit is told as the largest number.
    let most = value(limits, "Max address space").unwrap_or(18_446_744_073_709_551_615.0);
    page.gauge("process_virtual_memory_max_bytes", "Maximum amount of virtual memory available in bytes.", &[], most);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_the_system_are_read() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 1 2 3 4 250 50 0 0 20 0 9 0 12345 4096000 300 18446744073709551615 1 1";
        let read = Stat::read(stat).unwrap();
        assert_eq!(read, Stat { user: 2.5, system: 0.5, start: 123.45, size: 4_096_000.0, resident_pages: 300.0 });
        assert_eq!(boot_time("cpu 1\nbtime 1700000000\n"), Some(1_700_000_000.0));
        assert_eq!(value("VmPeak:\t 9 kB\nRssAnon:\t     128 kB\n", "RssAnon:"), Some(128.0));
        let mut page = Page::default();
        network(&mut page, "h\nh\n  eth0: 10 2 0 0 0 0 0 0 30 4 0 0 0 0 0 0\n");
        let text = page.text();
        assert!(text.contains("oasis_node_net_receive_bytes_total{device=\"eth0\"} 10\n"), "{text}");
        assert!(text.contains("oasis_node_net_transmit_packets_total{device=\"eth0\"} 4\n"), "{text}");
    }

    #[test]
    fn a_directory_counts_with_what_is_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let empty = size_of(dir.path());
        fs::create_dir(dir.path().join("inner")).unwrap();
        fs::write(dir.path().join("inner").join("file"), [0; 1000]).unwrap();
        std::os::unix::fs::symlink("/", dir.path().join("link")).unwrap();
        assert!((empty + 1000..empty + 100_000).contains(&size_of(dir.path())));
    }
}
