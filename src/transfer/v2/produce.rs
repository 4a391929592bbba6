//! The thread that walks, reads and hashes for the sender.
//!
//! It lives longer than a connection, because the walk does. What it made for one that is lost is dropped;
//! what is not settled is announced again in the next.

use std::io;
use std::sync::{Arc, PoisonError};

use super::frames::Frames;
use super::send::{News, Pending, Shared, State};
use super::sender::Job;
use super::session::words;
use super::{BATCH, QUEUE};
use crate::crypto::blake3::Hash;
use crate::transfer::channel::OVERHEAD;
use crate::transfer::entry::{Entry, EntryKind};
use crate::transfer::error::Error;
use crate::transfer::tree::{Found, GiveUp, GiveUpReason, Reader, SkipReason, Skipped, Sources};
use crate::wire::v2::{self, BODY_MAX, FromSender, REFUSED};

/// Most news that wait for the observer.
pub(super) const NEWS: usize = 4096;

/// How many bytes of announcements go ahead when nothing else does.
const FIRST: usize = 8 * 1024;

/// The connection that the frames were for is gone, or all is over.
struct Gone;

enum Task {
    Announce(Arc<Found>),
    Work(Job, Arc<Found>),
    Walk,
    Last { entries: u64, missing: u64 },
    Final(u64),
}

struct Producer<'a> {
    shared: &'a Arc<Shared>,
    generation: u64,
    frames: Frames,
    /// Above the index of each entry that was found.
    entries: u64,
}

/// Runs until the sending is dropped.
pub(super) fn produce(shared: &Arc<Shared>, mut sources: Sources) {
    let mut producer = Producer {
        shared,
        generation: 0,
        frames: Frames::default(),
        entries: 0,
    };
    while let Some(task) = producer.await_task() {
        // When the connection is gone, the next task is the next one's.
        let _ = match task {
            Task::Announce(found) => producer.put(|out| announcement(&found.entry).encode(out)),
            Task::Work(job, found) => producer.work(job, &found),
            Task::Walk => producer.walk(&mut sources),
            Task::Last { entries, missing } => {
                producer.put(|out| FromSender::Last { entries, missing }.encode(out))
            }
            Task::Final(entries) => producer.put(|out| FromSender::Final { entries }.encode(out)),
        };
    }
}

impl State {
    fn task(&mut self) -> Option<Task> {
        while let Some(index) = self.announce.pop_front() {
            let Some(pending) = self.pending.get(&index) else {
                continue;
            };
            let found = Arc::clone(&pending.found);
            let entry = &found.entry;
            let bytes = entry.path.iter().map(Vec::len).sum();
            self.machine
                .announce(index, entry.kind, entry.size, bytes, pending.sent);
            return Some(Task::Announce(found));
        }
        match self.entries {
            None if self.machine.has_room() => return Some(Task::Walk),
            Some(entries) if !self.said_last => {
                self.said_last = true;
                self.machine.last(entries);
                let missing = self.missing;
                return Some(Task::Last { entries, missing });
            }
            _ => {}
        }
        while let Some(job) = self.machine.poll_job() {
            let (Job::Send { index, .. } | Job::Compare { index, .. }) = job;
            if let Some(pending) = self.pending.get(&index) {
                return Some(Task::Work(job, Arc::clone(&pending.found)));
            }
        }
        self.machine.poll_final().map(Task::Final)
    }
}

impl Producer<'_> {
    /// The next thing to do; `None` when all is over.
    fn await_task(&mut self) -> Option<Task> {
        let mut state = self.shared.lock();
        loop {
            if state.quit {
                return None;
            }
            if state.generation != self.generation {
                self.generation = state.generation;
                self.frames.clear();
            }
            if state.is_live(self.generation) {
                if let Some(task) = state.task() {
                    return Some(task);
                }
                // Nobody else makes frames, so there is room for the few there are.
                self.hand_over(&mut state);
            }
            let waited = self.shared.due.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn hand_over(&mut self, state: &mut State) {
        if self.frames.len() == 0 {
            return;
        }
        let next = Frames::new(state.memory());
        let frames = std::mem::replace(&mut self.frames, next);
        state.queued += frames.len();
        state.out.push_back(frames);
        if state.out.len() == 1 {
            self.shared.notify();
        }
    }

    /// Gives the frames to the thread that writes, when that has room.
    fn flush(&mut self) -> Result<(), Gone> {
        let mut state = self.shared.lock();
        loop {
            if !state.is_live(self.generation) {
                return Err(Gone);
            }
            if state.queued < QUEUE && state.news.len() < NEWS {
                self.hand_over(&mut state);
                return Ok(());
            }
            let waited = self.shared.due.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn put(&mut self, build: impl FnOnce(&mut Vec<u8>)) -> Result<(), Gone> {
        if self.frames.len() >= BATCH {
            self.flush()?;
        }
        self.frames.put(build);
        Ok(())
    }

    fn walk(&mut self, sources: &mut Sources) -> Result<(), Gone> {
        let next = sources.next_entry();
        let mut state = self.shared.lock();
        match next {
            Some(Ok(found)) => {
                let index = found.entry.index;
                self.entries = index + 1;
                let pending = Pending {
                    found: Arc::new(found),
                    reached: 0,
                    sent: None,
                    same: false,
                };
                state.pending.insert(index, pending);
                state.announce.push_back(index);
                // Nothing else goes yet: the receiver can decide on some while others are looked for.
                let idle = state.queued == 0 && self.frames.data() == 0;
                let live = state.is_live(self.generation);
                if idle && live && self.frames.len() >= FIRST {
                    self.hand_over(&mut state);
                }
            }
            Some(Err(skipped)) => {
                let news = left_out(skipped);
                state.missing += u64::from(matches!(news, News::Skipped { .. }));
                state.news.push_back(news);
                self.shared.notify();
                drop(state);
                // The observer may be slow, and there may be a million of them.
                return self.flush();
            }
            None => state.entries = Some(self.entries),
        }
        Ok(())
    }

    fn work(&mut self, job: Job, found: &Found) -> Result<(), Gone> {
        let index = found.entry.index;
        let worked = match job {
            Job::Send { offset, prefix, .. } => self.send(found, offset, &prefix),
            Job::Compare { hash, .. } => self.compare(found, &hash),
        };
        match worked {
            Err(Stopped::Gone) => Err(Gone),
            Ok(()) => Ok(()),
            Err(Stopped::Refused) => self.say_give_up(index, REFUSED, b""),
            Err(Stopped::GaveUp(give_up)) => self.give_up(found, give_up),
        }
    }

    /// Sends an entry, from `offset` on if the receiver has its beginning.
    fn send(&mut self, found: &Found, offset: u64, prefix: &Hash) -> Result<(), Stopped> {
        let mut reader = found.open()?;
        let holds = offset == 0 || self.hash(&mut reader, offset)? == *prefix;
        match holds {
            true => self.transmit(found, reader, offset, false),
            // Of a stream there is no other beginning: then this fails.
            false => self.transmit(found, found.open()?, 0, true),
        }
    }

    fn compare(&mut self, found: &Found, hash: &Hash) -> Result<(), Stopped> {
        let mut reader = found.open()?;
        self.hash(&mut reader, found.entry.size.unwrap_or_default())?;
        let (_, ours) = reader.finish()?;
        if ours != *hash {
            return self.transmit(found, found.open()?, 0, false);
        }
        let index = found.entry.index;
        self.put(|out| FromSender::Same { index }.encode(out))?;
        self.ended(index, ours, true);
        Ok(())
    }

    /// Hashes the beginning of an entry, which may take minutes: no longer than the connection lasts.
    fn hash(&self, reader: &mut Reader, offset: u64) -> Result<Hash, Stopped> {
        let mut is_live = || self.shared.lock().is_live(self.generation);
        reader.seek(offset, &mut is_live)?.ok_or(Stopped::Gone)
    }

    fn transmit(
        &mut self,
        found: &Found,
        mut reader: Reader,
        offset: u64,
        restarted: bool,
    ) -> Result<(), Stopped> {
        self.begin(&found.entry, offset, restarted)?;
        let mut reached = offset;
        if found.entry.kind == EntryKind::Stream {
            // The receiver proved that it has what is in front of there, and does not say so again: all that
            // may be kept may be that.
            let mut state = self.shared.lock();
            state.acknowledged = (found.entry.index, offset);
        }
        // Weak, for the stream is among what is shared.
        let shared = Arc::downgrade(self.shared);
        reader.wake_by(Arc::new(move || {
            if let Some(shared) = shared.upgrade() {
                shared.wake();
            }
        }));
        loop {
            if found.entry.kind == EntryKind::Stream {
                self.await_room(&mut reader)?;
            }
            if !self.data(&found.entry, &mut reader, &mut reached)? {
                return self.end(found.entry.index, &mut reader);
            }
        }
    }

    /// Waits until there is more of the stream, and it may be read. That may take for ever, so what there is
    /// goes first.
    fn await_room(&mut self, reader: &mut Reader) -> Result<(), Stopped> {
        let mut state = self.shared.lock();
        loop {
            if !state.is_live(self.generation) {
                return Err(Stopped::Gone);
            }
            self.hand_over(&mut state);
            reader.acknowledge(state.acknowledged.1);
            if reader.room() > 0 && reader.is_ready() && state.queued < QUEUE {
                return Ok(());
            }
            let waited = self.shared.due.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn begin(&mut self, entry: &Entry, offset: u64, restarted: bool) -> Result<(), Stopped> {
        let index = entry.index;
        self.put(|out| FromSender::Begin { index, offset }.encode(out))?;
        let mut state = self.shared.lock();
        let again = match state.pending.get(&index) {
            Some(pending) => pending.reached.saturating_sub(offset),
            None => return Err(Stopped::Refused),
        };
        state.news.push_back(News::Started {
            path: entry.shown(),
            length: entry.size,
            offset,
            again,
            restarted,
        });
        // It is told with the frames that follow: a thread that is woken for each of many small files does
        // little else.
        Ok(())
    }

    /// Frames the next bytes; `false` when there are none.
    fn data(
        &mut self,
        entry: &Entry,
        reader: &mut Reader,
        reached: &mut u64,
    ) -> Result<bool, Stopped> {
        let most = usize::try_from(reader.room()).map_or(BODY_MAX, |room| room.min(BODY_MAX));
        if most == 0 {
            return Ok(false);
        }
        let count = self.frames.put_data(most, |body| reader.read(body))?;
        if count == 0 {
            return Ok(false);
        }
        *reached += count as u64;
        let mut state = self.shared.lock();
        state.machine.sent(entry.index, *reached);
        match state.pending.get_mut(&entry.index) {
            Some(pending) => pending.reached = pending.reached.max(*reached),
            None => return Err(Stopped::Refused),
        }
        drop(state);
        if self.frames.len() + OVERHEAD + BODY_MAX > BATCH {
            self.flush()?;
        }
        Ok(true)
    }

    fn end(&mut self, index: u64, reader: &mut Reader) -> Result<(), Stopped> {
        let (length, hash) = reader.finish()?;
        self.put(|out| FromSender::End { length, hash }.encode(out))?;
        self.ended(index, hash, false);
        Ok(())
    }

    fn ended(&mut self, index: u64, hash: Hash, same: bool) {
        let mut state = self.shared.lock();
        if !state.is_live(self.generation) {
            return;
        }
        state.machine.end(index, hash);
        if let Some(pending) = state.pending.get_mut(&index) {
            pending.sent = Some(hash);
            pending.same = same;
        }
        if state.machine.is_all_sent() {
            state.news.push_back(News::AllSent);
            self.shared.notify();
        }
    }

    fn give_up(&mut self, found: &Found, give_up: GiveUp) -> Result<(), Gone> {
        let index = found.entry.index;
        let (text, reason) = (words(&give_up.error), give_up.why as u8);
        let mut state = self.shared.lock();
        if !state.is_live(self.generation) {
            return Err(Gone);
        }
        if !state.machine.give_up(index) {
            // The receiver was faster: it is missing on its account.
            drop(state);
            return self.say_give_up(index, REFUSED, b"");
        }
        state.pending.remove(&index);
        // It is not announced again: if the receiver does not hear of it now, LAST of a later connection
        // tells.
        state.missing += 1;
        let path = found.entry.shown();
        let error = match give_up.why {
            GiveUpReason::Changed => Error::Changed {
                path: found.shown(),
            },
            GiveUpReason::Unreadable | GiveUpReason::Gone => give_up.error,
        };
        state.news.push_back(News::Skipped { path, error });
        self.shared.notify();
        drop(state);
        self.say_give_up(index, reason, text.as_bytes())
    }

    fn say_give_up(&mut self, index: u64, reason: u8, text: &[u8]) -> Result<(), Gone> {
        self.put(|out| {
            FromSender::GiveUp {
                index,
                reason,
                text,
            }
            .encode(out);
        })
    }
}

/// What the walk passed over.
fn left_out(skipped: Skipped) -> News {
    let path = skipped.path.as_os_str().as_encoded_bytes().to_vec();
    let error = match skipped.why {
        SkipReason::Name(error) => Error::UnsafeName {
            name: path.clone(),
            error,
        },
        SkipReason::Unreadable(error) => Error::file(&skipped.path, error),
        SkipReason::Link | SkipReason::Special => {
            let error = io::Error::other(skipped.why.to_string());
            let error = Error::file(&skipped.path, error);
            return News::LeftOut { path, error };
        }
    };
    News::Skipped { path, error }
}

/// Why an entry is not sent to its end.
enum Stopped {
    Gone,
    /// The receiver does not take it.
    Refused,
    GaveUp(GiveUp),
}

impl From<Gone> for Stopped {
    fn from(Gone: Gone) -> Self {
        Self::Gone
    }
}

impl From<GiveUp> for Stopped {
    fn from(give_up: GiveUp) -> Self {
        Self::GaveUp(give_up)
    }
}

fn announcement(entry: &Entry) -> FromSender<'static> {
    FromSender::Entry(v2::Entry {
        index: entry.index,
        item: entry.item,
        kind: entry.kind as u8,
        executable: entry.executable,
        size: entry.size,
        seconds: entry.mtime.seconds,
        nanos: entry.mtime.nanos,
        path: entry.path.clone(),
    })
}
