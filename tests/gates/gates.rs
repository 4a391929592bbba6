//! `make gates`: what the relay promises under load and attack, each figure against its limit.
//!
//! A gate that fails while other programs took more than [`BUSY`] of the machine is repeated, twice at
//! most; every attempt is printed. The limits stay what they are.

#[expect(
    dead_code,
    unused_macros,
    unused_imports,
    reason = "the tests use more of it"
)]
#[path = "../common/mod.rs"]
mod common;
#[path = "../bench/cpu.rs"]
mod cpu;
mod cycles;
mod descriptors;
mod exchange;
mod machine;
mod meet;
#[path = "../common/pattern.rs"]
mod pattern;
mod probing;
mod races;
mod report;
#[expect(dead_code, reason = "the tests use more of it")]
#[path = "../observe/scrape.rs"]
mod scrape;
mod slow;
mod source;
mod stalled;
mod stopped;
mod vanished;
mod waiting;

use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use machine::Foreign;
use report::Report;

/// The share of the machine's processors that others may use before a failure may be theirs.
const BUSY: f64 = 0.15;
const ATTEMPTS: usize = 3;

struct Settings {
    backend: String,
    cycles: u64,
}

struct Gate {
    name: &'static str,
    run: fn(&mut Report, &Settings),
    /// Whether it makes sense where each connection costs a thread.
    threads: bool,
}

const GATES: &[Gate] = &[
    gate("waiting", waiting::gate, false),
    gate("exchange", exchange::gate, false),
    gate("stalled", stalled::gate, false),
    gate("slow", slow::gate, false),
    gate("source", source::gate, false),
    gate("descriptors", descriptors::gate, true),
    gate("races", races::gate, false),
    gate("probing", probing::gate, true),
    gate("vanished", vanished::gate, true),
    gate("stopped", stopped::gate, true),
    gate("cycles", cycles::gate, true),
];

const fn gate(name: &'static str, run: fn(&mut Report, &Settings), threads: bool) -> Gate {
    Gate { name, run, threads }
}

fn main() -> ExitCode {
    let args: Vec<_> = env::args().skip(1).filter(|arg| arg != "--bench").collect();
    if let [flag, hello, address] = &args[..] {
        if flag == vanished::PEER {
            return vanished::peer(hello, address);
        }
    }
    let (settings, names) = match options(args.into_iter()) {
        Ok(options) => options,
        Err(wrong) => {
            eprintln!(
                "{wrong}\nusage: cargo bench --bench gates -- [--backend NAME] [--cycles N] [GATE...]\ngates: {}",
                GATES
                    .iter()
                    .map(|gate| gate.name)
                    .collect::<Vec<_>>()
                    .join(" ")
            );
            return ExitCode::from(2);
        }
    };
    println!("{}, backend {}", machine::name(), settings.backend);
    let mut failed = Vec::new();
    for gate in GATES {
        let meant = if names.is_empty() {
            gate.threads || settings.backend == "epoll"
        } else {
            names.iter().any(|name| name == gate.name)
        };
        if meant && !passes(gate, &settings) {
            failed.push(gate.name);
        }
    }
    if failed.is_empty() {
        println!("all gates passed");
        return ExitCode::SUCCESS;
    }
    println!("failed: {}", failed.join(" "));
    ExitCode::FAILURE
}

fn options(mut args: impl Iterator<Item = String>) -> Result<(Settings, Vec<String>), String> {
    let mut settings = Settings {
        backend: if cfg!(all(target_os = "linux", feature = "libc")) {
            "epoll".to_owned()
        } else {
            "threads".to_owned()
        },
        cycles: 200_000,
    };
    let mut names = Vec::new();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--backend" => {
                settings.backend = args.next().ok_or("--backend takes epoll or threads")?;
            }
            "--cycles" => {
                let number = args.next().and_then(|number| number.parse().ok());
                settings.cycles = number
                    .filter(|number| *number >= 1000)
                    .ok_or("--cycles takes a number from 1000 up")?;
            }
            name if GATES.iter().any(|gate| gate.name == name) => names.push(arg),
            _ => return Err(format!("unknown gate or option '{arg}'")),
        }
    }
    Ok((settings, names))
}

fn passes(gate: &Gate, settings: &Settings) -> bool {
    for attempt in 1..=ATTEMPTS {
        let mut report = Report::new(gate.name);
        let foreign = Foreign::begin();
        // What a gate asserts on its way is a failure of the gate, not of those after it.
        if catch_unwind(AssertUnwindSafe(|| (gate.run)(&mut report, settings))).is_err() {
            report.fail("ran to its end", "no");
        }
        if report.passed() {
            return true;
        }
        let share = foreign.share();
        println!(
            "      {}: attempt {attempt}, other programs used {:.0} % of the machine",
            gate.name,
            100.0 * share
        );
        if share < BUSY {
            break;
        }
    }
    false
}
