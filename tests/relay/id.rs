//! User ids: 1 to 255 bytes, compared whole, no `$`, no control characters.

use std::io::Write;

use super::common::{Relay, hello, on_every_backend, read, read_to_end};

on_every_backend! {
    ids_of_1_18_19_and_255_bytes_meet
    ids_of_20_bytes_that_differ_in_the_last_do_not_collide
    an_id_of_256_bytes_is_refused
    an_empty_id_is_refused_and_matches_nobody
    an_id_with_a_control_character_is_refused_and_cannot_forge_a_line
    an_id_of_other_bytes_meets_and_is_shown_escaped
}

fn ids_of_1_18_19_and_255_bytes_meet(backend: &str) {
    let relay = Relay::start(backend, &[]);
    for length in [1, 18, 19, 255] {
        let (mut listener, mut caller) = relay.pair(&vec![b'i'; length]);
        caller.write_all(b"data").unwrap();
        assert_eq!(read(&mut listener, 4), b"data", "{length} bytes");
    }
}

fn ids_of_20_bytes_that_differ_in_the_last_do_not_collide(backend: &str) {
    let relay = Relay::start(backend, &[]);
    let mut first = relay.listener(b"0123456789012345678a");
    let mut second = relay.listener(b"0123456789012345678b");
    let mut nobody = relay.caller(b"0123456789012345678c");
    assert_eq!(read_to_end(&mut nobody), b"X");
    let mut nobody = relay.caller(b"012345678901234567");
    assert_eq!(read_to_end(&mut nobody), b"X");
    let mut to_second = relay.caller(b"0123456789012345678b");
    let mut to_first = relay.caller(b"0123456789012345678a");
    assert_eq!(read(&mut to_second, 1), b"O");
    assert_eq!(read(&mut to_first, 1), b"O");
    to_first.write_all(b"a").unwrap();
    to_second.write_all(b"b").unwrap();
    assert_eq!(read(&mut first, 1), b"a");
    assert_eq!(read(&mut second, 1), b"b");
}

fn an_id_of_256_bytes_is_refused(backend: &str) {
    let relay = Relay::start(backend, &[]);
    for role in [b'T', b'C'] {
        let mut stream = relay.connect();
        stream.write_all(&hello(role, &[b'i'; 256])).unwrap();
        assert_eq!(read_to_end(&mut stream), b"X");
        // No `$` is needed to see it: an id without an end is refused as well.
        let mut stream = relay.connect();
        stream.write_all(&[role]).unwrap();
        stream.write_all(&[b'i'; 256]).unwrap();
        assert_eq!(read_to_end(&mut stream), b"X");
    }
}

fn an_empty_id_is_refused_and_matches_nobody(backend: &str) {
    let relay = Relay::start(backend, &[]);
    let _silent = relay.connect();
    let mut unnamed = relay.connect();
    unnamed.write_all(b"T").unwrap();
    let _named = relay.listener(b"alice");
    for role in [b'T', b'C', b'C'] {
        let mut stream = relay.connect();
        stream.write_all(&hello(role, b"")).unwrap();
        assert_eq!(read_to_end(&mut stream), b"X");
    }
}

fn an_id_with_a_control_character_is_refused_and_cannot_forge_a_line(backend: &str) {
    let relay = Relay::start(backend, &[]);
    for control in (0..=0x1f).chain([0x7f]) {
        for role in [b'T', b'C'] {
            let mut stream = relay.connect();
            let id = [b"a", &[control][..], b"matched id=forged"].concat();
            stream.write_all(&hello(role, &id)).unwrap();
            assert_eq!(read_to_end(&mut stream), b"X", "control {control:#04x}");
            let from = format!("from={}", stream.local_addr().unwrap());
            relay.wait_for("refused", &[&from]);
        }
    }
    for line in relay.log.lines() {
        assert!(!line.contains(char::is_control), "{line:?}");
        assert!(!line.starts_with("matched"), "{line:?}");
    }
}

fn an_id_of_other_bytes_meets_and_is_shown_escaped(backend: &str) {
    let relay = Relay::start(backend, &[]);
    let shown = [
        (&b"a\xff\x9bz"[..], "id=a\\xff\\x9bz"),
        ("\u{9b}31m".as_bytes(), "id=\\u{9b}31m"),
        ("\u{d55c}\u{ae00}".as_bytes(), "id=\u{d55c}\u{ae00}"),
    ];
    for (id, word) in shown {
        let (mut listener, mut caller) = relay.pair(id);
        listener.write_all(b"data").unwrap();
        assert_eq!(read(&mut caller, 4), b"data");
        relay.wait_for("registered", &[word]);
        relay.wait_for("matched", &[word]);
        drop((listener, caller));
        relay.wait_for("closed", &[word]);
        assert_eq!(read_to_end(&mut relay.caller(id)), b"X");
        relay.wait_for("refused", &[word]);
    }
}
