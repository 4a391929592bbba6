//! Secrets: each source leads to a transfer, and no secret is ever shown.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::common::Relay;
use crate::run::{End, command, end, listen, meeting, run};
use crate::temp::TempDir;

const SECRET: &str = "open-sesame-4711";

/// How a program is given its secret.
type Way<'a> = &'a dyn Fn(&mut Command);

fn without(_: &mut Command) {}

/// A receiver and a sender that get the secret by these ways cross a file and say all they can.
fn cross(receiver: Way<'_>, sender: Way<'_>) -> (End, End) {
    let relay = Relay::start("threads", &["--log-ids"]);
    let (from, to) = (TempDir::new(), TempDir::new());
    std::fs::write(from.path().join("a.txt"), b"hello, world\n").unwrap();
    let mut receive = meeting("recv_r", to.path(), &relay, &["-v", "-"]);
    receiver(&mut receive);
    let receiver = listen(&relay, &mut receive);
    let mut send = meeting("send_r", from.path(), &relay, &["-v", "a.txt"]);
    sender(&mut send);
    let sent = run(&mut send);
    let received = end(receiver);
    if received.status == 0 {
        let content = std::fs::read(to.path().join("a.txt")).unwrap();
        assert_eq!(content, b"hello, world\n");
    }
    for line in relay.log.lines() {
        assert!(!line.contains(SECRET), "{line}");
    }
    for end in [&sent, &received] {
        assert!(!end.said.contains(SECRET) && !end.told.contains(SECRET));
    }
    (sent, received)
}

fn by_environment(command: &mut Command) {
    command.env("P2PXFER_SECRET", SECRET);
}

fn file(folder: &Path, content: &str) -> std::path::PathBuf {
    let path = folder.join("secret");
    std::fs::write(&path, content).unwrap();
    protect(&path, 0o600);
    path
}

#[cfg(unix)]
fn protect(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[cfg(not(unix))]
fn protect(_: &Path, _: u32) {}

#[test]
fn the_same_secret_from_any_two_sources_verifies_both_sides() {
    let folder = TempDir::new();
    let path = file(folder.path(), &format!("{SECRET}\n"));
    let by_file = |command: &mut Command| {
        command.arg("--secret-file").arg(&path);
    };
    let by_descriptor = |command: &mut Command| {
        let lines = folder.path().join("lines");
        std::fs::write(&lines, format!("{SECRET}\r\nthe next line\n")).unwrap();
        command.stdin(std::fs::File::open(lines).unwrap());
        command.args(["--secret-fd", "0", "--require-secret"]);
    };
    let pairs: [(Way<'_>, Way<'_>); 3] = [
        (&by_environment, &by_file),
        (&by_file, &by_descriptor),
        (&by_descriptor, &by_environment),
    ];
    for (receiver, sender) in pairs {
        let (sent, received) = cross(receiver, sender);
        assert_eq!(
            (sent.status, received.status),
            (0, 0),
            "{sent:?} {received:?}"
        );
        for end in [sent, received] {
            assert!(
                end.said.contains("encrypted, verified by the secret"),
                "{end:?}"
            );
        }
    }
}

#[test]
fn without_a_secret_it_is_encrypted_and_both_sides_say_that_nobody_is_verified() {
    let (sent, received) = cross(&without, &without);
    assert_eq!(
        (sent.status, received.status),
        (0, 0),
        "{sent:?} {received:?}"
    );
    for end in [sent, received] {
        assert!(
            end.said.contains("version 2: encrypted, not verified"),
            "{end:?}"
        );
    }
}

#[test]
fn version_1_alone_says_that_it_is_neither_encrypted_nor_verified() {
    let version1 = |command: &mut Command| {
        command.arg("--v1");
    };
    let pairs: [(Way<'_>, Way<'_>); 2] = [(&version1, &without), (&without, &version1)];
    for (receiver, sender) in pairs {
        let (sent, received) = cross(receiver, sender);
        assert_eq!(
            (sent.status, received.status),
            (0, 0),
            "{sent:?} {received:?}"
        );
        for end in [sent, received] {
            assert!(
                end.said.contains("version 1: not encrypted, not verified"),
                "{end:?}"
            );
        }
    }
}

#[test]
fn another_secret_or_one_on_one_side_only_is_a_status_of_its_own() {
    let other = |command: &mut Command| {
        command.env("P2PXFER_SECRET", "another");
    };
    let pairs: [(Way<'_>, Way<'_>); 3] = [
        (&by_environment, &other),
        (&by_environment, &without),
        (&without, &by_environment),
    ];
    for (receiver, sender) in pairs {
        let (sent, received) = cross(receiver, sender);
        assert_eq!(
            (sent.status, received.status),
            (11, 11),
            "{sent:?} {received:?}"
        );
    }
}

#[cfg(unix)]
#[test]
fn a_new_secret_is_one_line_that_a_shell_runs() {
    use std::io::{BufRead, BufReader};
    let relay = Relay::start("threads", &["--log-ids"]);
    let (from, to) = (TempDir::new(), TempDir::new());
    std::fs::write(from.path().join("it's"), b"x").unwrap();
    let mut receive = command("recv_r");
    let port = relay.address.port().to_string();
    // An id that a shell would take apart.
    let words = [
        "-",
        "a b;c'd",
        "127.0.0.1",
        &port,
        "--new-secret",
        "--json",
        "-v",
    ];
    receive.current_dir(to.path()).args(words);
    let mut receiver = receive.spawn().unwrap();
    let mut said = BufReader::new(receiver.stderr.take().unwrap());
    let mut lines = [String::new(), String::new()];
    for line in &mut lines {
        said.read_line(line).unwrap();
    }
    let line = lines[1].trim_end();
    let words: Vec<_> = line.split(['=', ' ']).collect();
    assert_eq!(words[..1], ["P2PXFER_SECRET"], "{line}");
    let secret = words[1];
    let is_word = |word: &str| word.len() == 5 && word.bytes().all(|b| b.is_ascii_lowercase());
    assert!(
        secret.split('-').count() == 4 && secret.split('-').all(is_word),
        "{line}"
    );
    relay.wait_for("registered", &[]);
    let binaries = Path::new(crate::run::path("send_r")).parent().unwrap();
    let line = line.replace("FILE", "\"it's\" -v");
    let mut shell = Command::new("/bin/sh");
    shell
        .args(["-c", &line])
        .current_dir(from.path())
        .env("PATH", binaries)
        .env_remove("P2PXFER_SECRET")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let sent = run(&mut shell);
    let received = end(receiver);
    assert_eq!(
        (sent.status, received.status),
        (0, 0),
        "{sent:?} {received:?}"
    );
    assert_eq!(std::fs::read(to.path().join("it's")).unwrap(), b"x");
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut said, &mut rest).unwrap();
    let log = relay.log.lines().join("\n");
    for text in [&sent.said, &sent.told, &received.told, &rest, &log] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn no_secret_stands_on_the_command_line_of_a_running_program() {
    let relay = Relay::start("threads", &[]);
    let folder = TempDir::new();
    let path = file(folder.path(), SECRET);
    let words = [
        OsStr::new("--secret-file"),
        path.as_os_str(),
        OsStr::new("-"),
    ];
    let mut receive = meeting("recv_r", folder.path(), &relay, &words);
    let mut receiver = listen(&relay, &mut receive);
    let line = std::fs::read(format!("/proc/{}/cmdline", receiver.id())).unwrap();
    assert!(!String::from_utf8_lossy(&line).contains(SECRET));
    receiver.kill().unwrap();
    receiver.wait().unwrap();
}

#[cfg(unix)]
#[test]
fn a_secret_that_cannot_be_had_is_an_error_that_says_why_and_shows_nothing_of_it() {
    let folder = TempDir::new();
    let path = file(folder.path(), SECRET);
    let shown = path.to_str().unwrap().to_string();
    let words = ["a", "alice", "127.0.0.1", "1"];
    let run = |options: &[&str]| run(command("send_r").args(options).args(words));
    for mode in [0o640, 0o604, 0o660, 0o644] {
        protect(&path, mode);
        let end = run(&["--secret-file", &shown]);
        assert!(
            end.status == 7 && end.said.contains("by others: chmod 600"),
            "{end:?}"
        );
    }
    protect(&path, 0o600);
    let long = "x".repeat(1025);
    for (content, text) in [("", "empty"), ("\n", "empty"), (long.as_str(), "too long")] {
        std::fs::write(&path, content).unwrap();
        let end = run(&["--secret-file", &shown]);
        assert_eq!(end.status, 2, "{end:?}");
        assert!(end.said.contains(text), "{end:?}");
    }
    for (options, status, text) in [
        (
            &["--secret-file", "/no/such"][..],
            7,
            "/no/such: no such file",
        ),
        (&["--secret-file", "/"], 7, "/: is a directory"),
        (
            &["--secret-fd", "99"],
            7,
            "--secret-fd 99: bad file descriptor",
        ),
        (&["--secret-fd", "0"], 2, "--secret-fd: the secret is empty"),
        (
            &["--require-secret"],
            2,
            "--require-secret: there is no secret",
        ),
    ] {
        let end = run(options);
        assert_eq!(end.status, status, "{end:?}");
        assert!(end.said.contains(text), "{end:?}");
    }
    let end = self::run(command("send_r").env("P2PXFER_SECRET", "").args(words));
    assert!(
        end.status == 2 && end.said.contains("P2PXFER_SECRET: the secret is empty"),
        "{end:?}"
    );
    let both = ["--secret-file", &shown];
    let end = self::run(
        command("send_r")
            .env("P2PXFER_SECRET", SECRET)
            .args(both)
            .args(words),
    );
    assert!(
        end.status == 2 && end.said.contains("both give a secret"),
        "{end:?}"
    );
    assert!(!end.said.contains(SECRET), "{end:?}");
}
