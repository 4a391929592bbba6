//! A stream through the relay that is sealed by a secret.
//!
//! It begins with the handshake of version 2, and its records say nothing but what was written, and the end of it:
//! `doc/protocol.md`, section 4.11. What crosses can be neither read nor changed, and an end that the other side did
//! not mean is told from one that it did.
//!
//! ```
//! use std::io::{Read, Write};
//! use std::ops::ControlFlow;
//! use std::thread;
//!
//! use p2pxfer::client::{Cancel, Endpoint, Wait, sealed};
//! use p2pxfer::relay::{Config, Relay};
//! use p2pxfer::transfer::{Secret, UserId};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = Config {
//!     bind: Some([127, 0, 0, 1].into()),
//!     ..Config::default()
//! };
//! let relay = Relay::bind(0, config)?;
//! let (port, control) = (relay.local_addr()?.port(), relay.control());
//! let relay = thread::spawn(move || relay.run(&|_| ()));
//!
//! let secret = Secret::new(b"lusab-babad".to_vec())?;
//! let mut endpoint = Endpoint::new(UserId::new(b"alice")?, "127.0.0.1".parse()?, port);
//! endpoint.wait = Wait::Forever;
//! let (here, there, known) = (endpoint.clone(), endpoint, secret.clone());
//! let listener = thread::spawn(move || {
//!     let go_on = &mut |_: p2pxfer::transfer::Event<'_>| ControlFlow::Continue(());
//!     let stream = sealed::listen(&here, &known, &Cancel::new(), go_on)?;
//!     let mut question = String::new();
//!     (&stream).read_to_string(&mut question)?;
//!     (&stream).write_all(question.to_uppercase().as_bytes())?;
//!     stream.finish()?;
//!     Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
//! });
//! let go_on = &mut |_: p2pxfer::transfer::Event<'_>| ControlFlow::Continue(());
//! let stream = sealed::dial(&there, &secret, &Cancel::new(), go_on)?;
//! (&stream).write_all(b"hello")?;
//! stream.finish()?;
//! let mut answer = String::new();
//! (&stream).read_to_string(&mut answer)?;
//! assert_eq!(answer, "HELLO");
//! # listener.join().unwrap().unwrap();
//!
//! control.end();
//! relay.join().unwrap()?;
//! # Ok(())
//! # }
//! ```

use std::fmt;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use super::jobs::{WRONG_SECRET, tell_version, uncancelled};
use super::meeting::Meeting;
use super::{Cancel, Endpoint, Wait, connection, negotiate};
use crate::transfer::channel::{Channel, LENGTH_SIZE, Opener, Sealer, frame};
use crate::transfer::{Error, Event, Observer, Secret};
use crate::wire::v2::{BODY_MAX, STREAM_DATA, STREAM_END};

/// How long either side that has spoken may take at most to prove that it knows the secret.
const HANDSHAKE: Duration = Duration::from_secs(30);

/// The two ends of a stream, one to be read and one to be written, each by one thread at a time; the two threads do
/// not wait for each other. Dropped, it ends the connection: without [`Sealed::finish`] the other side finds it cut
/// off; after it, unless the other side's end was read, what comes is thrown away until the other side ends it too, for
/// 3 seconds at most, so that what was written arrives.
pub struct Sealed {
    stream: TcpStream,
    reading: Mutex<Reading>,
    writing: Mutex<Writing>,
}

struct Reading {
    opener: Opener,
    record: Vec<u8>,
    /// What of the record is opened and not read yet.
    left: Range<usize>,
    /// How it came to its end, once it has.
    end: Option<Result<(), Error>>,
}

struct Writing {
    sealer: Sealer,
    records: Vec<u8>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// The last record was written.
    Ended,
    /// After an error nothing more fits.
    Broken,
}

/// Calls whoever waits at `endpoint` with [`listen`] and the same secret, for as long as its `wait` says. A listener
/// that has begun to answer has 30 seconds to prove that it knows it.
///
/// # Errors
/// Why nobody was met, or that the secrets differ.
pub fn dial(
    endpoint: &Endpoint,
    secret: &Secret,
    cancel: &Cancel,
    observer: &mut Observer<'_>,
) -> Result<Sealed, Error> {
    uncancelled(cancel, || {
        let mut connection = Meeting::new(endpoint, cancel, observer).call()?;
        Event::Matched.tell(observer)?;
        let user = &endpoint.user;
        match negotiate::call(&mut connection, user, Some(secret), None, HANDSHAKE)? {
            negotiate::Sender::Version2(channel) => {
                tell_version(2, channel.verified, observer)?;
                Ok(Sealed::new(connection.into_stream()?, *channel))
            }
            negotiate::Sender::Version1(_) => Err(Error::Version1Only),
        }
    })
}

/// Waits at `endpoint` until a caller has proved that it knows the secret. Whoever comes and does not ends the wait: a
/// caller has 30 seconds, or what is left of the wait when that is less. Who tries another secret does so after a
/// second's pause: a guess a second is all that anybody has.
///
/// # Errors
/// Why nobody was met, or that the secrets differ.
pub fn listen(
    endpoint: &Endpoint,
    secret: &Secret,
    cancel: &Cancel,
    observer: &mut Observer<'_>,
) -> Result<Sealed, Error> {
    uncancelled(cancel, || {
        let start = Instant::now();
        let mut connection = Meeting::new(endpoint, cancel, observer).listen()?;
        let within = match endpoint.wait {
            Wait::For(time) => time.saturating_sub(start.elapsed()).min(HANDSHAKE),
            Wait::Usual | Wait::Forever => HANDSHAKE,
        };
        Event::Matched.tell(observer)?;
        let user = &endpoint.user;
        match negotiate::answer(&mut connection, user, Some(secret), false, within) {
            Ok(negotiate::Receiver::Version2(channel)) => {
                tell_version(2, channel.verified, observer)?;
                Ok(Sealed::new(connection.into_stream()?, *channel))
            }
            Ok(negotiate::Receiver::Version1(_)) => Err(Error::Version1Only),
            Err(error) => {
                if error.is_guess() {
                    cancel.pause(WRONG_SECRET[0]);
                }
                Err(error)
            }
        }
    })
}

impl Sealed {
    fn new(stream: TcpStream, channel: Channel) -> Self {
        let Channel { sealer, opener, .. } = channel;
        Self {
            stream,
            reading: Mutex::new(Reading {
                opener,
                record: Vec::new(),
                left: 0..0,
                end: None,
            }),
            writing: Mutex::new(Writing {
                sealer,
                records: Vec::new(),
                state: State::Open,
            }),
        }
    }

    /// The socket, to wait for: what is read from it or written to it is lost to the stream. That it is readable says
    /// that a record has begun to come, not that it is whole.
    pub fn socket(&self) -> &TcpStream {
        &self.stream
    }

    /// How many bytes are there to be read without a look at the socket. While there are any, the socket may have
    /// nothing to tell. 0 while another thread reads.
    pub fn pending(&self) -> usize {
        match self.reading.try_lock() {
            Ok(reading) => reading.left.len(),
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner().left.len(),
            Err(TryLockError::WouldBlock) => 0,
        }
    }

    /// Reads some bytes, at least one; 0 at the end, when the other side has finished.
    ///
    /// # Errors
    /// [`Error::Truncated`] when the connection ended and the other side had not finished, [`Error::Tampered`] when a
    /// record was changed, [`Error::Broken`] when the other side is no such stream but a transfer of files,
    /// [`Error::Lost`] otherwise. After one of those each later call returns the same.
    pub fn receive(&self, buffer: &mut [u8]) -> Result<usize, Error> {
        let mut reading = locked(&self.reading);
        if buffer.is_empty() {
            return Ok(0);
        }
        while reading.left.is_empty() {
            match &reading.end {
                None => {}
                Some(Ok(())) => return Ok(0),
                Some(Err(error)) => return Err(again(error)),
            }
            if let Err(error) = reading.next(&self.stream) {
                reading.end = Some(Err(again(&error)));
                return Err(error);
            }
        }
        let count = buffer.len().min(reading.left.len());
        let start = reading.left.start;
        buffer[..count].copy_from_slice(&reading.record[start..start + count]);
        reading.left.start += count;
        Ok(count)
    }

    /// Writes all of `bytes`, sealed.
    ///
    /// # Errors
    /// [`Error::Lost`] when the connection is lost, or this side has finished.
    pub fn send(&self, bytes: &[u8]) -> Result<(), Error> {
        let mut writing = locked(&self.writing);
        bytes.chunks(BODY_MAX).try_for_each(|body| {
            writing.write(&self.stream, |out| {
                out.push(STREAM_DATA);
                out.extend_from_slice(body);
            })
        })
    }

    /// Says that this side writes no more. The other direction goes on. A second time it does nothing.
    ///
    /// # Errors
    /// [`Error::Lost`] when the connection is lost.
    pub fn finish(&self) -> Result<(), Error> {
        let mut writing = locked(&self.writing);
        if writing.state == State::Ended {
            return Ok(());
        }
        // The socket stays open both ways: a relay gives the other direction little time once one has ended.
        writing.write(&self.stream, |out| out.push(STREAM_END))?;
        writing.state = State::Ended;
        Ok(())
    }
}

impl Drop for Sealed {
    fn drop(&mut self) {
        let finished = locked(&self.writing).state == State::Ended;
        // Behind the other side's last record nothing comes, and after an error nothing is to be saved.
        if finished && locked(&self.reading).end.is_none() {
            connection::end(&self.stream, connection::DRAIN_TIME);
        }
    }
}

impl Reading {
    /// Reads and opens the next record, and no byte behind it.
    fn next(&mut self, mut stream: &TcpStream) -> Result<(), Error> {
        self.record.resize(LENGTH_SIZE, 0);
        stream.read_exact(&mut self.record).map_err(cut)?;
        // A length that no record has is found before anything is kept for it.
        if self.opener.open(&mut self.record).is_err() {
            return Err(Error::Tampered);
        }
        let length = u32::from_le_bytes([self.record[0], self.record[1], self.record[2], 0]);
        self.record.resize(LENGTH_SIZE + length as usize, 0);
        stream
            .read_exact(&mut self.record[LENGTH_SIZE..])
            .map_err(cut)?;
        let opened = self.opener.open(&mut self.record);
        let (_, text) = opened.ok().flatten().ok_or(Error::Tampered)?;
        match self.record[text.clone()] {
            [STREAM_DATA, _, ..] => {
                self.left = text.start + 1..text.end;
                Ok(())
            }
            [STREAM_END] => {
                self.end = Some(Ok(()));
                Ok(())
            }
            _ => Err(Error::Broken("it has files to move, and this is a stream")),
        }
    }
}

impl Writing {
    fn write(
        &mut self,
        mut stream: &TcpStream,
        build: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), Error> {
        if self.state != State::Open {
            return Err(Error::Lost(io::ErrorKind::BrokenPipe.into()));
        }
        self.records.clear();
        frame(&mut self.records, build);
        self.sealer.seal(&mut self.records);
        let written = stream.write_all(&self.records);
        if written.is_err() {
            // Nobody knows how much of the record has left.
            self.state = State::Broken;
        }
        written.map_err(Error::Lost)
    }
}

/// What reading ended with, another time.
fn again(error: &Error) -> Error {
    match error {
        Error::Tampered => Error::Tampered,
        Error::Broken(how) => Error::Broken(how),
        Error::Lost(error) => Error::Lost(error.kind().into()),
        _ => Error::Truncated,
    }
}

fn cut(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Error::Truncated,
        _ => Error::Lost(error),
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What it guards is whole after every statement.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn to_io(error: Error) -> io::Error {
    match error {
        Error::Lost(error) => error,
        Error::Truncated => io::Error::new(io::ErrorKind::UnexpectedEof, error.to_string()),
        _ => io::Error::new(io::ErrorKind::InvalidData, error.to_string()),
    }
}

impl Read for &Sealed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.receive(buffer).map_err(to_io)
    }
}

impl Write for &Sealed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.send(bytes).map_err(to_io)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealed").finish_non_exhaustive()
    }
}
