//! The loops as one house: what they do together when the relay opens, clears or ends.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Instant;

use super::mailbox::Letter;
use super::{Alarm, Connection, Loop, Shared, Stage};
use crate::io::{Key, Sender, channel};
use crate::relay::control::House;
use crate::relay::event::Reason;
use crate::relay::guest::Guest;
use crate::relay::session::Verdict;
use crate::wire::Role;

/// What a loop is told; it drops the sender when it is done.
pub(super) enum Order {
    /// Take this connection in.
    Guest(Guest),
    /// Show that you live: all letters before this one were read.
    Beat(#[expect(dead_code, reason = "to be dropped")] Sender<()>),
    /// Accept from this socket, and go on with the hellos.
    Open(
        Arc<TcpListener>,
        #[expect(dead_code, reason = "to be dropped")] Sender<()>,
    ),
    /// Accept nothing and read no hello: after this nobody comes into the registry.
    Close(#[expect(dead_code, reason = "to be dropped")] Sender<()>),
    /// Give up those who wait, each with its place among all who do, and those before their hello.
    Clear(Vec<(usize, Key)>, Sender<(usize, Guest)>),
    /// Reset the pairs.
    Reset(#[expect(dead_code, reason = "to be dropped")] Sender<()>),
}

pub(super) struct Loops<'a>(pub(super) &'a Shared<'a>);

impl Loops<'_> {
    /// Gives each loop its order, and waits until all have done it.
    fn all(&self, order: impl Fn(Sender<()>) -> Order) {
        let (done, wait) = channel(1);
        for mailbox in &self.0.mailboxes {
            mailbox.order(order(done.clone()));
        }
        drop(done);
        // It fails when the last sender was dropped.
        let _ = wait.receive(None);
    }
}

impl House for Loops<'_> {
    fn open(&mut self, listener: &Arc<TcpListener>, guests: Vec<Guest>) -> io::Result<()> {
        listener.set_nonblocking(true)?;
        self.0.places.set_leaving(false);
        for guest in guests {
            // Listeners under one id go to one loop, which keeps them in their order.
            let mut hasher = DefaultHasher::new();
            guest.said.hash(&mut hasher);
            let place = hasher.finish() as usize % self.0.mailboxes.len();
            self.0.mailboxes[place].post(Letter::Order(Order::Guest(guest)));
        }
        // Everybody waits before the first caller is heard.
        self.all(Order::Beat);
        self.all(|done| Order::Open(Arc::clone(listener), done));
        Ok(())
    }

    fn clear(&mut self) -> Vec<Guest> {
        self.0.places.set_leaving(true);
        self.all(Order::Close);
        let mut waiting = vec![Vec::new(); self.0.mailboxes.len()];
        let mut count = 0;
        for (_, ticket) in self.0.registry().drain() {
            waiting[ticket.mailbox].push((count, ticket.key));
            count += 1;
        }
        let (given, guests) = channel(usize::MAX);
        for (mailbox, keys) in self.0.mailboxes.iter().zip(waiting) {
            mailbox.order(Order::Clear(keys, given.clone()));
        }
        drop(given);
        let mut in_order: Vec<_> = (0..count).map(|_| None).collect();
        let mut unheard = Vec::new();
        while let Ok((place, guest)) = guests.receive(None) {
            match in_order.get_mut(place) {
                Some(slot) => *slot = Some(guest),
                None => unheard.push(guest),
            }
        }
        in_order.into_iter().flatten().chain(unheard).collect()
    }

    fn count(&self) -> usize {
        self.0.places.taken()
    }

    fn reset(&mut self) {
        self.all(Order::Reset);
    }

    fn beat(&mut self, beat: Sender<()>) {
        for mailbox in &self.0.mailboxes {
            mailbox.order(Order::Beat(beat.clone()));
        }
    }
}

impl Loop<'_> {
    pub(super) fn handle_order(&mut self, order: Order, now: Instant) {
        match order {
            Order::Guest(guest) => self.take_in(guest, now),
            Order::Beat(_) => {}
            Order::Open(listener, _) => {
                self.listener = Some(listener);
                self.resume_accepting(now);
                for key in self.unheard() {
                    self.read_hello(key, now);
                }
            }
            Order::Close(_) => self.stop_accepting(),
            Order::Clear(waiting, given) => {
                // Nobody else can have removed them: the registry gave them to this order.
                for (place, key) in waiting {
                    if let Some(guest) = self.give_up(key) {
                        let _ = given.send((place, guest));
                    }
                }
                for key in self.unheard() {
                    if let Some(guest) = self.give_up(key) {
                        let _ = given.send((usize::MAX, guest));
                    }
                }
            }
            Order::Reset(_) => {
                let pairs: Vec<_> = self.pairs.iter().map(|(key, _)| key).collect();
                for key in pairs {
                    self.reset(key, Reason::Shutdown);
                }
            }
        }
    }

    /// Connections before their hello.
    fn unheard(&self) -> Vec<Key> {
        let all = self.connections.iter();
        all.filter(|(_, connection)| matches!(connection.stage, Stage::Hello(_)))
            .map(|(key, _)| key)
            .collect()
    }

    fn take_in(&mut self, guest: Guest, now: Instant) {
        let waits = guest.id().is_some();
        let place = self.shared.places.adopt(guest.source(), waits, now);
        let (session, verdict) = guest.session();
        self.shared.stats.opened();
        let Guest {
            stream,
            from,
            deadline,
            known,
            ..
        } = guest;
        let stage = Stage::Hello(Box::new(session));
        // A stream that cannot be made nonblocking is broken, and is found to be so when it is read.
        let _ = stream.set_nonblocking(true);
        let Some(key) = self.keep(Connection {
            stream,
            from,
            place,
            stage,
        }) else {
            return;
        };
        match verdict {
            Verdict::Await => self.arm(deadline, Alarm::Connection(key)),
            Verdict::Refuse(refusal) => self.refuse(key, None, refusal, now),
            Verdict::Serve(hello) => match hello.role {
                Role::Listener => self.wait(key, hello.id, !known),
                Role::Caller => self.call(key, &hello.id, now),
            },
        }
    }

    /// Takes out a connection that waits or has not said its hello.
    fn give_up(&mut self, key: Key) -> Option<Guest> {
        let Connection {
            stream,
            from,
            stage,
            place,
        } = self.release(key)?;
        let charged = place.is_charged();
        // Another process may go on with the socket, and it would be reported here for as long as
        // that lasts.
        let _ = self.epoll.remove(&stream);
        match stage {
            Stage::Waiting(id) => Some(Guest::waiting(stream, from, charged, id)),
            Stage::Hello(session) => Some(Guest::unheard(stream, from, charged, &session)),
            Stage::Called | Stage::Paired(..) | Stage::Missed(..) | Stage::Refused(..) => None,
        }
    }
}
