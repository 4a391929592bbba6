//! What happens in a relay, one value an event; its text is the line of the log.

use std::fmt::{self, Write};
use std::net::SocketAddr;

use crate::wire::{HelloError, IdError, UserId};

/// How much of an id a line shows, in characters.
const ID_SHOWN: usize = 64;

/// Something that an operator may want to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A listener waits.
    Registered {
        /// Under this id.
        id: &'a UserId,
        /// Its address.
        from: SocketAddr,
    },
    /// A caller found a listener; they are a pair now.
    Matched {
        /// Under this id.
        id: &'a UserId,
        /// The listener's address.
        listener: SocketAddr,
        /// The caller's address.
        caller: SocketAddr,
    },
    /// A connection was answered `X`.
    Refused {
        /// Its address.
        from: SocketAddr,
        /// The id that it named, if it got so far.
        id: Option<&'a UserId>,
        /// Why.
        refusal: Refusal,
    },
    /// A waiting listener, or a connection before its hello, is no more.
    Left {
        /// Its address.
        from: SocketAddr,
        /// The id that it waited under, if it got so far.
        id: Option<&'a UserId>,
        /// Why.
        reason: Reason,
    },
    /// A pair is no more.
    Closed {
        /// The id that it met under.
        id: &'a UserId,
        /// Why.
        reason: Reason,
        /// Bytes that went from the listener to the caller.
        listener_bytes: u64,
        /// Bytes that went from the caller to the listener.
        caller_bytes: u64,
    },
}

/// Why a connection was answered `X`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Nobody waits under the id.
    NobodyWaits,
    /// The first bytes are not a hello.
    NotHello(HelloError),
    /// The hello was not whole in time.
    HelloTimeout,
    /// The relay has no thread left to serve it.
    Exhausted,
    /// Its source has as many connections as it may have.
    SourceConnections,
    /// Its source opens connections faster than it may.
    SourceArrivals,
    /// Its source has as many waiting listeners as it may have.
    SourceListeners,
}

impl Refusal {
    /// The word of the log.
    pub fn word(self) -> &'static str {
        match self {
            Self::NobodyWaits => "nobody-waits",
            Self::NotHello(HelloError::UnknownRole) => "not-a-hello",
            Self::NotHello(HelloError::Id(IdError::Empty)) => "id-empty",
            Self::NotHello(HelloError::Id(IdError::TooLong)) => "id-too-long",
            Self::NotHello(HelloError::Id(IdError::Dollar | IdError::Control)) => {
                "id-control-character"
            }
            Self::HelloTimeout => "hello-timeout",
            Self::Exhausted => "exhausted",
            Self::SourceConnections => "limit-source-connections",
            Self::SourceArrivals => "limit-source-rate",
            Self::SourceListeners => "limit-source-listeners",
        }
    }
}

/// Why a connection or a pair ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Both sides ended, and every byte arrived.
    Finished,
    /// One side ended, and nothing moved for the half-close time.
    HalfClose,
    /// Nothing moved for the idle time.
    Idle,
    /// The listener's connection broke.
    ListenerLost,
    /// The caller's connection broke.
    CallerLost,
    /// A waiting listener went away.
    Gone,
    /// The connection ended before its hello was whole.
    NoHello,
}

impl Reason {
    /// The word of the log.
    pub fn word(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::HalfClose => "half-close",
            Self::Idle => "idle",
            Self::ListenerLost => "listener-lost",
            Self::CallerLost => "caller-lost",
            Self::Gone => "gone",
            Self::NoHello => "no-hello",
        }
    }
}

/// An id as one word of a line: without spaces, which part the words, and cut, because strangers
/// choose its length.
struct Word<'a>(&'a UserId);

impl fmt::Display for Word<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        for (index, char) in text.chars().enumerate() {
            match char {
                _ if index == ID_SHOWN => return f.write_str("..."),
                ' ' => f.write_str("\\x20")?,
                char => f.write_char(char)?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Registered { id, from } => write!(f, "registered id={} from={from}", Word(id)),
            Self::Matched {
                id,
                listener,
                caller,
            } => {
                write!(
                    f,
                    "matched id={} listener={listener} caller={caller}",
                    Word(id)
                )
            }
            Self::Refused { from, id, refusal } => {
                write!(f, "refused from={from} reason={}", refusal.word())?;
                id.map_or(Ok(()), |id| write!(f, " id={}", Word(id)))
            }
            Self::Left { from, id, reason } => {
                write!(f, "closed from={from} reason={}", reason.word())?;
                id.map_or(Ok(()), |id| write!(f, " id={}", Word(id)))
            }
            Self::Closed {
                id,
                reason,
                listener_bytes,
                caller_bytes,
            } => write!(
                f,
                "closed id={} reason={} listener_bytes={listener_bytes} caller_bytes={caller_bytes}",
                Word(id),
                reason.word()
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_can_neither_forge_a_field_nor_fill_a_line() {
        let line = |id: &[u8]| {
            let id = UserId::new(id).unwrap();
            let from = SocketAddr::from(([127, 0, 0, 1], 9));
            Event::Registered { id: &id, from }.to_string()
        };
        assert_eq!(
            line(b"x from=6.6.6.6:1"),
            "registered id=x\\x20from=6.6.6.6:1 from=127.0.0.1:9"
        );
        let cut = format!("registered id={}... from=127.0.0.1:9", "y".repeat(ID_SHOWN));
        assert_eq!(line(&[b'y'; 255]), cut);
    }
}
