//! Sending and receiving a file.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::connection::Connection;
use super::{Cancel, Endpoint, Wait, dial};
use crate::sys::random;
use crate::transfer::{Error, Event, Link, Observer, Place, Source, Store, safe_name, v1};
use crate::wire::{Hello, NO, Role, YES};

/// A file that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The name that the receiver was told; shorter than the file's when that is over 31 bytes.
    pub name: Vec<u8>,
    /// Length of the file, in bytes.
    pub length: u64,
}

/// A file that was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The name that the sender gave: hostile, show it through [`crate::transfer::Printable`].
    pub name: Vec<u8>,
    /// Length of the file, in bytes.
    pub length: u64,
    /// Where it is; `None` when it was written to standard output.
    pub path: Option<PathBuf>,
    /// Whether the name it should have had was taken, so that it has another one.
    pub renamed: bool,
}

/// Sends the file at `path` to whoever waits at `endpoint`. What is wrong with the file is found
/// before anybody is called.
///
/// # Errors
/// Why the file did not cross. The receiver may have it all the same only when the connection was
/// lost while its verdict was awaited.
pub fn send_file(
    endpoint: &Endpoint,
    path: &Path,
    cancel: &Cancel,
    observer: &mut Observer<'_>,
) -> Result<Sent, Error> {
    uncancelled(cancel, || {
        let mut source = Source::open(path)?;
        if source.name() != source.sent_name() {
            let (name, sent) = (source.name(), source.sent_name());
            Event::NameCut { name, sent }.tell(observer)?;
        }
        if let Err(error) = safe_name(source.sent_name()) {
            let sent = source.sent_name();
            Event::NameUnsafe { sent, error }.tell(observer)?;
        }
        let mut connection = call(endpoint, cancel, observer)?;
        Event::Matched.tell(observer)?;
        v1::send(&mut connection, &mut source, observer)?;
        Ok(Sent {
            name: source.sent_name().to_vec(),
            length: source.length(),
        })
    })
}

/// Waits at `endpoint` for a sender and puts its file in `place`. What is wrong with the place is
/// found before anybody is waited for.
///
/// # Errors
/// Why there is no file; nothing is left of it then.
pub fn recv_file(
    endpoint: &Endpoint,
    place: &Place,
    cancel: &Cancel,
    observer: &mut Observer<'_>,
) -> Result<Received, Error> {
    uncancelled(cancel, || {
        let store = Store::open(place)?;
        cancel.guard(store.guard());
        let mut connection = listen(endpoint, cancel, observer)?;
        Event::Matched.tell(observer)?;
        let (header, stored) = v1::receive(&mut connection, &store, observer)?;
        Ok(Received {
            name: header.name().to_vec(),
            length: header.length(),
            path: stored.path,
            renamed: stored.renamed,
        })
    })
}

/// Runs a job; however a cancelled one fails, the cause is that it was cancelled.
fn uncancelled<T>(cancel: &Cancel, job: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    job().map_err(|error| match cancel.is_cancelled() {
        true => Error::Cancelled,
        false => error,
    })
}

fn call<'a>(
    endpoint: &Endpoint,
    cancel: &'a Cancel,
    observer: &mut Observer<'_>,
) -> Result<Connection<'a>, Error> {
    let start = Instant::now();
    let mut reached = false;
    loop {
        let called = call_once(endpoint, cancel, observer);
        if cancel.is_cancelled() {
            return Err(Error::Cancelled);
        }
        let error = match called {
            Err(error) if !left(endpoint.wait, start).is_zero() => error,
            done => return done,
        };
        match &error {
            Error::NobodyWaits => {
                reached = true;
                Event::NobodyYet.tell(observer)?;
            }
            _ if comes_back(&error, reached) => {
                Event::RelayAway { error: &error }.tell(observer)?
            }
            _ => return Err(error),
        }
        cancel.pause(until_next_call()?.min(left(endpoint.wait, start)));
    }
}

/// Whether a call that failed so may do better later: a relay that is being restarted refuses the
/// connection; of one that never answered nobody knows whether it is there at all.
fn comes_back(error: &Error, reached: bool) -> bool {
    match error {
        Error::Unreachable { error, .. } => {
            reached || error.kind() == io::ErrorKind::ConnectionRefused
        }
        Error::Lost(_) => reached,
        _ => false,
    }
}

/// How long the sender goes on calling.
fn left(wait: Wait, start: Instant) -> Duration {
    match wait {
        Wait::Usual => Duration::ZERO,
        Wait::For(time) => time.saturating_sub(start.elapsed()),
        Wait::Forever => Duration::MAX,
    }
}

/// About a second, so that many senders do not call in step.
fn until_next_call() -> Result<Duration, Error> {
    let mut random = [0];
    random::fill(&mut random).map_err(Error::Lost)?;
    Ok(Duration::from_millis(875 + u64::from(random[0])))
}

fn call_once<'a>(
    endpoint: &Endpoint,
    cancel: &'a Cancel,
    observer: &mut Observer<'_>,
) -> Result<Connection<'a>, Error> {
    let mut connection = greet(endpoint, Role::Caller, cancel, observer)?;
    let limit = Some(endpoint.connect_timeout);
    connection.limit(limit).map_err(Error::Lost)?;
    let mut answer = [0];
    match (connection.read(&mut answer).map_err(Error::Lost)?, answer) {
        (0, _) => Err(ended("the relay ended it without an answer")),
        (_, [YES]) => {
            let idle = endpoint.idle_timeout;
            connection.limit(idle).map_err(Error::Lost)?;
            Ok(connection)
        }
        (_, [NO]) => Err(Error::NobodyWaits),
        (_, [byte]) => Err(Error::UnexpectedAnswer(byte)),
    }
}

/// Waits as a listener until its caller speaks; the relay itself says nothing.
fn listen<'a>(
    endpoint: &Endpoint,
    cancel: &'a Cancel,
    observer: &mut Observer<'_>,
) -> Result<Connection<'a>, Error> {
    let mut connection = greet(endpoint, Role::Listener, cancel, observer)?;
    let within = match endpoint.wait {
        Wait::For(time) => Some(time),
        Wait::Usual | Wait::Forever => None,
    };
    connection.limit(within).map_err(Error::Lost)?;
    Event::Waiting.tell(observer)?;
    match (connection.await_readable(), within) {
        (Ok(true), _) => {}
        (Ok(false), _) => return Err(ended("a sender came and left, or the relay ended it")),
        (Err(error), Some(within)) if error.kind() == io::ErrorKind::TimedOut => {
            return Err(Error::NobodyCame { within });
        }
        (Err(error), _) => return Err(Error::Lost(error)),
    }
    let idle = endpoint.idle_timeout;
    connection.limit(idle).map_err(Error::Lost)?;
    Ok(connection)
}

/// Connects and says hello, in one write: the relay of 2013 takes it only in one packet.
fn greet<'a>(
    endpoint: &Endpoint,
    role: Role,
    cancel: &'a Cancel,
    observer: &mut Observer<'_>,
) -> Result<Connection<'a>, Error> {
    let relay = &dial::shown(endpoint);
    Event::Connecting { relay }.tell(observer)?;
    let stream = dial::dial(endpoint, cancel)?;
    let mut connection = Connection::new(stream, cancel);
    let id = endpoint.user.clone();
    let hello = Hello { role, id }.encode();
    connection.write_all(&hello).map_err(Error::Lost)?;
    Ok(connection)
}

fn ended(how: &'static str) -> Error {
    Error::Lost(io::Error::new(io::ErrorKind::UnexpectedEof, how))
}
