//! Alarms.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

/// Below this many alarms nothing is swept.
const SWEEP_FLOOR: usize = 64;

/// Alarms by time. There is no disarming: who is woken looks whether its time has come, and the
/// alarms of those who are gone are swept out when they outnumber the others.
#[derive(Debug)]
pub struct Timers<K> {
    heap: BinaryHeap<Reverse<(Instant, K)>>,
    sweep_at: usize,
}

impl<K: Ord> Default for Timers<K> {
    fn default() -> Self {
        Self {
            heap: BinaryHeap::new(),
            sweep_at: SWEEP_FLOOR,
        }
    }
}

impl<K: Ord> Timers<K> {
    /// Wakes `key` at `at`. Whoever is not `alive` loses its alarms if it is time to sweep.
    pub fn arm(&mut self, at: Instant, key: K, alive: impl Fn(&K) -> bool) {
        if self.heap.len() >= self.sweep_at {
            self.heap.retain(|Reverse((_, key))| alive(key));
            self.sweep_at = SWEEP_FLOOR.max(2 * self.heap.len());
        }
        self.heap.push(Reverse((at, key)));
    }

    /// When the next alarm goes off.
    pub fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes out an alarm whose time has come.
    pub fn pop(&mut self, now: Instant) -> Option<K> {
        if self.next()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse((_, key))| key)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn alarms_go_off_in_order_and_not_before_their_time() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut timers = Timers::default();
        for key in [3, 1, 2] {
            timers.arm(at(key), key, |_| true);
        }
        assert_eq!(timers.next(), Some(at(1)));
        assert_eq!(timers.pop(at(0)), None);
        assert_eq!(
            [timers.pop(at(2)), timers.pop(at(2)), timers.pop(at(2))],
            [Some(1), Some(2), None]
        );
        assert_eq!(timers.next(), Some(at(3)));
    }

    #[test]
    fn alarms_of_the_gone_do_not_pile_up() {
        let start = Instant::now();
        let mut timers = Timers::default();
        for key in 0..10_000 {
            timers.arm(start, key, |&other| other + 10 > key);
        }
        assert!(timers.heap.len() <= SWEEP_FLOOR);
    }
}
