//! A relay started for a measurement; it ends with its handle.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

/// A relay that listens on loopback.
pub(crate) struct Relay {
    child: Child,
    port: u16,
}

impl Relay {
    /// Starts `program` and waits for its first line, `listening on ADDR:PORT`.
    pub(crate) fn start(program: &Path, args: &[&str]) -> Self {
        let mut child = Command::new(program)
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", program.display()));
        let mut lines = BufReader::new(child.stderr.take().expect("stderr is piped"));
        let mut first = String::new();
        // The handle exists before anything can fail, so that the child is reaped.
        let mut relay = Self { child, port: 0 };
        lines.read_line(&mut first).expect("the relay's first line");
        relay.port = first
            .strip_prefix("listening on ")
            .and_then(|address| address.trim_end().rsplit_once(':'))
            .and_then(|(_, port)| port.parse().ok())
            .unwrap_or_else(|| panic!("{} said '{first}'", program.display()));
        // A full pipe would stop the relay.
        thread::spawn(move || {
            let mut chunk = [0; 4096];
            while matches!(lines.read(&mut chunk), Ok(1..)) {}
        });
        relay
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // Both fail only when it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
