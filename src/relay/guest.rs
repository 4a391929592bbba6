//! A connection that is not yet one of a pair, between two that serve it.

use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Instant;

use super::session::{Session, Verdict};
use crate::wire::{Hello, Role, UserId};

/// A connection that one process, or one part of it, gives up and another takes in.
#[derive(Debug)]
pub(super) struct Guest {
    pub(super) stream: TcpStream,
    pub(super) from: SocketAddr,
    /// What of its hello was taken off the socket; all of it when it waits.
    pub(super) said: Vec<u8>,
    /// Until when the hello must be whole.
    pub(super) deadline: Instant,
    /// What was taken is of a balancer's header, which tells the true source.
    pub(super) proxied: bool,
    /// Its place is charged to its source.
    pub(super) charged: bool,
    /// This relay has said before that it waits.
    pub(super) known: bool,
}

impl Guest {
    /// A listener that waits under `id`.
    pub(super) fn waiting(stream: TcpStream, from: SocketAddr, charged: bool, id: UserId) -> Self {
        let role = Role::Listener;
        Self {
            stream,
            from,
            said: Hello { role, id }.encode(),
            deadline: Instant::now(),
            proxied: false,
            charged,
            known: true,
        }
    }

    /// A connection that has not said all of its hello.
    pub(super) fn unheard(
        stream: TcpStream,
        from: SocketAddr,
        charged: bool,
        session: &Session,
    ) -> Self {
        Self {
            stream,
            from,
            said: session.said(),
            deadline: session.deadline(),
            proxied: session.awaits_source(),
            charged,
            known: false,
        }
    }

    /// Who its place is charged to, if to anybody.
    pub(super) fn source(&self) -> Option<IpAddr> {
        self.charged.then(|| self.from.ip())
    }

    /// The session that goes on from here, and what it has come to.
    pub(super) fn session(&self) -> (Session, Verdict) {
        Session::resume(&self.said, self.proxied, self.deadline)
    }

    /// The id that it waits under, if it does.
    pub(super) fn id(&self) -> Option<UserId> {
        match self.said.as_slice() {
            _ if self.proxied => None,
            [b'T', id @ .., b'$'] => UserId::new(id).ok(),
            _ => None,
        }
    }
}
