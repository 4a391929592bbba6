//! The threads as one house: what they do together when the relay opens, clears or ends.

use std::collections::HashMap;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use super::{Connection, STACK, Server};
use crate::io::Sender;
use crate::relay::control::{Command, Control, House};
use crate::relay::guest::Guest;
use crate::relay::pump::{Side, Sides};
use crate::relay::session::Verdict;
use crate::sys::bell::Bell;
use crate::sys::net;
use crate::wire::{Hello, Role};

/// What the threads know of each other.
pub(super) struct Household {
    /// Wakes who accepts and who awaits a hello.
    pub(super) bell: Bell,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Nobody is taken in: who has not said its hello is given up.
    clearing: bool,
    given_up: Vec<Guest>,
    /// Threads that await a hello or are about to act on it.
    unheard: usize,
    /// To be dropped by the thread that accepts.
    beats: Vec<Sender<()>>,
    pairs: HashMap<u64, Arc<Sides<TcpStream>>>,
    entered: u64,
    /// Pairs are reset, those to come too.
    resetting: bool,
    ended: bool,
}

/// A thread before its connection's hello was acted on.
pub(super) struct Unheard<'a>(&'a Household);

impl Drop for Unheard<'_> {
    fn drop(&mut self) {
        self.0.state().unheard -= 1;
        self.0.changed.notify_all();
    }
}

/// A pair that can be reset, until it is dropped.
pub(super) struct Entered<'a>(&'a Household, u64);

impl Entered<'_> {
    /// Whether it was reset.
    pub(super) fn was_reset(&self) -> bool {
        self.0.state().resetting
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.0.state().pairs.remove(&self.1);
    }
}

impl Household {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            bell: Bell::new()?,
            state: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether who accepts has to stop; shows that it lives if it does not.
    pub(super) fn heeds(&self) -> bool {
        let mut state = self.state();
        if !state.clearing && !state.beats.is_empty() {
            // Under the lock, behind which the house would ring again to be cleared.
            self.bell.hush();
            state.beats.clear();
        }
        state.clearing
    }

    pub(super) fn clears(&self) -> bool {
        self.state().clearing
    }

    pub(super) fn unheard(&self) -> Unheard<'_> {
        self.state().unheard += 1;
        Unheard(self)
    }

    pub(super) fn give_up(&self, guest: Guest) {
        self.state().given_up.push(guest);
    }

    pub(super) fn enter(&self, streams: &Arc<Sides<TcpStream>>) -> Entered<'_> {
        let mut state = self.state();
        state.entered += 1;
        let number = state.entered;
        if state.resetting {
            reset(streams);
        }
        state.pairs.insert(number, Arc::clone(streams));
        Entered(self, number)
    }

    /// Waits so long; whether the relay ends.
    pub(super) fn ends_within(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        let mut state = self.state();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if state.ended || left.is_zero() {
                return state.ended;
            }
            let waited = self.changed.wait_timeout(state, left);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn reset(streams: &Sides<TcpStream>) {
    for side in Side::BOTH {
        net::reset(streams.get(side));
    }
}

/// Tells when the thread that accepts ends by a panic.
struct Alarm<'a>(&'a Control);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let error = io::Error::other("the thread that accepts has ended");
            self.0.send(Command::Failed(error));
        }
    }
}

pub(super) struct Threads<'scope, 'env, 'a> {
    server: &'scope Server<'a>,
    scope: &'scope Scope<'scope, 'env>,
    accepting: Option<ScopedJoinHandle<'scope, ()>>,
}

impl<'scope, 'env, 'a> Threads<'scope, 'env, 'a> {
    pub(super) fn new(server: &'scope Server<'a>, scope: &'scope Scope<'scope, 'env>) -> Self {
        Self {
            server,
            scope,
            accepting: None,
        }
    }

    /// Has every thread return that would not by itself.
    pub(super) fn end(&mut self) {
        drop(self.clear());
        self.reset();
        let household = &self.server.household;
        household.state().ended = true;
        household.changed.notify_all();
    }

    fn ring(&self) {
        self.server.household.bell.ring();
        self.server.places.call();
    }
}

impl House for Threads<'_, '_, '_> {
    fn open(&mut self, listener: &Arc<TcpListener>, guests: Vec<Guest>) -> io::Result<()> {
        let (server, scope) = (self.server, self.scope);
        server.household.state().clearing = false;
        server.household.bell.hush();
        server.places.set_leaving(false);
        for guest in guests {
            // A stream that refuses this is broken, and is found to be so when it is read.
            let _ = guest.stream.set_nonblocking(false);
            let waits = guest.id().is_some();
            let now = Instant::now();
            let place = server.places.adopt(guest.source(), waits, now);
            let (session, asked) = guest.session();
            let connection = server.open(guest.stream, guest.from, place);
            match asked {
                Verdict::Serve(Hello {
                    role: Role::Listener,
                    id,
                }) => server.register(id, connection, !guest.known),
                asked => server.welcome(scope, connection, session, asked),
            }
        }
        let listener = Arc::clone(listener);
        let accepting = Builder::new()
            .stack_size(STACK)
            .spawn_scoped(scope, move || {
                let _alarm = Alarm(server.places.control());
                server.accept(scope, &listener);
            })?;
        self.accepting = Some(accepting);
        Ok(())
    }

    fn clear(&mut self) -> Vec<Guest> {
        let household = &self.server.household;
        household.state().clearing = true;
        self.server.places.set_leaving(true);
        self.ring();
        if let Some(Err(panic)) = self.accepting.take().map(ScopedJoinHandle::join) {
            std::panic::resume_unwind(panic);
        }
        // Only now is nobody on the way to the registry, or to a listener in it.
        let given_up = {
            let state = household.state();
            let waited = household
                .changed
                .wait_while(state, |state| state.unheard > 0);
            std::mem::take(&mut waited.unwrap_or_else(PoisonError::into_inner).given_up)
        };
        let waiting = self.server.registry().drain();
        let waiting = waiting.map(|(id, connection)| {
            let charged = connection.place.is_charged();
            let Connection { stream, from, .. } = connection;
            Guest::waiting(stream, from, charged, id)
        });
        waiting.chain(given_up).collect()
    }

    fn count(&self) -> usize {
        self.server.places.taken()
    }

    fn reset(&mut self) {
        let mut state = self.server.household.state();
        state.resetting = true;
        for streams in state.pairs.values() {
            reset(streams);
        }
    }

    fn beat(&mut self, beat: Sender<()>) {
        let mut state = self.server.household.state();
        // While nothing is accepted there is nothing to hang in.
        if !state.clearing {
            state.beats.push(beat);
            drop(state);
            self.ring();
        }
    }
}
