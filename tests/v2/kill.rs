//! The two programs, and their end by force in the middle of a transfer.

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

/// Kills the sender, the receiver or the relay when so many bytes have gone down to the receiver, starts it
/// again, and compares what arrived.
pub(crate) fn kill_at(backend: &str, root: &Path, at: u64, who: &str) {
    let what = format!("the {who} is killed at {at}");
    let to = TempDir::new();
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
    let mut receiver = receive(&relay, wire.address, to.path(), &["-q"]);
    let mut sender = send();
    // Both sides go over the wire, so the receiver's half of the relayed bytes is the way down.
    assert!(wire.wait_moved(Way::Down, at), "{what}");
    match who {
        "sender" => {
            let _ = sender.kill();
            let _ = sender.wait();
            sender = send();
        }
        "receiver" => {
            let _ = receiver.kill();
            let _ = receiver.wait();
            receiver = start({
                let mut command = program("recv_r", &["-"], wire.address, &["-q"]);
                command.arg("-o").arg(to.path());
                command
            });
        }
        _ => {
            let next = Relay::start(backend, &[]);
            wire.lead_to(next.address);
            relay = next;
        }
    }
    let ends = [end::output(sender), end::output(receiver)];
    let said = ends
        .each_ref()
        .map(|end| String::from_utf8_lossy(&end.stderr).into_owned());
    // A sender that is started again after all was there finds nobody: then the receiver has it all.
    let statuses = ends.each_ref().map(|end| end.status.code());
    assert_eq!(statuses, [Some(0); 2], "{what}: {said:?}");
    assert_same(root, &to.path().join("tree"));
    assert_eq!(names(to.path()), ["tree"], "{what}");
    drop(relay);
}
