//! Ending a job from another thread.

use std::fmt;
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::transfer::PartGuard;

/// Ends a job from any thread; clones end the same job. Once cancelled it stays so: take a new one
/// for the next job.
#[derive(Clone, Debug, Default)]
pub struct Cancel {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    cancelled: bool,
    settled: bool,
    socket: Option<Arc<TcpStream>>,
    stopper: Option<Stopper>,
    part: PartGuard,
}

/// Ends a job that is to say goodbye on its socket.
#[derive(Clone)]
struct Stopper(Arc<dyn Fn() + Send + Sync>);

impl fmt::Debug for Stopper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stopper")
    }
}

impl Cancel {
    /// One that nobody has used yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends the job: whatever it waits for on the network ends at once, and it returns
    /// [`crate::transfer::Error::Cancelled`]. A look-up of a host name ends only by itself. `false`
    /// when a received file is just getting its name: the job ends by itself then, and well.
    pub fn cancel(&self) -> bool {
        let mut state = self.lock();
        if state.settled {
            return false;
        }
        state.cancelled = true;
        if let Some(Stopper(stop)) = state.stopper.clone() {
            self.shared.changed.notify_all();
            drop(state);
            stop();
            return true;
        }
        if let Some(socket) = &state.socket {
            // Fails only when the peer ended the connection before, which ends the wait too.
            let _ = socket.shutdown(Shutdown::Both);
        }
        self.shared.changed.notify_all();
        true
    }

    /// Removes what a cancelled job has left on the disk until now, for a process that ends without
    /// waiting for it. The job makes no file after this.
    pub fn abandon(&self) {
        let part = self.lock().part.clone();
        part.abandon();
    }

    /// Whether [`Self::cancel`] was called.
    pub fn is_cancelled(&self) -> bool {
        self.lock().cancelled
    }

    /// Makes `socket` the one that [`Self::cancel`] shuts down.
    pub(super) fn watch(&self, socket: Arc<TcpStream>) {
        let mut state = self.lock();
        if state.cancelled {
            let _ = socket.shutdown(Shutdown::Both);
        }
        state.socket = Some(socket);
    }

    /// From now on, until the next `None`, [`Self::cancel`] calls `stop` and leaves the socket alone.
    pub(super) fn stop_by(&self, stop: Option<Arc<dyn Fn() + Send + Sync>>) {
        let mut state = self.lock();
        state.stopper = stop.map(Stopper);
        let due = state.stopper.clone().filter(|_| state.cancelled);
        drop(state);
        if let Some(Stopper(stop)) = due {
            stop();
        }
    }

    /// Makes `part` the one that [`Self::abandon`] removes.
    pub(super) fn guard(&self, part: PartGuard) {
        self.lock().part = part;
    }

    /// From now on the job is not cancelled any more; `false` when it was before.
    pub(super) fn settle(&self) -> bool {
        let mut state = self.lock();
        state.settled = !state.cancelled;
        state.settled
    }

    /// Lets go of the socket, so that it is closed when its owner closes it.
    pub(super) fn unwatch(&self) {
        self.lock().socket = None;
    }

    /// Waits for `time`, or until cancelled.
    pub(super) fn pause(&self, time: Duration) {
        let deadline = Instant::now() + time;
        let mut state = self.lock();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if state.cancelled || left.is_zero() {
                return;
            }
            let waited = self.shared.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is whole after every statement, so a panic elsewhere cannot have broken it.
        self.shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_settled_a_job_is_not_cancelled_and_once_cancelled_not_settled() {
        let cancel = Cancel::new();
        assert!(cancel.settle() && !cancel.cancel() && !cancel.is_cancelled());
        let cancel = Cancel::new();
        assert!(cancel.cancel() && !cancel.settle() && cancel.is_cancelled());
    }
}
