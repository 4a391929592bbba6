//! How a transfer ends when it does not end well.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::name::NameError;
use crate::wire::{HeaderError, Printable};

/// Why a file did not cross. The text is the message to the user.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The relay cannot be reached.
    Unreachable {
        /// The relay, as `host:port`.
        relay: String,
        /// Why.
        error: io::Error,
    },
    /// The relay ended the connection with its refusal instead of keeping the receiver waiting.
    RefusedByRelay,
    /// Nobody waits under the user id that the sender called.
    NobodyWaits,
    /// No sender came within the time that the receiver was told to wait.
    NobodyCame {
        /// That time.
        within: Duration,
    },
    /// The connection was lost, or nothing moved for too long.
    Lost(io::Error),
    /// The receiver refused the file before all of it was sent.
    RefusedByPeer,
    /// The receiver refused the file after all of it was sent.
    NotAccepted,
    /// The received data is not what the sender sent.
    Checksum,
    /// A local file or folder.
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        error: io::Error,
    },
    /// A file of 0 bytes, which version 1 cannot carry.
    Empty {
        /// Which.
        path: PathBuf,
    },
    /// A file over 2047 MiB, which version 1 cannot carry.
    TooLarge {
        /// Which.
        path: PathBuf,
        /// Its length, in bytes.
        length: u64,
    },
    /// The peer sent a header or a checksum that is none.
    Malformed(HeaderError),
    /// The peer, or what should be a relay, answered with a byte that is no answer.
    UnexpectedAnswer(u8),
    /// The sender named its file in a way that is not safe to use.
    UnsafeName {
        /// The name as it came.
        name: Vec<u8>,
        /// The rule it breaks.
        error: NameError,
    },
    /// Cancelled on this side.
    Cancelled,
}

impl Error {
    pub(super) fn file(path: &Path, error: io::Error) -> Self {
        Self::File {
            path: path.to_path_buf(),
            error,
        }
    }

    pub(super) fn ended() -> Self {
        Self::Lost(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "the other side ended it too early",
        ))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable { relay, error } => write!(
                f,
                "cannot reach the relay at {}: {}: check its host and port",
                Printable(relay.as_bytes()),
                Reason(error)
            ),
            Self::RefusedByRelay => f.write_str("the relay refused the connection: try again later"),
            Self::NobodyWaits => f.write_str(
                "nobody waits under that user id: start the receiver first, or let the sender wait",
            ),
            Self::NobodyCame { within } => write!(
                f,
                "no sender came within {} s: start the sender, or wait longer",
                within.as_secs_f64()
            ),
            Self::Lost(error) => {
                write!(f, "the connection was lost: {}: try again", Reason(error))
            }
            Self::RefusedByPeer => f.write_str("the receiver refused the file: it says why"),
            Self::NotAccepted => f.write_str(
                "the receiver did not accept the file: the checksum differs, or the receiver could not keep it; it says which",
            ),
            Self::Checksum => f.write_str(
                "the checksum differs: the data was damaged on its way and is dropped, send it again",
            ),
            Self::File { path, error } => write!(f, "{}: {}", Shown(path), Reason(error)),
            Self::Empty { path } => write!(
                f,
                "{} is empty: version 1 of the protocol cannot carry a file of 0 bytes",
                Shown(path)
            ),
            Self::TooLarge { path, length } => write!(
                f,
                "{} has {length} bytes: version 1 of the protocol carries at most 2047 MiB, split it",
                Shown(path)
            ),
            Self::Malformed(error) => write!(f, "the peer broke the protocol: {error}"),
            Self::UnexpectedAnswer(byte) => write!(
                f,
                "unexpected answer '{}': is that a relay, and a receiver behind it?",
                Printable(&[*byte])
            ),
            Self::UnsafeName { name, error } => write!(
                f,
                "refused the file name '{}': {error}; -o FILE takes it under another name",
                Printable(name)
            ),
            Self::Cancelled => f.write_str("cancelled"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreachable { error, .. } | Self::File { error, .. } | Self::Lost(error) => {
                Some(error)
            }
            Self::Malformed(error) => Some(error),
            Self::UnsafeName { error, .. } => Some(error),
            _ => None,
        }
    }
}

/// A path in a message.
struct Shown<'a>(&'a Path);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Printable(self.0.as_os_str().as_encoded_bytes()).fmt(f)
    }
}

/// An error of the system, without its number, as the end of a sentence.
struct Reason<'a>(&'a io::Error);

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        if self.0.raw_os_error().is_none() {
            return f.write_str(&text);
        }
        let text = text.split(" (os error").next().unwrap_or_default();
        let text = text.trim_end_matches('.');
        let mut chars = text.chars();
        let first = chars.next().map(|char| char.to_ascii_lowercase());
        write!(f, "{}{}", first.unwrap_or('?'), chars.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line_without_escapes_capitals_or_numbers_of_the_system() {
        let error = Error::file(
            Path::new("a\x1b[2J"),
            io::Error::from(io::ErrorKind::NotFound),
        );
        assert_eq!(error.to_string(), "a\\x1b[2J: entity not found");
        let error = Error::file(
            Path::new("a"),
            std::fs::File::open("/nonexistent/x").unwrap_err(),
        );
        let text = error.to_string();
        assert!(!text.contains("os error"), "{text}");
        assert!(text.starts_with("a: ") && text["a: ".len()..].starts_with(char::is_lowercase));
    }
}
