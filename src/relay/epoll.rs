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
mod greeter;
mod haste;
mod house;
mod mailbox;
mod pairs;

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use self::acceptor::Acceptor;
use self::house::Loops;
use self::mailbox::Mailbox;
use self::pairs::Pair;
use super::control::{Command, Control};
use super::places::{Place, Places};
use super::pump::Side;
use super::registry::Registry;
use super::session::Session;
use super::{Config, Log, Start, Stats, control};
use crate::io::{Key, Slab, Timers};
use crate::sys::linux::epoll::{Epoll, Event, Events, Watch};
use crate::wire::UserId;

/// Tokens that no [`Key`] has.
const WAKER: u64 = u64::MAX;
const LISTENER: u64 = u64::MAX - 1;

/// What the loops share.
struct Shared<'a> {
    config: &'a Config,
    stats: &'a Stats,
    log: &'a Log<'a>,
    control: &'a Control,
    registry: Mutex<Registry<Ticket>>,
    places: Arc<Places>,
    mailboxes: Vec<Mailbox>,
    /// All loops are to end.
    ended: AtomicBool,
}

/// Where a waiting listener is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ticket {
    mailbox: usize,
    key: Key,
}

impl Shared<'_> {
    fn registry(&self) -> MutexGuard<'_, Registry<Ticket>> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
        for mailbox in &self.mailboxes {
            mailbox.waker().wake();
        }
    }
}

pub(super) fn run(start: Start, config: &Config, stats: &Stats, log: &Log<'_>) -> io::Result<()> {
    let loops = thread::available_parallelism().map_or(1, usize::from);
    let shared = Shared {
        config,
        stats,
        log,
        control: &start.control,
        registry: Mutex::default(),
        places: Places::new(config.limits.clone(), start.control.clone()),
        ended: AtomicBool::new(false),
        mailboxes: (0..loops)
            .map(|_| Mailbox::new())
            .collect::<io::Result<_>>()?,
    };
    let loops = (0..loops)
        .map(|index| Loop::new(&shared, index))
        .collect::<io::Result<Vec<_>>>()?;
    thread::scope(|scope| {
        let shared = &shared;
        let mut threads = Vec::new();
        for mut each in loops {
            threads.push(scope.spawn(move || {
                let mut end = End(shared, each.index, None);
                end.2 = each.run().err();
            }));
        }
        let mut loops = Loops(shared);
        let kept = (start.claim)().and_then(|guests| {
            control::keep(&mut loops, start.listener, guests, &start.commands, log)
        });
        shared.end();
        for thread in threads {
            if let Err(panic) = thread.join() {
                std::panic::resume_unwind(panic);
            }
        }
        kept
    })
}

/// What the end of a loop means, a panic's too: nobody waits for it any more, and as the others
/// cannot serve its listeners, all end.
struct End<'a>(&'a Shared<'a>, usize, Option<io::Error>);

impl Drop for End<'_> {
    fn drop(&mut self) {
        let Self(shared, index, error) = self;
        shared.mailboxes[*index].close();
        let error = error.take();
        // Without effect after an end that was asked for.
        let error = error.unwrap_or_else(|| io::Error::other("a loop has ended"));
        shared.control.send(Command::Failed(error));
    }
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
    place: Place,
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
    /// This time, to be answered that nobody waits under this id.
    Missed(UserId, Instant),
    /// The peer's end after an `X`, until this time; so many bytes came meanwhile.
    Refused(Instant, usize),
}

struct Loop<'a> {
    shared: &'a Shared<'a>,
    index: usize,
    epoll: Epoll,
    /// What it accepts from, if it does: while it does not, no hello is read.
    listener: Option<Arc<TcpListener>>,
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
        epoll.add(shared.mailboxes[index].waker(), WAKER, Watch::Waker)?;
        Ok(Self {
            shared,
            index,
            epoll,
            listener: None,
            acceptor: Acceptor::default(),
            connections: Slab::default(),
            pairs: Slab::default(),
            timers: Timers::default(),
            tools: carrier::Tools::default(),
            queue: Vec::new(),
        })
    }

    fn mailbox(&self) -> &'a Mailbox {
        &self.shared.mailboxes[self.index]
    }

    fn run(&mut self) -> io::Result<()> {
        let mut events = Events::default();
        let mut turn = Vec::new();
        let mut rested = Instant::now();
        while !self.shared.ended.load(Ordering::Relaxed) {
            let timeout = if self.queue.is_empty() {
                self.timers
                    .next()
                    .map(|at| at.saturating_duration_since(rested))
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
                self.handle_alarm(alarm, now);
            }
            rested = Instant::now();
            self.shared.stats.turned(rested - now);
        }
        Ok(())
    }

    fn arm(&mut self, at: Instant, alarm: Alarm) {
        let (connections, pairs) = (&self.connections, &self.pairs);
        self.timers.arm(at, alarm, |alarm| match alarm {
            Alarm::Accept => true,
            Alarm::Connection(key) => connections.get(*key).is_some_and(|connection| {
                matches!(
                    connection.stage,
                    Stage::Hello(_) | Stage::Missed(..) | Stage::Refused(..)
                )
            }),
            Alarm::Pair(key) => pairs.get(*key).is_some(),
        });
    }

    fn handle_alarm(&mut self, alarm: Alarm, now: Instant) {
        match alarm {
            Alarm::Accept => self.resume_accepting(now),
            Alarm::Connection(key) => self.handle_deadline(key, now),
            Alarm::Pair(key) => self.handle_pair_alarm(key, now),
        }
    }

    /// Watches a connection that is already counted; drops it when the kernel refuses.
    fn keep(&mut self, connection: Connection) -> Option<Key> {
        let from = connection.from;
        let key = self.connections.insert(connection);
        let added = self.connections.get(key).map(|connection| {
            self.epoll
                .add(&connection.stream, key.to_bits(), Watch::Stream)
        });
        if matches!(added, Some(Ok(()))) {
            return Some(key);
        }
        (self.shared.log)(&super::Event::Refused {
            from,
            id: None,
            refusal: super::Refusal::Exhausted,
        });
        self.close(key);
        None
    }

    /// Closes one connection and gives its place back: the one way that a connection goes.
    fn close(&mut self, key: Key) {
        drop(self.release(key));
    }

    /// Takes one connection out.
    fn release(&mut self, key: Key) -> Option<Connection> {
        let connection = self.connections.remove(key)?;
        self.mailbox().discount();
        self.shared.stats.closed();
        Some(connection)
    }

    fn handle_event(&mut self, key: Key, event: Event, now: Instant) {
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        match &mut connection.stage {
            Stage::Hello(_) if self.listener.is_none() => {}
            Stage::Hello(_) => {
                self.read_hello(key, now);
                if event.ended {
                    self.leave(key);
                }
            }
            Stage::Waiting(_) if event.ended => self.leave(key),
            Stage::Waiting(_) | Stage::Called | Stage::Missed(..) => {}
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
}

fn is_transient(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}
