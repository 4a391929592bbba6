//! Sending and receiving a file.

use std::path::{Path, PathBuf};

use super::meeting::Meeting;
use super::{Cancel, Endpoint};
use crate::transfer::{Error, Event, Observer, Place, Source, Store, safe_name, v1};

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
        let mut connection = Meeting::new(endpoint, cancel, observer).call()?;
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
        let mut connection = Meeting::new(endpoint, cancel, observer).listen()?;
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
