//! A passage between a sender and the relay that lets through as much as it is told to, so that a
//! transfer can be held in its middle for as long as a test needs.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

/// For one connection. What comes back from the relay is never held.
pub(crate) struct Gate {
    /// Where the sender connects to.
    pub(crate) address: SocketAddr,
    allowance: Arc<Allowance>,
}

#[derive(Default)]
struct Allowance {
    /// How many more bytes may pass.
    bytes: Mutex<u64>,
    raised: Condvar,
}

impl Gate {
    /// A gate in front of `relay` that lets `bytes` through.
    pub(crate) fn start(relay: SocketAddr, bytes: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let allowance = Arc::new(Allowance::default());
        let gate = Self {
            address,
            allowance: Arc::clone(&allowance),
        };
        gate.allow(bytes);
        thread::spawn(move || pass(&listener, relay, &allowance));
        gate
    }

    /// Lets so many more through.
    pub(crate) fn allow(&self, bytes: u64) {
        let mut left = self.allowance.bytes.lock().expect("no holder panics");
        *left = left.saturating_add(bytes);
        self.allowance.raised.notify_all();
    }

    /// Lets everything through from now on.
    pub(crate) fn open(&self) {
        self.allow(u64::MAX);
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.open();
    }
}

impl Allowance {
    /// Waits until something may pass; how much.
    fn wait(&self) -> u64 {
        let mut left = self.bytes.lock().expect("no holder panics");
        while *left == 0 {
            left = self.raised.wait(left).expect("no holder panics");
        }
        *left
    }

    fn use_up(&self, bytes: u64) {
        let mut left = self.bytes.lock().expect("no holder panics");
        if *left != u64::MAX {
            *left -= bytes;
        }
    }
}

fn pass(listener: &TcpListener, relay: SocketAddr, allowance: &Allowance) -> io::Result<()> {
    let (sender, _) = listener.accept()?;
    let relay = TcpStream::connect(relay)?;
    for stream in [&sender, &relay] {
        stream.set_nodelay(true)?;
    }
    thread::scope(|scope| {
        let both = [&sender, &relay];
        scope.spawn(move || {
            let [mut to, mut from] = both;
            ended(both, both[0], io::copy(&mut from, &mut to));
        });
        ended(both, both[1], hold(both[0], both[1], allowance));
    });
    Ok(())
}

fn hold(mut from: &TcpStream, mut to: &TcpStream, allowance: &Allowance) -> io::Result<u64> {
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let most = usize::try_from(allowance.wait()).unwrap_or(usize::MAX);
        let most = most.min(buffer.len());
        let count = from.read(&mut buffer[..most])?;
        if count == 0 {
            return Ok(0);
        }
        to.write_all(&buffer[..count])?;
        allowance.use_up(count as u64);
    }
}

/// Passes the end of one way on: an end as an end, an error as the end of both connections.
fn ended(both: [&TcpStream; 2], to: &TcpStream, result: io::Result<u64>) {
    if result.is_ok() {
        let _ = to.shutdown(Shutdown::Write);
    } else {
        for stream in both {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}
