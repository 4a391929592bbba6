//! The Linux backend: one event loop a core.
//!
//! The loops share the listening socket, the registry and their mailboxes; everything else is one
//! loop's own, so bytes move without a lock. A waiting listener stays in its loop; a caller moves
//! to the listener's loop through that loop's mailbox.
//!
//! Descriptors are watched edge-triggered and only once: what a socket is ready for is remembered
//! beside it, and not reading is all the backpressure there is.

mod acceptor;
mod carrier;

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use self::acceptor::Acceptor;
use self::carrier::Carrier;
use super::event::{Event, Reason, Refusal};
use super::pump::{Pump, Side, Sides, Verdict};
use super::registry::Registry;
use super::session::{Session, Verdict as Asked};
use super::{Config, Log};
use crate::io::{Key, Slab, Timers};
use crate::sys::linux::epoll::{Epoll, Event as Readiness, Events, Waker, Watch};
use crate::sys::net;
use crate::wire::{HELLO_MAX, NO, Role, UserId, YES};

/// How long a refused connection may go on sending before it is closed.
const LINGER: Duration = Duration::from_secs(2);
/// How many bytes a refused connection may go on sending.
const LINGER_BYTES: usize = 1 << 20;
/// How often the survivor of a broken pair is asked whether all was delivered.
const DELIVERY: Duration = Duration::from_millis(20);

/// Tokens that no [`Key`] has.
const WAKER: u64 = u64::MAX;
const LISTENER: u64 = u64::MAX - 1;

/// What the loops share.
struct Shared<'a> {
    listener: &'a TcpListener,
    config: &'a Config,
    log: &'a Log<'a>,
    registry: Mutex<Registry<Ticket>>,
    /// Connections of all loops.
    open: AtomicUsize,
    mailboxes: Vec<Mailbox>,
}

/// Where a waiting listener is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ticket {
    mailbox: usize,
    key: Key,
}

/// What other loops have for a loop.
struct Mailbox {
    letters: Mutex<Vec<Letter>>,
    waker: Waker,
    /// Connections of this loop, those on their way included.
    load: AtomicUsize,
}

enum Letter {
    /// A new connection, accepted at this time.
    Accepted(TcpStream, SocketAddr, Instant),
    /// A caller for a listener of this loop, which the registry has given to it.
    Call {
        listener: Key,
        caller: TcpStream,
        from: SocketAddr,
    },
}

impl Shared<'_> {
    fn registry(&self) -> MutexGuard<'_, Registry<Ticket>> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn post(&self, mailbox: usize, letter: Letter) {
        let mailbox = &self.mailboxes[mailbox];
        mailbox.load.fetch_add(1, Ordering::Relaxed);
        mailbox
            .letters
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(letter);
        mailbox.waker.wake();
    }
}

pub(super) fn run(listener: &TcpListener, config: &Config, log: &Log<'_>) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let loops = std::thread::available_parallelism().map_or(1, usize::from);
    let mailbox = |_| {
        Ok(Mailbox {
            letters: Mutex::default(),
            waker: Waker::new()?,
            load: AtomicUsize::new(0),
        })
    };
    let shared = Shared {
        listener,
        config,
        log,
        registry: Mutex::default(),
        open: AtomicUsize::new(0),
        mailboxes: (0..loops).map(mailbox).collect::<io::Result<_>>()?,
    };
    let loops = (0..loops)
        .map(|index| Loop::new(&shared, index))
        .collect::<io::Result<Vec<_>>>()?;
    std::thread::scope(|scope| {
        let threads: Vec<_> = loops
            .into_iter()
            .map(|mut each| scope.spawn(move || each.run()))
            .collect();
        // A loop ends only by an error, and the others cannot serve its listeners: so all end.
        threads
            .into_iter()
            .try_for_each(|thread| match thread.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            })
    })
}

/// What wakes at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Alarm {
    /// Accept again.
    Accept,
    /// A connection's deadline.
    Connection(Key),
    /// A pair's deadline.
    Pair(Key),
}

struct Connection {
    stream: TcpStream,
    from: SocketAddr,
    stage: Stage,
}

/// What a connection awaits.
enum Stage {
    /// The rest of its hello.
    Hello(Box<Session>),
    /// A caller under this id.
    Waiting(UserId),
    /// To be paired with the listener that the registry gave it.
    Called,
    /// The next bytes of its pair.
    Paired(Key, Side),
    /// The peer's end after an `X`, until this time; so many bytes came meanwhile.
    Refused(Instant, usize),
}

struct Pair {
    id: UserId,
    connections: Sides<Key>,
    pump: Pump,
    carrier: Carrier,
    /// The time of the earliest alarm that is armed.
    armed: Option<Instant>,
    /// It has had its turn and could do more.
    queued: bool,
}

struct Loop<'a> {
    shared: &'a Shared<'a>,
    index: usize,
    epoll: Epoll,
    acceptor: Acceptor,
    connections: Slab<Connection>,
    pairs: Slab<Pair>,
    timers: Timers<Alarm>,
    tools: carrier::Tools,
    /// Pairs that wait for another turn.
    queue: Vec<Key>,
}

impl<'a> Loop<'a> {
    fn new(shared: &'a Shared<'a>, index: usize) -> io::Result<Self> {
        let epoll = Epoll::new()?;
        epoll.add(&shared.mailboxes[index].waker, WAKER, Watch::Waker)?;
        Ok(Self {
            shared,
            index,
            epoll,
            acceptor: Acceptor::default(),
            connections: Slab::default(),
            pairs: Slab::default(),
            timers: Timers::default(),
            tools: carrier::Tools::default(),
            queue: Vec::new(),
        })
    }

    fn run(&mut self) -> io::Result<()> {
        let mut events = Events::default();
        let mut turn = Vec::new();
        self.resume_accepting()?;
        loop {
            let timeout = if self.queue.is_empty() {
                self.timers
                    .next()
                    .map(|at| at.saturating_duration_since(Instant::now()))
            } else {
                Some(Duration::ZERO)
            };
            self.epoll.wait(&mut events, timeout)?;
            let now = Instant::now();
            for event in events.iter() {
                match event.token {
                    WAKER => self.read_letters(now),
                    LISTENER => self.accept(now),
                    token => self.handle_event(Key::from_bits(token), event, now),
                }
            }
            std::mem::swap(&mut turn, &mut self.queue);
            for pair in turn.drain(..) {
                if let Some(pair) = self.pairs.get_mut(pair) {
                    pair.queued = false;
                }
                self.run_pair(pair, now);
            }
            while let Some(alarm) = self.timers.pop(now) {
                self.handle_alarm(alarm, now)?;
            }
        }
    }

    fn read_letters(&mut self, now: Instant) {
        let mailbox = &self.shared.mailboxes[self.index];
        // Cleared first: a letter posted after the taking has its own wake.
        mailbox.waker.clear();
        let letters = std::mem::take(
            &mut *mailbox
                .letters
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
        for letter in letters {
            match letter {
                Letter::Accepted(stream, from, accepted) => self.welcome(stream, from, accepted),
                Letter::Call {
                    listener,
                    caller,
                    from,
                } => {
                    // Nobody else can have removed the listener: the registry gave it to this letter.
                    match self.keep(Connection {
                        stream: caller,
                        from,
                        stage: Stage::Called,
                    }) {
                        Some(caller) => self.pair(listener, caller, now),
                        None => self.close(listener),
                    }
                }
            }
        }
    }

    fn arm(&mut self, at: Instant, alarm: Alarm) {
        let (connections, pairs) = (&self.connections, &self.pairs);
        self.timers.arm(at, alarm, |alarm| match alarm {
            Alarm::Accept => true,
            Alarm::Connection(key) => connections.get(*key).is_some_and(|connection| {
                matches!(connection.stage, Stage::Hello(_) | Stage::Refused(..))
            }),
            Alarm::Pair(key) => pairs.get(*key).is_some(),
        });
    }

    fn handle_alarm(&mut self, alarm: Alarm, now: Instant) -> io::Result<()> {
        match alarm {
            Alarm::Accept => return self.resume_accepting(),
            Alarm::Connection(key) => match self
                .connections
                .get(key)
                .map(|connection| &connection.stage)
            {
                Some(Stage::Hello(session)) => {
                    if let Asked::Refuse(refusal) = session.handle_time(now) {
                        self.log_refusal(key, None, refusal);
                        if let Some(connection) = self.connections.get(key) {
                            // It had its time: no lingering on top of it.
                            let _ = (&connection.stream).write(&[NO]);
                        }
                        self.close(key);
                    }
                }
                Some(Stage::Refused(until, _)) if *until <= now => self.close(key),
                _ => {}
            },
            Alarm::Pair(key) => {
                if let Some(pair) = self.pairs.get_mut(key) {
                    pair.armed = None;
                    let streams = streams(&self.connections, pair);
                    pair.pump.handle_queued(streams.map_or(0, queued), now);
                    self.settle(key, now);
                }
            }
        }
        Ok(())
    }

    /// A new connection: its hello is awaited.
    fn welcome(&mut self, stream: TcpStream, from: SocketAddr, accepted: Instant) {
        let session = Session::new(accepted, self.shared.config.hello_timeout);
        let deadline = session.deadline();
        let stage = Stage::Hello(Box::new(session));
        if let Some(key) = self.keep(Connection {
            stream,
            from,
            stage,
        }) {
            self.arm(deadline, Alarm::Connection(key));
        }
    }

    /// Watches a connection that is already counted; drops it when the kernel refuses.
    fn keep(&mut self, connection: Connection) -> Option<Key> {
        let key = self.connections.insert(connection);
        let added = self.connections.get(key).map(|connection| {
            self.epoll
                .add(&connection.stream, key.to_bits(), Watch::Stream)
        });
        if matches!(added, Some(Ok(()))) {
            return Some(key);
        }
        self.close(key);
        None
    }

    /// Closes one connection and gives its place back: the one way that a connection goes.
    fn close(&mut self, key: Key) {
        if self.connections.remove(key).is_some() {
            self.shared.mailboxes[self.index]
                .load
                .fetch_sub(1, Ordering::Relaxed);
            self.shared.open.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn handle_event(&mut self, key: Key, event: Readiness, now: Instant) {
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        match &mut connection.stage {
            Stage::Hello(_) => {
                self.read_hello(key, now);
                if event.ended {
                    self.leave(key);
                }
            }
            Stage::Waiting(_) if event.ended => self.leave(key),
            Stage::Waiting(_) | Stage::Called => {}
            Stage::Paired(pair, side) => {
                let (key, side) = (*pair, *side);
                if let Some(pair) = self.pairs.get_mut(key) {
                    pair.carrier.ready(side, event);
                    self.run_pair(key, now);
                }
            }
            Stage::Refused(..) => self.drain(key),
        }
    }

    fn read_hello(&mut self, key: Key, now: Instant) {
        let mut buffer = [0; HELLO_MAX];
        loop {
            let Some(connection) = self.connections.get_mut(key) else {
                return;
            };
            let Stage::Hello(session) = &mut connection.stage else {
                return;
            };
            let asked = match connection.stream.peek(&mut buffer) {
                Ok(0) => None,
                Ok(count) => {
                    let (used, asked) = session.handle_bytes(&buffer[..count]);
                    // Bytes that were peeked at are there: the read is as long as asked.
                    connection
                        .stream
                        .read_exact(&mut buffer[..used])
                        .ok()
                        .map(|()| asked)
                }
                Err(error) if is_transient(&error) => return,
                Err(_) => None,
            };
            match asked {
                Some(Asked::Await) => {}
                Some(Asked::Refuse(refusal)) => return self.refuse(key, None, refusal, now),
                Some(Asked::Serve(hello)) => {
                    return match hello.role {
                        Role::Listener => self.register(key, hello.id),
                        Role::Caller => self.call(key, &hello.id, now),
                    };
                }
                None => {
                    let from = connection.from;
                    (self.shared.log)(&Event::Left {
                        from,
                        id: None,
                        reason: Reason::NoHello,
                    });
                    return self.close(key);
                }
            }
        }
    }

    fn register(&mut self, key: Key, id: UserId) {
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        connection.stage = Stage::Waiting(id.clone());
        // Logged under the lock: no caller's `matched` may come before it.
        let mut registry = self.shared.registry();
        (self.shared.log)(&Event::Registered {
            id: &id,
            from: connection.from,
        });
        registry.insert(
            id,
            Ticket {
                mailbox: self.index,
                key,
            },
        );
    }

    /// A listener's end was seen while it waited. If the registry no longer has it, a caller does,
    /// and will find the end itself.
    fn leave(&mut self, key: Key) {
        let Some(connection) = self.connections.get(key) else {
            return;
        };
        let Stage::Waiting(id) = &connection.stage else {
            return;
        };
        if self
            .shared
            .registry()
            .remove(id, |ticket| {
                ticket.mailbox == self.index && ticket.key == key
            })
            .is_some()
        {
            (self.shared.log)(&Event::Left {
                from: connection.from,
                id: Some(id),
                reason: Reason::Gone,
            });
            self.close(key);
        }
    }

    fn call(&mut self, caller: Key, id: &UserId, now: Instant) {
        let found = self.shared.registry().take(id);
        match found {
            None => self.refuse(caller, Some(id), Refusal::NobodyWaits, now),
            Some(ticket) if ticket.mailbox == self.index => self.pair(ticket.key, caller, now),
            Some(ticket) => {
                let Some(Connection { stream, from, .. }) = self.connections.remove(caller) else {
                    return;
                };
                self.shared.mailboxes[self.index]
                    .load
                    .fetch_sub(1, Ordering::Relaxed);
                // Cannot fail for a descriptor that is watched, and a closed loop would not care.
                let _ = self.epoll.remove(&stream);
                self.shared.post(
                    ticket.mailbox,
                    Letter::Call {
                        listener: ticket.key,
                        caller: stream,
                        from,
                    },
                );
            }
        }
    }

    fn log_refusal(&self, key: Key, id: Option<&UserId>, refusal: Refusal) {
        if let Some(Connection { from, .. }) = self.connections.get(key) {
            (self.shared.log)(&Event::Refused {
                from: *from,
                id,
                refusal,
            });
        }
    }

    /// Answers `X`, and takes in what the peer still sends before it closes: a close with unread
    /// bytes would become a reset, which can destroy the answer.
    fn refuse(&mut self, key: Key, id: Option<&UserId>, refusal: Refusal, now: Instant) {
        self.log_refusal(key, id, refusal);
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        let deadline = now + LINGER;
        connection.stage = Stage::Refused(deadline, 0);
        let answered = (&connection.stream).write_all(&[NO]);
        if answered
            .and_then(|()| connection.stream.shutdown(Shutdown::Write))
            .is_err()
        {
            return self.close(key);
        }
        self.arm(deadline, Alarm::Connection(key));
        self.drain(key);
    }

    fn drain(&mut self, key: Key) {
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        let Stage::Refused(_, taken) = &mut connection.stage else {
            return;
        };
        while *taken < LINGER_BYTES {
            match (&connection.stream).read(self.tools.buffer()) {
                Ok(count @ 1..) => *taken += count,
                Err(error) if is_transient(&error) => return,
                Ok(0) | Err(_) => break,
            }
        }
        self.close(key);
    }

    fn pair(&mut self, listener: Key, caller: Key, now: Instant) {
        let (Some(waiting), Some(calling)) =
            (self.connections.get(listener), self.connections.get(caller))
        else {
            return;
        };
        let Stage::Waiting(id) = &waiting.stage else {
            return;
        };
        let id = id.clone();
        let (listener_at, caller_at) = (waiting.from, calling.from);
        (self.shared.log)(&Event::Matched {
            id: &id,
            listener: listener_at,
            caller: caller_at,
        });
        let mut pump = Pump::new(
            now,
            self.shared.config.idle_timeout,
            self.shared.config.half_close,
        );
        if (&calling.stream).write_all(&[YES]).is_err() {
            pump.handle_write_failed(Side::Caller, false, now);
        }
        for connection in [waiting, calling] {
            // Without it a short message could wait for the acknowledgement of the one before.
            let _ = connection.stream.set_nodelay(true);
        }
        let key = self.pairs.insert(Pair {
            id,
            connections: Sides { listener, caller },
            pump,
            carrier: Carrier::default(),
            armed: None,
            queued: false,
        });
        for (connection, side) in [(listener, Side::Listener), (caller, Side::Caller)] {
            if let Some(connection) = self.connections.get_mut(connection) {
                connection.stage = Stage::Paired(key, side);
            }
        }
        self.run_pair(key, now);
    }

    fn run_pair(&mut self, key: Key, now: Instant) {
        let Some(pair) = self.pairs.get_mut(key) else {
            return;
        };
        let Some(streams) = streams(&self.connections, pair) else {
            return;
        };
        let more = pair
            .carrier
            .carry(&mut pair.pump, streams, &mut self.tools, now);
        if more && !pair.queued {
            pair.queued = true;
            self.queue.push(key);
        }
        self.settle(key, now);
    }

    /// Asks how the pair stands, and does what follows.
    fn settle(&mut self, key: Key, now: Instant) {
        let Some(pair) = self.pairs.get_mut(key) else {
            return;
        };
        let Some(streams) = streams(&self.connections, pair) else {
            return;
        };
        let verdict = match pair.pump.verdict(now) {
            Verdict::Deliver(survivor, _)
                if net::unsent(streams.get(survivor)).unwrap_or(0) == 0 =>
            {
                pair.pump.handle_delivered();
                pair.pump.verdict(now)
            }
            verdict => verdict,
        };
        let wake = match verdict {
            Verdict::Run(until) => until,
            Verdict::Deliver(_, until) => Some(until.min(now + DELIVERY)),
            Verdict::Close(reason) => return self.end(key, reason),
            Verdict::Reset(reason) => {
                for side in Side::BOTH {
                    net::reset(streams.get(side));
                }
                return self.end(key, reason);
            }
        };
        if let Some(at) = wake.filter(|&at| pair.armed.is_none_or(|armed| at < armed)) {
            pair.armed = Some(at);
            self.arm(at, Alarm::Pair(key));
        }
    }

    fn end(&mut self, key: Key, reason: Reason) {
        let Some(pair) = self.pairs.remove(key) else {
            return;
        };
        for side in Side::BOTH {
            self.close(*pair.connections.get(side));
        }
        (self.shared.log)(&Event::Closed {
            id: &pair.id,
            reason,
            listener_bytes: pair.pump.given(Side::Listener),
            caller_bytes: pair.pump.given(Side::Caller),
        });
    }
}

/// The two streams of a pair, which live as long as the pair does.
fn streams<'c>(connections: &'c Slab<Connection>, pair: &Pair) -> Option<Sides<&'c TcpStream>> {
    Some(Sides {
        listener: &connections.get(pair.connections.listener)?.stream,
        caller: &connections.get(pair.connections.caller)?.stream,
    })
}

/// Bytes that the kernel holds for the two and that were not acknowledged.
fn queued(streams: Sides<&TcpStream>) -> u64 {
    Side::BOTH
        .into_iter()
        .map(|side| net::unsent(streams.get(side)).unwrap_or(0) as u64)
        .sum()
}

fn is_transient(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}
