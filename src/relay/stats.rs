//! What a relay has done and has, in numbers.
//!
//! Each thread adds to a cell of its own with relaxed atomics, so that counting costs no lock and no
//! cache line that another core wants; reading sums the cells. A reader may thus see one event in
//! one number and not yet in another.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::thread::available_parallelism;
use std::time::{Duration, SystemTime};

use super::config::Backend;
use super::event::{Event, Reason, Refusal};
use super::pump::{Side, Sides};

/// How many different reasons of one kind are told apart; later ones are not counted.
const REASONS: usize = 32;

/// Upper bounds of the classes that turns of an event loop are counted in; longer ones have a class
/// of their own.
pub const TURN_BOUNDS: [Duration; 8] = [
    Duration::from_micros(50),
    Duration::from_micros(200),
    Duration::from_millis(1),
    Duration::from_millis(5),
    Duration::from_millis(20),
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(2),
];

/// A relay's counters, which count from its making and never go back.
#[derive(Debug)]
pub struct Stats {
    started: SystemTime,
    backend: Backend,
    refusals: Words,
    closes: Words,
    cells: Box<[Cell]>,
}

/// A relay's numbers at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// When the relay was made.
    pub started: SystemTime,
    /// How it does its I/O.
    pub backend: Backend,
    /// Connections accepted so far.
    pub accepted: u64,
    /// Failures to accept a connection so far.
    pub accept_errors: u64,
    /// Connections that are open.
    pub connections: u64,
    /// Listeners that wait.
    pub listeners: u64,
    /// Pairs that run.
    pub pairs: u64,
    /// Callers that found a listener so far.
    pub matches: u64,
    /// Bytes from listeners that were given to callers so far.
    pub listener_bytes: u64,
    /// Bytes from callers that were given to listeners so far.
    pub caller_bytes: u64,
    /// Connections answered `X` so far, by [`Refusal::word`].
    pub refusals: Vec<(&'static str, u64)>,
    /// Ends of pairs, of waiting listeners, and of connections without a hello so far, by
    /// [`Reason::word`].
    pub closes: Vec<(&'static str, u64)>,
    /// Turns of the event loops; `None` where the backend has none.
    pub turns: Option<Turns>,
}

/// How long the event loops were busy from one wait to the next: so long did what came meanwhile
/// have to wait.
#[derive(Clone, Debug)]
pub struct Turns {
    /// Turns no longer than each of [`TURN_BOUNDS`] and longer than the bound before; last, those
    /// longer than all.
    pub classes: [u64; TURN_BOUNDS.len() + 1],
    /// All turns together.
    pub sum: Duration,
}

/// One thread's counters, on cache lines of their own: two lines, because x86 fetches them in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Cell {
    bytes: Sides<AtomicU64>,
    turns: [AtomicU64; TURN_BOUNDS.len() + 1],
    turn_nanoseconds: AtomicU64,
    accepted: AtomicU64,
    accept_errors: AtomicU64,
    opened: AtomicU64,
    closed: AtomicU64,
    registered: AtomicU64,
    matched: AtomicU64,
    unregistered: AtomicU64,
    unpaired: AtomicU64,
    refusals: [AtomicU64; REASONS],
    closes: [AtomicU64; REASONS],
}

/// The reasons that have a place in the cells, in the order in which they came.
#[derive(Debug, Default)]
struct Words([OnceLock<&'static str>; REASONS]);

impl Words {
    /// With these in their places, so that they are shown before they happen.
    fn new(known: impl Iterator<Item = &'static str>) -> Self {
        let words = Self::default();
        known.for_each(|word| {
            words.place(word);
        });
        words
    }

    fn place(&self, word: &'static str) -> Option<usize> {
        self.0
            .iter()
            .position(|place| *place.get_or_init(|| word) == word)
    }

    fn read<'w>(
        &'w self,
        count: impl Fn(usize) -> u64 + 'w,
    ) -> impl Iterator<Item = (&'static str, u64)> + 'w {
        let words = self.0.iter().map_while(|place| place.get().copied());
        words.enumerate().map(move |(at, word)| (word, count(at)))
    }
}

impl Stats {
    /// All at zero, for a relay with this backend.
    pub(super) fn new(backend: Backend) -> Self {
        let cells = available_parallelism().map_or(1, usize::from);
        Self {
            started: SystemTime::now(),
            backend,
            refusals: Words::new(Refusal::ALL.iter().map(|refusal| refusal.word())),
            closes: Words::new(Reason::ALL.iter().map(|reason| reason.word())),
            cells: (0..cells).map(|_| Cell::default()).collect(),
        }
    }

    /// The calling thread's cell.
    fn cell(&self) -> &Cell {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static NUMBER: usize = THREADS.fetch_add(1, Relaxed);
        }
        &self.cells[NUMBER.with(|number| number % self.cells.len())]
    }

    /// A connection was accepted.
    pub(super) fn accepted(&self) {
        self.cell().accepted.fetch_add(1, Relaxed);
    }

    /// Accepting failed.
    pub(super) fn accept_failed(&self) {
        self.cell().accept_errors.fetch_add(1, Relaxed);
    }

    /// One more connection is open.
    pub(super) fn opened(&self) {
        self.cell().opened.fetch_add(1, Relaxed);
    }

    /// One connection less is open.
    pub(super) fn closed(&self) {
        self.cell().closed.fetch_add(1, Relaxed);
    }

    /// `count` bytes from `source` were given to the other side.
    pub(super) fn moved(&self, source: Side, count: u64) {
        if count > 0 {
            self.cell().bytes.get(source).fetch_add(count, Relaxed);
        }
    }

    /// An event loop was busy for so long.
    #[cfg(all(target_os = "linux", feature = "libc"))]
    pub(super) fn turned(&self, busy: Duration) {
        let class = TURN_BOUNDS.iter().position(|&bound| busy <= bound);
        let cell = self.cell();
        cell.turns[class.unwrap_or(TURN_BOUNDS.len())].fetch_add(1, Relaxed);
        let nanoseconds = u64::try_from(busy.as_nanos()).unwrap_or(u64::MAX);
        cell.turn_nanoseconds.fetch_add(nanoseconds, Relaxed);
    }

    /// Counts an event.
    pub(super) fn note(&self, event: &Event<'_>) {
        let cell = self.cell();
        let close = |reason: Reason| {
            if let Some(place) = self.closes.place(reason.word()) {
                cell.closes[place].fetch_add(1, Relaxed);
            }
        };
        match *event {
            Event::Registered { .. } => {
                cell.registered.fetch_add(1, Relaxed);
            }
            Event::Matched { .. } => {
                cell.matched.fetch_add(1, Relaxed);
            }
            Event::Refused { refusal, .. } => {
                if let Some(place) = self.refusals.place(refusal.word()) {
                    cell.refusals[place].fetch_add(1, Relaxed);
                }
            }
            Event::Left { id, reason, .. } => {
                close(reason);
                // Who had an id had registered it.
                cell.unregistered
                    .fetch_add(u64::from(id.is_some()), Relaxed);
            }
            Event::Closed { reason, .. } => {
                close(reason);
                cell.unpaired.fetch_add(1, Relaxed);
            }
        }
    }

    /// The numbers now.
    pub fn snapshot(&self) -> Snapshot {
        let sum = |counter: &dyn Fn(&Cell) -> &AtomicU64| -> u64 {
            self.cells
                .iter()
                .map(|cell| counter(cell).load(Relaxed))
                .sum()
        };
        // What is taken off is read first; an event between the two readings can only add.
        let (closed, unpaired) = (sum(&|cell| &cell.closed), sum(&|cell| &cell.unpaired));
        let unregistered = sum(&|cell| &cell.unregistered);
        let matches = sum(&|cell| &cell.matched);
        Snapshot {
            started: self.started,
            backend: self.backend,
            accepted: sum(&|cell| &cell.accepted),
            accept_errors: sum(&|cell| &cell.accept_errors),
            connections: sum(&|cell| &cell.opened).saturating_sub(closed),
            listeners: sum(&|cell| &cell.registered).saturating_sub(unregistered + matches),
            pairs: matches.saturating_sub(unpaired),
            matches,
            listener_bytes: sum(&|cell| &cell.bytes.listener),
            caller_bytes: sum(&|cell| &cell.bytes.caller),
            refusals: self
                .refusals
                .read(|place| sum(&|cell| &cell.refusals[place]))
                .collect(),
            closes: self
                .closes
                .read(|place| sum(&|cell| &cell.closes[place]))
                .collect(),
            turns: (self.backend != Backend::Threads).then(|| Turns {
                classes: std::array::from_fn(|class| sum(&|cell| &cell.turns[class])),
                sum: Duration::from_nanos(sum(&|cell| &cell.turn_nanoseconds)),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_that_nobody_foresaw_has_its_own_count_from_its_first_time() {
        let words = Words::new(["a", "b", "a"].into_iter());
        assert_eq!(words.place("b"), Some(1));
        assert_eq!(words.place("c"), Some(2));
        let read: Vec<_> = words.read(|place| place as u64).collect();
        assert_eq!(read, [("a", 0), ("b", 1), ("c", 2)]);
    }

    #[test]
    fn more_reasons_than_there_is_room_for_are_left_out() {
        let words = Words::default();
        for number in 0..REASONS {
            let word = format!("word-{number}").leak();
            assert_eq!(words.place(word), Some(number));
        }
        assert_eq!(words.place("one more"), None);
        assert_eq!(words.place("word-1"), Some(1));
        assert!(Refusal::ALL.len() < REASONS && Reason::ALL.len() < REASONS);
    }
}
