//! Where a file goes that the user said a place for: links, what is exchanged meanwhile, late errors.

use std::io::Write;
use std::os::unix::fs::{FileTypeExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::common::{Relay, read};
use super::content;
use super::crossing::names;
use super::played;
use super::program::{End, Program, command, receive, send, skip, with_words};
use super::temp::TempDir;

fn source(folder: &TempDir) -> PathBuf {
    let path = folder.path().join("file.bin");
    content::write(&path, 100_000);
    path
}

/// How a receiver ends that got a whole file for `place`.
fn received(place: &Path, options: &[&str]) -> End {
    let (relay, from) = (Relay::start("threads", &[]), TempDir::new());
    let receiver = receive(&relay, place, options);
    let sender = send(&source(&from), relay.address, &[]);
    assert_eq!(sender.end().status, 0);
    receiver.end()
}

#[test]
fn a_link_that_the_user_named_is_followed_and_stays() {
    let (links, files, from) = (TempDir::new(), TempDir::new(), TempDir::new());
    let (link, file) = (links.path().join("link"), files.path().join("file"));
    std::fs::write(&file, b"old").unwrap();
    symlink(&file, &link).unwrap();
    assert_eq!(received(&link, &[]).status, 0);
    assert_eq!(names(files.path()), ["file", "file (1)"]);
    assert_eq!(std::fs::read(&file).unwrap(), b"old");
    assert_eq!(received(&link, &["--overwrite"]).status, 0);
    content::assert_same(&source(&from), &file);
    assert!(link.is_symlink());
    assert_eq!(names(links.path()), ["link"]);
}

#[test]
fn a_link_to_nothing_is_refused_before_a_sender_is_waited_for() {
    let folder = TempDir::new();
    let link = folder.path().join("link");
    symlink("nothing", &link).unwrap();
    let relay = Relay::start("threads", &[]);
    let mut command = with_words(
        command("recv_r"),
        "-",
        relay.address,
        &["--overwrite", "-o"],
    );
    command.arg(&link);
    let end = Program::start(command).end();
    assert_eq!(end.status, 7, "{end:?}");
    assert!(
        end.said.contains("is a link to a file that is not there"),
        "{end:?}"
    );
    assert!(link.is_symlink());
}

#[test]
fn dev_stdout_is_standard_output_also_when_that_is_a_file() {
    let (relay, from, to) = (Relay::start("threads", &[]), TempDir::new(), TempDir::new());
    let file = to.path().join("redirected");
    let mut command = with_words(
        command("recv_r"),
        "-",
        relay.address,
        &["-o", "/dev/stdout"],
    );
    command.stdout(std::fs::File::create(&file).unwrap());
    let receiver = super::program::listen(&relay, command);
    let source = source(&from);
    assert_eq!(send(&source, relay.address, &[]).end().status, 0);
    assert_eq!(receiver.end().status, 0);
    content::assert_same(&source, &file);
    assert_eq!(names(to.path()), ["redirected"]);
}

#[test]
fn what_came_under_the_name_meanwhile_is_replaced_only_when_it_is_a_file() {
    let (relay, folder) = (Relay::start("threads", &[]), TempDir::new());
    let receiver = receive(&relay, folder.path(), &["--overwrite"]);
    let mut sender = played::sender(&relay);
    sender.write_all(&played::header("file.bin", 1)).unwrap();
    assert_eq!(read(&mut sender, 1), b"O");
    let fifo = folder.path().join("file.bin");
    assert!(
        Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    sender
        .write_all(b"a97\0\0\0\0\0\0\0\0\0\0\0\0\0\0")
        .unwrap();
    assert_eq!(read(&mut sender, 1), b"X");
    drop(sender);
    let end = receiver.end();
    assert_eq!(end.status, 7, "{end:?}");
    assert!(end.said.contains("is not a regular file"), "{end:?}");
    assert!(fifo.metadata().unwrap().file_type().is_fifo());
    assert_eq!(names(folder.path()), ["file.bin"]);
}

/// A library that makes the close of every part file fail as late as NFS and quotas do.
const LATE: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int close(int descriptor)
{
    static const char end[] = ".part";
    char link[64], path[4096];
    ssize_t length;
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "close");
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    length = readlink(link, path, sizeof path);
    real(descriptor);
    if (length < (ssize_t)strlen(end) || memcmp(path + length - strlen(end), end, strlen(end)) != 0)
        return 0;
    errno = EDQUOT;
    return -1;
}
"#;

#[cfg(target_os = "linux")]
#[test]
fn an_error_as_late_as_the_close_is_a_local_file_error() {
    let (relay, from, to) = (Relay::start("threads", &[]), TempDir::new(), TempDir::new());
    let (code, library) = (from.path().join("late.c"), from.path().join("late.so"));
    std::fs::write(&code, LATE).unwrap();
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-o"]).arg(&library);
    if !compiler
        .arg(&code)
        .arg("-ldl")
        .status()
        .is_ok_and(|status| status.success())
    {
        skip("files/late-close: no C compiler");
        return;
    }
    let mut command = with_words(command("recv_r"), "-", relay.address, &[]);
    command.arg("-o").arg(to.path()).env("LD_PRELOAD", &library);
    let receiver = super::program::listen(&relay, command);
    let sent = send(&source(&from), relay.address, &[]).end();
    let end = receiver.end();
    assert_eq!((end.status, sent.status), (7, 6), "{end:?} {sent:?}");
    assert!(end.said.contains("quota exceeded"), "{end:?}");
    assert_eq!(names(to.path()), [""; 0]);
}
