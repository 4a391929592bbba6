//! Someone who says what belongs to the handshake a byte at a time, and is never silent for long.

use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use p2pxfer::transfer::handshake::{ENTROPY, Initiator};
use p2pxfer::transfer::{Error, Kind, Secret, UserId};

use super::common::{Relay, hello, read};
use super::guesses::{SECRET, call, wait_for_listener};
use super::pair::{End, Side, folder, path};
use super::temp::TempDir;

/// The least that counts.
const SILENCE: Duration = Duration::from_secs(4);
/// Forty of them are heard before a silence is over, and each message has more bytes.
const PAUSE: Duration = Duration::from_millis(100);

fn patient(relay: &Relay) -> Side {
    let mut side = Side::new(relay.address, SECRET);
    side.endpoint.idle_timeout = Some(SILENCE);
    side
}

/// What a sender with a secret says first.
fn first() -> [u8; 48] {
    let user = UserId::new(b"alice").unwrap();
    let secret = Secret::new(SECRET.into()).unwrap();
    Initiator::new(&user, Some(&secret), None, [7; ENTROPY]).1
}

fn call_slowly(relay: &Relay) -> TcpStream {
    let mut stream = relay.connect();
    stream.write_all(&hello(b'C', b"alice")).unwrap();
    assert_eq!(read(&mut stream, 1), b"O");
    stream
}

/// Says it a byte at a time, until nobody listens; how many bytes there were.
fn drip(mut stream: TcpStream, bytes: &[u8]) -> usize {
    let said = bytes.iter().take_while(|&&byte| {
        thread::sleep(PAUSE);
        stream.write_all(&[byte]).is_ok()
    });
    said.count()
}

fn assert_given_up(ended: End, begin: Instant) {
    let error = ended.unwrap_err();
    assert_eq!(error.kind(), Kind::Lost);
    let said = error.to_string();
    assert!(said.contains("took too long to say who it is"), "{said}");
    assert!(begin.elapsed() >= SILENCE);
}

#[test]
fn a_sender_that_drips_its_first_bytes_is_not_waited_for() {
    let relay = Relay::start("threads", &[]);
    let to = TempDir::new();
    let receiver = patient(&relay);
    thread::scope(|scope| {
        let receiving = scope.spawn(|| receiver.receive(&folder(to.path())));
        wait_for_listener(&relay, 1);
        let dripping = call_slowly(&relay);
        let begin = Instant::now();
        scope.spawn(|| drip(dripping, &first()));
        assert_given_up(receiving.join().unwrap(), begin);
    });
}

#[test]
fn a_sender_that_drips_its_proof_is_taken_for_one_that_guessed() {
    let relay = Relay::start("threads", &[]);
    let to = TempDir::new();
    let receiver = patient(&relay);
    thread::scope(|scope| {
        let receiving = scope.spawn(|| receiver.receive(&folder(to.path())));
        wait_for_listener(&relay, 1);
        let mut dripping = call_slowly(&relay);
        dripping.write_all(&first()).unwrap();
        // Any share will do, and one of a nonce and a share is as long as both.
        dripping.write_all(&[9; 48]).unwrap();
        read(&mut dripping, 19 + 96);
        scope.spawn(|| drip(dripping, &[0; 64]));
        let error = receiving.join().unwrap().unwrap_err();
        assert!(matches!(error, Error::Unproven), "{error}");
    });
}

#[test]
fn after_a_cut_a_receiver_waits_on_behind_one_that_drips() {
    let relay = Relay::start("threads", &[]);
    let to = TempDir::new();
    let mut receiver = patient(&relay);
    receiver.options.reconnect = Some(Duration::from_secs(60));
    thread::scope(|scope| {
        let receiving = scope.spawn(|| receiver.receive(&folder(to.path())));
        wait_for_listener(&relay, 1);
        drop(call(&relay, SECRET).expect("the right secret"));
        wait_for_listener(&relay, 2);
        let dripping = call_slowly(&relay);
        scope.spawn(|| drip(dripping, &first()));
        wait_for_listener(&relay, 3);
        // The true sender is let in.
        assert!(call(&relay, SECRET).is_some());
        receiver.cancel.cancel();
        assert!(receiving.join().unwrap().is_err());
    });
    let heard = receiver.heard.lock().unwrap();
    let mut again = heard
        .iter()
        .filter(|event| event.starts_with("Reconnecting"));
    assert!(again.any(|event| event.contains("took too long to say who it is")));
}

#[test]
fn a_receiver_that_drips_its_answer_is_not_waited_for() {
    let relay = Relay::start("threads", &[]);
    let from = TempDir::new();
    let file = from.path().join("file");
    std::fs::write(&file, "content").unwrap();
    let mut waiting = relay.connect();
    waiting.write_all(&hello(b'T', b"alice")).unwrap();
    relay.wait_registered(&waiting);
    let sender = patient(&relay);
    thread::scope(|scope| {
        let begin = Instant::now();
        let sending = scope.spawn(|| sender.send(&[path(&file)]));
        read(&mut waiting, 48);
        let answer = [&[b'2', 2, 1][..], &[0; 16], &[9; 96]].concat();
        scope.spawn(move || drip(waiting, &answer));
        assert_given_up(sending.join().unwrap(), begin);
    });
}

#[test]
fn data_may_take_longer_than_a_handshake() {
    let relay = Relay::start("threads", &[]);
    let to = TempDir::new();
    let mut receiver = patient(&relay);
    receiver.options.secret = None;
    thread::scope(|scope| {
        let receiving = scope.spawn(|| receiver.receive(&folder(to.path())));
        wait_for_listener(&relay, 1);
        let mut sender = call_slowly(&relay);
        // Version 1: a name, a length, that many bytes, their sum.
        let (mut header, mut sum) = ([0; 48], [0; 16]);
        header[..4].copy_from_slice(b"name");
        header[32..34].copy_from_slice(b"30");
        sum[..2].copy_from_slice(b"30");
        let (begun, rest) = header.split_at(1);
        sender.write_all(begun).unwrap();
        thread::sleep(PAUSE);
        sender.write_all(rest).unwrap();
        assert_eq!(read(&mut sender, 1), b"O");
        assert_eq!(drip(sender.try_clone().unwrap(), &[1; 30]), 30);
        sender.write_all(&sum).unwrap();
        assert_eq!(read(&mut sender, 1), b"O");
        let report = receiving.join().unwrap().unwrap();
        assert_eq!((report.version, report.bytes), (1, 30));
    });
}
