//! One connection's life: what it runs over, how it is read, how it ends.

use std::io::{self, ErrorKind};
use std::ops::Range;
use std::time::{Duration, Instant};

use crate::crypto::aead::Forged;
use crate::transfer::channel::{Opener, RECORD_MAX, Sealer, frame};
use crate::transfer::error::{Cause, Error, Kind};
use crate::wire::v2::FromSender;

/// So long a record may take: 64 KiB at 2 kB/s.
const RECORD_TIME: Duration = super::SILENCE;

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
    let size = RECORD_MAX + at_once;
    let mut bytes = vec![0; size];
    let mut filled = 0;
    let mut heard = Instant::now();
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
            if heard.elapsed() > RECORD_TIME {
                let message = format!("no whole record for {} s", RECORD_TIME.as_secs());
                return Err(Error::Lost(io::Error::new(ErrorKind::TimedOut, message)));
            }
            continue;
        }
        heard = Instant::now();
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
        _ => Kind::Refused,
    }
}

/// What the users on both sides are told of an error with a file: without the path, which is nobody's
/// business on the other side.
pub(super) fn words(error: &Error) -> String {
    match error {
        Error::File { error, .. } => crate::transfer::Reason(error).to_string(),
        Error::UnsafeName { error, .. } => error.to_string(),
        Error::BeyondOffer => error.to_string(),
        _ => String::new(),
    }
}

/// How long until something has to be said, when so much time has passed since the last word.
pub(super) fn until_nop(passed: Duration) -> Duration {
    super::NOP_AFTER.saturating_sub(passed)
}
