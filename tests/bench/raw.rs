//! Bytes through a relay without a file: what the relay alone costs.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

/// Size of one write and of one read, in bytes.
const BUFFER: usize = 256 * 1024;
/// How long two connections may take to meet, and one read or write to get on.
const PATIENCE: Duration = Duration::from_secs(30);

/// One run.
#[derive(Clone, Copy)]
pub(crate) struct Cost {
    /// From the first write to the last byte read.
    pub(crate) seconds: f64,
    /// Processor time of the relay, user and system.
    pub(crate) cpu_seconds: f64,
}

/// The two ends of a path through a relay: what the second sends, the first receives.
pub(crate) type Ends = (TcpStream, TcpStream);

/// Moves `total` bytes, split evenly over all `ends` at once; `cpu` tells the processor seconds that
/// the relay has used so far.
pub(crate) fn run(ends: Vec<Ends>, total: u64, cpu: impl Fn() -> f64) -> Cost {
    let share = total / ends.len() as u64;
    let start = Barrier::new(2 * ends.len() + 1);
    let before = cpu();
    let begun = thread::scope(|scope| {
        for (listener, caller) in ends {
            let start = &start;
            scope.spawn(move || {
                let mut buffer = vec![0; BUFFER];
                start.wait();
                let got = drain(listener, &mut buffer).expect("bytes from the relay");
                assert_eq!(got, share, "bytes that crossed the relay");
            });
            scope.spawn(move || {
                let buffer = vec![0x5a; BUFFER];
                start.wait();
                fill(caller, &buffer, share).expect("bytes to the relay");
            });
        }
        let begun = Instant::now();
        start.wait();
        begun
    });
    Cost {
        seconds: begun.elapsed().as_secs_f64(),
        cpu_seconds: cpu() - before,
    }
}

/// A listener and a caller, spliced by the relay at `port`.
pub(crate) fn meet(port: u16, id: &str) -> Ends {
    let listener = listen(port, id);
    let caller = call(port, id);
    (listener, caller)
}

/// A listener that waits.
pub(crate) fn listen(port: u16, id: &str) -> TcpStream {
    greet(dial(port), 'T', id)
}

/// A caller that has met its listener.
pub(crate) fn call(port: u16, id: &str) -> TcpStream {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut caller = greet(dial(port), 'C', id);
        if has_met(&mut caller) {
            return caller;
        }
        // The relay does not answer a listener, so only asking tells that it has read the hello.
        assert!(Instant::now() < deadline, "the listener never registered");
    }
}

/// Says what `stream` wants of the relay.
pub(crate) fn greet(mut stream: TcpStream, role: char, id: &str) -> TcpStream {
    stream
        .write_all(format!("{role}{id}$").as_bytes())
        .expect("a hello");
    stream
}

/// Whether the relay's answer to a caller is that somebody waits.
pub(crate) fn has_met(caller: &mut TcpStream) -> bool {
    let mut answer = [0];
    caller.read_exact(&mut answer).expect("an answer");
    answer == *b"O"
}

/// A connection on which no read and no write blocks for good.
pub(crate) fn dial(port: u16) -> TcpStream {
    let stream = dial_plain(port);
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
    stream
}

/// A connection as it comes: options cost time.
pub(crate) fn dial_plain(port: u16) -> TcpStream {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("a connection")
}

fn drain(mut from: TcpStream, buffer: &mut [u8]) -> io::Result<u64> {
    let mut total = 0;
    loop {
        match from.read(buffer)? {
            0 => return Ok(total),
            got => total += got as u64,
        }
    }
}

/// The relay of 2013 closes both sides at the end of one, so nothing is awaited behind the shutdown.
fn fill(mut to: TcpStream, buffer: &[u8], total: u64) -> io::Result<()> {
    let mut left = total;
    while left > 0 {
        let next = left.min(buffer.len() as u64);
        to.write_all(&buffer[..next as usize])?;
        left -= next;
    }
    to.shutdown(Shutdown::Write)
}
