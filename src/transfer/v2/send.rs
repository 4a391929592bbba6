//! The sender's threads: one walks, reads and hashes, one seals and writes, one hears the receiver.

use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::frames::Frames;
use super::produce::{NEWS, produce};
use super::refused::RefusedFolders;
use super::sender::{Heard, Sender};
use super::session::{self, Batch, Ended, Finally, Stream, read_records};
use super::{BATCH, Broken, QUEUE};
use crate::crypto::blake3::Hash;
use crate::transfer::channel::{Channel, Opener, Sealer, frame};
use crate::transfer::entry::EntryKind;
use crate::transfer::error::Error;
use crate::transfer::event::{Event, Observer};
use crate::transfer::report::{Offer, Report};
use crate::transfer::tree::{Found, Sources};
use crate::wire::v2::{FromReceiver, FromSender};

/// How long the receiver's last word is awaited when a write fails.
const LAST_WORD: Duration = Duration::from_secs(1);

/// All that is to be sent, through one connection after the other.
pub struct Sending {
    shared: Arc<Shared>,
    run: [u8; 16],
    offer: Offer,
    report: Report,
    done: u64,
}

/// What the threads share.
pub(super) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    /// For the thread that reads the files.
    pub(super) due: Condvar,
}

/// What the threads share, while one of them has it.
pub(super) struct State {
    pub(super) machine: Sender,
    /// Announced, or about to be, and not settled.
    pub(super) pending: BTreeMap<u64, Pending>,
    /// To be announced in this connection.
    pub(super) announce: VecDeque<u64>,
    /// Which connection it is; 0 for none yet.
    pub(super) generation: u64,
    /// Frames that wait to be sealed and written.
    pub(super) out: VecDeque<Frames>,
    pub(super) queued: usize,
    spare: Vec<Vec<u8>>,
    pub(super) news: VecDeque<News>,
    /// The walk is through: above the index of each entry.
    pub(super) entries: Option<u64>,
    /// How many entries were left out against the user's will, in all connections.
    pub(super) missing: u64,
    refused: RefusedFolders,
    /// LAST was said in this connection.
    pub(super) said_last: bool,
    /// What the receiver has of the stream with this index, in bytes.
    pub(super) acknowledged: (u64, u64),
    end: Option<Result<(), Error>>,
    moved: bool,
    stopped: bool,
    pub(super) quit: bool,
}

/// An entry that is not settled.
pub(super) struct Pending {
    pub(super) found: Arc<Found>,
    /// How far it was sent, in bytes, in all connections.
    pub(super) reached: u64,
    /// The hash of all of it, when all of it went.
    pub(super) sent: Option<Hash>,
    /// It was there before.
    pub(super) same: bool,
}

/// What the observer is to hear.
pub(super) enum News {
    Accepted,
    Started {
        path: Vec<u8>,
        length: Option<u64>,
        offset: u64,
        again: u64,
        restarted: bool,
    },
    Committed {
        path: Vec<u8>,
        kind: EntryKind,
        length: u64,
        same: bool,
    },
    Skipped {
        path: Vec<u8>,
        error: Error,
    },
    /// It is nothing that is sent at all.
    LeftOut {
        path: Vec<u8>,
        error: Error,
    },
    AllSent,
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // Every statement leaves the state whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something is due for the thread that reads the files.
    pub(super) fn wake(&self) {
        // Whoever has looked and not found it waits by now.
        drop(self.lock());
        self.due.notify_all();
    }

    pub(super) fn notify(&self) {
        self.changed.notify_all();
    }

    /// A receiver that gives up, or is done, says so and closes: its word may still be there when a write
    /// fails.
    fn last_word(&self, error: Error) -> Result<(), Error> {
        let until = Instant::now() + LAST_WORD;
        let mut state = self.lock();
        loop {
            if state.stopped {
                return Err(Error::Cancelled);
            }
            if let Some(Ok(())) = state.end {
                return Ok(());
            }
            if let Some(Err(_)) = &state.end {
                let end = state.end.replace(Ok(()));
                return Err(match end {
                    Some(Err(
                        end @ (Error::EndedByPeer { .. } | Error::Broken(_) | Error::Record(_)),
                    )) => end,
                    _ => error,
                });
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return match state.machine.is_done() {
                    true => Ok(()),
                    false => Err(error),
                };
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The job is cancelled.
    fn stop(&self) {
        self.lock().stopped = true;
        self.changed.notify_all();
        self.due.notify_all();
    }
}

impl State {
    fn new() -> Self {
        Self {
            machine: Sender::default(),
            pending: BTreeMap::new(),
            announce: VecDeque::new(),
            generation: 0,
            out: VecDeque::new(),
            queued: 0,
            spare: Vec::new(),
            news: VecDeque::new(),
            entries: None,
            missing: 0,
            refused: RefusedFolders::default(),
            said_last: false,
            acknowledged: (0, 0),
            end: None,
            moved: false,
            stopped: false,
            quit: false,
        }
    }

    /// Begins a connection: nothing is announced in it yet.
    fn begin(&mut self) {
        self.machine = Sender::default();
        self.announce = self.pending.keys().copied().collect();
        self.generation += 1;
        self.out.clear();
        self.queued = 0;
        self.said_last = false;
        self.end = None;
        self.moved = false;
    }

    /// Whether the frames of this connection can still be sent.
    pub(super) fn is_live(&self, generation: u64) -> bool {
        self.generation == generation && self.end.is_none() && !self.stopped && !self.quit
    }

    /// Memory for frames.
    pub(super) fn memory(&mut self) -> Vec<u8> {
        self.spare.pop().unwrap_or_default()
    }

    /// Ends the connection, unless it has ended before. A loss after the receiver's word on everything
    /// loses nothing, when the receiver knows that it was everything.
    fn finish(&mut self, end: Result<(), Error>) {
        let lost = matches!(end, Err(Error::Lost(_) | Error::Truncated));
        let end = match lost && self.machine.is_done() {
            true => Ok(()),
            false => end,
        };
        self.end.get_or_insert(end);
    }
}

/// What is next for the thread that writes.
enum Next {
    Frames(Frames),
    News(News),
    Nop,
}

impl Sending {
    /// Makes ready to send. `run` is random.
    ///
    /// # Errors
    /// When there can be no thread.
    pub fn new(sources: Sources, run: [u8; 16]) -> Result<Self, Error> {
        let items = sources.items().to_vec();
        let shared = Arc::new(Shared {
            state: Mutex::new(State::new()),
            changed: Condvar::new(),
            due: Condvar::new(),
        });
        let producer = Arc::clone(&shared);
        // It is not awaited at the end: it may wait for a slow disk.
        thread::Builder::new()
            .spawn(move || produce(&producer, sources))
            .map_err(Error::Lost)?;
        Ok(Self {
            shared,
            run,
            offer: Offer {
                items,
                verified: false,
            },
            report: Report {
                version: 2,
                ..Report::default()
            },
            done: 0,
        })
    }

    /// Ends it from another thread.
    pub fn stopper(&self) -> Arc<dyn Fn() + Send + Sync> {
        let shared = Arc::clone(&self.shared);
        Arc::new(move || shared.stop())
    }

    /// Whether the receiver has said of everything what became of it, so that only last words are missing.
    pub fn is_complete(&self) -> bool {
        let state = self.shared.lock();
        state.entries.is_some() && state.pending.is_empty()
    }

    /// What came of it.
    pub fn into_report(mut self) -> Report {
        mem::take(&mut self.report)
    }

    /// Sends what is not settled through one connection.
    ///
    /// # Errors
    /// How it ended without the end of the transfer.
    pub fn run(
        &mut self,
        stream: &dyn Stream,
        channel: Channel,
        observer: &mut Observer<'_>,
    ) -> Result<(), Ended> {
        let Channel {
            mut sealer,
            mut opener,
            verified,
        } = channel;
        let first = self.shared.lock().generation == 0;
        self.shared.lock().begin();
        self.report.verified = verified;
        self.report.reconnects += u32::from(!first);
        self.offer.verified = verified;
        let shared = Arc::clone(&self.shared);
        let result = thread::scope(|scope| {
            let _closing = Finally(|| {
                shared.lock().finish(Err(Error::Cancelled));
                shared.changed.notify_all();
                shared.due.notify_all();
                stream.shutdown();
            });
            let hearing = thread::Builder::new().spawn_scoped(scope, || {
                let end = hear(&shared, stream, &mut opener);
                shared.lock().finish(end);
                shared.changed.notify_all();
                shared.due.notify_all();
            });
            let spoken = match hearing {
                Ok(_) => self.speak(stream, &mut sealer, observer, first),
                Err(error) => Err(Error::Lost(error)),
            };
            let ended = match &spoken {
                Ok(()) => Ok(()),
                Err(error) => Err(Error::Lost(std::io::Error::other(error.to_string()))),
            };
            shared.lock().finish(ended);
            shared.due.notify_all();
            if let Err(error) = &spoken {
                session::abort(stream, &mut sealer, error);
            }
            spoken
        });
        let state = self.shared.lock();
        result.map_err(|error| match error {
            Error::Lost(error) if state.machine.is_all_sent() => Ended::Lost {
                error: Error::NotConfirmed(error),
                moved: state.moved,
            },
            Error::Lost(_) | Error::Truncated => Ended::Lost {
                error,
                moved: state.moved,
            },
            error => Ended::Failed(error),
        })
    }

    /// Seals and writes what the others made, and tells the observer.
    fn speak(
        &mut self,
        stream: &dyn Stream,
        sealer: &mut Sealer,
        observer: &mut Observer<'_>,
        first: bool,
    ) -> Result<(), Error> {
        let shared = Arc::clone(&self.shared);
        let mut said = Instant::now();
        let mut write = |bytes: &mut [u8]| {
            sealer.seal(bytes);
            said = Instant::now();
            let written = stream.write_all(bytes);
            written.or_else(|error| shared.last_word(Error::Lost(error)))?;
            Ok::<_, Error>(said)
        };
        let mut at = Instant::now();
        for mut frames in self.offer_frames() {
            at = write(&mut frames)?;
        }
        if first {
            let offer = &self.offer;
            Event::Offer { offer }.tell(observer)?;
        }
        loop {
            match self.next(at)? {
                None => break,
                Some(Next::News(news)) => self.tell(news, observer)?,
                Some(Next::Frames(mut frames)) => {
                    at = write(frames.bytes())?;
                    let data = frames.data();
                    self.recycle(frames.into_memory(), data > 0);
                    if data > 0 {
                        self.done += data;
                        self.progress().tell(observer)?;
                    }
                }
                Some(Next::Nop) => {
                    let mut bytes = Vec::new();
                    frame(&mut bytes, |out| FromSender::Nop.encode(out));
                    at = write(&mut bytes)?;
                }
            }
        }
        // What both sides say of it must agree.
        match stream.settle() {
            true => Ok(()),
            false => Err(Error::Cancelled),
        }
    }

    fn next(&self, said: Instant) -> Result<Option<Next>, Error> {
        let mut state = self.shared.lock();
        loop {
            if state.stopped {
                return Err(Error::Cancelled);
            }
            if matches!(state.end, Some(Err(_))) {
                return match state.end.take() {
                    Some(Err(error)) => {
                        // Whoever looks whether it goes on must see that it does not.
                        state.end = Some(Ok(()));
                        Err(error)
                    }
                    _ => Ok(None),
                };
            }
            if let Some(news) = state.news.pop_front() {
                // Only then does the other thread wait for this.
                if state.news.len() + 1 == NEWS {
                    self.shared.due.notify_all();
                }
                return Ok(Some(Next::News(news)));
            }
            if state.end.is_some() {
                return Ok(None);
            }
            if let Some(frames) = state.out.pop_front() {
                let was_full = state.queued >= QUEUE;
                state.queued -= frames.len();
                if was_full {
                    self.shared.due.notify_all();
                }
                return Ok(Some(Next::Frames(frames)));
            }
            let left = session::until_nop(said.elapsed());
            if left.is_zero() {
                return Ok(Some(Next::Nop));
            }
            let waited = self.shared.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn recycle(&self, bytes: Vec<u8>, moved: bool) {
        let mut state = self.shared.lock();
        state.moved |= moved;
        if state.spare.len() < 4 && bytes.capacity() <= 2 * BATCH {
            state.spare.push(bytes);
        }
    }

    /// ITEM for each, and OFFER.
    fn offer_frames(&self) -> Vec<Vec<u8>> {
        let mut all = vec![Vec::new()];
        let mut put = |record: FromSender<'_>| {
            if all.last().is_none_or(|last| last.len() > BATCH) {
                all.push(Vec::new());
            }
            if let Some(last) = all.last_mut() {
                frame(last, |out| record.encode(out));
            }
        };
        for item in &self.offer.items {
            put(FromSender::Item {
                kind: item.kind as u8,
                complete: item.complete,
                files: item.files,
                bytes: item.bytes,
                name: &item.name,
            });
        }
        put(FromSender::Offer {
            run: self.run,
            items: self.offer.items.len() as u32,
        });
        all
    }

    fn progress<'a>(&self) -> Event<'a> {
        Event::Progress {
            done: self.done,
            total: self.offer.bytes().unwrap_or(u64::MAX),
        }
    }

    fn tell(&mut self, news: News, observer: &mut Observer<'_>) -> Result<(), Error> {
        match news {
            News::Accepted => Event::Accepted.tell(observer),
            News::AllSent => Event::AwaitingVerdict.tell(observer),
            News::Started {
                path,
                length,
                offset,
                again,
                restarted,
            } => {
                let path = &path;
                self.report.resumed += offset;
                self.report.again += again;
                self.done = self.done.saturating_add(offset);
                if restarted {
                    Event::Restarted { path }.tell(observer)?;
                }
                Event::Started {
                    path,
                    length,
                    offset,
                }
                .tell(observer)
            }
            News::Committed {
                path,
                kind,
                length,
                same,
            } => {
                self.report.settled(kind, length, same);
                if same {
                    self.done = self.done.saturating_add(length);
                    self.progress().tell(observer)?;
                }
                Event::Finished {
                    path: &path,
                    length,
                    local: None,
                    already: same,
                }
                .tell(observer)
            }
            News::LeftOut { path, error } => {
                self.report.left_out += 1;
                Event::LeftOut {
                    path: &path,
                    error: &error,
                }
                .tell(observer)
            }
            News::Skipped { path, error } => {
                let told = Event::Skipped {
                    path: &path,
                    error: &error,
                }
                .tell(observer);
                self.report.skip(path, error);
                told
            }
        }
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.shared.lock().quit = true;
        self.shared.due.notify_all();
    }
}

/// Hears the receiver until the end of the connection.
fn hear(shared: &Shared, stream: &dyn Stream, opener: &mut Opener) -> Result<(), Error> {
    let mut result = Ok(());
    read_records(stream, opener, 0, &mut |batch| {
        let over = shared.lock().hear_all(&batch);
        // Once for all of them: each costs a call into the system.
        shared.changed.notify_all();
        shared.due.notify_all();
        match over {
            None => Some(batch.into_bytes()),
            Some(end) => {
                result = end;
                None
            }
        }
    })?;
    result
}

impl State {
    /// Takes records up to the end, if it is among them.
    fn hear_all(&mut self, batch: &Batch) -> Option<Result<(), Error>> {
        if self.end.is_some() {
            return Some(Ok(()));
        }
        for plain in batch.iter() {
            let heard = match FromReceiver::decode(plain) {
                Ok(record) => self
                    .hear(record)
                    .map_err(|Broken(rule)| Error::Broken(rule)),
                Err(error) => Err(Error::Record(error)),
            };
            match heard {
                Ok(None) => {}
                Ok(Some(end)) => return Some(end),
                Err(error) => return Some(Err(error)),
            }
        }
        None
    }

    /// Takes a record: the end, if it is one.
    fn hear(&mut self, record: FromReceiver<'_>) -> Result<Option<Result<(), Error>>, Broken> {
        match self.machine.handle(record)? {
            Heard::Nothing | Heard::Asked => {}
            Heard::Accepted => self.news.push_back(News::Accepted),
            Heard::Acknowledged { index, offset } => {
                // It may be late, and of a stream before this one.
                if self.acknowledged.0 == index {
                    self.acknowledged.1 = offset;
                }
                self.moved = true;
            }
            Heard::Committed { index } => {
                self.moved = true;
                if let Some(pending) = self.pending.remove(&index) {
                    let entry = &pending.found.entry;
                    self.news.push_back(News::Committed {
                        path: entry.shown(),
                        kind: entry.kind,
                        length: entry.size.unwrap_or(pending.reached),
                        same: pending.same,
                    });
                }
            }
            Heard::Skipped {
                index,
                reason,
                text,
            } => {
                self.moved = true;
                let pending = self.pending.remove(&index);
                let is_news = |one: &Pending| self.refused.is_news(&one.found.entry);
                if let Some(pending) = pending.filter(is_news) {
                    let path = pending.found.entry.shown();
                    let (kind, text) = (session::refused(reason), text.to_vec());
                    let error = Error::Skipped { kind, text };
                    self.news.push_back(News::Skipped { path, error });
                }
            }
            Heard::Finished => return Ok(Some(Ok(()))),
            Heard::Aborted { code, text } => return Ok(Some(Err(session::aborted(code, text)))),
        }
        Ok(None)
    }
}
