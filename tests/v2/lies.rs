//! A relay that lies: it changes, cuts, repeats, swaps and crosses what the two sides say.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use p2pxfer::transfer::{Kind, UserId};

use super::common::Relay;
use super::pair::{Side, both, folder, path};
use super::temp::TempDir;
use super::trees::names;
use super::wire::{Lie, Way, Wire};

const SECRET: &str = "correct horse battery";
const NAME: &str = "name-of-the-file";
const CONTENT: &[u8] = b"what nobody else may read";

/// Bytes of hello and answer, which are the relay's, in each direction of the sender's connection.
const HELLO: [u64; 2] = [7, 1];

/// One transfer over a lying wire on the sender's side. Whatever happens, no name that is not whole may be
/// there, the two ends must agree, and nothing secret may have been on the wire.
fn lie(relay: &Relay, id: usize, secret: &str, lie: Box<Lie>) -> [Vec<u8>; 2] {
    let (from, to) = (TempDir::new(), TempDir::new());
    let file = from.path().join(NAME);
    fs::write(&file, CONTENT).unwrap();
    let wire = Wire::lying(relay.address, lie);
    let mut sides = [
        Side::new(wire.address, secret),
        Side::new(relay.address, secret),
    ];
    for side in &mut sides {
        side.endpoint.user = UserId::new(format!("a{id:04}").as_bytes()).unwrap();
        side.endpoint.idle_timeout = Some(Duration::from_secs(2));
    }
    let [sender, receiver] = sides;
    let (sent, received) = both(&sender, &[path(&file)], &receiver, &folder(to.path()));
    let there = names(to.path());
    match there.iter().any(|name| name == NAME) {
        true => assert_eq!(fs::read(to.path().join(NAME)).unwrap(), CONTENT),
        false => {
            assert!(sent.is_err(), "{id}: success without the file");
            assert!(received.is_err(), "{id}: success without the file");
        }
    }
    if received.is_err() {
        assert!(sent.is_err(), "{id}: the sender thinks that all is well");
    }
    let seen = [Way::Up, Way::Down].map(|way| wire.seen(way));
    for bytes in &seen {
        for secret in [SECRET.as_bytes(), NAME.as_bytes(), CONTENT] {
            let found = bytes.windows(secret.len()).any(|part| part == secret);
            assert!(
                !found,
                "{id}: {:?} is on the wire",
                String::from_utf8_lossy(secret)
            );
        }
    }
    seen
}

/// Runs `count` lies, many at once: most of them are waited for, by a side that hears nothing any more.
fn each(count: usize, run: impl Fn(usize) + Sync) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..96 {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= count {
                        break;
                    }
                    run(index);
                }
            });
        }
    });
}

/// What both directions of an honest transfer come to.
fn lengths(relay: &Relay) -> [usize; 2] {
    let seen = lie(relay, 9999, SECRET, Box::new(|_, _, _| true));
    seen.map(|bytes| bytes.len())
}

/// The direction and the place of the `index`th byte.
fn place(lengths: [usize; 2], index: usize) -> (Way, u64) {
    match index.checked_sub(lengths[0]) {
        None => (Way::Up, index as u64),
        Some(index) => (Way::Down, index as u64),
    }
}

/// Applies `change` to the byte at `at` when it comes.
fn at_byte(way: Way, at: u64, change: impl Fn(&mut u8) + Send + Sync + 'static) -> Box<Lie> {
    Box::new(move |is, offset, bytes| {
        if is == way {
            let index = at.checked_sub(offset).map(|index| index as usize);
            if let Some(byte) = index.and_then(|index| bytes.get_mut(index)) {
                change(byte);
            }
        }
        true
    })
}

#[test]
fn no_byte_can_be_changed() {
    let relay = Relay::start("threads", &["--log-ids"]);
    let lengths = lengths(&relay);
    let hello = HELLO.map(|bytes| bytes as usize);
    each(lengths[0] + lengths[1], |index| {
        let (way, at) = place(lengths, index);
        if at < hello[way as usize] as u64 {
            return;
        }
        let bit = 1 << (index % 8);
        lie(
            &relay,
            index,
            SECRET,
            at_byte(way, at, move |byte| *byte ^= bit),
        );
    });
}

#[test]
fn after_no_byte_can_it_be_cut() {
    let relay = Relay::start("threads", &[]);
    let lengths = lengths(&relay);
    each(lengths[0] + lengths[1], |index| {
        let (way, at) = place(lengths, index);
        if at < HELLO[way as usize] {
            return;
        }
        let cut: Box<Lie> = Box::new(move |is, offset, bytes| {
            let end = offset + bytes.len() as u64;
            if is != way || end <= at {
                return true;
            }
            bytes.truncate((at - offset.min(at)) as usize);
            false
        });
        lie(&relay, index, SECRET, cut);
    });
}

#[test]
fn zeros_repetitions_and_swaps_are_noticed() {
    let relay = Relay::start("threads", &[]);
    let lengths = lengths(&relay);
    each(60, |index| {
        let way = [Way::Up, Way::Down][index % 2];
        let length = lengths[way as usize] as u64;
        let from = HELLO[way as usize] + (index as u64 * 37) % (length - HELLO[way as usize]);
        let lied: Box<Lie> = Box::new(move |is, offset, bytes| {
            let end = offset + bytes.len() as u64;
            if is != way || end <= from {
                return true;
            }
            let start = (from - offset.min(from)) as usize;
            match index % 3 {
                0 => bytes[start..].fill(0),
                1 => bytes.extend_from_within(start..),
                _ => bytes[start..].reverse(),
            }
            true
        });
        lie(&relay, index, SECRET, lied);
    });
}

#[test]
fn a_mark_that_is_changed_never_makes_version_1_of_a_transfer_with_a_secret() {
    let relay = Relay::start("threads", &[]);
    let mark = HELLO[0] + 32 + 2;
    each(4, |index| {
        let lied = at_byte(Way::Up, mark + index as u64, |byte| *byte = 0);
        let seen = lie(&relay, index, SECRET, lied);
        // Nothing but the header, and its refusal, went over it.
        assert!(seen[0].len() <= 7 + 48 + 48 + 64, "{}", seen[0].len());
    });
}

#[test]
fn two_transfers_that_are_crossed_do_not_meet() {
    // Each receiver hears what another sender says to another receiver, with the same secret.
    let relay = Relay::start("threads", &[]);
    let recorded = lie(&relay, 1, SECRET, Box::new(|_, _, _| true));
    let said = Arc::new(Mutex::new(recorded[0][HELLO[0] as usize..].to_vec()));
    let replay: Box<Lie> = Box::new(move |way, offset, bytes| {
        if way == Way::Up && offset >= HELLO[0] {
            let said = said.lock().unwrap();
            let start = (offset - HELLO[0]) as usize;
            let end = (start + bytes.len()).min(said.len());
            bytes.clear();
            bytes.extend_from_slice(said.get(start..end).unwrap_or_default());
        }
        true
    });
    let seen = lie(&relay, 2, SECRET, replay);
    assert!(
        seen[1].len() <= 1 + 19 + 96,
        "the receiver said {}",
        seen[1].len()
    );
}

#[test]
fn without_a_secret_a_lie_is_noticed_too() {
    let relay = Relay::start("threads", &[]);
    let (from, to) = (TempDir::new(), TempDir::new());
    let file = from.path().join(NAME);
    fs::write(&file, CONTENT).unwrap();
    let wire = Wire::lying(
        relay.address,
        at_byte(Way::Up, 7 + 48 + 20, |byte| *byte ^= 1),
    );
    let (sender, receiver) = (Side::new(wire.address, ""), Side::new(relay.address, ""));
    let (sent, received) = both(&sender, &[path(&file)], &receiver, &folder(to.path()));
    // There is no secret that could be wrong.
    assert_eq!(sent.unwrap_err().kind(), Kind::Protocol);
    assert_eq!(received.unwrap_err().kind(), Kind::Protocol);
    assert!(names(to.path()).is_empty());
}
