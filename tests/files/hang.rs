//! A program that hangs where no signal reaches its main thread, and the signals that end it.

use std::io::Write;
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use super::common::Relay;
use super::played;
use super::program::{Program, command, receive};
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
    assert_eq!(hanging.receiver.end().status, 130);
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
