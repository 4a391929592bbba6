//! `send_r` and `recv_r` as processes.

use std::ffi::OsStr;
use std::io::{BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Instant;

use super::common::{DEADLINE, Log, Relay};

/// A running program; killed with the value.
pub(crate) struct Program {
    child: Child,
    log: Option<Log>,
}

/// How a program ended.
#[derive(Debug)]
pub(crate) struct End {
    /// Its exit status; minus the number of the signal that killed it.
    pub(crate) status: i32,
    /// What it wrote to standard error.
    pub(crate) said: String,
}

/// `send_r` or `recv_r` with standard error collected and no standard input or output.
pub(crate) fn command(name: &str) -> Command {
    let path = match name {
        "send_r" => env!("CARGO_BIN_EXE_send_r"),
        _ => env!("CARGO_BIN_EXE_recv_r"),
    };
    quiet(Command::new(path))
}

/// A command with standard error collected and no standard input or output.
pub(crate) fn quiet(mut command: Command) -> Command {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// Says why a test is not run, past the capture of its output.
pub(crate) fn skip(text: &str) {
    let _ = writeln!(std::io::stderr(), "SKIP {text}");
}

/// `FILE alice HOST PORT`, and options; in version 1.
pub(crate) fn with_words(
    mut command: Command,
    file: impl AsRef<OsStr>,
    address: std::net::SocketAddr,
    options: &[&str],
) -> Command {
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    command.arg("--v1").arg(file);
    command.args(["alice", &host, &port]).args(options);
    command
}

/// A sender of `file` in version 1.
pub(crate) fn send(file: &Path, address: std::net::SocketAddr, options: &[&str]) -> Program {
    let options = [&["--v1"], options].concat();
    Program::start(with_words(command("send_r"), file, address, &options))
}

/// A receiver into `place` that the relay knows.
pub(crate) fn receive(relay: &Relay, place: &Path, options: &[&str]) -> Program {
    let mut command = with_words(command("recv_r"), "-", relay.address, options);
    command.arg("-o").arg(place);
    listen(relay, command)
}

/// A receiver by any command that the relay knows.
pub(crate) fn listen(relay: &Relay, command: Command) -> Program {
    let receiver = Program::start(command);
    await_receiver(relay);
    receiver
}

/// Waits until the relay knows the receiver.
pub(crate) fn await_receiver(relay: &Relay) {
    relay.wait_for("registered", &["id=alice"]);
}

impl Program {
    pub(crate) fn start(command: Command) -> Self {
        let mut program = Self::start_unheard(command);
        let stderr = program.child.stderr.take();
        program.log = stderr.map(|stderr| Log::of(BufReader::new(stderr)));
        program
    }

    /// Nobody reads its standard output, and standard error not before it is asked for.
    fn start_unheard(mut command: Command) -> Self {
        let child = command.spawn();
        let mut child = child.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        drop(child.stdout.take());
        Self { child, log: None }
    }

    /// Nobody reads its standard output or its standard error: a pipe there is closed.
    pub(crate) fn start_alone(command: Command) -> Self {
        let mut program = Self::start_unheard(command);
        drop(program.child.stderr.take());
        program
    }

    /// Waits for a line on standard error that holds `text`.
    #[track_caller]
    pub(crate) fn wait_for(&self, text: &str) -> String {
        let log = self.log.as_ref().expect("standard error is collected");
        log.wait_for(|line| line.contains(text))
    }

    /// Whether it still runs.
    pub(crate) fn runs(&mut self) -> bool {
        self.child.try_wait().expect("a child of ours").is_none()
    }

    /// Sends a signal by its name.
    #[cfg(unix)]
    pub(crate) fn signal(&self, name: &str) {
        signal(&self.child, name);
    }

    /// Waits for the end, which must come by itself.
    #[track_caller]
    pub(crate) fn end(mut self) -> End {
        let until = Instant::now() + DEADLINE;
        while self.runs() {
            assert!(Instant::now() < until, "it does not end");
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        let status = self.child.wait().expect("a child of ours");
        let said = match &mut self.log {
            Some(log) => log.finish().join("\n"),
            None => String::new(),
        };
        assert!(!said.contains("panicked"), "{said}");
        let status = number(status);
        End { status, said }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(log) = &mut self.log {
            let said = log.finish();
            if std::thread::panicking() {
                eprintln!("{}", said.join("\n"));
            }
        }
    }
}

/// Sends a signal by its name.
#[cfg(unix)]
pub(crate) fn signal(child: &Child, name: &str) {
    let status = Command::new("kill")
        .args(["-s", name, &child.id().to_string()])
        .status();
    assert!(status.expect("kill(1) is there").success());
}

/// An exit status; minus the number of the signal that killed the process.
pub(crate) fn number(status: ExitStatus) -> i32 {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return -signal;
    }
    status.code().expect("it was not killed")
}
