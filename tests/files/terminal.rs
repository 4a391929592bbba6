//! Progress, on a terminal and elsewhere.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::common::{Relay, wait_until};
use super::content;
use super::gate::Gate;
use super::played;
use super::program::{Program, command, listen, quiet, send, skip, with_words};
use super::temp::TempDir;

const LENGTH: usize = 10_000_000;
/// How long a transfer takes whose progress is looked at.
const TIME: Duration = Duration::from_millis(2_500);

/// Sends a file, steadily over [`TIME`].
fn send_steadily(relay: &Relay) {
    let from = TempDir::new();
    let source = from.path().join("file.bin");
    content::write(&source, LENGTH);
    let gate = Gate::start(relay.address, 1_000);
    let sender = send(&source, gate.address, &[]);
    let begin = Instant::now();
    while begin.elapsed() < TIME {
        std::thread::sleep(Duration::from_millis(10));
        gate.allow(20_000);
    }
    gate.open();
    assert_eq!(sender.end().status, 0);
}

fn quoted(word: &std::ffi::OsStr) -> String {
    format!("'{}'", word.to_str().expect("a path of our own"))
}

fn has_script() -> bool {
    let there = Command::new("script")
        .arg("--version")
        .stdout(Stdio::null())
        .status();
    let there = there.is_ok_and(|status| status.success());
    if !there {
        skip("files/terminal: script(1) of util-linux not installed");
    }
    there
}

fn on_a_terminal(command: &Command, output: &Path) -> Command {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let line: Vec<_> = words.map(quoted).collect();
    let mut script = quiet(Command::new("script"));
    script.args(["-qec", &line.join(" "), "/dev/null"]);
    script.stdout(File::create(output).unwrap());
    script
}

#[test]
fn on_a_terminal_one_line_is_redrawn() {
    if !has_script() {
        return;
    }
    let (relay, to) = (Relay::start("threads", &[]), TempDir::new());
    let shown = to.path().join("shown");
    let target = to.path().join("file.bin");
    let mut receive = with_words(command("recv_r"), "-", relay.address, &["-y"]);
    receive.arg("-o").arg(&target);
    let receiver = listen(&relay, on_a_terminal(&receive, &shown));
    send_steadily(&relay);
    let end = receiver.end();
    assert_eq!(end.status, 0, "{end:?}");
    let shown = std::fs::read_to_string(shown).unwrap();
    // What it waits for, the line that was redrawn, the result, and the path.
    let lines: Vec<_> = shown.split("\r\n").collect();
    assert_eq!(lines.len(), 5, "{shown:?}");
    assert_eq!(lines[3], target.to_str().unwrap());
    assert_eq!(lines[0], "recv_r: waiting for a sender");
    let drawn: Vec<_> = lines[1]
        .split('\r')
        .filter(|text| !text.is_empty())
        .collect();
    // Ten times a second, from the first second on.
    assert!((3..=20).contains(&drawn.len()), "{drawn:#?}");
    for text in &drawn {
        assert!(
            text.starts_with("recv_r: ") && text.ends_with("\x1b[K"),
            "{text:?}"
        );
        assert!(
            text.contains('%') && text.contains(" of 10.0 MB, "),
            "{text:?}"
        );
        assert!(text.len() < 80 + 3, "{text:?}");
    }
    assert!(drawn.last().unwrap().contains("100%"), "{drawn:#?}");
    assert!(
        lines[2].starts_with("recv_r: received 'file.bin' (10000000 bytes, "),
        "{shown:?}"
    );
}

#[test]
fn a_stall_is_shown_though_nothing_happens() {
    if !has_script() {
        return;
    }
    let (relay, to) = (Relay::start("threads", &[]), TempDir::new());
    let shown = to.path().join("shown");
    let mut receive = with_words(command("recv_r"), "-", relay.address, &["-y"]);
    receive.arg("-o").arg(to.path());
    let receiver = listen(&relay, on_a_terminal(&receive, &shown));
    let mut sender = played::sender(&relay);
    sender.write_all(&played::header("file.bin", 2)).unwrap();
    sender.write_all(b"a").unwrap();
    wait_until("the stall is shown", || {
        let shown = std::fs::read_to_string(&shown).unwrap();
        shown.contains("50%  1 B of 2 B, 0 B/s, stalled")
    });
    drop(sender);
    assert_eq!(receiver.end().status, 4);
}

#[test]
fn raw_bytes_are_not_written_to_a_terminal() {
    if !has_script() {
        return;
    }
    let relay = Relay::start("threads", &[]);
    let folder = TempDir::new();
    let output = folder.path().join("shown");
    let receive = with_words(command("recv_r"), "-", relay.address, &["-o", "-"]);
    let end = Program::start(on_a_terminal(&receive, &output)).end();
    let shown = std::fs::read_to_string(&output).unwrap();
    assert_eq!(end.status, 2, "{shown:?}");
    assert!(shown.contains("not for a terminal"), "{shown:?}");
}

#[test]
fn elsewhere_a_plain_line_comes_once_a_second() {
    let (relay, to) = (Relay::start("threads", &[]), TempDir::new());
    let mut receive = with_words(command("recv_r"), "-", relay.address, &["-v"]);
    receive.arg("-o").arg(to.path());
    let receiver = listen(&relay, receive);
    let begin = Instant::now();
    send_steadily(&relay);
    let end = receiver.end();
    let seconds = begin.elapsed().as_secs() as usize;
    assert_eq!(end.status, 0, "{end:?}");
    assert!(!end.said.contains(['\r', '\x1b']), "{end:?}");
    let progress = end.said.lines().filter(|line| line.contains('%'));
    let count = progress.count();
    // One a second, and one at the end.
    assert!(
        (3..=seconds + 1).contains(&count),
        "{count} in {seconds} s: {end:?}"
    );
}
