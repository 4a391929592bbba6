//! A file from folder to folder through a relay, by programs as a user starts them.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::cpu;
use crate::process::Relay;

/// Exit status of a sender whose receiver the relay does not know.
const NOBODY_WAITS: i32 = 3;
/// How long a receiver may take to be known at the relay.
const PATIENCE: Duration = Duration::from_secs(30);
const NAME: &str = "bench.bin";

/// A folder with a file to send and a place for what arrives; both go with it.
pub(crate) struct Place {
    root: PathBuf,
}

impl Place {
    /// Makes it under `parent`, with a file of `size` bytes.
    pub(crate) fn new(parent: &Path, size: u64) -> io::Result<Self> {
        let root = parent.join(format!("p2pxfer-bench-{}", std::process::id()));
        let place = Self { root };
        fs::create_dir_all(place.inbox())?;
        let mut file = BufWriter::with_capacity(1 << 20, File::create(place.source())?);
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut left = size;
        while left > 0 {
            // xorshift64: bytes of every value, so that the sums wrap.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let next = left.min(8) as usize;
            file.write_all(&state.to_le_bytes()[..next])?;
            left -= next as u64;
        }
        file.flush()?;
        Ok(place)
    }

    pub(crate) fn source(&self) -> PathBuf {
        self.root.join(NAME)
    }

    pub(crate) fn inbox(&self) -> PathBuf {
        self.root.join("inbox")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Nothing is left to do when it cannot be removed; the path is unique to this process.
        let _ = fs::remove_dir_all(&self.root);
    }
}

/// One run.
#[derive(Clone, Copy)]
pub(crate) struct Cost {
    /// From the sender's start until both programs have ended.
    pub(crate) seconds: f64,
    /// Processor time of the sender and the receiver.
    pub(crate) clients_cpu: f64,
    /// Processor time of the relay.
    pub(crate) relay_cpu: f64,
}

/// Runs a receiver and a sender that meet at `relay`.
///
/// # Panics
/// When one of them fails, or when what arrived is not what was sent.
pub(crate) fn run(
    place: &Place,
    relay: &Relay,
    receiver: &mut Command,
    sender: &mut Command,
) -> Cost {
    let before = (cpu::of_ended_children(), cpu::of(relay.pid()));
    let receiving = Running::start(receiver);
    let deadline = Instant::now() + PATIENCE;
    let seconds = loop {
        let begun = Instant::now();
        let sent = Running::start(sender).end();
        if sent.status.success() {
            let received = receiving.end();
            let seconds = begun.elapsed().as_secs_f64();
            assert!(received.status.success(), "receiver: {}", said(&received));
            break seconds;
        }
        assert!(
            sent.status.code() == Some(NOBODY_WAITS) && Instant::now() < deadline,
            "sender: {}",
            said(&sent)
        );
    };
    let cost = Cost {
        seconds,
        clients_cpu: cpu::of_ended_children() - before.0,
        relay_cpu: cpu::of(relay.pid()) - before.1,
    };
    let arrived = place.inbox().join(NAME);
    assert!(
        same(&place.source(), &arrived).expect("both files can be read"),
        "what arrived differs from what was sent"
    );
    // The next round writes into the pages that this frees: fresh ones are slow in a virtual machine.
    fs::remove_file(&arrived).expect("the file that arrived can be removed");
    cost
}

/// A program that is ended when its handle is dropped before its time.
struct Running(Option<Child>);

impl Running {
    fn start(command: &mut Command) -> Self {
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        Self(Some(child.unwrap_or_else(|error| {
            panic!("cannot start {command:?}: {error}")
        })))
    }

    fn end(mut self) -> Output {
        let child = self.0.take().expect("it runs until it is awaited");
        child.wait_with_output().expect("the end of a program")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            // Both fail only when it is gone already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn said(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    format!("{}: {}", output.status, text.trim_end())
}

fn same(one: &Path, other: &Path) -> io::Result<bool> {
    let (mut one, mut other) = (File::open(one)?, File::open(other)?);
    if one.metadata()?.len() != other.metadata()?.len() {
        return Ok(false);
    }
    let (mut left, mut right) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    loop {
        let got = one.read(&mut left)?;
        if got == 0 {
            return Ok(true);
        }
        other.read_exact(&mut right[..got])?;
        if left[..got] != right[..got] {
            return Ok(false);
        }
    }
}
