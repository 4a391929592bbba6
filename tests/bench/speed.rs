//! `make bench`: our relay beside HAProxy, nginx and socat, as far as they are installed.
//!
//! All take turns in one run, after a round that is not counted. What is compared is the median of
//! the rounds' ratios: what else the machine does then hits both sides of each. `--check` makes a
//! missed goal an error; `--rounds N` and `--megabytes N` change the effort, `--only TEXT` measures
//! only what has TEXT in its name, `--beside PROGRAM` lets another build of the relay take part.

mod contest;
mod findings;
mod plot;
mod process;
mod raw;
mod route;
mod tree;

use std::env;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use contest::Rest;
use findings::{Findings, Goal, Measure};
use route::Route;

/// Descriptors that are no end of a pair, here or in the relay, which keeps a share for its pipes.
const SPARE: usize = 2000;
const MOST: usize = 10_000;
const LONGEST: Duration = Duration::from_secs(3600);

struct Options {
    check: bool,
    rounds: usize,
    bytes: u64,
    only: String,
    beside: Vec<String>,
}

fn main() -> ExitCode {
    let options = match options(env::args().skip(1)) {
        Ok(options) => options,
        Err(wrong) => {
            eprintln!(
                "{wrong}\nusage: cargo bench --bench speed -- [--check] [--rounds N] \
                 [--megabytes N] [--only TEXT] [--beside PROGRAM]"
            );
            return ExitCode::from(2);
        }
    };
    // What hangs ends: not every read and write here has a time of its own.
    thread::spawn(|| {
        thread::sleep(LONGEST);
        eprintln!("not done after {LONGEST:?}");
        std::process::exit(1);
    });
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench");
    fs::create_dir_all(&out).expect("a folder for the results");
    let load = || fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let mut findings = Findings::new(options.bytes, options.rounds, &load());

    let routes = contestants(&out, &options);
    for pairs in [1, 8, 64] {
        measure_bulk(&routes, pairs, &options, &mut findings);
    }
    measure_round_trip(&routes, &options, &mut findings);
    measure_turnover(&routes, &options, &mut findings);
    drop(routes);
    measure_memory(&out, &options, &mut findings);

    println!("{}", findings.table());
    println!("load before {}load after  {}", findings.load, load());
    let path = out.join("speed.json");
    fs::write(&path, findings.json()).expect("the results can be written");
    println!("written to {}", path.display());
    match plot::draw(&findings, &out) {
        Ok(picture) => println!("drawn in {}", picture.display()),
        Err(reason) => println!("SKIP bench/plot: {reason}"),
    }
    if options.check && !findings.pass() {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn options(mut args: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options {
        check: false,
        rounds: 5,
        bytes: 1_000_000_000,
        only: String::new(),
        beside: Vec::new(),
    };
    while let Some(arg) = args.next() {
        let mut number = || {
            let value = args.next().and_then(|value| value.parse::<u32>().ok());
            value
                .filter(|value| *value > 0)
                .ok_or(format!("{arg} takes a number from 1 up"))
        };
        match arg.as_str() {
            "--check" => options.check = true,
            "--rounds" => options.rounds = number()? as usize,
            "--megabytes" => options.bytes = u64::from(number()?) * 1_000_000,
            "--only" => options.only = args.next().ok_or("--only takes a text")?,
            "--beside" => options
                .beside
                .push(args.next().ok_or("--beside takes a program")?),
            // Cargo says so to every bench.
            "--bench" => {}
            _ => return Err(format!("unknown option '{arg}'")),
        }
    }
    Ok(options)
}

/// Every program that is installed, ours first; the others are named as skipped.
fn contestants(out: &Path, options: &Options) -> Vec<Route> {
    let folder = route::folder(out);
    let mut routes = Vec::new();
    if cfg!(all(feature = "libc", target_os = "linux")) {
        routes.push(Route::ours("epoll"));
    }
    routes.push(Route::ours("threads"));
    for program in &options.beside {
        let program = Path::new(program);
        let name = program.file_name().unwrap_or_default().to_string_lossy();
        routes.push(Route::relay(program, name.into(), "epoll"));
    }
    let others = [
        ("haproxy", Route::haproxy(&folder)),
        ("nginx", Route::nginx(&folder)),
        ("socat", Route::socat()),
    ];
    for (name, route) in others {
        match route {
            Ok(route) => routes.push(route),
            Err(reason) => println!("SKIP bench/{name}: {reason}"),
        }
    }
    routes
}

/// Lets all take turns, and keeps the two figures that each round gives.
fn rounds(
    routes: &[Route],
    options: &Options,
    mut measures: [Measure; 2],
    run: impl Fn(&Route) -> (f64, f64),
) -> [Measure; 2] {
    if !measures
        .iter()
        .any(|measure| measure.name.contains(&options.only))
    {
        return measures;
    }
    for round in 0..=options.rounds {
        for route in routes {
            let (one, other) = run(route);
            if round > 0 {
                measures[0].note(&route.name, one);
                measures[1].note(&route.name, other);
            }
        }
    }
    measures
}

fn measure_bulk(routes: &[Route], pairs: usize, options: &Options, findings: &mut Findings) {
    let measures = [
        Measure::new(&format!("bulk, {pairs} at once"), "GB/s")
            .goals(&[Goal::least("haproxy", 1.0), Goal::least("nginx", 3.0)]),
        Measure::new(&format!("CPU, {pairs} at once"), "s/GB").goals(&[Goal::most("haproxy", 1.0)]),
    ];
    findings.extend(rounds(routes, options, measures, |route| {
        contest::bulk(route, pairs, options.bytes)
    }));
}

fn measure_round_trip(routes: &[Route], options: &Options, findings: &mut Findings) {
    let measures = [
        Measure::new("round trip, p50", "us").goals(&[Goal::most("nginx", 1.0)]),
        Measure::new("round trip, p99", "us"),
    ];
    findings.extend(rounds(routes, options, measures, |route| {
        contest::round_trip(route, 5_000)
    }));
}

fn measure_turnover(routes: &[Route], options: &Options, findings: &mut Findings) {
    let measures = [
        Measure::new("turnover", "pairs/s").goals(&[Goal::least("haproxy", 1.5)]),
        Measure::new("turnover, CPU", "us/pair"),
    ];
    const PAIRS: usize = 2048;
    findings.extend(rounds(routes, options, measures, |route| {
        let before = route.cpu();
        // A process for each connection is slow enough with fewer.
        let pairs = if route.most < 1000 { PAIRS / 8 } else { PAIRS };
        let rate = contest::turnover(route, pairs);
        (rate, (route.cpu() - before) * 1e6 / pairs as f64)
    }));
}

/// Fresh programs for each, so that none holds what an earlier load has left.
fn measure_memory(out: &Path, options: &Options, findings: &mut Findings) {
    let room = tree::descriptors().saturating_sub(SPARE);
    for (rest, most, what, goal) in [
        (Rest::Listeners, room.min(MOST), "listener", 512.0),
        (Rest::Pairs, (room / 2).min(MOST), "pair", 1024.0),
    ] {
        let user = format!("user memory a {what}");
        if !user.contains(&options.only) {
            continue;
        }
        let mut user = Measure::new(&user, "B").goals(&[Goal::at_most(goal)]);
        let mut kernel = Measure::new(&format!("kernel memory a {what}"), "B");
        for route in contestants(out, options) {
            if rest == Rest::Listeners && route.listen().is_none() {
                continue;
            }
            let grown = contest::grow(&route, rest, most.min(route.most));
            if let [first, .., last] = grown.as_slice() {
                let count = (last.count - first.count) as f64;
                user.note(&route.name, (last.user - first.user) / count);
                kernel.note(&route.name, (last.kernel - first.kernel) / count);
            }
            findings.grown(rest, &route.name, grown);
        }
        findings.extend([user, kernel]);
    }
}
