//! The two programs: exit statuses, messages, signals.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;

use crate::relay::{Folder, Relay, wait_until};

/// Status, standard error, standard output.
type End = (i32, String, Vec<u8>);

struct Run {
    child: Child,
}

fn program(name: &str) -> Command {
    let path = match name {
        "send_r" => env!("CARGO_BIN_EXE_send_r"),
        _ => env!("CARGO_BIN_EXE_recv_r"),
    };
    let mut command = Command::new(path);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn start(name: &str, folder: &Path, args: &[impl AsRef<OsStr>]) -> Run {
    let child = program(name).current_dir(folder).args(args).spawn();
    Run {
        child: child.unwrap(),
    }
}

impl Run {
    fn end(self) -> End {
        let Output {
            status,
            stdout,
            stderr,
        } = crate::end::output(self.child);
        let stderr = String::from_utf8(stderr).unwrap();
        (status.code().unwrap_or(-1), stderr, stdout)
    }
}

fn run(name: &str, folder: &Path, args: &[&str]) -> End {
    start(name, folder, args).end()
}

fn port(relay: &Relay) -> String {
    relay.address.port().to_string()
}

/// Sends `file` to a receiver with `options` and gives back both ends.
fn cross(
    folder: &Folder,
    file: &str,
    send_options: &[&str],
    receive_options: &[&str],
) -> (End, End) {
    let relay = Relay::start();
    let port = port(&relay);
    let meet = ["alice", "127.0.0.1", &port];
    let receive = [&["-"], &meet[..], receive_options].concat();
    let receiver = start("recv_r", folder.path(), &receive);
    relay.await_listener("alice");
    let send = [&[file], &meet[..], send_options].concat();
    let sender = start("send_r", folder.path(), &send);
    // The receiver first: its output may be more than a pipe holds.
    let received = receiver.end();
    (sender.end(), received)
}

#[test]
fn a_file_crosses_and_each_side_says_so_in_one_line() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path().join("in")).unwrap();
    let source = folder.file("hello.txt", b"hello, world\n");
    let (sent, received) = cross(&folder, source.to_str().unwrap(), &[], &["-o", "in"]);
    assert_eq!((sent.0, received.0), (0, 0), "{sent:?} {received:?}");
    let content = std::fs::read(folder.path().join("in/hello.txt")).unwrap();
    assert_eq!(content, b"hello, world\n");
    assert!(sent.1.starts_with("send_r: sent 'hello.txt' (13 bytes, "));
    assert_eq!(sent.1.lines().count(), 1);
    assert!(
        received
            .1
            .starts_with("recv_r: received 'hello.txt' (13 bytes, ")
    );
    assert!(
        received.1.ends_with(") as in/hello.txt\n"),
        "{}",
        received.1
    );
    assert_eq!(received.1.lines().count(), 1);
    assert!(sent.2.is_empty());
    assert_eq!(received.2, b"in/hello.txt\n");
}

#[test]
fn a_sender_ends_with_the_receivers_reason_and_says_that_nothing_was_sent() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path().join("in")).unwrap();
    folder.file(".hidden", b"x");
    let (sent, received) = cross(&folder, ".hidden", &[], &["-o", "in"]);
    assert_eq!((sent.0, received.0), (9, 9), "{sent:?} {received:?}");
    assert!(sent.1.ends_with("send_r: sent nothing, 1 left out\n"));
    assert!(
        received
            .1
            .ends_with("recv_r: received nothing, 1 left out\n")
    );
    assert!(received.2.is_empty());
}

#[test]
fn v_tells_the_version_the_copyright_and_the_steps_and_quiet_tells_nothing() {
    let folder = Folder::new();
    folder.file("a", b"x");
    let (sent, received) = cross(&folder, "a", &["v"], &["V", "-o", "b"]);
    for (name, (code, text, _)) in [("send_r", sent), ("recv_r", received)] {
        assert_eq!(code, 0);
        let version = format!("{name} {}\nCopyright", env!("CARGO_PKG_VERSION"));
        assert!(text.starts_with(&version), "{text}");
        assert!(
            text.contains("matched") && text.contains("100%  1 B of 1 B"),
            "{text}"
        );
    }
    let (sent, received) = cross(&folder, "a", &["-q"], &["--quiet", "-oc"]);
    assert_eq!((sent.0, sent.1.as_str()), (0, ""));
    assert_eq!((received.0, received.1.as_str()), (0, ""));
}

#[test]
fn standard_output_carries_the_data_and_nothing_else() {
    let folder = Folder::new();
    let content: Vec<u8> = (0..100_000u32).map(|i| (i * 7 + 3) as u8).collect();
    folder.file("data", &content);
    let (sent, received) = cross(&folder, "data", &[], &["-v", "-o", "-"]);
    assert_eq!((sent.0, received.0), (0, 0));
    assert!(received.2 == content);
    assert_eq!(folder.names(), ["data"]);
}

#[test]
fn an_existing_name_is_kept_and_the_program_says_so_unless_told_to_overwrite() {
    let folder = Folder::new();
    folder.file("a.txt", b"new");
    std::fs::create_dir(folder.path().join("in")).unwrap();
    std::fs::write(folder.path().join("in/a.txt"), b"old").unwrap();
    let (_, received) = cross(&folder, "a.txt", &[], &["-o", "in"]);
    assert!(
        received
            .1
            .contains("as in/a (1).txt, because the name is taken")
    );
    let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    assert_eq!(read("in/a.txt"), b"old");
    assert_eq!(read("in/a (1).txt"), b"new");
    let (_, received) = cross(&folder, "a.txt", &[], &["-o", "in", "--overwrite"]);
    assert_eq!(received.0, 0);
    assert_eq!(read("in/a.txt"), b"new");
}

#[test]
fn each_failure_before_the_meeting_has_its_status_and_its_message() {
    let folder = Folder::new();
    folder.file("a", b"x");
    folder.file("empty", b"");
    let large = std::fs::File::create(folder.path().join("large")).unwrap();
    large.set_len(2047 * 1024 * 1024 + 1).unwrap();
    let relay = Relay::start();
    let port = port(&relay);
    // The address of a listener that is gone.
    let nobody = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port().to_string()
    };
    let long = "x".repeat(256);
    let table: &[(&[&str], i32, &str)] = &[
        (&["a", "bob", "127.0.0.1", &port], 3, "nobody waits"),
        (
            &["a", "bob", "127.0.0.1", &port, "--wait=1"],
            3,
            "nobody waits",
        ),
        (
            &["-", "bob", "127.0.0.1", &port, "--wait=1"],
            3,
            "no sender came within 1 s",
        ),
        (
            &["a", "bob", "127.0.0.1", &nobody],
            4,
            "cannot reach the relay at 127.0.0.1:",
        ),
        (
            &["a", "bob", "no.such.host.invalid", &port],
            4,
            "cannot be looked up",
        ),
        (
            &["missing", "bob", "127.0.0.1", &nobody],
            7,
            "missing: no such file",
        ),
        (
            &["--v1", "empty", "bob", "127.0.0.1", &nobody],
            7,
            "cannot carry a file of 0 bytes",
        ),
        (
            &["--v1", "large", "bob", "127.0.0.1", &nobody],
            7,
            "at most 2047 MiB",
        ),
        (
            &["/dev/null", "bob", "127.0.0.1", &nobody],
            7,
            "neither a file nor a folder",
        ),
        (
            &["-", "bob", "127.0.0.1", &nobody, "-o", "no/such"],
            7,
            "no such file",
        ),
        (
            &["-", "bob", "127.0.0.1", &nobody, "-o", "new/"],
            7,
            "no such file",
        ),
        (&[], 2, "usage: send_r"),
        (&["a", "bob", "127.0.0.1"], 2, "are needed"),
        (
            &["a", "bob", "127.0.0.1", "0"],
            2,
            "PORT takes a number from 1 to 65535",
        ),
        (&["a", "bob", "127.0.0.1", "65536"], 2, "PORT takes"),
        (&["a", "", "127.0.0.1", "1"], 2, "user id is empty"),
        (&["a", "a$b", "127.0.0.1", "1"], 2, "holds a '$'"),
        (&["a", &long, "127.0.0.1", "1"], 2, "longer than 255"),
        (&["a", "b", "127.0.0.1", "1", "w"], 2, "PORT takes a number"),
        (
            &["a", "b", "127.0.0.1", "1", "v", "v"],
            2,
            "PORT takes a number",
        ),
        (
            &["a", "b", "127.0.0.1", "1", "-o", "x"],
            2,
            "--output is for receiving",
        ),
        (
            &["a", "b", "127.0.0.1", "1", "--overwrite"],
            2,
            "--overwrite is for receiving",
        ),
        (
            &["a", "b", "127.0.0.1", "1", "--timeout=x"],
            2,
            "--timeout takes seconds",
        ),
        (
            &["a", "b", "127.0.0.1", "1", "--nope"],
            2,
            "unknown option '--nope'",
        ),
    ];
    for (args, status, message) in table {
        let (code, text, out) = run("send_r", folder.path(), args);
        assert_eq!(code, *status, "{args:?}: {text}");
        assert!(text.contains(message), "{args:?}: {text}");
        assert!(text.starts_with("send_r: "), "{args:?}: {text}");
        assert!(out.is_empty());
    }
    assert_eq!(folder.names(), ["a", "empty", "large"]);
}

#[test]
fn help_and_version_go_to_standard_output() {
    let folder = Folder::new();
    let (code, err, out) = run("recv_r", folder.path(), &["--help"]);
    assert_eq!((code, err.as_str()), (0, ""));
    let out = String::from_utf8(out).unwrap();
    for word in ["recv_r - alice", "--overwrite", "--wait[=SECS]", "130"] {
        assert!(out.contains(word), "{word}");
    }
    let (code, _, out) = run("recv_r", folder.path(), &["--version"]);
    let version = format!("recv_r {}\n", env!("CARGO_PKG_VERSION"));
    assert!(code == 0 && out.starts_with(version.as_bytes()));
}

#[test]
fn a_sender_that_waits_calls_until_the_receiver_is_there() {
    let folder = Folder::new();
    folder.file("a", b"late");
    let relay = Relay::start();
    let port = port(&relay);
    let args = ["a", "alice", "127.0.0.1", &port, "-v", "--wait=20"];
    let mut sender = start("send_r", folder.path(), &args);
    // Its own word that it was refused once is what makes this a test of the second call.
    let stderr = BufReader::new(sender.child.stderr.take().unwrap());
    let (said, heard) = mpsc::channel();
    thread::spawn(move || {
        stderr.lines().map_while(Result::ok).for_each(|line| {
            let _ = said.send(line);
        })
    });
    wait_until("the first refusal", || {
        heard.try_iter().any(|line| line.contains("calling again"))
    });
    let args = ["-", "alice", "127.0.0.1", &port, "-o", "b"];
    let received = run("recv_r", folder.path(), &args);
    assert_eq!((sender.end().0, received.0), (0, 0));
    assert_eq!(std::fs::read(folder.path().join("b")).unwrap(), b"late");
}

#[cfg(unix)]
mod signals {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use super::*;

    fn signal(run: &Run, name: &str) {
        let id = run.child.id().to_string();
        let status = Command::new("kill").args(["-s", name, &id]).status();
        assert!(status.unwrap().success());
    }

    #[test]
    fn a_name_that_is_not_utf_8_is_a_failure_on_both_sides_and_taken_under_another_name() {
        use std::os::unix::ffi::OsStrExt;
        let folder = Folder::new();
        let name = OsStr::from_bytes(b"a\xff");
        std::fs::write(folder.path().join(name), b"x").unwrap();
        std::fs::create_dir(folder.path().join("in")).unwrap();
        for (output, status, names) in [("in", 9, 0), ("in/b", 0, 1)] {
            let relay = Relay::start();
            let port = port(&relay);
            let receive = ["-", "alice", "127.0.0.1", &port, "-o", output];
            let receiver = start("recv_r", folder.path(), &receive);
            relay.await_listener("alice");
            let send = [name, "alice".as_ref(), "127.0.0.1".as_ref(), port.as_ref()];
            let sent = start("send_r", folder.path(), &send).end();
            let received = receiver.end();
            assert_eq!(
                (sent.0, received.0),
                (status, status),
                "{sent:?} {received:?}"
            );
            let there = std::fs::read_dir(folder.path().join("in")).unwrap();
            assert_eq!(there.count(), names);
        }
    }

    #[test]
    fn a_signal_ends_a_waiting_receiver_with_128_and_its_number() {
        for (name, code) in [("INT", 130), ("TERM", 143), ("HUP", 129), ("QUIT", 131)] {
            let folder = Folder::new();
            let relay = Relay::start();
            let args = ["-", "alice", "127.0.0.1", &port(&relay)];
            let receiver = start("recv_r", folder.path(), &args);
            relay.await_listener("alice");
            signal(&receiver, name);
            let (status, text, _) = receiver.end();
            assert_eq!(status, code, "{text}");
            assert_eq!(text.lines().count(), 1, "{text}");
        }
    }

    #[test]
    fn ctrl_c_in_the_middle_of_the_data_removes_the_part_file() {
        let folder = Folder::new();
        let relay = Relay::start();
        let args = ["-", "alice", "127.0.0.1", &port(&relay)];
        let receiver = start("recv_r", folder.path(), &args);
        relay.await_listener("alice");
        let mut sender = TcpStream::connect(relay.address).unwrap();
        sender.write_all(b"Calice$").unwrap();
        let mut header = [0; 48];
        header[..5].copy_from_slice(b"a.bin");
        header[32..37].copy_from_slice(b"10000");
        let mut answer = [0; 1];
        sender.read_exact(&mut answer).unwrap();
        sender.write_all(&header).unwrap();
        sender.read_exact(&mut answer).unwrap();
        assert_eq!(answer, *b"O");
        sender.write_all(&[1; 5000]).unwrap();
        let names = folder.names();
        assert!(
            matches!(&names[..], [name] if name.starts_with("a.bin.") && name.ends_with(".part")),
            "{names:?}"
        );
        {
            use std::os::unix::fs::PermissionsExt;
            let metadata = std::fs::metadata(folder.path().join(&names[0])).unwrap();
            assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
        }
        signal(&receiver, "INT");
        let (status, text, _) = receiver.end();
        assert_eq!(status, 130, "{text}");
        assert!(folder.names().is_empty());
    }
}
