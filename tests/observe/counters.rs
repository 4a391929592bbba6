//! The numbers are those of what was done.

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::common::{hello, on_every_backend, read, read_to_end, wait_until};
use super::scrape::{Watched, skip, value};

on_every_backend! {
    the_numbers_are_zero_before_anybody_came
    listeners_pairs_and_bytes_are_counted_while_they_are_there
    each_refusal_is_counted_under_its_reason
    each_close_is_counted_under_its_reason
    counters_are_exact_and_never_go_back_while_100_pairs_move_data
    failures_to_accept_are_counted
}

const FROM_LISTENER: &str = "passed_bytes_total{from=\"listener\"}";
const FROM_CALLER: &str = "passed_bytes_total{from=\"caller\"}";

fn refusals(reason: &str) -> String {
    format!("refusals_total{{reason=\"{reason}\"}}")
}

fn closes(reason: &str) -> String {
    format!("closes_total{{reason=\"{reason}\"}}")
}

fn the_numbers_are_zero_before_anybody_came(backend: &str) {
    let relay = Watched::start(backend, &[]);
    let page = relay.page();
    let info = format!(
        "p2p_relay_build_info{{version=\"{}\",backend=\"{backend}\"}} 1",
        env!("CARGO_PKG_VERSION")
    );
    assert!(page.lines().any(|line| line == info), "{page}");
    let mut zeros = 0;
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        let (series, value) = line.rsplit_once(' ').unwrap();
        if !["build_info", "start_time", "loop_turn"]
            .iter()
            .any(|other| series.contains(other))
        {
            assert_eq!(value, "0", "{series}");
            zeros += 1;
        }
    }
    assert!(zeros >= 20, "{page}");
    let has_loops = page.contains("p2p_relay_loop_turn_seconds_count");
    assert_eq!(has_loops, backend == "epoll");
}

fn listeners_pairs_and_bytes_are_counted_while_they_are_there(backend: &str) {
    let relay = Watched::start(backend, &[]);
    let waiting: Vec<_> = (0..5).map(|_| relay.listener(b"waiting")).collect();
    let mut pairs: Vec<_> = (0..3).map(|_| relay.pair(b"pair")).collect();
    relay.wait_values(&[
        ("connections_accepted_total", 11),
        ("connections", 11),
        ("listeners", 5),
        ("pairs", 3),
        ("matches_total", 3),
        (FROM_LISTENER, 0),
        (FROM_CALLER, 0),
    ]);
    // Short messages and bulk, which go different ways inside; the pairs stay.
    const BULK: usize = 3_000_000;
    for (listener, caller) in &mut pairs {
        listener.write_all(b"seven b").unwrap();
        assert_eq!(read(caller, 7), b"seven b");
        std::thread::scope(|scope| {
            let sender = caller.try_clone().unwrap();
            scope.spawn(move || (&sender).write_all(&vec![b'x'; BULK]).unwrap());
            read(listener, BULK);
        });
    }
    relay.wait_values(&[
        (FROM_LISTENER, 3 * 7),
        (FROM_CALLER, 3 * BULK as u64),
        ("pairs", 3),
    ]);
    drop(waiting);
    for (listener, mut caller) in pairs {
        drop(listener);
        assert_eq!(read_to_end(&mut caller), b"");
    }
    relay.wait_values(&[
        ("connections_accepted_total", 11),
        ("connections", 0),
        ("listeners", 0),
        ("pairs", 0),
        ("matches_total", 3),
        (&closes("gone"), 5),
        (&closes("finished"), 3),
        (FROM_LISTENER, 3 * 7),
        (FROM_CALLER, 3 * BULK as u64),
    ]);
}

fn each_refusal_is_counted_under_its_reason(backend: &str) {
    let relay = Watched::start(backend, &["--hello-timeout", "1"]);
    let long = [b'i'; 256];
    let cases: [(&str, Vec<u8>); 6] = [
        ("nobody-waits", hello(b'C', b"bob")),
        ("not-a-hello", b"?".to_vec()),
        ("id-empty", hello(b'T', b"")),
        ("id-too-long", hello(b'C', &long)),
        ("id-control-character", hello(b'T', b"a\nb")),
        ("hello-timeout", b"Tabc".to_vec()),
    ];
    let mut values = Vec::new();
    let mut all = 0;
    for (times, (reason, bytes)) in (1..).zip(cases) {
        for _ in 0..times {
            let mut stream = relay.connect();
            stream.write_all(&bytes).unwrap();
            assert_eq!(read_to_end(&mut stream), b"X", "{reason}");
        }
        values.push((refusals(reason), times));
        all += times;
    }
    let mut values: Vec<_> = values
        .iter()
        .map(|(series, times)| (series.as_str(), *times))
        .collect();
    values.extend([("connections_accepted_total", all), ("connections", 0)]);
    relay.wait_values(&values);
    let page = relay.page();
    let refused = page
        .lines()
        .filter(|line| line.starts_with("p2p_relay_refusals_total{"))
        .map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap());
    assert_eq!(refused.sum::<u64>(), all, "{page}");
}

/// Makes the close of this connection a reset, by leaving a byte of its peer's unread.
fn reset(stream: TcpStream, mut peer: &TcpStream) {
    peer.write_all(b"unread").unwrap();
    stream.peek(&mut [0]).unwrap();
    drop(stream);
}

fn each_close_is_counted_under_its_reason(backend: &str) {
    let relay = Watched::start(backend, &["--half-close", "1", "--idle-timeout", "2"]);
    // Not a word, and gone.
    drop(relay.connect());
    relay.wait_value(&closes("no-hello"), 1);
    for _ in 0..2 {
        drop(relay.listener(b"gone"));
    }
    let idle = relay.pair(b"idle");
    let half = relay.pair(b"half");
    half.0.shutdown(Shutdown::Write).unwrap();
    let (listener, caller) = relay.pair(b"lost");
    reset(listener, &caller);
    for _ in 0..2 {
        let (listener, caller) = relay.pair(b"lost");
        reset(caller, &listener);
    }
    relay.wait_values(&[
        (&closes("gone"), 2),
        (&closes("idle"), 1),
        (&closes("half-close"), 1),
        (&closes("listener-lost"), 1),
        (&closes("caller-lost"), 2),
        (&closes("no-hello"), 1),
        (&closes("finished"), 0),
        ("matches_total", 5),
        ("pairs", 0),
        ("listeners", 0),
        ("connections", 0),
    ]);
    drop((idle, half));
}

fn counters_are_exact_and_never_go_back_while_100_pairs_move_data(backend: &str) {
    const PAIRS: usize = 100;
    const ROUNDS: usize = 100;
    const BLOCK: usize = 16_384;
    let relay = Watched::start(backend, &[]);
    let pairs: Vec<_> = (0..PAIRS).map(|_| relay.pair(b"pair")).collect();
    let running = AtomicUsize::new(PAIRS);
    let mut scrapes = 0;
    std::thread::scope(|scope| {
        for (mut listener, mut caller) in pairs {
            let running = &running;
            scope.spawn(move || {
                let block = vec![b'x'; BLOCK];
                for _ in 0..ROUNDS {
                    caller.write_all(&block).unwrap();
                    listener.write_all(&block[..BLOCK / 2]).unwrap();
                    read(&mut listener, BLOCK);
                    read(&mut caller, BLOCK / 2);
                }
                running.fetch_sub(1, Ordering::Relaxed);
                (listener, caller)
            });
        }
        let (mut up, mut down) = (0, 0);
        while running.load(Ordering::Relaxed) > 0 {
            let page = relay.page();
            let now = (value(&page, FROM_CALLER), value(&page, FROM_LISTENER));
            assert!(now.0 >= up && now.1 >= down, "{now:?} after {up}, {down}");
            (up, down) = now;
            scrapes += 1;
        }
        assert!(up > 0, "no scrape saw a byte");
    });
    assert!(scrapes > 1);
    let bytes = (PAIRS * ROUNDS * BLOCK) as u64;
    relay.wait_values(&[
        (FROM_CALLER, bytes),
        (FROM_LISTENER, bytes / 2),
        (&closes("finished"), PAIRS as u64),
        ("connections", 0),
    ]);
}

fn failures_to_accept_are_counted(backend: &str) {
    let relay = Watched::start(backend, &[]);
    let limit = |limit: &str| {
        let pid = relay.child.id().to_string();
        let set = Command::new("prlimit")
            .args(["--pid", &pid, &format!("--nofile={limit}:")])
            .status();
        set.is_ok_and(|status| status.success())
    };
    if !limit("1024") {
        skip("accept: no prlimit that may set a limit of a child");
        return;
    }
    // Until it serves it opens more than it will have then.
    assert_eq!(read(&mut relay.caller(b"nobody"), 1), b"X");
    wait_until("an accept failed", || {
        assert!(limit("5"));
        let mut callers: Vec<_> = (0..20).map(|_| relay.caller(b"nobody")).collect();
        assert!(limit("1024"));
        // Whoever could not be taken is taken later.
        for caller in &mut callers {
            assert_eq!(read(caller, 1), b"X");
        }
        relay.value("accept_errors_total") > 0
    });
}
