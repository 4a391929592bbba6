//! How fast bytes move.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Over how long the present rate is taken, and how often that is noted.
const WINDOW: Duration = Duration::from_secs(10);
const NOTE: Duration = Duration::from_millis(500);

/// What has moved, and when.
#[derive(Debug)]
pub(super) struct Pace {
    begun: Instant,
    /// When it moved last.
    moved: Instant,
    /// Bytes that count as done, and those of them that moved while this looked on.
    done: u64,
    crossed: u64,
    /// Moments in the window, with what had crossed by then.
    notes: VecDeque<(Instant, u64)>,
}

impl Pace {
    /// Begins now.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            begun: now,
            moved: now,
            done: 0,
            crossed: 0,
            notes: VecDeque::from([(now, 0)]),
        }
    }

    /// So many bytes count as done.
    pub(super) fn done(&mut self, done: u64, now: Instant) {
        // After a lost connection some are done anew: then there may be fewer than before.
        self.crossed += done.saturating_sub(self.done);
        (self.done, self.moved) = (done, now);
        let last = self.notes.back().map_or(self.begun, |(time, _)| *time);
        if now - last < NOTE {
            return;
        }
        self.notes.push_back((now, self.crossed));
        // One stays that is older than the window: it begins there.
        while self
            .notes
            .get(1)
            .is_some_and(|(time, _)| now - *time >= WINDOW)
        {
            self.notes.pop_front();
        }
    }

    /// So many bytes count as done from now on without having moved.
    pub(super) fn skip(&mut self, bytes: u64) {
        self.done = self.done.saturating_add(bytes);
    }

    /// Bytes a second of late; 0 when nothing has moved in `stall`.
    pub(super) fn rate(&self, now: Instant, stall: Duration) -> u64 {
        let stalled = now.saturating_duration_since(self.moved) >= stall;
        match self.notes.front() {
            Some((since, crossed)) if !stalled => per_second(self.crossed - crossed, now - *since),
            _ => 0,
        }
    }

    /// How long nothing has moved.
    pub(super) fn silence(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.moved)
    }

    /// How long it has been going on.
    pub(super) fn elapsed(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.begun)
    }

    /// How long the data took, and how many bytes a second that was: without what came after it.
    pub(super) fn whole(&self) -> (Duration, u64) {
        let time = self.moved - self.begun;
        (time, per_second(self.crossed, time))
    }
}

fn per_second(bytes: u64, time: Duration) -> u64 {
    // The cast saturates, and loses what nobody reads.
    (bytes as f64 / time.as_secs_f64().max(1e-6)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const STALL: Duration = Duration::from_secs(1);

    #[test]
    fn the_rate_is_that_of_the_last_ten_seconds_and_the_whole_is_that_of_all() {
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        let mut pace = Pace::new(begun);
        for second in 1..=20 {
            pace.done(second * 1000, at(second));
        }
        assert_eq!(pace.rate(at(20), STALL), 1000);
        for second in 21..=40 {
            pace.done(20_000 + (second - 20) * 5000, at(second));
        }
        assert_eq!(pace.rate(at(40), STALL), 5000);
        assert_eq!(pace.whole(), (Duration::from_secs(40), 3000));
        assert_eq!(pace.rate(at(41), STALL), 0);
        assert_eq!(pace.silence(at(41)), STALL);
    }

    #[test]
    fn what_was_there_before_has_not_moved() {
        let begun = Instant::now();
        let mut pace = Pace::new(begun);
        pace.skip(1_000_000);
        let now = begun + Duration::from_secs(2);
        pace.done(1_002_000, now);
        assert_eq!(pace.whole(), (Duration::from_secs(2), 1000));
        // A new connection begins further back.
        pace.done(1_001_000, now);
        pace.done(1_003_000, now + Duration::from_secs(2));
        assert_eq!(pace.whole().1, 1000);
    }

    #[test]
    fn the_notes_do_not_grow_with_time() {
        let begun = Instant::now();
        let mut pace = Pace::new(begun);
        for tick in 0..100_000 {
            pace.done(tick, begun + Duration::from_millis(tick * 7));
        }
        assert!(pace.notes.len() <= 23, "{}", pace.notes.len());
    }
}
