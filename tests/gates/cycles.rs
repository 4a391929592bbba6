//! Connect, meet, exchange, close, over and over: nothing is left of it.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::thread;
use std::time::Instant;

use super::Settings;
use super::common::{read, wait_until};
use super::machine::{connections, descriptors, resident};
use super::meet::{open_relay, say};
use super::report::Report;
use super::scrape::Watched;

const WORKERS: u64 = 4;
/// How many listeners of a worker wait before the first is called, so that it is sure to wait.
const AHEAD: u64 = 8;
/// The worker's addresses on loopback, so that there are ports enough for those just closed.
const ADDRESSES: u64 = 16;

pub(crate) fn gate(report: &mut Report, settings: &Settings) {
    let relay = open_relay(&settings.backend, &["--bind", "0.0.0.0"]);
    let pid = relay.child.id();
    // What is allocated once and kept is there after the first of them.
    run(&relay, settings.cycles / 10);
    let figures = || {
        wait_until("the connections are gone", || {
            connections(relay.address.port()) == 0
        });
        (descriptors(pid) as f64, resident(pid) as f64)
    };
    let before = figures();
    let begun = Instant::now();
    let again = run(&relay, settings.cycles);
    let rate = settings.cycles as f64 / begun.elapsed().as_secs_f64();
    let after = figures();
    println!(
        "      {} cycles, {rate:.0} a second, {again} calls came early; {} descriptors, {} KB resident",
        settings.cycles,
        after.0,
        after.1 / 1e3
    );
    let matches = relay.value("matches_total");
    report.exactly(
        "meetings in all",
        matches as usize,
        (settings.cycles / 10 + settings.cycles) as usize,
    );
    report.at_most(
        "descriptors, against the start",
        100.0 * after.0 / before.0,
        101.0,
        "%",
    );
    report.at_most(
        "resident memory, against the start",
        100.0 * after.1 / before.1,
        101.0,
        "%",
    );
    report.exactly("sockets left of them", connections(relay.address.port()), 0);
    report.exactly(
        "connections counted still",
        relay.value("connections") as usize,
        0,
    );
}

/// Runs so many cycles; how many calls came before their listener.
fn run(relay: &Watched, cycles: u64) -> u64 {
    let again = thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS)
            .map(|worker| {
                let share = cycles / WORKERS + u64::from(worker < cycles % WORKERS);
                scope.spawn(move || work(relay.address.port(), worker, share))
            })
            .collect();
        workers
            .into_iter()
            .map(|worker| worker.join().expect("no worker panics"))
            .sum()
    });
    relay.wait_value("connections", 0);
    again
}

fn work(port: u16, worker: u64, cycles: u64) -> u64 {
    let address = |number: u64| {
        let last = (number % ADDRESSES) as u8 + 1;
        SocketAddr::from((Ipv4Addr::new(127, 0, worker as u8, last), port))
    };
    let id = |number: u64| format!("cycle-{worker}-{number}");
    let mut waiting = std::collections::VecDeque::new();
    let mut again = 0;
    for number in 0..cycles + AHEAD {
        if number < cycles {
            waiting.push_back(say(address(number), b'T', id(number)));
        }
        if number >= AHEAD {
            let listener = waiting.pop_front().expect("as many were put in");
            again += cycle(listener, || say(address(number), b'C', id(number - AHEAD)));
        }
    }
    again
}

/// Meets, exchanges and closes; how many calls came before the listener.
fn cycle(mut listener: TcpStream, call: impl Fn() -> TcpStream) -> u64 {
    let mut again = 0;
    let mut caller = loop {
        let mut caller = call();
        if read(&mut caller, 1) == b"O" {
            break caller;
        }
        again += 1;
    };
    caller.write_all(b"ping").expect("the pair is open");
    assert_eq!(read(&mut listener, 4), b"ping");
    listener.write_all(b"pong").expect("the pair is open");
    assert_eq!(read(&mut caller, 4), b"pong");
    drop(caller);
    assert_eq!(listener.read(&mut [0]).expect("a clean end"), 0);
    again
}
