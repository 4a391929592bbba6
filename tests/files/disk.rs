//! A disk that takes no more.

use super::common::{Relay, on_every_backend};
use super::content;
use super::crossing::names;
use super::mount::Mount;
use super::program::{End, receive, send};
use super::temp::TempDir;

on_every_backend! {
    a_full_disk_is_a_local_file_error_and_leaves_no_part
}

fn assert_no_room(received: &End, sent: &End, why: &str) {
    assert_eq!(received.status, 7, "{received:?}");
    assert!(received.said.contains(why), "{received:?}");
    assert!([5, 6].contains(&sent.status), "{sent:?}");
}

fn a_full_disk_is_a_local_file_error_and_leaves_no_part(backend: &str) {
    let Some(mount) = Mount::new("files/full-disk", "size=1m") else {
        return;
    };
    let (relay, from) = (Relay::start(backend, &[]), TempDir::new());
    let source = from.path().join("file.bin");
    content::write(&source, 3_000_000);
    let receiver = receive(&relay, mount.path(), &[]);
    let sender = send(&source, relay.address, &[]);
    let (received, sent) = (receiver.end(), sender.end());
    assert_no_room(&received, &sent, "no space left on device");
    assert_eq!(names(mount.path()), [""; 0]);
}

// The standard library alone has no call that keeps the signal of this limit from killing us.
#[cfg(feature = "libc")]
mod with_libc {
    use std::process::Command;

    use super::*;
    use crate::program::{command, listen, quiet, with_words};

    on_every_backend! {
        a_file_over_the_limit_of_the_shell_is_a_local_file_error_and_leaves_no_part
    }

    fn a_file_over_the_limit_of_the_shell_is_a_local_file_error_and_leaves_no_part(backend: &str) {
        let (relay, from, to) = (Relay::start(backend, &[]), TempDir::new(), TempDir::new());
        let source = from.path().join("file.bin");
        content::write(&source, 3_000_000);
        let mut shell = quiet(Command::new("sh"));
        shell.args(["-c", "ulimit -f 100 && exec \"$0\" \"$@\""]);
        shell.arg(command("recv_r").get_program());
        let mut shell = with_words(shell, "-", relay.address, &[]);
        shell.arg("-o").arg(to.path());
        let receiver = listen(&relay, shell);
        let sender = send(&source, relay.address, &[]);
        let (received, sent) = (receiver.end(), sender.end());
        assert_no_room(&received, &sent, "file too large");
        assert_eq!(names(to.path()), [""; 0]);
    }
}
