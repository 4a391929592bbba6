//! What crosses, and how it is there afterwards.

use std::fs;

use super::common::{Relay, on_every_backend};
use super::pair::{Side, both, folder, path};
use super::temp::TempDir;

on_every_backend! {
    a_file_crosses_with_and_without_a_secret
}

fn a_file_crosses_with_and_without_a_secret(backend: &str) {
    let relay = Relay::start(backend, &[]);
    for secret in ["", "correct horse"] {
        let (from, to) = (TempDir::new(), TempDir::new());
        let content: Vec<u8> = (0..3_000_000_u32).map(|at| (at / 251) as u8).collect();
        fs::write(from.path().join("a.bin"), &content).unwrap();
        let sender = Side::new(relay.address, secret);
        let receiver = Side::new(relay.address, secret);
        let (sent, received) = both(
            &sender,
            &[path(from.path().join("a.bin"))],
            &receiver,
            &folder(to.path()),
        );
        let (sent, received) = (sent.unwrap(), received.unwrap());
        for report in [&sent, &received] {
            assert_eq!((report.version, report.verified), (2, !secret.is_empty()));
            assert_eq!((report.files, report.bytes), (1, 3_000_000));
        }
        assert_eq!(fs::read(to.path().join("a.bin")).unwrap(), content);
        assert_eq!(fs::read_dir(to.path()).unwrap().count(), 1);
    }
}
