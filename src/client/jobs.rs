//! Sending and receiving.

use std::path::Path;

use super::meeting::Meeting;
use super::options::Options;
use super::{Argument, Cancel, Endpoint};
use crate::transfer::{
    Error, Event, Observer, Place, Received, Report, Source, Store, safe_name, v1,
};

/// A file that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The name that the receiver was told; shorter than the file's when that is over 31 bytes.
    pub name: Vec<u8>,
    /// Length of the file, in bytes.
    pub length: u64,
}

/// Sends all of `arguments` to whoever waits at `endpoint`. What is wrong with them is found before
/// anybody is called. Files may be left out even so: the report says which.
///
/// # Errors
/// Why the transfer did not come to its end.
pub fn send(
    endpoint: &Endpoint,
    options: &Options,
    arguments: &[Argument],
    cancel: &Cancel,
    observer: &mut Observer<'_>,
) -> Result<Report, Error> {
    uncancelled(cancel, || match arguments {
        [Argument::Path(path)] if options.secret.is_none() => {
            send_version1(endpoint, path, cancel, observer)
        }
        _ => Err(Error::NeedsVersion2),
    })
}

/// Waits at `endpoint` for a sender and puts what it sends in `place`. What is wrong with the place is
/// found before anybody is waited for. Files may be left out even so: the report says which.
///
/// # Errors
/// Why the transfer did not come to its end.
pub fn receive(
    endpoint: &Endpoint,
    options: &Options,
    place: &Place,
    cancel: &Cancel,
    observer: &mut Observer<'_>,
) -> Result<Report, Error> {
    uncancelled(cancel, || match options.secret {
        None => receive_version1(endpoint, place, cancel, observer),
        Some(_) => Err(Error::NeedsVersion2),
    })
}
/// Runs a job; however a cancelled one fails, the cause is that it was cancelled.
fn uncancelled<T>(cancel: &Cancel, job: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    job().map_err(|error| match cancel.is_cancelled() {
        true => Error::Cancelled,
        false => error,
    })
}

/// Sends the file at `path` in version 1 to whoever waits at `endpoint`. What is wrong with the file is
/// found before anybody is called.
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
        tell_name(&source, observer)?;
        let mut connection = Meeting::new(endpoint, cancel, observer).call()?;
        Event::Matched.tell(observer)?;
        v1::send(&mut connection, &mut source, observer)?;
        Ok(Sent {
            name: source.sent_name().to_vec(),
            length: source.length(),
        })
    })
}

/// Waits at `endpoint` for a sender and puts its file in `place`, in version 1. What is wrong with the
/// place is found before anybody is waited for.
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

fn send_version1(
    endpoint: &Endpoint,
    path: &Path,
    cancel: &Cancel,
    observer: &mut Observer<'_>,
) -> Result<Report, Error> {
    let sent = send_file(endpoint, path, cancel, observer)?;
    Ok(Report {
        version: 1,
        files: 1,
        bytes: sent.length,
        ..Report::default()
    })
}

fn receive_version1(
    endpoint: &Endpoint,
    place: &Place,
    cancel: &Cancel,
    observer: &mut Observer<'_>,
) -> Result<Report, Error> {
    let received = recv_file(endpoint, place, cancel, observer)?;
    Ok(Report {
        version: 1,
        files: 1,
        bytes: received.length,
        received: vec![received],
        ..Report::default()
    })
}

/// Says what a receiver will make of the name.
fn tell_name(source: &Source, observer: &mut Observer<'_>) -> Result<(), Error> {
    let (name, sent) = (source.name(), source.sent_name());
    if name != sent {
        Event::NameCut { name, sent }.tell(observer)?;
    }
    match safe_name(sent) {
        Ok(_) => Ok(()),
        Err(error) => Event::NameUnsafe { sent, error }.tell(observer),
    }
}
