//! The relay behind a balancer that sends the PROXY protocol, version 2.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use super::common::{Relay, hello, on_every_backend, read, read_to_end, wait_until};

on_every_backend! {
    the_header_and_the_hello_split_at_every_byte_are_understood
    the_header_and_the_hello_in_single_bytes_are_understood
    bytes_behind_the_hello_still_belong_to_the_peer
    a_balancer_that_speaks_for_itself_keeps_its_address
    who_is_no_balancer_is_refused_at_once
    a_balancer_that_sends_no_header_is_refused
    a_header_that_nobody_asked_for_is_refused
    connections_are_charged_to_the_true_address
    listeners_are_charged_to_the_true_address
    arrivals_are_charged_to_the_true_address
    who_is_over_its_share_takes_no_place
    the_hello_timeout_covers_header_and_hello
}

const BEHIND: &[&str] = &["--proxy-protocol", "--proxy-from", "127.0.0.0/8,::1"];

/// A source address that no other connection of this process has.
fn source() -> String {
    static NEXT: AtomicU16 = AtomicU16::new(40_000);
    let port = NEXT.fetch_add(1, Ordering::Relaxed);
    match port % 2 {
        0 => format!("198.51.100.7:{port}"),
        _ => format!("[2001:db8::9]:{port}"),
    }
}

/// The header for a connection from this address, with an extension of 3 bytes behind.
fn header(source: &str) -> Vec<u8> {
    let (family, addresses, port) = match source.parse().unwrap() {
        SocketAddr::V4(source) => (0x11, source.ip().octets().repeat(2), source.port()),
        SocketAddr::V6(source) => (0x21, source.ip().octets().repeat(2), source.port()),
    };
    let ports = [port.to_be_bytes(), [0x23, 0x28]].concat();
    let rest = [&addresses[..], &ports, &[0x04, 0, 0]].concat();
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    let fixed = [b"\r\n\r\n\0\r\nQUIT\n", &[0x21, family][..], &length].concat();
    [fixed, rest].concat()
}

fn said(source: &str, role: u8, id: &[u8]) -> Vec<u8> {
    [header(source), hello(role, id)].concat()
}

fn wait_registered(relay: &Relay, source: &str) {
    relay.wait_for("registered", &[&format!("from={source}")]);
}

/// Says the pieces; others meet in between, so that the relay has seen each piece alone.
fn say_in_pieces<'p>(relay: &Relay, pieces: impl IntoIterator<Item = &'p [u8]>) -> TcpStream {
    let mut stream = relay.connect();
    for (index, piece) in pieces.into_iter().enumerate() {
        if index > 0 {
            drop(meet(relay));
        }
        stream.write_all(piece).unwrap();
    }
    stream
}

/// A listener and a caller behind the balancer who have met under an id of their own.
fn meet(relay: &Relay) -> (TcpStream, TcpStream) {
    let (listening, calling) = (source(), source());
    let (mut listener, mut caller) = (relay.connect(), relay.connect());
    let id = listening.as_bytes();
    listener.write_all(&said(&listening, b'T', id)).unwrap();
    wait_registered(relay, &listening);
    caller.write_all(&said(&calling, b'C', id)).unwrap();
    assert_eq!(read(&mut caller, 1), b"O");
    (listener, caller)
}

/// Both are one connection: what either says, the other hears.
fn assert_joined(listener: &mut TcpStream, caller: &mut TcpStream) {
    caller.write_all(b"down").unwrap();
    assert_eq!(read(listener, 4), b"down");
    listener.write_all(b"up").unwrap();
    assert_eq!(read(caller, 2), b"up");
}

fn the_header_and_the_hello_split_at_every_byte_are_understood(backend: &str) {
    let relay = Relay::start(backend, BEHIND);
    for cut in 1..said("[::1]:1", b'T', b"alice").len() {
        let (listening, calling) = (source(), source());
        let waits = said(&listening, b'T', b"alice");
        let cut = cut.min(waits.len() - 1);
        let mut listener = say_in_pieces(&relay, [&waits[..cut], &waits[cut..]]);
        wait_registered(&relay, &listening);
        let calls = said(&calling, b'C', b"alice");
        let cut = cut.min(calls.len() - 1);
        let mut caller = say_in_pieces(&relay, [&calls[..cut], &calls[cut..]]);
        assert_eq!(read(&mut caller, 1), b"O", "cut at {cut}");
        let (listening, calling) = (format!("listener={listening}"), format!("caller={calling}"));
        relay.wait_for("matched", &[&listening, &calling]);
        assert_joined(&mut listener, &mut caller);
    }
}

fn the_header_and_the_hello_in_single_bytes_are_understood(backend: &str) {
    let relay = Relay::start(backend, BEHIND);
    let (listening, calling) = (source(), source());
    let waits = said(&listening, b'T', b"alice");
    let mut listener = say_in_pieces(&relay, waits.chunks(1));
    wait_registered(&relay, &listening);
    let calls = said(&calling, b'C', b"alice");
    let mut caller = say_in_pieces(&relay, calls.chunks(1));
    assert_eq!(read(&mut caller, 1), b"O");
    assert_joined(&mut listener, &mut caller);
}

fn bytes_behind_the_hello_still_belong_to_the_peer(backend: &str) {
    let relay = Relay::start(backend, BEHIND);
    let (up, down) = (vec![b'u'; 5000], vec![b'd'; 5000]);
    let (listening, calling) = (source(), source());
    let (mut listener, mut caller) = (relay.connect(), relay.connect());
    let waits = [said(&listening, b'T', b"alice"), up.clone()].concat();
    listener.write_all(&waits).unwrap();
    wait_registered(&relay, &listening);
    let calls = [said(&calling, b'C', b"alice"), down.clone()].concat();
    caller.write_all(&calls).unwrap();
    assert_eq!(read(&mut caller, 1), b"O");
    assert_eq!(read(&mut caller, up.len()), up);
    assert_eq!(read(&mut listener, down.len()), down);
}

fn a_balancer_that_speaks_for_itself_keeps_its_address(backend: &str) {
    let relay = Relay::start(backend, BEHIND);
    let mut listener = relay.connect();
    let local = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
    listener.write_all(local).unwrap();
    listener.write_all(&hello(b'T', b"check")).unwrap();
    relay.wait_registered(&listener);
}

fn who_is_no_balancer_is_refused_at_once(backend: &str) {
    let options = ["--proxy-protocol", "--proxy-from", "192.0.2.0/24"];
    let relay = Relay::start(backend, &options);
    let mut silent = relay.connect();
    assert_eq!(read_to_end(&mut silent), b"X");
    let from = format!("from={}", silent.local_addr().unwrap());
    relay.wait_for("refused", &[&from, "reason=not-from-proxy"]);
    let mut liar = relay.connect();
    // It may be gone before the lie is out.
    let _ = liar.write_all(&said("198.51.100.7:1", b'T', b"a"));
    let from = format!("from={}", liar.local_addr().unwrap());
    relay.wait_for("refused", &[&from, "reason=not-from-proxy"]);
    assert!(
        !relay
            .log
            .lines()
            .iter()
            .any(|line| line.contains("registered"))
    );
}

fn a_balancer_that_sends_no_header_is_refused(backend: &str) {
    let relay = Relay::start(backend, BEHIND);
    let mut stream = relay.connect();
    stream.write_all(&hello(b'T', b"alice")).unwrap();
    assert_eq!(read_to_end(&mut stream), b"X");
    let from = format!("from={}", stream.local_addr().unwrap());
    relay.wait_for("refused", &[&from, "reason=no-proxy-header"]);
}

fn a_header_that_nobody_asked_for_is_refused(backend: &str) {
    let relay = Relay::start(backend, &[]);
    let mut stream = relay.connect();
    stream.write_all(&said(&source(), b'T', b"alice")).unwrap();
    assert_eq!(read_to_end(&mut stream), b"X");
    let from = format!("from={}", stream.local_addr().unwrap());
    relay.wait_for("refused", &[&from, "reason=not-a-hello"]);
}

/// Two clients of the balancer, the second one with addresses that count as one.
const ALICE: &str = "198.51.100.7:50000";
const BOB: &str = "[2001:db8:0:aa00::1]:50000";
const BOB_TOO: &str = "[2001:db8:0:aaff::2]:50001";

fn behind(backend: &str, limits: &[&str]) -> Relay {
    Relay::start(backend, &[BEHIND, limits].concat())
}

fn say(relay: &Relay, source: &str, role: u8, id: &[u8]) -> TcpStream {
    let mut stream = relay.connect();
    stream.write_all(&said(source, role, id)).unwrap();
    stream
}

fn listener(relay: &Relay, source: &str, id: &str) -> TcpStream {
    let stream = say(relay, source, b'T', id.as_bytes());
    relay.wait_for(
        "registered",
        &[&format!("from={source}"), &format!("id={id}")],
    );
    stream
}

fn assert_refused(relay: &Relay, source: &str, reason: &str) {
    let mut stream = say(relay, source, b'T', b"refused");
    assert_eq!(read_to_end(&mut stream), b"X", "{source}");
    let (from, reason) = (format!("from={source}"), format!("reason={reason}"));
    relay.wait_for("refused", &[&from, &reason]);
}

fn connections_are_charged_to_the_true_address(backend: &str) {
    let relay = behind(backend, &["--source-connections", "2"]);
    // The balancer's own, and those of which it has not said whose they are.
    let _silent: Vec<_> = (0..4).map(|_| relay.connect()).collect();
    let _checks: Vec<_> = (0..4)
        .map(|_| {
            let mut check = relay.connect();
            let local = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
            check.write_all(&[&local[..], b"Tcheck$"].concat()).unwrap();
            relay.wait_registered(&check);
            check
        })
        .collect();
    let _first = listener(&relay, ALICE, "a");
    let second = listener(&relay, ALICE, "b");
    assert_refused(&relay, ALICE, "limit-source-connections");
    let _other = [listener(&relay, BOB, "c"), listener(&relay, BOB_TOO, "d")];
    assert_refused(&relay, BOB_TOO, "limit-source-connections");
    drop(second);
    relay.wait_for("closed", &["reason=gone", "id=b"]);
    let mut caller = say(&relay, ALICE, b'C', b"d");
    assert_eq!(read(&mut caller, 1), b"O");
}

fn listeners_are_charged_to_the_true_address(backend: &str) {
    let relay = behind(backend, &["--source-listeners", "1"]);
    let _waiting = [listener(&relay, ALICE, "a"), listener(&relay, BOB, "b")];
    assert_refused(&relay, ALICE, "limit-source-listeners");
    assert_refused(&relay, BOB_TOO, "limit-source-listeners");
    let mut caller = say(&relay, ALICE, b'C', b"b");
    assert_eq!(read(&mut caller, 1), b"O");
}

fn arrivals_are_charged_to_the_true_address(backend: &str) {
    let relay = behind(backend, &["--source-rate", "1"]);
    let _burst: Vec<_> = (0..4)
        .map(|index| listener(&relay, ALICE, &index.to_string()))
        .collect();
    let limited = || {
        let lines = relay.log.lines();
        lines.iter().any(|line| line.contains("limit-source-rate"))
    };
    // One a second is free again.
    let mut more = Vec::new();
    wait_until("the rate is over", || {
        more.push(say(&relay, ALICE, b'T', b"more"));
        limited()
    });
    let _other = listener(&relay, BOB, "other");
    let line = relay.wait_for("refused", &["reason=limit-source-rate"]);
    assert!(line.contains(&format!(" from={ALICE} ")), "{line}");
}

fn who_is_over_its_share_takes_no_place(backend: &str) {
    let limits = ["--source-connections", "1", "--max-connections", "3"];
    let relay = behind(backend, &limits);
    let _waiting = listener(&relay, ALICE, "a");
    let begun = Instant::now();
    let mut over: Vec<_> = (0..8).map(|_| say(&relay, ALICE, b'T', b"b")).collect();
    for stream in &mut over {
        assert_eq!(read(stream, 1), b"X");
    }
    // None of them has ended its side, for which a refused connection with a place is awaited 2 s.
    let lasted = begun.elapsed();
    assert!(lasted < Duration::from_secs(2), "{lasted:?}");
}

fn the_hello_timeout_covers_header_and_hello(backend: &str) {
    let relay = Relay::start(backend, &[BEHIND, &["--hello-timeout", "1"]].concat());
    let begun = Instant::now();
    let mut stream = relay.connect();
    let from = source();
    let whole = said(&from, b'T', &[b'x'; 255]);
    // Slower than the timeout in all, and never silent for long.
    let pace = Duration::from_millis(50);
    let mut answer = [0];
    stream.set_read_timeout(Some(pace)).unwrap();
    let mut gone = false;
    for byte in whole.chunks(1) {
        gone = stream.write_all(byte).is_err()
            || !matches!(stream.read(&mut answer), Err(error) if error.kind() == ErrorKind::WouldBlock);
        if gone {
            break;
        }
    }
    let lasted = begun.elapsed();
    assert!(gone, "{lasted:?}");
    assert!(lasted >= Duration::from_secs(1), "{lasted:?}");
    assert!(lasted < Duration::from_secs(4), "{lasted:?}");
}

#[test]
fn the_two_options_go_together_and_take_addresses_only() {
    let run = |options: &[&str]| {
        let relay = Command::new(env!("CARGO_BIN_EXE_p2p-relay"))
            .args(options)
            .arg("0")
            .output()
            .unwrap();
        let text = String::from_utf8(relay.stderr).unwrap();
        assert_eq!(relay.status.code(), Some(2), "{text}");
        text
    };
    let together = "p2p-relay: --proxy-protocol and --proxy-from ADDR go together: add the one that is missing\n";
    assert_eq!(run(&["--proxy-protocol"]), together);
    assert_eq!(run(&["--proxy-from", "::1"]), together);
    for given in [
        "",
        "a",
        "1.2.3.4/33",
        "::1/129",
        "::1/-1",
        "::1,",
        "1.2.3.4/",
    ] {
        let text = run(&["--proxy-protocol", "--proxy-from", given]);
        let wanted = format!(
            "p2p-relay: --proxy-from '{given}': not an address such as 192.0.2.7, or a range such as 192.0.2.0/24\n"
        );
        assert_eq!(text, wanted);
    }
}
