//! Running the two programs.

use std::ffi::OsStr;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::common::Relay;

/// How a program ended.
#[derive(Debug)]
pub(crate) struct End {
    /// Its exit status.
    pub(crate) status: i32,
    /// What it wrote to standard error.
    pub(crate) said: String,
    /// What it wrote to standard output.
    pub(crate) told: String,
}

/// Where the program called `name` is.
pub(crate) fn path(name: &str) -> &'static str {
    match name {
        "send_r" => env!("CARGO_BIN_EXE_send_r"),
        _ => env!("CARGO_BIN_EXE_recv_r"),
    }
}

/// `send_r` or `recv_r` without input and without a secret in its environment.
pub(crate) fn command(name: &str) -> Command {
    let mut command = Command::new(path(name));
    command
        .env_remove("P2PXFER_SECRET")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// `send_r` or `recv_r` in a folder, with `alice HOST PORT` behind the words.
pub(crate) fn meeting<W: AsRef<OsStr>>(
    name: &str,
    folder: &Path,
    relay: &Relay,
    words: &[W],
) -> Command {
    let mut command = command(name);
    let port = relay.address.port().to_string();
    command.current_dir(folder).args(words);
    command.args(["alice", "127.0.0.1", &port]);
    command
}

/// Waits for the end, which must come by itself.
pub(crate) fn end(child: Child) -> End {
    let output = crate::end::output(child);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let end = End {
        status: output.status.code().unwrap_or(-1),
        said: text(&output.stderr),
        told: text(&output.stdout),
    };
    assert!(!end.said.contains("panicked"), "{end:?}");
    end
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command) -> End {
    end(command.spawn().expect("the program is there"))
}

/// Starts a receiver, and waits until the relay knows it.
pub(crate) fn listen(relay: &Relay, command: &mut Command) -> Child {
    let child = command.spawn().expect("the program is there");
    relay.wait_for("registered", &["id=alice"]);
    child
}

/// Whether a tool is there; says which test is not run when it is not.
pub(crate) fn has(tool: &str, test: &str) -> bool {
    let there = Command::new(tool)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let there = there.is_ok_and(|status| status.success());
    if !there {
        // Past the capture of a test's output.
        let _ = writeln!(std::io::stderr(), "SKIP cli/{test}: {tool} not installed");
    }
    there
}
