//! Listeners and callers of a relay under load.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::common::{connect, hello, read};
use super::scrape::Watched;

/// No limit on a source: the driver is one.
const OPEN: &[&str] = &["--quiet", "--source-rate", "0", "--source-connections", "0"];

/// A relay with metrics that lets one source do everything.
pub(crate) fn open_relay(backend: &str, options: &[&str]) -> Watched {
    Watched::start(backend, &[OPEN, options].concat())
}

/// A connection that has said its hello.
pub(crate) fn say(address: SocketAddr, role: u8, id: impl AsRef<[u8]>) -> TcpStream {
    let mut stream = connect(address);
    stream
        .write_all(&hello(role, id.as_ref()))
        .expect("the relay reads");
    stream
}

/// Calls a listener that waits; the caller, and the time from before its connect to its 'O'.
pub(crate) fn call(address: SocketAddr, id: impl AsRef<[u8]>) -> (TcpStream, Duration) {
    let begun = Instant::now();
    let mut caller = say(address, b'C', id);
    assert_eq!(read(&mut caller, 1), b"O", "a listener waits under the id");
    (caller, begun.elapsed())
}

/// Pairs `0..count` that have met; listener and caller.
pub(crate) fn pairs(relay: &Watched, count: usize) -> Vec<(TcpStream, TcpStream)> {
    let before = relay.value("pairs");
    let listeners: Vec<_> = (0..count)
        .map(|number| say(relay.address, b'T', format!("pair-{number}")))
        .collect();
    relay.wait_value("listeners", count as u64);
    let pairs = listeners
        .into_iter()
        .enumerate()
        .map(|(number, listener)| (listener, call(relay.address, format!("pair-{number}")).0))
        .collect();
    relay.wait_value("pairs", before + count as u64);
    pairs
}

/// Waits for a listener to be registered, then meets it; the time of the meeting.
pub(crate) fn meet(relay_address: SocketAddr, id: &str) -> Result<Duration, String> {
    let _listener = say(relay_address, b'T', id);
    // A listener gets no answer, so the first calls may come before it.
    for _ in 0..20 {
        let begun = Instant::now();
        let mut caller = say(relay_address, b'C', id);
        let mut answer = [0];
        match caller.read(&mut answer) {
            Ok(1) if answer == *b"O" => return Ok(begun.elapsed()),
            Ok(_) => std::thread::sleep(Duration::from_millis(20)),
            Err(error) => return Err(error.to_string()),
        }
    }
    Err("refused 20 times".to_owned())
}
