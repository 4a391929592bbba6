//! The pages as Prometheus and a health check want them.

use std::io::Write;
use std::process::{Command, Stdio};

use super::common::on_every_backend;
use super::scrape::{Watched, get, skip};

on_every_backend! {
    promtool_finds_nothing_to_say_of_the_metrics
    a_health_check_is_answered_with_200
    other_paths_are_answered_with_404_and_other_methods_with_405
    a_head_request_gets_the_head_alone
}

fn promtool_finds_nothing_to_say_of_the_metrics(backend: &str) {
    let relay = Watched::start(backend, &[]);
    drop(relay.pair(b"alice"));
    let page = relay.page();
    let child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        skip("promtool: promtool not installed");
        return;
    };
    let mut input = child.stdin.take().unwrap();
    input.write_all(page.as_bytes()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success() && said.is_empty(), "{said}");
}

fn a_health_check_is_answered_with_200(backend: &str) {
    let relay = Watched::start(backend, &[]);
    for request in [
        "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /healthz HTTP/1.0\r\n\r\n",
        "GET /healthz?verbose HTTP/1.1\n\n",
    ] {
        let answer = get(relay.metrics, request);
        assert_eq!((answer.status, answer.body.as_str()), (200, "ok\n"));
    }
}

fn other_paths_are_answered_with_404_and_other_methods_with_405(backend: &str) {
    let relay = Watched::start(backend, &[]);
    for (request, status) in [
        ("GET / HTTP/1.1\r\n\r\n", 404),
        ("GET /metrics/x HTTP/1.1\r\n\r\n", 404),
        ("GET //metrics HTTP/1.1\r\n\r\n", 404),
        ("GET /METRICS HTTP/1.1\r\n\r\n", 404),
        ("GET * HTTP/1.1\r\n\r\n", 404),
        ("POST /metrics HTTP/1.1\r\nContent-Length: 1\r\n\r\nx", 405),
    ] {
        assert_eq!(get(relay.metrics, request).status, status, "{request}");
    }
}

fn a_head_request_gets_the_head_alone(backend: &str) {
    let relay = Watched::start(backend, &[]);
    let answer = get(relay.metrics, "HEAD /metrics HTTP/1.1\r\n\r\n");
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    let kind = "Content-Type: text/plain; version=0.0.4; charset=utf-8";
    assert!(
        answer.head.lines().any(|line| line == kind),
        "{}",
        answer.head
    );
}
