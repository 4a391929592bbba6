//! How a transfer ends when it does not end well.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::name::NameError;
use crate::wire::v2::RecordError;
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
    /// Nobody waits under the user id at the relays that answered; others did not serve.
    NobodyFound {
        /// The others, as `host:port`, and why each did not.
        failed: Vec<(String, Error)>,
    },
    /// None of several relays serves.
    NoRelay {
        /// All of them, as `host:port`, and why each does not.
        tried: Vec<(String, Error)>,
    },
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
    /// The peer's secret is another one, or somebody between the two changed what they said.
    WrongSecret,
    /// The sender went away when it could have tried a secret, and before it proved that it has the right one.
    Unproven,
    /// The peer has a secret and this side has none.
    SecretNeeded,
    /// This side has a secret and the peer has none.
    SecretMissing,
    /// The peer speaks only version 1, which cannot carry this, or must not.
    Version1Only,
    /// The peer refused a header without a name: it speaks only version 1, or it does not want it.
    RefusedUnnamed,
    /// This side is told to speak version 1 alone, which cannot carry this.
    NeedsVersion2,
    /// This side's user does not want what is offered.
    Declined,
    /// The peer ended the transfer.
    EndedByPeer {
        /// Why.
        cause: Cause,
        /// In the peer's words: hostile.
        text: Vec<u8>,
    },
    /// The receiver does not take this file.
    Skipped {
        /// What kind of reason it gave.
        kind: Kind,
        /// In the receiver's words: hostile.
        text: Vec<u8>,
    },
    /// The sender does not send this file.
    GivenUp {
        /// Whether it changed while it was sent; else it cannot be read.
        changed: bool,
        /// In the sender's words: hostile.
        text: Vec<u8>,
    },
    /// The sender left out so many files and folders that this side has not heard of one by one.
    LeftOut {
        /// How many.
        count: u64,
    },
    /// More than what this side said yes to.
    BeyondOffer,
    /// A file changed while it was sent.
    Changed {
        /// Which.
        path: PathBuf,
    },
    /// All was sent, and the connection was lost before the receiver said that it has it.
    NotConfirmed(io::Error),
    /// It is there, whole and under its final name, but the disk failed when that was to outlive a power cut.
    Unconfirmed {
        /// Where it is.
        path: PathBuf,
        /// What the disk said.
        error: io::Error,
    },
    /// The disk is full.
    NoSpace {
        /// The file that did not fit.
        path: PathBuf,
    },
    /// The stream ended without the record that has to be its last.
    Truncated,
    /// What the peer said breaks the protocol.
    Broken(&'static str),
    /// The peer sent a record that is none.
    Record(RecordError),
    /// A sealed record was changed on its way.
    Tampered,
}

/// Why a peer ended a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Its user does not want it.
    Refused,
    /// Its disk is full.
    NoSpace,
    /// This side broke the protocol, it says.
    Protocol,
    /// It was cancelled.
    Cancelled,
    /// A local file or folder.
    File,
    /// Anything else.
    Other,
}

/// What kind of failure an [`Error`] is. `send_r` and `recv_r` exit with its number, and the C library
/// returns it with a minus in front; the numbers never change. 1 and 2 are theirs: a failure without
/// a kind, and wrong usage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Nobody waits under the user id, or no sender came in time.
    NobodyWaits = 3,
    /// The connection was lost, nothing moved for too long, or no relay can be reached or it refused.
    Lost = 4,
    /// The receiver refused the file.
    Refused = 5,
    /// The checksum differed; for a sender also: the receiver could not keep the file.
    Checksum = 6,
    /// A local file or folder.
    File = 7,
    /// The peer broke the protocol.
    Protocol = 8,
    /// The sender's file name is not safe to use.
    UnsafeName = 9,
    /// Ended on this side. A command that ends so exits with the number of its signal instead.
    Cancelled = 10,
    /// The secrets differ, or only one side has one.
    Secret = 11,
    /// The peer cannot do what only version 2 can.
    Version = 12,
    /// A file changed while it was sent.
    Changed = 13,
    /// All was sent, and the receiver, or its disk, did not confirm it.
    NotConfirmed = 14,
    /// The receiver's disk is full.
    NoSpace = 15,
    /// The transfer was cut off where nothing but its end was missing.
    Truncated = 16,
}

impl Kind {
    /// The number.
    pub const fn number(self) -> u8 {
        self as u8
    }
}

impl Error {
    /// What kind of failure this is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::NobodyWaits | Self::NobodyFound { .. } | Self::NobodyCame { .. } => {
                Kind::NobodyWaits
            }
            Self::Lost(_)
            | Self::Unreachable { .. }
            | Self::NoRelay { .. }
            | Self::RefusedByRelay => Kind::Lost,
            Self::RefusedByPeer | Self::Declined | Self::BeyondOffer => Kind::Refused,
            Self::Skipped { kind, .. } => *kind,
            Self::Checksum | Self::NotAccepted => Kind::Checksum,
            Self::File { .. }
            | Self::Empty { .. }
            | Self::TooLarge { .. }
            | Self::LeftOut { .. } => Kind::File,
            Self::Malformed(_)
            | Self::UnexpectedAnswer(_)
            | Self::Broken(_)
            | Self::Record(_)
            | Self::Tampered => Kind::Protocol,
            Self::UnsafeName { .. } => Kind::UnsafeName,
            Self::Cancelled => Kind::Cancelled,
            Self::WrongSecret | Self::Unproven | Self::SecretNeeded | Self::SecretMissing => {
                Kind::Secret
            }
            Self::Version1Only | Self::RefusedUnnamed | Self::NeedsVersion2 => Kind::Version,
            Self::Changed { .. } => Kind::Changed,
            Self::GivenUp { changed, .. } => match changed {
                true => Kind::Changed,
                false => Kind::File,
            },
            Self::NotConfirmed(_) | Self::Unconfirmed { .. } => Kind::NotConfirmed,
            Self::NoSpace { .. } => Kind::NoSpace,
            Self::Truncated => Kind::Truncated,
            Self::EndedByPeer { cause, .. } => match cause {
                Cause::Refused => Kind::Refused,
                Cause::NoSpace => Kind::NoSpace,
                Cause::Protocol => Kind::Protocol,
                Cause::File => Kind::Checksum,
                Cause::Cancelled | Cause::Other => Kind::Lost,
            },
        }
    }

    /// Whether it says that no listener is there.
    pub(crate) fn is_nobody(&self) -> bool {
        matches!(self, Self::NobodyWaits | Self::NobodyFound { .. })
    }

    /// Whether the peer may have tried a secret, for which it has to wait before it tries the next.
    pub(crate) fn is_guess(&self) -> bool {
        matches!(self, Self::WrongSecret | Self::Unproven)
    }

    /// Why one of several relays was passed over.
    pub(crate) fn brief(&self) -> impl fmt::Display {
        Brief(self)
    }

    pub(super) fn file(path: &Path, error: io::Error) -> Self {
        Self::File {
            path: path.to_path_buf(),
            error,
        }
    }

    pub(crate) fn ended() -> Self {
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
            Self::NobodyFound { failed } => write!(
                f,
                "nobody waits under that user id where a relay answered: start the receiver first, or let the sender wait; {}",
                Relays(failed)
            ),
            Self::NoRelay { tried } => write!(
                f,
                "cannot use any of the relays: {}: check the hosts and their ports",
                Relays(tried)
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
            Self::File { path, error } => write!(f, "{}: {}", ShownPath(path), Reason(error)),
            Self::Empty { path } => write!(
                f,
                "{} is empty: version 1 of the protocol cannot carry a file of 0 bytes",
                ShownPath(path)
            ),
            Self::TooLarge { path, length } => write!(
                f,
                "{} has {length} bytes: version 1 of the protocol carries at most 2047 MiB, split it",
                ShownPath(path)
            ),
            Self::Malformed(error) => write!(f, "the peer broke the protocol: {error}"),
            Self::UnexpectedAnswer(byte) => write!(
                f,
                "unexpected answer '{}': is that a relay, and a receiver behind it?",
                Printable(&[*byte])
            ),
            Self::UnsafeName { name, error } => write!(
                f,
                "refused the file name '{}': {error}",
                Printable(name)
            ),
            Self::Cancelled => f.write_str("cancelled"),
            Self::WrongSecret => f.write_str(
                "the secrets differ, or somebody changed what the two sides said: check the secret on both and try again",
            ),
            Self::Unproven => f.write_str(
                "the sender went away before it proved that it has the secret: check the secret on both and try again",
            ),
            Self::SecretNeeded => {
                f.write_str("the peer has a secret and this side has none: give the same one here")
            }
            Self::SecretMissing => f.write_str(
                "this side has a secret and the peer has none: give the same one there, or none here",
            ),
            Self::Version1Only => f.write_str(
                "the peer speaks only version 1 of the protocol: update it, or send single files without a secret",
            ),
            Self::RefusedUnnamed => f.write_str(
                "the receiver refused it, or speaks only version 1 of the protocol: it says why; else update it, or send single files without a secret",
            ),
            Self::NeedsVersion2 => f.write_str(
                "version 1 of the protocol carries one file of 1 byte to 2047 MiB and no secret: let version 2 be used",
            ),
            Self::Declined => f.write_str("refused here"),
            Self::EndedByPeer { cause, text } => {
                let cause = match cause {
                    Cause::Refused => "the peer refused it",
                    Cause::NoSpace => "the receiver's disk is full: make room there and try again",
                    Cause::Protocol => "the peer says that this side broke the protocol: update both",
                    Cause::Cancelled => "cancelled on the other side",
                    Cause::File => "the peer has trouble with its files",
                    Cause::Other => "the peer ended it",
                };
                write!(f, "{cause}{}", Words(text))
            }
            Self::Skipped {
                kind: Kind::NotConfirmed,
                text,
            } => write!(
                f,
                "the receiver has it, and its disk does not confirm that it stays{}: look there, or send it again",
                Words(text)
            ),
            Self::Skipped { text, .. } => write!(f, "the receiver does not take it{}", Words(text)),
            // The sender's words say the same.
            Self::GivenUp { changed: true, .. } => {
                f.write_str("it changed on the sender's disk while it was sent: send it again")
            }
            Self::GivenUp { text, .. } => write!(f, "the sender cannot read it{}", Words(text)),
            Self::LeftOut { count: 1 } => f.write_str(
                "the sender could not read or name a file or folder, and left it out: it says which",
            ),
            Self::LeftOut { count } => write!(
                f,
                "the sender could not read or name {count} files and folders, and left them out: it says which"
            ),
            Self::BeyondOffer => f.write_str("far more than was offered: send it again"),
            Self::Changed { path } => write!(
                f,
                "{} changed while it was sent: send it again",
                ShownPath(path)
            ),
            Self::NotConfirmed(error) => write!(
                f,
                "all was sent, and the receiver did not say that it has it: {}: look there, or send it again",
                Reason(error)
            ),
            Self::Unconfirmed { path, error } => write!(
                f,
                "{} is there, whole, and the disk does not confirm that it stays: {}: check the disk, or send it again",
                ShownPath(path),
                Reason(error)
            ),
            Self::NoSpace { path } => {
                write!(f, "{}: the disk is full: make room and try again", ShownPath(path))
            }
            Self::Truncated => f.write_str(
                "the transfer was cut off before its end: what is complete is kept, try again for the rest",
            ),
            Self::Tampered => f.write_str(
                "what came was changed on its way: try again, over another relay if it stays so",
            ),
            Self::Broken(rule) => write!(f, "the peer broke the protocol: {rule}"),
            Self::Record(error) => write!(f, "the peer broke the protocol: {error}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreachable { error, .. }
            | Self::File { error, .. }
            | Self::Unconfirmed { error, .. }
            | Self::Lost(error)
            | Self::NotConfirmed(error) => Some(error),
            Self::Malformed(error) => Some(error),
            Self::Record(error) => Some(error),
            Self::UnsafeName { error, .. } => Some(error),
            _ => None,
        }
    }
}

/// Several relays, and what is wrong with each.
struct Relays<'a>(&'a [(String, Error)]);

impl fmt::Display for Relays<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (relay, error)) in self.0.iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            let relay = Printable(relay.as_bytes());
            write!(f, "{comma}{relay} ({})", error.brief())?;
        }
        Ok(())
    }
}

/// An error of one of several relays: without the relay, and without advice.
struct Brief<'a>(&'a Error);

impl fmt::Display for Brief<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Error::Unreachable { error, .. } | Error::Lost(error) => Reason(error).fmt(f),
            Error::NobodyWaits => f.write_str("nobody waits there"),
            Error::UnexpectedAnswer(byte) => {
                write!(
                    f,
                    "answered '{}', which is no relay's answer",
                    Printable(&[*byte])
                )
            }
            error => error.fmt(f),
        }
    }
}

/// What a peer says, behind what is said of it.
struct Words<'a>(&'a [u8]);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => Ok(()),
            text => write!(f, " ({})", Printable(text)),
        }
    }
}

/// A path of this system in a message.
#[derive(Clone, Copy, Debug)]
pub struct ShownPath<'a>(pub &'a Path);

impl fmt::Display for ShownPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = Printable(self.0.as_os_str().as_encoded_bytes());
        if cfg!(not(windows)) {
            return shown.fmt(f);
        }
        // There a backslash is no part of a name, so that one alone cannot be taken for an escape.
        f.write_str(&shown.to_string().replace(r"\\", r"\"))
    }
}

/// An error of the system, without its number, as the end of a sentence.
#[derive(Debug)]
pub struct Reason<'a>(pub &'a io::Error);

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
    fn each_error_has_its_kind_and_each_kind_its_number_for_ever() {
        let lost = || io::Error::from(io::ErrorKind::ConnectionReset);
        let path = || PathBuf::from("a");
        let skipped = |kind| Error::Skipped {
            kind,
            text: Vec::new(),
        };
        let relay = || "relay:1".to_string();
        let table = [
            (Error::NobodyWaits, Kind::NobodyWaits, 3),
            (
                Error::NobodyCame {
                    within: Duration::ZERO,
                },
                Kind::NobodyWaits,
                3,
            ),
            (
                Error::Unreachable {
                    relay: relay(),
                    error: lost(),
                },
                Kind::Lost,
                4,
            ),
            (Error::RefusedByRelay, Kind::Lost, 4),
            (Error::Lost(lost()), Kind::Lost, 4),
            (Error::RefusedByPeer, Kind::Refused, 5),
            (Error::NotAccepted, Kind::Checksum, 6),
            (Error::Checksum, Kind::Checksum, 6),
            (Error::file(&path(), lost()), Kind::File, 7),
            (Error::Empty { path: path() }, Kind::File, 7),
            (
                Error::TooLarge {
                    path: path(),
                    length: 1,
                },
                Kind::File,
                7,
            ),
            (Error::Malformed(HeaderError::LengthZero), Kind::Protocol, 8),
            (Error::Record(RecordError::Empty), Kind::Protocol, 8),
            (Error::UnexpectedAnswer(b'?'), Kind::Protocol, 8),
            (
                Error::UnsafeName {
                    name: Vec::new(),
                    error: NameError::Empty,
                },
                Kind::UnsafeName,
                9,
            ),
            (Error::Cancelled, Kind::Cancelled, 10),
            (Error::WrongSecret, Kind::Secret, 11),
            (Error::Unproven, Kind::Secret, 11),
            (Error::SecretNeeded, Kind::Secret, 11),
            (Error::SecretMissing, Kind::Secret, 11),
            (Error::Version1Only, Kind::Version, 12),
            (Error::RefusedUnnamed, Kind::Version, 12),
            (Error::NeedsVersion2, Kind::Version, 12),
            (Error::Changed { path: path() }, Kind::Changed, 13),
            (Error::NotConfirmed(lost()), Kind::NotConfirmed, 14),
            (
                Error::Unconfirmed {
                    path: path(),
                    error: io::ErrorKind::Other.into(),
                },
                Kind::NotConfirmed,
                14,
            ),
            (Error::NoSpace { path: path() }, Kind::NoSpace, 15),
            (Error::Truncated, Kind::Truncated, 16),
            (Error::Broken("rule"), Kind::Protocol, 8),
            (Error::Tampered, Kind::Protocol, 8),
            (Error::Declined, Kind::Refused, 5),
            (skipped(Kind::Refused), Kind::Refused, 5),
            (skipped(Kind::NoSpace), Kind::NoSpace, 15),
        ];
        for (error, kind, number) in table {
            assert_eq!((error.kind(), kind.number()), (kind, number), "{error:?}");
        }
    }

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
