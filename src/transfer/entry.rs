//! What a transfer of version 2 is made of, in words that both sides' disks and the wire share.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What an entry is. The numbers are those of the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum EntryKind {
    /// A regular file.
    File = 1,
    /// A folder; its entries follow it.
    Folder = 2,
    /// A text for the user's eyes, that becomes no file.
    Text = 3,
    /// A file whose size nobody knows before its end.
    Stream = 4,
    /// The end of a folder: it carries the folder's time, which each new entry would change.
    FolderEnd = 5,
}

impl EntryKind {
    /// The kind that has this number.
    pub fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::File,
            2 => Self::Folder,
            3 => Self::Text,
            4 => Self::Stream,
            5 => Self::FolderEnd,
            _ => return None,
        })
    }
}

/// When a file was last changed: seconds since 1970-01-01 00:00 UTC, and nanoseconds after them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time {
    /// Seconds, rounded down; negative before 1970.
    pub seconds: i64,
    /// Nanoseconds, below 1,000,000,000.
    pub nanos: u32,
}

impl Time {
    /// The time of the system's clock.
    pub fn of(time: SystemTime) -> Self {
        match time.duration_since(UNIX_EPOCH) {
            Ok(after) => Self {
                seconds: i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
                nanos: after.subsec_nanos(),
            },
            Err(before) => {
                let before = before.duration();
                let up = u64::from(before.subsec_nanos() > 0);
                let seconds = i64::try_from(before.as_secs().saturating_add(up));
                Self {
                    seconds: seconds.map_or(i64::MIN, |seconds| -seconds),
                    nanos: (1_000_000_000 - before.subsec_nanos()) % 1_000_000_000,
                }
            }
        }
    }

    /// The time for the system's clock; `None` when that cannot count so far.
    pub fn system(self) -> Option<SystemTime> {
        let nanos = Duration::from_nanos(u64::from(self.nanos));
        let whole = Duration::from_secs(self.seconds.unsigned_abs());
        let second = match self.seconds {
            0.. => UNIX_EPOCH.checked_add(whole),
            _ => UNIX_EPOCH.checked_sub(whole),
        };
        second?.checked_add(nanos)
    }

    /// Whether a file system that was given this time may answer with `kept`: many keep less than
    /// nanoseconds, FAT two seconds.
    pub fn is_kept_as(self, kept: Self) -> bool {
        let truncated = [1, 100, 1_000, 1_000_000, 1_000_000_000]
            .iter()
            .any(|unit| kept.nanos == self.nanos - self.nanos % unit);
        let fat = kept.nanos == 0 && kept.seconds == self.seconds - self.seconds.rem_euclid(2);
        fat || (kept.seconds == self.seconds && truncated)
    }
}

/// One argument of the sender, as it is offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// A file, a folder, a text or a stream.
    pub kind: EntryKind,
    /// Its name; hostile at the receiver.
    pub name: Vec<u8>,
    /// How many files it holds.
    pub files: u64,
    /// How many bytes they have together; `None` when that is not known.
    pub bytes: Option<u64>,
    /// Whether the two numbers are all of it, and not what was counted in the time there was.
    pub complete: bool,
}

/// A file, a folder, or what else is announced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number: grows from entry to entry.
    pub index: u64,
    /// The item it belongs to, counted from 0.
    pub item: u32,
    /// What it is.
    pub kind: EntryKind,
    /// Whether its owner may execute it.
    pub executable: bool,
    /// Size in bytes; `None` of a stream.
    pub size: Option<u64>,
    /// When it was last changed.
    pub mtime: Time,
    /// The components of its path, the first of which is the item's name; hostile at the receiver.
    pub path: Vec<Vec<u8>>,
}

impl Entry {
    /// The path with `/` between its components: to be shown through [`super::Printable`].
    pub fn shown(&self) -> Vec<u8> {
        self.path.join(&b'/')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(seconds: i64, nanos: u32) -> Time {
        Time { seconds, nanos }
    }

    #[test]
    fn a_time_survives_the_way_through_the_systems_clock_on_both_sides_of_1970() {
        for time in [
            time(0, 0),
            time(0, 1),
            time(-1, 999_999_999),
            time(-1, 0),
            time(1_700_000_000, 123_456_789),
            time(-2_000_000_000, 5),
        ] {
            // Windows counts in tenths of microseconds.
            let unit = if cfg!(windows) { 100 } else { 1 };
            let nanos = time.nanos - time.nanos % unit;
            assert_eq!(time.system().map(Time::of), Some(Time { nanos, ..time }));
        }
        let _ = time(i64::MAX, 0).system();
        let _ = time(i64::MIN, 0).system();
    }

    #[test]
    fn a_time_that_a_file_system_cut_is_still_the_same_time() {
        let sent = time(1_700_000_001, 123_456_789);
        for kept in [
            sent,
            time(1_700_000_001, 123_456_700),
            time(1_700_000_001, 123_456_000),
            time(1_700_000_001, 123_000_000),
            time(1_700_000_001, 0),
            time(1_700_000_000, 0),
        ] {
            assert!(sent.is_kept_as(kept), "{kept:?}");
        }
        for other in [
            time(1_700_000_001, 123_456_788),
            time(1_700_000_002, 123_456_789),
            time(1_700_000_000, 1),
        ] {
            assert!(!sent.is_kept_as(other), "{other:?}");
        }
    }

    #[test]
    fn a_kind_has_the_number_of_the_wire() {
        for number in 1..=5 {
            assert_eq!(EntryKind::from_number(number).unwrap() as u8, number);
        }
        assert!(
            EntryKind::from_number(0)
                .or(EntryKind::from_number(6))
                .is_none()
        );
    }
}
