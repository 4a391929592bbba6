//! The portable backend: blocking threads and the standard library.
//!
//! One thread accepts; each connection gets a thread until its hello is whole. A waiting
//! listener costs no thread: its socket lies in the registry, and one thread looks once a second
//! who has gone. A pair takes two threads, one a direction.

mod greeter;
mod house;

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;
use std::time::{Duration, Instant};

use self::house::{Household, Threads};
use super::event::{Event, Reason, Refusal};
use super::places::{Place, Places};
use super::pump::{LIVENESS, Pump, Side, Sides, Step, Verdict};
use super::registry::Registry;
use super::throttle::Throttle;
use super::{Config, DELIVERY, LINGER, Log, Start, Stats, control, look};
use crate::sys::net;
use crate::wire::{NO, UserId, YES};

/// Stack of a thread, in bytes; its buffer lies on the heap.
const STACK: usize = 128 << 10;
/// Buffer of a direction, in bytes.
const BUFFER: usize = 64 << 10;
/// How often the registry is searched for listeners that have gone.
const WATCH: Duration = Duration::from_secs(1);
/// How long the accepting thread rests when the system has no descriptor or thread left.
const EXHAUSTED: Duration = Duration::from_millis(100);

/// A connection with the place that it takes up.
struct Connection<'a> {
    stream: TcpStream,
    from: SocketAddr,
    place: Place,
    _opened: Opened<'a>,
}

/// Counts an open connection.
struct Opened<'a>(&'a Stats);

impl Drop for Opened<'_> {
    fn drop(&mut self) {
        self.0.closed();
    }
}

struct Server<'a> {
    config: &'a Config,
    stats: &'a Stats,
    log: &'a Log<'a>,
    registry: Mutex<Registry<Connection<'a>>>,
    places: Arc<Places>,
    household: Household,
}

pub(super) fn run(start: Start, config: &Config, stats: &Stats, log: &Log<'_>) -> io::Result<()> {
    let server = Server {
        config,
        stats,
        log,
        registry: Mutex::default(),
        places: Places::new(config.limits.clone(), start.control),
        household: Household::new()?,
    };
    let server = &server;
    std::thread::scope(|scope| {
        Builder::new()
            .stack_size(STACK)
            .spawn_scoped(scope, || server.watch())?;
        let mut threads = Threads::new(server, scope);
        let kept = (start.claim)().and_then(|guests| {
            control::keep(&mut threads, start.listener, guests, &start.commands, log)
        });
        threads.end();
        kept
    })
}

impl<'a> Server<'a> {
    fn registry(&self) -> MutexGuard<'_, Registry<Connection<'a>>> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first under `id` who is still there.
    fn find(&self, id: &UserId) -> Option<Connection<'a>> {
        loop {
            let listener = self.registry().take(id)?;
            if !net::peer_gone(&listener.stream) {
                return Some(listener);
            }
            self.forget(listener, id);
        }
    }

    /// A waiting listener has gone. Its place is free before the log says so.
    fn forget(&self, listener: Connection<'_>, id: &UserId) {
        let from = listener.from;
        drop(listener);
        (self.log)(&Event::Left {
            from,
            id: Some(id),
            reason: Reason::Gone,
        });
    }

    /// Answers `X`.
    fn refuse(&self, connection: &Connection<'_>, id: Option<&UserId>, refusal: Refusal) {
        (self.log)(&Event::Refused {
            from: connection.from,
            id,
            refusal,
        });
        let mut stream = &connection.stream;
        if stream.write_all(&[NO]).is_ok() {
            drain(stream, Instant::now() + LINGER);
        }
    }

    /// Forgets the waiting listeners that have gone.
    fn watch(&self) {
        while !self.household.ends_within(WATCH) {
            let ids: Vec<UserId> = self.registry().ids().cloned().collect();
            for id in ids {
                self.forget_gone(&id);
            }
        }
    }

    /// Forgets those under `id` who have gone.
    fn forget_gone(&self, id: &UserId) {
        // The lock is held for one at a time, so that nobody's meeting waits for all of them.
        let next = || {
            self.registry()
                .remove(id, |listener| net::peer_gone(&listener.stream))
        };
        while let Some(gone) = next() {
            self.forget(gone, id);
        }
    }

    fn pair(&self, id: &UserId, mut listener: Connection<'_>, caller: Connection<'_>) {
        listener.place.listens_no_more();
        (self.log)(&Event::Matched {
            id,
            listener: listener.from,
            caller: caller.from,
        });
        let now = Instant::now();
        let pump = Pump::new(now, self.config.idle_timeout, self.config.half_close);
        let sources = Sides {
            listener: listener.place.bytes(),
            caller: caller.place.bytes(),
        };
        let throttle = Throttle::new(self.config.limits.pair_bytes, sources, now);
        let streams = Arc::new(Sides {
            listener: listener.stream,
            caller: caller.stream,
        });
        let entered = self.household.enter(&streams);
        let pair = Pair {
            streams: Sides {
                listener: &streams.listener,
                caller: &streams.caller,
            },
            throttle: Mutex::new(throttle),
            stats: self.stats,
            pump: Mutex::new(pump),
            changed: Condvar::new(),
        };
        let reason = match pair.run(self.config.idle_timeout) {
            _ if entered.was_reset() => Reason::Shutdown,
            reason => reason,
        };
        let pump = pair.pump();
        (self.log)(&Event::Closed {
            id,
            reason,
            listener_bytes: pump.given(Side::Listener),
            caller_bytes: pump.given(Side::Caller),
        });
    }
}

/// Two connections and the two threads that serve them.
struct Pair<'a> {
    streams: Sides<&'a TcpStream>,
    throttle: Mutex<Throttle>,
    stats: &'a Stats,
    pump: Mutex<Pump>,
    /// The pump has changed in a way that may change the verdict.
    changed: Condvar,
}

impl Pair<'_> {
    fn pump(&self) -> MutexGuard<'_, Pump> {
        self.pump.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, idle: Option<Duration>) -> Reason {
        for side in Side::BOTH {
            let stream = self.streams.get(side);
            // Blocked calls return in time to see that the pair has been idle, or a peer vanished.
            let look = idle.map_or(LIVENESS, |idle| idle.min(LIVENESS));
            let _ = stream.set_read_timeout(Some(look));
            let _ = stream.set_write_timeout(Some(look));
        }
        let mut caller = self.streams.caller;
        if caller.write_all(&[YES]).is_err() {
            self.pump()
                .handle_write_failed(Side::Caller, false, Instant::now());
        }
        std::thread::scope(|scope| {
            let there = Builder::new()
                .stack_size(STACK)
                .spawn_scoped(scope, || self.serve(Side::Listener));
            if there.is_err() {
                self.pump()
                    .handle_read_failed(Side::Listener, Instant::now());
                net::reset(self.streams.listener);
            }
            self.serve(Side::Caller)
        })
    }

    /// Carries one direction to its end, then waits for the pair's.
    fn serve(&self, source: Side) -> Reason {
        self.carry(source);
        self.changed.notify_all();
        self.conclude()
    }

    fn carry(&self, source: Side) {
        let (mut from, mut to) = (*self.streams.get(source), *self.streams.get(source.other()));
        let mut buffer = vec![0; BUFFER];
        let mut held = 0..0;
        loop {
            let step = self.pump().step(source);
            let result = match step {
                Step::Done => return,
                Step::Read => {
                    let most = self.await_allowance(source).min(BUFFER);
                    from.read(&mut buffer[..most])
                }
                Step::Write(_) => to.write(&buffer[held.clone()]),
                Step::Finish => to.shutdown(Shutdown::Write).map(|()| 0),
            };
            let now = Instant::now();
            let mut pump = self.pump();
            match (step, result) {
                (_, Err(error)) if is_timeout(&error) => {
                    look(&mut pump, self.streams, now);
                    if !matches!(pump.verdict(now), Verdict::Run(_)) {
                        return;
                    }
                }
                // The kernel tells of a reset once. In the instant in which the other thread's write
                // is told, this read is taken for an end, and the reset follows behind it.
                (Step::Read, Ok(0)) => pump.handle_end(source, now),
                (Step::Read, Ok(count)) => {
                    held = 0..count;
                    self.throttle().spend(source, count as u64);
                    pump.handle_read(source, count as u64, now);
                }
                (Step::Write(_), Ok(count)) => {
                    held.start += count;
                    pump.handle_written(source, count as u64, now);
                    self.stats.moved(source, count as u64);
                }
                (_, Ok(_)) => pump.handle_finished(source, now),
                (Step::Read, Err(_)) => pump.handle_read_failed(source, now),
                (_, Err(error)) => {
                    let after_end = error.kind() == io::ErrorKind::BrokenPipe;
                    pump.handle_write_failed(source.other(), after_end, now);
                }
            }
        }
    }

    fn throttle(&self) -> MutexGuard<'_, Throttle> {
        self.throttle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until bytes may be read from `source`; how many.
    fn await_allowance(&self, source: Side) -> usize {
        loop {
            let now = Instant::now();
            let allowance = self.throttle().available(source, now);
            match allowance {
                Ok(most) => return most,
                Err(until) => std::thread::sleep(until - now),
            }
        }
    }

    /// Waits until the pair is over and ends its connections; the other thread, blocked on one of
    /// them, wakes from that.
    fn conclude(&self) -> Reason {
        let mut pump = self.pump();
        loop {
            let now = Instant::now();
            let wake = match pump.verdict(now) {
                Verdict::Run(until) => until,
                Verdict::Deliver(survivor, until) => {
                    match net::is_settled(self.streams.get(survivor)) {
                        Some(false) => Some(until.min(now + DELIVERY)),
                        Some(true) => {
                            pump.handle_delivered();
                            continue;
                        }
                        None => {
                            drop(pump);
                            drain(self.streams.get(survivor), until);
                            pump = self.pump();
                            pump.handle_delivered();
                            continue;
                        }
                    }
                }
                Verdict::Close(reason) => {
                    for side in Side::BOTH {
                        let _ = self.streams.get(side).shutdown(Shutdown::Both);
                    }
                    return reason;
                }
                Verdict::Reset(reason) => {
                    for side in Side::BOTH {
                        net::reset(self.streams.get(side));
                    }
                    return reason;
                }
            };
            pump = match wake {
                Some(wake) => {
                    let left = wake.saturating_duration_since(now);
                    let waited = self.changed.wait_timeout(pump, left);
                    let (mut pump, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
                    if timeout.timed_out() {
                        look(&mut pump, self.streams, Instant::now());
                    }
                    pump
                }
                None => self
                    .changed
                    .wait(pump)
                    .unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

/// Ends the stream's data and takes in what the peer still sends, until it ends too or until the
/// time: a close with unread bytes would become a reset, which destroys what is under way.
fn drain(mut stream: &TcpStream, until: Instant) {
    if stream.shutdown(Shutdown::Write).is_err() {
        return;
    }
    let mut buffer = [0; 4096];
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || stream.set_read_timeout(Some(left)).is_err() {
            return;
        }
        if !matches!(stream.read(&mut buffer), Ok(1..)) {
            return;
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), Interrupted | TimedOut | WouldBlock)
}
