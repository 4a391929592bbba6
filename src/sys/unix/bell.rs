//! Ending the waits of other threads.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::check;

/// Heard by every thread that waits with it, until it is hushed.
#[derive(Debug)]
pub struct Bell {
    rope: UnixStream,
    sound: UnixStream,
}

/// What ended a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// What was waited for, or an error to be found there.
    Ready,
    /// The bell.
    Rung,
    /// The time.
    TimedOut,
}

impl Bell {
    /// A silent bell.
    ///
    /// # Errors
    /// When no descriptors can be had.
    pub fn new() -> io::Result<Self> {
        let (rope, sound) = UnixStream::pair()?;
        rope.set_nonblocking(true)?;
        sound.set_nonblocking(true)?;
        Ok(Self { rope, sound })
    }

    /// Ends the waits, those of now and those to come.
    pub fn ring(&self) {
        // It fails only when thousands of rings were not hushed yet: then it rings.
        let _ = (&self.rope).write(&[0]);
    }

    /// Lets threads wait again.
    pub fn hush(&self) {
        while matches!((&self.sound).read(&mut [0; 64]), Ok(1..)) {}
    }

    /// The next connection; `None` when the bell rings.
    ///
    /// # Errors
    /// Those of the accept.
    pub fn accept(&self, listener: &TcpListener) -> io::Result<Option<(TcpStream, SocketAddr)>> {
        // Other threads and processes may share the socket, so that a connection which was there
        // may be gone.
        listener.set_nonblocking(true)?;
        loop {
            if self.wait(listener.as_fd(), None)? == Wait::Rung {
                return Ok(None);
            }
            match listener.accept() {
                Ok((stream, from)) => {
                    stream.set_nonblocking(false)?;
                    return Ok(Some((stream, from)));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits until there is something to read, or an end or an error to be found by reading.
    ///
    /// # Errors
    /// When the system cannot wait.
    pub fn await_bytes(&self, stream: &TcpStream, time: Duration) -> io::Result<Wait> {
        self.wait(stream.as_fd(), Some(time))
    }

    fn wait(&self, descriptor: BorrowedFd<'_>, time: Option<Duration>) -> io::Result<Wait> {
        let entry = |descriptor: BorrowedFd<'_>| libc::pollfd {
            fd: descriptor.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        let mut entries = [entry(self.sound.as_fd()), entry(descriptor)];
        // Rounded up: a wait that ends before its time would be asked for again at once.
        let milliseconds = time.map_or(-1, |time| {
            libc::c_int::try_from(time.as_micros().div_ceil(1000)).unwrap_or(libc::c_int::MAX)
        });
        let count = entries.len() as libc::nfds_t;
        // SAFETY: the entries are `count` and outlive the call.
        let ready = check(unsafe { libc::poll(entries.as_mut_ptr(), count, milliseconds) });
        match ready {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(error),
            _ if entries[0].revents != 0 => Ok(Wait::Rung),
            _ if entries[1].revents != 0 => Ok(Wait::Ready),
            _ => Ok(Wait::TimedOut),
        }
    }
}
