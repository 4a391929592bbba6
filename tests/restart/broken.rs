//! Takeovers that meet something else at the same time: an end, a stranger, another takeover.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::common::{DEADLINE, Relay, on_every_backend, read, read_to_end, wait_until};
use super::takeover::{assert_meet, start};
use super::temp::TempDir;

on_every_backend! {
    a_new_relay_is_sent_no_more_than_64_connections_that_it_has_not_taken
    a_signal_amid_a_takeover_leaves_the_name_to_the_new_relay
    a_signal_amid_a_takeover_that_fails_ends_the_relay_and_its_name
    of_two_new_relays_at_once_the_second_takes_over_from_the_first
    a_relay_that_is_to_listen_elsewhere_is_refused_and_the_old_one_goes_on
    another_user_gets_nothing_and_gives_nothing
}

/// A new relay that speaks for itself.
struct New(UnixStream);

impl New {
    fn ask(path: &Path) -> Self {
        let mut stream = UnixStream::connect(path).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.write_all(b"R\x01").unwrap();
        Self(stream)
    }

    /// The letter of the next message; its descriptors are closed unseen.
    fn next(&mut self) -> u8 {
        let [letter, high, low] = read(&mut self.0, 3)[..] else {
            unreachable!("three were read");
        };
        read(&mut self.0, u16::from_be_bytes([high, low]).into());
        letter
    }

    fn say(&mut self, letter: u8) {
        self.0.write_all(&[letter]).unwrap();
    }
}

fn a_new_relay_is_sent_no_more_than_64_connections_that_it_has_not_taken(backend: &str) {
    let folder = TempDir::new();
    let path = folder.path().join("door");
    let relay = start(backend, &path);
    let waiting: Vec<_> = (0..130).map(|_| relay.listener(b"alice")).collect();
    let mut new = New::ask(&path);
    assert_eq!(new.next(), b'H');
    for _ in 0..2 {
        for _ in 0..64 {
            assert_eq!(new.next(), b'G');
        }
        let moment = Some(Duration::from_millis(100));
        new.0.set_read_timeout(moment).unwrap();
        let more = new.0.read(&mut [0]).map_err(|error| error.kind());
        assert_eq!(more, Err(ErrorKind::WouldBlock));
        new.0.set_read_timeout(Some(DEADLINE)).unwrap();
        new.say(b'K');
    }
    assert_eq!([new.next(), new.next(), new.next()], *b"GGD");
    drop(new);
    for listener in waiting {
        assert_meet(listener, &relay, b"alice");
    }
}

/// A relay that another is about to take over from; a pair of it, one that waits, and the other.
fn amid(backend: &str, path: &Path) -> (Relay, (TcpStream, TcpStream), TcpStream, New) {
    let relay = start(backend, path);
    let pair = relay.pair(b"alice");
    let waiting = relay.listener(b"bob");
    let mut new = New::ask(path);
    assert_eq!([new.next(), new.next(), new.next()], *b"HGD");
    (relay, pair, waiting, new)
}

fn a_signal_amid_a_takeover_leaves_the_name_to_the_new_relay(backend: &str) {
    let folder = TempDir::new();
    let path = folder.path().join("door");
    let (mut relay, pair, _waiting, mut new) = amid(backend, &path);
    relay.signal("TERM");
    // The time in which the name would go.
    std::thread::sleep(Duration::from_millis(100));
    new.say(b'A');
    assert_eq!(new.next(), b'C');
    drop(pair);
    assert_eq!(relay.wait_ended(), Some(0));
    assert!(path.exists(), "the name is gone");
}

fn a_signal_amid_a_takeover_that_fails_ends_the_relay_and_its_name(backend: &str) {
    let folder = TempDir::new();
    let path = folder.path().join("door");
    let (mut relay, pair, mut waiting, new) = amid(backend, &path);
    relay.signal("TERM");
    drop(new);
    assert_eq!(read_to_end(&mut waiting), b"");
    assert!(relay.runs());
    wait_until("the name is gone", || !path.exists());
    drop(pair);
    assert_eq!(relay.wait_ended(), Some(0));
}

fn of_two_new_relays_at_once_the_second_takes_over_from_the_first(backend: &str) {
    let folder = TempDir::new();
    let path = folder.path().join("door");
    for _ in 0..5 {
        let mut first = start(backend, &path);
        let waiting: Vec<_> = (0..100).map(|_| first.listener(b"alice")).collect();
        let [one, other] = std::thread::scope(|scope| {
            let both = [(), ()].map(|()| scope.spawn(|| start(backend, &path)));
            both.map(|each| each.join().unwrap())
        });
        assert_eq!(first.wait_ended(), Some(0));
        let mut both = [one, other];
        wait_until("only one is left", || {
            both.iter_mut().any(|each| !each.runs())
        });
        let mut left = both
            .into_iter()
            .filter_map(|mut each| each.runs().then_some(each));
        let last = left.next().expect("somebody serves");
        for listener in waiting {
            assert_meet(listener, &last, b"alice");
        }
        last.signal("TERM");
    }
}

fn a_relay_that_is_to_listen_elsewhere_is_refused_and_the_old_one_goes_on(backend: &str) {
    let folder = TempDir::new();
    let path = folder.path().join("door");
    let relay = start(backend, &path);
    let waiting = relay.listener(b"alice");
    let output = Command::new(env!("CARGO_BIN_EXE_p2p-relay"))
        .args(["--bind", "127.0.0.2", "--takeover", path.to_str().unwrap()])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let words = "listens on address 127.0.0.1, not 127.0.0.2";
    assert!(said.contains(words), "{said}");
    assert_meet(waiting, &relay, b"alice");
}

const NOBODY: u32 = 65_534;

fn another_user_gets_nothing_and_gives_nothing(backend: &str) {
    let folder = TempDir::new();
    // A place where it may run the program, too.
    let program = folder.path().join("p2p-relay");
    std::fs::copy(env!("CARGO_BIN_EXE_p2p-relay"), &program).unwrap();
    let theirs = folder.path().join("theirs");
    std::fs::create_dir(&theirs).unwrap();
    for open in [folder.path(), &program] {
        std::fs::set_permissions(open, PermissionsExt::from_mode(0o755)).unwrap();
    }
    if let Err(error) = chown(&theirs, Some(NOBODY), None) {
        eprintln!("SKIP restart/users: root only: {error}");
        return;
    }
    let as_nobody = |path: &Path| {
        let mut command = Command::new(&program);
        command.args(["--backend", backend, "--log-ids", "--bind", "127.0.0.1"]);
        command.args(["--takeover", path.to_str().unwrap(), "0"]);
        command.uid(NOBODY).stdin(std::process::Stdio::null());
        command
    };
    let ours = folder.path().join("ours");
    let relay = start(backend, &ours);
    let waiting = relay.listener(b"alice");
    // As on a system that does not heed the mode of a socket's name.
    std::fs::set_permissions(&ours, PermissionsExt::from_mode(0o666)).unwrap();
    let output = as_nobody(&ours).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_meet(waiting, &relay, b"alice");

    let theirs = theirs.join("door");
    let stranger = Relay::start_with(&mut as_nobody(&theirs));
    let waiting = stranger.listener(b"bob");
    let output = Command::new(&program)
        .args(["--takeover", theirs.to_str().unwrap(), "0"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("another user's"), "{said}");
    assert_meet(waiting, &stranger, b"bob");
}
