//! Disks that are full or may not be written to, through the programs.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::common::{Relay, on_every_backend, wait_until};
use super::end;
use super::kill::{program, receive, registered, start};
use super::mount::Mount;
use super::temp::TempDir;
use super::trees::{content, names};

on_every_backend! {
    a_full_disk_is_told_to_both_and_the_next_run_goes_on
    a_folder_that_may_not_be_written_to_is_told_before_anybody_is_waited_for
    a_name_that_the_disk_does_not_confirm_is_told_as_that_and_the_next_run_confirms_it
}

fn said(child: Child) -> (Option<i32>, String) {
    let output = end::output(child);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), said)
}

fn a_full_disk_is_told_to_both_and_the_next_run_goes_on(backend: &str) {
    let Some(small) = Mount::new("v2/full-disk", "size=6m") else {
        return;
    };
    let relay = Relay::start(backend, &[]);
    let from = TempDir::new();
    // Each fits, and both do not: that is seen when the second comes to its end only.
    for name in ["a", "b"] {
        fs::write(from.path().join(name), content(4_000_000, 3)).unwrap();
    }
    let run = |from: &Path| {
        let receiver = receive(&relay, relay.address, small.path(), &["-v"]);
        let words = [from.to_str().unwrap()];
        let sender = start(program("send_r", &words, relay.address, &["-v"]));
        [said(sender), said(receiver)]
    };
    let [sender, receiver] = run(from.path());
    assert_eq!(receiver.0, Some(15), "{}", receiver.1);
    assert_eq!(sender.0, Some(15), "{}", sender.1);
    assert!(sender.1.contains("space"), "{}", sender.1);
    let name = from.path().file_name().unwrap();
    let arrived = small.path().join(name);
    assert!(fs::read(arrived.join("a")).unwrap() == content(4_000_000, 3));
    let kept = names(&arrived);
    assert_eq!(kept, ["a", "b.p2pxfer-journal", "b.p2pxfer-part"]);
    // The first one makes room, and the second one goes on.
    fs::remove_file(arrived.join("a")).unwrap();
    fs::remove_file(from.path().join("a")).unwrap();
    let [sender, receiver] = run(from.path());
    assert_eq!((sender.0, receiver.0), (Some(0), Some(0)), "{}", receiver.1);
    assert!(receiver.1.contains("were there before"), "{}", receiver.1);
    assert!(fs::read(arrived.join("b")).unwrap() == content(4_000_000, 3));
    assert_eq!(names(&arrived), ["b"]);
}

fn a_folder_that_may_not_be_written_to_is_told_before_anybody_is_waited_for(backend: &str) {
    let Some(small) = Mount::new("v2/read-only", "ro") else {
        return;
    };
    let relay = Relay::start(backend, &[]);
    let mut command = program("recv_r", &["-"], relay.address, &[]);
    command.arg("-o").arg(small.path());
    let (code, said) = said(start(command));
    assert_eq!(code, Some(7), "{said}");
    let named = said.contains(small.path().to_str().unwrap());
    assert!(named && said.contains("read-only"), "{said}");
}

/// A receiver whose `number`th wait for the disk fails; 0 for none.
fn receive_failing(relay: &Relay, to: &Path, number: u32) -> Child {
    let before = registered(relay);
    let plain = program("recv_r", &["-"], relay.address, &["-v"]);
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync", "-e"]);
    command.arg(format!("inject=fsync:error=EIO:when={number}"));
    command.arg(plain.get_program()).args(plain.get_args());
    command.arg("-o").arg(to);
    command.env("P2PXFER_SECRET", "correct horse");
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let child = match number {
        0 => receive(relay, relay.address, to, &["-v"]),
        _ => start(command),
    };
    wait_until("the receiver waits", || registered(relay) > before);
    child
}

fn a_name_that_the_disk_does_not_confirm_is_told_as_that_and_the_next_run_confirms_it(
    backend: &str,
) {
    if Command::new("strace").arg("-V").output().is_err() {
        // Past the capture of what a test prints.
        let _ = writeln!(io::stderr(), "SKIP disk-unconfirmed: strace not installed");
        return;
    }
    let relay = Relay::start(backend, &[]);
    let (from, to) = (TempDir::new(), TempDir::new());
    let file = from.path().join("file");
    fs::write(&file, content(100_000, 3)).unwrap();
    let run = |failing| {
        let receiver = receive_failing(&relay, to.path(), failing);
        let words = [file.to_str().unwrap()];
        let sender = start(program("send_r", &words, relay.address, &["-v"]));
        [said(sender), said(receiver)]
    };
    // The bytes: nothing is there.
    let [sender, receiver] = run(1);
    assert_eq!((sender.0, receiver.0), (Some(6), Some(7)), "{}", receiver.1);
    assert!(names(to.path()).is_empty());
    // The name: it is there, whole, whatever a power cut would make of it. The second time it was there before.
    for failing in [2, 2] {
        let [sender, receiver] = run(failing);
        let both = (sender.0, receiver.0);
        assert_eq!(both, (Some(14), Some(14)), "{} {}", sender.1, receiver.1);
        assert!(
            receiver.1.contains("is there, whole, and"),
            "{}",
            receiver.1
        );
        assert!(sender.1.contains("has it, and"), "{}", sender.1);
        assert_eq!(names(to.path()), ["file"]);
        assert!(fs::read(to.path().join("file")).unwrap() == content(100_000, 3));
    }
    let [sender, receiver] = run(0);
    assert_eq!((sender.0, receiver.0), (Some(0), Some(0)), "{}", receiver.1);
    assert!(sender.1.contains("there already"), "{}", sender.1);
    assert_eq!(names(to.path()), ["file"]);
}
