//! What may stand at the path of a takeover.

use std::fs;
use std::process::{Command, Output};

use super::temp::TempDir;

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_p2p-relay"))
        .args(arguments)
        .output()
        .expect("p2p-relay starts")
}

/// Fails unless it fails with this status and one line with these words.
fn assert_fails(arguments: &[&str], status: i32, words: &[&str]) {
    let output = run(arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {said}");
    assert_eq!(said.lines().count(), 1, "{arguments:?}: {said}");
    for word in words {
        assert!(said.contains(word), "{arguments:?}: {said} has no '{word}'");
    }
}

#[test]
fn bad_values_are_said_in_one_line() {
    for value in ["x", "-5", "1.5", "", "99999999999999999999"] {
        assert_fails(&["--drain", value, "0"], 2, &["--drain", value]);
    }
    assert_fails(&["0", "--drain"], 2, &["--drain"]);
    assert_fails(&["0", "--takeover"], 2, &["--takeover"]);
    assert_fails(&["--takeover", "", "0"], 2, &["--takeover"]);
}

#[cfg(not(all(unix, feature = "libc")))]
#[test]
fn a_build_that_cannot_pass_sockets_says_so() {
    let folder = TempDir::new();
    let path = folder.path().join("door");
    assert_fails(
        &["--takeover", path.to_str().unwrap(), "0"],
        1,
        &["take over", "libc"],
    );
    assert!(!fs::exists(&path).unwrap());
}

#[cfg(all(unix, feature = "libc"))]
mod with_libc {
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::os::unix::net::UnixListener;

    use super::super::common::Relay;
    use super::*;

    #[test]
    fn what_is_no_socket_stays_and_is_said() {
        let folder = TempDir::new();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "precious").unwrap();
        symlink(folder.path().join("nowhere"), &link).unwrap();
        for path in [&file, &link] {
            let path = path.to_str().unwrap();
            assert_fails(&["--takeover", path, "0"], 1, &[path, "not a socket"]);
        }
        assert_eq!(fs::read(&file).unwrap(), b"precious");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        let long = folder.path().join("x".repeat(120));
        assert_fails(&["--takeover", long.to_str().unwrap(), "0"], 1, &["long"]);
        let nobody = folder.path().join("nobody");
        assert_fails(&["--takeover", nobody.to_str().unwrap()], 1, &["PORT"]);
        let lost = folder.path().join("no/such/folder");
        let lost = lost.to_str().unwrap();
        assert_fails(&["--takeover", lost, "0"], 1, &[lost, "no such file"]);
    }

    #[test]
    fn a_socket_that_nobody_listens_on_is_replaced_by_one_for_the_owner_only() {
        let folder = TempDir::new();
        let path = folder.path().join("door");
        drop(UnixListener::bind(&path).unwrap());
        let relay = Relay::start("threads", &["--takeover", path.to_str().unwrap()]);
        let mode = fs::symlink_metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        drop(relay);
        // Killed, it leaves its name, and the next begins there all the same.
        let relay = Relay::start("threads", &["--takeover", path.to_str().unwrap()]);
        drop(relay.pair(b"alice"));
    }
}
