//! A person at a terminal: the secret that is asked for, and the question before an offer is taken.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::common::Relay;
use crate::run::{End, end, has, listen, meeting, path, run};
use crate::temp::TempDir;

#[cfg(feature = "libc")]
const SECRET: &str = "open-sesame-4711";

/// A program on a terminal of its own, with a person that takes these steps.
fn person(steps: &[&str], program: &Command) -> Command {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/pty.py");
    let mut command = Command::new("python3");
    command.arg(script).args(steps).arg("--");
    command.arg(program.get_program()).args(program.get_args());
    if let Some(folder) = program.get_current_dir() {
        command.current_dir(folder);
    }
    command
        .env_remove("P2PXFER_SECRET")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn last(end: &End) -> &str {
    assert_eq!(end.status, 0, "{end:?}");
    end.told.lines().last().unwrap_or_default()
}

// Without the crate an echo cannot be turned off, nor the room on a disk be told.
#[cfg(feature = "libc")]
#[test]
fn a_secret_that_is_asked_for_is_not_shown_and_the_terminal_is_as_it_was_however_it_ends() {
    if !has("python3", "terminal") {
        return;
    }
    let relay = Relay::start("threads", &[]);
    let folder = TempDir::new();
    let receive = meeting("recv_r", folder.path(), &relay, &["--ask-secret", "-"]);
    let typed = format!("type {SECRET}");
    let asked = "expect secret (not shown): ";
    for (steps, status) in [
        (
            &[
                asked,
                "state hidden",
                &typed,
                "expect waiting",
                "state shown",
                "key C",
            ][..],
            130,
        ),
        (&[asked, "state hidden", "key C"], 130),
        (&[asked, "state hidden", "signal TERM"], 143),
        (&[asked, "state hidden", "signal HUP"], 129),
        (&[asked, "state hidden", "key D"], 2),
        (&[asked, "state hidden", "type "], 2),
    ] {
        let end = run(&mut person(steps, &receive));
        assert_eq!(
            last(&end),
            format!("status {status} terminal same"),
            "{steps:?}: {end:?}"
        );
        assert!(!end.told.contains(SECRET), "{end:?}");
    }
}

#[test]
fn without_a_terminal_a_secret_is_not_asked_for_and_the_message_says_what_else_there_is() {
    if !has("setsid", "terminal") {
        return;
    }
    let mut command = Command::new("setsid");
    command
        .args([
            "-w",
            path("send_r"),
            "--ask-secret",
            "a",
            "alice",
            "127.0.0.1",
            "1",
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let end = run(&mut command);
    assert_eq!(end.status, 2, "{end:?}");
    assert!(
        end.said
            .contains("--secret-file, --secret-fd or P2PXFER_SECRET"),
        "{end:?}"
    );
}

/// Sends a file to a person that answers so.
fn offer(options: &[&str], steps: &[&str]) -> (End, End, TempDir) {
    let relay = Relay::start("threads", &[]);
    let (from, to) = (TempDir::new(), TempDir::new());
    std::fs::write(from.path().join("a.txt"), b"hello, world\n").unwrap();
    let words = [options, &["-"]].concat();
    let receive = meeting("recv_r", to.path(), &relay, &words);
    let receiver: Child = listen(&relay, &mut person(steps, &receive));
    // A receiver that is ended while it asks may say no word, and is called again for so long then.
    let words = ["--reconnect=1", "a.txt"];
    let sent = run(&mut meeting("send_r", from.path(), &relay, &words));
    (sent, end(receiver), to)
}

// Without the crate an echo cannot be turned off, nor the room on a disk be told.
#[cfg(feature = "libc")]
#[test]
fn at_a_terminal_an_offer_that_no_secret_verifies_is_taken_only_after_a_yes() {
    if !has("python3", "terminal") {
        return;
    }
    let asked = "expect take it? [y/N] ";
    for (answer, taken) in [
        ("type y", true),
        ("type YES", true),
        ("type n", false),
        ("type ", false),
        ("type yep", false),
        ("key D", false),
    ] {
        let (sent, received, to) =
            offer(&[], &["expect a.txt  13 B", "expect free", asked, answer]);
        let status = if taken { 0 } else { 5 };
        assert_eq!(sent.status, status, "{answer}: {sent:?}");
        assert_eq!(
            last(&received),
            format!("status {status} terminal same"),
            "{answer}: {received:?}"
        );
        assert_eq!(to.path().join("a.txt").exists(), taken);
        assert_eq!(
            std::fs::read_dir(to.path()).unwrap().count(),
            usize::from(taken)
        );
    }
}

#[cfg(feature = "libc")]
#[test]
fn what_was_typed_before_the_question_is_no_answer_to_it() {
    if !has("python3", "terminal") {
        return;
    }
    // The terminal has it once it has shown it.
    let steps = ["type y", "expect y\r\n", "expect take it? [y/N] ", "type n"];
    let (sent, received, to) = offer(&[], &steps);
    assert_eq!(last(&received), "status 5 terminal same", "{received:?}");
    assert_eq!(sent.status, 5, "{sent:?}");
    assert_eq!(std::fs::read_dir(to.path()).unwrap().count(), 0);
}

#[test]
fn the_question_ends_with_ctrl_c_and_the_sender_hears_of_it() {
    if !has("python3", "terminal") {
        return;
    }
    let (sent, received, to) = offer(&[], &["expect take it? [y/N] ", "key C"]);
    assert_eq!(last(&received), "status 130 terminal same", "{received:?}");
    assert_ne!(sent.status, 0, "{sent:?}");
    assert_eq!(std::fs::read_dir(to.path()).unwrap().count(), 0);
}

#[test]
fn yes_and_version_1_are_asked_or_not_by_the_same_rule() {
    if !has("python3", "terminal") {
        return;
    }
    let (sent, received, _) = offer(&["-y"], &["expect received 'a.txt'"]);
    assert_eq!(sent.status, 0, "{sent:?}");
    assert_eq!(last(&received), "status 0 terminal same", "{received:?}");
    assert!(!received.told.contains("take it?"), "{received:?}");
    let (sent, received, _) = offer(&["--v1"], &["expect take it? [y/N] ", "type n"]);
    assert_eq!(sent.status, 5, "{sent:?}");
    assert_eq!(last(&received), "status 5 terminal same", "{received:?}");
}
