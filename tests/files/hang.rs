//! A program that hangs where no signal reaches its main thread, and the signals that end it.

use std::io::Write;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::{Duration, Instant};

use super::common::{Relay, read, wait_until};
use super::crossing::{names, part_length};
use super::played;
use super::program::{Program, command, listen, receive, with_words};
use super::temp::TempDir;

/// How long an orderly end may take before the program ends by force.
const GRACE: Duration = Duration::from_secs(2);

/// A receiver that opens a FIFO which nobody reads, with all that is at its other ends.
struct Hanging {
    receiver: Program,
    _at: (Relay, TempDir, TcpStream),
}

fn hanging() -> Hanging {
    let (relay, folder) = (Relay::start("threads", &[]), TempDir::new());
    let fifo = folder.path().join("fifo");
    assert!(
        Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    let receiver = receive(&relay, &fifo, &["-v"]);
    let mut sender = played::sender(&relay);
    sender.write_all(&played::header("file.bin", 1)).unwrap();
    receiver.wait_for("receiving 'file.bin'");
    Hanging {
        receiver,
        _at: (relay, folder, sender),
    }
}

#[test]
fn one_signal_ends_a_program_that_hangs_after_two_seconds() {
    let hanging = hanging();
    let begin = Instant::now();
    hanging.receiver.signal("INT");
    let end = hanging.receiver.end();
    assert_eq!(end.status, 130);
    assert!(end.said.contains("ended by signal 2"), "{end:?}");
    let after = begin.elapsed();
    assert!(after >= GRACE, "only {after:?}");
    assert!(after < 3 * GRACE, "{after:?}");
}

#[test]
fn a_second_signal_ends_a_program_that_hangs_at_once() {
    let mut hanging = hanging();
    let begin = Instant::now();
    // Two that come at the same time are one: the terminal's user presses until it works.
    while hanging.receiver.runs() {
        hanging.receiver.signal("INT");
        std::thread::sleep(Duration::from_millis(20));
    }
    let after = begin.elapsed();
    assert_eq!(hanging.receiver.end().status, 130);
    assert!(after < GRACE, "{after:?}");
}

/// Keeps the receiver from its end: it cannot write that all data is there.
fn hanging_in_a_message() -> (Program, Relay, TempDir, TcpStream, UnixStream) {
    let (relay, folder) = (Relay::start("threads", &[]), TempDir::new());
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut receive = with_words(command("recv_r"), "-", relay.address, &["-v"]);
    receive.arg("-o").arg(folder.path());
    receive.stderr(OwnedFd::from(theirs.try_clone().unwrap()));
    let receiver = listen(&relay, receive);
    let mut sender = played::sender(&relay);
    sender.write_all(&played::header("file.bin", 2)).unwrap();
    wait_until("there is a part", || names(folder.path()).len() == 1);
    theirs.set_nonblocking(true).unwrap();
    while (&theirs).write(&[b'x'; 4096]).is_ok() {}
    while (&theirs).write(b"x").is_ok() {}
    theirs.set_nonblocking(false).unwrap();
    sender.write_all(b"ab").unwrap();
    wait_until("the data is there", || part_length(folder.path()) == 2);
    (receiver, relay, folder, sender, ours)
}

#[test]
fn a_forced_end_leaves_no_part_whether_by_time_or_by_a_second_signal() {
    for many in [false, true] {
        let (mut receiver, _relay, folder, _sender, _ours) = hanging_in_a_message();
        receiver.signal("TERM");
        while many && receiver.runs() {
            receiver.signal("TERM");
        }
        assert_eq!(receiver.end().status, 143);
        assert_eq!(names(folder.path()), [""; 0], "{many}");
    }
}

#[test]
fn signals_after_the_file_has_its_name_change_nothing() {
    let (relay, folder) = (Relay::start("threads", &[]), TempDir::new());
    let receiver = receive(&relay, folder.path(), &[]);
    let mut sender = played::sender(&relay);
    sender.write_all(&played::header("file.bin", 2)).unwrap();
    sender
        .write_all(b"ab195\0\0\0\0\0\0\0\0\0\0\0\0\0")
        .unwrap();
    // It waits now for the sender's end, which does not come.
    assert_eq!(read(&mut sender, 2), b"OO");
    let begin = Instant::now();
    for _ in 0..3 {
        receiver.signal("TERM");
        receiver.signal("INT");
    }
    let end = receiver.end();
    assert_eq!(end.status, 0, "{end:?}");
    assert!(end.said.contains("received 'file.bin' (2 bytes"), "{end:?}");
    assert!(begin.elapsed() < 3 * GRACE);
    assert_eq!(names(folder.path()), ["file.bin"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_signal_ends_a_program_whose_name_server_is_silent() {
    use std::net::UdpSocket;

    use super::program::{quiet, skip};

    // An address of this process alone, so that port 53 of it is free.
    let id = std::process::id();
    let server = format!("127.53.{}.{}", id >> 8 & 0xff, id & 0xff);
    let folder = TempDir::new();
    let file = folder.path().join("resolv.conf");
    std::fs::write(&file, format!("nameserver {server}\noptions timeout:30\n")).unwrap();
    let isolated = |script: &str| {
        let mut shell = quiet(Command::new("unshare"));
        shell
            .args(["-m", "sh", "-c"])
            .arg(format!("mount --bind \"$0\" /etc/resolv.conf && {script}"));
        shell.arg(&file);
        shell
    };
    let socket = UdpSocket::bind((server.as_str(), 53));
    let able = isolated("true")
        .status()
        .is_ok_and(|status| status.success());
    let (Ok(socket), true) = (socket, able) else {
        skip("files/look-up: needs root to exchange the name server of a process");
        return;
    };
    socket
        .set_read_timeout(Some(super::common::DEADLINE))
        .unwrap();
    let mut receive = isolated("exec \"$@\"");
    receive.arg(command("recv_r").get_program());
    receive.args(["-", "alice", "relay.test", "9000"]);
    let receiver = Program::start(receive);
    let mut question = [0; 512];
    socket
        .recv(&mut question)
        .expect("the program asks for the name");
    let begin = Instant::now();
    receiver.signal("INT");
    assert_eq!(receiver.end().status, 130);
    let after = begin.elapsed();
    assert!(after < 3 * GRACE, "{after:?}");
}
