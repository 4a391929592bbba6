//! What a transfer says on standard error while it runs.

use std::fmt::{self, Display};
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use super::pace::Pace;
use crate::sys::term;
use crate::transfer::{EntryKind, Error, Event, Offer, Printable};

/// How often the line on a terminal is redrawn, and how often a plain line comes.
const REDRAW: Duration = Duration::from_millis(100);
const PLAIN: Duration = Duration::from_secs(1);
/// A transfer shorter than this shows no line unasked.
const QUICK: Duration = Duration::from_secs(1);
/// After this the data counts as stalled, and how often that is looked at.
pub(super) const STALL: Duration = Duration::from_secs(1);
/// Width that is assumed when the terminal does not tell, in columns.
const WIDTH: usize = 80;

/// How much is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loudness {
    /// Errors only.
    Quiet,
    /// Warnings and the result; on a terminal, the progress of what takes long.
    Usual,
    /// Every step.
    Verbose,
}

/// The reporter of one transfer.
#[derive(Debug)]
pub(super) struct Reporter {
    program: String,
    loudness: Loudness,
    terminal: bool,
    receiving: bool,
    pace: Pace,
    last: Option<Instant>,
    drawn: bool,
    done: u64,
    /// 0 while there is nothing to show.
    total: u64,
    /// The file that moves, when it is one of several.
    file: String,
    several: bool,
    accepted: bool,
    waiting_told: bool,
    away_told: bool,
    lost_told: bool,
}

impl Reporter {
    pub(super) fn new(program: &str, loudness: Loudness, receiving: bool) -> Self {
        Self {
            program: program.to_string(),
            loudness,
            terminal: std::io::stderr().is_terminal(),
            receiving,
            pace: Pace::new(Instant::now()),
            last: None,
            drawn: false,
            done: 0,
            total: 0,
            file: String::new(),
            several: false,
            accepted: false,
            waiting_told: false,
            away_told: false,
            lost_told: false,
        }
    }

    /// Takes an event of the transfer.
    pub(super) fn handle(&mut self, event: &Event<'_>) {
        match event {
            Event::Connecting { .. }
            | Event::PassedOver { .. }
            | Event::Waiting
            | Event::NobodyYet
            | Event::RelayAway { .. }
            | Event::Reconnecting { .. }
            | Event::Matched => self.meeting(event),
            Event::NameCut { .. } | Event::NameUnsafe { .. } => self.result(event),
            Event::Version { .. } => {
                self.found_again();
                self.step(event);
            }
            Event::Offer { offer } => {
                self.several = offer.files() > 1 || offer.items.len() > 1;
                let offered = Summary(offer);
                match self.receiving {
                    true => self.step(&format_args!("offered: {offered}")),
                    false => self.step(&format_args!("offering {offered}")),
                }
            }
            Event::Accepted => {
                self.found_again();
                // It comes again with each new connection.
                if !self.accepted {
                    self.pace = Pace::new(Instant::now());
                }
                self.accepted = true;
                self.step(event);
            }
            Event::Header { name, length } => {
                self.pace = Pace::new(Instant::now());
                (self.done, self.total) = (0, *length);
                self.begin(name, Some(*length), 0);
            }
            Event::Started {
                path,
                length,
                offset,
            } => {
                self.pace.skip(*offset);
                self.file = Printable(path).to_string();
                self.begin(path, *length, *offset);
            }
            Event::Finished {
                path,
                length,
                already,
                ..
            } => self.finished(path, *length, *already),
            Event::Skipped { .. } | Event::LeftOut { .. } => self.line(event),
            Event::Restarted { .. } => self.result(event),
            Event::Progress { done, total } => self.progress(*done, *total),
            Event::AwaitingVerdict => self.step(event),
            _ => {}
        }
    }

    fn meeting(&mut self, event: &Event<'_>) {
        match event {
            Event::Connecting { .. } if !self.waiting_told => self.step(event),
            Event::PassedOver { .. } if !self.waiting_told && !self.away_told => self.step(event),
            // A person at a terminal would take the silence for a hang.
            Event::Waiting if self.terminal && !self.lost_told => {
                self.result(&"waiting for a sender");
            }
            Event::Waiting => self.step(&"waiting for a sender"),
            Event::NobodyYet if !self.waiting_told => {
                self.waiting_told = true;
                match self.terminal {
                    true => self.result(event),
                    false => self.step(event),
                }
            }
            Event::RelayAway { .. } if !self.away_told => {
                self.away_told = true;
                self.result(event);
            }
            Event::Reconnecting { after, error } => {
                let lost = match error {
                    Error::Truncated => "the connection was lost".to_string(),
                    error => format!("the connection was lost ({})", error.brief()),
                };
                let text = match (self.receiving, after.as_secs_f64()) {
                    (true, _) => format!("{lost}: waiting again"),
                    (false, seconds) => format!("{lost}: calling again in {seconds:.1} s"),
                };
                match self.lost_told {
                    true => self.step(&text),
                    false => self.result(&text),
                }
                self.lost_told = true;
            }
            Event::Matched => {
                self.waiting_told = false;
                match self.lost_told {
                    true => self.found_again(),
                    false => self.step(event),
                }
            }
            _ => {}
        }
    }

    fn found_again(&mut self) {
        if std::mem::take(&mut self.lost_told) {
            self.result(&"connected again");
        }
    }

    /// Says how it ended: a line that only `--quiet` suppresses.
    pub(super) fn result(&mut self, text: &dyn Display) {
        self.total = 0;
        if self.loudness != Loudness::Quiet {
            self.line(text);
        }
    }

    /// Says what went wrong.
    pub(super) fn error(&mut self, text: &dyn Display) {
        self.total = 0;
        self.line(text);
    }

    /// Lets something else be written to the terminal from the begin of a line on.
    pub(super) fn make_room(&mut self) {
        if std::mem::take(&mut self.drawn) {
            write("\n");
        }
    }

    /// Says on a terminal that nothing moves, which no event tells; to be called now and then.
    pub(super) fn tick(&mut self) {
        let stalled = self.pace.silence(Instant::now()) >= STALL;
        let running = self.total > 0 && (self.done < self.total);
        if running && stalled && self.terminal && self.loudness != Loudness::Quiet {
            self.draw(&progress_text(self.done, self.total, 0));
        }
    }

    /// How long the data took, and how fast that was: without what came after it.
    pub(super) fn pace(&self) -> String {
        let (time, rate) = self.pace.whole();
        format!("{:.1} s, {}/s", time.as_secs_f64(), bytes(rate))
    }

    fn begin(&mut self, path: &[u8], length: Option<u64>, offset: u64) {
        let verb = match self.receiving {
            true => "receiving",
            false => "sending",
        };
        let path = Printable(path);
        let length = match length {
            Some(length) => format!("{length} bytes"),
            None => "of unknown length".to_string(),
        };
        match offset {
            0 => self.step(&format_args!("{verb} '{path}' ({length})")),
            _ => self.step(&format_args!(
                "{verb} '{path}' ({length}) from byte {offset} on: the rest is there"
            )),
        }
    }

    fn finished(&mut self, path: &[u8], length: u64, already: bool) {
        let path = Printable(path);
        if already {
            self.pace.skip(length);
            self.step(&format_args!("'{path}' is there already"));
        } else if self.several && length == 0 {
            self.step(&format_args!("'{path}' is there"));
        } else if self.several {
            self.step(&format_args!("'{path}' is there ({length} bytes)"));
        }
    }

    fn step(&mut self, text: &dyn Display) {
        if self.loudness == Loudness::Verbose {
            self.line(text);
        }
    }

    fn line(&mut self, text: &dyn Display) {
        let end = if self.drawn { "\n" } else { "" };
        self.drawn = false;
        write(&format!("{end}{}: {text}\n", self.program));
    }

    fn progress(&mut self, done: u64, total: u64) {
        let now = Instant::now();
        self.pace.done(done, now);
        (self.done, self.total) = (done, total);
        let shown = match self.loudness {
            Loudness::Quiet => false,
            Loudness::Usual => self.terminal && (self.drawn || self.pace.elapsed(now) >= QUICK),
            Loudness::Verbose => true,
        };
        let pause = if self.terminal { REDRAW } else { PLAIN };
        let early = match self.last {
            Some(last) => now - last < pause,
            None => self.pace.elapsed(now) < pause,
        };
        if !shown || (early && done < total) {
            return;
        }
        self.last = Some(now);
        let rate = self.pace.rate(now, Duration::MAX);
        let mut text = progress_text(done, total, rate);
        if self.several && !self.file.is_empty() {
            text = format!("{text}  {}", self.file);
        }
        match self.terminal {
            true => self.draw(&text),
            false => self.line(&text),
        }
    }

    fn draw(&mut self, text: &str) {
        let line = format!("{}: {text}", self.program);
        // The last column stays free: some terminals wrap when it is written.
        let width = term::width().unwrap_or(WIDTH).saturating_sub(1);
        write(&format!("\r{}\x1b[K", clipped(&line, width)));
        self.drawn = true;
    }
}

/// What an offer has, in a few words.
pub(super) struct Summary<'a>(pub(super) &'a Offer);

impl Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let offer = self.0;
        if let [item] = &offer.items[..] {
            let kind = match item.kind {
                EntryKind::Folder => "folder ",
                EntryKind::File | EntryKind::FolderEnd => "",
                EntryKind::Text => return f.write_str("a text"),
                EntryKind::Stream => {
                    return write!(f, "'{}' of unknown length", Printable(&item.name));
                }
            };
            write!(f, "{kind}'{}' ", Printable(&item.name))?;
            if item.kind == EntryKind::Folder {
                write!(f, "with {}", Counted(item.files, "file", item.complete))?;
                return match item.bytes {
                    Some(length) => write!(f, ", {}", bytes(length)),
                    None => Ok(()),
                };
            }
            return match item.bytes {
                Some(length) => write!(f, "({length} bytes)"),
                None => f.write_str("of unknown length"),
            };
        }
        let counted = offer.items.iter().all(|item| item.complete);
        write!(f, "{}", Counted(offer.files(), "file", counted))?;
        let known = offer.items.iter().filter_map(|item| item.bytes);
        let length = bytes(known.fold(0, u64::saturating_add));
        match offer.bytes() {
            Some(_) => write!(f, ", {length}"),
            None => write!(f, ", {length} or more"),
        }
    }
}

/// A number of things; "at least" that when they are not all counted.
pub(super) struct Counted(pub(super) u64, pub(super) &'static str, pub(super) bool);

impl Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(count, thing, exact) = self;
        let least = if *exact { "" } else { "at least " };
        let plural = if *count == 1 { "" } else { "s" };
        write!(f, "{least}{count} {thing}{plural}")
    }
}

fn write(text: &str) {
    // Nobody is left to tell when standard error is gone.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// The front of `line` that fits `width` columns.
fn clipped(line: &str, width: usize) -> &str {
    let mut used = 0;
    for (at, char) in line.char_indices() {
        used += columns(char);
        if used > width {
            return &line[..at];
        }
    }
    line
}

/// How wide terminals draw a character: the blocks that are wide in Unicode's East Asian Width. One that
/// is taken for narrower than it is may wrap the line, no more.
fn columns(char: char) -> usize {
    match char {
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{ffe0}'..='\u{ffe6}'
        | '\u{1f300}'..='\u{1faff}'
        | '\u{20000}'..='\u{3fffd}' => 2,
        _ => 1,
    }
}

/// `total` is `u64::MAX` when it is not known, `rate` in bytes a second.
fn progress_text(done: u64, total: u64, rate: u64) -> String {
    if total == u64::MAX {
        let stalled = if rate == 0 { ", stalled" } else { "" };
        return format!("{}, {}/s{stalled}", bytes(done), bytes(rate));
    }
    let percent = u128::from(done) * 100 / u128::from(total.max(1));
    let left = match (total - done.min(total), rate) {
        (0, _) => String::new(),
        (_, 0) => ", stalled".to_string(),
        (left, rate) => format!(", {} left", clock(left / rate)),
    };
    let (done, total, rate) = (bytes(done), bytes(total), bytes(rate));
    format!("{percent:3}%  {done} of {total}, {rate}/s{left}")
}

/// A number of bytes with a decimal unit.
pub(super) fn bytes(count: u64) -> String {
    if count < 1000 {
        return format!("{count} B");
    }
    // A tenth of each unit, in bytes. Whole numbers: the relay is smaller without the others.
    let mut text = String::new();
    for (unit, tenth) in [
        ("kB", 100),
        ("MB", 100_000),
        ("GB", 100_000_000),
        ("TB", 100_000_000_000),
    ] {
        let tenths = count / tenth + u64::from(count % tenth >= tenth / 2);
        text = format!("{}.{} {unit}", tenths / 10, tenths % 10);
        if tenths < 10_000 {
            break;
        }
    }
    text
}

fn clock(seconds: u64) -> String {
    let (minutes, second) = (seconds / 60, seconds % 60);
    match minutes / 60 {
        0 => format!("{minutes}:{second:02}"),
        hours => format!("{hours}:{:02}:{second:02}", minutes % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transfer::Item;

    #[test]
    fn a_progress_line_gives_percent_rate_and_time_left() {
        assert_eq!(
            progress_text(25_000_000, 100_000_000, 5_000_000),
            " 25%  25.0 MB of 100.0 MB, 5.0 MB/s, 0:15 left"
        );
        assert_eq!(
            progress_text(100, 100, 100),
            "100%  100 B of 100 B, 100 B/s"
        );
        assert_eq!(
            progress_text(0, 100, 0),
            "  0%  0 B of 100 B, 0 B/s, stalled"
        );
        assert_eq!(
            progress_text(1000, 2_000_000_000, 100),
            "  0%  1.0 kB of 2.0 GB, 100 B/s, 5555:33:10 left"
        );
        assert_eq!(progress_text(1000, u64::MAX, 100), "1.0 kB, 100 B/s");
        assert_eq!(
            progress_text(u64::MAX - 1, u64::MAX - 1, 0),
            "100%  18446744.1 TB of 18446744.1 TB, 0 B/s"
        );
    }

    #[test]
    fn an_offer_is_summed_up_as_exactly_as_it_is_known() {
        let item = |kind, name: &str, files, bytes, counted| Item {
            kind,
            name: name.as_bytes().to_vec(),
            files,
            bytes,
            complete: counted,
        };
        let text = |items: &[Item]| {
            let items = items.to_vec();
            let offer = Offer {
                items,
                ..Offer::default()
            };
            Summary(&offer).to_string()
        };
        let file = item(EntryKind::File, "a\x1b", 1, Some(13), true);
        let folder = item(EntryKind::Folder, "d", 120, Some(2_000), true);
        let vast = item(EntryKind::Folder, "d", 9, Some(2_000), false);
        let stream = item(EntryKind::Stream, "s", 1, None, true);
        let note = item(EntryKind::Text, "", 0, Some(1), true);
        assert_eq!(text(std::slice::from_ref(&file)), "'a\\x1b' (13 bytes)");
        assert_eq!(
            text(std::slice::from_ref(&folder)),
            "folder 'd' with 120 files, 2.0 kB"
        );
        assert_eq!(text(&[vast]), "folder 'd' with at least 9 files, 2.0 kB");
        assert_eq!(text(std::slice::from_ref(&stream)), "'s' of unknown length");
        assert_eq!(text(&[note]), "a text");
        assert_eq!(text(&[file.clone(), folder]), "121 files, 2.0 kB");
        assert_eq!(text(&[file, stream]), "2 files, 13 B or more");
    }

    #[test]
    fn sizes_have_decimal_units() {
        let table = [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (999_999, "1.0 MB"),
            (2_146_435_072, "2.1 GB"),
            (u64::MAX, "18446744.1 TB"),
        ];
        for (count, text) in table {
            assert_eq!(bytes(count), text);
        }
    }

    #[test]
    fn a_line_is_clipped_between_characters() {
        assert_eq!(clipped("abc", 3), "abc");
        assert_eq!(clipped("abc", 2), "ab");
        assert_eq!(clipped("\u{d55c}\u{ae00}", 3), "\u{d55c}");
        assert_eq!(clipped("\u{d55c}\u{ae00}", 4), "\u{d55c}\u{ae00}");
    }
}
