//! For how long, and how often, a lost connection is made anew.

use std::time::{Duration, Instant};

use crate::sys::random;
use crate::transfer::Error;

/// The first pause, and the longest.
const SHORTEST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(3);

/// The time in which a lost connection has to be made anew.
#[derive(Debug)]
pub(super) struct Window {
    length: Option<Duration>,
    end: Option<Instant>,
}

impl Window {
    /// A window of this length, or none at all.
    pub(super) fn new(length: Option<Duration>) -> Self {
        Self { length, end: None }
    }

    /// A connection was lost. One that nothing came of does not open the window anew: two sides that meet
    /// and lose each other at once would never end.
    pub(super) fn lost(&mut self, moved: bool) {
        if moved || self.end.is_none() {
            let length = self.length.unwrap_or_default();
            self.end = Instant::now().checked_add(length);
        }
    }

    /// How long it still is.
    pub(super) fn left(&self) -> Duration {
        match (self.length, self.end) {
            (None, _) => Duration::ZERO,
            (Some(_), Some(end)) => end.saturating_duration_since(Instant::now()),
            (Some(length), None) => length,
        }
    }
}

/// Pauses that double, each up to half longer or shorter, so that many do not call in step.
#[derive(Debug)]
pub(super) struct Backoff {
    next: Duration,
}

impl Backoff {
    pub(super) fn new() -> Self {
        Self { next: SHORTEST }
    }

    pub(super) fn next(&mut self) -> Result<Duration, Error> {
        let mut random = [0];
        random::fill(&mut random).map_err(Error::Lost)?;
        let pause = self.next / 2 + self.next * u32::from(random[0]) / 255;
        self.next = LONGEST.min(self.next * 2);
        Ok(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_three_seconds_and_differ_by_half() {
        let mut backoff = Backoff::new();
        for usual in [200, 400, 800, 1600, 3000, 3000] {
            let pause = backoff.next().unwrap().as_millis();
            assert!((usual / 2..=usual * 3 / 2).contains(&pause), "{pause}");
        }
    }

    #[test]
    fn a_connection_that_nothing_came_of_does_not_open_the_window_anew() {
        let mut window = Window::new(Some(Duration::from_secs(60)));
        window.lost(false);
        let end = window.end;
        window.lost(false);
        assert_eq!(window.end, end);
        window.lost(true);
        assert!(window.end > end);
        let mut none = Window::new(None);
        none.lost(true);
        assert_eq!(none.left(), Duration::ZERO);
    }
}
