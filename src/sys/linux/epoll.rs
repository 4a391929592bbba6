//! `epoll` and `eventfd`.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

use super::count;

/// How many events one wait takes at most.
const BATCH: usize = 256;

/// How a descriptor is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watch {
    /// A stream: reported once at each change, for reading, writing and its end.
    Stream,
    /// A listening socket that several loops share: reported to one of them while connections wait.
    Listener,
    /// A [`Waker`]: reported until [`Waker::clear`].
    Waker,
}

/// What became of a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The number that it was added under.
    pub token: u64,
    /// It may be read, or its end be found by reading.
    pub readable: bool,
    /// It may be written, or its error be found by writing.
    pub writable: bool,
    /// The peer has ended its side, or the connection is broken.
    pub ended: bool,
    /// Urgent data waits, which a read stops before.
    pub urgent: bool,
}

/// Room for the events of one wait.
pub struct Events(Vec<libc::epoll_event>);

impl Default for Events {
    fn default() -> Self {
        Self(Vec::with_capacity(BATCH))
    }
}

impl Events {
    /// The events of the last wait.
    pub fn iter(&self) -> impl Iterator<Item = Event> + '_ {
        self.0.iter().map(|raw| {
            let (bits, token) = (raw.events as libc::c_int, raw.u64);
            let broken = bits & (libc::EPOLLERR | libc::EPOLLHUP) != 0;
            Event {
                token,
                readable: broken || bits & (libc::EPOLLIN | libc::EPOLLRDHUP) != 0,
                writable: broken || bits & libc::EPOLLOUT != 0,
                ended: broken || bits & libc::EPOLLRDHUP != 0,
                urgent: bits & libc::EPOLLPRI != 0,
            }
        })
    }
}

/// A set of watched descriptors.
#[derive(Debug)]
pub struct Epoll(OwnedFd);

impl Epoll {
    /// An empty set.
    ///
    /// # Errors
    /// When no descriptor can be had.
    pub fn new() -> io::Result<Self> {
        // SAFETY: no memory is passed.
        let descriptor = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        count(descriptor as isize)?;
        // SAFETY: the descriptor is new and nobody else's.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(descriptor) }))
    }

    /// Watches `descriptor` under `token`; what it is ready for already is reported by the next wait.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn add(&self, descriptor: impl AsFd, token: u64, watch: Watch) -> io::Result<()> {
        let bits = match watch {
            Watch::Stream => {
                libc::EPOLLIN | libc::EPOLLPRI | libc::EPOLLOUT | libc::EPOLLRDHUP | libc::EPOLLET
            }
            Watch::Listener => libc::EPOLLIN | libc::EPOLLEXCLUSIVE,
            Watch::Waker => libc::EPOLLIN,
        };
        let mut event = libc::epoll_event {
            events: bits as u32,
            u64: token,
        };
        self.control(libc::EPOLL_CTL_ADD, descriptor, &raw mut event)
    }

    /// Watches `descriptor` no longer.
    ///
    /// # Errors
    /// When it was not watched.
    pub fn remove(&self, descriptor: impl AsFd) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_DEL, descriptor, std::ptr::null_mut())
    }

    /// Waits until something is ready or `timeout` is over; `None` waits without end.
    ///
    /// # Errors
    /// Only for a fault of the program: an interrupted wait counts as one without events.
    pub fn wait(&self, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        // Rounded up: waking a part of a millisecond early would make the loop spin until the time.
        let milliseconds = timeout.map_or(-1, |timeout| {
            libc::c_int::try_from(timeout.as_micros().div_ceil(1000)).unwrap_or(libc::c_int::MAX)
        });
        events.0.clear();
        // SAFETY: the kernel writes at most BATCH events, for which the vector has room.
        let result = unsafe {
            libc::epoll_wait(
                self.0.as_raw_fd(),
                events.0.as_mut_ptr(),
                BATCH as libc::c_int,
                milliseconds,
            )
        };
        match count(result as isize) {
            Ok(ready) => {
                // SAFETY: the kernel has written `ready` events, at most BATCH.
                unsafe { events.0.set_len(ready) };
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn control(
        &self,
        operation: libc::c_int,
        descriptor: impl AsFd,
        event: *mut libc::epoll_event,
    ) -> io::Result<()> {
        let descriptor = descriptor.as_fd().as_raw_fd();
        // SAFETY: `event` is null for a removal and else points to an event that outlives the call.
        let result = unsafe { libc::epoll_ctl(self.0.as_raw_fd(), operation, descriptor, event) };
        count(result as isize).map(drop)
    }
}

/// Ends another thread's wait.
#[derive(Debug)]
pub struct Waker(File);

impl Waker {
    /// A waker that nobody has used yet.
    ///
    /// # Errors
    /// When no descriptor can be had.
    pub fn new() -> io::Result<Self> {
        // SAFETY: no memory is passed.
        let descriptor = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        count(descriptor as isize)?;
        // SAFETY: the descriptor is new and nobody else's.
        Ok(Self(File::from(unsafe {
            OwnedFd::from_raw_fd(descriptor)
        })))
    }

    /// Ends the wait of whoever watches this waker, now or the next one.
    pub fn wake(&self) {
        // It fails only when 2^64 - 2 wakes are pending: then one is.
        let _ = (&self.0).write(&1u64.to_ne_bytes());
    }

    /// Forgets the wakes so far.
    pub fn clear(&self) {
        // It fails only when there was none.
        let _ = (&self.0).read(&mut [0; 8]);
    }
}

impl AsFd for Waker {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.0.as_fd()
    }
}
