//! The terminal.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::check;

/// How often a question looks whether it is still asked, in milliseconds.
const LOOK: libc::c_int = 50;

/// The terminal whose echo is off, and how it was before. The file stays open as long.
static HIDDEN: Mutex<Option<(File, libc::termios)>> = Mutex::new(None);

/// Width of the terminal behind standard error, in columns; `None` when there is none.
pub fn width() -> Option<usize> {
    let mut size = libc::winsize {
        ws_row: 0,
        ws_col: 0,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: TIOCGWINSZ writes one `winsize`, which outlives the call.
    let result = unsafe { libc::ioctl(libc::STDERR_FILENO, libc::TIOCGWINSZ, &raw mut size) };
    (result == 0 && size.ws_col > 0).then_some(usize::from(size.ws_col))
}

/// Whether this process is the one that its terminal's user talks to: a job in the background is
/// stopped by the kernel when it reads, so it must not ask.
pub fn is_ours() -> bool {
    let Ok(tty) = open() else {
        return false;
    };
    // SAFETY: takes a descriptor that is open, and gives a number.
    let foreground = unsafe { libc::tcgetpgrp(tty.as_raw_fd()) };
    // SAFETY: takes nothing and cannot fail.
    foreground == unsafe { libc::getpgrp() }
}

/// Writes `question` to the terminal and reads a line from there, whatever standard input and output
/// are; the line comes without its end, and is added to `answer`, never beyond its capacity. With
/// `hidden` nothing is shown of it. It ends early when `stop` says so, which is asked 20 times a
/// second: a signal that is taken over ([`super::signal::Termination`]) can end it so. However it
/// ends, the terminal is as it was before.
///
/// # Errors
/// `NotFound` when the process has no terminal, `Interrupted` when stopped, `UnexpectedEof` when the
/// input ended without a line, `InvalidData` when the line is longer than `answer` may grow.
pub fn ask(
    question: &str,
    hidden: bool,
    answer: &mut Vec<u8>,
    stop: &dyn Fn() -> bool,
) -> io::Result<()> {
    let mut tty = open()?;
    let echo = hidden.then(|| NoEcho::begin(&tty)).transpose()?;
    // What was typed before the question is no answer to it.
    // SAFETY: takes a descriptor that is open.
    check(unsafe { libc::tcflush(tty.as_raw_fd(), libc::TCIFLUSH) })?;
    tty.write_all(question.as_bytes())?;
    let result = read_line(&mut tty, answer, stop);
    if hidden || result.is_err() {
        // The user's own line end was not shown, or there was none.
        let _ = tty.write_all(b"\n");
    }
    drop(echo);
    result
}

/// Gives the terminal back its echo, for a process that ends while [`ask`] hides what is typed.
pub fn restore() {
    if let Some((tty, before)) = hidden().take() {
        // Fails only when the terminal is gone.
        let _ = set(tty.as_raw_fd(), &before);
    }
}

/// Echo is off while it lives.
struct NoEcho;

impl NoEcho {
    fn begin(tty: &File) -> io::Result<Self> {
        let mut before = std::mem::MaybeUninit::<libc::termios>::uninit();
        // SAFETY: the call writes one `termios` or fails.
        check(unsafe { libc::tcgetattr(tty.as_raw_fd(), before.as_mut_ptr()) })?;
        // SAFETY: the call above succeeded.
        let before = unsafe { before.assume_init() };
        let mut without = before;
        without.c_lflag &= !(libc::ECHO | libc::ECHOE | libc::ECHOK | libc::ECHONL);
        without.c_lflag |= libc::ICANON | libc::ISIG;
        // Ctrl-Z would leave the shell with a terminal that shows nothing.
        without.c_cc[libc::VSUSP] = libc::_POSIX_VDISABLE;
        let kept = tty.try_clone()?;
        *hidden() = Some((kept, before));
        // Made first, so that the echo comes back whatever the call below has done before it failed.
        let echo = Self;
        set(tty.as_raw_fd(), &without)?;
        Ok(echo)
    }
}

impl Drop for NoEcho {
    fn drop(&mut self) {
        restore();
    }
}

fn hidden() -> MutexGuard<'static, Option<(File, libc::termios)>> {
    // What it holds is whole after every statement.
    HIDDEN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn set(tty: RawFd, mode: &libc::termios) -> io::Result<()> {
    // SAFETY: reads one `termios`, which outlives the call.
    check(unsafe { libc::tcsetattr(tty, libc::TCSAFLUSH, mode) }).map(drop)
}

fn open() -> io::Result<File> {
    let tty = OpenOptions::new().read(true).write(true).open("/dev/tty");
    // ENXIO: the process has no terminal.
    tty.map_err(|_| io::ErrorKind::NotFound.into())
}

fn read_line(tty: &mut File, answer: &mut Vec<u8>, stop: &dyn Fn() -> bool) -> io::Result<()> {
    let mut byte = [0];
    loop {
        if stop() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let mut wait = libc::pollfd {
            fd: tty.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: one `pollfd`, which outlives the call.
        if unsafe { libc::poll(&raw mut wait, 1, LOOK) } <= 0 {
            continue;
        }
        match tty.read(&mut byte) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) if byte[0] == b'\n' => return Ok(()),
            Ok(_) if answer.len() == answer.capacity() => {
                return Err(io::ErrorKind::InvalidData.into());
            }
            Ok(_) => answer.push(byte[0]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
