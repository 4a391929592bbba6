//! `make size`: what the relay takes of a machine, each figure against its limit.
//!
//! The one argument is the program to measure; without it, the one that cargo just built.

mod process;

use std::env;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use process::Relay;

const SIZE_LIMIT: u64 = 700_000;
const RESIDENT_LIMIT: u64 = 3_000_000;
const START_LIMIT: Duration = Duration::from_millis(10);
const STARTS: usize = 20;

fn main() -> ExitCode {
    let given = env::args_os().skip(1).find(|arg| arg != "--bench");
    let program = given.map_or(env!("CARGO_BIN_EXE_p2p-relay").into(), PathBuf::from);
    let size = fs::metadata(&program)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", program.display()))
        .len();
    let (mut times, resident): (Vec<_>, Vec<_>) = (0..STARTS).map(|_| start(&program)).unzip();
    times.sort();
    let time = times[STARTS / 2];
    let resident = resident.into_iter().max().unwrap_or_default();

    let reached = [
        line(
            "size, stripped",
            format!("{} KB", size / 1000),
            "700 KB",
            size < SIZE_LIMIT,
        ),
        line(
            &format!("resident when idle, worst of {STARTS}"),
            format!("{} KB", resident / 1000),
            "3000 KB",
            resident < RESIDENT_LIMIT,
        ),
        line(
            &format!("start to first answer, median of {STARTS}"),
            format!("{:.2} ms", time.as_secs_f64() * 1e3),
            "10 ms",
            time < START_LIMIT,
        ),
    ];
    if reached.iter().all(|reached| *reached) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn line(what: &str, figure: String, limit: &str, reached: bool) -> bool {
    let verdict = if reached { "PASS" } else { "FAIL" };
    println!("{verdict}  {what:<40}{figure:>10}  (below {limit})");
    reached
}

/// Starts the relay once: the time from before its exec until it has answered a caller, and the bytes
/// it then holds resident.
fn start(program: &Path) -> (Duration, u64) {
    let begun = Instant::now();
    let relay = Relay::start(program, &["--bind", "127.0.0.1", "0"]);
    let mut caller = TcpStream::connect((Ipv4Addr::LOCALHOST, relay.port())).expect("a connection");
    caller.write_all(b"Cx$").expect("a hello");
    let mut answer = [0];
    caller.read_exact(&mut answer).expect("an answer");
    let time = begun.elapsed();
    assert_eq!(answer, *b"X", "nobody waits there");
    (time, resident(relay.pid()))
}

fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("/proc of the relay");
    let kibibytes = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.trim().strip_suffix(" kB"))
        .and_then(|number| number.parse::<u64>().ok())
        .expect("VmRSS in /proc");
    kibibytes * 1024
}
