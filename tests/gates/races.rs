//! Two callers race for each listener: exactly one has it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Barrier;
use std::thread;

use super::Settings;
use super::common::{connect, hello};
use super::meet::{open_relay, say};
use super::report::Report;

const RACES: usize = 100_000;
/// Races of one batch: three connections each, and a refusal costs a second however many there are.
const BATCH: usize = 4_000;

pub(crate) fn gate(report: &mut Report, settings: &Settings) {
    let relay = open_relay(&settings.backend, &[]);
    let (mut decided, mut won) = (0, [0; 2]);
    for _ in 0..RACES / BATCH {
        let listeners: Vec<_> = (0..BATCH)
            .map(|number| say(relay.address, b'T', format!("race-{number}")))
            .collect();
        relay.wait_value("listeners", BATCH as u64);
        let callers = || {
            (0..BATCH)
                .map(|_| connect(relay.address))
                .collect::<Vec<_>>()
        };
        let sides = [callers(), callers()];
        let start = Barrier::new(2);
        let answers = thread::scope(|scope| {
            let race = |mut callers: Vec<TcpStream>| {
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    for (number, caller) in callers.iter_mut().enumerate() {
                        let id = format!("race-{number}");
                        caller
                            .write_all(&hello(b'C', id.as_bytes()))
                            .expect("the relay reads");
                    }
                    let answer = |caller: &mut TcpStream| {
                        let mut answer = [0];
                        caller.read_exact(&mut answer).expect("the relay answers");
                        answer[0]
                    };
                    callers.iter_mut().map(answer).collect::<Vec<_>>()
                })
            };
            sides
                .map(race)
                .map(|racer| racer.join().expect("no racer panics"))
        });
        for (one, other) in answers[0].iter().zip(&answers[1]) {
            match (one, other) {
                (b'O', b'X') => won[0] += 1,
                (b'X', b'O') => won[1] += 1,
                _ => continue,
            }
            decided += 1;
        }
        drop(listeners);
        relay.wait_value("connections", 0);
    }
    println!("      the one won {} times, the other {}", won[0], won[1]);
    report.exactly("races that exactly one caller won", decided, RACES);
    // Races that one side always wins were none.
    report.at_least(
        "races won by the weaker side",
        won[0].min(won[1]) as f64,
        1000.0,
        "",
    );
}
