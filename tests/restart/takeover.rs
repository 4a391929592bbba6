//! A new relay in the place of an old one: nobody notices.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;

use super::common::{Relay, connect, hello, on_every_backend, read, read_to_end, wait_until};
use super::temp::TempDir;

on_every_backend! {
    who_waits_is_called_through_the_new_relay_and_notices_nothing
    a_pair_stays_with_the_old_relay_which_ends_with_it
    a_hello_that_was_half_said_is_heard_to_its_end_by_the_new_relay
    who_waited_first_is_called_first_after_a_takeover
    the_other_backend_takes_over_too
    the_old_relay_goes_on_when_the_new_one_fails
    a_relay_of_another_port_is_refused_and_the_old_one_goes_on
    a_second_takeover_is_like_the_first
    the_port_of_the_metrics_goes_along
    an_old_relay_that_drains_is_no_obstacle
    a_drain_after_the_takeover_bounds_the_old_relays_pairs
    an_address_that_a_balancer_told_goes_along
}

/// A relay that takes over at `path`, or begins there.
pub(crate) fn start(backend: &str, path: &Path) -> Relay {
    let path = path.to_str().expect("our paths are text");
    Relay::start(backend, &["--takeover", path])
}

/// The new relay that has taken the old one's place.
fn take_over(backend: &str, path: &Path, old: &Relay) -> Relay {
    let new = start(backend, path);
    assert_eq!(new.address, old.address);
    new
}

/// Fails unless these two are met through whoever accepts.
pub(crate) fn assert_meet(mut listener: TcpStream, relay: &Relay, id: &[u8]) {
    let mut caller = relay.caller(id);
    assert_eq!(read(&mut caller, 1), b"O");
    caller.write_all(b"to the listener").unwrap();
    assert_eq!(read(&mut listener, 15), b"to the listener");
    listener.write_all(b"to the caller").unwrap();
    drop(listener);
    assert_eq!(read_to_end(&mut caller), b"to the caller");
}

fn other(backend: &str) -> &'static str {
    if backend == "epoll" {
        "threads"
    } else {
        "epoll"
    }
}

fn who_waits_is_called_through_the_new_relay_and_notices_nothing(backend: &str) {
    let folder = TempDir::new();
    let path = folder.path().join("door");
    let mut old = start(backend, &path);
    let listeners: Vec<_> = (0..100)
        .map(|number| old.listener(format!("listener {number}").as_bytes()))
        .collect();
    let new = take_over(backend, &path, &old);
    assert_eq!(old.wait_ended(), Some(0));
    for (number, listener) in listeners.into_iter().enumerate() {
        let from = listener.local_addr().unwrap();
        new.wait_for("registered", &[&format!("from={from}")]);
        old.wait_for("closed", &[&format!("from={from}"), "reason=handed-over"]);
        assert_meet(listener, &new, format!("listener {number}").as_bytes());
    }
    assert_eq!(read_to_end(&mut new.caller(b"nobody")), b"X");
}

fn a_pair_stays_with_the_old_relay_which_ends_with_it(backend: &str) {
    let folder = TempDir::new();
    let path = folder.path().join("door");
    let mut old = start(backend, &path);
    let (mut listener, mut caller) = old.pair(b"alice");
    let waiting = old.listener(b"bob");
    let new = take_over(backend, &path, &old);
    new.wait_registered(&waiting);
    assert_meet(waiting, &new, b"bob");
    for _ in 0..100 {
        caller.write_all(b"?").unwrap();
        assert_eq!(read(&mut listener, 1), b"?");
    }
    assert!(old.runs());
    drop(caller);
    assert_eq!(read_to_end(&mut listener), b"");
    drop(listener);
    assert_eq!(old.wait_ended(), Some(0));
    old.wait_for("closed", &["id=alice", "reason=finished"]);
    drop(new.pair(b"carol"));
}

fn a_hello_that_was_half_said_is_heard_to_its_end_by_the_new_relay(backend: &str) {
    let folder = TempDir::new();
    let path = folder.path().join("door");
    let mut old = start(backend, &path);
    let waiting = old.listener(b"alice");
    let mut silent = old.connect();
    let mut half_listener = old.connect();
    half_listener.write_all(b"Tbo").unwrap();
    let mut half_caller = old.connect();
    half_caller.write_all(b"Cali").unwrap();
    // Accepted behind them, so that they were too.
    drop(old.pair(b"carol"));
    old.wait_for("closed", &["id=carol"]);
    let new = take_over(backend, &path, &old);
    assert_eq!(old.wait_ended(), Some(0));
    half_listener.write_all(b"b$").unwrap();
    new.wait_registered(&half_listener);
    assert_meet(half_listener, &new, b"bob");
    half_caller.write_all(b"ce$x").unwrap();
    assert_eq!(read(&mut half_caller, 1), b"O");
    assert_eq!(read(&mut &waiting, 1), b"x");
    silent.write_all(&hello(b'C', b"nobody")).unwrap();
    assert_eq!(read_to_end(&mut silent), b"X");
}

fn who_waited_first_is_called_first_after_a_takeover(backend: &str) {
    let folder = TempDir::new();
    let path = folder.path().join("door");
    let old = start(backend, &path);
    let listeners: Vec<_> = (0..20).map(|_| old.listener(b"alice")).collect();
    let new = take_over(other(backend), &path, &old);
    let third = take_over(backend, &path, &new);
    for (place, mut listener) in listeners.into_iter().enumerate() {
        let mut caller = third.caller(b"alice");
        assert_eq!(read(&mut caller, 1), b"O");
        caller.write_all(&[place as u8]).unwrap();
        assert_eq!(read(&mut listener, 1), [place as u8]);
    }
}

fn the_other_backend_takes_over_too(backend: &str) {
    let folder = TempDir::new();
    let path = folder.path().join("door");
    let mut old = start(backend, &path);
    let waiting = old.listener(b"alice");
    let mut half = old.connect();
    half.write_all(b"Tbo").unwrap();
    drop(old.pair(b"carol"));
    old.wait_for("closed", &["id=carol"]);
    let new = take_over(other(backend), &path, &old);
    assert_eq!(old.wait_ended(), Some(0));
    half.write_all(b"b$").unwrap();
    new.wait_registered(&half);
    assert_meet(half, &new, b"bob");
    assert_meet(waiting, &new, b"alice");
}

fn the_old_relay_goes_on_when_the_new_one_fails(backend: &str) {
    let folder = TempDir::new();
    let path = folder.path().join("door");
    let relay = start(backend, &path);
    let mut waiting: Vec<_> = (0..50).map(|_| relay.listener(b"alice")).collect();
    let mut half = relay.connect();
    half.write_all(b"Tbo").unwrap();
    // It says nothing, nonsense, too much, or is gone in the middle of what it gets.
    for said in [&b""[..], b"GET /", b"R\xff", b"R\x01", b"R\x01B"] {
        let mut new = UnixStream::connect(&path).unwrap();
        new.write_all(said).unwrap();
        if said.starts_with(b"R\x01") {
            new.read_exact(&mut [0; 100]).unwrap();
            drop(new);
        } else {
            new.shutdown(std::net::Shutdown::Write).unwrap();
            let mut answer = Vec::new();
            new.read_to_end(&mut answer).unwrap_or_default();
            assert!(answer.is_empty() || answer == b"N\0\0", "{answer:?}");
        }
        // Whoever calls now finds those who waited before, in their order.
        assert_meet(waiting.remove(0), &relay, b"alice");
    }
    half.write_all(b"b$").unwrap();
    relay.wait_registered(&half);
    assert_meet(half, &relay, b"bob");
    for listener in waiting {
        assert_meet(listener, &relay, b"alice");
    }
}

fn a_relay_of_another_port_is_refused_and_the_old_one_goes_on(backend: &str) {
    let folder = TempDir::new();
    let path = folder.path().join("door");
    let relay = start(backend, &path);
    let waiting = relay.listener(b"alice");
    // One that the relay cannot have got.
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_p2p-relay"))
        .args(["--takeover", path.to_str().unwrap(), "1"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(
        said.contains(&format!("port {}, not 1", relay.address.port())),
        "{said}"
    );
    assert_meet(waiting, &relay, b"alice");
}

fn a_second_takeover_is_like_the_first(backend: &str) {
    let folder = TempDir::new();
    let path = folder.path().join("door");
    let mut relays = vec![start(backend, &path)];
    let listener = relays[0].listener(b"alice");
    for _ in 0..5 {
        let new = take_over(backend, &path, &relays[0]);
        new.wait_registered(&listener);
        relays.push(new);
        assert_eq!(relays.remove(0).wait_ended(), Some(0));
    }
    assert_meet(listener, &relays[0], b"alice");
    relays[0].signal("TERM");
    assert_eq!(relays[0].wait_ended(), Some(0));
    assert!(!path.exists(), "the name outlives its relay");
}

/// What the page of metrics says of this number.
fn metric(address: SocketAddr, name: &str) -> Option<u64> {
    let mut stream = connect(address);
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
    let page = String::from_utf8(read_to_end(&mut stream)).unwrap();
    let line = page
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|value| value.parse().ok())
}

fn the_port_of_the_metrics_goes_along(backend: &str) {
    let folder = TempDir::new();
    let path = folder.path().join("door");
    let path = path.to_str().unwrap();
    let first = ["--takeover", path, "--metrics", "127.0.0.1:0"];
    let mut old = Relay::start(backend, &first);
    let line = old.log.wait_for(|line| line.starts_with("metrics on "));
    let at = line.trim_start_matches("metrics on ").to_owned();
    let address: SocketAddr = at.parse().unwrap();
    let pair = old.pair(b"alice");
    let waiting: Vec<_> = (0..3).map(|_| old.listener(b"bob")).collect();
    let counts = || {
        (
            metric(address, "p2p_relay_listeners"),
            metric(address, "p2p_relay_pairs"),
        )
    };
    assert_eq!(counts(), (Some(3), Some(1)));
    let new = Relay::start(backend, &["--takeover", path, "--metrics", &at]);
    for listener in &waiting {
        new.wait_registered(listener);
    }
    // Once the old relay has let the port go, only the new one answers.
    wait_until("the new relay is asked", || counts() == (Some(3), Some(0)));
    for _ in 0..20 {
        assert_eq!(counts(), (Some(3), Some(0)));
    }
    drop(pair);
    assert_eq!(old.wait_ended(), Some(0));
    assert_eq!(counts(), (Some(3), Some(0)));
}

fn an_old_relay_that_drains_is_no_obstacle(backend: &str) {
    let folder = TempDir::new();
    let path = folder.path().join("door");
    let mut old = start(backend, &path);
    let pair = old.pair(b"alice");
    let mut waiting = old.listener(b"bob");
    old.signal("TERM");
    assert_eq!(read_to_end(&mut waiting), b"");
    let new = start(backend, &path);
    drop(new.pair(b"carol"));
    drop(pair);
    assert_eq!(old.wait_ended(), Some(0));
    assert!(path.exists(), "the old relay removed the new one's name");
}

fn a_drain_after_the_takeover_bounds_the_old_relays_pairs(backend: &str) {
    let folder = TempDir::new();
    let path = folder.path().join("door");
    let arguments = ["--takeover", path.to_str().unwrap(), "--drain", "0"];
    let mut old = Relay::start(backend, &arguments);
    let pair = old.pair(b"alice");
    let waiting = old.listener(b"bob");
    let new = take_over(backend, &path, &old);
    new.wait_registered(&waiting);
    assert!(old.runs());
    old.signal("TERM");
    assert_eq!(old.wait_ended(), Some(0));
    old.wait_for("closed", &["id=alice", "reason=shutdown"]);
    assert!(path.exists(), "the old relay removed the new one's name");
    assert_meet(waiting, &new, b"bob");
    drop(pair);
}

fn an_address_that_a_balancer_told_goes_along(backend: &str) {
    const BEHIND: &[&str] = &["--proxy-protocol", "--proxy-from", "127.0.0.0/8"];
    let header = |last: u8| {
        let source = [198, 51, 100, last];
        let fixed = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c";
        [&fixed[..], &source, &source, &[0x9c, 0x40, 0, 1]].concat()
    };
    let folder = TempDir::new();
    let path = folder.path().join("door");
    let mut arguments = vec!["--takeover", path.to_str().unwrap()];
    arguments.extend(BEHIND);
    arguments.extend(["--source-listeners", "1"]);
    let mut old = Relay::start(backend, &arguments);
    let address = old.address;
    let say = |last, rest: &[u8]| {
        let mut stream = connect(address);
        stream.write_all(&[&header(last), rest].concat()).unwrap();
        stream
    };
    let waiting = say(7, b"Talice$");
    old.wait_for("registered", &["from=198.51.100.7:40000"]);
    let mut half = connect(old.address);
    half.write_all(&header(8)[..20]).unwrap();
    let mut whole = say(9, b"T");
    // Accepted and read behind them, so that they were too.
    drop(say(10, b"Tdave$"));
    old.wait_for("closed", &["id=dave", "reason=gone"]);
    let new = Relay::start(backend, &arguments);
    assert_eq!(old.wait_ended(), Some(0));
    new.wait_for("registered", &["from=198.51.100.7:40000"]);
    half.write_all(&[&header(8)[20..], b"Tbob$"].concat())
        .unwrap();
    new.wait_for("registered", &["id=bob", "from=198.51.100.8:40000"]);
    whole.write_all(b"carol$").unwrap();
    new.wait_for("registered", &["id=carol", "from=198.51.100.9:40000"]);
    // What it has counts against the source, not against the balancer.
    assert_eq!(read_to_end(&mut say(7, b"Talice$")), b"X");
    let mut caller = say(11, b"Calice$x");
    assert_eq!(read(&mut caller, 1), b"O");
    assert_eq!(read(&mut &waiting, 1), b"x");
}
