//! Meetings at one of several relays, by plain sockets and by the two programs.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::common::{Relay, connect, hello, read, wait_until};

/// The backend that this build's relay takes unasked.
pub(crate) const BACKEND: &str = match cfg!(all(target_os = "linux", feature = "libc")) {
    true => "epoll",
    false => "threads",
};

/// A connection that has said its hello.
pub(crate) fn say(address: SocketAddr, role: u8, id: &str) -> TcpStream {
    let mut stream = connect(address);
    stream.write_all(&hello(role, id.as_bytes())).unwrap();
    stream
}

/// Which of the relays has registered the listener.
pub(crate) fn home(relays: &[Relay], listener: &TcpStream) -> usize {
    let mut home = None;
    wait_until("one relay has the listener", || {
        home = registered(relays, listener);
        home.is_some()
    });
    home.unwrap()
}

/// Which of the relays has registered the listener; `None` when its connection has ended.
pub(crate) fn registered_or_ended(relays: &[Relay], listener: &mut TcpStream) -> Option<usize> {
    let mut home = None;
    listener.set_nonblocking(true).unwrap();
    wait_until("one relay has the listener, or it has ended", || {
        home = registered(relays, listener);
        let waits =
            matches!(listener.peek(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock);
        home.is_some() || !waits
    });
    listener.set_nonblocking(false).unwrap();
    home
}

fn registered(relays: &[Relay], listener: &TcpStream) -> Option<usize> {
    let from = format!("from={}", listener.local_addr().unwrap());
    let is_ours =
        |line: &String| line.starts_with("registered ") && line.split(' ').any(|word| word == from);
    relays
        .iter()
        .position(|relay| relay.log.lines().iter().rev().any(is_ours))
}

/// A pair, and the relay that it is at.
pub(crate) struct Pair {
    pub(crate) listener: TcpStream,
    pub(crate) caller: TcpStream,
    pub(crate) home: usize,
}

impl Pair {
    /// Meets under `id` through a balancer at `address`.
    pub(crate) fn meet(address: SocketAddr, relays: &[Relay], id: &str) -> Self {
        let listener = say(address, b'T', id);
        let home = home(relays, &listener);
        let mut caller = say(address, b'C', id);
        assert_eq!(read(&mut caller, 1), b"O", "{id} at relay {home}");
        Self {
            listener,
            caller,
            home,
        }
    }

    /// Passes a few bytes each way.
    pub(crate) fn assert_joined(&mut self) {
        self.caller.write_all(b"down").unwrap();
        assert_eq!(read(&mut self.listener, 4), b"down");
        self.listener.write_all(b"up").unwrap();
        assert_eq!(read(&mut self.caller, 2), b"up");
    }

    /// Waits until both sides have ended.
    pub(crate) fn assert_ended(&mut self) {
        for stream in [&mut self.listener, &mut self.caller] {
            assert!(matches!(stream.read(&mut [0]), Ok(0) | Err(_)));
        }
    }
}

/// `send_r` or `recv_r`, started in a folder.
pub(crate) fn start(program: &str, folder: &Path, arguments: &[&str]) -> Child {
    let path = match program {
        "send_r" => env!("CARGO_BIN_EXE_send_r"),
        _ => env!("CARGO_BIN_EXE_recv_r"),
    };
    let mut command = Command::new(path);
    command.current_dir(folder).args(arguments);
    command.stdin(Stdio::null()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// How a program ended: its status and what it said.
pub(crate) fn end(child: Child) -> (Option<i32>, String) {
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), said)
}
