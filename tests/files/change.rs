//! A file that changes while it is sent.

use std::fs::File;
use std::io::Write;

use super::common::on_every_backend;
use super::crossing::{Held, LONG, names};

on_every_backend! {
    of_a_file_that_grows_the_announced_length_arrives
    a_file_that_shrinks_is_an_error_on_both_sides
}

fn of_a_file_that_grows_the_announced_length_arrives(backend: &str) {
    let held = Held::start(backend, &[]);
    let mut file = File::options().append(true).open(&held.source).unwrap();
    file.write_all(&[1; 1_000_000]).unwrap();
    held.gate.open();
    let (received, sent) = (held.receiver.end(), held.sender.end());
    assert_eq!(
        (sent.status, received.status),
        (0, 0),
        "{sent:?} {received:?}"
    );
    let got = std::fs::read(held.to.path().join("long.bin")).unwrap();
    assert_eq!(got.len() as u64, LONG);
    assert!(got.iter().all(|&byte| byte == 0));
}

fn a_file_that_shrinks_is_an_error_on_both_sides(backend: &str) {
    let held = Held::start(backend, &[]);
    let file = File::options().write(true).open(&held.source).unwrap();
    file.set_len(2_000_000).unwrap();
    held.gate.open();
    let (received, sent) = (held.receiver.end(), held.sender.end());
    assert_eq!(
        (sent.status, received.status),
        (7, 4),
        "{sent:?} {received:?}"
    );
    assert!(
        sent.said
            .contains("the file became shorter while it was sent"),
        "{sent:?}"
    );
    assert_eq!(names(held.to.path()), [""; 0]);
}
