//! Who may meet whom: a sender and a receiver, each ours or of 2013, through our relay. Those of 2013 are
//! played from the recorded bytes, and every byte that they would see is compared.

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::process::{Child, Command};

use super::clients::{
    assert_ends_like, assert_holds, names, receive, send_with, start, write_file,
};
use super::common::{Relay, on_every_backend, read, read_to_end};
use super::end;
use super::exchange::{self, Exchange, Message, Way};
use super::temp::TempDir;

on_every_backend! {
    ours_sends_to_ours
    ours_sends_to_ours_with_a_secret
    ours_sends_to_2013
    the_sender_of_2013_sends_to_ours
    the_sender_of_2013_sends_to_2013
    ours_with_a_secret_sends_nothing_to_2013
    ours_with_a_secret_takes_nothing_from_2013
}

const SECRET: &str = "correct horse";

/// One of our programs with the secret, in the exchange's names.
fn with_secret(program: &str, words: &[&str], exchange: &Exchange, relay: &Relay) -> Child {
    let mut command = Command::new(program);
    command
        .args(words)
        .args([&exchange.userid, &relay.address.ip().to_string()])
        .arg(relay.address.port().to_string())
        .env("P2PXFER_SECRET", SECRET);
    start(&mut command)
}

fn send_with_secret(from: &TempDir, exchange: &Exchange, relay: &Relay) -> Child {
    let file = write_file(from, exchange);
    let words = ["-v", file.to_str().expect("UTF-8")];
    with_secret(env!("CARGO_BIN_EXE_send_r"), &words, exchange, relay)
}

fn receive_with_secret(to: &TempDir, exchange: &Exchange, relay: &Relay) -> Child {
    let words = ["-o", to.path().to_str().expect("UTF-8"), "-"];
    with_secret(env!("CARGO_BIN_EXE_recv_r"), &words, exchange, relay)
}

/// The files of all exchanges cross, in version 2.
fn ours_to_ours(
    backend: &str,
    receive: fn(&TempDir, &Exchange, &Relay) -> Child,
    send: fn(&TempDir, &Exchange, &Relay) -> Child,
    version: &str,
) {
    for exchange in exchange::all() {
        let relay = Relay::start(backend, &[]);
        let (from, to) = (TempDir::new(), TempDir::new());
        let receiver = receive(&to, &exchange, &relay);
        relay.wait_for("registered", &[&format!("id={}", exchange.userid)]);
        let sender = send(&from, &exchange, &relay);
        let sender = assert_ends_like(sender, 0, &exchange.name);
        let said = String::from_utf8_lossy(&sender.stderr).into_owned();
        assert!(said.contains(version), "{said}");
        assert_ends_like(receiver, 0, &exchange.name);
        assert_holds(&to, &exchange);
    }
}

fn ours_sends_to_ours(backend: &str) {
    ours_to_ours(
        backend,
        |to, exchange, relay| receive(to.path(), &exchange.userid, relay.address),
        |from, exchange, relay| {
            let file = write_file(from, exchange);
            send_with(&["-v"], &file, &exchange.userid, relay.address)
        },
        "version 2: encrypted, not verified",
    );
}

fn ours_sends_to_ours_with_a_secret(backend: &str) {
    let version = "version 2: encrypted, verified";
    ours_to_ours(backend, receive_with_secret, send_with_secret, version);
}

/// What our sender must put on the wire where the one of 2013 sent this: the same up to the NUL of a
/// checksum, and zeros where the old one sent what was left in its buffer; and behind the NUL of the
/// length the mark of version 2, where it has one.
fn as_ours(message: &Message, marked: bool) -> Vec<u8> {
    const NAME: usize = 32;
    let mut bytes = message.bytes.clone();
    if message.way == Way::Header && marked {
        let end = bytes[NAME..].iter().position(|&byte| byte == 0);
        let mark = NAME + end.expect("a NUL") + 1;
        bytes[mark..mark + 4].copy_from_slice(b"P2\x02\0");
    }
    if message.way == Way::Checksum {
        let end = bytes.iter().position(|&byte| byte == 0).expect("a NUL");
        bytes[end..].fill(0);
    }
    bytes
}

/// Plays the receiver of 2013 to the end of the connection; every byte of the sender is compared.
fn play_receiver(stream: &mut TcpStream, exchange: &Exchange, marked: bool) {
    for message in exchange.between_peers() {
        if message.way == Way::ReceiverToSender {
            stream.write_all(&message.bytes).unwrap();
            continue;
        }
        let said = read(stream, message.bytes.len());
        let what = (&exchange.name, message.way);
        assert!(
            said == as_ours(message, marked),
            "{what:?}: {}",
            exchange::hex(&said)
        );
    }
    assert_eq!(read_to_end(stream), b"", "{}", exchange.name);
}

fn ours_sends_to_2013(backend: &str) {
    let relay = Relay::start(backend, &[]);
    for exchange in exchange::all().iter().filter(|one| !one.content.is_empty()) {
        for options in [&[][..], &["--v1"]] {
            let folder = TempDir::new();
            let file = write_file(&folder, exchange);
            let mut receiver = relay.connect();
            receiver
                .write_all(exchange.hello(Way::ReceiverToRelay))
                .unwrap();
            relay.wait_registered(&receiver);
            let sender = send_with(options, &file, &exchange.userid, relay.address);
            play_receiver(&mut receiver, exchange, options.is_empty());
            assert_ends_like(sender, exchange.sender_exit, &exchange.name);
        }
    }
}

fn the_sender_of_2013_sends_to_ours(backend: &str) {
    for exchange in exchange::all() {
        // A log of its own tells that it is this receiver that waits.
        let relay = Relay::start(backend, &[]);
        let folder = TempDir::new();
        let receiver = receive(folder.path(), &exchange.userid, relay.address);
        relay.wait_for("registered", &[&format!("id={}", exchange.userid)]);
        let mut sender = relay.connect();
        sender
            .write_all(exchange.hello(Way::SenderToRelay))
            .unwrap();
        assert_eq!(read(&mut sender, 1), b"O");
        for message in exchange.between_peers() {
            if message.way == Way::ReceiverToSender {
                let said = read(&mut sender, message.bytes.len());
                assert_eq!(said, message.bytes, "{}", exchange.name);
            } else {
                sender.write_all(&message.bytes).unwrap();
            }
        }
        sender.shutdown(Shutdown::Write).unwrap();
        assert_eq!(read_to_end(&mut sender), b"", "{}", exchange.name);
        assert_ends_like(receiver, exchange.receiver_exit, &exchange.name);
        if exchange.receiver_exit == 0 {
            assert_holds(&folder, &exchange);
        } else {
            assert_eq!(names(&folder), [""; 0], "{}", exchange.name);
        }
    }
}

fn the_sender_of_2013_sends_to_2013(backend: &str) {
    let relay = Relay::start(backend, &[]);
    for exchange in exchange::all() {
        let (mut receiver, mut sender) = (relay.connect(), relay.connect());
        for message in &exchange.messages {
            let bytes = &message.bytes;
            let arrived = match message.way {
                Way::ReceiverToRelay => {
                    receiver.write_all(bytes).unwrap();
                    relay.wait_registered(&receiver);
                    continue;
                }
                Way::SenderToRelay => {
                    sender.write_all(bytes).unwrap();
                    continue;
                }
                Way::RelayToSender => read(&mut sender, bytes.len()),
                Way::ReceiverToSender => {
                    receiver.write_all(bytes).unwrap();
                    read(&mut sender, bytes.len())
                }
                Way::Header | Way::Data | Way::Checksum => {
                    sender.write_all(bytes).unwrap();
                    read(&mut receiver, bytes.len())
                }
            };
            let what = (&exchange.name, message.way);
            assert!(arrived == *bytes, "{what:?}: {}", exchange::hex(&arrived));
        }
        drop(sender);
        assert_eq!(read_to_end(&mut receiver), b"", "{}", exchange.name);
    }
}

fn ours_with_a_secret_sends_nothing_to_2013(backend: &str) {
    let recorded = exchange::all();
    let empty = recorded.iter().find(|one| one.content.is_empty());
    let refusal = empty
        .expect("a refusal was recorded")
        .hello(Way::ReceiverToSender);
    for exchange in recorded.iter().filter(|one| !one.content.is_empty()) {
        let relay = Relay::start(backend, &[]);
        let from = TempDir::new();
        let mut receiver = relay.connect();
        receiver
            .write_all(exchange.hello(Way::ReceiverToRelay))
            .unwrap();
        relay.wait_registered(&receiver);
        let sender = send_with_secret(&from, exchange, &relay);
        let header = read(&mut receiver, exchange.hello(Way::Header).len());
        // No name, and a length that it refuses.
        assert_eq!(header[..34], *[&[0; 32][..], b"0\0"].concat());
        receiver.write_all(refusal).unwrap();
        assert_eq!(read_to_end(&mut receiver), b"", "{}", exchange.name);
        assert_eq!(end::output(sender).status.code(), Some(12));
    }
}

fn ours_with_a_secret_takes_nothing_from_2013(backend: &str) {
    // All at once: the receiver waits for the end of the sender's side, which comes after its own only.
    std::thread::scope(|scope| {
        for exchange in exchange::all() {
            scope.spawn(move || takes_nothing(backend, &exchange));
        }
    });
}

fn takes_nothing(backend: &str, exchange: &Exchange) {
    let relay = Relay::start(backend, &[]);
    let to = TempDir::new();
    let receiver = receive_with_secret(&to, exchange, &relay);
    relay.wait_for("registered", &[&format!("id={}", exchange.userid)]);
    let mut sender = relay.connect();
    sender
        .write_all(exchange.hello(Way::SenderToRelay))
        .unwrap();
    assert_eq!(read(&mut sender, 1), b"O");
    sender.write_all(exchange.hello(Way::Header)).unwrap();
    assert_eq!(read_to_end(&mut sender), b"X", "{}", exchange.name);
    assert_eq!(end::output(receiver).status.code(), Some(12));
    assert_eq!(names(&to), [""; 0], "{}", exchange.name);
}
