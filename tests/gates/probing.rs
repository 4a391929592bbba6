//! Neither the answer nor its time tells an id that is in a pair from one that nobody uses.

use std::net::SocketAddr;
use std::thread;
use std::time::Instant;

use super::Settings;
use super::common::read_to_end;
use super::meet::{open_relay, pairs, say};
use super::report::Report;

/// Misses that a source has free before its answers are held back, and how often that is tried.
const FREE: usize = 30;
const STARTS: usize = 80;
/// Probes of held back answers, and how many at once.
const HELD_BACK: usize = 2_400;
const AT_ONCE: usize = 200;
/// Ten parts with as many of all times each.
const PARTS: usize = 10;

pub(crate) fn gate(report: &mut Report, settings: &Settings) {
    let mut free = Vec::new();
    for _ in 0..STARTS {
        let relay = open_relay(&settings.backend, &[]);
        let _busy = pairs(&relay, 1);
        free.extend((0..FREE).map(|number| probe(relay.address, number)));
    }
    let relay = open_relay(&settings.backend, &[]);
    let _busy = pairs(&relay, 1);
    for number in 0..100 {
        drop(say(relay.address, b'C', format!("spend-{number}")));
    }
    let address = relay.address;
    let mut held_back = Vec::new();
    for _ in 0..HELD_BACK / AT_ONCE {
        thread::scope(|scope| {
            let probes: Vec<_> = (0..AT_ONCE)
                .map(|number| scope.spawn(move || probe(address, number)))
                .collect();
            held_back.extend(
                probes
                    .into_iter()
                    .map(|probe| probe.join().expect("no probe panics")),
            );
        });
    }
    for (what, probes) in [("at once", free), ("held back", held_back)] {
        let same = probes.iter().filter(|probe| probe.answer == *b"X").count();
        report.exactly(&format!("answers that are X, {what}"), same, probes.len());
        let share = overlap(&probes);
        report.at_least(
            &format!("overlap of the times, {what}"),
            100.0 * share,
            90.0,
            "%",
        );
    }
}

struct Probe {
    is_busy: bool,
    answer: Vec<u8>,
    seconds: f64,
}

/// Asks in turn for the id that is in a pair and for one that nobody uses; they are equally long.
fn probe(address: SocketAddr, number: usize) -> Probe {
    let is_busy = number % 2 == 0;
    let begun = Instant::now();
    let mut caller = say(address, b'C', if is_busy { "pair-0" } else { "none-0" });
    Probe {
        is_busy,
        answer: read_to_end(&mut caller),
        seconds: begun.elapsed().as_secs_f64(),
    }
}

/// The common area of the two histograms over parts that hold as many of all times each. Two halves
/// of 1,200 of one distribution overlap by 95 % on average.
fn overlap(probes: &[Probe]) -> f64 {
    let mut sorted: Vec<_> = probes.iter().collect();
    sorted.sort_by(|one, other| one.seconds.total_cmp(&other.seconds));
    let all = |busy| probes.iter().filter(|probe| probe.is_busy == busy).count() as f64;
    let (busy, unknown) = (all(true), all(false));
    sorted
        .chunks(probes.len().div_ceil(PARTS))
        .map(|part| {
            let here = part.iter().filter(|probe| probe.is_busy).count();
            (here as f64 / busy).min((part.len() - here) as f64 / unknown)
        })
        .sum()
}
