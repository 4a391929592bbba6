//! The first bytes of a connection: whole, in pieces, too many, wrong, or never.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::common::{DEADLINE, Relay, hello, on_every_backend, read, read_to_end, wait_until};
use super::pattern::Pattern;

on_every_backend! {
    a_hello_split_at_every_byte_is_understood
    a_hello_of_single_bytes_is_understood
    bytes_behind_the_dollar_reach_the_peer_first_and_in_order
    a_listener_is_never_answered
    a_listener_may_speak_first
    a_first_byte_that_is_neither_t_nor_c_is_refused
    who_never_finishes_a_hello_is_gone_at_the_hello_timeout
    the_hello_timeout_is_no_limit_for_who_has_said_hello
    a_refusal_ends_cleanly_whatever_the_client_still_says
}

const ID: &[u8] = b"CF:E7:11:101";

/// Both are one connection: what either says, the other hears.
fn assert_joined(listener: &mut TcpStream, caller: &mut TcpStream) {
    caller.write_all(b"down").unwrap();
    assert_eq!(read(listener, 4), b"down");
    listener.write_all(b"up").unwrap();
    assert_eq!(read(caller, 2), b"up");
}

/// Says the hello in the given pieces; others meet in between, so that the relay has seen each
/// piece alone.
fn say_in_pieces(relay: &Relay, stream: &mut TcpStream, pieces: &[&[u8]]) {
    for (index, piece) in pieces.iter().enumerate() {
        if index > 0 {
            drop(relay.pair(b"in between"));
        }
        stream.write_all(piece).unwrap();
    }
}

fn a_hello_split_at_every_byte_is_understood(backend: &str) {
    let relay = Relay::start(backend, &[]);
    let (waits, calls) = (hello(b'T', ID), hello(b'C', ID));
    for cut in 1..waits.len() {
        let mut listener = relay.connect();
        say_in_pieces(&relay, &mut listener, &[&waits[..cut], &waits[cut..]]);
        relay.wait_registered(&listener);
        let mut caller = relay.connect();
        say_in_pieces(&relay, &mut caller, &[&calls[..cut], &calls[cut..]]);
        assert_eq!(read(&mut caller, 1), b"O", "cut at {cut}");
        assert_joined(&mut listener, &mut caller);
    }
}

fn a_hello_of_single_bytes_is_understood(backend: &str) {
    let relay = Relay::start(backend, &[]);
    let (waits, calls) = (hello(b'T', ID), hello(b'C', ID));
    let mut listener = relay.connect();
    say_in_pieces(&relay, &mut listener, &waits.chunks(1).collect::<Vec<_>>());
    relay.wait_registered(&listener);
    let mut caller = relay.connect();
    say_in_pieces(&relay, &mut caller, &calls.chunks(1).collect::<Vec<_>>());
    assert_eq!(read(&mut caller, 1), b"O");
    assert_joined(&mut listener, &mut caller);
}

fn bytes_behind_the_dollar_reach_the_peer_first_and_in_order(backend: &str) {
    let relay = Relay::start(backend, &[]);
    let (up, down) = (Pattern::new(1), Pattern::new(2));
    let later = 10_000;
    for early in [1, 255, 2047, 5_000, 300_000] {
        let (mut listener, mut caller) = (relay.connect(), relay.connect());
        let said = [hello(b'T', ID), up.bytes(early)].concat();
        let called = [hello(b'C', ID), down.bytes(early)].concat();
        std::thread::scope(|scope| {
            let speaker = listener.try_clone().unwrap();
            let spoken = scope.spawn(move || (&speaker).write_all(&said).unwrap());
            relay.wait_registered(&listener);
            let speaker = caller.try_clone().unwrap();
            scope.spawn(move || (&speaker).write_all(&called).unwrap());
            assert_eq!(read(&mut caller, 1), b"O", "before the {early} early bytes");
            up.expect(&caller, 0, early);
            down.expect(&listener, 0, early);
            spoken.join().unwrap();
        });
        listener
            .write_all(&up.bytes(early + later)[early..])
            .unwrap();
        up.expect(&caller, early, early + later);
        caller
            .write_all(&down.bytes(early + later)[early..])
            .unwrap();
        down.expect(&listener, early, early + later);
    }
}

fn a_listener_is_never_answered(backend: &str) {
    let relay = Relay::start(backend, &[]);
    let mut listener = relay.listener(ID);
    let mut caller = relay.caller(ID);
    assert_eq!(read(&mut caller, 1), b"O");
    caller.write_all(b"header").unwrap();
    caller.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(read_to_end(&mut listener), b"header");
}

fn a_listener_may_speak_first(backend: &str) {
    let relay = Relay::start(backend, &[]);
    let mut listener = relay.listener(ID);
    listener.write_all(b"SSH-2.0-").unwrap();
    drop(relay.pair(b"in between"));
    listener.write_all(b"server\r\n").unwrap();
    let mut caller = relay.caller(ID);
    assert_eq!(read(&mut caller, 17), b"OSSH-2.0-server\r\n");
    assert_joined(&mut listener, &mut caller);
}

fn a_first_byte_that_is_neither_t_nor_c_is_refused(backend: &str) {
    let relay = Relay::start(backend, &[]);
    for first in (0..=255).filter(|first| !b"TC".contains(first)) {
        let mut stream = relay.connect();
        stream.write_all(&hello(first, ID)).unwrap();
        assert_eq!(read_to_end(&mut stream), b"X", "first byte {first:#04x}");
    }
}

/// Reads until the relay has closed; a refusal is all that may come before.
fn wait_gone(stream: &mut TcpStream) {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}"),
    }
    assert!(bytes.is_empty() || bytes == b"X", "{bytes:?}");
}

fn who_never_finishes_a_hello_is_gone_at_the_hello_timeout(backend: &str) {
    let relay = Relay::start(backend, &["--hello-timeout", "1"]);
    let begin = Instant::now();
    let mut silent = relay.connect();
    let mut unfinished = relay.connect();
    unfinished.write_all(b"Talice").unwrap();
    let mut dripping = relay.connect();
    dripping.write_all(b"T").unwrap();
    std::thread::scope(|scope| {
        let dropper = dripping.try_clone().unwrap();
        // 250 bytes, one in 50 ms, stay below the longest hello for 12 s.
        scope.spawn(move || {
            for _ in 0..250 {
                std::thread::sleep(Duration::from_millis(50));
                if (&dropper).write_all(b"a").is_err() {
                    break;
                }
            }
        });
        for stream in [&mut silent, &mut unfinished, &mut dripping] {
            wait_gone(stream);
            let after = begin.elapsed();
            assert!(after >= Duration::from_millis(900), "gone after {after:?}");
            assert!(after < Duration::from_secs(6), "gone only after {after:?}");
        }
        let _ = dripping.shutdown(std::net::Shutdown::Both);
    });
}

fn the_hello_timeout_is_no_limit_for_who_has_said_hello(backend: &str) {
    let relay = Relay::start(backend, &["--hello-timeout", "1"]);
    let mut waiting = relay.listener(b"waiting");
    let (mut listener, mut caller) = relay.pair(ID);
    // A stranger who comes after them and has been timed out proves that their time is over too.
    wait_gone(&mut relay.connect());
    assert_joined(&mut listener, &mut caller);
    let mut late = relay.caller(b"waiting");
    assert_eq!(read(&mut late, 1), b"O");
    assert_joined(&mut waiting, &mut late);
}

fn a_refusal_ends_cleanly_whatever_the_client_still_says(backend: &str) {
    let relay = Relay::start(backend, &[]);
    let more = Pattern::new(3).bytes(65_536);
    for refused in [hello(b'C', b"nobody"), hello(b'C', b""), b"Q".to_vec()] {
        for _ in 0..10 {
            let mut stream = relay.connect();
            stream.write_all(&[&refused[..], &more].concat()).unwrap();
            assert_eq!(read_to_end(&mut stream), b"X");

            let mut stream = relay.connect();
            stream.write_all(&refused).unwrap();
            for piece in more[..10_000].chunks(1_000) {
                stream.write_all(piece).unwrap();
            }
            assert_eq!(read_to_end(&mut stream), b"X");
        }
    }
    // The refused who do not close do not stay either.
    let mut stays = relay.connect();
    stays.write_all(&hello(b'C', b"nobody")).unwrap();
    assert_eq!(read(&mut stays, 1), b"X");
    assert_eq!(stays.read(&mut [0]).unwrap(), 0);
    let begin = Instant::now();
    wait_until("the relay has closed", || stays.write_all(b"more").is_err());
    assert!(begin.elapsed() < DEADLINE);
}
