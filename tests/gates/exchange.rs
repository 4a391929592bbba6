//! 4,500 pairs move data at once, both ways, and every byte arrives.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::Settings;
use super::common::read_to_end;
use super::machine::{anonymous, connections, descriptors};
use super::meet::{open_relay, pairs};
use super::pattern::Pattern;
use super::report::Report;

const PAIRS: usize = 4_500;
const BYTES: usize = 1_000_000;
const THREADS: usize = 2;
/// So little at a time that no pair is done before all have begun.
const CHUNK: usize = 16_384;
const TIME: Duration = Duration::from_secs(180);

/// One end of a pair: what it says, and what it has to hear.
struct End<'a> {
    stream: TcpStream,
    says: &'a [u8],
    hears: &'a [u8],
}

impl End<'_> {
    fn is_done(&self) -> bool {
        self.says.is_empty() && self.hears.is_empty()
    }

    /// Moves a chunk each way, as far as there is room; whether anything moved.
    fn turn(&mut self, buffer: &mut [u8]) -> Result<bool, String> {
        let mut moved = false;
        if !self.says.is_empty() {
            let chunk = &self.says[..self.says.len().min(CHUNK)];
            match self.stream.write(chunk) {
                Ok(count) => {
                    self.says = &self.says[count..];
                    moved = true;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        if !self.hears.is_empty() {
            match self.stream.read(buffer) {
                Ok(0) => return Err(format!("{} bytes are missing", self.hears.len())),
                Ok(count) => {
                    let rest = self.hears.strip_prefix(&buffer[..count]);
                    self.hears = rest.ok_or("other bytes than sent")?;
                    moved = true;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(moved)
    }
}

pub(crate) fn gate(report: &mut Report, settings: &Settings) {
    let relay = open_relay(&settings.backend, &[]);
    let pid = relay.child.id();
    let (descriptors_before, memory_before) = (descriptors(pid), anonymous(pid));
    let pattern = Pattern::new(1).bytes(BYTES + 2 * PAIRS);
    let mut ends: Vec<End> = Vec::new();
    for (number, (listener, caller)) in pairs(&relay, PAIRS).into_iter().enumerate() {
        let up = &pattern[2 * number..][..BYTES];
        let down = &pattern[2 * number + 1..][..BYTES];
        for (stream, says, hears) in [(listener, down, up), (caller, up, down)] {
            stream.set_nonblocking(true).expect("a socket option");
            ends.push(End {
                stream,
                says,
                hears,
            });
        }
    }
    report.exactly("pairs at once", relay.value("pairs") as usize, PAIRS);
    let resting = anonymous(pid).saturating_sub(memory_before) as f64;
    report.at_most(
        "user memory per resting pair",
        resting / PAIRS as f64,
        1024.0,
        "bytes",
    );

    let begun = Instant::now();
    let faults: Vec<_> = thread::scope(|scope| {
        let drivers: Vec<_> = ends
            .chunks_mut(2 * PAIRS / THREADS)
            .map(|ends| scope.spawn(move || drive(ends, begun + TIME)))
            .collect();
        drivers
            .into_iter()
            .flat_map(|driver| driver.join().expect("no driver panics"))
            .collect()
    });
    let took = begun.elapsed().as_secs_f64();
    for fault in faults.iter().take(3) {
        println!("      {fault}");
    }
    let exact = ends.iter().filter(|end| end.is_done()).count();
    report.exactly("ends with 1 MB each way, byte-exact", exact, 2 * PAIRS);
    report.at_most("time for all of it", took, TIME.as_secs_f64(), "s");

    let mut clean = 0;
    for couple in ends.chunks_mut(2) {
        for end in &*couple {
            end.stream.set_nonblocking(false).expect("a socket option");
            // An end that is gone already has told so above.
            let _ = end.stream.shutdown(Shutdown::Write);
        }
        for end in couple {
            clean += usize::from(read_to_end(&mut end.stream).is_empty());
        }
    }
    report.exactly("ends that ended cleanly", clean, 2 * PAIRS);
    drop(ends);
    relay.wait_value("connections", 0);
    report.exactly("connections left", connections(relay.address.port()), 0);
    // A pool of pipes stays.
    println!(
        "      descriptors {descriptors_before} before, {} after; rate {:.2} GB/s",
        descriptors(pid),
        (2 * PAIRS * BYTES) as f64 / 1e9 / took
    );
}

/// Turns all ends until they are done; what went wrong.
fn drive(ends: &mut [End], until: Instant) -> Vec<String> {
    let mut buffer = vec![0; CHUNK];
    let mut faults = Vec::new();
    let mut left: Vec<_> = ends.iter_mut().collect();
    while !left.is_empty() && Instant::now() < until {
        let mut moved = false;
        left.retain_mut(|end| match end.turn(&mut buffer) {
            Ok(now) => {
                moved |= now;
                !end.is_done()
            }
            Err(fault) => {
                faults.push(fault);
                false
            }
        });
        if !moved {
            thread::sleep(Duration::from_millis(1));
        }
    }
    faults.extend(left.iter().map(|_| "not done in time".to_owned()));
    faults
}
