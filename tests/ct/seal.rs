//! Hashing, keys from secrets, and sealed records.

use std::hint::black_box;

use p2pxfer::crypto::aead::{Forged, Key};
use p2pxfer::crypto::ct;
use p2pxfer::crypto::hkdf;
use p2pxfer::crypto::hmac::HmacSha512;
use p2pxfer::crypto::sha2::sha512;

use crate::valgrind::{hide, show};
use crate::{Job, Reports};

const NONE: Reports = Reports::Exactly(0);

pub(crate) const JOBS: &[Job] = &[
    Job {
        name: "ct::eq of secrets, equal or not",
        work: compare,
        reports: NONE,
    },
    Job {
        name: "sha512 of a secret",
        work: hash,
        reports: NONE,
    },
    Job {
        name: "hmac, secret key and text",
        work: hmac,
        reports: NONE,
    },
    Job {
        name: "hkdf, secret input",
        work: derive,
        reports: NONE,
    },
    Job {
        name: "aead: seal, secret key and text",
        work: seal,
        reports: NONE,
    },
    // What open says is public, and it branches on that once.
    Job {
        name: "aead: open, secret key",
        work: open,
        reports: Reports::Exactly(LENGTHS.len() as u64),
    },
    Job {
        name: "aead: open, secret key, forged",
        work: open_forged,
        reports: Reports::Exactly(1),
    },
];

/// Shorter, as long as and longer than what is done at once; and a record.
const LENGTHS: [usize; 9] = [0, 1, 15, 64, 127, 129, 511, 1100, 65_537];

fn secret(length: usize) -> Vec<u8> {
    let mut bytes = black_box(vec![7; length]);
    hide(&mut bytes);
    bytes
}

fn key() -> Key {
    let mut bytes = black_box([9; 32]);
    hide(&mut bytes);
    Key::from(bytes)
}

/// A verdict, made public as a number, before anybody can branch on it.
fn verdict(holds: bool) -> bool {
    let mut number = [u8::from(holds)];
    show(&mut number);
    number == [1]
}

fn compare() {
    for length in LENGTHS {
        let a = secret(length);
        let mut b = secret(length);
        for differ in [false, true] {
            if let (true, Some(last)) = (differ, b.last_mut()) {
                *last ^= 1;
            }
            let equal = verdict(ct::eq(&a, &b));
            assert_eq!(equal, !differ || length == 0);
        }
    }
}

fn hash() {
    for length in LENGTHS {
        black_box(sha512(&secret(length)));
    }
}

fn hmac() {
    for length in LENGTHS {
        let mut hmac = HmacSha512::new(&secret(length));
        hmac.update(&secret(length / 3));
        hmac.update(&secret(length - length / 3));
        black_box(hmac.finish());
    }
}

fn derive() {
    for length in LENGTHS {
        let key = hkdf::extract(b"salt", &secret(length));
        let mut out = vec![0; length.min(hkdf::MAX_OUTPUT)];
        hkdf::expand(key.expose(), &[b"a", b"label"], &mut out).expect("not too long");
        black_box(out);
    }
}

fn seal() {
    let key = key();
    for length in LENGTHS {
        let mut text = secret(length);
        black_box(key.seal(&[1; 12], b"additional", &mut text));
        black_box(text);
    }
}

fn open() {
    let key = key();
    for length in LENGTHS {
        let mut text = black_box(vec![7; length]);
        let mut tag = key.seal(&[1; 12], b"additional", &mut text);
        // What went over the wire is public.
        show(&mut text);
        show(&mut tag);
        let opened = key.open(&[1; 12], b"additional", &mut text, &tag);
        assert!(verdict(opened.is_ok()));
        show(&mut text);
        assert!(text.iter().all(|byte| *byte == 7));
    }
}

fn open_forged() {
    let mut text = black_box(vec![7; 1100]);
    let opened = key().open(&[1; 12], b"additional", &mut text, &[0; 16]);
    assert!(verdict(opened == Err(Forged)));
}
