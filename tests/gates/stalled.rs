//! 1,000 readers stop, and the others go on as before.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::machine::{anonymous, tcp_memory, unacknowledged};
use super::meet::{call, open_relay, pairs, say};
use super::report::{Report, quantile};
use super::{Settings, cpu};

const STALLED: usize = 1_000;
const MOVERS: usize = 2;
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_millis(1500);
/// What a sender says at once, in bytes.
const CHUNK: usize = 32_768;
const REST: Duration = Duration::from_secs(5);

pub(crate) fn gate(report: &mut Report, settings: &Settings) {
    let relay = open_relay(&settings.backend, &[]);
    let pid = relay.child.id();
    let listeners: Vec<_> = (0..MOVERS)
        .map(|number| say(relay.address, b'T', format!("mover-{number}")))
        .collect();
    relay.wait_value("listeners", MOVERS as u64);
    let movers: Vec<_> = listeners
        .into_iter()
        .enumerate()
        .map(|(number, listener)| (listener, call(relay.address, format!("mover-{number}")).0))
        .collect();
    let mut free = rates(&movers);

    let stalled = pairs(&relay, STALLED);
    let (memory, kernel) = (anonymous(pid), tcp_memory());
    let taken = fill(&stalled);
    let grown = anonymous(pid).saturating_sub(memory);
    let used = cpu::of(pid);
    // The time is the measure: a relay that polls would use some of it.
    thread::sleep(REST);
    let used = (cpu::of(pid) - used) / REST.as_secs_f64();
    let held = tcp_memory().saturating_sub(kernel);
    println!(
        "      each stalled pair took {} KB before it stood",
        taken / STALLED as u64 / 1000
    );
    report.at_most(
        "growth of user memory per stalled pair",
        grown as f64 / STALLED as f64,
        1024.0,
        "bytes",
    );
    report.at_most(
        "relay's processor while all stand",
        100.0 * used,
        1.0,
        "% of a core",
    );
    report.at_most(
        "kernel memory for TCP, relay and readers",
        held as f64 / 1e9,
        1.1,
        "GB",
    );

    let mut beside = rates(&movers);
    drop(stalled);
    relay.wait_value("pairs", MOVERS as u64);
    free.extend(rates(&movers));
    let (free, beside) = (quantile(&mut free, 0.5), quantile(&mut beside, 0.5));
    println!("      others: {free:.2} GB/s without, {beside:.2} GB/s with stalled pairs, medians");
    report.at_least(
        "rate of the others beside them",
        100.0 * beside / free,
        90.0,
        "%",
    );
}

/// Writes until nothing goes in any more; the bytes that went.
///
/// A sender gets its next chunk when the relay's machine has taken the last: what a sender's own
/// kernel buffers is the memory of another machine, and would count as the relay's here.
fn fill(pairs: &[(TcpStream, TcpStream)]) -> u64 {
    let chunk = vec![7; CHUNK];
    let mut total = 0;
    let senders: Vec<_> = pairs
        .iter()
        .map(|(_, caller)| {
            caller.set_nonblocking(true).expect("a socket option");
            let port = caller.local_addr().expect("a connection has an address");
            (caller, port.port())
        })
        .collect();
    let relay = pairs[0].1.peer_addr().expect("a connection has a peer");
    let mut last = Instant::now();
    while last.elapsed() < Duration::from_secs(2) {
        let waiting = unacknowledged(relay.port());
        for &(mut caller, port) in &senders {
            if waiting.contains(&port) {
                continue;
            }
            match caller.write(&chunk) {
                Ok(count) => {
                    total += count as u64;
                    last = Instant::now();
                }
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}"),
            }
        }
        thread::sleep(Duration::from_millis(5));
    }
    total
}

/// GB/s of all movers together, a figure a round.
fn rates(movers: &[(TcpStream, TcpStream)]) -> Vec<f64> {
    let (moved, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        for (listener, caller) in movers {
            let (moved, stop) = (&moved, &stop);
            scope.spawn(move || {
                let (mut caller, chunk) = (caller, vec![7; 262_144]);
                while !stop.load(Ordering::Relaxed) {
                    caller.write_all(&chunk).expect("the pair goes on");
                }
                caller.write_all(b"\0").expect("the pair goes on");
            });
            scope.spawn(move || {
                let (mut listener, mut buffer) = (listener, vec![0; 262_144]);
                loop {
                    let count = listener.read(&mut buffer).expect("the pair goes on");
                    assert!(count > 0, "the pair has ended");
                    moved.fetch_add(count as u64, Ordering::Relaxed);
                    // The mark that nothing of this round is left.
                    if buffer[count - 1] == 0 {
                        break;
                    }
                }
            });
        }
        let figures = (0..ROUNDS)
            .map(|_| {
                let (begun, before) = (Instant::now(), moved.load(Ordering::Relaxed));
                thread::sleep(ROUND);
                let bytes = moved.load(Ordering::Relaxed) - before;
                bytes as f64 / 1e9 / begun.elapsed().as_secs_f64()
            })
            .collect();
        stop.store(true, Ordering::Relaxed);
        figures
    })
}
