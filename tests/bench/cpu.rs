//! Processor time, user and system, as Linux counts it in /proc.

use std::fs;
use std::process::Command;

/// Seconds that a process has used so far, threads that have ended included.
pub(crate) fn of(pid: u32) -> f64 {
    seconds(&pid.to_string(), 14)
}

/// Seconds that the children of this process had used when they were waited for.
pub(crate) fn of_ended_children() -> f64 {
    seconds("self", 16)
}

/// The sum of a field of proc_pid_stat(5), counted from 1, and the next: user time and system time.
fn seconds(process: &str, field: usize) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).expect("/proc of a process");
    // The name, field 2, may hold spaces but ends at the last ')'.
    let (_, fields) = stat.rsplit_once(')').expect("a name in parentheses");
    let ticks: u64 = fields
        .split_ascii_whitespace()
        .skip(field - 3)
        .take(2)
        .map(|field| field.parse::<u64>().expect("a number of ticks"))
        .sum();
    ticks as f64 / ticks_per_second()
}

fn ticks_per_second() -> f64 {
    let output = Command::new("getconf").arg("CLK_TCK").output();
    let said = output.ok().and_then(|output| {
        let text = String::from_utf8(output.stdout).ok()?;
        text.trim().parse().ok()
    });
    // Linux has reported 100 to programs on every architecture that std supports.
    said.unwrap_or(100.0)
}
