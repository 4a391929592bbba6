//! Whether this process is the relay that others look for, and what they see as that changes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::service::Manager;
use crate::relay::takeover::Witness;
use crate::sys::bell::Bell;
use crate::sys::handoff::Nameplate;

/// A relay's time in its place. The end of it comes from a signal, or from another relay that takes
/// the place; when both come at once, the name is left to who serves behind it.
pub(super) struct Tenure {
    manager: Manager,
    name: Option<Nameplate>,
    /// Ends the serving of the metrics.
    closing: Arc<Bell>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Another relay is about to take the place.
    asked: bool,
    /// It has it.
    moved: bool,
    /// This one is to end.
    leaving: bool,
}

impl Tenure {
    pub(super) fn new(manager: Manager, name: Option<Nameplate>, closing: Arc<Bell>) -> Self {
        Self {
            manager,
            name,
            closing,
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether no other relay has the place.
    pub(super) fn lasts(&self) -> bool {
        !self.state().moved
    }

    /// This relay is to end, or has.
    pub(super) fn leave(&self) {
        let mut state = self.state();
        if !state.moved && !state.leaving {
            state.leaving = true;
            if !state.asked {
                self.close();
            }
        }
    }

    fn close(&self) {
        self.manager.stopping();
        if let Some(name) = &self.name {
            name.remove();
        }
    }
}

impl Witness for Tenure {
    fn asked(&self) -> bool {
        let mut state = self.state();
        if !state.leaving {
            state.asked = true;
            self.manager.reloading();
        }
        state.asked
    }

    fn resumed(&self) {
        let mut state = self.state();
        state.asked = false;
        if state.leaving {
            self.close();
        } else {
            self.manager.ready();
        }
    }

    fn handed_over(&self) {
        self.state().moved = true;
        // The numbers that are asked for are the new one's from now on.
        self.closing.ring();
    }
}
