//! What one source can take, and what it cannot take from the others.
//!
//! The two sources are 127.0.0.1 and ::1.

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/pairs.rs"]
mod pairs;
#[path = "../common/pattern.rs"]
mod pattern;

use std::io::Write;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use common::{Relay, connect, hello, on_every_backend, read, read_to_end, wait_until};
use pattern::Pattern;

on_every_backend! {
    a_source_with_all_its_connections_is_refused_and_another_meets
    a_source_with_all_its_listeners_may_still_call
    a_source_that_comes_too_fast_is_refused_for_a_while
    a_source_that_misses_often_waits_for_its_answers
    a_pair_moves_at_the_rate_that_it_is_given_and_arrives_whole
    the_pairs_of_one_source_share_its_rate
    who_left_before_its_turn_keeps_nobody_from_it
}

fn who_left_before_its_turn_keeps_nobody_from_it(backend: &str) {
    let relay = Relay::start(backend, &["--max-connections", "1"]);
    let first = relay.listener(b"first");
    for number in 0..20 {
        let id = format!("left {number}");
        let mut listener = relay.connect();
        listener.write_all(&hello(b'T', id.as_bytes())).unwrap();
    }
    let mut caller = relay.connect();
    caller.write_all(&hello(b'C', b"nobody")).unwrap();
    let begin = Instant::now();
    drop(first);
    assert_eq!(read_to_end(&mut caller), b"X");
    let took = begin.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
}

/// A relay for both families, or `None` where there is no IPv6.
fn relay(backend: &str, options: &[&str]) -> Option<Relay> {
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        let _ = writeln!(
            std::io::stderr(),
            "SKIP limits/sources: this machine has no IPv6 for a second source"
        );
        return None;
    }
    let mut relay = Relay::start_anywhere(backend, options);
    relay.address.set_ip(Ipv4Addr::LOCALHOST.into());
    Some(relay)
}

fn from_other_source(relay: &Relay, role: u8, id: &[u8]) -> TcpStream {
    let address = SocketAddr::new(Ipv6Addr::LOCALHOST.into(), relay.address.port());
    let mut stream = connect(address);
    stream.write_all(&hello(role, id)).unwrap();
    stream
}

fn other_source_meets(relay: &Relay) {
    let listener = from_other_source(relay, b'T', b"other");
    relay.wait_registered(&listener);
    let mut caller = from_other_source(relay, b'C', b"other");
    assert_eq!(read(&mut caller, 1), b"O");
}

fn a_source_with_all_its_connections_is_refused_and_another_meets(backend: &str) {
    let Some(relay) = relay(backend, &["--source-connections", "3"]) else {
        return;
    };
    let mut all: Vec<_> = (0..3).map(|_| relay.listener(b"a")).collect();
    let mut refused = relay.connect();
    assert_eq!(read_to_end(&mut refused), b"X");
    relay.wait_for("refused", &["reason=limit-source-connections"]);
    other_source_meets(&relay);
    all.pop();
    relay.wait_for("closed", &["reason=gone"]);
    assert_eq!(read(&mut relay.caller(b"a"), 1), b"O");
}

fn a_source_with_all_its_listeners_may_still_call(backend: &str) {
    let Some(relay) = relay(backend, &["--source-listeners", "2"]) else {
        return;
    };
    let _two = [relay.listener(b"a"), relay.listener(b"b")];
    let mut third = relay.connect();
    third.write_all(b"Tc$").unwrap();
    assert_eq!(read_to_end(&mut third), b"X");
    relay.wait_for("refused", &["reason=limit-source-listeners", "id=c"]);
    other_source_meets(&relay);
    let mut caller = relay.caller(b"a");
    assert_eq!(read(&mut caller, 1), b"O");
    // Who is in a pair waits no longer: its share is free.
    let _third = relay.listener(b"c");
}

fn a_source_that_comes_too_fast_is_refused_for_a_while(backend: &str) {
    let Some(relay) = relay(backend, &["--source-rate", "5"]) else {
        return;
    };
    let answer = || {
        let mut stream = relay.connect();
        let _ = stream.write_all(b"Cnobody$");
        stream
    };
    let burst: Vec<_> = (0..20).map(|_| answer()).collect();
    wait_until("the burst is answered", || {
        let count = relay
            .log
            .lines()
            .iter()
            .filter(|line| line.starts_with("refused"))
            .count();
        count >= burst.len()
    });
    drop(answer());
    relay.wait_for("refused", &["reason=limit-source-rate"]);
    other_source_meets(&relay);
    wait_until("the source is let in again", || {
        drop(answer());
        relay
            .log
            .lines()
            .last()
            .is_some_and(|line| line.contains("reason=nobody-waits"))
    });
}

fn a_source_that_misses_often_waits_for_its_answers(backend: &str) {
    let Some(relay) = relay(backend, &[]) else {
        return;
    };
    let miss = |id: &[u8]| {
        let begin = Instant::now();
        assert_eq!(read_to_end(&mut relay.caller(id)), b"X");
        begin.elapsed()
    };
    // An id in a pair and one that nobody knows are the same to who probes.
    let (_listener, _caller) = relay.pair(b"busy");
    let late = Duration::from_millis(900);
    let probes: Vec<_> = (0..45)
        .map(|count| miss(if count % 2 == 0 { b"busy" } else { b"nobody" }))
        .take_while(|&time| time < late)
        .collect();
    assert!(
        (32..45).contains(&probes.len()),
        "late after {}",
        probes.len()
    );
    let begin = Instant::now();
    let mut other = from_other_source(&relay, b'C', b"nobody");
    assert_eq!(read_to_end(&mut other), b"X");
    assert!(begin.elapsed() < late);
}

/// How long it takes to move `count` bytes from the one to the other.
fn time(pattern: &Pattern, from: &TcpStream, to: &TcpStream, count: usize) -> Duration {
    let begin = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| pattern.send(from, count));
        pattern.expect(to, 0, count);
    });
    begin.elapsed()
}

fn a_pair_moves_at_the_rate_that_it_is_given_and_arrives_whole(backend: &str) {
    let relay = Relay::start(backend, &["--pair-bytes", "1M"]);
    let pattern = Pattern::new(1);
    let pairs = [relay.pair(b"a"), relay.pair(b"b")];
    std::thread::scope(|scope| {
        for (listener, caller) in &pairs {
            scope.spawn(|| {
                let time = time(&pattern, caller, listener, 2_000_000);
                // A quarter of a second's worth comes at once.
                assert!(time > Duration::from_millis(1_600), "{time:?}");
                assert!(time < Duration::from_secs(8), "{time:?}");
            });
        }
    });
}

fn the_pairs_of_one_source_share_its_rate(backend: &str) {
    let Some(relay) = relay(backend, &["--source-bytes", "2M"]) else {
        return;
    };
    let pattern = Pattern::new(1);
    let (listener, caller) = relay.pair(b"a");
    let (other_listener, other_caller) = relay.pair(b"b");
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for (listener, caller) in [(&listener, &caller), (&other_listener, &other_caller)] {
            scope.spawn(|| time(&pattern, caller, listener, 2_000_000));
        }
    });
    let both = begin.elapsed();
    assert!(both > Duration::from_millis(1_600), "{both:?}");
    let listener = from_other_source(&relay, b'T', b"c");
    relay.wait_registered(&listener);
    let mut caller = from_other_source(&relay, b'C', b"c");
    assert_eq!(read(&mut caller, 1), b"O");
    let begin = Instant::now();
    caller.write_all(&pattern.bytes(400_000)).unwrap();
    pattern.expect(&listener, 0, 400_000);
    assert!(begin.elapsed() < Duration::from_secs(5));
}

/// The relay with few descriptors, when it has none left.
#[cfg(target_os = "linux")]
mod exhausted {
    use std::process::{Command, Stdio};

    use super::*;

    on_every_backend! {
        out_of_descriptors_it_neither_spins_nor_stays_so
    }

    /// Processor time of a process in seconds; /proc counts it in hundredths.
    fn cpu(pid: u32) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let fields: Vec<_> = stat
            .rsplit(')')
            .next()
            .unwrap()
            .split_whitespace()
            .collect();
        let ticks = |index: usize| fields[index].parse::<f64>().unwrap();
        (ticks(11) + ticks(12)) / 100.0
    }

    fn out_of_descriptors_it_neither_spins_nor_stays_so(backend: &str) {
        // Nothing in reserve, so that it really meets the end of its descriptors.
        let mut relay = Relay::start_with(
            Command::new("sh")
                .args(["-c", "ulimit -n 64 && exec \"$0\" \"$@\""])
                .arg(env!("CARGO_BIN_EXE_p2p-relay"))
                .args([
                    "--backend",
                    backend,
                    "--bind",
                    "127.0.0.1",
                    "--reserve",
                    "0",
                    "0",
                ])
                .stdin(Stdio::null()),
        );
        let flood: Vec<_> = (0..200).map(|_| relay.connect()).collect();
        let before = cpu(relay.child.id());
        // The time is the test: a relay that spins would use all of it.
        std::thread::sleep(Duration::from_secs(2));
        let used = cpu(relay.child.id()) - before;
        assert!(used < 0.1, "{used} s of processor time in 2 s");
        assert!(
            relay.child.try_wait().unwrap().is_none(),
            "the relay has ended"
        );
        drop(flood);
        wait_until("it serves again", || {
            let mut stream = relay.connect();
            stream
                .set_read_timeout(Some(Duration::from_millis(500)))
                .unwrap();
            let mut answer = [0];
            stream.write_all(b"Cnobody$").is_ok()
                && std::io::Read::read(&mut stream, &mut answer).is_ok_and(|count| count == 1)
        });
    }
}
