//! Options that are wrong.

use std::net::TcpListener;
use std::process::{Command, Stdio};

/// Fails with this status and one line that has these words in it.
fn assert_fails(arguments: &[&str], status: i32, words: &[&str]) {
    let output = Command::new(env!("CARGO_BIN_EXE_p2p-relay"))
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("p2p-relay starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {said}");
    assert_eq!(said.lines().count(), 1, "{arguments:?}: {said}");
    for word in words {
        assert!(said.contains(word), "{arguments:?}: {said} has no '{word}'");
    }
}

#[test]
fn wrong_values_are_said_and_end_it_with_2() {
    for option in ["--metrics", "--status"] {
        for value in [
            "",
            "x",
            "9100",
            ":9100",
            "127.0.0.1",
            "127.0.0.1:",
            "127.0.0.1:-1",
            "127.0.0.1:65536",
            "::1:x",
            "[::1]",
            "127.0.0.1:9100/metrics",
        ] {
            assert_fails(&[option, value, "0"], 2, &[option, value, "ADDR:PORT"]);
        }
        assert_fails(&["0", option], 2, &[option]);
    }
    for value in ["", "xml", "JSON", "-1"] {
        assert_fails(&["--log", value, "0"], 2, &["--log", value]);
    }
    assert_fails(&["0", "--log"], 2, &["--log"]);
    assert_fails(&["--log-ids=1", "0"], 2, &["--log-ids"]);
    assert_fails(
        &["--status", "127.0.0.1:1", "9000"],
        2,
        &["--status", "9000"],
    );
}

#[test]
fn a_metrics_port_in_use_is_said_and_ends_it_with_1() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let arguments = ["--bind", "127.0.0.1", "--metrics", &address, "0"];
    assert_fails(&arguments, 1, &["--metrics", &address, "in use"]);
}

#[test]
fn a_metrics_address_that_is_not_ours_is_said_and_ends_it_with_1() {
    // TEST-NET-1 of RFC 5737 is nobody's.
    let arguments = ["--bind", "127.0.0.1", "--metrics", "192.0.2.1:0", "0"];
    assert_fails(&arguments, 1, &["--metrics", "192.0.2.1"]);
}
