//! Messages from threads to a thread.
//!
//! The standard library's channels do this without a lock, in three ways, for every type of message anew:
//! they would be a seventh of the relay. What goes through here is orders and lines of a log.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Sends; the receiver hears when the last of its clones is dropped.
#[derive(Debug)]
pub struct Sender<T>(Arc<Shared<T>>);

/// Receives; what it has not taken is dropped with it.
#[derive(Debug)]
pub struct Receiver<T>(Arc<Shared<T>>);

/// Why nothing was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nothing {
    /// Not yet.
    TimedOut,
    /// There will be nothing more.
    Ended,
}

#[derive(Debug)]
struct Shared<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

#[derive(Debug)]
struct State<T> {
    messages: VecDeque<T>,
    /// How many there may be.
    most: usize,
    senders: usize,
    /// The receiver is there.
    heard: bool,
    /// It waits: only then does it need to be woken, which is a call into the system.
    awaited: bool,
}

/// A channel that holds at most so many messages that were not received yet.
pub fn channel<T>(most: usize) -> (Sender<T>, Receiver<T>) {
    let shared = Arc::new(Shared {
        state: Mutex::new(State {
            messages: VecDeque::new(),
            most,
            senders: 1,
            heard: true,
            awaited: false,
        }),
        changed: Condvar::new(),
    });
    (Sender(Arc::clone(&shared)), Receiver(shared))
}

impl<T> Shared<T> {
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self, mut state: MutexGuard<'_, State<T>>) {
        let awaited = std::mem::take(&mut state.awaited);
        drop(state);
        if awaited {
            self.changed.notify_one();
        }
    }
}

impl<T> Sender<T> {
    /// Leaves a message; never blocks.
    ///
    /// # Errors
    /// The message, when there is no room for it or no receiver any more.
    pub fn send(&self, message: T) -> Result<(), T> {
        let mut state = self.0.state();
        if !state.heard || state.messages.len() >= state.most {
            return Err(message);
        }
        state.messages.push_back(message);
        self.0.wake(state);
        Ok(())
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.0.state().senders += 1;
        Self(Arc::clone(&self.0))
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.senders -= 1;
        if state.senders == 0 {
            self.0.wake(state);
        }
    }
}

impl<T> Receiver<T> {
    /// Takes the oldest message; waits for one, until the time if there is one.
    ///
    /// # Errors
    /// [`Nothing`] has come, and why.
    pub fn receive(&self, until: Option<Instant>) -> Result<T, Nothing> {
        let shared = &*self.0;
        let mut state = shared.state();
        loop {
            if let Some(message) = state.messages.pop_front() {
                return Ok(message);
            }
            if state.senders == 0 {
                return Err(Nothing::Ended);
            }
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Err(Nothing::TimedOut);
            }
            state.awaited = true;
            state = match left {
                Some(left) => {
                    let waited = shared.changed.wait_timeout(state, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => {
                    let waited = shared.changed.wait(state);
                    waited.unwrap_or_else(PoisonError::into_inner)
                }
            };
            state.awaited = false;
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.heard = false;
        let messages = std::mem::take(&mut state.messages);
        // What is dropped with a message may use this channel.
        drop(state);
        drop(messages);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn messages_come_in_their_order_and_behind_them_the_end() {
        let (sender, receiver) = channel(usize::MAX);
        std::thread::scope(|scope| {
            scope.spawn(move || (0..10_000).for_each(|number| sender.send(number).unwrap()));
            for number in 0..10_000 {
                assert_eq!(receiver.receive(None), Ok(number));
            }
            assert_eq!(receiver.receive(None), Err(Nothing::Ended));
        });
    }

    #[test]
    fn the_end_wakes_who_waits_only_when_the_last_sender_is_gone() {
        let (sender, receiver) = channel::<()>(1);
        let other = sender.clone();
        drop(sender);
        let now = Instant::now();
        assert_eq!(receiver.receive(Some(now)), Err(Nothing::TimedOut));
        std::thread::scope(|scope| {
            scope.spawn(move || drop(other));
            assert_eq!(receiver.receive(None), Err(Nothing::Ended));
        });
        assert_eq!(receiver.receive(Some(now)), Err(Nothing::Ended));
    }

    #[test]
    fn a_wait_lasts_its_time() {
        let (_sender, receiver) = channel::<()>(1);
        let until = Instant::now() + Duration::from_millis(20);
        assert_eq!(receiver.receive(Some(until)), Err(Nothing::TimedOut));
        assert!(Instant::now() >= until);
    }

    #[test]
    fn what_finds_no_room_or_nobody_comes_back() {
        let (sender, receiver) = channel(2);
        assert_eq!([sender.send(1), sender.send(2)], [Ok(()), Ok(())]);
        assert_eq!(sender.send(3), Err(3));
        assert_eq!(receiver.receive(None), Ok(1));
        assert_eq!(sender.send(4), Ok(()));
        drop(receiver);
        assert_eq!(sender.send(5), Err(5));
    }

    #[test]
    fn a_message_that_nobody_took_goes_with_the_receiver() {
        let (sender, receiver) = channel(usize::MAX);
        let (answer, answered) = channel::<()>(1);
        sender.send(answer).unwrap();
        drop(receiver);
        assert_eq!(answered.receive(None), Err(Nothing::Ended));
    }
}
