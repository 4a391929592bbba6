//! Takeovers while the relay is at work.

use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use super::common::{
    DEADLINE, Relay, connect, hello, on_every_backend, read, read_to_end, wait_until,
};
use super::temp::TempDir;

on_every_backend! {
    a_hundred_takeovers_under_load_refuse_nobody_lose_no_listener_and_break_no_transfer
}

const TAKEOVERS: usize = 100;
/// Bytes of a short transfer.
const SHORT: usize = 40_000;

/// The byte at this place of every transfer; its period fits no buffer.
fn byte(at: usize) -> u8 {
    (at % 251) as u8
}

fn bytes(from: usize, count: usize) -> Vec<u8> {
    (from..from + count).map(byte).collect()
}

fn say(address: SocketAddr, role: u8, id: &str) -> TcpStream {
    let mut stream = connect(address);
    let hello = hello(role, id.as_bytes());
    stream.write_all(&hello).expect("nobody is refused");
    stream
}

/// Calls until the listener, whose hello may be on its way yet, is there.
fn call(address: SocketAddr, id: &str) -> TcpStream {
    let until = Instant::now() + DEADLINE;
    loop {
        let mut caller = say(address, b'C', id);
        if read(&mut caller, 1) == b"O" {
            return caller;
        }
        assert!(Instant::now() < until, "'{id}' is lost");
        std::thread::yield_now();
    }
}

/// One meeting, some bytes each way, and both ends.
fn transfer(address: SocketAddr, id: &str) {
    let mut listener = say(address, b'T', id);
    let mut caller = call(address, id);
    let data = bytes(0, SHORT);
    caller.write_all(&data).expect("no transfer breaks");
    caller
        .shutdown(Shutdown::Write)
        .expect("no transfer breaks");
    let got = read_to_end(&mut listener);
    assert!(got == data, "'{id}': {} bytes of {SHORT}", got.len());
    listener.write_all(b"thanks").expect("no transfer breaks");
    drop(listener);
    assert_eq!(read_to_end(&mut caller), b"thanks");
}

/// Sends to and fro until all is done, and then one end.
fn long_transfer(mut caller: TcpStream, mut listener: TcpStream, done: &AtomicBool) -> usize {
    const ROUND: usize = 10_000;
    let mut at = 0;
    while !done.load(Ordering::SeqCst) {
        let data = bytes(at, ROUND);
        caller.write_all(&data).expect("no transfer breaks");
        assert!(read(&mut listener, ROUND) == data, "behind byte {at}");
        listener.write_all(b"!").expect("no transfer breaks");
        assert_eq!(read(&mut caller, 1), b"!");
        at += ROUND;
    }
    at
}

fn a_hundred_takeovers_under_load_refuse_nobody_lose_no_listener_and_break_no_transfer(
    backend: &str,
) {
    let folder = TempDir::new();
    let path = folder.path().join("door");
    let arguments = ["--takeover", path.to_str().unwrap()];
    let first = Relay::start(backend, &arguments);
    let address = first.address;
    let mut waiting: Vec<_> = (0..2 * TAKEOVERS)
        .map(|number| {
            let id = format!("waiting {number}");
            (first.listener(id.as_bytes()), id)
        })
        .collect();
    let long: Vec<_> = (0..4)
        .map(|number| first.pair(format!("long {number}").as_bytes()))
        .collect();
    let mut relays = vec![first];
    let (done, transfers) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let end = End(&done);
        let (done, transfers) = (&done, &transfers);
        let long: Vec<_> = long
            .into_iter()
            .map(|(listener, caller)| scope.spawn(|| long_transfer(caller, listener, done)))
            .collect();
        for worker in 0..3 {
            scope.spawn(move || {
                let mut round = 0;
                while !done.load(Ordering::SeqCst) {
                    transfer(address, &format!("worker {worker} round {round}"));
                    transfers.fetch_add(1, Ordering::SeqCst);
                    round += 1;
                }
            });
        }
        for number in 0..TAKEOVERS {
            let before = transfers.load(Ordering::SeqCst);
            relays.push(Relay::start(backend, &arguments));
            // Whoever serves by now knows who waited before: one call is enough.
            let (mut listener, id) = waiting.swap_remove(0);
            let mut caller = say(address, b'C', &id);
            assert_eq!(read(&mut caller, 1), b"O", "'{id}' after takeover {number}");
            caller.write_all(b"x").expect("no transfer breaks");
            assert_eq!(read(&mut listener, 1), b"x");
            // Some load on each of them.
            wait_until("transfers go on", || {
                transfers.load(Ordering::SeqCst) >= before + 2
            });
        }
        drop(end);
        for each in long {
            assert!(each.join().unwrap() > 0);
        }
    });
    for (mut listener, id) in waiting {
        let mut caller = say(address, b'C', &id);
        assert_eq!(read(&mut caller, 1), b"O", "'{id}' at the end");
        caller.write_all(b"x").unwrap();
        assert_eq!(read(&mut listener, 1), b"x");
    }
    let mut last = relays.pop().unwrap();
    for mut relay in relays {
        assert_eq!(relay.wait_ended(), Some(0));
    }
    last.signal("TERM");
    assert_eq!(last.wait_ended(), Some(0));
}

/// Ends the load, a test's that fails too.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
