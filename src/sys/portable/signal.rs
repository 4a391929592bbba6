//! Waiting for the request to end, where the `libc` crate is not there to name the calls.

use std::ffi::{c_int, c_void};
use std::io::{self, Read};
use std::os::fd::IntoRawFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicI32, Ordering};

// POSIX fixes these numbers by the names `kill -1`, `-2`, `-3` and `-15` (XCU, kill).
const SIGHUP: c_int = 1;
const SIGINT: c_int = 2;
const SIGQUIT: c_int = 3;
const SIGTERM: c_int = 15;
const SIG_IGN: usize = 1;

// SAFETY: both are in every C library that Rust's own standard library links, with these types.
unsafe extern "C" {
    fn signal(signal: c_int, handler: usize) -> usize;
    fn write(descriptor: c_int, bytes: *const c_void, count: usize) -> isize;
}

static REPORT: AtomicI32 = AtomicI32::new(-1);

extern "C" fn report(signal: c_int) {
    let byte = u8::try_from(signal).unwrap_or(0);
    // SAFETY: write(2) is async-signal-safe and reads one byte that lives on this stack.
    unsafe { write(REPORT.load(Ordering::Relaxed), (&raw const byte).cast(), 1) };
}

/// The process's own handling of SIGINT, SIGTERM, SIGHUP and SIGQUIT.
#[derive(Debug)]
pub struct Termination {
    reports: UnixStream,
}

impl Termination {
    /// Takes the four signals over; one that is ignored stays so. To be called once.
    ///
    /// # Errors
    /// When no descriptor can be had.
    pub fn install() -> io::Result<Self> {
        let (reports, writer) = UnixStream::pair()?;
        writer.set_nonblocking(true)?;
        REPORT.store(writer.into_raw_fd(), Ordering::Relaxed);
        let handler: extern "C" fn(c_int) = report;
        for number in [SIGHUP, SIGINT, SIGQUIT, SIGTERM] {
            // SAFETY: the handler does only what a signal handler may do.
            let before = unsafe { signal(number, handler as usize) };
            if before == SIG_IGN {
                // SAFETY: gives back what was there.
                unsafe { signal(number, SIG_IGN) };
            }
        }
        Ok(Self { reports })
    }

    /// Blocks until a signal comes; its number.
    pub fn wait(&self) -> i32 {
        let mut byte = [0];
        loop {
            match (&self.reports).read(&mut byte) {
                Ok(1) => return i32::from(byte[0]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                _ => return SIGTERM,
            }
        }
    }
}

/// Does nothing: the signal has no number that all systems share.
pub fn fail_beyond_size_limit() {}

/// Does nothing, as above; the standard library's sockets raise no SIGPIPE.
pub fn block_all() {}
