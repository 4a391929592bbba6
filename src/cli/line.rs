//! The relay's events as lines: text for eyes, or a JSON object (RFC 8259) for programs.

use std::fmt::{self, Display, Write};
use std::hash::{BuildHasher, RandomState};
use std::time::SystemTime;

use super::json::Object;
use crate::relay::{Event, Field, UserId};

/// How much of an id a line of text shows, in characters.
const ID_SHOWN: usize = 64;

/// How lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Format {
    /// `matched id=... listener=... caller=...`
    #[default]
    Text,
    /// `{"time":"...","event":"matched","id":"...",...}`
    Json,
}

/// Writes lines.
pub(super) struct Scribe {
    format: Format,
    ids: Ids,
}

/// What is shown of a user id.
enum Ids {
    /// All of it.
    Full,
    /// A hash under a key that nobody knows and that ends with the process: equal ids look equal in
    /// one run, and no list of names can be tried against a log.
    Hashed(RandomState),
}

impl Scribe {
    /// Shows ids in full only if `full_ids`.
    pub(super) fn new(format: Format, full_ids: bool) -> Self {
        let ids = if full_ids {
            Ids::Full
        } else {
            // The standard library draws its key from the system's generator.
            Ids::Hashed(RandomState::new())
        };
        Self { format, ids }
    }

    /// The line of an event, which happened at `now`.
    pub(super) fn event(&self, event: &Event<'_>, now: SystemTime) -> String {
        let mut line = self.begin(event.word(), now);
        event.tell(&mut |name, field| match field {
            Field::Id(id) => match &self.ids {
                Ids::Full if self.format == Format::Json => line.word(name, id),
                Ids::Full => line.word(name, &Unbroken(id)),
                Ids::Hashed(key) => line.word(name, &Pseudonym(id, key)),
            },
            Field::Address(address) => line.word(name, &address),
            Field::Word(word) => line.word(name, &word),
            Field::Bytes(count) => line.number(name, count),
        });
        line.end()
    }

    /// The line that tells where `what` listens: `listening on ADDR` for the event `listening`.
    pub(super) fn listening(&self, what: &str, address: &dyn Display, now: SystemTime) -> String {
        match self.format {
            Format::Text => format!("{what} on {address}\n"),
            Format::Json => {
                let mut line = self.begin(what, now);
                line.word("address", address);
                line.end()
            }
        }
    }

    /// The line that stands for `count` others.
    pub(super) fn dropped(&self, count: u64, now: SystemTime) -> String {
        match self.format {
            Format::Text => format!("dropped {count} lines: standard error was too slow\n"),
            Format::Json => {
                let mut line = self.begin("dropped", now);
                line.number("lines", count);
                line.end()
            }
        }
    }

    fn begin(&self, event: &str, now: SystemTime) -> Line {
        match self.format {
            Format::Text => Line::Text(event.to_string()),
            Format::Json => {
                let mut object = Object::new();
                object.word("time", &Timestamp(now));
                object.word("event", &event);
                Line::Json(object)
            }
        }
    }
}

/// An id as one word of a line of text: without spaces, which part the words, and cut, because
/// strangers choose its length.
struct Unbroken<'a>(&'a UserId);

impl Display for Unbroken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        for (index, char) in text.chars().enumerate() {
            match char {
                _ if index == ID_SHOWN => return f.write_str("..."),
                ' ' => f.write_str("\\x20")?,
                char => f.write_char(char)?,
            }
        }
        Ok(())
    }
}

/// A line that is being written.
enum Line {
    Text(String),
    Json(Object),
}

impl Line {
    fn word(&mut self, name: &str, word: &dyn Display) {
        match self {
            // A `String` takes everything.
            Self::Text(text) => drop(write!(text, " {name}={word}")),
            Self::Json(object) => object.word(name, word),
        }
    }

    fn number(&mut self, name: &str, number: u64) {
        match self {
            Self::Text(_) => self.word(name, &number),
            Self::Json(object) => object.plain(name, &number),
        }
    }

    fn end(self) -> String {
        match self {
            Self::Text(text) => text + "\n",
            Self::Json(object) => object.line(),
        }
    }
}

/// `#` and 48 bits of an id's hash: too few to be the id, enough to tell a million apart.
struct Pseudonym<'a>(&'a UserId, &'a RandomState);

impl Display for Pseudonym<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:012x}", self.1.hash_one(self.0) >> 16)
    }
}

/// RFC 3339 in UTC with microseconds.
struct Timestamp(SystemTime);

impl Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A clock before 1970 was never set: its time says nothing.
        let since = self.0.duration_since(SystemTime::UNIX_EPOCH);
        let since = since.unwrap_or_default();
        let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
        let (year, month, day) = date(days);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:06}Z",
            second / 3_600,
            second / 60 % 60,
            second % 60,
            since.subsec_micros()
        )
    }
}

/// Year, month and day that is so many days after 1970-01-01, in the Gregorian calendar.
fn date(mut days: u64) -> (u64, u64, u64) {
    // The calendar repeats every 400 years.
    const CYCLE: u64 = 146_097;
    let leap = |year: u64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let mut year = 1970 + 400 * (days / CYCLE);
    days %= CYCLE;
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let february = 28 + u64::from(leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    (year, month, days + 1)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::new(seconds, 1_500_000)
    }

    fn id(bytes: &[u8]) -> UserId {
        UserId::new(bytes).unwrap()
    }

    fn registered(scribe: &Scribe, id: &UserId) -> String {
        let from = "[::1]:80".parse().unwrap();
        scribe.event(&Event::Registered { id, from }, at(0))
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.001500Z"),
            (951_782_399, "2000-02-28T23:59:59.001500Z"),
            (951_782_400, "2000-02-29T00:00:00.001500Z"),
            (951_868_800, "2000-03-01T00:00:00.001500Z"),
            (1_704_067_199, "2023-12-31T23:59:59.001500Z"),
            (1_735_689_599, "2024-12-31T23:59:59.001500Z"),
            (4_107_542_400, "2100-03-01T00:00:00.001500Z"),
            (253_402_300_799, "9999-12-31T23:59:59.001500Z"),
        ] {
            assert_eq!(Timestamp(at(seconds)).to_string(), text);
        }
    }

    #[test]
    fn an_id_can_neither_forge_a_field_nor_fill_a_line() {
        let text = |bytes: &[u8]| registered(&Scribe::new(Format::Text, true), &id(bytes));
        assert_eq!(
            text(b"x from=6.6.6.6:1"),
            "registered id=x\\x20from=6.6.6.6:1 from=[::1]:80\n"
        );
        let cut = format!("registered id={}... from=[::1]:80\n", "y".repeat(ID_SHOWN));
        assert_eq!(text(&[b'y'; 255]), cut);
    }

    #[test]
    fn an_id_can_neither_end_its_string_nor_its_line() {
        let id = id(b"a\"b\\c\xff");
        let json = registered(&Scribe::new(Format::Json, true), &id);
        assert_eq!(
            json,
            "{\"time\":\"1970-01-01T00:00:00.001500Z\",\"event\":\"registered\",\
             \"id\":\"a\\\"b\\\\\\\\c\\\\xff\",\"from\":\"[::1]:80\"}\n"
        );
        let text = registered(&Scribe::new(Format::Text, true), &id);
        assert_eq!(text, "registered id=a\"b\\\\c\\xff from=[::1]:80\n");
    }

    #[test]
    fn hidden_ids_are_equal_within_a_run_and_different_in_the_next() {
        let (scribe, other) = (
            Scribe::new(Format::Text, false),
            Scribe::new(Format::Text, false),
        );
        let line = registered(&scribe, &id(b"alice"));
        assert_eq!(
            line.len(),
            "registered id=#0123456789ab from=[::1]:80\n".len()
        );
        assert!(!line.contains("alice"));
        assert_eq!(line, registered(&scribe, &id(b"alice")));
        assert_ne!(line, registered(&scribe, &id(b"bob")));
        assert_ne!(line, registered(&other, &id(b"alice")));
    }
}
