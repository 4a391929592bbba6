//! An imitation of the relay of 2013 with the quirks that a client can meet: a hello counts only in
//! one piece, what follows its `$` is dropped, ids are compared in 18 bytes, `T` has no answer, bytes
//! are passed on in pieces of at most 2047, and when either closes both are closed.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use super::common::wait_until;

const PIECE: usize = 2047;
const ID_COMPARED: usize = 18;

type Waiting = Arc<Mutex<Vec<(Vec<u8>, TcpStream)>>>;

/// Listens until the process ends.
pub(crate) struct Relay2013 {
    pub(crate) address: SocketAddr,
    waiting: Waiting,
}

impl Relay2013 {
    /// Starts one on a free port of 127.0.0.1.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let waiting = Waiting::default();
        let registry = Arc::clone(&waiting);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let registry = Arc::clone(&registry);
                thread::spawn(move || serve(stream, &registry));
            }
        });
        Self { address, waiting }
    }

    /// Whether a listener waits under the id.
    pub(crate) fn waits(&self, id: &str) -> bool {
        let waiting = self.waiting.lock().expect("no server panics");
        waiting.iter().any(|(waits, _)| waits == id.as_bytes())
    }

    /// Waits until a listener does.
    pub(crate) fn wait_for_listener(&self, id: &str) {
        wait_until("a listener waits at the relay of 2013", || self.waits(id));
    }
}

fn serve(mut stream: TcpStream, waiting: &Waiting) {
    let mut piece = [0; PIECE];
    let Ok(count) = stream.read(&mut piece) else {
        return;
    };
    let Some((role, id)) = parse(&piece[..count]) else {
        let _ = stream.write_all(b"X");
        return;
    };
    let mut registry = waiting.lock().expect("no server panics");
    if role == b'T' {
        registry.push((id, stream));
        return;
    }
    let Some(slot) = registry.iter().position(|(waits, _)| *waits == id) else {
        let _ = stream.write_all(b"X");
        return;
    };
    let (_, listener) = registry.remove(slot);
    drop(registry);
    if stream.write_all(b"O").is_err() {
        return;
    }
    thread::scope(|scope| {
        scope.spawn(|| pass_on(&listener, &stream));
        pass_on(&stream, &listener);
    });
}

/// Role and the part of the id that is compared.
fn parse(piece: &[u8]) -> Option<(u8, Vec<u8>)> {
    let (&role, rest) = piece.split_first()?;
    let end = rest.iter().position(|&byte| byte == b'$')?;
    let id = rest[..end.min(ID_COMPARED)].to_vec();
    matches!(role, b'T' | b'C').then_some((role, id))
}

/// Passes bytes on until either closes; then both are closed.
fn pass_on(mut from: &TcpStream, mut to: &TcpStream) {
    let mut piece = [0; PIECE];
    while let Ok(count @ 1..) = from.read(&mut piece) {
        if to.write_all(&piece[..count]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
