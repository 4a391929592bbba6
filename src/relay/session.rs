//! A connection until its hello is whole.
//!
//! A machine without I/O: the backend peeks at what has arrived, hands it in, and takes exactly
//! what belonged to the hello off the socket, so that the peer's bytes never enter the relay's memory.

use std::time::{Duration, Instant};

use super::event::Refusal;
use crate::wire::{Hello, HelloReader, Progress};

/// Awaits the hello of one connection.
#[derive(Debug)]
pub(super) struct Session {
    reader: HelloReader,
    deadline: Instant,
}

/// What a connection turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The hello is not whole: more bytes are needed.
    Await,
    /// It is whole.
    Serve(Hello),
    /// There will be none: answer `X`.
    Refuse(Refusal),
}

impl Session {
    /// A connection accepted at `now`. The deadline is absolute: bytes do not move it.
    pub(super) fn new(now: Instant, timeout: Duration) -> Self {
        Self {
            reader: HelloReader::new(),
            deadline: now + timeout,
        }
    }

    /// When [`Self::handle_time`] has to be called at the latest.
    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Takes the next bytes; how many of them belonged to the hello, and what it came to.
    pub(super) fn handle_bytes(&mut self, bytes: &[u8]) -> (usize, Verdict) {
        match self.reader.push(bytes) {
            Ok(Progress::More) => (bytes.len(), Verdict::Await),
            Ok(Progress::Done { hello, used }) => (used, Verdict::Serve(hello)),
            Err(error) => (0, Verdict::Refuse(Refusal::NotHello(error))),
        }
    }

    /// What it comes to at `now` if nothing arrived.
    pub(super) fn handle_time(&self, now: Instant) -> Verdict {
        if now < self.deadline {
            Verdict::Await
        } else {
            Verdict::Refuse(Refusal::HelloTimeout)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{HelloError, Role, UserId};

    const TIMEOUT: Duration = Duration::from_secs(10);

    #[test]
    fn a_hello_in_pieces_is_served_and_the_rest_left_alone() {
        let mut session = Session::new(Instant::now(), TIMEOUT);
        assert_eq!(session.handle_bytes(b"Ta"), (2, Verdict::Await));
        let hello = Hello {
            role: Role::Listener,
            id: UserId::new(b"ab").unwrap(),
        };
        assert_eq!(
            session.handle_bytes(b"b$SSH-2.0"),
            (2, Verdict::Serve(hello))
        );
    }

    #[test]
    fn what_is_no_hello_is_refused() {
        let mut session = Session::new(Instant::now(), TIMEOUT);
        let refusal = Refusal::NotHello(HelloError::UnknownRole);
        assert_eq!(
            session.handle_bytes(b"GET / HTTP/1.1"),
            (0, Verdict::Refuse(refusal))
        );
    }

    #[test]
    fn bytes_do_not_move_the_deadline() {
        let start = Instant::now();
        let mut session = Session::new(start, TIMEOUT);
        session.handle_bytes(b"Ta");
        assert_eq!(session.deadline(), start + TIMEOUT);
        assert_eq!(
            session.handle_time(start + TIMEOUT - Duration::from_millis(1)),
            Verdict::Await
        );
        assert_eq!(
            session.handle_time(start + TIMEOUT),
            Verdict::Refuse(Refusal::HelloTimeout)
        );
    }
}
