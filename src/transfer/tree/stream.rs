//! Standard input, or a reader of the caller's: read once, and kept until the receiver has taken it over.
//!
//! A thread of its own reads it, ahead of whoever sends it, so that nobody else ever waits for a byte
//! that may not come for hours.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::UNACKNOWLEDGED;
use crate::crypto::blake3::Hasher;

/// Tells somebody that there is more.
pub(super) type Wake = Arc<dyn Fn() + Send + Sync>;

/// How much is read at once, in bytes.
const CHUNK: usize = 64 * 1024;

/// A stream, and its bytes that are not acknowledged. Readers may come and go.
pub(super) struct Stream {
    shown: PathBuf,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    ring: Mutex<Ring>,
    changed: Condvar,
}

/// What was read.
#[derive(Default)]
struct Ring {
    /// What nobody reads yet: what the receiver does not want is left where it is.
    input: Option<Box<dyn Read + Send>>,
    /// Called when there is more to read.
    wake: Option<Wake>,
    /// How many bytes are acknowledged, and their hash.
    base: u64,
    hasher: Hasher,
    /// What was read behind them.
    bytes: VecDeque<u8>,
    /// How the input ended.
    end: Option<io::Result<()>>,
    /// Nobody will read any more.
    dropped: bool,
}

impl Stream {
    /// `shown` is what it is called in messages.
    pub(super) fn new(shown: &Path, input: Box<dyn Read + Send>) -> Self {
        let shared = Arc::<Shared>::default();
        shared.lock().input = Some(input);
        Self {
            shown: shown.to_path_buf(),
            shared,
        }
    }

    pub(super) fn shown(&self) -> &Path {
        &self.shown
    }

    /// Begins to read, if that was not begun.
    pub(super) fn begin(&self) -> io::Result<()> {
        let input = self.shared.lock().input.take();
        if let Some(input) = input {
            let shared = Arc::clone(&self.shared);
            // It is not awaited at the end: nobody knows when the next byte comes.
            thread::Builder::new()
                .name("input".into())
                .spawn(move || shared.fill(input))?;
        }
        Ok(())
    }

    /// Calls `wake` from now on when there is more, or the end.
    pub(super) fn wake_by(&self, wake: Wake) {
        self.shared.lock().wake = Some(wake);
    }

    /// Whether a read from `position` on has something to say at once.
    pub(super) fn is_ready(&self, position: u64) -> bool {
        let ring = self.shared.lock();
        ring.end.is_some() || position < ring.reached()
    }

    /// Bytes from `position` on: of those that are kept, else of those that come.
    pub(super) fn read(&self, position: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut ring = self.shared.lock();
        loop {
            if let Some(count) = ring.kept(position, buffer)? {
                return Ok(count);
            }
            let waited = self.shared.changed.wait(ring);
            ring = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The hash of the first `position` bytes; `None` when they are not kept any more, or were not read.
    pub(super) fn prefix(&self, position: u64) -> Option<[u8; 32]> {
        let ring = self.shared.lock();
        let count = usize::try_from(position.checked_sub(ring.base)?).ok()?;
        if count > ring.bytes.len() {
            return None;
        }
        let mut hasher = ring.hasher.clone();
        let (front, back) = ring.bytes.as_slices();
        hasher.update(&front[..count.min(front.len())]);
        hasher.update(&back[..count.saturating_sub(front.len())]);
        Some(hasher.finish())
    }

    /// How many bytes may be read from `position` on.
    pub(super) fn room(&self, position: u64) -> u64 {
        let ring = self.shared.lock();
        ring.reached().saturating_sub(position) + ring.room()
    }

    pub(super) fn acknowledge(&self, offset: u64) {
        let mut ring = self.shared.lock();
        let ring = &mut *ring;
        let count = offset
            .saturating_sub(ring.base)
            .min(ring.bytes.len() as u64);
        let (front, back) = ring.bytes.as_slices();
        let count_now = count as usize;
        ring.hasher.update(&front[..count_now.min(front.len())]);
        ring.hasher
            .update(&back[..count_now.saturating_sub(front.len())]);
        ring.bytes.drain(..count_now);
        ring.base += count;
        self.shared.changed.notify_all();
    }

    /// Whether `position` is the end, and everything was read.
    pub(super) fn is_end(&self, position: u64) -> bool {
        let ring = self.shared.lock();
        matches!(ring.end, Some(Ok(()))) && position == ring.reached()
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let mut ring = self.shared.lock();
        ring.dropped = true;
        ring.wake = None;
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Ring> {
        // What it guards is whole after every statement.
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the input to its end, as far ahead as there is room.
    fn fill(&self, mut input: Box<dyn Read + Send>) {
        let mut buffer = vec![0; CHUNK];
        while let Some(room) = self.await_room() {
            let most = buffer.len().min(room);
            // It is the caller's: whoever waits for it has to learn of its end.
            let read = catch_unwind(AssertUnwindSafe(|| input.read(&mut buffer[..most])));
            let end = match read.unwrap_or_else(|_| Err(io::Error::other("its reader panicked"))) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => Some(Err(error)),
                Ok(0) => Some(Ok(())),
                Ok(count) => {
                    self.lock().bytes.extend(&buffer[..count]);
                    None
                }
            };
            let over = end.is_some();
            let wake = {
                let mut ring = self.lock();
                ring.end = end;
                ring.wake.clone()
            };
            self.changed.notify_all();
            // Not under the lock: who is woken may hold its own, and wait for this one.
            if let Some(wake) = wake {
                wake();
            }
            if over {
                break;
            }
        }
    }

    /// Waits for room, in bytes; `None` when nobody wants to read any more.
    fn await_room(&self) -> Option<usize> {
        let mut ring = self.lock();
        loop {
            if ring.dropped {
                return None;
            }
            if ring.room() > 0 {
                return usize::try_from(ring.room()).ok();
            }
            let waited = self.changed.wait(ring);
            ring = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Ring {
    /// How far it was read, in bytes.
    fn reached(&self) -> u64 {
        self.base + self.bytes.len() as u64
    }

    fn room(&self) -> u64 {
        UNACKNOWLEDGED.saturating_sub(self.bytes.len() as u64)
    }

    /// Copies what is kept from `position` on; `None` when that was not read yet.
    fn kept(&self, position: u64, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let start = position
            .checked_sub(self.base)
            .and_then(|start| usize::try_from(start).ok())
            .filter(|&start| start <= self.bytes.len())
            .ok_or(io::ErrorKind::InvalidInput)?;
        if start == self.bytes.len() {
            return match &self.end {
                _ if buffer.is_empty() => Ok(Some(0)),
                None => Ok(None),
                Some(Ok(())) => Ok(Some(0)),
                // Its words are gone with the first who hears of it.
                Some(Err(error)) => Err(again(error)),
            };
        }
        let (front, back) = self.bytes.as_slices();
        let rest = front
            .get(start..)
            .filter(|rest| !rest.is_empty())
            .unwrap_or_else(|| &back[start - front.len()..]);
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(Some(count))
    }
}

/// The same error, for one more who asks.
fn again(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => error.kind().into(),
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").finish_non_exhaustive()
    }
}
