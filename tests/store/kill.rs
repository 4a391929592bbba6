//! Killed at every single call into the system: what is proved is right, at most one group is asked
//! twice, and in the end everything is the same.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::sender::{GROUP, Sent, bytes, check, file, folder, folder_end, place, send};
use crate::temp::TempDir;

const FOLDER: &str = "P2PXFER_TEST_KILLED_IN";

fn all() -> Vec<Sent> {
    vec![
        folder("a"),
        file("a/big.bin", bytes(1, 4 * GROUP + 1000)),
        file("a/run.sh", bytes(2, 3000)),
        file("a/second", bytes(3, 3000)),
        folder_end("a"),
        file("z", bytes(4, 10)),
    ]
}

/// Not a test of its own: the process that is killed.
#[test]
fn the_one_that_is_killed() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        send(&place(Path::new(&folder)), &all(), usize::MAX);
    }
}

#[test]
fn where_a_file_without_a_name_gets_none_its_copy_gets_it() {
    let strace = Command::new("strace").arg("-V").output();
    if cfg!(not(feature = "libc")) || strace.is_err() {
        let _ = writeln!(
            std::io::stderr(),
            "SKIP kill-nameless: needs strace and the feature libc"
        );
        return;
    }
    let temp = TempDir::new();
    fs::create_dir(temp.path().join("into")).unwrap();
    let status = Command::new("strace")
        .args(["-f", "-qq", "-o"])
        .arg(temp.path().join("calls"))
        .args(["-e", "trace=linkat"])
        // The first one asks whether there are such files.
        .args(["-e", "inject=linkat:error=EPERM:when=2+"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "kill::the_one_that_is_killed"])
        .env(FOLDER, temp.path().join("into"))
        .stdout(Stdio::null())
        .status();
    assert!(status.unwrap().success());
    let calls = fs::read_to_string(temp.path().join("calls")).unwrap();
    assert!(calls.contains("(INJECTED)"), "{calls}");
    check(&temp.path().join("into"), &all());
}

/// The calls that change something on the disk.
const CALLS: [&str; 12] = [
    "write",
    "fsync",
    "fdatasync",
    "syncfs",
    "renameat2",
    "linkat",
    "unlinkat",
    "openat",
    "ftruncate",
    "mkdirat",
    "utimensat",
    "fchmod",
];

/// Runs the transfer, and kills it in front of its `number`th call of this kind on each thread;
/// `false` when it does not make so many.
fn killed(folder: &Path, call: &str, number: u32) -> bool {
    let status = Command::new("strace")
        .args(["-f", "-qq", "-o", "/dev/null", "-e"])
        .arg(format!("trace={call}"))
        .arg("-e")
        .arg(format!("inject={call}:signal=KILL:when={number}"))
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "kill::the_one_that_is_killed"])
        .env(FOLDER, folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    !status.unwrap().success()
}

#[test]
fn killed_at_any_call_everything_is_there_in_the_end_and_nothing_wrong_meanwhile() {
    let strace = Command::new("strace").arg("-V").output();
    if cfg!(not(feature = "libc")) || strace.is_err() {
        let _ = writeln!(
            std::io::stderr(),
            "SKIP kill: needs strace and the feature libc"
        );
        return;
    }
    let all = all();
    let mut points = 0;
    for call in CALLS {
        let mut number = 1;
        loop {
            let temp = TempDir::new();
            if !killed(temp.path(), call, number) {
                check(temp.path(), &all);
                break;
            }
            points += 1;
            // Under a final name is the whole file or nothing.
            for sent in &all {
                let path = temp
                    .path()
                    .join(String::from_utf8(sent.entry.shown()).unwrap());
                if path.is_file() {
                    assert!(
                        fs::read(&path).unwrap() == sent.bytes,
                        "{call} {number}: {path:?}"
                    );
                }
            }
            let part = temp.path().join("a/big.bin.p2pxfer-part");
            let held = fs::metadata(part).map_or(0, |part| part.len() as usize / GROUP);
            let outcome = send(&place(temp.path()), &all, usize::MAX);
            assert!(outcome.refused.is_empty(), "{call} {number}: {outcome:?}");
            if let Some(wanted) = outcome.wanted.get(&1) {
                let wanted = *wanted as usize / GROUP;
                assert!(
                    held - wanted <= 1,
                    "{call} {number}: {held} groups, {wanted} proved"
                );
            }
            check(temp.path(), &all);
            number += 1;
        }
    }
    assert!(points > 50, "only {points} kills");
    eprintln!("{points} kills");
}
