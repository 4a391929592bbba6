//! Lines that are cut, sources that change, jobs that are cancelled.

use std::fs::{self, File};
use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use p2pxfer::transfer::Kind;

use super::common::{Relay, on_every_backend, wait_until};
use super::pair::{Side, both, folder, path};
use super::temp::TempDir;
use super::trees::{assert_same, content, names, plant};
use super::wire::{Way, Wire};

on_every_backend! {
    a_line_that_is_cut_is_made_anew_and_little_is_sent_twice
    a_relay_that_is_started_again_is_used_again
    without_reconnect_a_cut_ends_both_and_the_next_run_goes_on
    a_cancel_is_told_to_the_other_side_and_the_part_is_kept
    a_file_that_changes_while_it_is_sent_is_left_out
    a_part_of_another_file_is_not_gone_on_with
    a_peer_that_falls_silent_is_given_up
}

const SIZE: usize = 6_000_000;
/// How much may come twice, in bytes.
const AGAIN: u64 = 1 << 20;

/// A wire that cuts each of the first `cuts` connections after so many bytes of one direction.
fn cutting(relay: &Relay, way: Way, after: u64, cuts: u64) -> Wire {
    let done = AtomicU64::new(0);
    let lie = move |at: Way, offset: u64, bytes: &mut Vec<u8>| {
        let end = offset + bytes.len() as u64;
        if at != way || end < after || done.load(Ordering::Relaxed) >= cuts {
            return true;
        }
        done.fetch_add(1, Ordering::Relaxed);
        bytes.truncate(usize::try_from(after.saturating_sub(offset)).unwrap_or_default());
        false
    };
    Wire::lying(relay.address, Box::new(lie))
}

fn a_line_that_is_cut_is_made_anew_and_little_is_sent_twice(backend: &str) {
    let relay = Relay::start(backend, &[]);
    let from = TempDir::new();
    let root = from.path().join("tree");
    plant(&root);
    fs::write(root.join("m.bin"), content(SIZE, 3)).unwrap();
    let cases = [
        ("sender", Way::Up, 100),
        ("sender", Way::Up, 200),
        ("sender", Way::Up, 500_000),
        ("sender", Way::Up, 4_000_000),
        ("sender", Way::Down, 50),
        ("sender", Way::Down, 1000),
        ("receiver", Way::Down, 3_000_000),
        ("receiver", Way::Up, 900),
    ];
    for (side, way, after) in cases {
        let to = TempDir::new();
        let wire = cutting(&relay, way, after, 3);
        let (mut sender, mut receiver) =
            (Side::new(relay.address, "s"), Side::new(relay.address, "s"));
        match side {
            "sender" => sender.endpoint.port = wire.address.port(),
            _ => receiver.endpoint.port = wire.address.port(),
        }
        sender.options.reconnect = Some(Duration::from_secs(30));
        receiver.options.reconnect = Some(Duration::from_secs(30));
        let (sent, received) = both(&sender, &[path(&root)], &receiver, &folder(to.path()));
        // Before the handshake is finished there is nothing to go on with.
        if after <= 100 {
            assert_eq!(
                sent.unwrap_err().kind(),
                Kind::Lost,
                "{side} {way:?} {after}"
            );
            assert!(received.is_err());
            continue;
        }
        let what = format!("{side} {way:?} {after}");
        let sent = sent.unwrap_or_else(|error| panic!("{what}: {error}"));
        let received = received.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_same(&root, &to.path().join("tree"));
        assert_eq!(names(to.path()), ["tree"]);
        assert!(sent.reconnects > 0 && received.reconnects > 0, "{what}");
        assert!(received.again <= AGAIN, "{what}: {} twice", received.again);
        assert_eq!((sent.skipped, received.skipped), (0, 0), "{what}");
    }
}

fn a_relay_that_is_started_again_is_used_again(backend: &str) {
    let relay = Relay::start(backend, &[]);
    let (from, to) = (TempDir::new(), TempDir::new());
    let file = from.path().join("m.bin");
    fs::write(&file, content(3 * SIZE, 3)).unwrap();
    let wire = Wire::new(relay.address);
    // It lives until both sides are done.
    let second = Mutex::new(None);
    let (mut sender, mut receiver) = (Side::new(wire.address, "s"), Side::new(wire.address, "s"));
    sender.options.reconnect = Some(Duration::from_secs(30));
    receiver.options.reconnect = Some(Duration::from_secs(30));
    thread::scope(|scope| {
        scope.spawn(|| {
            assert!(wire.wait_moved(Way::Up, 2_000_000));
            drop(relay);
            let next = Relay::start(backend, &[]);
            wire.lead_to(next.address);
            *second.lock().unwrap() = Some(next);
        });
        let (sent, received) = both(&sender, &[path(&file)], &receiver, &folder(to.path()));
        assert!(sent.unwrap().reconnects > 0);
        assert!(received.unwrap().again <= AGAIN);
    });
    assert!(fs::read(to.path().join("m.bin")).unwrap() == content(3 * SIZE, 3));
}

fn without_reconnect_a_cut_ends_both_and_the_next_run_goes_on(backend: &str) {
    let relay = Relay::start(backend, &[]);
    let (from, to) = (TempDir::new(), TempDir::new());
    let file = from.path().join("m.bin");
    fs::write(&file, content(SIZE, 3)).unwrap();
    let wire = cutting(&relay, Way::Down, 4_000_000, 1);
    let (sender, mut receiver) = (Side::new(relay.address, "s"), Side::new(wire.address, "s"));
    receiver.options.reconnect = None;
    let (sent, received) = both(&sender, &[path(&file)], &receiver, &folder(to.path()));
    let lost = [Kind::Lost, Kind::Truncated, Kind::NotConfirmed];
    assert!(lost.contains(&sent.unwrap_err().kind()));
    assert!(lost.contains(&received.unwrap_err().kind()));
    assert_eq!(
        names(to.path()),
        ["m.bin.p2pxfer-journal", "m.bin.p2pxfer-part"]
    );
    let (sender, receiver) = (Side::new(relay.address, "s"), Side::new(relay.address, "s"));
    let (sent, received) = both(&sender, &[path(&file)], &receiver, &folder(to.path()));
    let resumed = received.unwrap().resumed;
    assert_eq!(sent.unwrap().resumed, resumed);
    assert!(
        (4_000_000 - AGAIN..=4_000_000).contains(&resumed),
        "{resumed}"
    );
    assert!(fs::read(to.path().join("m.bin")).unwrap() == content(SIZE, 3));
    assert_eq!(names(to.path()), ["m.bin"]);
}

fn a_cancel_is_told_to_the_other_side_and_the_part_is_kept(backend: &str) {
    let relay = Relay::start(backend, &[]);
    let from = TempDir::new();
    let file = from.path().join("m.bin");
    fs::write(&file, content(4 * SIZE, 3)).unwrap();
    for cancels in ["sender", "receiver"] {
        let to = TempDir::new();
        let wire = Wire::new(relay.address);
        let (mut sender, mut receiver) =
            (Side::new(relay.address, "s"), Side::new(wire.address, "s"));
        sender.options.reconnect = Some(Duration::from_secs(30));
        receiver.options.reconnect = Some(Duration::from_secs(30));
        let (sent, received) = thread::scope(|scope| {
            scope.spawn(|| {
                assert!(wire.wait_moved(Way::Down, 3_000_000));
                wait_until("the file is begun", || {
                    let heard = receiver.heard.lock().unwrap();
                    heard.iter().any(|event| event.starts_with("Started"))
                });
                match cancels {
                    "sender" => sender.cancel.cancel(),
                    _ => receiver.cancel.cancel(),
                }
            });
            both(&sender, &[path(&file)], &receiver, &folder(to.path()))
        });
        let (ours, theirs) = match cancels {
            "sender" => (sent, received),
            _ => (received, sent),
        };
        assert_eq!(ours.unwrap_err().kind(), Kind::Cancelled, "{cancels}");
        let theirs = theirs.unwrap_err().to_string();
        assert!(theirs.contains("cancelled on the other side"), "{theirs}");
        assert_eq!(
            names(to.path()),
            ["m.bin.p2pxfer-journal", "m.bin.p2pxfer-part"]
        );
    }
}

fn a_file_that_changes_while_it_is_sent_is_left_out(backend: &str) {
    let relay = Relay::start(backend, &[]);
    let (from, to) = (TempDir::new(), TempDir::new());
    let root = from.path().join("tree");
    plant(&root);
    let file = root.join("m.bin");
    fs::write(&file, content(12 * SIZE, 3)).unwrap();
    let changed = AtomicBool::new(false);
    let growing = Mutex::new(File::options().append(true).open(&file).unwrap());
    let lie = move |way: Way, offset: u64, _: &mut Vec<u8>| {
        if way == Way::Up && offset > 1_000_000 && !changed.swap(true, Ordering::Relaxed) {
            growing.lock().unwrap().write_all(b"more").unwrap();
        }
        true
    };
    let wire = Wire::lying(relay.address, Box::new(lie));
    let (sender, receiver) = (Side::new(wire.address, "s"), Side::new(relay.address, "s"));
    let (sent, received) = both(&sender, &[path(&root)], &receiver, &folder(to.path()));
    for report in [sent.unwrap(), received.unwrap()] {
        assert_eq!((report.skipped, report.files), (1, 6));
        assert_eq!(report.failure().unwrap().kind(), Kind::Changed);
    }
    let arrived = names(&to.path().join("tree"));
    assert!(
        !arrived.iter().any(|name| name.contains("m.bin")),
        "{arrived:?}"
    );
}

fn a_part_of_another_file_is_not_gone_on_with(backend: &str) {
    let relay = Relay::start(backend, &[]);
    let (from, to) = (TempDir::new(), TempDir::new());
    let file = from.path().join("m.bin");
    fs::write(&file, content(SIZE, 3)).unwrap();
    let wire = cutting(&relay, Way::Down, 4_000_000, 1);
    let (sender, receiver) = (Side::new(relay.address, "s"), Side::new(wire.address, "s"));
    let (sent, _) = both(&sender, &[path(&file)], &receiver, &folder(to.path()));
    assert!(sent.is_err());
    // The same size and time, other bytes at its beginning: only the hash of the part can tell.
    let time = file.metadata().unwrap().modified().unwrap();
    let mut other = content(SIZE, 3);
    other[1000] ^= 1;
    fs::write(&file, &other).unwrap();
    let opened = File::options().append(true).open(&file).unwrap();
    opened.set_modified(time).unwrap();
    let (sender, receiver) = (Side::new(relay.address, "s"), Side::new(relay.address, "s"));
    let (sent, received) = both(&sender, &[path(&file)], &receiver, &folder(to.path()));
    assert_eq!((sent.unwrap().resumed, received.unwrap().resumed), (0, 0));
    assert!(fs::read(to.path().join("m.bin")).unwrap() == other);
    let restarted = |side: &Side| {
        let heard = side.heard.lock().unwrap();
        heard.iter().any(|event| event.starts_with("Restarted"))
    };
    assert!(restarted(&sender) && restarted(&receiver));
}

fn a_peer_that_falls_silent_is_given_up(backend: &str) {
    let relay = Relay::start(backend, &[]);
    let (from, to) = (TempDir::new(), TempDir::new());
    let file = from.path().join("m.bin");
    fs::write(&file, content(SIZE, 3)).unwrap();
    let held = AtomicBool::new(false);
    let lie = move |way: Way, offset: u64, bytes: &mut Vec<u8>| {
        if way == Way::Up && offset > 1_000_000 {
            held.store(true, Ordering::Relaxed);
        }
        if held.load(Ordering::Relaxed) {
            bytes.clear();
        }
        true
    };
    let wire = Wire::lying(relay.address, Box::new(lie));
    let (mut sender, mut receiver) = (Side::new(wire.address, "s"), Side::new(relay.address, "s"));
    sender.endpoint.idle_timeout = Some(Duration::from_secs(1));
    receiver.endpoint.idle_timeout = Some(Duration::from_secs(1));
    let (sent, received) = both(&sender, &[path(&file)], &receiver, &folder(to.path()));
    // Who gives up first closes, and the other one sees that.
    let lost = [Kind::Lost, Kind::Truncated, Kind::NotConfirmed];
    assert!(lost.contains(&sent.unwrap_err().kind()));
    assert!(lost.contains(&received.unwrap_err().kind()));
}
