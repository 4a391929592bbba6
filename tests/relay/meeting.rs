//! Who meets whom: a listener is handed out once, first come, first served, while it is there.

use std::io::Write;
use std::sync::Barrier;

use super::common::{Relay, on_every_backend, read, read_to_end};

on_every_backend! {
    a_caller_of_an_unknown_id_is_refused
    of_two_callers_for_one_listener_one_gets_it_and_the_other_is_refused
    a_listener_in_a_pair_cannot_be_called
    listeners_under_one_id_are_served_first_come_first_served
    an_id_can_be_used_again_after_its_pair
    a_listener_that_has_left_cannot_be_called
    a_listener_that_was_reset_cannot_be_called
}

// Without the `libc` crate nothing tells an end that stands behind unread bytes.
#[cfg(feature = "libc")]
mod with_libc {
    use super::*;
    on_every_backend! {
        a_listener_that_spoke_and_left_cannot_be_called
    }

    fn a_listener_that_spoke_and_left_cannot_be_called(backend: &str) {
        let relay = Relay::start(backend, &[]);
        let mut listener = relay.listener(b"alice");
        listener.write_all(b"SSH-2.0-server\r\n").unwrap();
        drop(listener);
        assert_left(&relay);
    }
}

fn a_caller_of_an_unknown_id_is_refused(backend: &str) {
    let relay = Relay::start(backend, &[]);
    let _other = relay.listener(b"alice");
    let mut caller = relay.caller(b"bob");
    assert_eq!(read_to_end(&mut caller), b"X");
    let from = format!("from={}", caller.local_addr().unwrap());
    relay.wait_for("refused", &[&from, "reason=nobody-waits", "id=bob"]);
}

fn of_two_callers_for_one_listener_one_gets_it_and_the_other_is_refused(backend: &str) {
    let relay = Relay::start(backend, &[]);
    for _ in 0..50 {
        let mut listener = relay.listener(b"alice");
        let both = Barrier::new(2);
        let call = |name: &[u8]| {
            let mut stream = relay.connect();
            both.wait();
            stream.write_all(b"Calice$").unwrap();
            let answer = read(&mut stream, 1);
            if answer == b"O" {
                stream.write_all(name).unwrap();
            } else {
                assert_eq!(read_to_end(&mut stream), b"");
            }
            (answer, stream)
        };
        let [(first, _open), (second, _open_too)] = std::thread::scope(|scope| {
            let callers = [scope.spawn(|| call(b"1")), scope.spawn(|| call(b"2"))];
            callers.map(|caller| caller.join().unwrap())
        });
        let winner = match (&first[..], &second[..]) {
            (b"O", b"X") => b"1",
            (b"X", b"O") => b"2",
            answers => panic!("{answers:?}"),
        };
        assert_eq!(read(&mut listener, 1), winner);
    }
}

fn a_listener_in_a_pair_cannot_be_called(backend: &str) {
    let relay = Relay::start(backend, &[]);
    let (mut listener, mut caller) = relay.pair(b"alice");
    assert_eq!(read_to_end(&mut relay.caller(b"alice")), b"X");
    caller.write_all(b"still").unwrap();
    assert_eq!(read(&mut listener, 5), b"still");
}

fn listeners_under_one_id_are_served_first_come_first_served(backend: &str) {
    let relay = Relay::start(backend, &[]);
    let mut listeners: Vec<_> = (0..5).map(|_| relay.listener(b"alice")).collect();
    // One in the middle that leaves does not change the order of the others.
    drop(listeners.remove(2));
    wait_left(&relay);
    for (place, listener) in listeners.iter_mut().enumerate() {
        let mut caller = relay.caller(b"alice");
        assert_eq!(read(&mut caller, 1), b"O");
        caller.write_all(&[place as u8]).unwrap();
        assert_eq!(read(listener, 1), [place as u8]);
    }
    assert_eq!(read_to_end(&mut relay.caller(b"alice")), b"X");
}

fn an_id_can_be_used_again_after_its_pair(backend: &str) {
    let relay = Relay::start(backend, &[]);
    for round in 0..3 {
        let (mut listener, mut caller) = relay.pair(b"alice");
        caller.write_all(&[round]).unwrap();
        drop(caller);
        assert_eq!(read_to_end(&mut listener), [round]);
    }
}

fn wait_left(relay: &Relay) {
    relay.wait_for("closed", &["id=alice", "reason=gone"]);
}

fn assert_left(relay: &Relay) {
    wait_left(relay);
    assert_eq!(read_to_end(&mut relay.caller(b"alice")), b"X");
}

fn a_listener_that_has_left_cannot_be_called(backend: &str) {
    let relay = Relay::start(backend, &[]);
    let listener = relay.listener(b"alice");
    drop(listener);
    assert_left(&relay);
}

fn a_listener_that_was_reset_cannot_be_called(backend: &str) {
    let relay = Relay::start(backend, &[]);
    let listener = relay.listener(b"alice");
    p2pxfer::sys::net::reset(&listener);
    drop(listener);
    assert_left(&relay);
}
