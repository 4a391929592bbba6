//! What our sender and our receiver say to a relay, byte for byte; and an imitation of the relay of 2013 between
//! the two of ours.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use super::common::{hello, read, read_to_end, wait_until};
use super::end;
use super::exchange::{self, Exchange, Way};
use super::relay_2013::Relay2013;
use super::temp::TempDir;

pub(crate) fn start(command: &mut Command) -> Child {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts")
}

pub(crate) fn send(file: &Path, userid: &str, relay: SocketAddr) -> Child {
    send_with(&[], file, userid, relay)
}

pub(crate) fn send_with(options: &[&str], file: &Path, userid: &str, relay: SocketAddr) -> Child {
    start(
        Command::new(env!("CARGO_BIN_EXE_send_r"))
            .args(options)
            .arg(file)
            .args([userid, &relay.ip().to_string()])
            .arg(relay.port().to_string()),
    )
}

pub(crate) fn receive(folder: &Path, userid: &str, relay: SocketAddr) -> Child {
    start(
        Command::new(env!("CARGO_BIN_EXE_recv_r"))
            .args(["-", userid, &relay.ip().to_string()])
            .arg(relay.port().to_string())
            .arg("-o")
            .arg(folder),
    )
}

/// Ends as the recorded program did: 0 where it was 0, and else not.
pub(crate) fn assert_ends_like(child: Child, recorded: i32, what: &str) -> Output {
    let output = end::output(child);
    let said = String::from_utf8_lossy(&output.stderr);
    let status = output.status.code();
    if recorded == 0 {
        assert_eq!(status, Some(0), "{what}: {said}");
    } else {
        assert!(status.is_some_and(|status| status != 0), "{what}: {said}");
        assert!(!said.is_empty(), "{what}: failed without a word");
        assert!(!said.contains("panicked"), "{what}: {said}");
    }
    output
}

/// The file of the exchange, made in the folder.
pub(crate) fn write_file(folder: &TempDir, exchange: &Exchange) -> std::path::PathBuf {
    let file = folder.path().join(&exchange.filename);
    std::fs::write(&file, &exchange.content).expect("a file of our own");
    file
}

/// The folder holds this file and nothing else.
pub(crate) fn assert_holds(folder: &TempDir, exchange: &Exchange) {
    assert_eq!(names(folder), [exchange.filename.as_str()]);
    let got = std::fs::read(folder.path().join(&exchange.filename)).expect("it is there");
    assert!(got == exchange.content, "{}: other bytes", exchange.name);
}

pub(crate) fn names(folder: &TempDir) -> Vec<String> {
    let entries = std::fs::read_dir(folder.path()).expect("a folder of our own");
    entries
        .map(|entry| entry.expect("an entry").file_name())
        .map(|name| name.to_string_lossy().into_owned())
        .collect()
}

#[test]
fn our_receiver_says_hello_as_the_one_of_2013_did() {
    for exchange in exchange::all() {
        assert_says_hello(&exchange, Way::ReceiverToRelay, |folder, address| {
            receive(folder.path(), &exchange.userid, address)
        });
    }
}

#[test]
fn our_sender_says_hello_as_the_one_of_2013_did() {
    for exchange in exchange::all().iter().filter(|one| !one.content.is_empty()) {
        assert_says_hello(exchange, Way::SenderToRelay, |folder, address| {
            send(&write_file(folder, exchange), &exchange.userid, address)
        });
    }
}

/// The program's hello comes in one piece, as the relay of 2013 must have it, and without a
/// listener or an answer the program fails when the relay closes.
fn assert_says_hello(exchange: &Exchange, way: Way, start: impl Fn(&TempDir, SocketAddr) -> Child) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = TempDir::new();
    let child = start(&folder, listener.local_addr().unwrap());
    let (mut stream, _) = listener.accept().unwrap();
    let mut once = [0; 2047];
    let count = stream.read(&mut once).unwrap();
    assert_eq!(&once[..count], exchange.hello(way), "{}", exchange.name);
    drop(stream);
    assert_ends_like(child, 1, &exchange.name);
}

#[test]
fn our_sender_refuses_an_empty_file_before_it_connects() {
    let recorded = exchange::all();
    let empty = recorded.iter().filter(|one| one.content.is_empty());
    let mut proved = false;
    for exchange in empty {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let folder = TempDir::new();
        let file = write_file(&folder, exchange);
        let address = listener.local_addr().unwrap();
        let sender = send_with(&["--v1"], &file, &exchange.userid, address);
        let output = assert_ends_like(sender, exchange.sender_exit, &exchange.name);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("empty"), "{said}");
        let nobody = listener.accept().unwrap_err();
        assert_eq!(nobody.kind(), std::io::ErrorKind::WouldBlock);
        proved = true;
    }
    assert!(proved, "no exchange of an empty file is recorded");
}

#[test]
fn ours_meet_through_the_relay_of_2013() {
    for exchange in exchange::all().iter().filter(|one| !one.content.is_empty()) {
        let relay = Relay2013::start();
        let (from, to) = (TempDir::new(), TempDir::new());
        let receiver = receive(to.path(), &exchange.userid, relay.address);
        relay.wait_for_listener(&exchange.userid);
        let sender = send(
            &write_file(&from, exchange),
            &exchange.userid,
            relay.address,
        );
        assert_ends_like(sender, 0, &exchange.name);
        assert_ends_like(receiver, 0, &exchange.name);
        assert_holds(&to, exchange);
    }
}

#[test]
fn a_long_file_of_ours_passes_the_relay_of_2013() {
    let exchange = Exchange {
        name: "long".into(),
        userid: "CF:E7:11:101".into(),
        filename: "long.bin".into(),
        content: (0..5_000_000u32)
            .map(|i| (i.wrapping_mul(i) >> 7) as u8)
            .collect(),
        messages: Vec::new(),
        sender_exit: 0,
        receiver_exit: 0,
    };
    let relay = Relay2013::start();
    let (from, to) = (TempDir::new(), TempDir::new());
    let receiver = receive(to.path(), &exchange.userid, relay.address);
    relay.wait_for_listener(&exchange.userid);
    let sender = send(
        &write_file(&from, &exchange),
        &exchange.userid,
        relay.address,
    );
    assert_ends_like(sender, exchange.sender_exit, "sender");
    assert_ends_like(receiver, exchange.receiver_exit, "receiver");
    assert_holds(&to, &exchange);
}

#[test]
fn our_sender_says_that_nobody_waits_at_the_relay_of_2013() {
    let relay = Relay2013::start();
    let folder = TempDir::new();
    let file = folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let sender = send(&file, "nobody", relay.address);
    let output = assert_ends_like(sender, 1, "nobody waits");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("nobody"), "{said}");
}

#[test]
fn the_imitation_has_the_quirks_of_the_relay_of_2013() {
    let relay = Relay2013::start();
    let connect = || super::common::connect(relay.address);
    let mut listener = connect();
    listener.write_all(b"Talice$early").unwrap();
    relay.wait_for_listener("alice");
    let mut caller = connect();
    caller.write_all(b"Calice$early").unwrap();
    assert_eq!(read(&mut caller, 1), b"O");
    caller.write_all(b"down").unwrap();
    assert_eq!(read(&mut listener, 4), b"down");
    // An end of one way closes both ways.
    caller.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_to_end(&mut listener), b"");
    assert_eq!(read_to_end(&mut caller), b"");
    let mut split = connect();
    split.write_all(b"Cali").unwrap();
    assert_eq!(read(&mut split, 1), b"X");
    let long = hello(b'T', b"0123456789012345678a");
    let mut listener = connect();
    listener.write_all(&long).unwrap();
    relay.wait_for_listener("012345678901234567");
    let mut caller = connect();
    caller
        .write_all(&hello(b'C', b"0123456789012345678b"))
        .unwrap();
    assert_eq!(read(&mut caller, 1), b"O");
    wait_until("the listener is handed out", || {
        !relay.waits("012345678901234567")
    });
}
