//! What a transfer says on standard error while it runs.

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use crate::sys::term;
use crate::transfer::{Event, Printable};

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
    start: Instant,
    /// When data moved last.
    moved: Instant,
    last: Option<Instant>,
    drawn: bool,
    done: u64,
    /// 0 while there is nothing to show.
    total: u64,
    waiting_told: bool,
    away_told: bool,
}

impl Reporter {
    pub(super) fn new(program: &str, loudness: Loudness, receiving: bool) -> Self {
        Self {
            program: program.to_string(),
            loudness,
            terminal: std::io::stderr().is_terminal(),
            receiving,
            start: Instant::now(),
            moved: Instant::now(),
            last: None,
            drawn: false,
            done: 0,
            total: 0,
            waiting_told: false,
            away_told: false,
        }
    }

    /// Takes an event of the transfer.
    pub(super) fn handle(&mut self, event: &Event<'_>) {
        match event {
            Event::Connecting { relay } if !self.waiting_told => {
                self.step(&format_args!(
                    "connecting to {}",
                    Printable(relay.as_bytes())
                ));
            }
            Event::PassedOver { relay, error } if !self.waiting_told && !self.away_told => {
                let relay = Printable(relay.as_bytes());
                self.step(&format_args!("passing over {relay}: {}", error.brief()));
            }
            // A person at a terminal would take the silence for a hang.
            Event::Waiting if self.terminal => self.result(&"waiting for a sender"),
            Event::Waiting => self.step(&"waiting for a sender"),
            Event::NobodyYet if !self.waiting_told => {
                self.waiting_told = true;
                let text = "nobody waits there yet: calling again every second";
                match self.terminal {
                    true => self.result(&text),
                    false => self.step(&text),
                }
            }
            Event::RelayAway { error } if !self.away_told => {
                self.away_told = true;
                self.result(&format_args!("{error}; calling again every second"));
            }
            Event::Matched => self.step(&"matched"),
            Event::NameCut { name, sent } => {
                let (name, sent) = (Printable(name), Printable(sent));
                self.result(&format_args!(
                    "warning: '{name}' is longer than 31 bytes: it is sent as '{sent}'"
                ));
            }
            Event::NameUnsafe { sent, error } => {
                let sent = Printable(sent);
                self.result(&format_args!(
                    "warning: '{sent}': {error}: the receiver takes it only with -o FILE"
                ));
            }
            Event::Header { name, length } => {
                self.start = Instant::now();
                self.moved = self.start;
                (self.done, self.total) = (0, *length);
                let verb = if self.receiving {
                    "receiving"
                } else {
                    "sending"
                };
                let name = Printable(name);
                self.step(&format_args!("{verb} '{name}' ({length} bytes)"));
            }
            Event::Progress { done, total } => self.progress(*done, *total),
            Event::AwaitingVerdict => self.step(&"all sent, waiting for the receiver's verdict"),
            _ => {}
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

    /// Says on a terminal that nothing moves, which no event tells; to be called now and then.
    pub(super) fn tick(&mut self) {
        let stalled = self.done < self.total && self.moved.elapsed() >= STALL;
        if stalled && self.terminal && self.loudness != Loudness::Quiet {
            self.draw(&progress_text(self.done, self.total, Duration::MAX));
        }
    }

    /// How long the data took, and how fast that was: without what came after it.
    pub(super) fn pace(&self, length: u64) -> String {
        let time = self.moved - self.start;
        format!(
            "{:.1} s, {}/s",
            time.as_secs_f64(),
            bytes(rate(length, time))
        )
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
        self.moved = now;
        (self.done, self.total) = (done, total);
        let shown = match self.loudness {
            Loudness::Quiet => false,
            Loudness::Usual => self.terminal && (self.drawn || now - self.start >= QUICK),
            Loudness::Verbose => true,
        };
        let pause = if self.terminal { REDRAW } else { PLAIN };
        let since = self.last.unwrap_or(self.start);
        if !shown || (now - since < pause && done < total) {
            return;
        }
        self.last = Some(now);
        let text = progress_text(done, total, now - self.start);
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

fn write(text: &str) {
    // Nobody is left to tell when standard error is gone.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// The front of `line` that fits `width` columns; all of it is ASCII but perhaps the program's name.
fn clipped(line: &str, width: usize) -> &str {
    match line.char_indices().nth(width) {
        Some((end, _)) => &line[..end],
        None => line,
    }
}

fn progress_text(done: u64, total: u64, elapsed: Duration) -> String {
    let percent = done.saturating_mul(100) / total.max(1);
    let rate = rate(done, elapsed);
    let left = match (total - done.min(total), rate) {
        (0, _) => String::new(),
        (_, 0) => ", stalled".to_string(),
        (left, rate) => format!(", {} left", clock(left / rate)),
    };
    let (done, total, rate) = (bytes(done), bytes(total), bytes(rate));
    format!("{percent:3}%  {done} of {total}, {rate}/s{left}")
}

/// Bytes a second.
fn rate(length: u64, time: Duration) -> u64 {
    // The cast saturates, and loses what nobody reads.
    (length as f64 / time.as_secs_f64().max(1e-6)) as u64
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

    #[test]
    fn a_progress_line_gives_percent_rate_and_time_left() {
        let text = |done, total, seconds| progress_text(done, total, Duration::from_secs(seconds));
        assert_eq!(
            text(25_000_000, 100_000_000, 5),
            " 25%  25.0 MB of 100.0 MB, 5.0 MB/s, 0:15 left"
        );
        assert_eq!(text(100, 100, 1), "100%  100 B of 100 B, 100 B/s");
        assert_eq!(text(0, 100, 1), "  0%  0 B of 100 B, 0 B/s, stalled");
        assert_eq!(
            text(1000, 2_000_000_000, 10),
            "  0%  1.0 kB of 2.0 GB, 100 B/s, 5555:33:10 left"
        );
    }

    #[test]
    fn the_pace_is_that_of_the_data_without_what_came_after_it() {
        let mut reporter = Reporter::new("recv_r", Loudness::Quiet, true);
        reporter.start = Instant::now() - Duration::from_secs(10);
        reporter.moved = reporter.start + Duration::from_secs(2);
        assert_eq!(reporter.pace(2_000_000), "2.0 s, 1.0 MB/s");
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
        assert_eq!(clipped("\u{d55c}\u{ae00}", 1), "\u{d55c}");
    }
}
