//! A token bucket: so much a second, and a store for what was not used.

use std::time::{Duration, Instant};

/// Fills at a steady rate up to its depth; who wants tokens takes them out or waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    /// Tokens a second.
    rate: f64,
    depth: f64,
    level: f64,
    filled_at: Instant,
}

impl Bucket {
    /// A full bucket.
    pub(super) fn new(rate: u64, depth: u64, now: Instant) -> Self {
        let (rate, depth) = (rate as f64, depth as f64);
        Self {
            rate,
            depth,
            level: depth,
            filled_at: now,
        }
    }

    /// Takes one token out, if there is one.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        self.fill(now);
        let there = self.level >= 1.0;
        if there {
            self.level -= 1.0;
        }
        there
    }

    /// How many tokens there are, or when a quarter of the depth will be there, so that nobody
    /// comes for each single one.
    pub(super) fn available(&mut self, now: Instant) -> Result<u64, Instant> {
        self.fill(now);
        let worth_it = (self.depth / 4.0).max(1.0);
        if self.level >= worth_it {
            return Ok(self.level as u64);
        }
        Err(now + Duration::from_secs_f64((worth_it - self.level) / self.rate))
    }

    /// Takes `count` tokens out, of which there may be fewer: the debt is waited for.
    pub(super) fn spend(&mut self, count: u64) {
        self.level -= count as f64;
    }

    /// Whether it is as good as new.
    pub(super) fn is_full(&mut self, now: Instant) -> bool {
        self.fill(now);
        self.level >= self.depth
    }

    fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.filled_at).as_secs_f64();
        self.level = (self.level + passed * self.rate).min(self.depth);
        self.filled_at = self.filled_at.max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn over_time_no_more_than_the_rate_comes_out() {
        let mut now = Instant::now();
        let mut bucket = Bucket::new(1000, 250, now);
        let mut got = 0;
        let end = now + 10 * SECOND;
        while now < end {
            match bucket.available(now) {
                Ok(count) => {
                    bucket.spend(count);
                    got += count;
                }
                Err(until) => now = until + Duration::from_micros(1),
            }
        }
        assert!((9_900..=10_350).contains(&got), "{got}");
    }

    #[test]
    fn a_debt_is_waited_for() {
        let now = Instant::now();
        let mut bucket = Bucket::new(100, 100, now);
        bucket.spend(300);
        assert!(!bucket.take(now));
        let until = bucket.available(now).unwrap_err();
        assert!(until > now + 2 * SECOND && until < now + 3 * SECOND);
        assert!(!bucket.is_full(now + SECOND));
        assert!(bucket.is_full(now + 4 * SECOND));
    }

    #[test]
    fn a_clock_that_stands_still_fills_nothing() {
        let now = Instant::now();
        let mut bucket = Bucket::new(1, 2, now);
        assert_eq!(
            [bucket.take(now), bucket.take(now), bucket.take(now)],
            [true, true, false]
        );
    }
}
