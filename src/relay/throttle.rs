//! How fast a pair may move, for its own sake and for its sources'.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::bucket::Bucket;
use super::pump::{Side, Sides};
use super::source::bytes_bucket;

/// The limits on a pair's bytes; most relays set none, and then asking costs nothing.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    /// Both directions together.
    pair: Option<Bucket>,
    /// By source: what all connections from there may send together.
    sources: Sides<Option<Arc<Mutex<Bucket>>>>,
}

impl Throttle {
    /// A pair of connections from sources with these buckets; `rate` is in bytes per second.
    pub(super) fn new(
        rate: Option<u64>,
        sources: Sides<Option<Arc<Mutex<Bucket>>>>,
        now: Instant,
    ) -> Self {
        Self {
            pair: rate.map(|rate| bytes_bucket(rate, now)),
            sources,
        }
    }

    /// How many bytes may be read from `source`, or when to ask again.
    pub(super) fn available(&mut self, source: Side, now: Instant) -> Result<usize, Instant> {
        let mut most = u64::MAX;
        if let Some(bucket) = &mut self.pair {
            most = bucket.available(now)?;
        }
        if let Some(bucket) = self.sources.get(source) {
            let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
            most = most.min(bucket.available(now)?);
        }
        Ok(usize::try_from(most).unwrap_or(usize::MAX))
    }

    /// `count` bytes were read from `source`.
    pub(super) fn spend(&mut self, source: Side, count: u64) {
        if let Some(bucket) = &mut self.pair {
            bucket.spend(count);
        }
        if let Some(bucket) = self.sources.get(source) {
            bucket
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .spend(count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Side::{Caller, Listener};
    use super::*;

    #[test]
    fn without_a_limit_nothing_is_held_back() {
        let mut throttle = Throttle::default();
        throttle.spend(Caller, u64::MAX);
        assert_eq!(throttle.available(Caller, Instant::now()), Ok(usize::MAX));
    }

    #[test]
    fn a_pair_and_a_source_each_hold_back() {
        let now = Instant::now();
        let shared = Arc::new(Mutex::new(bytes_bucket(4000, now)));
        let of_caller = || Sides {
            listener: None,
            caller: Some(Arc::clone(&shared)),
        };
        let mut one = Throttle::new(Some(8000), of_caller(), now);
        let mut other = Throttle::new(None, of_caller(), now);
        assert_eq!(one.available(Caller, now), Ok(1000));
        one.spend(Caller, 1000);
        // The source is spent for all its pairs, the pair only half.
        assert!(one.available(Caller, now).is_err());
        assert!(other.available(Caller, now).is_err());
        assert_eq!(one.available(Listener, now), Ok(1000));
        assert_eq!(other.available(Listener, now), Ok(usize::MAX));
    }
}
