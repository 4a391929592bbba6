//! Taking new connections in, and to which loop they go.

use std::io;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::mailbox::Letter;
use super::{Alarm, LISTENER, Loop};
use crate::relay::canonical;
use crate::sys::linux::epoll::Watch;

/// How many connections one wake takes in, so that pairs do not wait for a flood.
const BATCH: usize = 64;
/// How long accepting rests at the limit, or when the system has no descriptor left.
const REST: Duration = Duration::from_millis(100);

/// Whether the loop watches the listening socket.
#[derive(Debug, Default)]
pub(super) struct Acceptor {
    watching: bool,
}

impl Loop<'_> {
    pub(super) fn resume_accepting(&mut self) -> io::Result<()> {
        if !self.acceptor.watching {
            self.epoll
                .add(self.shared.listener, LISTENER, Watch::Listener)?;
            self.acceptor.watching = true;
        }
        Ok(())
    }

    /// Leaves new connections with the kernel for a while. Watching on would spin: what cannot be
    /// taken stays ready.
    fn rest(&mut self, now: Instant) {
        if self.acceptor.watching && self.epoll.remove(self.shared.listener).is_ok() {
            self.acceptor.watching = false;
        }
        self.arm(now + REST, Alarm::Accept);
    }

    pub(super) fn accept(&mut self, now: Instant) {
        for _ in 0..BATCH {
            if !self.take_place() {
                return self.rest(now);
            }
            let accepted = self.shared.listener.accept();
            let accepted = accepted
                .and_then(|(stream, from)| stream.set_nonblocking(true).map(|()| (stream, from)));
            let error = match accepted {
                Ok((stream, from)) => {
                    let from = canonical(from);
                    let loop_index = self.least_loaded();
                    if loop_index == self.index {
                        self.mailbox().count();
                        self.welcome(stream, from, now);
                    } else {
                        let letter = Letter::Accepted(stream, from, now);
                        self.shared.mailboxes[loop_index].post(letter);
                    }
                    continue;
                }
                Err(error) => error,
            };
            self.shared.open.fetch_sub(1, Ordering::Relaxed);
            match error.kind() {
                io::ErrorKind::WouldBlock => return,
                // The fault of the connection that it would have given: the next may be fine.
                io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted => {}
                _ => return self.rest(now),
            }
        }
    }

    /// Counts one more connection, unless that would be one too many.
    fn take_place(&self) -> bool {
        let taken = self.shared.open.fetch_add(1, Ordering::Relaxed);
        let fits = self
            .shared
            .config
            .max_connections
            .is_none_or(|most| taken < most);
        if !fits {
            self.shared.open.fetch_sub(1, Ordering::Relaxed);
        }
        fits
    }

    /// The loop with the fewest connections, this one when it is no busier: the kernel wakes the
    /// loops in a fixed order, so whoever accepts is no measure.
    fn least_loaded(&self) -> usize {
        let mailboxes = &self.shared.mailboxes;
        (0..mailboxes.len())
            .min_by_key(|&index| (mailboxes[index].load(), index != self.index))
            .unwrap_or(self.index)
    }
}
