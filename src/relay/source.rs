//! Who the limits count, and what each has and does.
//!
//! A source is an IPv4 address or the /56 of an IPv6 address: the least that one customer of a
//! network gets (RFC 6177), so that a million addresses of one host count as one.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::bucket::Bucket;
use super::config::Limits;
use super::event::Refusal;

/// Misses (calls of an id that nobody waits under) that a source has free, and how many more a
/// second: a sender that waits calls once a second, and several may share an address.
pub(super) const MISSES: (u64, u64) = (32, 8);
/// New connections that a source may open at once, in seconds of its rate.
const BURST: u64 = 4;
/// Below so many sources nothing is swept.
const SWEEP_FLOOR: usize = 256;

/// The address or network that a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Source {
    V4([u8; 4]),
    V6([u8; 7]),
}

impl Source {
    pub(super) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.octets()),
            IpAddr::V6(address) => {
                let [a, b, c, d, e, f, g, ..] = address.octets();
                Self::V6([a, b, c, d, e, f, g])
            }
        }
    }
}

/// What one source has and does.
pub(super) struct Usage {
    pub(super) connections: usize,
    pub(super) listeners: usize,
    arrivals: Option<Bucket>,
    misses: Bucket,
    bytes: Option<Arc<Mutex<Bucket>>>,
}

impl Usage {
    fn new(limits: &Limits, now: Instant) -> Self {
        let (free, rate) = MISSES;
        Self {
            connections: 0,
            listeners: 0,
            arrivals: limits
                .source_arrivals
                .map(|rate| Bucket::new(rate, rate.saturating_mul(BURST), now)),
            misses: Bucket::new(rate, free, now),
            bytes: limits
                .source_bytes
                .map(|rate| Arc::new(Mutex::new(bytes_bucket(rate, now)))),
        }
    }

    /// One more connection, unless it is one too many, or too soon.
    pub(super) fn arrive(&mut self, limits: &Limits, now: Instant) -> Result<(), Refusal> {
        let most = limits.source_connections;
        if most.is_some_and(|most| self.connections >= most) {
            return Err(Refusal::SourceConnections);
        }
        let arrivals = self.arrivals.as_mut();
        if arrivals.is_some_and(|arrivals| !arrivals.take(now)) {
            return Err(Refusal::SourceArrivals);
        }
        self.connections += 1;
        Ok(())
    }

    /// One more listener, if it may have one.
    pub(super) fn listen(&mut self, limits: &Limits) -> Result<(), Refusal> {
        let most = limits.source_listeners;
        if most.is_some_and(|most| self.listeners >= most) {
            return Err(Refusal::SourceListeners);
        }
        self.listeners += 1;
        Ok(())
    }

    /// One more call of an id that nobody waits under; whether it was free.
    pub(super) fn miss(&mut self, now: Instant) -> bool {
        self.misses.take(now)
    }

    /// What it may send, if that is limited.
    pub(super) fn bytes(&self) -> Option<Arc<Mutex<Bucket>>> {
        self.bytes.clone()
    }

    /// Whether forgetting it would forgive nothing.
    fn is_spent(&mut self, now: Instant) -> bool {
        self.connections == 0
            && self
                .arrivals
                .as_mut()
                .is_none_or(|arrivals| arrivals.is_full(now))
            && self.misses.is_full(now)
    }
}

/// A bucket for bytes, a quarter of a second deep.
pub(super) fn bytes_bucket(rate: u64, now: Instant) -> Bucket {
    Bucket::new(rate, (rate / 4).max(1), now)
}

/// All sources that have something, or did a moment ago.
pub(super) struct Sources {
    usages: HashMap<Source, Usage>,
    sweep_at: usize,
}

impl Default for Sources {
    fn default() -> Self {
        Self {
            usages: HashMap::new(),
            sweep_at: SWEEP_FLOOR,
        }
    }
}

impl Sources {
    /// What a source has, one that is new too.
    pub(super) fn usage(&mut self, source: Source, limits: &Limits, now: Instant) -> &mut Usage {
        if self.usages.len() >= self.sweep_at {
            self.usages.retain(|_, usage| !usage.is_spent(now));
            self.sweep_at = SWEEP_FLOOR.max(2 * self.usages.len());
        }
        self.usages
            .entry(source)
            .or_insert_with(|| Usage::new(limits, now))
    }

    /// What a source has that has something.
    pub(super) fn known(&mut self, source: Source) -> Option<&mut Usage> {
        self.usages.get_mut(&source)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn sources_that_are_gone_are_forgotten() {
        let limits = Limits {
            source_arrivals: Some(10),
            ..Limits::default()
        };
        let mut sources = Sources::default();
        let mut now = Instant::now();
        for count in 0..100_000u32 {
            now += Duration::from_millis(10);
            let source = Source::of(IpAddr::from(count.to_be_bytes()));
            let usage = sources.usage(source, &limits, now);
            assert_eq!(usage.arrive(&limits, now), Ok(()));
            usage.connections -= 1;
        }
        assert!(sources.usages.len() <= SWEEP_FLOOR);
    }
}
