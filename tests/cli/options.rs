//! Every option with values that it cannot take.

use crate::run::{command, run};

#[test]
fn a_value_that_an_option_cannot_take_is_wrong_usage_and_the_message_has_both() {
    let huge = "99999999999999999999";
    for (option, values) in [
        ("--wait", &["", "-1", "0", "x", "1.5", "1s", huge][..]),
        ("--timeout", &["", "-1", "x", "1.5", "+1", huge]),
        ("--reconnect", &["", "-1", "x", "0x10", " 1", huge]),
        (
            "--secret-fd",
            &["", "-1", "x", "1", "2", "2147483648", huge],
        ),
        ("--secret-file", &[""]),
        ("--output", &[""]),
        ("--text", &[""]),
        ("--stdin", &["", ".", "..", "a/b", "CON", "a\\b"]),
    ] {
        for value in values {
            let file: &[&str] = match option {
                "--output" => &["-"],
                "--text" | "--stdin" => &[],
                _ => &["a"],
            };
            let given = format!("{option}={value}");
            let end =
                run(command("send_r")
                    .arg(&given)
                    .args(file)
                    .args(["alice", "127.0.0.1", "1"]));
            assert_eq!(end.status, 2, "{given}: {end:?}");
            let begin = format!("send_r: {option}");
            assert!(end.said.starts_with(&begin), "{given}: {end:?}");
            assert!(end.said.contains("usage: send_r"), "{given}: {end:?}");
            assert!(end.told.is_empty());
        }
    }
}

#[test]
fn an_option_that_misses_its_value_or_has_one_too_many_is_wrong_usage() {
    for option in [
        "--secret-file",
        "--secret-fd",
        "--timeout",
        "--output",
        "-o",
        "--text",
    ] {
        let end = run(command("send_r").args(["a", "alice", "127.0.0.1", "1", option]));
        let message = format!("send_r: {option} needs a value");
        assert!(end.status == 2 && end.said.starts_with(&message), "{end:?}");
    }
    for option in [
        "--verbose",
        "--quiet",
        "--json",
        "--ask-secret",
        "--new-secret",
        "--require-secret",
        "--overwrite",
        "--yes",
        "--v1",
        "--version",
        "--help",
    ] {
        let given = format!("{option}=1");
        let end = run(command("send_r").args(["a", "alice", "127.0.0.1", "1", &given]));
        let message = format!("send_r: {option} takes no value");
        assert!(end.status == 2 && end.said.starts_with(&message), "{end:?}");
    }
}

#[test]
fn a_secret_is_no_argument() {
    for word in ["--secret=sesame", "--secret", "-s", "-ssesame"] {
        let end = run(command("send_r").args(["a", "alice", "127.0.0.1", "1", word]));
        assert_eq!(end.status, 2, "{end:?}");
        assert!(end.said.contains("unknown option"), "{end:?}");
    }
}
