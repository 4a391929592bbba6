//! Pairs: their making, their turns, their end.

use std::io::Write;
use std::net::TcpStream;
use std::time::Instant;

use super::carrier::Carrier;
use super::{Alarm, Connection, Loop, Stage};
use crate::io::{Key, Slab};
use crate::relay::event::{Event, Reason};
use crate::relay::pump::{Pump, Side, Sides, Verdict};
use crate::relay::throttle::Throttle;
use crate::relay::{DELIVERY, look};
use crate::sys::net;
use crate::wire::{UserId, YES};

pub(super) struct Pair {
    id: UserId,
    connections: Sides<Key>,
    pump: Pump,
    pub(super) carrier: Carrier,
    /// The time of the earliest alarm that is armed.
    armed: Option<Instant>,
    /// It has had its turn and could do more.
    pub(super) queued: bool,
}

impl Loop<'_> {
    pub(super) fn pair(&mut self, listener: Key, caller: Key, now: Instant) {
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
        let sources = Sides {
            listener: waiting.place.bytes(),
            caller: calling.place.bytes(),
        };
        let throttle = Throttle::new(self.shared.config.limits.pair_bytes, sources, now);
        let key = self.pairs.insert(Pair {
            id,
            connections: Sides { listener, caller },
            pump,
            carrier: Carrier::new(throttle),
            armed: None,
            queued: false,
        });
        for (connection, side) in [(listener, Side::Listener), (caller, Side::Caller)] {
            if let Some(connection) = self.connections.get_mut(connection) {
                connection.stage = Stage::Paired(key, side);
                connection.place.listens_no_more();
            }
        }
        self.run_pair(key, now);
    }

    /// The time that a pair's last verdict named has come.
    pub(super) fn handle_pair_alarm(&mut self, key: Key, now: Instant) {
        let Some(pair) = self.pairs.get_mut(key) else {
            return;
        };
        pair.armed = None;
        let Some(streams) = streams(&self.connections, pair) else {
            return;
        };
        look(&mut pair.pump, streams, now);
        // Not only settled: a throttled direction waits for this time too.
        self.run_pair(key, now);
    }

    pub(super) fn run_pair(&mut self, key: Key, now: Instant) {
        let Some(pair) = self.pairs.get_mut(key) else {
            return;
        };
        let Some(streams) = streams(&self.connections, pair) else {
            return;
        };
        let given = Side::BOTH.map(|side| pair.pump.given(side));
        let more = pair
            .carrier
            .carry(&mut pair.pump, streams, &mut self.tools, now);
        for (side, before) in Side::BOTH.into_iter().zip(given) {
            self.shared
                .stats
                .moved(side, pair.pump.given(side) - before);
        }
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
                if net::is_settled(streams.get(survivor)).unwrap_or(true) =>
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
            Verdict::Reset(reason) => return self.reset(key, reason),
        };
        let wake = wake.into_iter().chain(pair.carrier.rests_until()).min();
        if let Some(at) = wake.filter(|&at| pair.armed.is_none_or(|armed| at < armed)) {
            pair.armed = Some(at);
            self.arm(at, Alarm::Pair(key));
        }
    }

    /// Ends a pair so that neither side takes it for a clean end.
    pub(super) fn reset(&mut self, key: Key, reason: Reason) {
        let pair = self.pairs.get(key);
        if let Some(streams) = pair.and_then(|pair| streams(&self.connections, pair)) {
            for side in Side::BOTH {
                net::reset(streams.get(side));
            }
        }
        self.end(key, reason);
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
