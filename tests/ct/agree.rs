//! Agreeing on a key.

use std::hint::black_box;

use p2pxfer::crypto::cpace::{Initiator, Keys, Responder};
use p2pxfer::crypto::x25519;

use crate::valgrind::{hide, show};
use crate::{Job, Reports};

pub(crate) const JOBS: &[Job] = &[
    Job {
        name: "x25519, secret scalar and point",
        work: multiply,
        reports: Reports::Exactly(0),
    },
    Job {
        name: "cpace: begin, secret password and scalar",
        work: begin,
        reports: Reports::Exactly(0),
    },
    // Whether a share is of low order is public, and each side branches on that once.
    Job {
        name: "cpace: respond, secret password and scalar",
        work: respond,
        reports: Reports::Exactly(PASSWORDS.len() as u64),
    },
    // The initiator also branches on whether its own share came back.
    Job {
        name: "cpace: finish and confirm",
        work: finish,
        reports: Reports::Exactly(2 * PASSWORDS.len() as u64),
    },
    Job {
        name: "cpace: share of low order",
        work: refuse,
        reports: Reports::Exactly(1),
    },
];

/// Bytes of the passwords: none, shorter than a block of the hash, as long, longer.
const PASSWORDS: [usize; 6] = [0, 8, 117, 118, 128, 300];

fn hidden<const N: usize>() -> [u8; N] {
    let mut bytes = black_box([7; N]);
    hide(&mut bytes);
    bytes
}

fn password(length: usize) -> Vec<u8> {
    let mut bytes = black_box(vec![9; length]);
    hide(&mut bytes);
    bytes
}

fn multiply() {
    black_box(x25519::public(&hidden()));
    black_box(x25519::x25519(&hidden(), &hidden()));
    black_box(x25519::x25519(&hidden(), &[0; 32]));
}

/// The initiator, and its share, which is public once it is sent.
fn begun(length: usize) -> (Initiator, [u8; 32]) {
    let (initiator, mut ya) = Initiator::new(&password(length), b"ci", b"sid", b"ada", hidden());
    show(&mut ya);
    (initiator, ya)
}

fn begin() {
    for length in PASSWORDS {
        black_box(begun(length));
    }
}

/// What the other side makes of a share, with the same password and nothing hidden.
fn answer(length: usize, ya: &[u8; 32]) -> (Keys, [u8; 32]) {
    let prs = vec![9; length];
    Responder::respond(&prs, b"ci", b"sid", ya, b"ada", b"adb", [8; 32]).expect("an honest share")
}

fn respond() {
    for length in PASSWORDS {
        let prs = vec![9; length];
        let (_, ya) = Initiator::new(&prs, b"ci", b"sid", b"ada", [8; 32]);
        let answered = Responder::respond(
            &password(length),
            b"ci",
            b"sid",
            &ya,
            b"ada",
            b"adb",
            hidden(),
        );
        black_box(answered.is_ok());
    }
}

fn finish() {
    for length in PASSWORDS {
        let (initiator, ya) = begun(length);
        let (theirs, yb) = answer(length, &ya);
        let ours = initiator.finish(&yb, b"adb").expect("an honest share");
        let mut verdict = [u8::from(ours.confirms(theirs.own()))];
        show(&mut verdict);
        assert_eq!(verdict, [1]);
        black_box((ours.isk(), ours.own()));
    }
}

fn refuse() {
    let low = black_box([0; 32]);
    let answered = Responder::respond(&password(8), b"ci", b"sid", &low, b"ada", b"adb", hidden());
    assert!(answered.is_err());
}
