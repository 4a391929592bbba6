//! Connections until they are one of a pair: the hello, the wait, the refusal.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::time::Instant;

use super::mailbox::Letter;
use super::{Alarm, Connection, Loop, Stage, Ticket, is_transient};
use crate::io::Key;
use crate::relay::event::{Event, Reason, Refusal};
use crate::relay::session::Verdict;
use crate::relay::{LINGER, canonical, turn_away};
use crate::wire::{HELLO_MAX, NO, Role, UserId};

/// How many bytes a refused connection may go on sending.
const LINGER_BYTES: usize = 1 << 20;

impl Loop<'_> {
    /// A new connection: its hello is awaited.
    pub(super) fn welcome(&mut self, connection: Connection) {
        let Stage::Hello(session) = &connection.stage else {
            return;
        };
        let deadline = session.deadline();
        if let Some(key) = self.keep(connection) {
            self.arm(deadline, Alarm::Connection(key));
        }
    }

    pub(super) fn read_hello(&mut self, key: Key, now: Instant) {
        let mut buffer = [0; HELLO_MAX];
        loop {
            let Some(connection) = self.connections.get_mut(key) else {
                return;
            };
            let Stage::Hello(session) = &mut connection.stage else {
                return;
            };
            let asked = match connection.stream.peek(&mut buffer) {
                Ok(0) => None,
                Ok(count) => {
                    let (used, asked) = session.handle_bytes(&buffer[..count]);
                    // Bytes that were peeked at are there: the read is as long as asked.
                    let taken = connection.stream.read_exact(&mut buffer[..used]);
                    if let Some(from) = session.take_source().map(canonical) {
                        connection.from = from;
                        if let Err(refusal) = connection.place.charge(from.ip(), now) {
                            return self.turn_away(key, refusal);
                        }
                    }
                    taken.ok().map(|()| asked)
                }
                Err(error) if is_transient(&error) => return,
                Err(_) => None,
            };
            match asked {
                Some(Verdict::Await) => {}
                Some(Verdict::Refuse(refusal)) => return self.refuse(key, None, refusal, now),
                Some(Verdict::Serve(hello)) => {
                    return match hello.role {
                        Role::Listener => self.register(key, hello.id, now),
                        Role::Caller => self.call(key, &hello.id, now),
                    };
                }
                None => {
                    let from = connection.from;
                    (self.shared.log)(&Event::Left {
                        from,
                        id: None,
                        reason: Reason::NoHello,
                    });
                    return self.close(key);
                }
            }
        }
    }

    pub(super) fn register(&mut self, key: Key, id: UserId, now: Instant) {
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        if let Err(refusal) = connection.place.listen() {
            return self.refuse(key, Some(&id), refusal, now);
        }
        self.wait(key, id, true);
    }

    /// Puts a listener that has its place into the registry, and says so unless that is no news.
    pub(super) fn wait(&mut self, key: Key, id: UserId, news: bool) {
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        connection.stage = Stage::Waiting(id.clone());
        // Logged under the lock: no caller's `matched` may come before it.
        let mut registry = self.shared.registry();
        if news {
            (self.shared.log)(&Event::Registered {
                id: &id,
                from: connection.from,
            });
        }
        registry.insert(
            id,
            Ticket {
                mailbox: self.index,
                key,
            },
        );
    }

    /// A listener's end was seen while it waited. If the registry no longer has it, a caller does,
    /// and will find the end itself.
    pub(super) fn leave(&mut self, key: Key) {
        let Some(connection) = self.connections.get(key) else {
            return;
        };
        let Stage::Waiting(id) = &connection.stage else {
            return;
        };
        if self
            .shared
            .registry()
            .remove(id, |ticket| {
                ticket.mailbox == self.index && ticket.key == key
            })
            .is_some()
        {
            let (from, id) = (connection.from, id.clone());
            // Its place is free before the log says so.
            self.close(key);
            (self.shared.log)(&Event::Left {
                from,
                id: Some(&id),
                reason: Reason::Gone,
            });
        }
    }

    /// A listener that the registry no longer has, and whose caller could not be kept, has nobody.
    pub(super) fn forsake(&mut self, key: Key) {
        if let Some(Connection {
            from,
            stage: Stage::Waiting(id),
            ..
        }) = self.connections.get(key)
        {
            (self.shared.log)(&Event::Left {
                from: *from,
                id: Some(id),
                reason: Reason::CallerLost,
            });
        }
        self.close(key);
    }

    pub(super) fn call(&mut self, caller: Key, id: &UserId, now: Instant) {
        let found = self.shared.registry().take(id);
        match found {
            None => self.miss(caller, id, now),
            Some(ticket) if ticket.mailbox == self.index => self.pair(ticket.key, caller, now),
            Some(ticket) => {
                let Some(mut connection) = self.connections.remove(caller) else {
                    return;
                };
                self.mailbox().discount();
                // Cannot fail for a descriptor that is watched, and a closed loop would not care.
                let _ = self.epoll.remove(&connection.stream);
                connection.stage = Stage::Called;
                self.shared.mailboxes[ticket.mailbox].post(Letter::Call {
                    listener: ticket.key,
                    caller: connection,
                });
            }
        }
    }

    /// Nobody waits under the id: says so, to who asks too often not at once.
    fn miss(&mut self, key: Key, id: &UserId, now: Instant) {
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        let delay = connection.place.miss(now);
        if delay.is_zero() {
            return self.refuse(key, Some(id), Refusal::NobodyWaits, now);
        }
        connection.stage = Stage::Missed(id.clone(), now + delay);
        self.arm(now + delay, Alarm::Connection(key));
    }

    pub(super) fn log_refusal(&self, key: Key, id: Option<&UserId>, refusal: Refusal) {
        if let Some(Connection { from, .. }) = self.connections.get(key) {
            (self.shared.log)(&Event::Refused {
                from: *from,
                id,
                refusal,
            });
        }
    }

    /// Answers `X`, and takes in what the peer still sends before it closes: a close with unread
    /// bytes would become a reset, which can destroy the answer.
    pub(super) fn refuse(&mut self, key: Key, id: Option<&UserId>, refusal: Refusal, now: Instant) {
        self.log_refusal(key, id, refusal);
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        let deadline = now + LINGER;
        connection.stage = Stage::Refused(deadline, 0);
        let answered = (&connection.stream).write_all(&[NO]);
        if answered
            .and_then(|()| connection.stream.shutdown(Shutdown::Write))
            .is_err()
        {
            return self.close(key);
        }
        self.arm(deadline, Alarm::Connection(key));
        self.drain(key);
    }

    /// Refuses a connection that is over a limit of its source, and lets it keep its place no longer.
    fn turn_away(&mut self, key: Key, refusal: Refusal) {
        self.log_refusal(key, None, refusal);
        if let Some(connection) = self.connections.get(key) {
            turn_away(&connection.stream);
        }
        self.close(key);
    }

    pub(super) fn drain(&mut self, key: Key) {
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        let Stage::Refused(_, taken) = &mut connection.stage else {
            return;
        };
        while *taken < LINGER_BYTES {
            match (&connection.stream).read(self.tools.buffer()) {
                Ok(count @ 1..) => *taken += count,
                Err(error) if is_transient(&error) => return,
                Ok(0) | Err(_) => break,
            }
        }
        self.close(key);
    }

    /// The time that a connection had is over.
    pub(super) fn handle_deadline(&mut self, key: Key, now: Instant) {
        let Some(connection) = self.connections.get(key) else {
            return;
        };
        match &connection.stage {
            Stage::Hello(session) => {
                if let Verdict::Refuse(refusal) = session.handle_time(now) {
                    self.log_refusal(key, None, refusal);
                    // It had its time: no lingering on top of it.
                    let _ = (&connection.stream).write(&[NO]);
                    self.close(key);
                }
            }
            Stage::Missed(id, until) if *until <= now => {
                let id = id.clone();
                self.refuse(key, Some(&id), Refusal::NobodyWaits, now);
            }
            Stage::Refused(until, _) if *until <= now => self.close(key),
            _ => {}
        }
    }
}
