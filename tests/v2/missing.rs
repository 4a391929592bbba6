//! What a sender leaves out, what is more than its receiver said yes to, and how both are told and counted.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use p2pxfer::client::Wait;
use p2pxfer::transfer::{Error, Kind};
use p2pxfer::wire::v2::{Entry, FromReceiver, FromSender};

use super::caller::Caller;
use super::common::{DEADLINE, Relay, hello, on_every_backend, wait_until};
use super::end;
use super::kill::{program, receive, registered, start};
use super::pair::{Side, both, folder, path};
use super::temp::TempDir;
use super::trees::{assert_same, content, names};
use super::wire::{Way, Wire};

on_every_backend! {
    what_a_sender_leaves_out_unannounced_is_told_to_its_receiver
    what_a_sender_gave_up_is_known_to_its_receiver_though_its_word_was_lost
    what_both_sides_gave_up_at_once_is_missing_once
    a_folder_that_is_refused_is_told_once
    more_than_was_offered_is_refused_and_the_rest_arrives
    what_is_announced_again_after_a_cut_does_not_count_as_more
    all_paths_are_listed_at_the_end
    what_an_earlier_sender_brought_is_not_counted_twice
}

/// Of a record, but its body.
const AROUND: u64 = 3 + 1 + 16;

fn what_a_sender_leaves_out_unannounced_is_told_to_its_receiver(backend: &str) {
    let relay = Relay::start(backend, &[]);
    let (from, to) = (TempDir::new(), TempDir::new());
    let root = from.path().join("tree");
    fs::create_dir_all(root.join("a:folder")).unwrap();
    fs::write(root.join("a:folder/lost"), "x").unwrap();
    fs::write(root.join("a:name"), "x").unwrap();
    fs::write(root.join("good"), "x").unwrap();
    let receiver = receive(&relay, relay.address, to.path(), &[]);
    let words = [root.to_str().unwrap()];
    let sender = end::output(start(program("send_r", &words, relay.address, &[])));
    let receiver = end::output(receiver);
    assert_eq!(sender.status.code(), Some(9));
    let said = String::from_utf8_lossy(&receiver.stderr);
    assert_eq!(receiver.status.code(), Some(7), "{said}");
    assert!(
        said.contains("could not read or name 2 files and folders"),
        "{said}"
    );
    assert!(said.contains("2 left out"), "{said}");
    assert_eq!(names(&to.path().join("tree")), ["good"]);
}

fn what_a_sender_gave_up_is_known_to_its_receiver_though_its_word_was_lost(backend: &str) {
    let relay = Relay::start(backend, &[]);
    let (from, to) = (TempDir::new(), TempDir::new());
    let root = from.path().join("tree");
    fs::create_dir(&root).unwrap();
    fs::write(root.join("a"), "x").unwrap();
    let (accepted, cut) = (Arc::new(AtomicBool::new(false)), AtomicBool::new(false));
    let is_accepted = Arc::clone(&accepted);
    // The first word behind the yes is that the file is gone.
    let wire = Arc::new(Wire::lying(
        relay.address,
        Box::new(move |way, _, bytes| {
            let due = way == Way::Up
                && is_accepted.load(Ordering::Relaxed)
                && bytes.len() as u64 % AROUND != 0
                && !cut.swap(true, Ordering::Relaxed);
            if due {
                bytes.clear();
            }
            !due
        }),
    ));
    let mut sender = Side::new(wire.address, "s");
    sender.options.reconnect = Some(DEADLINE);
    let mut receiver = Side::new(relay.address, "s");
    receiver.options.reconnect = Some(DEADLINE);
    let (seen, file) = (Arc::clone(&wire), root.join("a"));
    receiver.options.accept = Some(Box::new(move |_| {
        let handshake = hello(b'C', b"alice").len() as u64 + 48 + 48 + 64;
        let offer = AROUND + 2 + 16 + 4 + AROUND + 16 + 4;
        let entry = AROUND + 36 + 2 + 4;
        // The folder, the file, the folder's end, and LAST.
        let all = handshake + offer + 3 * entry + 2 + 1 + AROUND + 16;
        assert!(seen.wait_moved(Way::Up, all));
        fs::remove_file(&file).unwrap();
        accepted.store(true, Ordering::Relaxed);
        true
    }));
    let (sent, received) = both(&sender, &[path(&root)], &receiver, &folder(to.path()));
    let (sent, received) = (sent.unwrap(), received.unwrap());
    assert_eq!((sent.reconnects, received.reconnects), (1, 1));
    assert_eq!((sent.skipped, received.skipped), (1, 1));
    let failure = received.failure().unwrap();
    assert!(matches!(failure, Error::LeftOut { count: 1 }), "{failure}");
    assert_eq!(failure.kind(), Kind::File);
}

/// A file of the folder `tree`.
fn file(index: u64, size: u64) -> FromSender<'static> {
    FromSender::Entry(Entry {
        index,
        item: 0,
        kind: if index == 0 { 2 } else { 1 },
        executable: false,
        size: Some(size),
        seconds: 1_000_000_000,
        nanos: 0,
        path: match index {
            0 => vec![b"tree".to_vec()],
            _ => vec![b"tree".to_vec(), index.to_string().into_bytes()],
        },
    })
}

fn what_both_sides_gave_up_at_once_is_missing_once(backend: &str) {
    let relay = Relay::start(backend, &[]);
    let to = TempDir::new();
    let mut receiver = Side::new(relay.address, "correct horse");
    receiver.endpoint.wait = Wait::For(DEADLINE);
    thread::scope(|scope| {
        let before = registered(&relay);
        let receiving = scope.spawn(|| receiver.receive(&folder(to.path())));
        wait_until("the receiver waits", || registered(&relay) > before);
        let mut caller = Caller::call(&relay);
        let item = FromSender::Item {
            kind: 2,
            complete: true,
            files: 2,
            bytes: Some(8),
            name: b"tree",
        };
        let (run, items) = ([1; 16], 1);
        caller.say(&[item, FromSender::Offer { run, items }]);
        caller.say(&[file(0, 0), file(1, 4), file(2, 4)]);
        let (mut wanted, mut is_made) = (0, false);
        while wanted < 2 || !is_made {
            caller.hear(|record| match record {
                FromReceiver::Want { .. } => wanted += 1,
                FromReceiver::Committed { .. } => is_made = true,
                _ => {}
            });
        }
        // No file can be made in it any more.
        fs::remove_dir(to.path().join("tree")).unwrap();
        let gone = |index, reason, text| {
            let offset = 0;
            [
                FromSender::Begin { index, offset },
                FromSender::Data(b"x"),
                FromSender::GiveUp {
                    index,
                    reason,
                    text,
                },
            ]
        };
        // The first it gives up by itself, the second because the receiver does: of that alone, and of one
        // that it never announced, the receiver has to hear from LAST.
        caller.say(&gone(1, 1, b"cannot be read"));
        caller.say(&gone(2, 4, b""));
        let entries = 4;
        caller.say(&[
            FromSender::Last {
                entries,
                missing: 2,
            },
            FromSender::Final { entries },
        ]);
        let report = receiving.join().unwrap().unwrap();
        let heard = receiver.heard.lock().unwrap();
        let skipped = heard.iter().filter(|event| event.starts_with("Skipped"));
        let skipped: Vec<_> = skipped.collect();
        assert_eq!((report.skipped, skipped.len()), (3, 3), "{skipped:?}");
        assert!(skipped[2].contains("LeftOut { count: 1 }"), "{skipped:?}");
    });
}

fn a_folder_that_is_refused_is_told_once(backend: &str) {
    let relay = Relay::start(backend, &[]);
    let (from, to) = (TempDir::new(), TempDir::new());
    let root = from.path().join("tree");
    fs::create_dir_all(root.join("taken/inner")).unwrap();
    fs::write(root.join("taken/inner/file"), "x").unwrap();
    fs::write(root.join("good"), "x").unwrap();
    fs::create_dir(to.path().join("tree")).unwrap();
    fs::write(to.path().join("tree/taken"), "no folder").unwrap();
    let (sender, receiver) = (Side::new(relay.address, "s"), Side::new(relay.address, "s"));
    let (sent, received) = both(&sender, &[path(&root)], &receiver, &folder(to.path()));
    for (report, side) in [(sent.unwrap(), sender), (received.unwrap(), receiver)] {
        let mut paths: Vec<_> = report.skips.iter().map(|skip| &skip.path[..]).collect();
        paths.sort();
        let each: [&[u8]; 3] = [b"tree/taken", b"tree/taken/inner", b"tree/taken/inner/file"];
        assert_eq!((paths, report.skipped), (each.to_vec(), 3));
        let heard = side.heard.lock().unwrap();
        let told = heard.iter().filter(|event| event.starts_with("Skipped"));
        assert_eq!(told.count(), 3);
    }
    assert_eq!(names(&to.path().join("tree")), ["good", "taken"]);
}

fn more_than_was_offered_is_refused_and_the_rest_arrives(backend: &str) {
    let relay = Relay::start(backend, &[]);
    let to = TempDir::new();
    let receiver = receive(&relay, relay.address, to.path(), &[]);
    let mut caller = Caller::call(&relay);
    let item = FromSender::Item {
        kind: 2,
        complete: true,
        files: 3,
        bytes: Some(1_000_000),
        name: b"tree",
    };
    let (run, items) = ([1; 16], 1);
    caller.say(&[item, FromSender::Offer { run, items }]);
    let sizes = [0, 1_000_000_000, 500_000, 500_000, 17_777_216, 17_000_000];
    for (index, size) in (0..).zip(sizes) {
        caller.say(&[file(index, size)]);
    }
    let (mut wanted, mut refused, mut is_made) = (Vec::new(), Vec::new(), false);
    while wanted.len() + refused.len() < sizes.len() - 1 || !is_made {
        caller.hear(|record| match record {
            FromReceiver::Want { index, .. } => wanted.push(index),
            FromReceiver::Skip {
                index,
                reason: 4,
                text,
            } => {
                assert_eq!(text, b"far more than was offered: send it again");
                refused.push(index);
            }
            FromReceiver::Committed { index: 0, .. } => is_made = true,
            _ => {}
        });
    }
    assert_eq!((wanted, refused), (vec![2, 3, 4], vec![1, 5]));
    for index in [2, 3, 4] {
        caller.say(&[FromSender::GiveUp {
            index,
            reason: 3,
            text: b"",
        }]);
    }
    let entries = sizes.len() as u64;
    caller.say(&[
        FromSender::Last {
            entries,
            missing: 3,
        },
        FromSender::Final { entries },
    ]);
    let output = end::output(receiver);
    assert_eq!(output.status.code(), Some(5));
}

fn what_is_announced_again_after_a_cut_does_not_count_as_more(backend: &str) {
    let relay = Relay::start(backend, &[]);
    let (from, to) = (TempDir::new(), TempDir::new());
    let root = from.path().join("tree");
    fs::create_dir(&root).unwrap();
    // Four times this is more than twice, and 16 MiB.
    fs::write(root.join("a"), content(10_000_000, 1)).unwrap();
    let cuts = AtomicU64::new(0);
    let wire = Wire::lying(
        relay.address,
        Box::new(move |way, offset, _| {
            way == Way::Down || offset < 1_500_000 || cuts.fetch_add(1, Ordering::Relaxed) > 3
        }),
    );
    let (mut sender, mut receiver) = (Side::new(wire.address, "s"), Side::new(relay.address, "s"));
    sender.options.reconnect = Some(DEADLINE);
    receiver.options.reconnect = Some(DEADLINE);
    let (sent, received) = both(&sender, &[path(&root)], &receiver, &folder(to.path()));
    assert_eq!(sent.unwrap().reconnects, 4);
    assert_eq!(received.unwrap().skipped, 0);
    assert_same(&root, &to.path().join("tree"));
}

fn all_paths_are_listed_at_the_end(backend: &str) {
    const FILES: usize = 1003;
    let relay = Relay::start(backend, &[]);
    let (from, to) = (TempDir::new(), TempDir::new());
    let files: Vec<_> = (0..FILES)
        .map(|file| from.path().join(file.to_string()))
        .collect();
    for file in &files {
        fs::write(file, "").unwrap();
    }
    let listed = to.path().join("listed");
    let before = registered(&relay);
    let mut receiver = program("recv_r", &["-"], relay.address, &["-q"]);
    receiver.arg("-o").arg(to.path());
    receiver.stdout(fs::File::create(&listed).unwrap());
    let receiver = start(receiver);
    wait_until("the receiver waits", || registered(&relay) > before);
    let words: Vec<_> = files.iter().map(|file| file.to_str().unwrap()).collect();
    let sender = start(program("send_r", &words, relay.address, &["-q"]));
    for child in [sender, receiver] {
        assert_eq!(end::output(child).status.code(), Some(0));
    }
    assert_eq!(fs::read_to_string(listed).unwrap().lines().count(), FILES);
}

fn what_an_earlier_sender_brought_is_not_counted_twice(backend: &str) {
    let relay = Relay::start(backend, &[]);
    let (from, to) = (TempDir::new(), TempDir::new());
    let files = ["a", "b"].map(|name| from.path().join(name));
    fs::write(&files[0], "x").unwrap();
    fs::write(&files[1], content(6_000_000, 1)).unwrap();
    let arguments = files.map(path);
    let wire = Wire::lying(
        relay.address,
        Box::new(move |way, offset, _| way == Way::Down || offset < 3_000_000),
    );
    let mut receiver = Side::new(relay.address, "s");
    receiver.options.reconnect = Some(Duration::from_secs(60));
    let place = folder(to.path());
    thread::scope(|scope| {
        let receiving = scope.spawn(|| receiver.receive(&place));
        let heard = |event: &str| {
            let heard = receiver.heard.lock().unwrap();
            heard.iter().any(|line| line.starts_with(event))
        };
        wait_until("the receiver waits", || heard("Waiting"));
        assert!(Side::new(wire.address, "s").send(&arguments).is_err());
        let sent = Side::new(relay.address, "s").send(&arguments).unwrap();
        let received = receiving.join().unwrap().unwrap();
        assert_eq!(sent.already, 1, "the first file came from the first sender");
        assert_eq!((received.files, received.bytes), (2, 6_000_001));
        assert_eq!((received.already, received.received.len()), (1, 2));
    });
}
