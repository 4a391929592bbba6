//! One source takes all it can, and another meets as before. The sources are 127.0.0.1 and ::1.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::Settings;
use super::meet::meet;
use super::report::Report;
use super::scrape::Watched;

const TIME: Duration = Duration::from_secs(10);
/// What the greedy one holds at most; more than the relay has descriptors for would end the driver.
const HELD: usize = 10_000;

pub(crate) fn gate(report: &mut Report, settings: &Settings) {
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        report.skip("this machine has no IPv6 for a second source");
        return;
    }
    // The limits that it has when nobody says any.
    let relay = Watched::start(&settings.backend, &["--bind", "::", "--quiet"]);
    let port = relay.address.port();
    let done = AtomicBool::new(false);
    let greedy = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let (times, most) = thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut held = Vec::new();
                while !done.load(Ordering::Relaxed) {
                    take(greedy, held.len(), &mut held);
                    if held.len() > HELD / 2 {
                        held.drain(..HELD / 4);
                    }
                }
            });
        }
        let (mut times, mut most) = (Vec::new(), 0);
        let begun = Instant::now();
        while begun.elapsed() < TIME {
            times.push(meet(SocketAddr::from((Ipv6Addr::LOCALHOST, port)), "other"));
            most = most.max(relay.value("listeners"));
            thread::sleep(Duration::from_millis(20));
        }
        done.store(true, Ordering::Relaxed);
        (times, most)
    });
    let failed = times.iter().filter(|time| time.is_err()).count();
    let slowest = times.iter().flatten().max().copied().unwrap_or_default();
    let page = relay.page();
    let refused: u64 = ["connections", "rate", "listeners"]
        .map(|kind| {
            super::scrape::value(
                &page,
                &format!("refusals_total{{reason=\"limit-source-{kind}\"}}"),
            )
        })
        .iter()
        .sum();
    println!(
        "      {} pairs of the other met; {refused} connections of the greedy were refused",
        times.len() - failed
    );
    report.at_least(
        "waiting listeners of the greedy, most",
        most as f64,
        3000.0,
        "",
    );
    report.at_most(
        "waiting listeners of the greedy, most",
        most as f64,
        5000.0,
        "",
    );
    report.exactly("pairs of the other that did not meet", failed, 0);
    report.at_most(
        "meeting of the other, slowest",
        slowest.as_secs_f64() * 1e3,
        100.0,
        "ms",
    );
}

/// Opens one connection and waits under an id of its own.
fn take(address: SocketAddr, number: usize, held: &mut Vec<TcpStream>) {
    use std::io::Write;
    let opened = TcpStream::connect_timeout(&address, Duration::from_secs(1));
    if let Ok(mut stream) = opened {
        let _ = write!(stream, "Tgreedy-{number}$");
        held.push(stream);
    }
}
