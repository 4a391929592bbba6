//! Which version two that have met speak, and the handshake of version 2.

use std::time::Duration;

use super::connection::Connection;
use crate::sys::random;
use crate::transfer::channel::Channel;
use crate::transfer::handshake::{ENTROPY, Initiator, Responder, Step};
use crate::transfer::v2::{self, Stream};
use crate::transfer::{Error, Secret, UserId};
use crate::wire::v1::{HEADER_SIZE, Header};

/// How long a handshake may take where a silence may last for ever.
const HANDSHAKE: Duration = Duration::from_secs(60);

/// What a sender and its receiver agreed on.
pub(super) enum Sender {
    /// Version 1: the receiver answered the header with this byte.
    Version1(u8),
    /// Version 2.
    Version2(Box<Channel>),
}

/// What a receiver and its sender agreed on.
pub(super) enum Receiver {
    /// Version 1, with this header.
    Version1([u8; HEADER_SIZE]),
    /// Version 2.
    Version2(Box<Channel>),
}

/// How long a handshake may take where a silence of the peer may last for `idle`. No longer than one silence, so
/// that a header of version 1 may still come in two pieces with one between them.
pub(super) fn patience(idle: Option<Duration>) -> Duration {
    idle.unwrap_or(HANDSHAKE).max(v2::SILENCE_MIN)
}

/// Says the header and takes it from there. Without `header` nothing but version 2 will do. A receiver that has
/// begun to answer has to be through `within` that time.
pub(super) fn call(
    connection: &mut Connection<'_>,
    user: &UserId,
    secret: Option<&Secret>,
    header: Option<&Header>,
    within: Duration,
) -> Result<Sender, Error> {
    let (mut machine, first) = Initiator::new(user, secret, header, entropy()?);
    connection.write_all(&first).map_err(Error::Lost)?;
    let mut buffer = [0; 256];
    let mut is_answered = false;
    loop {
        let wanted = &mut buffer[..machine.wanted()];
        let count = connection.read(wanted).map_err(Error::Lost)?;
        if count == 0 {
            return Err(Error::ended());
        }
        // An answer of version 1 is one byte, for which there is all the time that there always was.
        if !std::mem::replace(&mut is_answered, true) {
            connection.expire(within);
        }
        let (_, step) = machine.handle(&wanted[..count])?;
        match step {
            Step::More => {}
            Step::Send(bytes) => connection.write_all(&bytes).map_err(Error::Lost)?,
            Step::Version1(answer) => {
                connection.endure().map_err(Error::Lost)?;
                return Ok(Sender::Version1(answer));
            }
            Step::Refuse(bytes, error) => return Err(refuse(connection, &bytes, error)),
            Step::Done(bytes, channel) => {
                connection.write_all(&bytes).map_err(Error::Lost)?;
                connection.endure().map_err(Error::Lost)?;
                return Ok(Sender::Version2(Box::new(channel)));
            }
        }
    }
}

/// Takes the header and goes on as it says, until it is known `within` that time who the sender is.
pub(super) fn answer(
    connection: &mut Connection<'_>,
    user: &UserId,
    secret: Option<&Secret>,
    version1_only: bool,
    within: Duration,
) -> Result<Receiver, Error> {
    connection.expire(within);
    let mut machine = Responder::new(user, secret, version1_only, entropy()?);
    let mut buffer = [0; 256];
    loop {
        let wanted = &mut buffer[..machine.wanted()];
        let read = connection.read(wanted).map_err(Error::Lost);
        let count = match read {
            Ok(0) if machine.got_refusal_only() => return Err(Error::RefusedByRelay),
            Ok(0) | Err(_) if machine.guess_is_open() => return Err(Error::Unproven),
            Ok(0) => return Err(Error::ended()),
            read => read?,
        };
        let (_, step) = machine.handle(&wanted[..count])?;
        match step {
            Step::More => {}
            Step::Send(bytes) => connection.write_all(&bytes).map_err(Error::Lost)?,
            Step::Version1(header) => {
                connection.endure().map_err(Error::Lost)?;
                return Ok(Receiver::Version1(header));
            }
            Step::Refuse(bytes, error) => return Err(refuse(connection, &bytes, error)),
            Step::Done(_, channel) => {
                connection.endure().map_err(Error::Lost)?;
                return Ok(Receiver::Version2(Box::new(channel)));
            }
        }
    }
}

fn refuse(connection: &Connection<'_>, bytes: &[u8], error: Error) -> Error {
    if connection.write_all(bytes).is_ok() {
        connection.finish();
    }
    error
}

fn entropy() -> Result<[u8; ENTROPY], Error> {
    let mut entropy = [0; ENTROPY];
    random::fill(&mut entropy).map_err(Error::Lost)?;
    Ok(entropy)
}
