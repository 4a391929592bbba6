//! The relay's limits as options, and what they are when nobody says.

use std::ffi::OsStr;

use super::args::{self, UsageError};
use crate::relay::Limits;

/// What the command line said.
#[derive(Debug)]
pub(super) struct LimitOptions {
    connections: Option<u64>,
    reserve: u64,
    source_connections: Option<u64>,
    source_listeners: Option<u64>,
    source_rate: u64,
    source_bytes: u64,
    pair_bytes: u64,
}

impl Default for LimitOptions {
    fn default() -> Self {
        Self {
            connections: None,
            reserve: 64,
            source_connections: None,
            source_listeners: None,
            source_rate: 1000,
            source_bytes: 0,
            pair_bytes: 0,
        }
    }
}

impl LimitOptions {
    /// Takes an option, if it is one of these.
    pub(super) fn set(&mut self, name: &str, value: Option<&OsStr>) -> Result<bool, UsageError> {
        let count = |unit| args::number(&format!("--{name}"), value, 0..=u64::from(u32::MAX), unit);
        match name {
            "max-connections" => self.connections = Some(count("a number of connections")?),
            "reserve" => self.reserve = count("a number of descriptors")?,
            "source-connections" => {
                self.source_connections = Some(count("a number of connections")?)
            }
            "source-listeners" => self.source_listeners = Some(count("a number of listeners")?),
            "source-rate" => self.source_rate = count("connections a second")?,
            "source-bytes" => self.source_bytes = args::rate(&format!("--{name}"), value)?,
            "pair-bytes" => self.pair_bytes = args::rate(&format!("--{name}"), value)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The limits of a process that may hold so many descriptors.
    pub(super) fn resolve(&self, descriptors: Option<u64>) -> Limits {
        let unless_0 = |value: u64| (value > 0).then_some(value);
        let count = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
        // A quarter at most, so that a process with few descriptors serves at all.
        let fit = descriptors.map(|all| all - self.reserve.min(all / 4));
        let asked = self.connections.and_then(unless_0);
        let connections = asked.into_iter().chain(fit).min();
        // One source can make trouble for itself, not for the others.
        let share = connections.map(|all| (all / 4).max(64));
        let source_connections = self.source_connections.map_or(share, unless_0);
        let source_listeners = self.source_listeners.map_or(source_connections, unless_0);
        Limits {
            connections: connections.map(count),
            source_connections: source_connections.map(count),
            source_arrivals: unless_0(self.source_rate),
            source_listeners: source_listeners.map(count),
            source_bytes: unless_0(self.source_bytes),
            pair_bytes: unless_0(self.pair_bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(options: &[(&str, &str)], descriptors: u64) -> Limits {
        let mut limits = LimitOptions::default();
        for (name, value) in options {
            assert_eq!(limits.set(name, Some(OsStr::new(value))), Ok(true));
        }
        limits.resolve(Some(descriptors))
    }

    #[test]
    fn without_options_descriptors_stay_free_and_no_source_gets_more_than_a_quarter() {
        let limits = limits(&[], 20_000);
        assert_eq!(limits.connections, Some(19_936));
        assert_eq!(limits.source_connections, Some(4984));
        assert_eq!(limits.source_listeners, Some(4984));
        assert_eq!(limits.source_arrivals, Some(1000));
        assert_eq!((limits.source_bytes, limits.pair_bytes), (None, None));
    }

    #[test]
    fn a_process_with_few_descriptors_serves_with_most_of_them() {
        let limits = limits(&[], 64);
        assert_eq!(
            (limits.connections, limits.source_connections),
            (Some(48), Some(64))
        );
    }

    #[test]
    fn what_is_asked_for_holds_as_far_as_the_descriptors_go() {
        assert_eq!(
            limits(&[("max-connections", "10")], 1000).connections,
            Some(10)
        );
        assert_eq!(
            limits(&[("max-connections", "10000")], 1000).connections,
            Some(936)
        );
        assert_eq!(
            limits(&[("max-connections", "0"), ("reserve", "0")], 1000).connections,
            Some(1000)
        );
        assert_eq!(
            limits(&[("source-connections", "0")], 1000).source_listeners,
            None
        );
        assert_eq!(
            limits(&[("pair-bytes", "20M")], 1000).pair_bytes,
            Some(20_000_000)
        );
    }
}
