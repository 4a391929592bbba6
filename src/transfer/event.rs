//! What happens during a transfer, told while it happens.

use std::ops::ControlFlow;

use super::error::Error;
use super::name::NameError;

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
        /// How much until now, in bytes.
        done: u64,
        /// Length of the file, in bytes.
        total: u64,
    },
    /// All data and the checksum are on their way: the receiver's verdict is awaited.
    AwaitingVerdict,
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
