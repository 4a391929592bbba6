//! The log: JSON for programs, and no list of names.

use std::io::Write;
use std::process::{Command, Stdio};

use super::common::{Relay, on_every_backend, read, read_to_end, wait_until};
use super::scrape::skip;

on_every_backend! {
    every_line_of_a_json_log_is_an_object_with_the_fields_of_the_text
    ids_are_hidden_unless_asked_for_and_look_equal_within_one_run_only
    ids_are_hidden_in_json_too
    quiet_leaves_the_lines_that_say_where_it_listens
}

const NAME: &str = "alice\"of\\wonder";

/// One of each event under [`NAME`]; returns when the last of them is logged.
fn act(relay: &Relay, closed: &str) {
    let mut listener = relay.connect();
    listener.write_all(format!("T{NAME}$").as_bytes()).unwrap();
    wait_until("it is registered", || {
        relay
            .log
            .lines()
            .iter()
            .any(|line| line.contains("registered"))
    });
    let mut caller = relay.caller(NAME.as_bytes());
    assert_eq!(read(&mut caller, 1), b"O");
    caller.write_all(b"four").unwrap();
    assert_eq!(read(&mut listener, 4), b"four");
    drop(caller);
    assert_eq!(read_to_end(&mut listener), b"");
    drop(listener);
    wait_until("the pair is closed", || {
        relay.log.lines().iter().any(|line| line.contains(closed))
    });
    let mut nobody = relay.caller(NAME.as_bytes());
    assert_eq!(read_to_end(&mut nobody), b"X");
    wait_until("the refusal is logged", || {
        relay
            .log
            .lines()
            .iter()
            .any(|line| line.contains("refused"))
    });
}

/// Reads lines of JSON from standard input and prints each object's keys and, of some, the values.
const CHECKER: &str = r#"
import datetime, json, re, sys
for line in sys.stdin:
    entry = json.loads(line)
    time = entry.pop("time")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", time), time
    time = datetime.datetime.strptime(time, "%Y-%m-%dT%H:%M:%S.%fZ")
    age = datetime.datetime.utcnow() - time
    assert -1 < age.total_seconds() < 300, age
    event = entry.pop("event")
    print(event, " ".join(sorted(entry)), entry.get("id"), entry.get("reason"), entry.get("caller_bytes"))
"#;

fn every_line_of_a_json_log_is_an_object_with_the_fields_of_the_text(backend: &str) {
    let arguments = [
        "--bind",
        "127.0.0.1",
        "--log",
        "json",
        "--log-ids",
        "--metrics",
        "127.0.0.1:0",
    ];
    let relay = Relay::start_plain(backend, &arguments);
    act(&relay, "\"closed\"");
    for line in relay.log.lines() {
        assert!(
            line.starts_with("{\"time\":\"") && line.ends_with('}'),
            "{line}"
        );
    }
    let child = Command::new("python3")
        .args(["-W", "ignore", "-c", CHECKER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        skip("json: python3 not installed");
        return;
    };
    let mut input = child.stdin.take().unwrap();
    input
        .write_all(relay.log.lines().join("\n").as_bytes())
        .unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    // The id is the text of the other log: what would be escaped there is escaped here.
    let wanted = "\
metrics address None None None
registered from id alice\"of\\\\wonder None None
matched caller id listener alice\"of\\\\wonder None None
closed caller_bytes id listener_bytes reason alice\"of\\\\wonder finished 4
refused from id reason alice\"of\\\\wonder nobody-waits None
";
    assert_eq!(String::from_utf8_lossy(&output.stdout), wanted);
}

/// The words of the log that show an id.
fn shown(relay: &Relay) -> Vec<String> {
    let lines = relay.log.lines();
    let words = lines.iter().flat_map(|line| line.split(' '));
    let ids = words.filter_map(|word| word.strip_prefix("id="));
    ids.map(str::to_owned).collect()
}

fn ids_are_hidden_unless_asked_for_and_look_equal_within_one_run_only(backend: &str) {
    let mut seen = Vec::new();
    for _ in 0..3 {
        let relay = Relay::start_plain(backend, &["--bind", "127.0.0.1"]);
        act(&relay, "closed");
        drop(relay.listener(b"bob"));
        for line in relay.log.lines() {
            assert!(!line.contains("alice") && !line.contains("bob"), "{line}");
        }
        let mut ids = shown(&relay);
        ids.truncate(5);
        let bob = ids.pop().unwrap();
        for id in ids.iter().chain([&bob]) {
            let hash = id.strip_prefix('#').unwrap();
            assert_eq!(hash.len(), 12, "{id}");
            assert!(hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
        }
        assert_eq!(ids.len(), 4);
        ids.dedup();
        assert_eq!(ids.len(), 1, "equal ids look equal");
        seen.extend(ids);
        seen.push(bob);
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 6, "of three runs and two ids no two look equal");
}

fn ids_are_hidden_in_json_too(backend: &str) {
    let relay = Relay::start_plain(backend, &["--bind", "127.0.0.1", "--log=json"]);
    act(&relay, "\"closed\"");
    let lines = relay.log.lines();
    assert_eq!(lines.len(), 4);
    for line in lines {
        assert!(
            line.contains("\"id\":\"#") && !line.contains("alice"),
            "{line}"
        );
    }
}

fn quiet_leaves_the_lines_that_say_where_it_listens(backend: &str) {
    let relay = Relay::start(backend, &["--quiet", "--metrics", "127.0.0.1:0"]);
    let mut nobody = relay.caller(b"nobody");
    assert_eq!(read_to_end(&mut nobody), b"X");
    relay.wait_for("metrics", &[]);
    assert_eq!(relay.log.lines().len(), 1);
}
