//! The relay as a process of its own, and connections to it.
//!
//! Everything here is used by every test binary that includes this file; what only some use stands
//! in a file of its own beside it.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long anything that must happen may take before a test calls it missing.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// Makes one test of each rule, a `fn(backend: &str)`, for each backend that this build has.
macro_rules! on_every_backend {
    ($($rule:ident)*) => {
        #[cfg(all(target_os = "linux", feature = "libc"))]
        mod epoll {
            $(#[test] fn $rule() { super::$rule("epoll"); })*
        }
        mod threads {
            $(#[test] fn $rule() { super::$rule("threads"); })*
        }
    };
}
pub(crate) use on_every_backend;

/// A running `p2p-relay`; ends with the value. Its log is shown when the test fails.
pub(crate) struct Relay {
    /// Where it listens, as it says itself.
    pub(crate) address: SocketAddr,
    /// The process.
    pub(crate) child: Child,
    /// What it has written after its first line.
    pub(crate) log: Log,
    /// Where its connections came from.
    known: Mutex<HashSet<SocketAddr>>,
}

/// The lines that a process writes, as they come.
pub(crate) struct Log {
    shared: Arc<Lines>,
    collector: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Lines {
    lines: Mutex<Vec<String>>,
    grown: Condvar,
}

impl Relay {
    /// A relay on a free port of 127.0.0.1 with these options besides.
    pub(crate) fn start(backend: &str, options: &[&str]) -> Self {
        let arguments = [&["--bind", "127.0.0.1"], options].concat();
        Self::start_anywhere(backend, &arguments)
    }

    /// A relay on a free port; where it binds is left to the options.
    pub(crate) fn start_anywhere(backend: &str, options: &[&str]) -> Self {
        Self::start_plain(backend, &[&["--log-ids"], options].concat())
    }

    /// A relay on a free port with nothing but these options.
    pub(crate) fn start_plain(backend: &str, options: &[&str]) -> Self {
        Self::start_with(
            Command::new(env!("CARGO_BIN_EXE_p2p-relay"))
                .args(["--backend", backend])
                .args(options)
                .arg("0")
                .stdin(Stdio::null()),
        )
    }

    /// A relay that is started by this command.
    pub(crate) fn start_with(command: &mut Command) -> Self {
        let spawned = command.stderr(Stdio::piped()).spawn();
        let mut child = spawned.expect("p2p-relay starts");
        let mut stderr = BufReader::new(child.stderr.take().expect("stderr is piped"));
        let mut first = String::new();
        stderr.read_line(&mut first).expect("stderr is text");
        let address = first
            .strip_prefix("listening on ")
            .or_else(|| Some(first.split_once("\"listening\",\"address\":\"")?.1))
            .and_then(|address| address.trim_end_matches(['\n', '}', '"']).parse().ok());
        let Some(address) = address else {
            let _ = child.kill();
            let _ = child.wait();
            panic!("the first line is 'listening on ADDR:PORT', not {first:?}");
        };
        Self {
            address,
            child,
            log: Log::of(stderr),
            known: Mutex::default(),
        }
    }

    /// Waits for an event whose line has all of `parts`, each a whole word; the line.
    #[track_caller]
    pub(crate) fn wait_for(&self, event: &str, parts: &[&str]) -> String {
        self.log.wait_for(|line| {
            let mut words = line.split(' ');
            words.next() == Some(event)
                && parts
                    .iter()
                    .all(|part| words.clone().any(|word| word == *part))
        })
    }

    /// A connection that has said nothing yet, from an address that stands in no line of the log: a port that
    /// an earlier one had comes again after a second.
    pub(crate) fn connect(&self) -> TcpStream {
        loop {
            let stream = connect(self.address);
            let ours = stream.local_addr().expect("a connection has an address");
            let mut known = self.known.lock().expect("nobody panics with it");
            if known.insert(ours) {
                return stream;
            }
        }
    }

    /// Waits until the relay has said that this connection waits.
    pub(crate) fn wait_registered(&self, stream: &TcpStream) {
        let ours = stream.local_addr().expect("a connection has an address");
        self.wait_for("registered", &[&format!("from={ours}")]);
    }
}

impl Log {
    /// Collects what comes out of `output` until its end.
    pub(crate) fn of(output: impl BufRead + Send + 'static) -> Self {
        let shared = Arc::new(Lines::default());
        let collector = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || shared.collect(output)
        });
        Self {
            shared,
            collector: Some(collector),
        }
    }

    /// What has come until now.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.shared
            .lines
            .lock()
            .expect("no collector panics")
            .clone()
    }

    /// All that came, once the process is gone.
    pub(crate) fn finish(&mut self) -> Vec<String> {
        if let Some(collector) = self.collector.take() {
            let _ = collector.join();
        }
        self.lines()
    }

    /// Waits for a line, which may have come before.
    #[track_caller]
    pub(crate) fn wait_for(&self, fits: impl Fn(&str) -> bool) -> String {
        let until = Instant::now() + DEADLINE;
        let mut seen = 0;
        let mut lines = self.shared.lines.lock().expect("no collector panics");
        loop {
            if let Some(line) = lines[seen..].iter().find(|line| fits(line)) {
                return line.clone();
            }
            seen = lines.len();
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let seen = lines.clone();
                // Whoever looks at the lines after this panic has to get the lock.
                drop(lines);
                panic!("the line that was waited for is not in {seen:#?}");
            }
            (lines, _) = self
                .shared
                .grown
                .wait_timeout(lines, left)
                .expect("no collector panics");
        }
    }
}

impl Lines {
    fn collect(&self, output: impl BufRead) {
        for line in output.split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            self.lines.lock().expect("no reader panics").push(line);
            self.grown.notify_all();
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let lines = self.log.finish();
        if std::thread::panicking() {
            for line in &lines[lines.len().saturating_sub(20)..] {
                eprintln!("relay: {line}");
            }
        }
    }
}

/// A connection without Nagle's delay, whose reads and writes fail after [`DEADLINE`].
pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("somebody listens");
    stream.set_nodelay(true).expect("a socket option");
    stream
        .set_read_timeout(Some(DEADLINE))
        .expect("a socket option");
    stream
        .set_write_timeout(Some(DEADLINE))
        .expect("a socket option");
    stream
}

/// `T<id>$` or `C<id>$`.
pub(crate) fn hello(role: u8, id: &[u8]) -> Vec<u8> {
    [&[role], id, b"$"].concat()
}

/// The next `count` bytes.
pub(crate) fn read(stream: &mut impl Read, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    stream
        .read_exact(&mut bytes)
        .unwrap_or_else(|error| panic!("{count} bytes were to come: {error}"));
    bytes
}

/// Everything up to a clean end.
pub(crate) fn read_to_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream
        .read_to_end(&mut bytes)
        .unwrap_or_else(|error| panic!("a clean end was to come after {bytes:?}: {error}"));
    bytes
}

/// Waits until the condition holds.
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let until = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < until, "still not so: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
