//! What crosses, and how it is there afterwards.

use std::fs::{self, File};
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime};

use p2pxfer::client::{self, Argument, Report};
use p2pxfer::transfer::{Error, Event, Input, Kind};

use super::common::{Relay, on_every_backend};
use super::pair::{Side, both, folder, path};
use super::temp::TempDir;
use super::trees::{assert_same, content, names, plant};

on_every_backend! {
    a_file_crosses_with_and_without_a_secret
    files_of_every_size_around_a_border_cross
    a_folder_crosses_with_its_structure_times_and_execute_bits
    many_small_files_cross
    a_text_is_shown_and_becomes_no_file
    what_is_there_already_is_not_sent_again
    a_name_that_is_taken_is_kept_and_the_new_file_gets_another
    wrong_secrets_are_told_to_both_and_nothing_is_left
    an_offer_that_is_declined_is_told_to_both
    streams_cross_one_after_the_other
    what_panics_in_the_callers_code_comes_out_and_leaves_nobody_waiting
}

/// Sends into `to` without a secret; both reports.
fn cross(relay: &Relay, arguments: &[Argument], to: &Path) -> (Report, Report) {
    let (sender, receiver) = (Side::new(relay.address, ""), Side::new(relay.address, ""));
    let (sent, received) = both(&sender, arguments, &receiver, &folder(to));
    (sent.expect("it is sent"), received.expect("it is received"))
}

fn a_file_crosses_with_and_without_a_secret(backend: &str) {
    let relay = Relay::start(backend, &[]);
    for secret in ["", "correct horse"] {
        let (from, to) = (TempDir::new(), TempDir::new());
        let content = content(3_000_000, 1);
        fs::write(from.path().join("a.bin"), &content).unwrap();
        let sender = Side::new(relay.address, secret);
        let receiver = Side::new(relay.address, secret);
        let arguments = [path(from.path().join("a.bin"))];
        let (sent, received) = both(&sender, &arguments, &receiver, &folder(to.path()));
        for report in [sent.unwrap(), received.unwrap()] {
            assert_eq!((report.version, report.verified), (2, !secret.is_empty()));
            assert_eq!((report.files, report.bytes), (1, 3_000_000));
            assert_eq!((report.again, report.resumed, report.skipped), (0, 0, 0));
        }
        assert!(fs::read(to.path().join("a.bin")).unwrap() == content);
        assert_eq!(names(to.path()), ["a.bin"]);
    }
}

fn files_of_every_size_around_a_border_cross(backend: &str) {
    let relay = Relay::start(backend, &[]);
    let (from, to) = (TempDir::new(), TempDir::new());
    let root = from.path().join("sizes");
    fs::create_dir(&root).unwrap();
    const BORDERS: [usize; 6] = [0, 1024, 65_536, 262_144, 1 << 20, 2 << 20];
    for border in BORDERS {
        for size in border.saturating_sub(1)..=border + 1 {
            fs::write(root.join(format!("{size}")), content(size, size as u64)).unwrap();
        }
    }
    let (sent, received) = cross(&relay, &[path(&root)], to.path());
    assert_eq!(sent.files, received.files);
    assert_same(&root, &to.path().join("sizes"));
    // Alone, an empty file needs version 2 too.
    let alone = TempDir::new();
    cross(&relay, &[path(root.join("0"))], alone.path());
    assert_eq!(fs::read(alone.path().join("0")).unwrap(), b"");
}

fn a_folder_crosses_with_its_structure_times_and_execute_bits(backend: &str) {
    let relay = Relay::start(backend, &[]);
    let (from, to) = (TempDir::new(), TempDir::new());
    let root = from.path().join("tree");
    plant(&root);
    let old = SystemTime::UNIX_EPOCH + Duration::new(1_234_567_890, 123_456_789);
    File::options()
        .append(true)
        .open(root.join("a/deep/one"))
        .unwrap()
        .set_modified(old)
        .unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let mode = |mode| fs::Permissions::from_mode(mode);
        fs::set_permissions(root.join("run"), mode(0o755)).unwrap();
        symlink("/etc/passwd", root.join("link")).unwrap();
        symlink("a", root.join("folder link")).unwrap();
    }
    let (sent, received) = cross(&relay, &[path(&root)], to.path());
    let arrived = to.path().join("tree");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(sent.left_out, 2);
        let mode = |name: &str| arrived.join(name).metadata().unwrap().permissions().mode();
        assert_eq!(mode("run") & 0o7100, 0o100);
        assert_eq!(mode("a/deep/one") & 0o7111, 0);
    }
    assert_same(&root, &arrived);
    let time = |path: &Path| path.metadata().unwrap().modified().unwrap();
    assert_eq!(time(&arrived.join("a/deep/one")), old);
    assert_eq!((sent.skipped, received.skipped), (0, 0));
    assert_eq!(sent.folders, received.folders);
    assert_eq!(names(to.path()), ["tree"]);
}

fn many_small_files_cross(backend: &str) {
    let relay = Relay::start(backend, &[]);
    let (from, to) = (TempDir::new(), TempDir::new());
    let root = from.path().join("many");
    fs::create_dir(&root).unwrap();
    for index in 0..3000 {
        fs::write(root.join(format!("f{index}")), content(index % 97, 5)).unwrap();
    }
    let (sent, received) = cross(&relay, &[path(&root)], to.path());
    assert_eq!((sent.files, received.files), (3000, 3000));
    assert_same(&root, &to.path().join("many"));
}

fn a_text_is_shown_and_becomes_no_file(backend: &str) {
    let relay = Relay::start(backend, &[]);
    let to = TempDir::new();
    let (sender, receiver) = (Side::new(relay.address, "s"), Side::new(relay.address, "s"));
    let arguments = [Argument::Text("the words".into())];
    let (sent, received) = both(&sender, &arguments, &receiver, &folder(to.path()));
    assert_eq!((sent.unwrap().files, received.unwrap().files), (1, 1));
    let shown = format!("Text {{ text: {:?} }}", b"the words");
    assert!(receiver.heard.lock().unwrap().contains(&shown));
    assert!(names(to.path()).is_empty());
}

fn what_is_there_already_is_not_sent_again(backend: &str) {
    let relay = Relay::start(backend, &[]);
    let (from, to) = (TempDir::new(), TempDir::new());
    let root = from.path().join("tree");
    plant(&root);
    cross(&relay, &[path(&root)], to.path());
    let (sent, received) = cross(&relay, &[path(&root)], to.path());
    for report in [&sent, &received] {
        assert_eq!(report.already, report.files);
        assert_eq!(report.skipped, 0);
    }
    assert_same(&root, &to.path().join("tree"));
    assert_eq!(names(to.path()), ["tree"]);
}

fn a_name_that_is_taken_is_kept_and_the_new_file_gets_another(backend: &str) {
    let relay = Relay::start(backend, &[]);
    let (from, to) = (TempDir::new(), TempDir::new());
    fs::write(from.path().join("a.txt"), "new").unwrap();
    fs::write(to.path().join("a.txt"), "old one").unwrap();
    let (_, received) = cross(&relay, &[path(from.path().join("a.txt"))], to.path());
    assert!(received.received[0].renamed);
    assert_eq!(
        fs::read_to_string(to.path().join("a.txt")).unwrap(),
        "old one"
    );
    assert_eq!(
        fs::read_to_string(to.path().join("a (1).txt")).unwrap(),
        "new"
    );
}

fn wrong_secrets_are_told_to_both_and_nothing_is_left(backend: &str) {
    let relay = Relay::start(backend, &[]);
    let (from, to) = (TempDir::new(), TempDir::new());
    fs::write(from.path().join("a"), "x").unwrap();
    for (ours, theirs) in [("one", "two"), ("one", ""), ("", "two")] {
        let (sender, receiver) = (
            Side::new(relay.address, ours),
            Side::new(relay.address, theirs),
        );
        let arguments = [path(from.path().join("a"))];
        let (sent, received) = both(&sender, &arguments, &receiver, &folder(to.path()));
        assert_eq!(sent.unwrap_err().kind(), Kind::Secret, "{ours} {theirs}");
        assert_eq!(
            received.unwrap_err().kind(),
            Kind::Secret,
            "{ours} {theirs}"
        );
        assert!(names(to.path()).is_empty());
    }
}

fn an_offer_that_is_declined_is_told_to_both(backend: &str) {
    let relay = Relay::start(backend, &[]);
    let (from, to) = (TempDir::new(), TempDir::new());
    fs::write(from.path().join("a"), "x").unwrap();
    let sender = Side::new(relay.address, "");
    let mut receiver = Side::new(relay.address, "");
    receiver.options.accept = Some(Box::new(|offer| offer.files() > 1));
    let arguments = [path(from.path().join("a"))];
    let (sent, received) = both(&sender, &arguments, &receiver, &folder(to.path()));
    assert_eq!(sent.unwrap_err().kind(), Kind::Refused);
    assert!(matches!(received.unwrap_err(), Error::Declined));
    assert!(names(to.path()).is_empty());
}

fn streams_cross_one_after_the_other(backend: &str) {
    let relay = Relay::start(backend, &[]);
    let to = TempDir::new();
    let contents = [content(20_000_000, 1), content(20_000_000, 2)];
    let streams: Vec<_> = ["one", "two"]
        .into_iter()
        .zip(&contents)
        .map(|(name, content)| {
            let input = Input::new(io::Cursor::new(content.clone()));
            Argument::Stream(name.into(), input)
        })
        .collect();
    cross(&relay, &streams, to.path());
    for (name, content) in ["one", "two"].into_iter().zip(&contents) {
        assert!(
            fs::read(to.path().join(name)).unwrap() == *content,
            "{name}"
        );
    }
}

/// Panics in the caller's own reader.
struct Panics;

impl Read for Panics {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        panic!("planted: the reader")
    }
}

fn what_panics_in_the_callers_code_comes_out_and_leaves_nobody_waiting(backend: &str) {
    let relay = Relay::start(backend, &[]);
    let (from, to) = (TempDir::new(), TempDir::new());
    fs::write(from.path().join("a"), content(3_000_000, 1)).unwrap();
    let arguments = [path(from.path().join("a"))];
    let panic = |event: &Event<'_>| {
        assert!(!matches!(event, Event::Started { .. }), "planted: an event");
        std::ops::ControlFlow::Continue(())
    };
    for sends in [true, false] {
        let (sender, receiver) = (Side::new(relay.address, ""), Side::new(relay.address, ""));
        let place = folder(to.path());
        thread::scope(|scope| {
            let receiving = scope.spawn(|| match sends {
                true => receiver.receive(&place).map(drop),
                false => {
                    let (at, cancel) = (&receiver.endpoint, &receiver.cancel);
                    let observer = &mut |event: Event<'_>| panic(&event);
                    client::receive(at, &receiver.options, &place, cancel, observer).map(drop)
                }
            });
            let mut sender = sender;
            sender.endpoint.wait = client::Wait::For(Duration::from_secs(30));
            let sent = catch_unwind(AssertUnwindSafe(|| match sends {
                false => sender.send(&arguments).map(drop),
                true => {
                    let (at, cancel) = (&sender.endpoint, &sender.cancel);
                    let observer = &mut |event: Event<'_>| panic(&event);
                    client::send(at, &sender.options, &arguments, cancel, observer).map(drop)
                }
            }));
            let received = receiving.join();
            assert_eq!(sent.is_err(), sends);
            assert_eq!(received.is_err(), !sends);
            // Whichever of the two did not panic.
            assert!(sent.or(received).expect("one of them").is_err());
        });
    }
    let (sender, receiver) = (Side::new(relay.address, ""), Side::new(relay.address, ""));
    let stream = Argument::Stream("s".into(), Input::new(Panics));
    let (sent, _) = both(&sender, &[stream], &receiver, &folder(to.path()));
    assert_eq!(sent.expect("it ends").skipped, 1);
}
