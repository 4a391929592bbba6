//! What every program has to do, and the figures that come of it.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::thread;
use std::time::{Duration, Instant};

use crate::raw::{self, Ends};
use crate::route::Route;
use crate::tree;

/// Size of a question and of its answer, in bytes.
const QUESTION: usize = 64;
/// Exchanges before those that count.
const WARM_UP: usize = 500;
/// How many clients open and close pairs at once, and how many each opens before it uses them.
const CLIENTS: usize = 4;
const BATCH: usize = 16;
/// How long a program may take to have read what was sent to it.
const SETTLE: Duration = Duration::from_secs(10);

/// GB/s, and processor seconds per GB, of `total` bytes through `pairs` pairs.
pub(crate) fn bulk(route: &Route, pairs: usize, total: u64) -> (f64, f64) {
    let ends = (0..pairs).map(|_| route.connect()).collect();
    let cost = raw::run(ends, total, || route.cpu());
    let gigabytes = total as f64 / 1e9;
    (gigabytes / cost.seconds, cost.cpu_seconds / gigabytes)
}

/// Microseconds from a question until its answer: the middle, and what 99 of 100 stay below.
pub(crate) fn round_trip(route: &Route, rounds: usize) -> (f64, f64) {
    let (mut server, mut client) = route.connect();
    for stream in [&server, &client] {
        stream.set_nodelay(true).expect("an option");
    }
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut bytes = [0; QUESTION];
            while server.read_exact(&mut bytes).is_ok() {
                server.write_all(&bytes).expect("an answer");
            }
        });
        let mut times: Vec<_> = (0..WARM_UP + rounds)
            .map(|_| {
                let mut bytes = [7; QUESTION];
                let begun = Instant::now();
                client.write_all(&bytes).expect("a question");
                client.read_exact(&mut bytes).expect("an answer");
                begun.elapsed().as_secs_f64() * 1e6
            })
            .skip(WARM_UP)
            .collect();
        client.shutdown(Shutdown::Both).expect("an end");
        times.sort_by(f64::total_cmp);
        (times[times.len() / 2], times[times.len() * 99 / 100])
    })
}

/// Pairs a second that were made, carried a few bytes both ways, and were closed.
pub(crate) fn turnover(route: &Route, pairs: usize) -> f64 {
    let batches = pairs / CLIENTS / BATCH;
    let begun = Instant::now();
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                for ends in route.batches(BATCH, batches) {
                    use_up(ends).expect("bytes both ways");
                }
            });
        }
    });
    (batches * CLIENTS * BATCH) as f64 / begun.elapsed().as_secs_f64()
}

fn use_up(mut ends: Vec<Ends>) -> io::Result<()> {
    exchange(&mut ends)?;
    for (_, client) in &ends {
        client.shutdown(Shutdown::Write)?;
    }
    for (mut server, _) in ends {
        server.read_to_end(&mut Vec::new())?;
    }
    Ok(())
}

/// A few bytes both ways over all ends, which may belong together only as a whole.
fn exchange(ends: &mut [Ends]) -> io::Result<()> {
    let mut bytes = [7; QUESTION];
    for (_, client) in &mut *ends {
        client.write_all(&bytes)?;
    }
    for (server, _) in &mut *ends {
        server.read_exact(&mut bytes)?;
        server.write_all(&bytes)?;
    }
    for (_, client) in ends {
        client.read_exact(&mut bytes)?;
    }
    Ok(())
}

/// What is held open while nothing happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    /// Listeners that wait for their callers.
    Listeners,
    /// Pairs that say nothing.
    Pairs,
}

/// How much a program has grown since nothing was open.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Growth {
    pub(crate) count: usize,
    /// Bytes of the program's own memory.
    pub(crate) user: f64,
    /// Bytes of the kernel's objects, for this process's ends too.
    pub(crate) kernel: f64,
}

/// Opens 10, then 100, and so on up to `most`, and looks how the program grows.
pub(crate) fn grow(route: &Route, rest: Rest, most: usize) -> Vec<Growth> {
    // Buffers that exist once, whatever the load, are there from the first pair on.
    let mut held = vec![route.connect()];
    exchange(&mut held).expect("bytes both ways");
    let mut waiting = Vec::new();
    let (user, kernel) = (settled(route), tree::kernel());
    let mut found = Vec::new();
    let mut count = 10;
    loop {
        count = count.min(most);
        while held.len() + waiting.len() <= count {
            match rest {
                Rest::Listeners => waiting.extend(route.listen()),
                Rest::Pairs => {
                    // A caller that comes before its listener is known is answered late.
                    let missing = BATCH.min(count + 1 - held.len());
                    for mut ends in route.batches(missing, 1) {
                        exchange(&mut ends).expect("bytes both ways");
                        held.extend(ends);
                    }
                }
            }
        }
        found.push(Growth {
            count,
            user: settled(route) - user,
            kernel: tree::kernel() - kernel,
        });
        if count == most {
            return found;
        }
        count *= 10;
    }
}

/// The program's memory once it has done all that it was given, which shows by its using no
/// processor time.
fn settled(route: &Route) -> f64 {
    let deadline = Instant::now() + SETTLE;
    let mut before = (route.cpu(), route.resident());
    loop {
        thread::sleep(Duration::from_millis(100));
        let now = (route.cpu(), route.resident());
        if now == before || Instant::now() > deadline {
            return now.1;
        }
        before = now;
    }
}
