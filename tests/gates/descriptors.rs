//! A relay with 64 descriptors is given more connections than that.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::common::Relay;
use super::meet::{meet, say};
use super::report::Report;
use super::{Settings, cpu};

const TIME: Duration = Duration::from_secs(5);

pub(crate) fn gate(report: &mut Report, settings: &Settings) {
    for reserve in ["64", "0"] {
        let relay = Relay::start_with(
            Command::new("sh")
                .args(["-c", "ulimit -n 64 && exec \"$0\" \"$@\""])
                .arg(env!("CARGO_BIN_EXE_p2p-relay"))
                .args([
                    "--backend",
                    &settings.backend,
                    "--bind",
                    "127.0.0.1",
                    "--quiet",
                ])
                .args(["--source-connections", "0", "--reserve", reserve, "0"])
                .stdin(Stdio::null()),
        );
        let flood: Vec<_> = (0..500)
            .map(|number| say(relay.address, b'T', format!("flood-{number}")))
            .collect();
        let before = cpu::of(relay.child.id());
        // The time is the measure: a relay that spins would use all of it.
        thread::sleep(TIME);
        let used = (cpu::of(relay.child.id()) - before) / TIME.as_secs_f64();
        let what = |what: &str| format!("{what}, --reserve {reserve}");
        report.at_most(
            &what("processor with none left"),
            100.0 * used,
            5.0,
            "% of a core",
        );
        let begun = Instant::now();
        drop(flood);
        let served = served(&relay);
        let again = meet(relay.address, "again");
        report.exactly(
            &what("pairs that meet once some are free"),
            usize::from(served && again.is_ok()),
            1,
        );
        report.at_most(
            &what("serves again after"),
            begun.elapsed().as_secs_f64(),
            2.0,
            "s",
        );
    }
}

/// Waits until a caller is answered.
fn served(relay: &Relay) -> bool {
    let until = Instant::now() + Duration::from_secs(20);
    while Instant::now() < until {
        let mut stream = relay.connect();
        let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
        if stream.write_all(b"Cnobody$").is_ok() && matches!(stream.read(&mut [0]), Ok(1)) {
            return true;
        }
    }
    false
}
