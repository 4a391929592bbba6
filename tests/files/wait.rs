//! Who comes first waits as long as it was told to.

use std::path::Path;
use std::time::{Duration, Instant};

use super::common::{Relay, on_every_backend};
use super::content;
use super::program::{Program, command, receive, send, with_words};
use super::temp::TempDir;

on_every_backend! {
    a_sender_that_waits_meets_a_receiver_that_comes_later
    who_waits_in_vain_ends_in_time
}

fn a_sender_that_waits_meets_a_receiver_that_comes_later(backend: &str) {
    let (from, to) = (TempDir::new(), TempDir::new());
    let source = from.path().join("file.bin");
    content::write(&source, 100_000);
    for (option, name) in [("--wait", "one"), ("--wait=20", "two")] {
        let relay = Relay::start(backend, &[]);
        let sender = send(&source, relay.address, &["-v", option]);
        sender.wait_for("nobody waits there yet");
        let target = to.path().join(name);
        let receiver = receive(&relay, &target, &[]);
        assert_eq!((sender.end().status, receiver.end().status), (0, 0));
        content::assert_same(&source, &target);
    }
}

fn who_waits_in_vain_ends_in_time(backend: &str) {
    let relay = Relay::start(backend, &[]);
    let from = TempDir::new();
    let source = from.path().join("file.bin");
    content::write(&source, 1);
    for (name, file, why) in [
        (
            "send_r",
            source.as_path(),
            "nobody waits under that user id",
        ),
        ("recv_r", Path::new("-"), "no sender came within 1 s"),
    ] {
        let begin = Instant::now();
        let command = with_words(command(name), file, relay.address, &["--wait=1"]);
        let end = Program::start(command).end();
        let after = begin.elapsed();
        assert_eq!(end.status, 3, "{end:?}");
        assert!(end.said.contains(why), "{end:?}");
        assert!(after >= Duration::from_secs(1), "only {after:?}");
        assert!(after < Duration::from_secs(6), "{after:?}");
    }
}
