//! Mistakes that must be found.

use std::hint::black_box;

use p2pxfer::crypto::hmac::HmacSha512;

use crate::valgrind::hide;
use crate::{Job, Reports};

pub(crate) const JOBS: &[Job] = &[
    Job {
        name: "planted: a branch on a secret",
        work: branch,
        reports: Reports::Some,
    },
    Job {
        name: "planted: a secret as an index",
        work: index,
        reports: Reports::Some,
    },
    Job {
        name: "planted: a tag compared with ==",
        work: compare,
        reports: Reports::Some,
    },
    Job {
        name: "planted: a branch on what hkdf made",
        work: derived,
        reports: Reports::Some,
    },
    Job {
        name: "planted: a branch on what x25519 made",
        work: multiplied,
        reports: Reports::Some,
    },
];

fn branch() {
    let mut secret = black_box([1]);
    hide(&mut secret);
    if secret[0] & 2 != 0 {
        black_box(&secret);
    }
}

fn index() {
    let table: [u8; 256] = std::array::from_fn(|i| i as u8 ^ 0x5a);
    let mut secret = black_box([1]);
    hide(&mut secret);
    black_box(black_box(&table)[usize::from(secret[0])]);
}

fn compare() {
    let mut key = black_box([1; 32]);
    hide(&mut key);
    let tag = HmacSha512::new(&key).finish();
    if black_box(tag) == black_box([0; 64]) {
        black_box(&tag);
    }
}

fn derived() {
    let mut secret = black_box([1; 32]);
    hide(&mut secret);
    let key = p2pxfer::crypto::hkdf::extract(b"salt", &secret);
    if key.expose()[63] > 7 {
        black_box(&key);
    }
}

fn multiplied() {
    let mut scalar = black_box([1; 32]);
    hide(&mut scalar);
    let point = p2pxfer::crypto::x25519::public(&scalar);
    if point[31] > 7 {
        black_box(&point);
    }
}
