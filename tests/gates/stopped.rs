//! A reader that stops for 70 s, longer than a dead peer is awaited, loses nothing.

use std::thread;
use std::time::Duration;

use super::Settings;
use super::common::read_to_end;
use super::meet::{open_relay, pairs};
use super::pattern::Pattern;
use super::report::Report;

const PAUSE: Duration = Duration::from_secs(70);
/// More than the kernel takes for a reader that stands.
const BYTES: usize = 64_000_000;

pub(crate) fn gate(report: &mut Report, settings: &Settings) {
    let relay = open_relay(&settings.backend, &[]);
    let (mut listener, caller) = pairs(&relay, 1).remove(0);
    caller.set_write_timeout(None).expect("a socket option");
    let pattern = Pattern::new(1);
    let (arrived, alive) = thread::scope(|scope| {
        let sender = scope.spawn(|| {
            pattern.send(&caller, BYTES);
            caller.shutdown(std::net::Shutdown::Write)
        });
        // The time is the test.
        thread::sleep(PAUSE);
        let alive = relay.value("pairs") == 1 && !sender.is_finished();
        let reader = scope.spawn(|| {
            pattern.expect(&listener, 0, BYTES);
            BYTES
        });
        (reader.join().unwrap_or(0), alive)
    });
    report.exactly(
        "pairs that stand after 70 s without a read",
        usize::from(alive),
        1,
    );
    report.exactly("bytes that arrive afterwards, exact", arrived, BYTES);
    report.exactly(
        "bytes behind them, and no error",
        read_to_end(&mut listener).len(),
        0,
    );
}
