//! What Linux tells of a process and of the machine, in /proc.

use std::collections::HashSet;
use std::fs;
use std::thread;
use std::time::Instant;

use super::cpu;

/// The machine in a few words.
pub(crate) fn name() -> String {
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{} cores, Linux {}", cores(), kernel.trim())
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Bytes of memory that a process has to itself: no code, no files.
pub(crate) fn anonymous(pid: u32) -> u64 {
    status(pid, "RssAnon:")
}

/// Bytes of memory that a process has in all.
pub(crate) fn resident(pid: u32) -> u64 {
    status(pid, "VmRSS:")
}

fn status(pid: u32, field: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).expect("/proc of the relay");
    let kibibytes = text
        .lines()
        .find_map(|line| line.strip_prefix(field)?.trim().strip_suffix(" kB"))
        .and_then(|number| number.parse::<u64>().ok());
    kibibytes.expect("a number of KiB in /proc") * 1024
}

/// Open descriptors of a process.
pub(crate) fn descriptors(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd"))
        .expect("/proc of the relay")
        .count()
}

/// Connections of a local port that some process still has, or that have data to deliver.
pub(crate) fn connections(port: u16) -> usize {
    // proc_net_tcp(5): the local address ends in the port; TIME_WAIT is 06, LISTEN 0A.
    let port = format!(":{port:04X}");
    ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok())
        .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
        .filter(|line| {
            let fields: Vec<_> = line.split_ascii_whitespace().collect();
            fields.get(1).is_some_and(|local| local.ends_with(&port))
                && !matches!(fields.get(3), Some(&"06" | &"0A") | None)
        })
        .count()
}

/// The local ports of those who have sent something to a port that was not acknowledged yet.
pub(crate) fn unacknowledged(port: u16) -> HashSet<u16> {
    let text = fs::read_to_string("/proc/net/tcp").expect("/proc/net/tcp");
    let port = format!(":{port:04X}");
    let sender = |line: &str| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let (local, remote) = (fields.next()?, fields.next()?);
        let queues = fields.nth(1)?;
        let waits = remote.ends_with(&port) && !queues.starts_with("00000000:");
        u16::from_str_radix(local.rsplit(':').next()?, 16)
            .ok()
            .filter(|_| waits)
    };
    text.lines().filter_map(sender).collect()
}

/// Bytes that the kernel holds for all TCP connections of the machine.
pub(crate) fn tcp_memory() -> u64 {
    let text = fs::read_to_string("/proc/net/sockstat").expect("/proc/net/sockstat");
    let pages = text
        .lines()
        .find_map(|line| {
            line.strip_prefix("TCP:")?
                .split_once(" mem ")
                .map(|(_, number)| number)
        })
        .and_then(|number| number.trim().parse::<u64>().ok());
    // Linux on the machines of today; with larger pages the figure is too small by their ratio.
    pages.expect("a number of pages") * 4096
}

/// How much of the machine others use.
pub(crate) struct Foreign {
    begun: Instant,
    busy: f64,
    ours: f64,
}

impl Foreign {
    pub(crate) fn begin() -> Self {
        Self {
            begun: Instant::now(),
            busy: busy(),
            ours: ours(),
        }
    }

    /// The share of all processor time since the beginning, once what we started has ended.
    pub(crate) fn share(&self) -> f64 {
        let all = self.begun.elapsed().as_secs_f64() * cores() as f64;
        ((busy() - self.busy) - (ours() - self.ours)).max(0.0) / all
    }
}

/// Seconds of programs, user, nice and system; interrupts belong to nobody.
fn busy() -> f64 {
    let text = fs::read_to_string("/proc/stat").expect("/proc/stat");
    let ticks: f64 = text
        .split_ascii_whitespace()
        .skip(1)
        .take(3)
        .map(|ticks| ticks.parse::<f64>().expect("a number of ticks"))
        .sum();
    ticks / 100.0
}

fn ours() -> f64 {
    cpu::of(std::process::id()) + cpu::of_ended_children()
}
