//! What happens between a loss and the next connection, and when nothing but a last word was lost.

use std::fs::{self, File};
use std::io::Write;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use p2pxfer::transfer::handshake::{ENTROPY, Responder, Step};
use p2pxfer::transfer::tree::UNACKNOWLEDGED;
use p2pxfer::transfer::{Error, Kind, Secret, UserId};

use super::common::{DEADLINE, Relay, hello, on_every_backend, read, read_to_end, wait_until};
use super::kill::{assert_well, program, receive, start};
use super::pair::{End, Side, both, folder, path};
use super::temp::TempDir;
use super::trees::{content, names};
use super::wire::{Way, Wire};

on_every_backend! {
    a_user_who_thinks_for_longer_than_the_timeout_loses_nobody
    a_sender_that_lost_only_the_last_word_is_done
    a_receiver_that_lost_only_the_last_word_is_done
    a_receiver_that_does_not_know_that_it_has_all_is_told
    a_cut_while_standard_input_is_idle_is_mended_without_its_next_byte
    a_stream_of_which_no_acknowledgement_came_goes_on_after_a_cut
    a_long_hash_ends_with_the_job_and_with_the_line
    another_sender_in_the_window_is_a_new_offer
    an_impostor_in_the_window_does_not_end_the_sender
}

/// Bytes of a record without a body, and with a body of 8 bytes.
const NOP: u64 = 3 + 1 + 16;
const FINAL: u64 = NOP + 8;
const FINAL_BACK: u64 = NOP + 16;

/// The cut of a line on which bytes were lost. The loss lasts until the next call: what came behind the gap while
/// the line is being cut would be no honest peer's.
#[derive(Default)]
struct Cut {
    made: AtomicBool,
    over: AtomicBool,
}

impl Cut {
    /// Makes it: what a lie says to have the connection cut.
    fn make(&self) -> bool {
        self.made.store(true, Ordering::Relaxed);
        false
    }

    /// Whether what goes this way, there, belongs to a call after it; a call begins with what goes up at 0.
    fn is_over(&self, way: Way, offset: u64) -> bool {
        if way == Way::Up && offset == 0 && self.made.load(Ordering::Relaxed) {
            self.over.store(true, Ordering::Relaxed);
        }
        self.over.load(Ordering::Relaxed)
    }
}

fn heard(side: &Side, event: &str) -> usize {
    let heard = side.heard.lock().unwrap();
    heard.iter().filter(|line| line.starts_with(event)).count()
}

fn a_user_who_thinks_for_longer_than_the_timeout_loses_nobody(backend: &str) {
    let relay = Relay::start(backend, &[]);
    let (from, to) = (TempDir::new(), TempDir::new());
    fs::write(from.path().join("a"), "x").unwrap();
    let wire = Arc::new(Wire::new(relay.address));
    let (mut sender, mut receiver) = (Side::new(wire.address, "s"), Side::new(relay.address, "s"));
    sender.endpoint.idle_timeout = Some(Duration::from_secs(2));
    receiver.endpoint.idle_timeout = Some(Duration::from_secs(2));
    let seen = Arc::clone(&wire);
    receiver.options.accept = Some(Box::new(move |_| {
        // The hello, the handshake, and so many words as take longer than the timeout.
        seen.wait_moved(Way::Down, 1 + 19 + 96 + 3 * NOP)
    }));
    let arguments = [path(from.path().join("a"))];
    let (sent, received) = both(&sender, &arguments, &receiver, &folder(to.path()));
    assert_eq!(
        (sent.unwrap().reconnects, received.unwrap().reconnects),
        (0, 0)
    );
}

/// One transfer whose sender's wire loses the last `lost` bytes of an honest one, this way.
fn without_the_end(backend: &str, way: Way, lost: u64, window: [u64; 2]) -> ([End; 2], [Side; 2]) {
    let relay = Relay::start(backend, &[]);
    let from = TempDir::new();
    fs::write(from.path().join("a"), content(1000, 1)).unwrap();
    let run = |wire: &Wire| {
        let to = TempDir::new();
        let (mut sender, mut receiver) =
            (Side::new(wire.address, "s"), Side::new(relay.address, "s"));
        let [of_sender, of_receiver] = window.map(Duration::from_secs);
        sender.options.reconnect = Some(of_sender);
        receiver.options.reconnect = Some(of_receiver);
        let arguments = [path(from.path().join("a"))];
        let (sent, received) = both(&sender, &arguments, &receiver, &folder(to.path()));
        assert_eq!(names(to.path()), ["a"]);
        ([sent, received], [sender, receiver])
    };
    let honest = Wire::new(relay.address);
    for end in run(&honest).0 {
        end.unwrap();
    }
    let all = honest.seen(way).len() as u64;
    let cut = AtomicBool::new(false);
    let lie = move |at: Way, offset: u64, bytes: &mut Vec<u8>| {
        let end = offset + bytes.len() as u64;
        if at != way || end <= all - lost || cut.swap(true, Ordering::Relaxed) {
            return true;
        }
        bytes.truncate((all - lost - offset) as usize);
        false
    };
    run(&Wire::lying(relay.address, Box::new(lie)))
}

fn a_sender_that_lost_only_the_last_word_is_done(backend: &str) {
    let ([sent, received], [sender, _]) =
        without_the_end(backend, Way::Down, FINAL_BACK, [3600, 30]);
    assert_eq!((sent.unwrap().files, received.unwrap().files), (1, 1));
    assert_eq!(heard(&sender, "Reconnecting"), 0);
    assert_eq!(heard(&sender, "Finished"), 1);
}

fn a_receiver_that_lost_only_the_last_word_is_done(backend: &str) {
    let ([sent, received], _) = without_the_end(backend, Way::Up, FINAL, [3600, 1]);
    assert_eq!((sent.unwrap().files, received.unwrap().files), (1, 1));
}

/// A folder in which nothing is: all of it is answered before LAST has to be there, which is lost.
fn a_receiver_that_does_not_know_that_it_has_all_is_told(backend: &str) {
    const ENTRY: u64 = NOP + 36 + 2 + 4;
    let relay = Relay::start(backend, &[]);
    let (from, to) = (TempDir::new(), TempDir::new());
    let root = from.path().join("tree");
    fs::create_dir(&root).unwrap();
    let handshake = hello(b'C', b"alice").len() as u64 + 48 + 48 + 64;
    let entries = handshake + NOP + 2 + 16 + 4 + NOP + 16 + 4 + 2 * ENTRY;
    let answers = 1 + 19 + 96 + NOP + 2 * (NOP + 8 + 32);
    let cut = Cut::default();
    let lie = move |way: Way, offset: u64, bytes: &mut Vec<u8>| {
        let end = offset + bytes.len() as u64;
        match way {
            _ if cut.is_over(way, offset) => true,
            Way::Up => {
                bytes.truncate(entries.saturating_sub(offset).min(bytes.len() as u64) as usize);
                true
            }
            Way::Down => end < answers || cut.make(),
        }
    };
    let wire = Wire::lying(relay.address, Box::new(lie));
    let (mut sender, mut receiver) = (Side::new(wire.address, "s"), Side::new(relay.address, "s"));
    sender.options.reconnect = Some(DEADLINE);
    receiver.options.reconnect = Some(Duration::from_secs(10));
    let (sent, received) = both(&sender, &[path(&root)], &receiver, &folder(to.path()));
    let (sent, received) = (sent.unwrap(), received.unwrap());
    assert_eq!((sent.folders, received.folders), (1, 1));
    assert_eq!((sent.reconnects, received.reconnects), (1, 1));
}

fn a_cut_while_standard_input_is_idle_is_mended_without_its_next_byte(backend: &str) {
    let relay = Relay::start(backend, &[]);
    let to = TempDir::new();
    let sent = content(1_000_000, 7);
    let cut = Arc::new(AtomicBool::new(false));
    let due = Arc::clone(&cut);
    // Cuts when it is told to, at the next word.
    let wire = Wire::lying(
        relay.address,
        Box::new(move |_, _, _| !due.swap(false, Ordering::Relaxed)),
    );
    let receiver = receive(&relay, relay.address, to.path(), &["-q"]);
    let mut sender = program("send_r", &[], wire.address, &["-v", "--stdin=stream"]);
    sender.stdin(Stdio::piped());
    let mut sender = start(sender);
    let mut input = sender.stdin.take().unwrap();
    input.write_all(&sent).unwrap();
    // All of it but the header of its last record and its tag, at least.
    assert!(wire.wait_moved(Way::Up, sent.len() as u64));
    let before = wire.seen_connections();
    cut.store(true, Ordering::Relaxed);
    // The offer, its announcement and the wish for the rest have to come before the next byte does.
    wait_until("the sender calls again", || {
        wire.seen_connections() > before
    });
    let (up, down) = (wire.moved(Way::Up), wire.moved(Way::Down));
    let handshake = 7 + 48 + 48 + 64;
    assert!(wire.wait_moved(Way::Up, up + handshake + 100));
    assert!(wire.wait_moved(Way::Down, down + 1 + 19 + 96 + 3 * NOP));
    let wanted = to.path().join("stream");
    assert!(!wanted.exists());
    drop(input);
    assert_well(sender);
    assert_well(receiver);
    assert!(fs::read(wanted).unwrap() == sent);
}

/// All that the sender may keep has come, and the sender has heard nothing of that when it is cut.
fn a_stream_of_which_no_acknowledgement_came_goes_on_after_a_cut(backend: &str) {
    let relay = Relay::start(backend, &[]);
    let to = TempDir::new();
    let sent = content(10_000_000, 7);
    let wanted = 1 + 19 + 96 + NOP + NOP + 48;
    let cut = Cut::default();
    let lie = move |way: Way, offset: u64, bytes: &mut Vec<u8>| {
        match way {
            _ if cut.is_over(way, offset) => return true,
            Way::Down => {
                bytes.truncate(wanted.saturating_sub(offset).min(bytes.len() as u64) as usize);
            }
            // It says that it is still there, and so has nothing else to say.
            Way::Up if offset > UNACKNOWLEDGED && bytes.len() as u64 == NOP => {
                return cut.make();
            }
            Way::Up => {}
        }
        true
    };
    let wire = Wire::lying(relay.address, Box::new(lie));
    let receiver = receive(&relay, relay.address, to.path(), &["-q"]);
    let mut sender = program("send_r", &[], wire.address, &["-q", "--stdin=stream"]);
    sender.stdin(Stdio::piped());
    let mut sender = start(sender);
    let mut input = sender.stdin.take().unwrap();
    thread::scope(|scope| {
        let sent = &sent;
        scope.spawn(move || {
            // It ends early when the sender does.
            let _ = input.write_all(sent);
        });
        assert_well(sender);
    });
    assert_well(receiver);
    assert!(fs::read(to.path().join("stream")).unwrap() == sent);
}

/// Two sparse files of the same size and time, too long to be hashed while a test waits.
fn endless(from: &TempDir, to: &TempDir) {
    let time = std::time::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    for folder in [from, to] {
        let file = File::create(folder.path().join("long")).unwrap();
        file.set_len(1 << 41).unwrap();
        file.set_modified(time).unwrap();
    }
}

fn a_long_hash_ends_with_the_job_and_with_the_line(backend: &str) {
    thread::scope(|scope| {
        for ends in ["receiver", "sender", "line"] {
            scope.spawn(move || a_long_hash_ends_with(ends, backend));
        }
    });
}

fn a_long_hash_ends_with(ends: &str, backend: &str) {
    let relay = Relay::start(backend, &[]);
    let (from, to) = (TempDir::new(), TempDir::new());
    endless(&from, &to);
    let due = Arc::new(AtomicBool::new(false));
    let cut = Arc::clone(&due);
    let wire = Wire::lying(
        relay.address,
        Box::new(move |_, _, _| !cut.load(Ordering::Relaxed)),
    );
    let (mut sender, mut receiver) = (Side::new(wire.address, "s"), Side::new(relay.address, "s"));
    // Only the words in between keep the two together while it is hashed.
    sender.endpoint.idle_timeout = Some(Duration::from_secs(2));
    receiver.endpoint.idle_timeout = Some(Duration::from_secs(2));
    let (sent, received) = thread::scope(|scope| {
        scope.spawn(|| {
            // More than what may wait to be taken.
            let words = 1 + 19 + 96 + 8 * NOP;
            assert!(wire.wait_moved(Way::Down, words));
            match ends {
                "receiver" => drop(receiver.cancel.cancel()),
                "sender" => drop(sender.cancel.cancel()),
                _ => due.store(true, Ordering::Relaxed),
            }
        });
        let arguments = [path(from.path().join("long"))];
        both(&sender, &arguments, &receiver, &folder(to.path()))
    });
    let (sent, received) = (sent.unwrap_err(), received.unwrap_err());
    match ends {
        "receiver" => assert_eq!(received.kind(), Kind::Cancelled),
        "sender" => {
            assert_eq!(sent.kind(), Kind::Cancelled);
            assert!(matches!(received, Error::EndedByPeer { .. }), "{received}");
        }
        _ => {}
    }
    assert_eq!(heard(&receiver, "Skipped"), 0, "{ends}");
    assert_eq!(names(to.path()), ["long"]);
}

fn another_sender_in_the_window_is_a_new_offer(backend: &str) {
    let relay = Relay::start(backend, &[]);
    let (from, to) = (TempDir::new(), TempDir::new());
    for name in ["one", "two"] {
        fs::write(from.path().join(name), content(3_000_000, 1)).unwrap();
    }
    let cuts = AtomicU64::new(0);
    let wire = Wire::lying(
        relay.address,
        Box::new(move |way, offset, _| {
            way == Way::Down || offset < 1_000_000 || cuts.fetch_add(1, Ordering::Relaxed) > 1
        }),
    );
    let asked = Arc::new(AtomicUsize::new(0));
    let mut receiver = Side::new(relay.address, "s");
    receiver.options.reconnect = Some(DEADLINE);
    let count = Arc::clone(&asked);
    receiver.options.accept = Some(Box::new(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        true
    }));
    let sender = |reconnect| {
        let mut sender = Side::new(wire.address, "s");
        sender.options.reconnect = reconnect;
        sender
    };
    let place = folder(to.path());
    thread::scope(|scope| {
        let receiving = scope.spawn(|| receiver.receive(&place));
        wait_until("the receiver waits", || heard(&receiver, "Waiting") > 0);
        // The first is cut and does not come back.
        let sent = sender(None).send(&[path(from.path().join("one"))]);
        assert!(sent.is_err());
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        // The second is cut and does.
        let sent = sender(Some(DEADLINE)).send(&[path(from.path().join("two"))]);
        assert_eq!(sent.unwrap().reconnects, 1);
        let received = receiving.join().unwrap().unwrap();
        assert_eq!(received.files, 1);
        assert_eq!(received.received[0].name, b"two");
    });
    assert_eq!(asked.load(Ordering::Relaxed), 2);
    assert_eq!(
        names(to.path()),
        ["one.p2pxfer-journal", "one.p2pxfer-part", "two"]
    );
}

/// Waits in the receiver's place with another secret, up to the sender's refusal.
fn impostor(relay: &Relay) {
    let mut stream = relay.connect();
    stream.write_all(&hello(b'T', b"alice")).unwrap();
    relay.wait_registered(&stream);
    let user = UserId::new(b"alice").unwrap();
    let secret = Secret::new(b"wrong".to_vec()).unwrap();
    let mut machine = Responder::new(&user, Some(&secret), false, [7; ENTROPY]);
    loop {
        let bytes = read(&mut stream, machine.wanted());
        match machine.handle(&bytes) {
            Ok((_, Step::More)) => {}
            Ok((_, Step::Send(bytes))) => stream.write_all(&bytes).unwrap(),
            _ => break,
        }
    }
    // It does not wait for another guess.
    assert_eq!(read_to_end(&mut stream), b"");
}

fn an_impostor_in_the_window_does_not_end_the_sender(backend: &str) {
    let relay = Relay::start(backend, &[]);
    let (from, to) = (TempDir::new(), TempDir::new());
    let file = from.path().join("m");
    fs::write(&file, content(3_000_000, 1)).unwrap();
    let cuts = AtomicU64::new(0);
    let wire = Wire::lying(
        relay.address,
        Box::new(move |way, offset, _| {
            way == Way::Down || offset < 1_000_000 || cuts.fetch_add(1, Ordering::Relaxed) > 0
        }),
    );
    let mut sender = Side::new(wire.address, "s");
    sender.options.reconnect = Some(Duration::from_secs(60));
    let first = Side::new(relay.address, "s");
    let place = folder(to.path());
    thread::scope(|scope| {
        let receiving = scope.spawn(|| first.receive(&place));
        wait_until("the receiver waits", || heard(&first, "Waiting") > 0);
        let sending = scope.spawn(|| sender.send(&[path(&file)]));
        assert!(receiving.join().unwrap().is_err());
        let begin = Instant::now();
        impostor(&relay);
        impostor(&relay);
        // One second after the first guess, and two after the second.
        assert!(begin.elapsed() >= Duration::from_secs(1));
        let second = Side::new(relay.address, "s");
        let received = second.receive(&place).unwrap();
        assert!(begin.elapsed() >= Duration::from_secs(3));
        assert!(received.resumed > 0);
        assert_eq!(sending.join().unwrap().unwrap().files, 1);
    });
    assert!(heard(&sender, "Reconnecting") >= 3);
    assert_eq!(names(to.path()), ["m"]);
}
