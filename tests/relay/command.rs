//! The command itself: where it listens, how it ends, what it says to bad usage.

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Output, Stdio};

use super::common::{Relay, connect, hello, on_every_backend, read, read_to_end, wait_until};

on_every_backend! {
    it_listens_on_ipv6_and_ipv4_unless_told_otherwise
    it_listens_on_the_ipv6_address_that_it_is_told
    quiet_leaves_only_the_listening_line
    sigint_and_sigterm_end_it_with_0
    a_port_in_use_is_said_and_ends_it_with_1
    an_address_that_is_not_ours_is_said_and_ends_it_with_1
}

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_p2p-relay"))
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("p2p-relay starts")
}

/// Fails with this status and one line that has these words in it.
fn assert_fails(arguments: &[&str], status: i32, words: &[&str]) {
    let output = run(arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {said}");
    assert_eq!(said.lines().count(), 1, "{arguments:?}: {said}");
    assert!(!said.contains("panicked"), "{arguments:?}: {said}");
    for word in words {
        assert!(said.contains(word), "{arguments:?}: {said} has no '{word}'");
    }
    assert!(output.stdout.is_empty(), "{arguments:?}");
}

fn has_ipv6() -> bool {
    let has = TcpListener::bind("[::1]:0").is_ok();
    if !has {
        let _ = writeln!(
            std::io::stderr(),
            "SKIP relay/ipv6: this machine has no IPv6"
        );
    }
    has
}

fn it_listens_on_ipv6_and_ipv4_unless_told_otherwise(backend: &str) {
    if !has_ipv6() {
        return;
    }
    let relay = Relay::start_anywhere(backend, &[]);
    let port = relay.address.port();
    let at = |host: &str| connect(format!("{host}:{port}").parse::<SocketAddr>().unwrap());
    let mut listener = at("[::1]");
    listener.write_all(&hello(b'T', b"alice")).unwrap();
    relay.wait_for(
        "registered",
        &[
            "id=alice",
            &format!("from={}", listener.local_addr().unwrap()),
        ],
    );
    let mut caller = at("127.0.0.1");
    caller.write_all(&hello(b'C', b"alice")).unwrap();
    assert_eq!(read(&mut caller, 1), b"O");
    caller.write_all(b"x").unwrap();
    assert_eq!(read(&mut listener, 1), b"x");
    // An IPv4 address is shown as one, whatever kind of socket took the connection.
    let caller = caller.local_addr().unwrap();
    relay.wait_for("matched", &[&format!("caller={caller}")]);
}

fn it_listens_on_the_ipv6_address_that_it_is_told(backend: &str) {
    if !has_ipv6() {
        return;
    }
    let relay = Relay::start_anywhere(backend, &["--bind", "::1"]);
    assert_eq!(
        relay.address.ip(),
        "::1".parse::<std::net::IpAddr>().unwrap()
    );
    drop(relay.pair(b"alice"));
}

fn quiet_leaves_only_the_listening_line(backend: &str) {
    let relay = Relay::start(backend, &["--quiet"]);
    let mut listener = relay.connect();
    listener.write_all(&hello(b'T', b"alice")).unwrap();
    wait_until("alice is there", || {
        let mut caller = relay.caller(b"alice");
        let answer = read(&mut caller, 1);
        if answer == b"X" {
            return false;
        }
        caller.write_all(b"x").unwrap();
        assert_eq!(read(&mut listener, 1), b"x");
        true
    });
    assert_eq!(read_to_end(&mut listener), b"");
    assert_eq!(read_to_end(&mut relay.caller(b"alice")), b"X");
    assert_eq!(relay.log.lines(), [""; 0]);
}

fn sigint_and_sigterm_end_it_with_0(backend: &str) {
    for signal in ["INT", "TERM"] {
        let mut relay = Relay::start(backend, &["--drain", "0"]);
        let mut pair = relay.pair(b"alice");
        let waiting = relay.listener(b"bob");
        let kill = format!("kill -{signal} {}", relay.child.id());
        let killed = Command::new("sh").args(["-c", &kill]).status().unwrap();
        assert!(killed.success());
        let mut status = None;
        wait_until("the relay has ended", || {
            status = relay.child.try_wait().unwrap();
            status.is_some()
        });
        assert_eq!(status.unwrap().code(), Some(0), "SIG{signal}");
        let _ = pair.0.write_all(b"x");
        drop((pair, waiting));
    }
}

fn a_port_in_use_is_said_and_ends_it_with_1(backend: &str) {
    let relay = Relay::start(backend, &[]);
    let port = relay.address.port().to_string();
    assert_fails(
        &["--backend", backend, "--bind", "127.0.0.1", &port],
        1,
        &["127.0.0.1", &port, "in use"],
    );
}

fn an_address_that_is_not_ours_is_said_and_ends_it_with_1(backend: &str) {
    // TEST-NET-1 of RFC 5737 is nobody's.
    assert_fails(
        &["--backend", backend, "--bind", "192.0.2.1", "0"],
        1,
        &["192.0.2.1"],
    );
}

#[test]
fn bad_usage_is_said_in_one_line_and_ends_it_with_2() {
    assert_fails(&[], 2, &["port"]);
    assert_fails(&["70000"], 2, &["70000", "65535"]);
    assert_fails(&["-1"], 2, &["-1"]);
    assert_fails(&["x"], 2, &["PORT", "'x'"]);
    assert_fails(&["9000", "9001"], 2, &["9001"]);
    assert_fails(&["--nope", "0"], 2, &["--nope"]);
    assert_fails(&["--backend", "kqueue", "0"], 2, &["--backend", "kqueue"]);
    assert_fails(
        &["--bind", "nowhere at all", "0"],
        2,
        &["--bind", "nowhere at all"],
    );
    assert_fails(&["evil\x1b[2J"], 2, &["evil\\x1b[2J"]);
}

/// The options of the help text, and what the text calls the value of each that takes one.
fn options() -> Vec<(String, Option<String>)> {
    let help = run(&["--help"]).stdout;
    let help = String::from_utf8(help).unwrap();
    let lines = help.lines().filter_map(|line| line.strip_prefix("  --"));
    lines
        .map(|line| {
            let mut words = line.splitn(2, ' ');
            let option = format!("--{}", words.next().unwrap());
            let value = words.next().and_then(|rest| rest.split_whitespace().next());
            let value = value.filter(|value| value.starts_with(|c: char| c.is_ascii_uppercase()));
            let text = value.filter(|value| value.chars().all(|c| !c.is_lowercase()));
            (option, text.map(str::to_string))
        })
        .collect()
}

#[test]
fn every_option_refuses_a_missing_a_negative_a_huge_and_a_senseless_value() {
    let options = options();
    let takers = options.iter().filter(|(_, value)| value.is_some()).count();
    assert!(options.len() > 20 && takers > 15, "{options:?}");
    for (option, value) in &options {
        let Some(value) = value else {
            assert_fails(&[&format!("{option}=5"), "0"], 2, &[option]);
            continue;
        };
        assert_fails(&["0", option], 2, &[option]);
        // Any name is a path, and one that leads nowhere is a failure, not wrong usage.
        if value == "PATH" {
            assert_fails(&[option, "/nowhere/at/all", "0"], 1, &["/nowhere/at/all"]);
            continue;
        }
        for bad in ["x y", "-5", "1.5.1", "", "99999999999999999999"] {
            assert_fails(&[option, bad, "0"], 2, &[option, bad]);
        }
    }
}

#[test]
fn version_and_help_go_to_standard_output_with_0() {
    for (option, word) in [
        ("--version", env!("CARGO_PKG_VERSION")),
        ("--help", "--half-close"),
    ] {
        let output = run(&[option]);
        assert_eq!(output.status.code(), Some(0), "{option}");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains(word), "{option}: {said}");
        assert!(output.stderr.is_empty(), "{option}");
    }
}
