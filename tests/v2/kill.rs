//! The two programs, and their end by force in the middle of a transfer.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::common::{Relay, wait_until};
use super::end;
use super::temp::TempDir;
use super::trees::{assert_same, names};
use super::wire::{Way, Wire};

/// A program with these words in front of user id, host and port; both sides have the same secret.
pub(crate) fn program(name: &str, words: &[&str], relay: SocketAddr, options: &[&str]) -> Command {
    let path = match name {
        "send_r" => env!("CARGO_BIN_EXE_send_r"),
        _ => env!("CARGO_BIN_EXE_recv_r"),
    };
    let mut command = Command::new(path);
    command
        .args(options)
        .args(words)
        .args(["alice", &relay.ip().to_string(), &relay.port().to_string()])
        .env("P2PXFER_SECRET", "correct horse")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// Starts it.
pub(crate) fn start(mut command: Command) -> Child {
    command.spawn().expect("the program starts")
}

/// A receiver that the relay knows.
pub(crate) fn receive(relay: &Relay, through: SocketAddr, to: &Path, options: &[&str]) -> Child {
    let before = registered(relay);
    let mut command = program("recv_r", &["-"], through, options);
    command.arg("-o").arg(to);
    let child = start(command);
    wait_until("the receiver waits", || registered(relay) > before);
    child
}

/// How many listeners the relay has had.
pub(crate) fn registered(relay: &Relay) -> usize {
    let lines = relay.log.lines();
    let registered = lines.iter().filter(|line| line.starts_with("registered"));
    registered.count()
}

/// It ends with 0; what it said.
#[track_caller]
pub(crate) fn assert_well(child: Child) -> String {
    let output = end::output(child);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    said
}

/// What a program's last line of `--json` says under this name.
fn told(output: &Path, name: &str) -> u64 {
    let text = fs::read_to_string(output).expect("it wrote there");
    let last = text.lines().last().unwrap_or_default();
    let (_, rest) = last.split_once(&format!("\"{name}\":")).expect("a number");
    let end = rest.find(|char: char| !char.is_ascii_digit());
    rest[..end.unwrap_or(rest.len())].parse().expect("a number")
}

/// How many bytes there are in files that are not complete.
fn in_parts(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else {
        return 0;
    };
    let entries = entries.map(|entry| entry.expect("an entry").path());
    let sizes = entries.map(|path| {
        let is_part = path.to_string_lossy().ends_with(".p2pxfer-part");
        match path.symlink_metadata() {
            Ok(metadata) if metadata.is_dir() => in_parts(&path),
            Ok(metadata) if is_part => metadata.len(),
            // It has just got its name.
            _ => 0,
        }
    });
    sizes.sum()
}

/// A receiver that writes its events there.
fn receiver(relay: SocketAddr, to: &Path, events: &Path) -> Child {
    let mut command = program("recv_r", &["-"], relay, &["--json"]);
    command.arg("-o").arg(to);
    command.stdout(File::create(events).expect("a file of our own"));
    start(command)
}

/// Kills the sender, the receiver or the relay when so many bytes have gone down to the receiver, starts it
/// again, and compares what arrived. How many bytes of files the receiver had and got again.
pub(crate) fn kill_at(backend: &str, root: &Path, at: u64, who: &str) -> u64 {
    let what = format!("the {who} is killed at {at}");
    let (to, log) = (TempDir::new(), TempDir::new());
    let events = log.path().join("events");
    let mut relay = Relay::start(backend, &[]);
    let wire = Wire::new(relay.address);
    let send = || {
        start(program(
            "send_r",
            &[root.to_str().expect("UTF-8")],
            wire.address,
            &["--wait=30"],
        ))
    };
    let mut receiving = receiver(wire.address, to.path(), &events);
    wait_until("the receiver waits", || registered(&relay) > 0);
    let mut sender = send();
    // Both sides go over the wire, so the receiver's half of the relayed bytes is the way down.
    assert!(wire.wait_moved(Way::Down, at), "{what}");
    let had = match who {
        "sender" => {
            let _ = sender.kill();
            let _ = sender.wait();
            wait_until("the receiver waits again", || {
                registered(&relay) > 1 || matches!(receiving.try_wait(), Ok(Some(_)))
            });
            let had = in_parts(to.path());
            sender = send();
            Some(had)
        }
        "receiver" => {
            let _ = receiving.kill();
            let _ = receiving.wait();
            let had = in_parts(to.path());
            receiving = receiver(wire.address, to.path(), &events);
            Some(had)
        }
        _ => {
            let next = Relay::start(backend, &[]);
            wire.lead_to(next.address);
            relay = next;
            None
        }
    };
    let ends = [end::output(sender), end::output(receiving)];
    let said = ends
        .each_ref()
        .map(|end| String::from_utf8_lossy(&end.stderr).into_owned());
    let statuses = ends.each_ref().map(|end| end.status.code());
    assert_eq!(statuses, [Some(0); 2], "{what}: {said:?}");
    assert_same(root, &to.path().join("tree"));
    assert_eq!(names(to.path()), ["tree"], "{what}");
    drop(relay);
    match had {
        // A sender or a receiver that is new knows nothing of what was there before, but that it went on.
        Some(had) => had.saturating_sub(told(&events, "resumed")),
        None => told(&events, "again"),
    }
}
