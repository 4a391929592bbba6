//! Who means ill at the metrics port gets no further than its own connection.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::common::{connect, on_every_backend, read};
use super::scrape::{Watched, get};

on_every_backend! {
    garbage_is_answered_with_400_and_closed
    a_request_beyond_4_kib_is_answered_with_431
    a_request_that_drips_is_cut_after_5_seconds
    hundreds_who_say_nothing_neither_delay_a_health_check_nor_cost_threads
    who_never_reads_and_who_leaves_early_do_no_harm
}

const HEALTH: &str = "GET /healthz HTTP/1.1\r\n\r\n";

fn assert_well(relay: &Watched) {
    assert_eq!(get(relay.metrics, HEALTH).status, 200);
    drop(relay.pair(b"alice"));
}

fn garbage_is_answered_with_400_and_closed(backend: &str) {
    let relay = Watched::start(backend, &[]);
    for garbage in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"\0\0\0\0",
        b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /metrics\r\n\r\n",
        b"GET /metrics HTTP/9\r\n\r\n",
        b"\xff\xfe\n\n",
    ] {
        let answer = get(relay.metrics, garbage);
        assert_eq!(answer.status, 400, "{}", garbage.escape_ascii());
    }
    assert_well(&relay);
}

fn a_request_beyond_4_kib_is_answered_with_431(backend: &str) {
    let relay = Watched::start(backend, &[]);
    let mut request = b"GET /metrics HTTP/1.1\r\nX: ".to_vec();
    request.resize(4096, b'x');
    assert_eq!(get(relay.metrics, &request).status, 431);
    // All of it may already be on its way when the answer is given.
    request.resize(40_000, b'x');
    assert_eq!(get(relay.metrics, &request).status, 431);
    request.truncate(4092);
    request.extend(b"\r\n\r\n");
    assert_eq!(get(relay.metrics, &request).status, 200);
    assert_well(&relay);
}

/// Whether the connection has ended.
fn ended(stream: &mut TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let read = stream.read(&mut [0; 64]);
    stream.set_nonblocking(false).unwrap();
    match read {
        Ok(count) => count == 0,
        Err(error) => error.kind() != ErrorKind::WouldBlock,
    }
}

fn a_request_that_drips_is_cut_after_5_seconds(backend: &str) {
    let relay = Watched::start(backend, &[]);
    let begin = Instant::now();
    let mut slow = connect(relay.metrics);
    let request =
        b"GET /metrics HTTP/1.1\r\nX-Padding: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n\r\n";
    for byte in request {
        if ended(&mut slow) {
            break;
        }
        let _ = slow.write_all(&[*byte]);
        // The pace of the drip is what is under test.
        std::thread::sleep(Duration::from_millis(200));
    }
    let after = begin.elapsed();
    assert!(after > Duration::from_millis(4_500), "cut after {after:?}");
    assert!(after < Duration::from_secs(8), "cut only after {after:?}");
    assert_well(&relay);
}

fn hundreds_who_say_nothing_neither_delay_a_health_check_nor_cost_threads(backend: &str) {
    let relay = Watched::start(backend, &[]);
    // Once somebody was served, all threads of its own are there.
    assert_eq!(read(&mut relay.caller(b"nobody"), 1), b"X");
    let before = relay.threads();
    let mut silent = Vec::new();
    for _ in 0..300 {
        let mut stream = connect(relay.metrics);
        stream.write_all(b"GET /").unwrap();
        silent.push(stream);
        // One that has ended its connection may not be gone yet.
        relay.wait_threads(before + 8);
        if silent.len() % 50 == 0 {
            // Those before it have 5 s each.
            let begin = Instant::now();
            assert_eq!(get(relay.metrics, HEALTH).status, 200);
            let after = begin.elapsed();
            assert!(after < Duration::from_secs(4), "health took {after:?}");
        }
    }
    drop(silent);
    relay.wait_threads(before);
    assert_well(&relay);
}

fn who_never_reads_and_who_leaves_early_do_no_harm(backend: &str) {
    let relay = Watched::start(backend, &[]);
    let mut silent = Vec::new();
    for _ in 0..50 {
        let mut stream = connect(relay.metrics);
        let _ = stream.write_all(b"GET /metrics HTTP/1.1\r\n\r\n");
        silent.push(stream);
        let mut stream = connect(relay.metrics);
        let _ = stream.write_all(b"GET /metrics HTTP/1.1\r\n\r\nand more");
        drop(stream);
        drop(connect(relay.metrics));
    }
    assert_well(&relay);
}
