//! Waiting for the request to end: SIGINT, SIGTERM, SIGHUP, SIGQUIT; and SIGXFSZ, which ends nothing here.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{IntoRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicI32, Ordering};

use super::check;

/// Where the handler writes the signal's number; -1 until [`Termination::install`].
static REPORT: AtomicI32 = AtomicI32::new(-1);

extern "C" fn report(signal: libc::c_int) {
    let byte = u8::try_from(signal).unwrap_or(0);
    // SAFETY: write(2) is async-signal-safe, reads one byte that lives on this stack, and the
    // descriptor is never closed. Its result is of no use here: when the buffer is full, a signal is
    // already waiting to be read.
    unsafe { libc::write(REPORT.load(Ordering::Relaxed), (&raw const byte).cast(), 1) };
}

/// The process's own handling of SIGINT, SIGTERM, SIGHUP and SIGQUIT.
#[derive(Debug)]
pub struct Termination {
    reports: File,
}

impl Termination {
    /// Takes the four signals over. A signal that the process was started to ignore (as `nohup`
    /// does) stays ignored. To be called once.
    ///
    /// # Errors
    /// When no descriptor can be had.
    pub fn install() -> io::Result<Self> {
        let (reader, writer) = UnixStream::pair()?;
        // The handler must not block, whatever becomes of the reader.
        writer.set_nonblocking(true)?;
        REPORT.store(OwnedFd::from(writer).into_raw_fd(), Ordering::Relaxed);
        for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT] {
            take_over(signal)?;
        }
        Ok(Self {
            reports: File::from(OwnedFd::from(reader)),
        })
    }

    /// Blocks until a signal comes; its number.
    pub fn wait(&self) -> i32 {
        let mut byte = [0];
        loop {
            match (&self.reports).read(&mut byte) {
                Ok(1) => return i32::from(byte[0]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Cannot happen while the writer's descriptor stays open; ending is the safe side.
                _ => return libc::SIGTERM,
            }
        }
    }
}

/// From now on a write beyond the limit on file sizes (`ulimit -f`) fails with `FileTooLarge`; without
/// this call SIGXFSZ kills the process there, before it can remove its part file.
pub fn fail_beyond_size_limit() {
    // SAFETY: SIG_IGN runs nothing. The call fails for no signal that exists and can be ignored.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

/// From now on no signal is handled in the calling thread, nor in those that it starts; one that the
/// thread itself raises, such as SIGPIPE, has no effect.
pub fn block_all() {
    // SAFETY: `sigset_t` is plain data, for which zero is a valid value.
    let mut all: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set is ours. The call cannot fail.
    unsafe { libc::sigfillset(&raw mut all) };
    // SAFETY: as above, and without a place for it the mask that was is not told.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const all, std::ptr::null_mut()) };
}

fn take_over(signal: libc::c_int) -> io::Result<()> {
    // SAFETY: `sigaction` is plain data for which zero is a valid value: no flags, empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: with a null new action the call only writes the present one.
    check(unsafe { libc::sigaction(signal, std::ptr::null(), &raw mut action) })?;
    if action.sa_sigaction == libc::SIG_IGN {
        return Ok(());
    }
    // SAFETY: as above.
    let mut ours: libc::sigaction = unsafe { std::mem::zeroed() };
    let handler: extern "C" fn(libc::c_int) = report;
    ours.sa_sigaction = handler as libc::sighandler_t;
    ours.sa_flags = libc::SA_RESTART;
    // SAFETY: `ours` names a handler that does only what a signal handler may do.
    check(unsafe { libc::sigaction(signal, &raw const ours, std::ptr::null_mut()) })?;
    Ok(())
}
