//! What one loop has for another.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use std::{io, mem};

use super::house::Order;
use super::{Connection, Loop};
use crate::io::Key;
use crate::sys::linux::epoll::Waker;

/// What other loops have for a loop.
pub(super) struct Mailbox {
    /// `None` when its loop has ended: what is left then is dropped.
    letters: Mutex<Option<Vec<Letter>>>,
    waker: Waker,
    /// Connections of this loop, those on their way included.
    load: AtomicUsize,
}

pub(super) enum Letter {
    /// A new connection.
    Accepted(Connection),
    /// A caller for a listener of this loop, which the registry has given to it.
    Call { listener: Key, caller: Connection },
    /// What the loops do together.
    Order(Order),
}

impl Mailbox {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            letters: Mutex::new(Some(Vec::new())),
            waker: Waker::new()?,
            load: AtomicUsize::new(0),
        })
    }

    pub(super) fn waker(&self) -> &Waker {
        &self.waker
    }

    pub(super) fn load(&self) -> usize {
        self.load.load(Ordering::Relaxed)
    }

    /// One more connection of this loop.
    pub(super) fn count(&self) {
        self.load.fetch_add(1, Ordering::Relaxed);
    }

    /// One connection less of this loop.
    pub(super) fn discount(&self) {
        self.load.fetch_sub(1, Ordering::Relaxed);
    }

    /// Leaves a letter; its connection counts as this loop's from now on.
    pub(super) fn post(&self, letter: Letter) {
        self.count();
        self.put(letter);
    }

    /// Tells the loop what to do.
    pub(super) fn order(&self, order: Order) {
        self.put(Letter::Order(order));
    }

    fn put(&self, letter: Letter) {
        let mut letters = self.letters();
        let Some(letters) = &mut *letters else {
            return;
        };
        letters.push(letter);
        // The wake of the first letter is still to come for those behind it.
        if letters.len() == 1 {
            self.waker.wake();
        }
    }

    /// Drops the letters, those to come too.
    pub(super) fn close(&self) {
        drop(self.letters().take());
    }

    fn letters(&self) -> MutexGuard<'_, Option<Vec<Letter>>> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Vec<Letter> {
        // Cleared first: a letter that is posted after the taking has its own wake.
        self.waker.clear();
        self.letters().as_mut().map(mem::take).unwrap_or_default()
    }
}

impl Loop<'_> {
    pub(super) fn read_letters(&mut self, now: Instant) {
        for letter in self.mailbox().take() {
            match letter {
                Letter::Order(order) => self.handle_order(order, now),
                Letter::Accepted(connection) => self.welcome(connection),
                // Nobody else can have removed the listener: the registry gave it to this letter.
                Letter::Call { listener, caller } => match self.keep(caller) {
                    Some(caller) => self.pair(listener, caller, now),
                    None => self.forsake(listener),
                },
            }
        }
    }
}
