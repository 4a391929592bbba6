//! Standard input: read once, and kept until the receiver has taken it over.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Read};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::UNACKNOWLEDGED;
use crate::crypto::blake3::Hasher;

/// A stream, and its bytes that are not acknowledged. Readers may come and go.
pub(super) struct Stream {
    input: Mutex<Box<dyn Read + Send>>,
    ring: Mutex<Ring>,
}

/// What was read.
#[derive(Default)]
struct Ring {
    /// How many bytes are acknowledged, and their hash.
    base: u64,
    hasher: Hasher,
    /// What was read behind them.
    bytes: VecDeque<u8>,
    ended: bool,
}

impl Stream {
    pub(super) fn new(input: Box<dyn Read + Send>) -> Self {
        Self {
            input: Mutex::new(input),
            ring: Mutex::default(),
        }
    }

    /// Bytes from `position` on: of those that are kept, else of those that come.
    pub(super) fn read(&self, position: u64, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(count) = self.lock().kept(position, buffer)? {
            return Ok(count);
        }
        // Held over the read, so that what two readers get stays in order; the ring is free meanwhile.
        let mut input = self.input.lock().unwrap_or_else(PoisonError::into_inner);
        let most = {
            let ring = self.lock();
            if let Some(count) = ring.kept(position, buffer)? {
                return Ok(count);
            }
            ring.room().min(buffer.len() as u64)
        };
        let buffer = &mut buffer[..most as usize];
        loop {
            match input.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
                Ok(count) => {
                    let mut ring = self.lock();
                    ring.ended = count == 0;
                    ring.bytes.extend(&buffer[..count]);
                    return Ok(count);
                }
            }
        }
    }

    /// The hash of the first `position` bytes; `None` when they are not kept any more, or were not read.
    pub(super) fn prefix(&self, position: u64) -> Option<[u8; 32]> {
        let ring = self.lock();
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
        let ring = self.lock();
        let end = ring.base + ring.bytes.len() as u64;
        end.saturating_sub(position) + ring.room()
    }

    pub(super) fn acknowledge(&self, offset: u64) {
        let mut ring = self.lock();
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
    }

    /// Whether `position` is the end, and everything was read.
    pub(super) fn is_end(&self, position: u64) -> bool {
        let ring = self.lock();
        ring.ended && position == ring.base + ring.bytes.len() as u64
    }

    fn lock(&self) -> MutexGuard<'_, Ring> {
        // What it guards is whole after every statement.
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
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
            let over = self.ended || buffer.is_empty();
            return Ok(over.then_some(0));
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

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").finish_non_exhaustive()
    }
}
