//! The cryptography against the examples of its standards, and against Wycheproof (`make vectors`).

mod case;

use std::collections::BTreeMap;
use std::env;
use std::fs;

use p2pxfer::crypto::aead::{self, Forged};
use p2pxfer::crypto::blake3;
use p2pxfer::crypto::chacha20::ChaCha20;
use p2pxfer::crypto::cpace::{Initiator, Responder};
use p2pxfer::crypto::ct;
use p2pxfer::crypto::hkdf;
use p2pxfer::crypto::hmac::HmacSha512;
use p2pxfer::crypto::poly1305::Poly1305;
use p2pxfer::crypto::sha2::sha512;
use p2pxfer::crypto::x25519::x25519;

use case::Case;

/// Runs all cases of a text: how many there were of each kind, and which came out otherwise than they claim.
fn run(text: &str) -> (BTreeMap<String, usize>, Vec<String>) {
    let (mut counts, mut wrong) = (BTreeMap::new(), Vec::new());
    for case in case::read(text) {
        let holds = match case.kind.as_str() {
            "aead" => aead_holds(&case),
            "blake3" => blake3_holds(&case),
            "chacha20" => chacha20_holds(&case),
            "cpace" => cpace_holds(&case),
            "cpace-share" => cpace_share_holds(&case),
            "hkdf-sha512" => hkdf_holds(&case),
            "hmac-sha512" => hmac_holds(&case),
            "poly1305" => poly1305_holds(&case),
            "sha512" => sha512(&case.bytes("msg"))[..] == case.bytes("digest"),
            "x25519" => x25519_holds(&case),
            kind => panic!("nothing runs cases of {kind}"),
        };
        if holds != case.valid() {
            wrong.push(format!("{} {}", case.kind, case.name));
        }
        *counts.entry(case.kind).or_default() += 1;
    }
    (counts, wrong)
}

fn aead_holds(case: &Case) -> bool {
    let (Some(key), Some(nonce), Some(tag)) =
        (case.array("key"), case.array("nonce"), case.array("tag"))
    else {
        return false;
    };
    let key = aead::Key::from(key);
    let (plain, sealed) = (case.bytes("msg"), case.bytes("ct"));
    let additional = case.bytes("aad");

    let mut text = sealed.clone();
    let opened = key.open(&nonce, &additional, &mut text, &tag);
    match opened {
        Ok(()) => assert_eq!(text, plain, "{}", case.name),
        Err(Forged) => assert_eq!(text, sealed, "{}: refused, and yet decrypted", case.name),
    }
    let mut text = plain;
    let made = key.seal(&nonce, &additional, &mut text);
    assert_eq!(
        (text, made) == (sealed, tag),
        opened.is_ok(),
        "{}",
        case.name
    );
    opened.is_ok()
}

/// Byte i of the input is i mod 251.
fn blake3_holds(case: &Case) -> bool {
    let input: Vec<u8> = (0..case.number("size")).map(|i| (i % 251) as u8).collect();
    blake3::hash(&input)[..] == case.bytes("digest")
}

fn chacha20_holds(case: &Case) -> bool {
    let key = case.array("key").expect("a key");
    let nonce = case.array("nonce").expect("a nonce");
    let mut text = case.bytes("msg");
    ChaCha20::new(&key, &nonce).apply(case.number("counter") as u32, &mut text);
    text == case.bytes("ct")
}

/// Both sides of a session.
fn cpace_holds(case: &Case) -> bool {
    let [prs, ci, sid, ada, adb] =
        ["prs", "ci", "sid", "ada", "adb"].map(|field| case.bytes(field));
    let [a, b] = ["a", "b"].map(|field| case.array(field).expect("a scalar"));
    let (initiator, ya) = Initiator::new(&prs, &ci, &sid, &ada, a);
    let Ok((theirs, yb)) = Responder::respond(&prs, &ci, &sid, &ya, &ada, &adb, b) else {
        return false;
    };
    let Ok(ours) = initiator.finish(&yb, &adb) else {
        return false;
    };
    let isk = case.bytes("isk");
    ya[..] == case.bytes("ya")
        && yb[..] == case.bytes("yb")
        && ct::eq(ours.isk(), &isk)
        && ct::eq(theirs.isk(), &isk)
        && ours.confirms(theirs.own())
        && theirs.confirms(ours.own())
}

/// Whether both sides go on with a share.
fn cpace_share_holds(case: &Case) -> bool {
    let share = case.array("share").expect("a share");
    let (initiator, _) = Initiator::new(b"secret", b"", b"sid", b"", [1; 32]);
    let ours = initiator.finish(&share, b"").is_ok();
    let theirs = Responder::respond(b"secret", b"", b"sid", &share, b"", b"", [1; 32]).is_ok();
    assert_eq!(ours, theirs, "{}", case.name);
    ours
}

fn hkdf_holds(case: &Case) -> bool {
    let key = hkdf::extract(&case.bytes("salt"), &case.bytes("ikm"));
    let info = case.bytes("info");
    let mut out = vec![0; case.number("size")];
    hkdf::expand(key.expose(), &[&info], &mut out).is_ok() && out == case.bytes("okm")
}

/// A shorter tag is the beginning of the whole one.
fn hmac_holds(case: &Case) -> bool {
    let mut hmac = HmacSha512::new(&case.bytes("key"));
    hmac.update(&case.bytes("msg"));
    let tag = case.bytes("tag");
    let made = hmac.finish();
    made.get(..tag.len()).is_some_and(|made| ct::eq(made, &tag))
}

fn poly1305_holds(case: &Case) -> bool {
    let mut poly1305 = Poly1305::new(&case.array("key").expect("a key"));
    poly1305.update(&case.bytes("msg"));
    poly1305.finish()[..] == case.bytes("tag")
}

fn x25519_holds(case: &Case) -> bool {
    let scalar = case.array("scalar").expect("a scalar");
    let u = case.array("u").expect("a coordinate");
    x25519(&scalar, &u)[..] == case.bytes("out")
}

#[test]
fn the_examples_of_the_standards_hold() {
    let (counts, wrong) = run(include_str!("standards.txt"));
    assert!(wrong.is_empty(), "{wrong:?}");
    let expected = [
        ("aead", 2),
        ("chacha20", 14),
        ("hkdf-sha512", 3),
        ("hmac-sha512", 7),
        ("poly1305", 12),
        ("sha512", 2),
    ];
    assert_eq!(
        counts,
        expected
            .map(|(kind, count)| (kind.to_owned(), count))
            .into()
    );
}

#[test]
fn a_claim_that_is_not_true_is_found() {
    let lies = include_str!("standards.txt").replace("result valid", "result invalid");
    let (counts, wrong) = run(&lies);
    assert_eq!(wrong.len(), counts.values().sum(), "{wrong:?}");
}

#[test]
fn the_vectors_of_others_hold() {
    let Some(path) = env::var_os("P2PXFER_VECTORS") else {
        println!("SKIP wycheproof: run by `make vectors`");
        return;
    };
    let text = fs::read_to_string(&path).expect("the file of P2PXFER_VECTORS");
    let (counts, wrong) = run(&text);
    assert!(wrong.is_empty(), "{wrong:?}");
    assert!(!counts.is_empty(), "no cases");
    for (kind, count) in counts {
        println!("{count:6} cases of {kind} hold");
    }
}
