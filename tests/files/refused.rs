//! What version 1 cannot carry is refused before anybody is called, and what it just can is not.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::net::TcpListener;
use std::path::Path;

use super::common::{Relay, on_every_backend, read, read_to_end};
use super::crossing::names;
use super::played;
use super::program::{End, Program, command, receive, send, with_words};
use super::temp::TempDir;

on_every_backend! {
    exactly_2047_mib_are_offered
    a_name_from_the_net_is_shown_without_what_a_terminal_obeys
}

const MOST: u64 = 2047 << 20;

fn sparse(folder: &TempDir, length: u64) -> std::path::PathBuf {
    let path = folder.path().join("sparse.bin");
    let made = File::create(&path).and_then(|file| file.set_len(length));
    made.expect("a file without blocks");
    path
}

/// How a program ends that was told of a relay, which nobody may have called then.
fn end_without_a_call(name: &str, file: &Path, options: &[&str]) -> End {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let end = Program::start(with_words(command(name), file, address, options)).end();
    let nobody = listener.accept().unwrap_err();
    assert_eq!(nobody.kind(), ErrorKind::WouldBlock, "{end:?}");
    end
}

#[test]
fn an_empty_file_and_one_over_2047_mib_are_refused_before_anybody_is_called() {
    let folder = TempDir::new();
    for (length, why) in [
        (
            0,
            "is empty: version 1 of the protocol cannot carry a file of 0 bytes",
        ),
        (
            MOST + 1,
            "has 2146435073 bytes: version 1 of the protocol carries at most 2047 MiB",
        ),
    ] {
        let end = end_without_a_call("send_r", &sparse(&folder, length), &[]);
        assert_eq!(end.status, 7, "{end:?}");
        assert!(end.said.contains(why), "{end:?}");
    }
}

fn exactly_2047_mib_are_offered(backend: &str) {
    let relay = Relay::start(backend, &[]);
    let folder = TempDir::new();
    let mut receiver = played::receiver(&relay);
    let sender = send(&sparse(&folder, MOST), relay.address, &[]);
    assert_eq!(read(&mut receiver, 48), played::header("sparse.bin", MOST));
    receiver.write_all(b"X").unwrap();
    assert_eq!(read_to_end(&mut receiver), b"");
    let end = sender.end();
    assert_eq!(end.status, 5, "{end:?}");
    assert!(
        end.said.contains("the receiver refused the file"),
        "{end:?}"
    );
}

#[cfg(unix)]
#[test]
fn a_fifo_is_refused_and_not_waited_on() {
    let folder = TempDir::new();
    let fifo = folder.path().join("fifo");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status();
    assert!(made.unwrap().success());
    let end = end_without_a_call("send_r", &fifo, &[]);
    assert_eq!(end.status, 7, "{end:?}");
    assert!(
        end.said.contains("is neither a file nor a folder"),
        "{end:?}"
    );
}

fn a_name_from_the_net_is_shown_without_what_a_terminal_obeys(backend: &str) {
    let folder = TempDir::new();
    let target = folder.path().join("mine");
    for (place, status, answers) in [(target.as_path(), 0, "OO"), (folder.path(), 9, "X")] {
        let relay = Relay::start(backend, &[]);
        let receiver = receive(&relay, place, &["-v"]);
        let mut sender = played::sender(&relay);
        let header = played::header("a\x1b[2J", 1);
        sender.write_all(&header).unwrap();
        sender
            .write_all(b"a97\0\0\0\0\0\0\0\0\0\0\0\0\0\0")
            .unwrap();
        assert_eq!(read(&mut sender, answers.len()), answers.as_bytes());
        drop(sender);
        let end = receiver.end();
        assert_eq!(end.status, status, "{end:?}");
        assert!(end.said.contains("'a\\x1b[2J'"), "{end:?}");
        assert!(!end.said.contains('\x1b'), "{end:?}");
        assert_eq!(end.said.contains("-o FILE takes it"), status == 9);
    }
}

#[test]
fn a_missing_folder_is_found_before_a_sender_is_waited_for() {
    let folder = TempDir::new();
    let missing = folder.path().join("missing").join("file");
    let place = missing.to_str().unwrap();
    let end = end_without_a_call("recv_r", Path::new("-"), &["-o", place]);
    assert_eq!(end.status, 7, "{end:?}");
    assert!(end.said.contains("missing: no such file"), "{end:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_takes_no_file_is_found_before_a_sender_is_waited_for() {
    // Nobody can make a file in there, root neither.
    for place in ["/proc", "/proc/file"] {
        let end = end_without_a_call("recv_r", Path::new("-"), &["-o", place]);
        assert_eq!(end.status, 7, "{end:?}");
        assert!(end.said.contains("/proc: "), "{end:?}");
    }
    let folder = TempDir::new();
    let mut permissions = std::fs::metadata(folder.path()).unwrap().permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(folder.path(), permissions).unwrap();
    // For root a folder is never without permission.
    if File::create(folder.path().join("probe")).is_err() {
        let place = folder.path().to_str().unwrap();
        let end = end_without_a_call("recv_r", Path::new("-"), &["-o", place]);
        assert_eq!(end.status, 7, "{end:?}");
        assert!(end.said.contains("permission denied"), "{end:?}");
        assert_eq!(names(folder.path()), [""; 0]);
    }
}
