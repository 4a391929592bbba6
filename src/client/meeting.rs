//! Meeting the peer at a relay: at the only one, or at the first of several that serves.
//!
//! Both sides go down the same order (`rendezvous`), but each sees for itself which relay is up. A
//! listener stays with the first that takes it. A caller asks on also where nobody waits, because the
//! listener may have found an earlier relay down that is up for the caller.

use std::io;
use std::time::{Duration, Instant};

use super::connection::Connection;
use super::hosts::Relay;
use super::{Cancel, Endpoint, Wait, dial, rendezvous};
use crate::sys::random;
use crate::transfer::{Error, Event, Link, Observer};
use crate::wire::{Hello, NO, Role, YES};

/// How long each address of a relay may take at most to accept, and the relay to answer, while there is
/// another relay to try: long enough for a third SYN, which comes after 7 s.
const PATIENCE: Duration = Duration::from_secs(10);
/// A relay that ends a wait after more than this was restarted or moved: it was no relay that cannot
/// serve, so the listener begins again with the first.
const STEADY: Duration = Duration::from_secs(10);

/// One side's way to a meeting.
pub(super) struct Meeting<'a, 'm, 'o> {
    endpoint: &'a Endpoint,
    /// In the order in which both sides try them.
    relays: Vec<Relay>,
    cancel: &'a Cancel,
    observer: &'m mut Observer<'o>,
    wait: Wait,
    start: Instant,
    /// Since when a relay has kept this listener.
    kept: Option<Instant>,
}

/// The relays that did not lead to a meeting, and why.
type Tried = Vec<(String, Error)>;

impl<'a, 'm, 'o> Meeting<'a, 'm, 'o> {
    pub(super) fn new(
        endpoint: &'a Endpoint,
        cancel: &'a Cancel,
        observer: &'m mut Observer<'o>,
    ) -> Self {
        let relays = endpoint.hosts.relays(endpoint.port);
        Self {
            endpoint,
            relays: rendezvous::order(&endpoint.user, relays),
            cancel,
            observer,
            wait: endpoint.wait,
            start: Instant::now(),
            kept: None,
        }
    }

    /// With another patience than the endpoint's.
    pub(super) fn waiting(mut self, wait: Wait) -> Self {
        self.wait = wait;
        self
    }

    /// Calls until a listener is there, for as long as the endpoint says.
    pub(super) fn call(mut self) -> Result<Connection<'a>, Error> {
        let mut reached = false;
        loop {
            let called = self.call_each();
            self.check_cancelled()?;
            let error = match called {
                Err(error) if !self.left().is_zero() => error,
                done => return done,
            };
            if error.is_nobody() {
                reached = true;
                Event::NobodyYet.tell(self.observer)?;
            } else if comes_back(&error, reached) {
                Event::RelayAway { error: &error }.tell(self.observer)?;
            } else {
                return Err(error);
            }
            self.cancel.pause(about_a_second()?.min(self.left()));
        }
    }

    /// How long a caller goes on calling.
    fn left(&self) -> Duration {
        match self.wait {
            Wait::Usual => Duration::ZERO,
            Wait::For(time) => time.saturating_sub(self.start.elapsed()),
            Wait::Forever => Duration::MAX,
        }
    }

    fn call_each(&mut self) -> Result<Connection<'a>, Error> {
        let mut tried = Tried::new();
        for index in 0..self.relays.len() {
            match self.call_at(index) {
                Err(error) => self.pass_over(index, error, &mut tried)?,
                met => return met,
            }
        }
        Err(summary(tried))
    }

    fn call_at(&mut self, index: usize) -> Result<Connection<'a>, Error> {
        let mut connection = self.greet(index, Role::Caller)?;
        let limit = Some(self.patience());
        connection.limit(limit).map_err(Error::Lost)?;
        let mut answer = [0];
        match (connection.read(&mut answer).map_err(Error::Lost)?, answer) {
            (0, _) => Err(ended("the relay ended it without an answer")),
            (_, [YES]) => {
                let idle = self.endpoint.idle_timeout;
                connection.limit(idle).map_err(Error::Lost)?;
                Ok(connection)
            }
            (_, [NO]) => Err(Error::NobodyWaits),
            (_, [byte]) => Err(Error::UnexpectedAnswer(byte)),
        }
    }

    /// Waits until a caller speaks; the relay itself says nothing.
    pub(super) fn listen(mut self) -> Result<Connection<'a>, Error> {
        let mut tried = Tried::new();
        let mut index = 0;
        while index < self.relays.len() {
            match self.listen_at(index) {
                Err(error @ Error::NobodyCame { .. }) => return Err(error),
                Err(error) => self.pass_over(index, error, &mut tried)?,
                met => return met,
            }
            index += 1;
            let kept = self.kept.take().map(|since| since.elapsed());
            if kept.is_some_and(|kept| kept > STEADY) {
                // So that many listeners do not come back in step.
                self.cancel.pause(about_a_second()?);
                self.check_cancelled()?;
                tried.clear();
                index = 0;
            }
        }
        Err(summary(tried))
    }

    /// Says that a listener is here, at the first relay that can be reached, and does not wait.
    pub(super) fn register(mut self) -> Result<Connection<'a>, Error> {
        let mut tried = Tried::new();
        for index in 0..self.relays.len() {
            match self.greet(index, Role::Listener) {
                Err(error) => self.pass_over(index, error, &mut tried)?,
                Ok(connection) => {
                    Event::Waiting.tell(self.observer)?;
                    return Ok(connection);
                }
            }
        }
        Err(summary(tried))
    }

    fn listen_at(&mut self, index: usize) -> Result<Connection<'a>, Error> {
        let mut connection = self.greet(index, Role::Listener)?;
        let within = match self.wait {
            Wait::For(time) => Some(time),
            Wait::Usual | Wait::Forever => None,
        };
        let left = within.map(|time| time.saturating_sub(self.start.elapsed()));
        connection.limit(left).map_err(Error::Lost)?;
        self.kept = Some(Instant::now());
        Event::Waiting.tell(self.observer)?;
        match (connection.await_readable(), within) {
            (Ok(true), _) => {}
            (Ok(false), _) => return Err(ended("a sender came and left, or the relay ended it")),
            (Err(error), Some(within)) if error.kind() == io::ErrorKind::TimedOut => {
                return Err(Error::NobodyCame { within });
            }
            (Err(error), _) => return Err(Error::Lost(error)),
        }
        let idle = self.endpoint.idle_timeout;
        connection.limit(idle).map_err(Error::Lost)?;
        Ok(connection)
    }

    /// Connects and says hello, in one write: the relay of 2013 takes it only in one packet.
    fn greet(&mut self, index: usize, role: Role) -> Result<Connection<'a>, Error> {
        let relay = &self.relays[index];
        let shown = &relay.to_string();
        Event::Connecting { relay: shown }.tell(self.observer)?;
        let stream = dial::dial(relay, self.patience(), self.cancel)?;
        let mut connection = Connection::new(stream, self.cancel);
        let id = self.endpoint.user.clone();
        let hello = Hello { role, id }.encode();
        connection.write_all(&hello).map_err(Error::Lost)?;
        Ok(connection)
    }

    /// How long a relay may take to accept or to answer.
    fn patience(&self) -> Duration {
        let most = self.endpoint.connect_timeout;
        match self.relays.len() {
            0 | 1 => most,
            _ => most.min(PATIENCE),
        }
    }

    /// Goes on to the next relay, unless the error is not this one's.
    fn pass_over(&mut self, index: usize, error: Error, tried: &mut Tried) -> Result<(), Error> {
        self.check_cancelled()?;
        if matches!(error, Error::Cancelled) || self.relays.len() < 2 {
            return Err(error);
        }
        let relay = self.relays[index].to_string();
        let event = Event::PassedOver {
            relay: &relay,
            error: &error,
        };
        event.tell(self.observer)?;
        tried.push((relay, error));
        Ok(())
    }

    fn check_cancelled(&self) -> Result<(), Error> {
        match self.cancel.is_cancelled() {
            true => Err(Error::Cancelled),
            false => Ok(()),
        }
    }
}

/// Whether a round of calls that failed so may do better later: a relay that is being restarted refuses
/// the connection; of relays that never answered nobody knows whether they are there at all.
fn comes_back(error: &Error, reached: bool) -> bool {
    match error {
        Error::Unreachable { error, .. } => {
            reached || error.kind() == io::ErrorKind::ConnectionRefused
        }
        Error::Lost(_) => reached,
        Error::NoRelay { tried } => tried.iter().any(|(_, error)| comes_back(error, reached)),
        _ => false,
    }
}

/// What all of them come to: nobody waits if one that serves says so.
fn summary(tried: Tried) -> Error {
    let asked = tried.len();
    let failed: Tried = tried
        .into_iter()
        .filter(|(_, error)| !matches!(error, Error::NobodyWaits))
        .collect();
    match failed.len() {
        0 => Error::NobodyWaits,
        count if count < asked => Error::NobodyFound { failed },
        _ => Error::NoRelay { tried: failed },
    }
}

fn ended(how: &'static str) -> Error {
    Error::Lost(io::Error::new(io::ErrorKind::UnexpectedEof, how))
}

/// Not quite the same each time, so that many do not call in step.
fn about_a_second() -> Result<Duration, Error> {
    let mut random = [0];
    random::fill(&mut random).map_err(Error::Lost)?;
    Ok(Duration::from_millis(875 + u64::from(random[0])))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unreachable(kind: io::ErrorKind) -> Error {
        Error::Unreachable {
            relay: "a:1".into(),
            error: kind.into(),
        }
    }

    fn all(errors: Vec<Error>) -> Error {
        let tried = errors.into_iter().map(|error| ("a:1".into(), error));
        summary(tried.collect())
    }

    #[test]
    fn a_sender_that_waits_goes_on_while_a_relay_may_come_back() {
        use io::ErrorKind::{ConnectionRefused, NotFound, UnexpectedEof};
        let lost = || Error::Lost(UnexpectedEof.into());
        for (error, before, after) in [
            (unreachable(ConnectionRefused), true, true),
            (unreachable(NotFound), false, true),
            (lost(), false, true),
            (Error::UnexpectedAnswer(b'?'), false, false),
            (all(vec![lost(), unreachable(NotFound)]), false, true),
            (
                all(vec![lost(), unreachable(ConnectionRefused)]),
                true,
                true,
            ),
            (all(vec![Error::UnexpectedAnswer(b'?')]), false, false),
        ] {
            assert_eq!(comes_back(&error, false), before, "{error:?}");
            assert_eq!(comes_back(&error, true), after, "{error:?}");
        }
    }

    #[test]
    fn nobody_waits_when_one_that_serves_says_so() {
        let refused = || unreachable(io::ErrorKind::ConnectionRefused);
        assert!(matches!(
            all(vec![Error::NobodyWaits, Error::NobodyWaits]),
            Error::NobodyWaits
        ));
        let some = all(vec![refused(), Error::NobodyWaits]);
        assert!(matches!(&some, Error::NobodyFound { failed } if failed.len() == 1));
        assert!(some.is_nobody());
        let none = all(vec![refused(), refused()]);
        assert!(matches!(&none, Error::NoRelay { tried } if tried.len() == 2));
        assert!(!none.is_nobody());
    }
}
