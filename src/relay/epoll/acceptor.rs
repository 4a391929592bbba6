//! Taking new connections in, and to which loop they go.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::mailbox::{Letter, Mailbox};
use super::{Alarm, Connection, LISTENER, Loop, Stage, is_transient};
use crate::relay::event::Event;
use crate::relay::places::Vacancy;
use crate::relay::{admit, canonical, turn_away};
use crate::sys::linux::epoll::Watch;

/// How many connections one wake takes in, so that pairs do not wait for a flood.
const BATCH: usize = 64;
/// How long accepting rests at the limit, or when the system has no descriptor left.
const REST: Duration = Duration::from_millis(100);

/// Another loop is taken when this one has more connections by more than one in so many.
const SLACK: usize = 4;

/// Whether the loop watches the listening socket.
#[derive(Debug, Default)]
pub(super) struct Acceptor {
    watching: bool,
}

impl Loop<'_> {
    pub(super) fn resume_accepting(&mut self, now: Instant) {
        if self.acceptor.watching {
            return;
        }
        let Some(listener) = &self.listener else {
            return;
        };
        match self.epoll.add(listener, LISTENER, Watch::Listener) {
            Ok(()) => self.acceptor.watching = true,
            // The kernel lacks memory: later it may not.
            Err(_) => self.arm(now + REST, Alarm::Accept),
        }
    }

    /// Leaves new connections with the kernel until there is a listening socket again.
    pub(super) fn stop_accepting(&mut self) {
        self.stop_watching();
        self.listener = None;
    }

    fn stop_watching(&mut self) {
        let Some(listener) = &self.listener else {
            return;
        };
        if self.acceptor.watching && self.epoll.remove(listener).is_ok() {
            self.acceptor.watching = false;
        }
    }

    /// Leaves new connections with the kernel for a while. Watching on would spin: what cannot be
    /// taken stays ready.
    fn rest(&mut self, now: Instant) {
        self.stop_watching();
        self.arm(now + REST, Alarm::Accept);
    }

    pub(super) fn accept(&mut self, now: Instant) {
        let Some(listener) = self.listener.clone() else {
            return;
        };
        for _ in 0..BATCH {
            let Some(vacancy) = self.shared.places.reserve() else {
                return self.rest(now);
            };
            let accepted = listener.accept();
            let error = match accepted
                .and_then(|(stream, from)| stream.set_nonblocking(true).map(|()| (stream, from)))
            {
                Ok((stream, from)) => {
                    self.shared.stats.accepted();
                    self.admit(vacancy, stream, canonical(from), now);
                    continue;
                }
                Err(error) => error,
            };
            if !is_transient(&error) {
                self.shared.stats.accept_failed();
            }
            match error.kind() {
                io::ErrorKind::WouldBlock => return,
                // The fault of the connection that it would have given: the next may be fine.
                io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted => {}
                _ => return self.rest(now),
            }
        }
    }

    fn admit(&mut self, vacancy: Vacancy, stream: TcpStream, from: SocketAddr, now: Instant) {
        let (place, session) = match admit(vacancy, self.shared.config, from, now) {
            Ok(admitted) => admitted,
            Err(refusal) => {
                (self.shared.log)(&Event::Refused {
                    from,
                    id: None,
                    refusal,
                });
                return turn_away(&stream);
            }
        };
        self.shared.stats.opened();
        let connection = Connection {
            stream,
            from,
            place,
            stage: Stage::Hello(Box::new(session)),
        };
        let chosen = self.least_loaded();
        if chosen == self.index {
            self.mailbox().count();
            self.welcome(connection);
        } else {
            self.shared.mailboxes[chosen].post(Letter::Accepted(connection));
        }
    }

    /// This loop, unless another has clearly fewer connections: the kernel wakes the loops in a fixed
    /// order, so whoever accepts is no measure, but a connection that moves costs another wake.
    fn least_loaded(&self) -> usize {
        let mailboxes = &self.shared.mailboxes;
        let own = mailboxes[self.index].load();
        let loads = mailboxes.iter().map(Mailbox::load).enumerate();
        loads
            .min_by_key(|&(_, load)| load)
            .filter(|&(_, least)| own > least + least / SLACK)
            .map_or(self.index, |(index, _)| index)
    }
}
