//! `--json`, and what else goes to standard output.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::common::Relay;
use crate::run::{End, end, has, listen, meeting, run};
use crate::temp::TempDir;

/// The words of the events, if every line is JSON that doc/json.md describes.
fn events(lines: &str) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut checker = Command::new("python3")
        .arg(root.join("tests/cli/schema.py"))
        .arg(root.join("doc/json.md"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = checker.stdin.take().unwrap();
    stdin.write_all(lines.as_bytes()).unwrap();
    drop(stdin);
    let end = end(checker);
    assert_eq!(end.status, 0, "{}\n{lines}", end.said);
    end.told.split_whitespace().map(str::to_string).collect()
}

/// Sends what the words say from a folder with some things in it.
fn cross(send: &[&str], receive: &[&str]) -> (End, End, TempDir) {
    let relay = Relay::start("threads", &[]);
    let (from, to) = (TempDir::new(), TempDir::new());
    std::fs::write(from.path().join("a.txt"), b"hello, world\n").unwrap();
    std::fs::create_dir_all(from.path().join("photos/empty")).unwrap();
    std::fs::write(from.path().join("photos/\u{d55c}.jpg"), [7; 300_000]).unwrap();
    std::fs::write(from.path().join("photos/none"), b"").unwrap();
    let words = [receive, &["-"]].concat();
    let receiver = listen(&relay, &mut meeting("recv_r", to.path(), &relay, &words));
    let sent = run(&mut meeting("send_r", from.path(), &relay, send));
    (sent, end(receiver), to)
}

#[test]
fn every_line_is_json_of_the_documented_schema_on_both_sides() {
    if !has("python3", "events") {
        return;
    }
    for words in [
        &["--json", "a.txt"][..],
        &["--json", "--v1", "a.txt"],
        &["--json", "a.txt", "photos"],
        &["--json", "--text", "hello\nworld"],
    ] {
        let (sent, received, _) = cross(words, &["--json", "-v"]);
        assert_eq!(
            (sent.status, received.status),
            (0, 0),
            "{sent:?} {received:?}"
        );
        assert!(
            sent.said.is_empty() && received.said.is_empty(),
            "{sent:?} {received:?}"
        );
        let (sent, received) = (events(&sent.told), events(&received.told));
        assert_eq!(received[0], "waiting");
        for words in [&sent, &received] {
            for word in ["matched", "offer", "done"] {
                assert!(words.iter().any(|it| it == word), "{words:?}");
            }
        }
    }
}

#[test]
fn a_failure_is_an_event_with_the_exit_status() {
    if !has("python3", "events") {
        return;
    }
    let relay = Relay::start("threads", &[]);
    let folder = TempDir::new();
    std::fs::write(folder.path().join("a"), b"x").unwrap();
    for (file, status) in [("a", 3), ("missing", 7)] {
        let end = run(&mut meeting(
            "send_r",
            folder.path(),
            &relay,
            &["--json", file],
        ));
        assert_eq!(end.status, status, "{end:?}");
        assert_eq!(events(&end.told), ["error"]);
        assert!(end.told.contains(&format!("\"exit\":{status},")), "{end:?}");
        assert!(end.said.is_empty(), "{end:?}");
    }
}

#[cfg(unix)]
#[test]
fn what_is_never_sent_is_told_as_no_failure() {
    if !has("python3", "events") {
        return;
    }
    let relay = Relay::start("threads", &[]);
    let (from, to) = (TempDir::new(), TempDir::new());
    let tree = from.path().join("tree");
    std::fs::create_dir(&tree).unwrap();
    std::fs::write(tree.join("file"), b"x").unwrap();
    std::os::unix::fs::symlink("file", tree.join("link")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(tree.join("socket")).unwrap();
    let receiver = listen(&relay, &mut meeting("recv_r", to.path(), &relay, &["-"]));
    let words = ["--json", "tree"];
    let sent = run(&mut meeting("send_r", from.path(), &relay, &words));
    assert_eq!((sent.status, end(receiver).status), (0, 0), "{sent:?}");
    assert_eq!(events(&sent.told).last().unwrap(), "done");
    let skipped: Vec<_> = sent
        .told
        .lines()
        .filter(|line| line.contains("skipped\","))
        .collect();
    assert_eq!(skipped.len(), 2, "{sent:?}");
    for line in skipped {
        assert!(line.contains("\"exit\":0,\"message\":\""), "{line}");
    }
    assert!(
        sent.told.contains("\"skipped\":0,\"left_out\":2,"),
        "{sent:?}"
    );
}

#[test]
fn where_standard_output_has_the_data_json_goes_to_standard_error() {
    if !has("python3", "events") {
        return;
    }
    let (sent, received, to) = cross(&["a.txt"], &["--json", "-o", "-"]);
    assert_eq!(
        (sent.status, received.status),
        (0, 0),
        "{sent:?} {received:?}"
    );
    assert_eq!(received.told, "hello, world\n");
    assert_eq!(events(&received.said).last().unwrap(), "done");
    assert_eq!(std::fs::read_dir(to.path()).unwrap().count(), 0);
}

#[test]
fn the_last_lines_of_a_receiver_are_the_paths_of_what_it_has() {
    let (sent, received, to) = cross(&["photos", "a.txt"], &["-q"]);
    assert_eq!(
        (sent.status, received.status),
        (0, 0),
        "{sent:?} {received:?}"
    );
    let lines: Vec<_> = received.told.lines().map(Path::new).collect();
    let names: Vec<_> = lines.iter().map(|path| path.file_name().unwrap()).collect();
    assert_eq!(names, ["photos", "a.txt"]);
    assert!(lines.iter().all(|path| to.path().join(path).exists()));
    assert!(
        sent.told.is_empty() && received.said.is_empty(),
        "{received:?}"
    );
}

#[test]
fn a_text_is_written_to_standard_output_and_becomes_no_file() {
    for (text, told) in [("hello", "hello\n"), ("a\nb\n", "a\nb\n")] {
        let (sent, received, to) = cross(&["--text", text], &[]);
        assert_eq!(
            (sent.status, received.status),
            (0, 0),
            "{sent:?} {received:?}"
        );
        assert_eq!(received.told, told);
        assert_eq!(std::fs::read_dir(to.path()).unwrap().count(), 0);
    }
}

#[test]
fn a_stream_becomes_a_file_of_its_name() {
    let relay = Relay::start("threads", &[]);
    let to = TempDir::new();
    let receiver = listen(&relay, &mut meeting("recv_r", to.path(), &relay, &["-"]));
    let mut send = meeting("send_r", to.path(), &relay, &["--stdin=log.txt"]);
    let mut sender = send.stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = sender.stdin.take().unwrap();
    for _ in 0..1000 {
        stdin.write_all(b"a line of it\n").unwrap();
    }
    drop(stdin);
    let (sent, received) = (end(sender), end(receiver));
    assert_eq!(
        (sent.status, received.status),
        (0, 0),
        "{sent:?} {received:?}"
    );
    let content = std::fs::read(to.path().join("log.txt")).unwrap();
    assert!(content == b"a line of it\n".repeat(1000));
}

#[test]
fn standard_output_that_nobody_reads_costs_neither_the_file_nor_the_status() {
    for options in [&[][..], &["--json"]] {
        let relay = Relay::start("threads", &[]);
        let (from, to) = (TempDir::new(), TempDir::new());
        std::fs::write(from.path().join("a.txt"), b"x").unwrap();
        let words = [options, &["-"]].concat();
        let mut receiver = listen(&relay, &mut meeting("recv_r", to.path(), &relay, &words));
        drop(receiver.stdout.take());
        let words = [options, &["a.txt"]].concat();
        let mut send = meeting("send_r", from.path(), &relay, &words);
        let mut sender = send.spawn().unwrap();
        drop(sender.stdout.take());
        let (sent, received) = (end(sender), end(receiver));
        assert_eq!(
            (sent.status, received.status),
            (0, 0),
            "{sent:?} {received:?}"
        );
        assert_eq!(std::fs::read(to.path().join("a.txt")).unwrap(), b"x");
    }
}
