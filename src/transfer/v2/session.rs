//! One connection's life: what it runs over, how it is read, how it ends.

use std::io::{self, ErrorKind};
use std::ops::Range;
use std::time::{Duration, Instant};

use crate::crypto::aead::Forged;
use crate::transfer::channel::{Opener, RECORD_MAX, Sealer, frame};
use crate::transfer::error::{Cause, Error, Kind};
use crate::wire::v2::FromSender;

/// So long a record may take however few bytes of it come.
const RECORD_TIME: Duration = super::SILENCE;
/// In bytes a second: how fast it has to come after that. NOPs alone are 20.
const RECORD_RATE: u64 = 100;

/// A connection whose two directions are used by different threads at once. Reads and writes block; the
/// stream itself decides how long a silence may last, and ends it with an error.
pub trait Stream: Sync {
    /// Reads what is there, at least one byte; 0 at the end of the stream.
    ///
    /// # Errors
    /// When the connection is lost.
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// When the connection is lost, or the job is cancelled.
    fn write_all(&self, bytes: &[u8]) -> io::Result<()>;

    /// From here on nobody on this side ends the job; `false` when somebody has before.
    fn settle(&self) -> bool;

    /// Ends the own side after the last byte, then reads and drops what the peer still sends, until its end,
    /// within bounds of time and bytes.
    fn finish(&self);

    /// Ends both directions; whoever waits in one of them goes on.
    fn shutdown(&self);
}

/// How a connection ended that did not bring the transfer to its end.
#[derive(Debug)]
pub enum Ended {
    /// It was lost: another one may go on.
    Lost {
        /// Why, and what it is if no other one comes.
        error: Error,
        /// Whether anything came of it.
        moved: bool,
    },
    /// Another one would be of no use.
    Failed(Error),
}

impl From<Error> for Ended {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Calls its function when it is dropped: also when the caller's code panics, while other threads wait.
pub(super) struct Finally<F: FnMut()>(pub(super) F);

impl<F: FnMut()> Drop for Finally<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Records that came together, opened.
#[derive(Debug, Default)]
pub(super) struct Batch {
    bytes: Vec<u8>,
    records: Vec<Range<usize>>,
}

impl Batch {
    /// Each record's type and body.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let records = self.records.iter();
        records.filter_map(|range| self.bytes.get(range.clone()))
    }

    /// Bytes of memory that it takes.
    pub(super) fn size(&self) -> usize {
        self.bytes.len()
    }

    /// The memory, to be used again.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// Reads records until the stream ends, or until `take` has no more memory to read to.
///
/// Nothing vouches for a length before its record is whole: one that was changed on its way could have
/// the peer's later words counted into it for an hour. So a record has to be whole in time.
///
/// # Errors
/// Why it ended.
pub(super) fn read_records(
    stream: &dyn Stream,
    opener: &mut Opener,
    at_once: usize,
    take: &mut dyn FnMut(Batch) -> Option<Vec<u8>>,
) -> Result<(), Error> {
    read_by(&Instant::now, stream, opener, at_once, take)
}

/// As [`read_records`], by this clock.
fn read_by(
    now: &dyn Fn() -> Instant,
    stream: &dyn Stream,
    opener: &mut Opener,
    at_once: usize,
    take: &mut dyn FnMut(Batch) -> Option<Vec<u8>>,
) -> Result<(), Error> {
    let size = RECORD_MAX + at_once;
    let mut bytes = vec![0; size];
    let mut filled = 0;
    let mut heard = now();
    loop {
        // A record that is not whole never fills the buffer.
        let count = stream.read(&mut bytes[filled..]).map_err(Error::Lost)?;
        if count == 0 {
            return Err(Error::Truncated);
        }
        filled += count;
        let mut records = Vec::new();
        let mut start = 0;
        loop {
            let opened = opener.open(&mut bytes[start..filled]);
            let Some((used, text)) = opened.map_err(|Forged| Error::Tampered)? else {
                break;
            };
            records.push(start + text.start..start + text.end);
            start += used;
        }
        if records.is_empty() {
            let waited = now().duration_since(heard);
            if waited > RECORD_TIME && (filled as u64) < RECORD_RATE * waited.as_secs() {
                let message = format!("no whole record for {} s", waited.as_secs());
                return Err(Error::Lost(io::Error::new(ErrorKind::TimedOut, message)));
            }
            continue;
        }
        let rest = start..filled;
        let batch = |bytes| Batch { bytes, records };
        filled = rest.len();
        // Copied before the batch is given away: what is left of the last record begins the next.
        let left = bytes[rest].to_vec();
        let Some(next) = take(batch(bytes)) else {
            return Ok(());
        };
        bytes = next;
        bytes.resize(size, 0);
        bytes[..left.len()].copy_from_slice(&left);
        // Not before: a disk may have been waited for.
        heard = now();
    }
}

/// Tells the peer why this side ends, if it can still be told.
pub(super) fn abort(stream: &dyn Stream, sealer: &mut Sealer, error: &Error) {
    let code = match error {
        Error::Lost(_) | Error::Truncated | Error::EndedByPeer { .. } => return,
        Error::Declined => 1,
        Error::NoSpace { .. } => 2,
        Error::Broken(_) | Error::Record(_) | Error::Tampered => 3,
        Error::Cancelled => 4,
        Error::File { .. } => 5,
        _ => 6,
    };
    let mut bytes = Vec::new();
    // Either side's ABORT has the same bytes.
    frame(&mut bytes, |out| {
        FromSender::Abort { code, text: b"" }.encode(out)
    });
    sealer.seal(&mut bytes);
    if stream.write_all(&bytes).is_ok() {
        stream.finish();
    }
}

/// What the peer's ABORT means.
pub(super) fn aborted(code: u8, text: &[u8]) -> Error {
    let cause = match code {
        1 => Cause::Refused,
        2 => Cause::NoSpace,
        3 => Cause::Protocol,
        4 => Cause::Cancelled,
        5 => Cause::File,
        _ => Cause::Other,
    };
    let text = text.to_vec();
    Error::EndedByPeer { cause, text }
}

/// What the reason of the peer's SKIP comes to.
pub(super) fn refused(reason: u8) -> Kind {
    match reason {
        1 => Kind::UnsafeName,
        2 => Kind::Checksum,
        3 => Kind::NoSpace,
        5 => Kind::NotConfirmed,
        _ => Kind::Refused,
    }
}

/// What the users on both sides are told of an error with a file: without the path, which is nobody's
/// business on the other side.
pub(super) fn words(error: &Error) -> String {
    match error {
        Error::File { error, .. } | Error::Unconfirmed { error, .. } => {
            crate::transfer::Reason(error).to_string()
        }
        Error::UnsafeName { error, .. } => error.to_string(),
        Error::BeyondOffer => error.to_string(),
        _ => String::new(),
    }
}

/// How long until something has to be said, when so much time has passed since the last word.
pub(super) fn until_nop(passed: Duration) -> Duration {
    super::NOP_AFTER.saturating_sub(passed)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::Mutex;

    use super::*;
    use crate::crypto::aead::KEY_SIZE;
    use crate::crypto::ct::Secret;

    /// Gives a byte at a time, then the end.
    struct Dripping(Mutex<std::vec::IntoIter<u8>>);

    impl Stream for Dripping {
        fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
            let byte = self.0.lock().unwrap().next();
            buffer[..usize::from(byte.is_some())].fill(byte.unwrap_or_default());
            Ok(byte.is_some().into())
        }

        fn write_all(&self, _: &[u8]) -> io::Result<()> {
            Ok(())
        }

        fn settle(&self) -> bool {
            true
        }

        fn finish(&self) {}

        fn shutdown(&self) {}
    }

    /// How reading two records of 20 bytes ends, when each byte and each batch take so long.
    fn read(byte: Duration, batch: Duration) -> (usize, Error) {
        let key = Secret::new([7; KEY_SIZE]);
        let mut bytes = Vec::new();
        for _ in 0..2 {
            frame(&mut bytes, |out| FromSender::Nop.encode(out));
        }
        Sealer::new(&key).seal(&mut bytes);
        assert_eq!(bytes.len(), 2 * 20);
        let stream = Dripping(Mutex::new(bytes.into_iter()));
        let (start, passed) = (Instant::now(), Cell::new(Duration::ZERO));
        let now = || {
            passed.set(passed.get() + byte);
            start + passed.get()
        };
        let mut batches = 0;
        let ended = read_by(&now, &stream, &mut Opener::new(&key), 0, &mut |_| {
            batches += 1;
            passed.set(passed.get() + batch);
            Some(Vec::new())
        });
        (batches, ended.unwrap_err())
    }

    #[test]
    fn a_record_has_to_be_whole_in_time_and_waiting_for_the_disk_does_not_count() {
        let (batches, error) = read(Duration::from_secs(1), 10 * RECORD_TIME);
        assert!(matches!(error, Error::Truncated), "{error:?}");
        assert_eq!(batches, 2);
        let (batches, error) = read(Duration::from_secs(2), Duration::ZERO);
        assert!(matches!(&error, Error::Lost(why) if why.kind() == ErrorKind::TimedOut));
        assert_eq!(batches, 0);
    }
}
