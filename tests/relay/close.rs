//! How a pair ends: every byte that was taken arrives, and an error stays an error.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use super::common::{Relay, on_every_backend, read, read_to_end, wait_until};
use super::pattern::Pattern;
use super::tcp::unacknowledged;

on_every_backend! {
    when_one_ends_the_other_goes_on_until_it_ends_too
    both_bytes_counts_are_in_the_log
    an_end_that_comes_with_the_hello_is_passed_on
    after_an_end_and_a_silence_of_half_close_seconds_both_are_closed
    half_close_does_not_cut_what_still_moves
    half_close_cuts_no_byte_that_was_already_taken
}

#[cfg(target_os = "linux")]
mod on_linux {
    use super::*;
    on_every_backend! {
        a_reset_behind_an_end_takes_no_byte_from_the_other
        a_byte_sent_to_who_has_closed_takes_none_from_its_sender
        an_end_beside_a_full_direction_takes_no_byte_from_the_other
    }
}

// Without the `libc` crate the relay has no call that resets a connection.
#[cfg(feature = "libc")]
mod with_libc {
    use super::*;
    on_every_backend! {
        a_reset_is_passed_on_as_an_error_and_never_as_an_end
        a_reset_amid_the_data_is_passed_on_as_an_error
    a_half_close_that_costs_bytes_is_a_reset
    }

    fn a_half_close_that_costs_bytes_is_a_reset(backend: &str) {
        for caller_first in [false, true] {
            let relay = Relay::start(backend, &["--half-close", "1"]);
            let (mut first, last) = pair(&relay, caller_first);
            first.shutdown(Shutdown::Write).unwrap();
            fill(&last, &Pattern::new(1));
            relay.wait_for("closed", &["reason=half-close"]);
            assert_reset(&mut first);
        }
    }

    /// Reads until the connection is over; it must be over by a reset.
    fn assert_reset(stream: &mut TcpStream) {
        let mut bytes = Vec::new();
        match stream.read_to_end(&mut bytes) {
            Ok(_) => panic!("a clean end after {} bytes", bytes.len()),
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}"),
        }
    }

    fn a_reset_is_passed_on_as_an_error_and_never_as_an_end(backend: &str) {
        let relay = Relay::start(backend, &[]);
        for caller_first in [false, true] {
            let (first, mut last) = pair(&relay, caller_first);
            last.write_all(b"unread").unwrap();
            first.peek(&mut [0]).unwrap();
            drop(first);
            assert_reset(&mut last);
        }
    }

    fn a_reset_amid_the_data_is_passed_on_as_an_error(backend: &str) {
        let relay = Relay::start(backend, &[]);
        let pattern = Pattern::new(1);
        for caller_first in [false, true] {
            for sent in [1, 5_000, MEGABYTE] {
                let (first, mut last) = pair(&relay, caller_first);
                last.write_all(b"unread").unwrap();
                first.peek(&mut [0]).unwrap();
                std::thread::scope(|scope| {
                    let reader = scope.spawn(|| assert_reset(&mut last));
                    pattern.send(&first, sent);
                    drop(first);
                    reader.join().unwrap();
                });
            }
        }
    }
}

const MEGABYTE: usize = 1_000_000;
/// More than the kernel holds for the relay behind a peer that does not read, so that a part of it
/// has arrived at the relay and is unread there.
const LONG: usize = 8_400_000;
/// How many of them are read at a time to let the relay go on, and how long it has not gone on then.
const STEP: usize = 262_144;
const STUCK: Duration = Duration::from_millis(40);

/// A pair of which either the listener or the caller is the first.
fn pair(relay: &Relay, caller_first: bool) -> (TcpStream, TcpStream) {
    let (listener, caller) = relay.pair(b"alice");
    if caller_first {
        (caller, listener)
    } else {
        (listener, caller)
    }
}

fn when_one_ends_the_other_goes_on_until_it_ends_too(backend: &str) {
    let relay = Relay::start(backend, &[]);
    let pattern = Pattern::new(1);
    for caller_first in [false, true] {
        let (mut first, mut last) = pair(&relay, caller_first);
        first.write_all(b"question").unwrap();
        first.shutdown(Shutdown::Write).unwrap();
        assert_eq!(read_to_end(&mut last), b"question");
        std::thread::scope(|scope| {
            scope.spawn(|| {
                pattern.send(&last, MEGABYTE);
                last.shutdown(Shutdown::Write).unwrap();
            });
            pattern.expect(&first, 0, MEGABYTE);
        });
        assert_eq!(read_to_end(&mut first), b"");
    }
}

fn both_bytes_counts_are_in_the_log(backend: &str) {
    let relay = Relay::start(backend, &[]);
    let (mut listener, mut caller) = (relay.connect(), relay.connect());
    // Bytes behind the hello count as well; the hello and the relay's own answer do not.
    listener.write_all(b"Talice$12345").unwrap();
    relay.wait_registered(&listener);
    caller.write_all(b"Calice$12").unwrap();
    assert_eq!(read(&mut caller, 6), b"O12345");
    listener.write_all(b"67").unwrap();
    listener.shutdown(Shutdown::Write).unwrap();
    caller.write_all(b"3").unwrap();
    caller.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_to_end(&mut listener), b"123");
    assert_eq!(read_to_end(&mut caller), b"67");
    let counts = ["listener_bytes=7", "caller_bytes=3"];
    let line = relay.wait_for("closed", &["id=alice", "reason=finished"]);
    for count in counts {
        assert!(line.split(' ').any(|word| word == count), "{line}");
    }
}

/// Waits for any end of the connection.
fn wait_ended(stream: &mut TcpStream) {
    loop {
        match stream.read(&mut [0]) {
            Ok(count) => return assert_eq!(count, 0),
            // A read with a timeout is interrupted by whatever stops the process, a debugger too.
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
    }
}

/// Makes the relay see everything that happens meanwhile at once.
pub(crate) fn while_stopped(relay: &Relay, work: impl FnOnce()) {
    let signal = |name: &str| {
        let kill = format!("kill -{name} {}", relay.child.id());
        let status = Command::new("sh").args(["-c", &kill]).status().unwrap();
        assert!(status.success());
    };
    signal("STOP");
    work();
    signal("CONT");
}

fn an_end_that_comes_with_the_hello_is_passed_on(backend: &str) {
    let relay = Relay::start(backend, &[]);
    // Another connection more or less brings listener and caller to one loop or to two.
    for others in [0, 1] {
        let _others: Vec<_> = (0..others).map(|_| relay.listener(b"other")).collect();
        for _ in 0..10 {
            let mut listener = relay.listener(b"alice");
            let mut caller = relay.connect();
            while_stopped(&relay, || {
                caller.write_all(b"Calice$hello").unwrap();
                caller.shutdown(Shutdown::Write).unwrap();
            });
            assert_eq!(read_to_end(&mut listener), b"hello");
            listener.write_all(b"bye").unwrap();
            drop(listener);
            assert_eq!(read_to_end(&mut caller), b"Obye");
        }
        for _ in 0..10 {
            let mut listener = relay.listener(b"alice");
            let mut caller = relay.connect();
            while_stopped(&relay, || {
                caller.write_all(b"Calice$").unwrap();
                listener.write_all(b"hello").unwrap();
                listener.shutdown(Shutdown::Write).unwrap();
            });
            // Who is looked at first decides whether the listener was gone.
            match read(&mut caller, 1).as_slice() {
                b"O" => assert_eq!(read_to_end(&mut caller), b"hello"),
                answer => assert_eq!(answer, b"X"),
            }
        }
    }
}

fn after_an_end_and_a_silence_of_half_close_seconds_both_are_closed(backend: &str) {
    let relay = Relay::start(backend, &["--half-close", "1"]);
    for caller_first in [false, true] {
        let (mut first, mut last) = pair(&relay, caller_first);
        let begin = Instant::now();
        first.shutdown(Shutdown::Write).unwrap();
        assert_eq!(read_to_end(&mut last), b"");
        wait_ended(&mut first);
        let after = begin.elapsed();
        assert!(
            after >= Duration::from_millis(900),
            "closed after {after:?}"
        );
        assert!(
            after < Duration::from_secs(6),
            "closed only after {after:?}"
        );
        wait_until("the other is closed too", || last.write_all(b"x").is_err());
    }
    let lines = relay.log.lines();
    let closed = lines.iter().filter(|line| line.starts_with("closed"));
    for line in closed {
        assert!(line.contains("reason=half-close"), "{line}");
    }
}

fn half_close_does_not_cut_what_still_moves(backend: &str) {
    let relay = Relay::start(backend, &["--half-close", "1"]);
    let (mut first, mut last) = relay.pair(b"alice");
    first.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_to_end(&mut last), b"");
    let begin = Instant::now();
    let mut sent = 0;
    while begin.elapsed() < Duration::from_millis(2_500) {
        last.write_all(b"x").unwrap();
        assert_eq!(read(&mut first, 1), b"x");
        sent += 1;
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(sent > 1);
    last.write_all(b"end").unwrap();
    drop(last);
    assert_eq!(read_to_end(&mut first), b"end");
}

fn half_close_cuts_no_byte_that_was_already_taken(backend: &str) {
    let relay = Relay::start(backend, &["--half-close", "1"]);
    let pattern = Pattern::new(1);
    let pairs = [false, true].map(|caller_first| {
        let (first, last) = pair(&relay, caller_first);
        // Small enough for the kernel's buffers, so that the end is seen while all is unread.
        pattern.send(&first, 100_000);
        first.shutdown(Shutdown::Write).unwrap();
        (first, last)
    });
    // The time of the silence has run out twice over for others who ended after these.
    for _ in 0..2 {
        let (mut ends, mut silent) = relay.pair(b"clock");
        ends.shutdown(Shutdown::Write).unwrap();
        assert_eq!(read_to_end(&mut silent), b"");
        wait_ended(&mut ends);
    }
    for (_first, mut last) in pairs {
        pattern.expect(&last, 0, 100_000);
        assert_eq!(read_to_end(&mut last), b"");
    }
}

/// Sends [`LONG`] bytes from `first` and, when `end` says so, its end, while `last` reads only as
/// much as it takes for the relay to have all of them; how much that was.
fn hand_over(first: &TcpStream, last: &TcpStream, pattern: &Pattern, end: bool) -> usize {
    let mut read = 0;
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| {
            pattern.send(first, LONG);
            if end {
                first.shutdown(Shutdown::Write).unwrap();
            }
        });
        // Read is only when the relay cannot go on: on a busy machine it may be slow, and who read on
        // would leave nothing under way.
        let (mut before, mut since) = (None, Instant::now());
        wait_until("the relay has taken all", || {
            // Asked first: what is sent after the look into the table is not in its answer.
            let finished = sender.is_finished();
            let waiting = unacknowledged(first);
            // The table misses a connection now and then, when others come and go as it is read.
            if finished && waiting == Some(0) {
                return true;
            }
            if waiting.is_none() || before != waiting {
                (before, since) = (waiting, Instant::now());
            } else if since.elapsed() > STUCK {
                let next = (read + STEP).min(LONG);
                pattern.expect(last, read, next);
                (read, since) = (next, Instant::now());
            }
            false
        });
    });
    assert!(read < LONG, "nothing was under way");
    read
}

/// Reads the rest, slowly; then the connection ends in whatever way.
fn assert_rest_arrives(last: &mut TcpStream, pattern: &Pattern, from: usize) {
    let mut read = from;
    while read < LONG {
        let next = (read + 131_072).min(LONG);
        pattern.expect(last, read, next);
        read = next;
        std::thread::sleep(Duration::from_millis(2));
    }
    wait_ended(last);
}

fn a_reset_behind_an_end_takes_no_byte_from_the_other(backend: &str) {
    let relay = Relay::start(backend, &[]);
    let pattern = Pattern::new(1);
    for caller_first in [false, true] {
        let (first, mut last) = pair(&relay, caller_first);
        let read = hand_over(&first, &last, &pattern, true);
        last.write_all(b"unread").unwrap();
        first.peek(&mut [0]).unwrap();
        // With a byte unread, the kernel makes this close a reset.
        drop(first);
        assert_rest_arrives(&mut last, &pattern, read);
    }
}

fn a_byte_sent_to_who_has_closed_takes_none_from_its_sender(backend: &str) {
    let relay = Relay::start(backend, &[]);
    let pattern = Pattern::new(1);
    for caller_first in [false, true] {
        let (first, mut last) = pair(&relay, caller_first);
        let read = hand_over(&first, &last, &pattern, false);
        drop(first);
        last.write_all(b"into the void").unwrap();
        assert_rest_arrives(&mut last, &pattern, read);
    }
}

fn an_end_beside_a_full_direction_takes_no_byte_from_the_other(backend: &str) {
    let relay = Relay::start(backend, &[]);
    let (pattern, other) = (Pattern::new(1), Pattern::new(2));
    let pairs = [false, true].map(|caller_first| pair(&relay, caller_first));
    // Both at once, because most of it is waiting.
    std::thread::scope(|scope| {
        for (first, mut last) in pairs {
            let (pattern, other) = (&pattern, &other);
            scope.spawn(move || {
                fill(&last, other);
                let read = hand_over(&first, &last, pattern, true);
                drop(first);
                assert_rest_arrives(&mut last, pattern, read);
            });
        }
    });
}

/// Sends more than the way to the other end holds, so that some of it stays unread at the relay.
fn fill(stream: &TcpStream, pattern: &Pattern) {
    let mut stream = stream.try_clone().unwrap();
    let patience = Some(Duration::from_millis(500));
    stream.set_write_timeout(patience).unwrap();
    let block = pattern.bytes(MEGABYTE);
    // What is taken in part was not taken any further for as long as that.
    while stream.write(&block).is_ok_and(|count| count == MEGABYTE) {}
}
