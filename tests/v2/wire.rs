//! A wire between one side and the relay that can be cut, listened to and lied on.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;

use super::common::DEADLINE;

/// The two directions, seen from the side in front of the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Up,
    Down,
}

/// What the wire does to bytes: gets where they are in their direction of their connection, and may
/// change them; `false` cuts the connection behind what it leaves.
pub(crate) type Lie = dyn Fn(Way, u64, &mut Vec<u8>) -> bool + Send + Sync;

/// A wire; its connections end with it.
pub(crate) struct Wire {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    lie: Box<Lie>,
}

struct State {
    relay: SocketAddr,
    live: Vec<TcpStream>,
    /// Bytes that went over it, in all connections.
    moved: [u64; 2],
    seen: [Vec<u8>; 2],
    ended: bool,
}

/// So many bytes of each direction are kept.
const KEPT: usize = 1 << 20;

impl Wire {
    /// An honest wire.
    pub(crate) fn new(relay: SocketAddr) -> Self {
        Self::lying(relay, Box::new(|_, _, _| true))
    }

    pub(crate) fn lying(relay: SocketAddr, lie: Box<Lie>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                relay,
                live: Vec::new(),
                moved: [0; 2],
                seen: [Vec::new(), Vec::new()],
                ended: false,
            }),
            changed: Condvar::new(),
            lie,
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if accepting.lock().ended {
                    break;
                }
                if let Ok(stream) = stream {
                    let shared = Arc::clone(&accepting);
                    thread::spawn(move || shared.carry(stream));
                }
            }
        });
        Self { address, shared }
    }

    /// From now on it leads to another relay.
    pub(crate) fn lead_to(&self, relay: SocketAddr) {
        self.shared.lock().relay = relay;
    }

    /// Waits until so many bytes in all have gone this way; `false` when they do not.
    pub(crate) fn wait_moved(&self, way: Way, bytes: u64) -> bool {
        let state = self.shared.lock();
        let waited = self
            .shared
            .changed
            .wait_timeout_while(state, DEADLINE, |state| state.moved[way as usize] < bytes);
        !waited.expect("no panic").1.timed_out()
    }

    /// How many bytes have gone this way, in all connections.
    pub(crate) fn moved(&self, way: Way) -> u64 {
        self.shared.lock().moved[way as usize]
    }

    /// How many connections there have been.
    pub(crate) fn seen_connections(&self) -> usize {
        self.shared.lock().live.len() / 2
    }

    /// The first of them.
    pub(crate) fn seen(&self, way: Way) -> Vec<u8> {
        self.shared.lock().seen[way as usize].clone()
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.ended = true;
        state.cut();
        drop(state);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
    }
}

impl State {
    fn cut(&mut self) {
        for stream in self.live.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic")
    }

    fn carry(&self, side: TcpStream) {
        let relay = self.lock().relay;
        let Ok(relay) = TcpStream::connect(relay) else {
            return;
        };
        for stream in [&side, &relay] {
            stream.set_nodelay(true).expect("a socket option");
            let clone = stream.try_clone().expect("a descriptor");
            self.lock().live.push(clone);
        }
        thread::scope(|scope| {
            scope.spawn(|| self.pass(Way::Up, &side, &relay));
            scope.spawn(|| self.pass(Way::Down, &relay, &side));
        });
    }

    fn pass(&self, way: Way, mut from: &TcpStream, mut to: &TcpStream) {
        let mut buffer = vec![0; 64 * 1024];
        let mut offset = 0;
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            let mut bytes = buffer[..count].to_vec();
            let goes_on = (self.lie)(way, offset, &mut bytes);
            offset += count as u64;
            let written = to.write_all(&bytes);
            let mut state = self.lock();
            state.moved[way as usize] += bytes.len() as u64;
            let seen = &mut state.seen[way as usize];
            let room = KEPT.saturating_sub(seen.len());
            seen.extend(bytes.iter().take(room));
            self.changed.notify_all();
            drop(state);
            if !goes_on {
                let _ = from.shutdown(Shutdown::Both);
                let _ = to.shutdown(Shutdown::Both);
                return;
            }
            if written.is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    }
}
