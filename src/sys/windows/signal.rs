//! Waiting for the request to end: Ctrl-C, Ctrl-Break, the console's window closed, the session's end.

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use super::{Bool, check};

const CTRL_C: u32 = 0;
const CTRL_BREAK: u32 = 1;
const CTRL_CLOSE: u32 = 2;

// The numbers that the same requests have on Unix.
const SIGHUP: i32 = 1;
const SIGINT: i32 = 2;
const SIGTERM: i32 = 15;

// SAFETY: `consoleapi.h` declares it so. The handler is called on a thread of its own.
#[link(name = "kernel32")]
unsafe extern "system" {
    fn SetConsoleCtrlHandler(handler: extern "system" fn(u32) -> Bool, add: Bool) -> Bool;
}

/// Where the handler reports to, from [`Termination::install`] on.
static REPORT: OnceLock<Sender<i32>> = OnceLock::new();

extern "system" fn report(event: u32) -> Bool {
    let number = match event {
        CTRL_C | CTRL_BREAK => SIGINT,
        CTRL_CLOSE => SIGHUP,
        _ => SIGTERM,
    };
    let heard = REPORT
        .get()
        .is_some_and(|report| report.send(number).is_ok());
    if heard && number != SIGINT {
        // The process is ended when this returns; the system waits some seconds.
        std::thread::sleep(Duration::MAX);
    }
    Bool::from(heard)
}

/// The process's own handling of such requests.
#[derive(Debug)]
pub struct Termination {
    reports: Mutex<Receiver<i32>>,
}

impl Termination {
    /// Takes them over. A process that was started to ignore Ctrl-C goes on ignoring it. To be called
    /// once.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn install() -> io::Result<Self> {
        let (report_to, reports) = channel();
        if REPORT.set(report_to).is_err() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        // SAFETY: the handler lives as long as the process, and may run on any thread.
        check(unsafe { SetConsoleCtrlHandler(report, 1) })?;
        Ok(Self {
            reports: Mutex::new(reports),
        })
    }

    /// Blocks until such a request comes: 2 for Ctrl-C, 1 for a closed window, 15 for the end of the
    /// session, which are the numbers of the signals that say so on Unix.
    pub fn wait(&self) -> i32 {
        let reports = self.reports.lock().unwrap_or_else(PoisonError::into_inner);
        // Cannot fail, for the sender is never dropped; ending is the safe side.
        reports.recv().unwrap_or(SIGTERM)
    }
}

/// Does nothing: a file that grows too large is an error here anyway.
pub fn fail_beyond_size_limit() {}

/// Does nothing: no thread is interrupted here.
pub fn block_all() {}
