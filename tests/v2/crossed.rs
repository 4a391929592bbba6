//! A relay that joins two who did not mean each other.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use p2pxfer::transfer::{Kind, UserId};

use super::pair::{Side, folder, path};
use super::temp::TempDir;
use super::trees::names;

/// Takes one listener and one caller, whoever they are, and joins them.
fn join(listener: &TcpListener) {
    let mut ends = [None, None];
    while ends.iter().any(Option::is_none) {
        let (mut stream, _) = listener.accept().unwrap();
        let mut hello = Vec::new();
        while hello.last() != Some(&b'$') {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            hello.extend(byte);
        }
        ends[usize::from(hello[0] == b'C')] = Some(stream);
    }
    let [waiting, calling] = ends.map(Option::unwrap);
    (&calling).write_all(b"O").unwrap();
    let pass = |mut from: &TcpStream, mut to: &TcpStream| {
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    };
    thread::scope(|scope| {
        scope.spawn(|| pass(&waiting, &calling));
        pass(&calling, &waiting);
    });
}

#[test]
fn a_sender_and_a_receiver_of_other_ids_are_not_joined() {
    let alike = ("the same", "alice", None);
    let other = [("the same", Kind::Secret), ("", Kind::Protocol)];
    let other = other.map(|(secret, kind)| (secret, "bob", Some(kind)));
    for (secret, waits, kind) in other.into_iter().chain([alike]) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (from, to) = (TempDir::new(), TempDir::new());
        fs::write(from.path().join("a"), "x").unwrap();
        let [mut sender, mut receiver] = [Side::new(address, secret), Side::new(address, secret)];
        for (side, id) in [(&mut sender, "alice"), (&mut receiver, waits)] {
            side.endpoint.user = UserId::new(id.as_bytes()).unwrap();
            side.endpoint.idle_timeout = Some(Duration::from_secs(5));
        }
        let place = folder(to.path());
        thread::scope(|scope| {
            scope.spawn(|| join(&listener));
            let receiving = scope.spawn(|| receiver.receive(&place));
            let sent = sender.send(&[path(from.path().join("a"))]);
            let received = receiving.join().unwrap();
            assert_eq!(sent.err().map(|error| error.kind()), kind);
            assert_eq!(received.err().map(|error| error.kind()), kind);
        });
        assert_eq!(names(to.path()).is_empty(), kind.is_some());
    }
}
