//! 15,000 listeners wait, and others meet as if there were none.

use super::Settings;
use super::machine::anonymous;
use super::meet::{call, open_relay, say};
use super::report::{Report, quantile};

const LISTENERS: usize = 15_000;
const MEETINGS: usize = 3_000;

pub(crate) fn gate(report: &mut Report, settings: &Settings) {
    let relay = open_relay(&settings.backend, &[]);
    let listener = |number: usize| say(relay.address, b'T', format!("listener-{number}"));
    let before = anonymous(relay.child.id());
    let mut listeners: Vec<_> = (0..LISTENERS).map(listener).collect();
    relay.wait_value("listeners", LISTENERS as u64);
    let each = (anonymous(relay.child.id()) - before) as f64 / LISTENERS as f64;
    report.exactly(
        "listeners that wait",
        relay.value("listeners") as usize,
        LISTENERS,
    );
    report.at_most("user memory per waiting listener", each, 1024.0, "bytes");

    let mut times = Vec::new();
    for count in 0..MEETINGS {
        // A prime step: no listener is called twice, and neighbours are not called in turn.
        let number = count * 7919 % LISTENERS;
        let (_caller, time) = call(relay.address, format!("listener-{number}"));
        times.push(time.as_secs_f64() * 1e3);
        listeners[number] = listener(number);
    }
    report.at_most("meeting, p50", quantile(&mut times, 0.5), 5.0, "ms");
    report.at_most("meeting, p99", quantile(&mut times, 0.99), 5.0, "ms");
}
