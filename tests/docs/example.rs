//! The worked example of version 2 in the protocol is what the code makes, and what its own words make.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use p2pxfer::crypto::aead::Key;
use p2pxfer::crypto::{cpace, hkdf, sha2};
use p2pxfer::transfer::channel::{Channel, frame};
use p2pxfer::transfer::handshake::{ENTROPY, Initiator, Responder, Step};
use p2pxfer::transfer::{Secret, UserId};
use p2pxfer::wire::v2::{FromReceiver, FromSender};

const USER: &[u8] = b"alice";
const SECRET: &[u8] = b"correct horse";
const NONCE: usize = 16;

/// This many bytes, counted up from `first`.
fn counted<const N: usize>(first: u8) -> [u8; N] {
    std::array::from_fn(|index| first + index as u8)
}

/// M0 to M4, and what the two sides have in the end.
fn handshake() -> ([Vec<u8>; 5], [Channel; 2]) {
    let user = UserId::new(USER).unwrap();
    let secret = Secret::new(SECRET.to_vec()).unwrap();
    let (mut sender, m0) = Initiator::new(&user, Some(&secret), None, counted(0x00));
    let mut receiver = Responder::new(&user, Some(&secret), false, counted(0x80));
    let m1 = said(receiver.handle(&m0));
    let m2 = said(sender.handle(&m1));
    let m3 = said(receiver.handle(&m2));
    let Ok((_, Step::Done(m4, at_sender))) = sender.handle(&m3) else {
        panic!("the sender is not done");
    };
    let Ok((_, Step::Done(_, at_receiver))) = receiver.handle(&m4) else {
        panic!("the receiver is not done");
    };
    ([m0.to_vec(), m1, m2, m3, m4], [at_sender, at_receiver])
}

fn said<V, E>(handled: Result<(usize, Step<V>), E>) -> Vec<u8> {
    match handled {
        Ok((_, Step::Send(bytes))) => bytes,
        _ => panic!("nothing is said"),
    }
}

/// Bytes and what they are called.
type Named = (&'static str, Vec<u8>);

/// The keys of both directions, by the words of the document, beside everything on the way there.
fn derived(messages: &[Vec<u8>; 5]) -> (Vec<Named>, [[u8; 32]; 2]) {
    let [m0, m1, m2, m3, _] = messages;
    let sid = [&m2[..NONCE], &m1[3..]].concat();
    let choices = sha2::sha512(&[&m0[..], m1].concat());
    let mut ci = Vec::new();
    for part in [&b"p2pxfer/2"[..], USER, b"S", b"R", &choices] {
        ci.push(part.len() as u8);
        ci.extend(part);
    }
    let entropy: [u8; ENTROPY] = counted(0x00);
    let scalar = entropy[NONCE..].try_into().unwrap();
    let (initiator, ya) = cpace::Initiator::new(SECRET, &ci, &sid, &[], scalar);
    assert_eq!(ya, m2[NONCE..]);
    let keys = initiator.finish(m3[..32].try_into().unwrap(), &[]).unwrap();
    let prk = hkdf::extract(b"p2pxfer/2", keys.isk());
    let transcript = sha2::sha512(&messages.concat());
    let [to_receiver, to_sender] = [b"k_SR", b"k_RS"].map(|label| {
        let mut key = [0; 32];
        hkdf::expand(prk.expose(), &[label, &transcript], &mut key).unwrap();
        key
    });
    let steps = vec![
        ("sid", sid),
        ("CI", ci),
        ("ISK", keys.isk().to_vec()),
        ("PRK", prk.expose().to_vec()),
        ("SHA512(M0..M4)", transcript.to_vec()),
        ("k_SR", to_receiver.to_vec()),
        ("k_RS", to_sender.to_vec()),
    ];
    (steps, [to_receiver, to_sender])
}

fn block(values: &[Named]) -> String {
    let mut text = String::new();
    for (name, bytes) in values {
        writeln!(text, "{name} ({} bytes)", bytes.len()).unwrap();
        for line in bytes.chunks(32) {
            text.push_str("   ");
            for four in line.chunks(4) {
                text.push(' ');
                for byte in four {
                    write!(text, "{byte:02x}").unwrap();
                }
            }
            text.push('\n');
        }
    }
    text
}

#[test]
fn the_example_of_version_2_is_what_the_code_makes() {
    let (messages, [mut sender, mut receiver]) = handshake();
    let mut values: Vec<_> = ["M0", "M1", "M2", "M3", "M4"]
        .into_iter()
        .zip(messages.clone())
        .collect();
    let (steps, [to_receiver, to_sender]) = derived(&messages);
    values.extend(steps);

    let item = FromSender::Item {
        kind: 1,
        complete: true,
        files: 1,
        bytes: Some(13),
        name: b"hello.txt",
    };
    let offer = FromSender::Offer {
        run: counted(0xf0),
        items: 1,
    };
    let mut plain = [Vec::new(), Vec::new(), Vec::new()];
    item.encode(&mut plain[0]);
    offer.encode(&mut plain[1]);
    FromReceiver::Accept.encode(&mut plain[2]);
    let keys = [to_receiver, to_receiver, to_sender].map(Key::from);
    let names = [
        ["ITEM", "ITEM, sealed"],
        ["OFFER", "OFFER, sealed"],
        ["ACCEPT", "ACCEPT, sealed"],
    ];
    for (index, plain) in plain.into_iter().enumerate() {
        let sealer = match index {
            0 | 1 => &mut sender.sealer,
            _ => &mut receiver.sealer,
        };
        let mut record = Vec::new();
        frame(&mut record, |out| out.extend_from_slice(&plain));
        sealer.seal(&mut record);
        let (length, rest) = record.split_at(3);
        let (text, tag) = rest.split_at(plain.len());
        let mut nonce = [0; 12];
        nonce[4] = (index % 2) as u8;
        let mut text = text.to_vec();
        let opened = keys[index].open(&nonce, length, &mut text, tag.try_into().unwrap());
        assert_eq!((opened, &text), (Ok(()), &plain));
        let [name, sealed] = names[index];
        values.push((name, plain));
        values.push((sealed, record));
    }

    let expected = block(&values);
    let document = super::text("doc/protocol.md");
    assert!(
        document.contains(&expected),
        "doc/protocol.md, section 4, has another example than this:\n{expected}"
    );
}

#[test]
fn another_implementation_comes_to_the_same_example() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/docs/version2.py");
    let Ok(output) = Command::new("python3").arg(script).output() else {
        let _ = writeln!(
            std::io::stderr(),
            "SKIP docs/version2: python3 not installed"
        );
        return;
    };
    let printed = String::from_utf8_lossy(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(
        super::text("doc/protocol.md").contains(&*printed),
        "{printed}"
    );
}
