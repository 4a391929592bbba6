//! The receiver's threads: one reads and opens records, one decides, hashes and writes, one says in between
//! that this side is still there.

use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use super::accepted::Accepted;
use super::receiver::{Heard, Receiver};
use super::refused::RefusedFolders;
use super::session::{self, Batch, Ended, Finally, Stream, read_records};
use super::{BATCH, Broken, QUEUE, WINDOW};
use crate::crypto::blake3::Hash;
use crate::transfer::channel::{Channel, Opener, Sealer, frame};
use crate::transfer::entry::{Entry, EntryKind};
use crate::transfer::error::Error;
use crate::transfer::event::{Event, Observer};
use crate::transfer::report::{Offer, Received, Report};
use crate::transfer::store::{
    Committed, Decision, Finished, Place, Refusal, RefusalReason, Settled, Tree,
};
use crate::wire::v2::{FromReceiver, FromSender};

/// Answers are held back until there are so many bytes of them, or nothing else is to be done.
const ANSWERS: usize = 16 * 1024;
/// So often the receiver says how much of a stream it has, in bytes.
const ACKNOWLEDGED: u64 = 1 << 20;

/// A place that is received into, through one connection after the other.
pub struct Receiving {
    inbox: Arc<Inbox>,
    tree: Tree,
    /// The sender that was accepted, and the hash of its offer.
    run: Option<([u8; 16], Hash)>,
    /// What has come of that offer's folders.
    accepted: Accepted,
    entries: BTreeMap<u64, Known>,
    refused: RefusedFolders,
    /// How many entries the sender has left out, as far as this side knows.
    missing: u64,
    report: Report,
    total: u64,
    done: u64,
    connections: u32,
    complete: bool,
}

/// What is known of an entry that is not settled.
struct Known {
    entry: Entry,
    wanted: u64,
    /// How far it came, in bytes, in all connections.
    reached: u64,
    acknowledged: u64,
}

/// What waits for the thread that writes.
#[derive(Default)]
struct Inbox {
    state: Mutex<State>,
    /// For the thread that writes.
    filled: Condvar,
    /// For the one that reads.
    emptied: Condvar,
}

#[derive(Default)]
struct State {
    batches: VecDeque<Batch>,
    queued: usize,
    spare: Vec<Vec<u8>>,
    settled: VecDeque<Settled>,
    end: Option<Error>,
    over: bool,
    stopped: bool,
}

/// What is said, by whichever thread.
struct Mouth<'a> {
    stream: &'a dyn Stream,
    sealer: Mutex<(Sealer, Instant)>,
}

enum Next {
    Settled(Settled),
    Batch(Batch),
    /// Nothing: what is to be said can be said now.
    Idle,
}

/// A connection, for the thread that writes.
struct Session<'a, 'o> {
    machine: Receiver,
    mouth: &'a Mouth<'a>,
    accept: &'a dyn Fn(&Offer) -> bool,
    observer: &'a mut Observer<'o>,
    answers: Vec<u8>,
    verified: bool,
    moved: bool,
}

impl Inbox {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Every statement leaves the state whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stop(&self) {
        self.lock().stopped = true;
        self.filled.notify_all();
        self.emptied.notify_all();
    }

    /// Takes a batch in when there is room; memory for the next one, or nothing when it is over.
    fn put(&self, batch: Batch) -> Option<Vec<u8>> {
        let mut state = self.lock();
        while state.queued >= QUEUE && !state.over {
            let waited = self.emptied.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
        if state.over {
            return None;
        }
        state.queued += batch.size();
        state.batches.push_back(batch);
        if state.batches.len() == 1 {
            self.filled.notify_all();
        }
        Some(state.spare.pop().unwrap_or_default())
    }

    /// What is next; without `wait` [`Next::Idle`] when there is nothing.
    fn next(&self, wait: bool) -> Result<Next, Error> {
        let mut state = self.lock();
        loop {
            if state.stopped {
                return Err(Error::Cancelled);
            }
            if let Some(settled) = state.settled.pop_front() {
                return Ok(Next::Settled(settled));
            }
            if let Some(batch) = state.batches.pop_front() {
                let was_full = state.queued >= QUEUE;
                state.queued -= batch.size();
                if was_full {
                    self.emptied.notify_all();
                }
                return Ok(Next::Batch(batch));
            }
            if let Some(end) = state.end.take() {
                return Err(end);
            }
            if !wait {
                return Ok(Next::Idle);
            }
            let waited = self.filled.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Whether anybody waits for what this side makes of what has come.
    fn goes_on(&self) -> bool {
        let state = self.lock();
        !state.stopped && state.end.is_none()
    }

    /// How it ended; behind an ABORT comes the end of the stream.
    fn ended(&self) -> Error {
        let mut state = self.lock();
        let records = state.batches.iter().flat_map(Batch::iter);
        let aborted = records
            .filter_map(|plain| match FromSender::decode(plain) {
                Ok(FromSender::Abort { code, text }) => Some(session::aborted(code, text)),
                _ => None,
            })
            .next();
        match aborted.or_else(|| state.end.take()) {
            Some(end) if !state.stopped => end,
            _ => Error::Cancelled,
        }
    }

    fn recycle(&self, batch: Batch) {
        let mut state = self.lock();
        if state.spare.len() < 4 {
            state.spare.push(batch.into_bytes());
        }
    }
}

impl Mouth<'_> {
    /// Seals and writes frames.
    fn say(&self, frames: &mut Vec<u8>) -> Result<(), Error> {
        if frames.is_empty() {
            return Ok(());
        }
        let mut sealer = self.sealer.lock().unwrap_or_else(PoisonError::into_inner);
        sealer.0.seal(frames);
        sealer.1 = Instant::now();
        let written = self.stream.write_all(frames);
        frames.clear();
        written.map_err(Error::Lost)
    }

    /// Says now and then that this side is there, until the connection is over.
    fn keep_alive(&self, inbox: &Inbox) {
        let mut state = inbox.lock();
        while !state.over {
            drop(state);
            let said = self.sealer.lock().unwrap_or_else(PoisonError::into_inner).1;
            let left = session::until_nop(said.elapsed());
            if left.is_zero() {
                let mut frames = Vec::new();
                frame(&mut frames, |out| FromReceiver::Nop.encode(out));
                if self.say(&mut frames).is_err() {
                    return;
                }
            }
            state = inbox.lock();
            if !state.over && !left.is_zero() {
                let waited = inbox.emptied.wait_timeout(state, left);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
        }
    }
}

impl Receiving {
    /// Opens a place.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(place: &Place) -> Result<Self, Error> {
        let inbox = Arc::new(Inbox::default());
        let settled = Arc::clone(&inbox);
        let asked = Arc::clone(&inbox);
        let mut tree = Tree::open(
            place,
            Box::new(move |outcomes| {
                settled.lock().settled.extend(outcomes);
                settled.filled.notify_all();
            }),
        )?;
        tree.ask(Box::new(move || asked.goes_on()));
        Ok(Self {
            inbox,
            tree,
            run: None,
            accepted: Accepted::default(),
            entries: BTreeMap::new(),
            refused: RefusedFolders::default(),
            missing: 0,
            report: Report {
                version: 2,
                ..Report::default()
            },
            total: u64::MAX,
            done: 0,
            connections: 0,
            complete: false,
        })
    }

    /// Ends it from another thread.
    pub fn stopper(&self) -> Arc<dyn Fn() + Send + Sync> {
        let inbox = Arc::clone(&self.inbox);
        Arc::new(move || inbox.stop())
    }

    /// Whether a sender was accepted, so that it may come back.
    pub fn is_begun(&self) -> bool {
        self.run.is_some()
    }

    /// Whether all that the sender had is here, so that only its last word is missing.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// What came of it.
    pub fn into_report(mut self) -> Report {
        mem::take(&mut self.report)
    }

    /// Receives through one connection. `accept` is asked once for each sender's process.
    ///
    /// # Errors
    /// How it ended without the end of the transfer.
    pub fn run(
        &mut self,
        stream: &dyn Stream,
        channel: Channel,
        accept: &dyn Fn(&Offer) -> bool,
        observer: &mut Observer<'_>,
    ) -> Result<(), Ended> {
        let Channel {
            sealer,
            mut opener,
            verified,
        } = channel;
        self.connections += 1;
        // What is not settled comes again, a window at most: of more nothing is remembered, however often a
        // sender comes back.
        if self.entries.len() > WINDOW {
            self.entries.clear();
        }
        self.report.verified = verified;
        self.report.reconnects = self.connections - 1;
        {
            let mut state = self.inbox.lock();
            state.batches.clear();
            state.queued = 0;
            state.end = None;
            state.over = false;
        }
        let inbox = Arc::clone(&self.inbox);
        let mouth = Mouth {
            stream,
            sealer: Mutex::new((sealer, Instant::now())),
        };
        let mut session = Session {
            machine: Receiver::default(),
            mouth: &mouth,
            accept,
            observer,
            answers: Vec::new(),
            verified,
            moved: false,
        };
        let result = thread::scope(|scope| {
            let _closing = Finally(|| {
                inbox.lock().over = true;
                inbox.emptied.notify_all();
                stream.shutdown();
            });
            let reading = thread::Builder::new()
                .spawn_scoped(scope, || read(&inbox, stream, &mut opener))
                .and_then(|_| {
                    thread::Builder::new().spawn_scoped(scope, || mouth.keep_alive(&inbox))
                });
            let result = match reading {
                Ok(_) => self.listen(&mut session, stream),
                Err(error) => Err(Error::Lost(error)),
            };
            inbox.lock().over = true;
            inbox.emptied.notify_all();
            match &result {
                Ok(()) => stream.finish(),
                Err(error) => {
                    let mut sealer = mouth.sealer.lock().unwrap_or_else(PoisonError::into_inner);
                    session::abort(stream, &mut sealer.0, error);
                }
            }
            result
        });
        if result.is_err() {
            self.interrupt(session.observer)?;
            self.complete = session.machine.is_last_heard() && self.entries.is_empty();
        }
        result.map_err(|error| match error {
            Error::Lost(_) | Error::Truncated => Ended::Lost {
                error,
                moved: session.moved,
            },
            error => Ended::Failed(error),
        })
    }

    /// The connection is over before its time: what is complete is settled, the rest comes again.
    fn interrupt(&mut self, observer: &mut Observer<'_>) -> Result<(), Error> {
        self.tree.interrupt();
        let settled = mem::take(&mut self.inbox.lock().settled);
        for outcome in settled {
            // What was refused comes again, and is refused again.
            if let Ok(committed) = outcome.result {
                self.committed(outcome.index, committed, observer)?;
            }
        }
        Ok(())
    }

    fn listen(&mut self, session: &mut Session<'_, '_>, stream: &dyn Stream) -> Result<(), Error> {
        loop {
            let next = self.inbox.next(session.answers.is_empty())?;
            match next {
                Next::Settled(outcome) => self.settled(session, outcome)?,
                Next::Idle => session.flush()?,
                Next::Batch(batch) => {
                    for plain in batch.iter() {
                        let record = FromSender::decode(plain).map_err(Error::Record)?;
                        if self.record(session, record)? {
                            // The files are there, whether or not the sender hears of it.
                            if !stream.settle() {
                                return Err(Error::Cancelled);
                            }
                            let _ = session.flush();
                            return Ok(());
                        }
                    }
                    self.inbox.recycle(batch);
                    self.progress(session)?;
                }
            }
            if session.answers.len() >= ANSWERS {
                session.flush()?;
            }
        }
    }

    /// Takes a record; `true` for the last one.
    fn record(
        &mut self,
        session: &mut Session<'_, '_>,
        record: FromSender<'_>,
    ) -> Result<bool, Error> {
        let heard = session.machine.handle(record);
        match heard.map_err(|Broken(rule)| Error::Broken(rule))? {
            Heard::Nothing => {}
            Heard::Offer { run } => self.offer(session, run)?,
            Heard::Entry(entry) => self.entry(session, entry)?,
            Heard::Begin { index, offset } => self.begin(session, index, offset)?,
            Heard::Data {
                index,
                offset,
                data,
            } => self.data(session, index, offset, data)?,
            Heard::End {
                index,
                length,
                hash,
            } => match self.tree.finish(length, &hash) {
                Ok(Finished::Later | Finished::Refused) => {}
                Ok(Finished::Again) => {
                    self.done = self.done.saturating_sub(length);
                    session.want(index, 0, [0; 32]);
                    if let Some(known) = self.entries.get_mut(&index) {
                        known.wanted = 0;
                    }
                }
                Err(refusal) => self.refuse(session, index, refusal)?,
            },
            Heard::Same { index } => {
                if let Err(refusal) = self.tree.same(index) {
                    self.refuse(session, index, refusal)?;
                }
            }
            Heard::GaveUp {
                index,
                changed,
                text,
            } => {
                self.tree.give_up(index, changed);
                self.missing = self.missing.saturating_add(1);
                let text = text.to_vec();
                self.skip(session, index, Error::GivenUp { changed, text })?;
            }
            Heard::GaveUpToo => self.missing = self.missing.saturating_add(1),
            Heard::Last { missing } => {
                self.tree.last();
                self.left_out(session, missing)?;
            }
            Heard::Final => {
                let (committed, skipped) = session.machine.counts();
                session.put(FromReceiver::Final { committed, skipped });
                return Ok(true);
            }
            Heard::Aborted { code, text } => return Err(session::aborted(code, text)),
        }
        Ok(false)
    }

    fn offer(&mut self, session: &mut Session<'_, '_>, run: [u8; 16]) -> Result<(), Error> {
        let accepted = (run, session.machine.digest());
        if self
            .run
            .is_some_and(|known| known.0 == run && known != accepted)
        {
            return Err(Error::Broken(
                "another offer than the one that was accepted",
            ));
        }
        self.tree.offer(run, session.machine.items())?;
        if self.run != Some(accepted) {
            let offer = Offer {
                items: session.machine.items().to_vec(),
                verified: session.verified,
            };
            self.entries.clear();
            self.refused = RefusedFolders::default();
            self.accepted = Accepted::new(&offer);
            self.missing = 0;
            self.report.begin();
            self.total = offer.bytes().unwrap_or(u64::MAX);
            self.done = 0;
            Event::Offer { offer: &offer }.tell(session.observer)?;
            if !(session.accept)(&offer) {
                return Err(Error::Declined);
            }
            Event::Accepted.tell(session.observer)?;
            self.run = Some(accepted);
        }
        session.put(FromReceiver::Accept);
        // The sender waits for it.
        session.flush()
    }

    fn entry(&mut self, session: &mut Session<'_, '_>, entry: Entry) -> Result<(), Error> {
        let index = entry.index;
        // Whatever it was in an earlier connection: what is told of it is what it is now.
        let before = self.entries.remove(&index);
        let counted = before.as_ref().is_some_and(|known| known.entry == entry);
        let decision = match counted || self.tree.settled(index).is_some() {
            false if !self.accepted.take(&entry) => Decision::Skip(Refusal {
                why: RefusalReason::NotWanted,
                error: Error::BeyondOffer,
            }),
            _ => self.tree.entry(&entry),
        };
        let known = self.entries.entry(index).or_insert(Known {
            entry,
            wanted: 0,
            reached: before.map_or(0, |known| known.reached),
            acknowledged: 0,
        });
        match decision {
            Decision::Want { offset, prefix } => {
                known.wanted = offset;
                known.acknowledged = offset;
                session.want(index, offset, prefix);
            }
            Decision::Have { hash } => {
                known.wanted = 0;
                session.machine.have(index);
                session.put(FromReceiver::Have { index, hash });
            }
            Decision::Later => {}
            Decision::Interrupted => return Err(self.inbox.ended()),
            Decision::Settled { hash } => {
                // It was counted when it was settled.
                self.entries.remove(&index);
                session.machine.commit(index);
                session.put(FromReceiver::Committed { index, hash });
            }
            Decision::Skip(refusal) => self.refuse(session, index, refusal)?,
        }
        Ok(())
    }

    fn begin(
        &mut self,
        session: &mut Session<'_, '_>,
        index: u64,
        offset: u64,
    ) -> Result<(), Error> {
        if let Some(known) = self.entries.get(&index) {
            let path = &known.entry.shown();
            self.report.resumed += offset;
            self.report.again += known.reached.saturating_sub(offset);
            self.done = self.done.saturating_add(offset);
            if offset < known.wanted {
                Event::Restarted { path }.tell(session.observer)?;
            }
            Event::Started {
                path,
                length: known.entry.size,
                offset,
            }
            .tell(session.observer)?;
        }
        match self.tree.begin(index, offset) {
            Ok(()) => Ok(()),
            Err(refusal) => self.refuse(session, index, refusal),
        }
    }

    fn data(
        &mut self,
        session: &mut Session<'_, '_>,
        index: u64,
        offset: u64,
        data: &[u8],
    ) -> Result<(), Error> {
        session.moved = true;
        self.done = self.done.saturating_add(data.len() as u64);
        if let Err(refusal) = self.tree.write(data) {
            return self.refuse(session, index, refusal);
        }
        let taken = self.tree.taken();
        if let Some(known) = self.entries.get_mut(&index) {
            known.reached = known.reached.max(offset + data.len() as u64);
            let due = known.entry.kind == EntryKind::Stream
                && taken >= known.acknowledged.saturating_add(ACKNOWLEDGED);
            if due {
                known.acknowledged = taken;
                let offset = taken;
                session.put(FromReceiver::Ack { index, offset });
                session.flush()?;
            }
        }
        Ok(())
    }

    fn progress(&self, session: &mut Session<'_, '_>) -> Result<(), Error> {
        let (done, total) = (self.done, self.total);
        Event::Progress { done, total }.tell(session.observer)
    }

    /// The store's thread is through with an entry.
    fn settled(&mut self, session: &mut Session<'_, '_>, outcome: Settled) -> Result<(), Error> {
        let index = outcome.index;
        session.moved = true;
        match outcome.result {
            Err(refusal) => self.refuse(session, index, refusal),
            Ok(committed) => {
                let hash = committed.hash;
                session.machine.commit(index);
                session.put(FromReceiver::Committed { index, hash });
                self.committed(index, committed, session.observer)
            }
        }
    }

    fn committed(
        &mut self,
        index: u64,
        committed: Committed,
        observer: &mut Observer<'_>,
    ) -> Result<(), Error> {
        let Some(known) = self.entries.remove(&index) else {
            return Ok(());
        };
        let entry = known.entry;
        let length = entry.size.unwrap_or(known.reached);
        if committed.present {
            self.done = self.done.saturating_add(length);
        }
        self.report.settled(entry.kind, length, committed.present);
        if let Some(text) = &committed.text {
            Event::Text { text }.tell(observer)?;
        }
        Event::Finished {
            path: &entry.shown(),
            length,
            local: committed.path.as_deref(),
            already: committed.present,
        }
        .tell(observer)?;
        if let ([name], true) = (&*entry.path, entry.kind != EntryKind::FolderEnd) {
            self.report.received.push(Received {
                name: name.clone(),
                length,
                path: committed.path,
                renamed: committed.renamed,
            });
        }
        Ok(())
    }

    fn refuse(
        &mut self,
        session: &mut Session<'_, '_>,
        index: u64,
        refusal: Refusal,
    ) -> Result<(), Error> {
        if !session.machine.skip(index) {
            return Ok(());
        }
        let text = session::words(&refusal.error);
        session.put(FromReceiver::Skip {
            index,
            reason: refusal.why as u8,
            text: text.as_bytes(),
        });
        let error = match (refusal.why, refusal.error) {
            (RefusalReason::NoSpace, Error::File { path, .. }) => Error::NoSpace { path },
            (_, error) => error,
        };
        self.skip(session, index, error)
    }

    /// The sender has left so many entries out in all: those that it could not announce, and those whose
    /// GIVE_UP was lost with its connection.
    fn left_out(&mut self, session: &mut Session<'_, '_>, missing: u64) -> Result<(), Error> {
        let count = missing.saturating_sub(self.missing);
        if count == 0 {
            return Ok(());
        }
        self.missing = missing;
        let error = Error::LeftOut { count };
        let told = Event::Skipped {
            path: b"",
            error: &error,
        }
        .tell(session.observer);
        self.report.skip(Vec::new(), error);
        told
    }

    /// An entry will not be here.
    fn skip(
        &mut self,
        session: &mut Session<'_, '_>,
        index: u64,
        error: Error,
    ) -> Result<(), Error> {
        let Some(known) = self.entries.remove(&index) else {
            return Ok(());
        };
        if !self.refused.is_news(&known.entry) {
            return Ok(());
        }
        let path = known.entry.shown();
        let told = Event::Skipped {
            path: &path,
            error: &error,
        }
        .tell(session.observer);
        self.report.skip(path, error);
        told
    }
}

impl Session<'_, '_> {
    fn put(&mut self, record: FromReceiver<'_>) {
        frame(&mut self.answers, |out| record.encode(out));
    }

    fn want(&mut self, index: u64, offset: u64, prefix: [u8; 32]) {
        self.machine.want(index, offset);
        self.put(FromReceiver::Want {
            index,
            offset,
            prefix,
        });
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.mouth.say(&mut self.answers)
    }
}

/// Reads until the end of the connection.
fn read(inbox: &Inbox, stream: &dyn Stream, opener: &mut Opener) {
    let read = read_records(stream, opener, BATCH, &mut |batch| {
        // Who reads a long file for its hash takes nothing, and has to learn that nobody waits for that.
        let is_nop = |plain: &[u8]| matches!(FromSender::decode(plain), Ok(FromSender::Nop));
        let is_idle = batch.iter().all(is_nop);
        match is_idle {
            true => Some(batch.into_bytes()),
            false => inbox.put(batch),
        }
    });
    if let Err(error) = read {
        inbox.lock().end = Some(error);
        inbox.filled.notify_all();
    }
}
