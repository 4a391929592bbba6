//! What happens during a transfer, told while it happens.

use std::fmt;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use super::error::{Error, Kind};
use super::name::NameError;
use super::report::Offer;
use crate::wire::Printable;

/// Hears what happens; answers `Break` to end the transfer with [`Error::Cancelled`].
pub type Observer<'a> = dyn FnMut(Event<'_>) -> ControlFlow<()> + 'a;

/// Something that happened. More kinds may come: ignore the unknown.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The relay is being connected to.
    Connecting {
        /// The relay, as `host:port`.
        relay: &'a str,
    },
    /// One of several relays does not lead to a meeting: the next is tried, if there is one.
    PassedOver {
        /// The relay, as `host:port`.
        relay: &'a str,
        /// Why.
        error: &'a Error,
    },
    /// Connected to the relay; a receiver waits for its sender now.
    Waiting,
    /// Nobody waits under the user id yet: a sender that was told to wait calls again in a moment.
    NobodyYet,
    /// No relay serves, though one may later: a sender that was told to wait calls again in a moment.
    RelayAway {
        /// What went wrong.
        error: &'a Error,
    },
    /// The peer is there.
    Matched,
    /// The sender's file name does not fit the wire and was cut.
    NameCut {
        /// The name of the file.
        name: &'a [u8],
        /// The name as it is sent.
        sent: &'a [u8],
    },
    /// The name of the sender's file is one that a receiver of ours does not take.
    NameUnsafe {
        /// The name as it is sent.
        sent: &'a [u8],
        /// The rule it breaks.
        error: NameError,
    },
    /// The header was sent or received.
    Header {
        /// The name in the header: hostile, show it through [`super::Printable`].
        name: &'a [u8],
        /// Length of the file, in bytes.
        length: u64,
    },
    /// Some of the data was written to the connection or to the file.
    Progress {
        /// How much until now, in bytes; what was there before counts as done.
        done: u64,
        /// Length of all there is to move, in bytes; `u64::MAX` while it is not known.
        total: u64,
    },
    /// All data and the checksum are on their way: the receiver's verdict is awaited.
    AwaitingVerdict,
    /// Both sides know which version they speak.
    Version {
        /// 1 or 2.
        version: u8,
        /// Whether both proved that they know the same secret.
        verified: bool,
    },
    /// What the sender offers was sent, or came and is about to be judged.
    Offer {
        /// The offer.
        offer: &'a Offer,
    },
    /// The receiver takes the offer.
    Accepted,
    /// The data of a file begins to move.
    Started {
        /// Its path, `/` between its parts: hostile on the receiver's side, show it through
        /// [`super::Printable`].
        path: &'a [u8],
        /// Its length, in bytes; `None` for a stream.
        length: Option<u64>,
        /// How much of it is there already, in bytes.
        offset: u64,
    },
    /// The receiver has a file, a folder or a text.
    Finished {
        /// Its path, as above.
        path: &'a [u8],
        /// Its length, in bytes; 0 for a folder.
        length: u64,
        /// Where it is, on the receiver's side.
        local: Option<&'a Path>,
        /// Whether it was there before, whole and equal.
        already: bool,
    },
    /// A file does not cross; the others do.
    Skipped {
        /// Its path, as above; empty for all that the sender left out untold.
        path: &'a [u8],
        /// Why.
        error: &'a Error,
    },
    /// A link, a device or the like: it is never sent, and nobody misses it.
    LeftOut {
        /// Its path, as above.
        path: &'a [u8],
        /// What it is.
        error: &'a Error,
    },
    /// The part that the receiver has is not of this file: all of it is sent.
    Restarted {
        /// Its path, as above.
        path: &'a [u8],
    },
    /// A text came.
    Text {
        /// The text: hostile, show it through [`super::Printable`] line by line.
        text: &'a [u8],
    },
    /// The connection was lost, or could not be made again: another is made after a pause.
    Reconnecting {
        /// After how long.
        after: Duration,
        /// What went wrong.
        error: &'a Error,
    },
}

impl Event<'_> {
    /// Tells `observer`; fails with [`Error::Cancelled`] when that wants no more.
    pub(crate) fn tell(self, observer: &mut Observer<'_>) -> Result<(), Error> {
        match observer(self) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Error::Cancelled),
        }
    }
}

/// In words, on one line that is safe to print.
impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connecting { relay } => {
                write!(f, "connecting to {}", Printable(relay.as_bytes()))
            }
            Self::PassedOver { relay, error } => {
                let relay = Printable(relay.as_bytes());
                write!(f, "passing over {relay}: {}", error.brief())
            }
            Self::Waiting => f.write_str("waiting for the other side"),
            Self::NobodyYet => f.write_str("nobody waits there yet: calling again every second"),
            Self::RelayAway { error } => write!(f, "{error}; calling again every second"),
            Self::Matched => f.write_str("matched"),
            Self::NameCut { name, sent } => write!(
                f,
                "warning: '{}' is longer than 31 bytes: it is sent as '{}'",
                Printable(name),
                Printable(sent)
            ),
            Self::NameUnsafe { sent, error } => write!(
                f,
                "warning: '{}': {error}: the receiver takes it only with -o FILE",
                Printable(sent)
            ),
            Self::Header { name, length } => {
                write!(f, "'{}' begins: {length} bytes", Printable(name))
            }
            Self::Progress {
                done,
                total: u64::MAX,
            } => write!(f, "{done} bytes"),
            Self::Progress { done, total } => write!(f, "{done} of {total} bytes"),
            Self::AwaitingVerdict => f.write_str("all sent, waiting for the receiver's verdict"),
            Self::Version { version, verified } => f.write_str(match (version, verified) {
                (1, _) => "version 1: not encrypted, not verified",
                (_, true) => "version 2: encrypted, verified by the secret",
                (_, false) => "version 2: encrypted, not verified: there is no secret",
            }),
            Self::Offer { offer } => {
                let (items, files) = (offer.items.len(), offer.files());
                match offer.bytes() {
                    Some(bytes) => write!(f, "offer: items {items}, files {files}, bytes {bytes}"),
                    None => write!(f, "offer: items {items}, files {files} or more"),
                }
            }
            Self::Accepted => f.write_str("accepted"),
            Self::Started {
                path, offset: 0, ..
            } => write!(f, "'{}' begins", Printable(path)),
            Self::Started { path, offset, .. } => {
                write!(f, "'{}' goes on at byte {offset}", Printable(path))
            }
            Self::Finished {
                path,
                already: true,
                ..
            } => {
                write!(f, "'{}' was there already", Printable(path))
            }
            Self::Finished { path, .. } => write!(f, "'{}' is there", Printable(path)),
            Self::Skipped { path: b"", error } => write!(f, "{error}"),
            Self::Skipped { path, error } if error.kind() == Kind::NotConfirmed => {
                write!(f, "not confirmed '{}': {error}", Printable(path))
            }
            Self::Skipped { path, error } | Self::LeftOut { path, error } => {
                write!(f, "left out '{}': {error}", Printable(path))
            }
            Self::Restarted { path } => write!(
                f,
                "'{}' has changed: all of it is sent anew",
                Printable(path)
            ),
            Self::Text { text } => write!(f, "text: {}", Printable(text)),
            Self::Reconnecting { after, error } => write!(
                f,
                "the connection was lost ({}): again in {:.1} s",
                error.brief(),
                after.as_secs_f64()
            ),
        }
    }
}
