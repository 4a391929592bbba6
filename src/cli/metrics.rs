//! A relay's numbers in the text format of Prometheus, version 0.0.4.

use std::fmt::{self, Display};
use std::time::{Duration, SystemTime};

use crate::relay::{Snapshot, TURN_BOUNDS, Turns};

/// What the text is, for HTTP.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Shows a snapshot in the format.
pub(super) struct Exposition<'a>(pub(super) &'a Snapshot);

impl Display for Exposition<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let now = self.0;
        let name = head(f, "build_info", "gauge", "What is running; always 1.")?;
        let (version, backend) = (env!("CARGO_PKG_VERSION"), now.backend.name());
        writeln!(f, "{name}{{version=\"{version}\",backend=\"{backend}\"}} 1")?;
        let started = now.started.duration_since(SystemTime::UNIX_EPOCH);
        let name = head(
            f,
            "start_time_seconds",
            "gauge",
            "When it was started, in seconds since 1970-01-01 UTC.",
        )?;
        let started = started.unwrap_or_default();
        writeln!(f, "{name} {}", seconds(started))?;

        for (name, kind, help, value) in [
            (
                "connections_accepted_total",
                "counter",
                "Connections accepted.",
                now.accepted,
            ),
            (
                "accept_errors_total",
                "counter",
                "Failures to accept a connection.",
                now.accept_errors,
            ),
            (
                "connections",
                "gauge",
                "Connections that are open.",
                now.connections,
            ),
            (
                "listeners",
                "gauge",
                "Listeners that wait for a caller.",
                now.listeners,
            ),
            ("pairs", "gauge", "Pairs that are connected.", now.pairs),
            (
                "matches_total",
                "counter",
                "Callers that found a listener.",
                now.matches,
            ),
        ] {
            let name = head(f, name, kind, help)?;
            writeln!(f, "{name} {value}")?;
        }
        let bytes = [
            ("listener", now.listener_bytes),
            ("caller", now.caller_bytes),
        ];
        for (name, label, help, values) in [
            (
                "refusals_total",
                "reason",
                "Connections answered X, by reason.",
                now.refusals.as_slice(),
            ),
            (
                "closes_total",
                "reason",
                "Ends of pairs, of waiting listeners (gone) and of connections without a hello.",
                now.closes.as_slice(),
            ),
            (
                "passed_bytes_total",
                "from",
                "Bytes passed on, by the side that they came from.",
                &bytes,
            ),
        ] {
            let name = head(f, name, "counter", help)?;
            for (word, value) in values {
                writeln!(f, "{name}{{{label}=\"{word}\"}} {value}")?;
            }
        }
        match &now.turns {
            Some(turns) => histogram(f, turns),
            None => Ok(()),
        }
    }
}

/// Writes what stands above a metric's values; its full name.
fn head(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    kind: &str,
    help: &str,
) -> Result<String, fmt::Error> {
    let name = format!("p2p_relay_{name}");
    writeln!(f, "# HELP {name} {help}\n# TYPE {name} {kind}")?;
    Ok(name)
}

fn histogram(f: &mut fmt::Formatter<'_>, turns: &Turns) -> fmt::Result {
    let name = head(
        f,
        "loop_turn_seconds",
        "histogram",
        "Time from one wait of an event loop to the next, in which what arrives has to wait.",
    )?;
    let bounds = TURN_BOUNDS.iter().copied().map(seconds);
    let mut count = 0;
    for (bound, class) in bounds.chain(["+Inf".to_owned()]).zip(turns.classes) {
        count += class;
        writeln!(f, "{name}_bucket{{le=\"{bound}\"}} {count}")?;
    }
    writeln!(f, "{name}_sum {}", seconds(turns.sum))?;
    writeln!(f, "{name}_count {count}")
}

/// A decimal number of seconds.
fn seconds(time: Duration) -> String {
    let text = format!("{}.{:09}", time.as_secs(), time.subsec_nanos());
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
