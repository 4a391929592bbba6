//! The limits that the options set.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::common::{Relay, on_every_backend, read, read_to_end};

on_every_backend! {
    the_idle_timeout_closes_an_idle_pair_and_neither_a_busy_one_nor_a_listener
    a_pair_that_moves_one_way_only_is_not_idle
    the_connection_over_the_limit_waits_and_is_served_when_one_leaves
}

/// Whether the relay has ended the connection; waits as long as it takes.
fn ended(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0]) {
        Ok(count) => count == 0,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

fn the_idle_timeout_closes_an_idle_pair_and_neither_a_busy_one_nor_a_listener(backend: &str) {
    let relay = Relay::start(backend, &["--idle-timeout", "1"]);
    let mut waiting = relay.listener(b"waiting");
    let (mut busy, mut peer) = relay.pair(b"busy");
    let (mut idle, mut silent) = relay.pair(b"idle");
    let begin = Instant::now();
    std::thread::scope(|scope| {
        let closed = scope.spawn(|| {
            assert!(ended(&mut idle) && ended(&mut silent));
            begin.elapsed()
        });
        let mut over = None;
        while over.is_none_or(|over: Instant| over.elapsed() < Duration::from_secs(1)) {
            busy.write_all(b"?").unwrap();
            assert_eq!(read(&mut peer, 1), b"?");
            peer.write_all(b"!").unwrap();
            assert_eq!(read(&mut busy, 1), b"!");
            if over.is_none() && closed.is_finished() {
                over = Some(Instant::now());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let after = closed.join().unwrap();
        assert!(
            after >= Duration::from_millis(900),
            "closed after {after:?}"
        );
        assert!(
            after < Duration::from_secs(6),
            "closed only after {after:?}"
        );
    });
    relay.wait_for("closed", &["id=idle", "reason=idle"]);
    assert!(begin.elapsed() < Duration::from_secs(10));
    let mut caller = relay.caller(b"waiting");
    assert_eq!(read(&mut caller, 1), b"O");
    caller.write_all(b"x").unwrap();
    assert_eq!(read(&mut waiting, 1), b"x");
}

fn a_pair_that_moves_one_way_only_is_not_idle(backend: &str) {
    let relay = Relay::start(backend, &["--idle-timeout", "1"]);
    let (mut listener, mut caller) = relay.pair(b"alice");
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_millis(2_500) {
        caller.write_all(b"x").unwrap();
        assert_eq!(read(&mut listener, 1), b"x");
        std::thread::sleep(Duration::from_millis(50));
    }
    listener.write_all(b"y").unwrap();
    assert_eq!(read(&mut caller, 1), b"y");
}

fn the_connection_over_the_limit_waits_and_is_served_when_one_leaves(backend: &str) {
    let relay = Relay::start(backend, &["--max-connections", "4"]);
    let (mut listener, mut caller) = relay.pair(b"first");
    let mut second = relay.pair(b"second");
    let mut over = relay.connect();
    over.write_all(b"Cnobody$").unwrap();
    // The four go on as before, and by the time of all that nobody has looked at the fifth.
    for _ in 0..1_000 {
        caller.write_all(b"x").unwrap();
        assert_eq!(read(&mut listener, 1), b"x");
        second.0.write_all(b"y").unwrap();
        assert_eq!(read(&mut second.1, 1), b"y");
    }
    let lines = relay.log.lines();
    assert!(
        !lines.iter().any(|line| line.starts_with("refused")),
        "{lines:?}"
    );
    over.set_nonblocking(true).unwrap();
    assert_eq!(
        over.peek(&mut [0]).unwrap_err().kind(),
        ErrorKind::WouldBlock
    );
    over.set_nonblocking(false).unwrap();
    drop((listener, caller));
    assert_eq!(read_to_end(&mut over), b"X");
    drop(over);
    drop(relay.pair(b"third"));
}
