//! `p2p-relay --status ADDR:PORT`.

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use super::common::{on_every_backend, read};
use super::scrape::Watched;

on_every_backend! {
    the_status_of_a_relay_is_printed_with_its_numbers
    the_port_of_the_relay_itself_has_no_status
}

fn status(address: SocketAddr) -> Output {
    Command::new(env!("CARGO_BIN_EXE_p2p-relay"))
        .args(["--status", &address.to_string()])
        .stdin(Stdio::null())
        .output()
        .expect("p2p-relay starts")
}

/// Fails with 1 and a line that has these words in it.
fn assert_fails(address: SocketAddr, words: &[&str]) {
    let output = status(address);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    for word in words {
        assert!(said.contains(word), "{said} has no '{word}'");
    }
    assert!(output.stdout.is_empty());
}

fn the_status_of_a_relay_is_printed_with_its_numbers(backend: &str) {
    let relay = Watched::start(backend, &[]);
    let _waiting = relay.listener(b"waiting");
    let (mut listener, mut caller) = relay.pair(b"pair");
    caller.write_all(&[b'x'; 12_300]).unwrap();
    read(&mut listener, 12_300);
    let mut nobody = relay.caller(b"nobody");
    assert_eq!(read(&mut nobody, 1), b"X");
    relay.wait_value("passed_bytes_total{from=\"caller\"}", 12_300);
    let output = status(relay.metrics);
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty());
    let text = String::from_utf8(output.stdout).unwrap();
    let version = format!("{}, {backend}", env!("CARGO_PKG_VERSION"));
    for (title, cells) in [
        ("version", version.as_str()),
        ("connections accepted", "4"),
        ("listeners", "1"),
        ("pairs", "1"),
        ("matches", "1"),
        ("refusals", "nobody-waits 1"),
        ("closes", "0"),
        ("passed bytes", "caller 12.3 kB"),
    ] {
        let row = format!("{title:<22}{cells}");
        assert!(
            text.lines().any(|line| line == row),
            "no '{row}' in\n{text}"
        );
    }
}

fn the_port_of_the_relay_itself_has_no_status(backend: &str) {
    let relay = Watched::start(backend, &[]);
    assert_fails(relay.address, &[&relay.address.to_string(), "--metrics"]);
}

#[test]
fn where_nobody_listens_it_says_so() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    assert_fails(address, &[&address.to_string(), "refused", "--metrics"]);
}

#[test]
fn who_takes_the_connection_and_says_nothing_is_given_up() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let begin = Instant::now();
    assert_fails(silent.local_addr().unwrap(), &["timed out"]);
    let after = begin.elapsed();
    assert!(after < Duration::from_secs(10), "given up after {after:?}");
}

#[test]
fn an_endless_answer_is_not_awaited() {
    let endless = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = endless.local_addr().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (mut stream, _) = endless.accept().unwrap();
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
            while stream.write_all(&[b'x'; 65_536]).is_ok() {}
        });
        assert_fails(address, &["no relay"]);
    });
}
