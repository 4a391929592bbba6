//! What a process and its children use, as Linux counts it in /proc.

use std::fs;

/// Clock ticks a second; Linux has reported 100 to programs on every architecture that std supports.
const TICKS: f64 = 100.0;

/// Seconds of processor time, those of children that were waited for included.
pub(crate) fn cpu(pid: u32) -> f64 {
    let used = |pid| {
        // Fields 14 to 17 of proc_pid_stat(5): user and system, its own and its children's.
        let fields = stat(pid)?;
        let ticks = fields.get(11..15)?.iter();
        Some(
            ticks
                .filter_map(|field| field.parse::<f64>().ok())
                .sum::<f64>(),
        )
    };
    family(pid).into_iter().filter_map(used).sum::<f64>() / TICKS
}

/// Bytes in memory, shared pages divided among those who share them.
pub(crate) fn resident(pid: u32) -> f64 {
    let held = |pid| {
        let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
        line.trim().strip_suffix(" kB")?.parse::<f64>().ok()
    };
    family(pid).into_iter().filter_map(held).sum::<f64>() * 1024.0
}

/// Bytes of all the kernel's objects, the sockets of both ends of every connection among them.
pub(crate) fn kernel() -> f64 {
    let text = fs::read_to_string("/proc/meminfo").expect("/proc/meminfo");
    let line = text.lines().find_map(|line| line.strip_prefix("Slab:"));
    let number = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<f64>().ok());
    number.expect("Slab in /proc/meminfo") * 1024.0
}

/// How many descriptors this process may have.
pub(crate) fn descriptors() -> usize {
    let text = fs::read_to_string("/proc/self/limits").expect("/proc/self/limits");
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"));
    let soft = line.and_then(|line| line.split_ascii_whitespace().next()?.parse().ok());
    soft.unwrap_or(usize::MAX)
}

/// The process and its children.
fn family(pid: u32) -> Vec<u32> {
    let parent = pid.to_string();
    let entries = fs::read_dir("/proc").expect("/proc");
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    // Field 4 is the parent.
    let ours = |other: &u32| {
        *other == pid || stat(*other).is_some_and(|fields| fields.get(1) == Some(&parent))
    };
    pids.filter(ours).collect()
}

/// The fields of proc_pid_stat(5) from the third on; `None` when there is no such process.
fn stat(pid: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold spaces but ends at the last ')'.
    let (_, fields) = text.rsplit_once(')')?;
    Some(fields.split_ascii_whitespace().map(String::from).collect())
}
