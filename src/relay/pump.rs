//! A pair: two directions, and how it ends.
//!
//! A machine without I/O and without a clock. The backend asks for the next [`Step`] of a
//! direction, does it, and reports what came of it; it asks for the [`Verdict`] on the pair when
//! something changed or the time that the last verdict named has come.
//!
//! The rules, which `doc/protocol.md` gives reasons for:
//! - Every byte taken from one side is given to the other before anything ends.
//! - The end of one side's data becomes the end of the other's; the way back stays open until it
//!   ends too, or until nothing has moved for the half-close time.
//! - A broken connection becomes a reset on the other side, after the other side's kernel has
//!   acknowledged all that came before: an error never looks like a clean end.

use std::time::{Duration, Instant};

use super::event::Reason;

/// How often a pair that moves, or has moved, is asked whether its peers still acknowledge.
pub(super) const LIVENESS: Duration = Duration::from_secs(15);
/// A peer that owes an acknowledgement for so long has vanished. One that merely does not read
/// acknowledges every 10 s at least (see `sys::net::watch_peer`).
const VANISHED: Duration = Duration::from_secs(40);

/// One of the two connections of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// The one that waited.
    Listener,
    /// The one that called.
    Caller,
}

impl Side {
    pub(super) const BOTH: [Self; 2] = [Self::Listener, Self::Caller];

    pub(super) fn other(self) -> Self {
        match self {
            Self::Listener => Self::Caller,
            Self::Caller => Self::Listener,
        }
    }

    fn lost(self) -> Reason {
        match self {
            Self::Listener => Reason::ListenerLost,
            Self::Caller => Reason::CallerLost,
        }
    }
}

/// Something for each side.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sides<T> {
    pub(super) listener: T,
    pub(super) caller: T,
}

impl<T> Sides<T> {
    pub(super) fn get(&self, side: Side) -> &T {
        match side {
            Side::Listener => &self.listener,
            Side::Caller => &self.caller,
        }
    }

    pub(super) fn get_mut(&mut self, side: Side) -> &mut T {
        match side {
            Side::Listener => &mut self.listener,
            Side::Caller => &mut self.caller,
        }
    }
}

/// What a direction needs done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Take bytes from the source.
    Read,
    /// Give the bytes that are held, this many, to the sink.
    Write(u64),
    /// End the sink's data (FIN): the source has ended and every byte was given.
    Finish,
    /// Nothing, ever again.
    Done,
}

/// How a pair stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It goes on; ask again at this time if nothing happened before.
    Run(Option<Instant>),
    /// One connection broke; this other side has been given everything, but its kernel may not have
    /// delivered it yet. Tell [`Pump::handle_delivered`] when it has, and ask again at the time.
    Deliver(Side, Instant),
    /// Close both: nothing is under way.
    Close(Reason),
    /// Reset both: something may be lost, and must not look as if it were not.
    Reset(Reason),
}

/// The direction from one side to the other.
#[derive(Clone, Copy, Debug, Default)]
struct Flow {
    /// Bytes taken and not yet given.
    held: u64,
    /// Bytes given.
    given: u64,
    /// The source has ended its data, or can be read no more.
    ended: bool,
    /// The source's end is no clean one.
    broken: bool,
    /// At the last look the source had sent bytes that were not taken yet.
    unread: bool,
    /// The sink has been told so.
    finished: bool,
}

/// A pair of connections.
#[derive(Debug)]
pub(super) struct Pump {
    /// Each direction, by its source.
    flows: Sides<Flow>,
    /// Nothing more can be given to this side: its connection broke.
    lost: Sides<bool>,
    delivered: bool,
    /// The verdict that ended the pair. What a backend sees after it, it did itself.
    over: Option<Verdict>,
    idle: Option<Duration>,
    half_close: Duration,
    last_moved: Instant,
    /// Bytes that both kernels held at the last look, since anything moved here.
    queued: Option<u64>,
    /// When to ask whether all that was given was acknowledged; `None` once it was.
    unproved: Option<Instant>,
}

impl Pump {
    /// A pair that was matched at `now`.
    pub(super) fn new(now: Instant, idle: Option<Duration>, half_close: Duration) -> Self {
        Self {
            flows: Sides::default(),
            lost: Sides::default(),
            delivered: false,
            over: None,
            idle,
            half_close,
            last_moved: now,
            queued: None,
            unproved: None,
        }
    }

    /// What the direction from `source` needs next.
    pub(super) fn step(&self, source: Side) -> Step {
        let flow = self.flows.get(source);
        if self.over.is_some() || *self.lost.get(source.other()) || flow.finished {
            Step::Done
        } else if flow.held > 0 {
            Step::Write(flow.held)
        } else if !flow.ended {
            Step::Read
        } else if flow.broken {
            Step::Done
        } else {
            Step::Finish
        }
    }

    /// `count` bytes were taken from `source`.
    pub(super) fn handle_read(&mut self, source: Side, count: u64, now: Instant) {
        self.flows.get_mut(source).held += count;
        self.moved(now);
    }

    /// `source` has ended its data.
    pub(super) fn handle_end(&mut self, source: Side, now: Instant) {
        self.flows.get_mut(source).ended = true;
        self.moved(now);
    }

    /// `count` of the held bytes from `source` were given to the other side.
    pub(super) fn handle_written(&mut self, source: Side, count: u64, now: Instant) {
        let flow = self.flows.get_mut(source);
        debug_assert!(count <= flow.held);
        flow.held -= count;
        flow.given += count;
        self.unproved.get_or_insert(now + LIVENESS);
        self.moved(now);
    }

    /// The other side was told that the data of `source` have ended.
    pub(super) fn handle_finished(&mut self, source: Side, now: Instant) {
        self.flows.get_mut(source).finished = true;
        self.moved(now);
    }

    /// Reading from `source` failed: there is nothing more to be had from it, or given to it.
    pub(super) fn handle_read_failed(&mut self, source: Side, now: Instant) {
        let flow = self.flows.get_mut(source);
        (flow.ended, flow.broken) = (true, true);
        *self.lost.get_mut(source) = true;
        self.moved(now);
    }

    /// Writing to `sink` failed: nothing more can be given to it. What it sent before it broke can
    /// still be read, and is. `after_end` says that its data had ended before (the system answers
    /// `EPIPE` then, and else the error that broke it), so that the end to be read is a clean one.
    pub(super) fn handle_write_failed(&mut self, sink: Side, after_end: bool, now: Instant) {
        *self.lost.get_mut(sink) = true;
        self.flows.get_mut(sink).broken |= !after_end;
        self.moved(now);
    }

    /// The side that [`Verdict::Deliver`] named has acknowledged everything.
    pub(super) fn handle_delivered(&mut self) {
        self.delivered = true;
    }

    /// The kernels hold `count` bytes of the pair that the peers have not acknowledged. To be told
    /// before a verdict is asked for because time has passed: a slow peer that is still working off
    /// what its kernel holds is moving.
    pub(super) fn handle_queued(&mut self, count: u64, now: Instant) {
        if count > 0 && self.queued.is_none_or(|before| count < before) {
            self.last_moved = now;
        }
        self.queued = Some(count);
        if self.unproved.is_some_and(|at| at <= now) {
            self.unproved = (count > 0).then(|| now + LIVENESS);
        }
    }

    /// `side` has acknowledged nothing for so long, although it has something to acknowledge.
    pub(super) fn handle_silence(&mut self, side: Side, silence: Duration, now: Instant) {
        if silence >= VANISHED {
            self.handle_read_failed(side, now);
        }
    }

    /// Whether `source` has sent bytes that were not taken yet. To be told before a verdict is asked
    /// for because time has passed: a pair that ends with such bytes does not end well.
    pub(super) fn handle_unread(&mut self, source: Side, unread: bool) {
        self.flows.get_mut(source).unread = unread;
    }

    /// How the pair stands at `now`. An end is final: it is the answer from then on.
    pub(super) fn verdict(&mut self, now: Instant) -> Verdict {
        if let Some(over) = self.over {
            return over;
        }
        let verdict = self.judge(now);
        if matches!(verdict, Verdict::Close(_) | Verdict::Reset(_)) {
            self.over = Some(verdict);
        }
        verdict
    }

    fn judge(&self, now: Instant) -> Verdict {
        let Sides { listener, caller } = self.flows;
        if listener.finished && caller.finished {
            return Verdict::Close(Reason::Finished);
        }
        let stalled = |after: Duration| now >= self.last_moved + after;
        if let Some(lost) = Side::BOTH.into_iter().find(|&side| *self.lost.get(side)) {
            let (reason, until) = (lost.lost(), self.last_moved + self.half_close);
            let survivor_lost = *self.lost.get(lost.other());
            return match self.step(lost) {
                _ if survivor_lost || self.delivered || stalled(self.half_close) => {
                    Verdict::Reset(reason)
                }
                Step::Done => Verdict::Deliver(lost.other(), until),
                _ => Verdict::Run(Some(until)),
            };
        }
        if listener.ended || caller.ended {
            if !stalled(self.half_close) {
                return self.run_until(Some(self.last_moved + self.half_close));
            }
            // Closing is right only if nobody misses a byte.
            let lacks = |flow: Flow| flow.held > 0 || flow.unread || flow.ended != flow.finished;
            return if lacks(listener) || lacks(caller) {
                Verdict::Reset(Reason::HalfClose)
            } else {
                Verdict::Close(Reason::HalfClose)
            };
        }
        let idle_at = self.idle.map(|idle| self.last_moved + idle);
        match idle_at {
            Some(at) if at <= now => Verdict::Reset(Reason::Idle),
            _ => self.run_until(idle_at),
        }
    }

    fn run_until(&self, until: Option<Instant>) -> Verdict {
        Verdict::Run(until.into_iter().chain(self.unproved).min())
    }

    /// Whether the end of `source` is all that is left of the pair, so that to close it passes that on.
    #[cfg(all(target_os = "linux", feature = "libc"))]
    pub(super) fn is_last_end(&self, source: Side) -> bool {
        self.step(source) == Step::Finish && self.flows.get(source.other()).finished
    }

    /// Bytes that `source` has had given to the other side.
    pub(super) fn given(&self, source: Side) -> u64 {
        self.flows.get(source).given
    }

    fn moved(&mut self, now: Instant) {
        self.last_moved = now;
        self.queued = None;
    }
}

#[cfg(test)]
mod tests {
    use super::Side::{Caller, Listener};
    use super::*;

    const HALF_CLOSE: Duration = Duration::from_secs(30);
    const IDLE: Duration = Duration::from_secs(60);

    /// A pair and the time, which passes only when a test says so.
    struct Play {
        pump: Pump,
        now: Instant,
    }

    impl Play {
        fn new(idle: Option<Duration>) -> Self {
            let now = Instant::now();
            Self {
                pump: Pump::new(now, idle, HALF_CLOSE),
                now,
            }
        }

        fn pass(&mut self, time: Duration) {
            self.now += time;
        }

        fn carry(&mut self, source: Side, count: u64) {
            assert_eq!(self.pump.step(source), Step::Read);
            self.pump.handle_read(source, count, self.now);
            assert_eq!(self.pump.step(source), Step::Write(count));
            self.pump.handle_written(source, count, self.now);
        }

        fn end(&mut self, source: Side) {
            self.pump.handle_end(source, self.now);
            assert_eq!(self.pump.step(source), Step::Finish);
            self.pump.handle_finished(source, self.now);
            assert_eq!(self.pump.step(source), Step::Done);
        }

        fn verdict(&mut self) -> Verdict {
            self.pump.verdict(self.now)
        }
    }

    #[test]
    fn a_pair_at_rest_has_no_deadline() {
        let mut play = Play::new(None);
        play.carry(Caller, 10);
        assert_eq!(play.verdict(), Verdict::Run(Some(play.now + LIVENESS)));
        play.pass(LIVENESS);
        play.pump.handle_queued(0, play.now);
        assert_eq!(play.verdict(), Verdict::Run(None));
    }

    #[test]
    fn a_part_that_was_taken_is_written_before_more_is_read() {
        let mut play = Play::new(None);
        play.pump.handle_read(Caller, 10, play.now);
        play.pump.handle_written(Caller, 4, play.now);
        assert_eq!(play.pump.step(Caller), Step::Write(6));
        assert_eq!(play.pump.given(Caller), 4);
        assert_eq!(play.pump.step(Listener), Step::Read);
    }

    #[test]
    fn the_end_is_passed_on_after_the_last_byte() {
        let mut play = Play::new(None);
        play.pump.handle_read(Caller, 10, play.now);
        play.pump.handle_end(Caller, play.now);
        assert_eq!(play.pump.step(Caller), Step::Write(10));
        play.pump.handle_written(Caller, 10, play.now);
        assert_eq!(play.pump.step(Caller), Step::Finish);
    }

    #[test]
    fn the_way_back_stays_open_and_both_ends_finish_the_pair() {
        for (first, second) in [(Caller, Listener), (Listener, Caller)] {
            let mut play = Play::new(None);
            play.end(first);
            play.pass(HALF_CLOSE - Duration::from_secs(1));
            play.carry(second, 1);
            assert_eq!(play.verdict(), Verdict::Run(Some(play.now + LIVENESS)));
            play.end(second);
            assert_eq!(play.verdict(), Verdict::Close(Reason::Finished));
        }
    }

    #[test]
    #[cfg(all(target_os = "linux", feature = "libc"))]
    fn the_last_end_is_the_one_behind_which_nothing_is_to_come() {
        let mut play = Play::new(None);
        play.pump.handle_end(Caller, play.now);
        assert!(!play.pump.is_last_end(Caller));
        play.pump.handle_finished(Caller, play.now);
        play.pump.handle_read(Listener, 1, play.now);
        play.pump.handle_end(Listener, play.now);
        assert!(!play.pump.is_last_end(Listener));
        play.pump.handle_written(Listener, 1, play.now);
        assert!(play.pump.is_last_end(Listener));
    }

    #[test]
    fn after_one_end_a_silence_of_the_half_close_time_closes_the_pair() {
        let mut play = Play::new(None);
        play.end(Caller);
        play.pass(HALF_CLOSE);
        assert_eq!(play.verdict(), Verdict::Close(Reason::HalfClose));
    }

    #[test]
    fn a_silence_that_costs_bytes_resets_the_pair() {
        // The other side's bytes are held, or unread; or the end itself cannot be passed on.
        let held = |play: &mut Play| play.pump.handle_read(Listener, 1, play.now);
        let unread = |play: &mut Play| play.pump.handle_unread(Listener, true);
        for miss in [held, unread] {
            let mut play = Play::new(None);
            play.end(Caller);
            miss(&mut play);
            play.pass(HALF_CLOSE);
            assert_eq!(play.verdict(), Verdict::Reset(Reason::HalfClose));
        }
        let mut play = Play::new(None);
        play.pump.handle_read(Caller, 1, play.now);
        play.pump.handle_end(Caller, play.now);
        play.pass(HALF_CLOSE);
        assert_eq!(play.verdict(), Verdict::Reset(Reason::HalfClose));
    }

    #[test]
    fn a_verdict_that_ended_the_pair_stands_whatever_is_seen_after_it() {
        let mut play = Play::new(Some(IDLE));
        play.pass(IDLE);
        assert_eq!(play.verdict(), Verdict::Reset(Reason::Idle));
        play.pump.handle_end(Caller, play.now);
        play.pump.handle_read_failed(Listener, play.now);
        assert_eq!(play.verdict(), Verdict::Reset(Reason::Idle));
        assert_eq!(play.pump.step(Caller), Step::Done);
        assert_eq!(play.pump.step(Listener), Step::Done);
    }

    #[test]
    fn a_slow_peer_that_works_off_its_kernels_queue_is_not_silent() {
        let mut play = Play::new(None);
        play.end(Caller);
        for queued in [3000, 2000, 1000] {
            play.pass(HALF_CLOSE);
            play.pump.handle_queued(queued, play.now);
            assert_eq!(play.verdict(), Verdict::Run(Some(play.now + HALF_CLOSE)));
        }
        play.pass(HALF_CLOSE);
        play.pump.handle_queued(1000, play.now);
        assert_eq!(play.verdict(), Verdict::Close(Reason::HalfClose));
    }

    #[test]
    fn a_peer_that_reads_nothing_is_asked_after_and_one_that_vanished_is_lost() {
        let mut play = Play::new(None);
        play.carry(Caller, 10);
        for _ in 0..100 {
            play.pass(LIVENESS);
            play.pump.handle_queued(10, play.now);
            play.pump
                .handle_silence(Listener, Duration::from_secs(10), play.now);
            assert_eq!(play.verdict(), Verdict::Run(Some(play.now + LIVENESS)));
        }
        play.pass(LIVENESS);
        play.pump.handle_silence(Listener, VANISHED, play.now);
        assert!(matches!(play.verdict(), Verdict::Deliver(Caller, _)));
        play.pump.handle_delivered();
        assert_eq!(play.verdict(), Verdict::Reset(Reason::ListenerLost));
    }

    #[test]
    fn an_idle_pair_is_reset_and_a_busy_one_is_not() {
        let mut play = Play::new(Some(IDLE));
        play.pass(IDLE - Duration::from_secs(1));
        play.carry(Listener, 1);
        play.pass(LIVENESS);
        play.pump.handle_queued(0, play.now);
        assert_eq!(
            play.verdict(),
            Verdict::Run(Some(play.now + IDLE - LIVENESS))
        );
        play.pass(IDLE - LIVENESS);
        assert_eq!(play.verdict(), Verdict::Reset(Reason::Idle));
    }

    #[test]
    fn a_side_that_cannot_be_read_resets_the_other_after_everything_was_delivered() {
        for (lost, reason) in [
            (Caller, Reason::CallerLost),
            (Listener, Reason::ListenerLost),
        ] {
            let mut play = Play::new(None);
            play.pump.handle_read(lost, 10, play.now);
            play.pump.handle_read_failed(lost, play.now);
            let until = play.now + HALF_CLOSE;
            assert_eq!(play.pump.step(lost.other()), Step::Done);
            assert_eq!(play.pump.step(lost), Step::Write(10));
            assert_eq!(play.verdict(), Verdict::Run(Some(until)));
            play.pump.handle_written(lost, 10, play.now);
            assert_eq!(play.pump.step(lost), Step::Done);
            assert_eq!(play.verdict(), Verdict::Deliver(lost.other(), until));
            play.pump.handle_delivered();
            assert_eq!(play.verdict(), Verdict::Reset(reason));
        }
    }

    #[test]
    fn what_a_side_sent_before_it_could_not_be_written_is_still_read() {
        for after_end in [true, false] {
            let mut play = Play::new(None);
            play.pump.handle_read(Listener, 5, play.now);
            play.pump.handle_write_failed(Caller, after_end, play.now);
            assert_eq!(play.pump.step(Listener), Step::Done);
            play.carry(Caller, 10);
            assert!(matches!(play.verdict(), Verdict::Run(Some(_))));
            play.pump.handle_end(Caller, play.now);
            // Its end is passed on only if it was one.
            let step = if after_end { Step::Finish } else { Step::Done };
            assert_eq!(play.pump.step(Caller), step);
            if after_end {
                play.pump.handle_finished(Caller, play.now);
            }
            assert!(matches!(play.verdict(), Verdict::Deliver(Listener, _)));
        }
    }

    #[test]
    fn a_survivor_that_takes_nothing_is_reset_after_the_half_close_time() {
        let mut play = Play::new(None);
        play.pump.handle_read(Caller, 10, play.now);
        play.pump.handle_read_failed(Caller, play.now);
        play.pass(HALF_CLOSE);
        assert_eq!(play.verdict(), Verdict::Reset(Reason::CallerLost));
    }

    #[test]
    fn two_broken_sides_end_at_once() {
        let mut play = Play::new(None);
        play.pump.handle_read(Caller, 10, play.now);
        play.pump.handle_read_failed(Caller, play.now);
        play.pump.handle_write_failed(Listener, false, play.now);
        assert!(matches!(play.verdict(), Verdict::Reset(_)));
    }
}
