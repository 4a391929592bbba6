//! Someone who does not know the secret and tries one after the other, in the place of either side.

use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use p2pxfer::transfer::channel::Channel;
use p2pxfer::transfer::handshake::{ENTROPY, Initiator, Responder, Step};
use p2pxfer::transfer::{Error, Secret, UserId};

use super::common::{Relay, hello, read, wait_until};
use super::pair::{Side, folder, path};
use super::temp::TempDir;
use super::trees::names;

pub(crate) const SECRET: &str = "right";

fn user() -> UserId {
    UserId::new(b"alice").unwrap()
}

fn secret(text: &str) -> Secret {
    Secret::new(text.into()).unwrap()
}

/// A listener waits at the relay: how many ever did.
fn waited(relay: &Relay) -> usize {
    let lines = relay.log.lines();
    let waits = |line: &&String| line.contains("registered");
    lines.iter().filter(waits).count()
}

/// Waits until a listener waits, for the `count`th time.
pub(crate) fn wait_for_listener(relay: &Relay, count: usize) {
    wait_until("the receiver waits", || waited(relay) >= count);
}

/// Plays a sender up to the tag of the receiver, and hangs up; or goes on if the tag is right.
pub(crate) fn call(relay: &Relay, guess: &str) -> Option<(TcpStream, Channel)> {
    let mut stream = relay.connect();
    stream.write_all(&hello(b'C', b"alice")).unwrap();
    assert_eq!(read(&mut stream, 1), b"O");
    let (mut machine, first) = Initiator::new(&user(), Some(&secret(guess)), None, [7; ENTROPY]);
    stream.write_all(&first).unwrap();
    loop {
        let bytes = read(&mut stream, machine.wanted());
        match machine.handle(&bytes).unwrap().1 {
            Step::More => {}
            Step::Send(bytes) => stream.write_all(&bytes).unwrap(),
            Step::Done(bytes, channel) => {
                stream.write_all(&bytes).unwrap();
                return Some((stream, channel));
            }
            Step::Refuse(_, Error::WrongSecret) => return None,
            _ => panic!("neither right nor wrong"),
        }
    }
}

#[test]
fn a_guess_costs_a_second_even_if_the_guesser_hangs_up_before_it_is_told() {
    let relay = Relay::start("threads", &[]);
    let to = TempDir::new();
    let receiver = Side::new(relay.address, SECRET);
    thread::scope(|scope| {
        let receiving = scope.spawn(|| receiver.receive(&folder(to.path())));
        wait_for_listener(&relay, 1);
        let begin = Instant::now();
        assert!(call(&relay, "wrong").is_none());
        let error = receiving.join().unwrap().unwrap_err();
        assert!(matches!(error, Error::Unproven), "{error}");
        assert!(begin.elapsed() >= Duration::from_secs(1));
    });
    assert!(names(to.path()).is_empty());
}

#[test]
fn whoever_guesses_after_a_cut_waits_twice_as_long_for_each_guess() {
    let relay = Relay::start("threads", &[]);
    let to = TempDir::new();
    let mut receiver = Side::new(relay.address, SECRET);
    receiver.options.reconnect = Some(Duration::from_secs(60));
    thread::scope(|scope| {
        let receiving = scope.spawn(|| receiver.receive(&folder(to.path())));
        wait_for_listener(&relay, 1);
        drop(call(&relay, SECRET).expect("the right secret"));
        for (guess, pause) in [1, 2].into_iter().enumerate() {
            wait_for_listener(&relay, 2 + guess);
            let begin = Instant::now();
            assert!(call(&relay, "wrong").is_none());
            wait_for_listener(&relay, 3 + guess);
            assert!(begin.elapsed() >= Duration::from_secs(pause));
        }
        // The true sender is still let in.
        assert!(call(&relay, SECRET).is_some());
        receiver.cancel.cancel();
        assert!(receiving.join().unwrap().is_err());
    });
}

#[test]
fn who_waits_in_the_place_of_the_receiver_gets_one_guess_and_no_name() {
    let relay = Relay::start("threads", &[]);
    let from = TempDir::new();
    let file = from.path().join("name-of-the-file");
    std::fs::write(&file, "content").unwrap();
    let mut impostor = relay.connect();
    impostor.write_all(&hello(b'T', b"alice")).unwrap();
    relay.wait_registered(&impostor);
    let sender = Side::new(relay.address, SECRET);
    thread::scope(|scope| {
        let sending = scope.spawn(|| sender.send(&[path(&file)]));
        let mut machine = Responder::new(&user(), Some(&secret("wrong")), false, [7; ENTROPY]);
        let mut heard = Vec::new();
        let error = loop {
            let bytes = read(&mut impostor, machine.wanted());
            heard.extend_from_slice(&bytes);
            match machine.handle(&bytes) {
                Ok((_, Step::More)) => {}
                Ok((_, Step::Send(bytes))) => impostor.write_all(&bytes).unwrap(),
                Ok(_) => panic!("a wrong secret was taken"),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, Error::WrongSecret));
        assert!(heard.ends_with(&[0; 64]), "a tag that is none");
        assert!(!heard.windows(4).any(|part| part == b"name"));
        let sent = sending.join().unwrap().unwrap_err();
        assert!(matches!(sent, Error::WrongSecret), "{sent}");
    });
}
