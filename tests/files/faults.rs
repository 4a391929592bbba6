//! One of the three is killed, asked to end, or stopped, in the middle of the data.

use std::net::TcpStream;
use std::time::Duration;

use super::common::{on_every_backend, wait_until};
use super::content;
use super::crossing::{Held, names};
use super::program::{End, number, signal};

on_every_backend! {
    when_the_receiver_is_ended_the_sender_loses_the_connection
    when_the_sender_is_ended_the_receiver_leaves_nothing
    when_the_relay_is_ended_both_lose_the_connection
    a_receiver_that_was_stopped_for_two_seconds_goes_on
    a_receiver_that_stays_stopped_is_lost_after_the_timeout
    a_sender_that_stays_stopped_is_lost_after_the_timeout
    a_relay_that_stays_stopped_is_lost_after_the_timeout
}

const KILLED: i32 = -9;
const LOST: i32 = 4;

fn assert_lost(end: &End) {
    assert_eq!(end.status, LOST, "{end:?}");
    assert!(end.said.contains("the connection was lost"), "{end:?}");
}

fn when_the_receiver_is_ended_the_sender_loses_the_connection(backend: &str) {
    for (name, status) in [("KILL", KILLED), ("TERM", 143), ("INT", 130), ("QUIT", 131)] {
        let held = Held::start(backend, &[]);
        held.receiver.signal(name);
        held.gate.open();
        assert_eq!(held.receiver.end().status, status);
        assert_lost(&held.sender.end());
        let left = names(held.to.path());
        if status == KILLED {
            assert_eq!(left.len(), 1, "{left:?}");
            assert!(left[0].starts_with("long.bin.") && left[0].ends_with(".part"));
        } else {
            assert_eq!(left, [""; 0], "{name}");
        }
    }
}

fn when_the_sender_is_ended_the_receiver_leaves_nothing(backend: &str) {
    for (name, status) in [("KILL", KILLED), ("TERM", 143), ("INT", 130)] {
        let held = Held::start(backend, &[]);
        held.sender.signal(name);
        held.gate.open();
        assert_eq!(held.sender.end().status, status);
        assert_lost(&held.receiver.end());
        assert_eq!(names(held.to.path()), [""; 0], "{name}");
    }
}

fn when_the_relay_is_ended_both_lose_the_connection(backend: &str) {
    for (name, status) in [("KILL", KILLED), ("TERM", 0), ("INT", 0)] {
        let mut held = Held::start(backend, &[]);
        signal(&held.relay.child, name);
        if status == 0 {
            // The first lets the transfer go on.
            let address = held.relay.address;
            wait_until("nobody listens", || TcpStream::connect(address).is_err());
            signal(&held.relay.child, name);
        }
        held.gate.open();
        assert_lost(&held.receiver.end());
        assert_lost(&held.sender.end());
        let relay = held.relay.child.wait().unwrap();
        assert_eq!(number(relay), status, "{name}");
        assert_eq!(names(held.to.path()), [""; 0], "{name}");
    }
}

fn a_receiver_that_was_stopped_for_two_seconds_goes_on(backend: &str) {
    let held = Held::start(backend, &[]);
    held.receiver.signal("STOP");
    held.gate.open();
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(names(held.to.path()).len(), 1);
    held.receiver.signal("CONT");
    let (received, sent) = (held.receiver.end(), held.sender.end());
    assert_eq!(
        (sent.status, received.status),
        (0, 0),
        "{sent:?} {received:?}"
    );
    content::assert_same(&held.source, &held.to.path().join("long.bin"));
}

fn a_receiver_that_stays_stopped_is_lost_after_the_timeout(backend: &str) {
    let held = Held::start(backend, &["--timeout", "1"]);
    held.receiver.signal("STOP");
    held.gate.open();
    let sent = held.sender.end();
    assert_lost(&sent);
    assert!(sent.said.contains("nothing moved for 1 s"), "{sent:?}");
}

fn a_sender_that_stays_stopped_is_lost_after_the_timeout(backend: &str) {
    let held = Held::start(backend, &["--timeout", "1"]);
    held.sender.signal("STOP");
    held.gate.open();
    let received = held.receiver.end();
    assert_lost(&received);
    assert!(
        received.said.contains("nothing moved for 1 s"),
        "{received:?}"
    );
    assert_eq!(names(held.to.path()), [""; 0]);
}

fn a_relay_that_stays_stopped_is_lost_after_the_timeout(backend: &str) {
    let held = Held::start(backend, &["--timeout", "1"]);
    signal(&held.relay.child, "STOP");
    held.gate.open();
    assert_lost(&held.receiver.end());
    assert_lost(&held.sender.end());
    assert_eq!(names(held.to.path()), [""; 0]);
}
