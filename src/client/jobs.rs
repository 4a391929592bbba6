//! Sending and receiving, in whichever version the two sides can.

use std::path::Path;
use std::time::{Duration, Instant};

use super::connection::Connection;
use super::meeting::Meeting;
use super::negotiate;
use super::options::Options;
use super::reconnect::{Backoff, Window};
use super::{Argument, Cancel, Endpoint, Wait};
use crate::sys::random;
use crate::transfer::channel::Channel;
use crate::transfer::tree::Sources;
use crate::transfer::v2::{Ended, Receiving, Sending};
use crate::transfer::{
    EntryKind, Error, Event, Item, Link, Observer, Offer, Place, Received, Report, Source, Store,
    safe_name, v1,
};
use crate::wire::NO;
use crate::wire::v1::{HEADER_SIZE, Header};

/// How long a receiver pauses after a sender with another secret, at first and at most.
pub(super) const WRONG_SECRET: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(60)];

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
    uncancelled(cancel, || {
        let sources = Sources::open(arguments.to_vec())?;
        let single = sources.single().filter(|_| options.secret.is_none());
        if options.version1_only {
            let path = single.ok_or(Error::NeedsVersion2)?;
            tell_version(1, false, observer)?;
            return send_file(endpoint, path, cancel, observer).map(sent_report);
        }
        // What version 1 cannot carry goes in version 2 alone.
        let mut source = single.and_then(|path| Source::open(path).ok());
        let mut connection = Meeting::new(endpoint, cancel, observer).call()?;
        Event::Matched.tell(observer)?;
        let header = source.as_ref().map(Source::header);
        let secret = options.secret.as_ref();
        let within = negotiate::patience(endpoint.idle_timeout);
        let agreed = negotiate::call(&mut connection, &endpoint.user, secret, header, within)?;
        match (agreed, &mut source) {
            (negotiate::Sender::Version2(channel), _) => SendJob {
                endpoint,
                options,
                cancel,
            }
            .run(sources, connection, *channel, observer),
            (negotiate::Sender::Version1(answer), Some(source)) => {
                tell_version(1, false, observer)?;
                tell_name(source, observer)?;
                v1::send_answered(&mut connection, source, answer, observer)?;
                Ok(sent_report(Sent::of(source)))
            }
            (negotiate::Sender::Version1(_), None) => Err(Error::Version1Only),
        }
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
    uncancelled(cancel, || {
        let store = Store::open(place)?;
        let receiving = Receiving::new(place)?;
        cancel.guard(store.guard());
        let job = ReceiveJob {
            endpoint,
            options,
            cancel,
        };
        let mut connection = Meeting::new(endpoint, cancel, observer).listen()?;
        Event::Matched.tell(observer)?;
        match job.answer(&mut connection) {
            Err(error) if error.is_guess() => {
                // Whoever guesses gets one guess a second.
                cancel.pause(WRONG_SECRET[0]);
                Err(error)
            }
            Err(error) => Err(error),
            Ok(negotiate::Receiver::Version2(channel)) => {
                drop(store);
                job.run(receiving, connection, *channel, observer)
            }
            Ok(negotiate::Receiver::Version1(header)) => {
                drop(receiving);
                tell_version(1, false, observer)?;
                job.judge(&mut connection, &header, observer)?;
                let (header, stored) =
                    v1::receive_begun(&mut connection, &store, &header, observer)?;
                Ok(received_report(Received {
                    name: header.name().to_vec(),
                    length: header.length(),
                    path: stored.path,
                    renamed: stored.renamed,
                }))
            }
        }
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
        Ok(Sent::of(&source))
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

/// A sender in version 2.
struct SendJob<'a> {
    endpoint: &'a Endpoint,
    options: &'a Options,
    cancel: &'a Cancel,
}

impl<'a> SendJob<'a> {
    fn run(
        &self,
        sources: Sources,
        mut connection: Connection<'a>,
        mut channel: Channel,
        observer: &mut Observer<'_>,
    ) -> Result<Report, Error> {
        let mut run = [0; 16];
        random::fill(&mut run).map_err(Error::Lost)?;
        let mut sending = Sending::new(sources, run)?;
        let mut window = Window::new(self.options.reconnect);
        loop {
            tell_version(2, channel.verified, observer)?;
            connection.begin_session().map_err(Error::Lost)?;
            self.cancel.stop_by(Some(sending.stopper()));
            let ended = sending.run(&connection, channel, observer);
            self.cancel.stop_by(None);
            drop(connection);
            (connection, channel) = match ended {
                Ok(()) => return Ok(sending.into_report()),
                Err(Ended::Failed(error)) => return Err(error),
                Err(Ended::Lost { error, moved }) => {
                    window.lost(moved);
                    match self.call_again(&window, error, observer) {
                        // The receiver has it all, whether or not it knows that.
                        Err(error) if sending.is_complete() && !self.cancel.is_cancelled() => {
                            drop(error);
                            return Ok(sending.into_report());
                        }
                        again => again?,
                    }
                }
            };
        }
    }

    /// Calls until the receiver is there again; the loss, when it does not come back in time.
    fn call_again(
        &self,
        window: &Window,
        loss: Error,
        observer: &mut Observer<'_>,
    ) -> Result<(Connection<'a>, Channel), Error> {
        let mut backoff = Backoff::new();
        let [mut pause, longest] = WRONG_SECRET;
        let mut at_least = Duration::ZERO;
        let mut error = None;
        loop {
            let after = backoff.next()?.max(at_least);
            if self.cancel.is_cancelled() {
                return Err(Error::Cancelled);
            }
            if window.left() <= after {
                return Err(loss);
            }
            Event::Reconnecting {
                after,
                error: error.as_ref().unwrap_or(&loss),
            }
            .tell(observer)?;
            self.cancel.pause(after);
            match self.call(observer) {
                Ok(met) => return Ok(met),
                Err(Error::Cancelled) => return Err(Error::Cancelled),
                Err(failed) => {
                    // Who waits there in the receiver's place gets no more guesses than one who calls it.
                    if failed.is_guess() {
                        at_least = pause;
                        pause = longest.min(pause * 2);
                    }
                    error = Some(failed);
                }
            }
        }
    }

    fn call(&self, observer: &mut Observer<'_>) -> Result<(Connection<'a>, Channel), Error> {
        let mut connection = Meeting::new(self.endpoint, self.cancel, observer)
            .waiting(Wait::Usual)
            .call()?;
        let user = &self.endpoint.user;
        let secret = self.options.secret.as_ref();
        let within = negotiate::patience(self.endpoint.idle_timeout);
        // Version 1 never follows version 2.
        match negotiate::call(&mut connection, user, secret, None, within)? {
            negotiate::Sender::Version2(channel) => Ok((connection, *channel)),
            negotiate::Sender::Version1(_) => Err(Error::Version1Only),
        }
    }
}

/// A receiver in version 2, or before that is known.
struct ReceiveJob<'a> {
    endpoint: &'a Endpoint,
    options: &'a Options,
    cancel: &'a Cancel,
}

impl<'a> ReceiveJob<'a> {
    fn run(
        &self,
        mut receiving: Receiving,
        mut connection: Connection<'a>,
        mut channel: Channel,
        observer: &mut Observer<'_>,
    ) -> Result<Report, Error> {
        let accept = |offer: &Offer| self.accepts(offer);
        let mut window = Window::new(self.options.reconnect);
        loop {
            tell_version(2, channel.verified, observer)?;
            connection.begin_session().map_err(Error::Lost)?;
            self.cancel.stop_by(Some(receiving.stopper()));
            let ended = receiving.run(&connection, channel, &accept, observer);
            self.cancel.stop_by(None);
            drop(connection);
            (connection, channel) = match ended {
                Ok(()) => return Ok(receiving.into_report()),
                Err(Ended::Failed(error)) => return Err(error),
                Err(Ended::Lost { error, moved }) => {
                    window.lost(moved);
                    match self.listen_again(&window, error, observer) {
                        // All is here, whether or not the sender knows it.
                        Err(error) if receiving.is_complete() && !self.cancel.is_cancelled() => {
                            drop(error);
                            return Ok(receiving.into_report());
                        }
                        again => again?,
                    }
                }
            };
        }
    }

    /// Waits until the sender is there again; the loss, when it does not come back in time.
    fn listen_again(
        &self,
        window: &Window,
        loss: Error,
        observer: &mut Observer<'_>,
    ) -> Result<(Connection<'a>, Channel), Error> {
        let mut backoff = Backoff::new();
        let [mut pause, longest] = WRONG_SECRET;
        let mut error = None;
        // The relay may not have noticed the loss yet, but a listener is in nobody's way.
        let mut after = Duration::ZERO;
        loop {
            if self.cancel.is_cancelled() {
                return Err(Error::Cancelled);
            }
            if window.left() <= after {
                return Err(loss);
            }
            Event::Reconnecting {
                after,
                error: error.as_ref().unwrap_or(&loss),
            }
            .tell(observer)?;
            self.cancel.pause(after);
            let begin = Instant::now();
            match self.listen(window.left(), observer) {
                Ok(met) => return Ok(met),
                Err(Error::Cancelled) => return Err(Error::Cancelled),
                Err(failed) if failed.is_guess() => {
                    after = pause;
                    pause = longest.min(pause * 2);
                    error = Some(failed);
                }
                Err(failed) => {
                    if begin.elapsed() > Duration::from_secs(1) {
                        backoff = Backoff::new();
                    }
                    after = backoff.next()?;
                    error = Some(failed);
                }
            }
        }
    }

    fn listen(
        &self,
        within: Duration,
        observer: &mut Observer<'_>,
    ) -> Result<(Connection<'a>, Channel), Error> {
        let mut connection = Meeting::new(self.endpoint, self.cancel, observer)
            .waiting(Wait::For(within))
            .listen()?;
        match self.answer(&mut connection)? {
            negotiate::Receiver::Version2(channel) => Ok((connection, *channel)),
            // Version 1 never follows version 2.
            negotiate::Receiver::Version1(_) => {
                if Link::write_all(&mut connection, &[NO]).is_ok() {
                    Link::finish(&mut connection);
                }
                Err(Error::Version1Only)
            }
        }
    }

    fn answer(&self, connection: &mut Connection<'_>) -> Result<negotiate::Receiver, Error> {
        let Options {
            secret,
            version1_only,
            ..
        } = self.options;
        let user = &self.endpoint.user;
        let within = negotiate::patience(self.endpoint.idle_timeout);
        negotiate::answer(connection, user, secret.as_ref(), *version1_only, within)
    }

    fn accepts(&self, offer: &Offer) -> bool {
        let accept = self.options.accept.as_ref();
        accept.is_none_or(|accept| accept(offer))
    }

    /// Lets the user judge a header of version 1, if it is one.
    fn judge(
        &self,
        connection: &mut Connection<'_>,
        header: &[u8; HEADER_SIZE],
        observer: &mut Observer<'_>,
    ) -> Result<(), Error> {
        let Ok(header) = Header::decode(header) else {
            return Ok(());
        };
        let offer = Offer {
            items: vec![Item {
                kind: EntryKind::File,
                name: header.name().to_vec(),
                files: 1,
                bytes: Some(header.length()),
                complete: true,
            }],
            verified: false,
        };
        Event::Offer { offer: &offer }.tell(observer)?;
        if self.accepts(&offer) {
            return Ok(());
        }
        if Link::write_all(connection, &[NO]).is_ok() {
            Link::finish(connection);
        }
        Err(Error::Declined)
    }
}

impl Sent {
    fn of(source: &Source) -> Self {
        Self {
            name: source.sent_name().to_vec(),
            length: source.length(),
        }
    }
}

fn sent_report(sent: Sent) -> Report {
    Report {
        version: 1,
        files: 1,
        bytes: sent.length,
        ..Report::default()
    }
}

fn received_report(received: Received) -> Report {
    Report {
        version: 1,
        files: 1,
        bytes: received.length,
        received: vec![received],
        ..Report::default()
    }
}

pub(super) fn tell_version(
    version: u8,
    verified: bool,
    observer: &mut Observer<'_>,
) -> Result<(), Error> {
    Event::Version { version, verified }.tell(observer)
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

/// Runs a job; however a cancelled one fails, the cause is that it was cancelled.
pub(super) fn uncancelled<T>(
    cancel: &Cancel,
    job: impl FnOnce() -> Result<T, Error>,
) -> Result<T, Error> {
    job().map_err(|error| match cancel.is_cancelled() {
        true => Error::Cancelled,
        false => error,
    })
}
