//! 5,000 clients drip their hello, a byte each 5 s, and others meet as if there were none.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use super::Settings;
use super::common::connect;
use super::meet::{meet, open_relay};
use super::report::Report;

const CLIENTS: usize = 5_000;
const DRIP: Duration = Duration::from_secs(5);
const GIVE_UP: Duration = Duration::from_secs(15);

struct Client {
    stream: TcpStream,
    begun: Instant,
    next: Instant,
    /// Seconds until its end came.
    ended: Option<f64>,
}

pub(crate) fn gate(report: &mut Report, settings: &Settings) {
    let relay = open_relay(&settings.backend, &[]);
    let mut clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let mut stream = connect(relay.address);
            stream.write_all(b"T").expect("the relay reads");
            stream.set_nonblocking(true).expect("a socket option");
            let begun = Instant::now();
            Client {
                stream,
                begun,
                next: begun + DRIP,
                ended: None,
            }
        })
        .collect();
    let all_are_in = Instant::now();
    relay.wait_value("connections", CLIENTS as u64);
    let address = relay.address;
    // For as long as all of them are there.
    let meetings = thread::spawn(move || {
        let mut times = Vec::new();
        while all_are_in.elapsed() < Duration::from_secs(7) {
            times.push(meet(address, "true"));
            thread::sleep(Duration::from_millis(20));
        }
        times
    });
    while clients.iter().any(|client| client.ended.is_none()) && all_are_in.elapsed() < GIVE_UP {
        clients.iter_mut().for_each(turn);
        thread::sleep(Duration::from_millis(20));
    }
    let times = meetings.join().expect("no meeting panics");
    let failed = times.iter().filter(|time| time.is_err()).count();
    let slowest = times.iter().flatten().max().copied().unwrap_or_default();
    println!("      {} true pairs met meanwhile", times.len() - failed);
    report.exactly("true pairs that did not meet", failed, 0);
    report.at_most(
        "meeting of a true pair, slowest",
        slowest.as_secs_f64() * 1e3,
        100.0,
        "ms",
    );
    let ends: Vec<_> = clients.iter().filter_map(|client| client.ended).collect();
    report.exactly("slow clients that were ended", ends.len(), CLIENTS);
    let first = ends.iter().copied().fold(f64::INFINITY, f64::min);
    report.at_least("first of them gone after", first, 9.0, "s");
    report.at_most(
        "last of them gone after",
        ends.iter().copied().fold(0.0, f64::max),
        11.0,
        "s",
    );
    drop(clients);
    relay.wait_value("connections", 0);
}

fn turn(client: &mut Client) {
    if client.ended.is_some() {
        return;
    }
    let mut answer = [0; 8];
    match client.stream.read(&mut answer) {
        // The 'X' before the end is no end yet.
        Ok(1..) => return,
        Err(error) if error.kind() == ErrorKind::WouldBlock => {}
        Ok(0) | Err(_) => {
            client.ended = Some(client.begun.elapsed().as_secs_f64());
            return;
        }
    }
    if Instant::now() >= client.next {
        client.next += DRIP;
        // One that is gone shows it at the next read.
        let _ = client.stream.write(b"a");
    }
}
