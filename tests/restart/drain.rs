//! What a signal does to those who wait, those in a pair, and those who come.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::common::{Relay, on_every_backend, read, read_to_end, wait_until};

on_every_backend! {
    without_a_pair_a_signal_ends_it_at_once_and_closes_who_waits
    a_pair_goes_on_after_the_signal_and_the_relay_ends_with_it
    after_the_drain_time_the_pairs_left_are_reset
    a_second_signal_ends_it_at_once
    a_signal_frees_the_relay_that_is_full
}

/// Far longer than any test may take.
const LONG: &str = "3600";

fn reset(stream: &mut TcpStream) {
    let error = stream.read(&mut [0]).expect_err("a reset");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

fn without_a_pair_a_signal_ends_it_at_once_and_closes_who_waits(backend: &str) {
    for signal in ["INT", "TERM", "HUP"] {
        let mut relay = Relay::start(backend, &["--drain", LONG]);
        let mut waiting = relay.listener(b"alice");
        let mut half = relay.connect();
        half.write_all(b"Tbo").unwrap();
        drop(relay.pair(b"carol"));
        relay.wait_for("closed", &["id=carol"]);
        relay.signal(signal);
        assert_eq!(read_to_end(&mut waiting), b"");
        // A reset, if its bytes had not been read yet.
        assert!(!matches!(half.read(&mut [0]), Ok(1..)));
        assert_eq!(relay.wait_ended(), Some(0), "SIG{signal}");
        relay.wait_for("closed", &["id=alice", "reason=shutdown"]);
    }
}

fn a_pair_goes_on_after_the_signal_and_the_relay_ends_with_it(backend: &str) {
    let mut relay = Relay::start(backend, &["--drain", LONG]);
    let (mut listener, mut caller) = relay.pair(b"alice");
    let mut waiting = relay.listener(b"bob");
    relay.signal("TERM");
    assert_eq!(read_to_end(&mut waiting), b"");
    wait_until("nobody listens", || {
        TcpStream::connect(relay.address).is_err()
    });
    for _ in 0..100 {
        caller.write_all(b"?").unwrap();
        assert_eq!(read(&mut listener, 1), b"?");
        listener.write_all(b"!").unwrap();
        assert_eq!(read(&mut caller, 1), b"!");
    }
    assert!(relay.runs());
    caller.write_all(b"last").unwrap();
    drop(caller);
    assert_eq!(read_to_end(&mut listener), b"last");
    drop(listener);
    assert_eq!(relay.wait_ended(), Some(0));
    relay.wait_for(
        "closed",
        &["id=alice", "reason=finished", "caller_bytes=104"],
    );
}

fn after_the_drain_time_the_pairs_left_are_reset(backend: &str) {
    let mut relay = Relay::start(backend, &["--drain", "1"]);
    let (mut listener, mut caller) = relay.pair(b"alice");
    relay.signal("TERM");
    let begin = Instant::now();
    if cfg!(feature = "libc") {
        reset(&mut listener);
        reset(&mut caller);
    }
    assert_eq!(relay.wait_ended(), Some(0));
    let took = begin.elapsed();
    assert!(took > Duration::from_millis(900), "after {took:?}");
    assert!(took < Duration::from_secs(4), "after {took:?}");
    relay.wait_for("closed", &["id=alice", "reason=shutdown"]);
}

fn a_second_signal_ends_it_at_once(backend: &str) {
    let mut relay = Relay::start(backend, &["--drain", LONG]);
    let mut pair = relay.pair(b"alice");
    let mut waiting = relay.listener(b"bob");
    relay.signal("TERM");
    assert_eq!(read_to_end(&mut waiting), b"");
    assert!(relay.runs());
    relay.signal("INT");
    if cfg!(feature = "libc") {
        reset(&mut pair.0);
        reset(&mut pair.1);
    }
    assert_eq!(relay.wait_ended(), Some(0));
}

fn a_signal_frees_the_relay_that_is_full(backend: &str) {
    let mut relay = Relay::start(backend, &["--max-connections", "2", "--drain", LONG]);
    let pair = relay.pair(b"alice");
    relay.signal("TERM");
    wait_until("nobody listens", || {
        TcpStream::connect(relay.address).is_err()
    });
    drop(pair);
    assert_eq!(relay.wait_ended(), Some(0));
}
