//! Moving a pair's bytes.
//!
//! Bulk goes from socket to socket inside the kernel: `splice(2)` into a borrowed pipe and out of
//! it. What is shorter than the buffer is read and written at once. What the sink does not take of
//! either is held in a pipe and given before more is read: a reader that stops costs kernel memory,
//! which is bounded, and none of the relay's.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Instant;

use super::haste::{Permit, Permits};
use crate::io::PipePool;
use crate::relay::pump::{Pump, Side, Sides, Step};
use crate::relay::throttle::Throttle;
use crate::sys::linux::epoll::Event;
use crate::sys::linux::pipe::Pipe;

/// Up to so many bytes at once are copied, in bytes; more are spliced.
const SHORT: usize = 16 << 10;
/// How many bytes one splice moves at most, in bytes.
const BULK: usize = 1 << 20;
/// How many bytes a direction moves before the other pairs have their turn.
const TURN: u64 = 2 << 20;
/// The same for one of the few that may fill the kernel's buffers: some 3 ms.
const LONG_TURN: u64 = 8 << 20;

/// What a loop lends to the pair whose turn it is.
#[derive(Default)]
pub(super) struct Tools {
    pipes: PipePool,
    permits: Permits,
    buffer: Vec<u8>,
}

impl Tools {
    /// The buffer, made at its first use: a relay that nobody has called is small.
    pub(super) fn buffer(&mut self) -> &mut [u8] {
        made(&mut self.buffer)
    }
}

fn made(buffer: &mut Vec<u8>) -> &mut [u8] {
    buffer.resize(SHORT, 0);
    buffer
}

/// What a socket may be asked for without an answer of "not now"; forgotten at such an answer, and
/// at a short read of a plain socket. Behind any other short read an end or urgent data may stand, of
/// which no further event would tell.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ready {
    read: bool,
    write: bool,
    /// Whether the events so far told of neither an end nor urgent data; `None` before the first.
    /// While it is so, whatever comes behind a short read has an event of its own, because every
    /// event shows all that had come until its wait.
    plain: Option<bool>,
}

impl Ready {
    fn is_plain(self) -> bool {
        self.plain == Some(true)
    }
}

impl Default for Ready {
    /// Nothing is known, so asking is worth a try.
    fn default() -> Self {
        Self {
            read: true,
            write: true,
            plain: None,
        }
    }
}

/// Bytes that were taken from a source and not yet given to its sink.
enum Held {
    /// Bulk, which never leaves the kernel, or the end of a short message.
    Pipe(Pipe),
    /// The end of a short message, where no pipe was left, or only one too small.
    Bytes(Vec<u8>),
}

impl Held {
    fn keep(rest: &[u8], pipes: &mut PipePool) -> Self {
        match pipes.borrow() {
            Ok(pipe) if pipe.keep(rest) => Self::Pipe(pipe),
            _ => Self::Bytes(rest.to_vec()),
        }
    }
}

/// The two directions' bytes on their way.
pub(super) struct Carrier {
    throttle: Throttle,
    /// A direction has used up what it may read until then.
    rests_until: Option<Instant>,
    ready: Sides<Ready>,
    /// By source: what was taken and not yet given, if anything.
    held: Sides<Option<Held>>,
    /// By source: leave to fill the sink's buffer.
    permits: Sides<Option<Permit>>,
    /// By source: the last look found more than fits the buffer.
    bulk: Sides<bool>,
}

impl Carrier {
    pub(super) fn new(throttle: Throttle) -> Self {
        Self {
            throttle,
            rests_until: None,
            ready: Sides::default(),
            held: Sides::default(),
            permits: Sides::default(),
            bulk: Sides::default(),
        }
    }

    /// When to carry on at the latest, though no event tells.
    pub(super) fn rests_until(&self) -> Option<Instant> {
        self.rests_until
    }

    /// Notes what the kernel reports of a side.
    pub(super) fn ready(&mut self, side: Side, event: Event) {
        let ready = self.ready.get_mut(side);
        ready.read |= event.readable;
        ready.write |= event.writable;
        let plain = !event.ended && !event.urgent;
        ready.plain = Some(plain && ready.plain.unwrap_or(true));
    }

    /// Moves what can be moved now, in both directions; whether it stopped for the others' sake.
    pub(super) fn carry(
        &mut self,
        pump: &mut Pump,
        streams: Sides<&TcpStream>,
        tools: &mut Tools,
        now: Instant,
    ) -> bool {
        let mut more = false;
        self.rests_until = None;
        for source in Side::BOTH {
            let permit = self.permits.get_mut(source);
            Permits::calm(permit, streams.get(source.other()), now);
            let mut flow = Flow {
                carrier: self,
                pump: &mut *pump,
                streams,
                tools: &mut *tools,
                source,
                now,
            };
            more |= flow.run();
        }
        more
    }
}

/// One direction's turn.
struct Flow<'a> {
    carrier: &'a mut Carrier,
    pump: &'a mut Pump,
    streams: Sides<&'a TcpStream>,
    tools: &'a mut Tools,
    source: Side,
    now: Instant,
}

impl Flow<'_> {
    fn run(&mut self) -> bool {
        let before = self.pump.given(self.source);
        let turn = match self.carrier.permits.get(self.source) {
            Some(_) => LONG_TURN,
            None => TURN,
        };
        let more = self.take_turn(before + turn);
        if self.pump.given(self.source) - before >= BULK as u64 {
            let permit = self.carrier.permits.get_mut(self.source);
            let sink = *self.streams.get(self.source.other());
            self.tools.permits.flowing(permit, sink, self.now);
        }
        more
    }

    /// Goes on until so many bytes were given in all, or as long as it can; whether it could do more.
    fn take_turn(&mut self, until: u64) -> bool {
        while self.pump.given(self.source) < until {
            let going = match self.pump.step(self.source) {
                Step::Read => self.read(),
                Step::Write(held) => self.write(held),
                Step::Finish => self.finish(),
                Step::Done => false,
            };
            if !going {
                return false;
            }
        }
        true
    }

    fn from(&mut self) -> &mut Ready {
        self.carrier.ready.get_mut(self.source)
    }

    fn to(&mut self) -> &mut Ready {
        self.carrier.ready.get_mut(self.source.other())
    }

    /// Reads as splice or as copy; whether it is worth going on.
    fn read(&mut self) -> bool {
        if !self.from().read {
            return false;
        }
        let most = match self.carrier.throttle.available(self.source, self.now) {
            Ok(most) => most,
            Err(until) => {
                let rests_until = &mut self.carrier.rests_until;
                *rests_until = Some(rests_until.map_or(until, |other| other.min(until)));
                return false;
            }
        };
        if *self.carrier.bulk.get(self.source) {
            // Without a pipe (no descriptors left) bulk is copied like anything else.
            if let Ok(pipe) = self.tools.pipes.borrow() {
                return self.fill(pipe, most);
            }
        }
        self.copy(most)
    }

    fn fill(&mut self, pipe: Pipe, most: usize) -> bool {
        match pipe.fill(*self.streams.get(self.source), BULK.min(most)) {
            Ok(0) => {
                self.tools.pipes.give_back(pipe);
                self.pump.handle_end(self.source, self.now);
            }
            Ok(count) => {
                *self.carrier.bulk.get_mut(self.source) = count > SHORT;
                *self.held() = Some(Held::Pipe(pipe));
                self.carrier.throttle.spend(self.source, count as u64);
                self.pump.handle_read(self.source, count as u64, self.now);
            }
            Err(error) => {
                self.tools.pipes.give_back(pipe);
                return self.read_failed(&error);
            }
        }
        true
    }

    /// Reads what is short and writes it at once.
    fn copy(&mut self, most: usize) -> bool {
        if !self.to().write {
            return false;
        }
        let (mut from, mut to) = (
            *self.streams.get(self.source),
            *self.streams.get(self.source.other()),
        );
        let Tools { pipes, buffer, .. } = &mut *self.tools;
        let buffer = made(buffer);
        let most = most.min(buffer.len());
        let read = from.read(&mut buffer[..most]);
        let count = match read {
            Ok(0) => {
                self.pump.handle_end(self.source, self.now);
                return true;
            }
            Ok(count) => count,
            Err(error) => return self.read_failed(&error),
        };
        let written = to.write(&buffer[..count]);
        let given = *written.as_ref().unwrap_or(&0);
        if given < count {
            *self.held() = Some(Held::keep(&buffer[given..count], pipes));
        }
        self.carrier.throttle.spend(self.source, count as u64);
        self.pump.handle_read(self.source, count as u64, self.now);
        *self.carrier.bulk.get_mut(self.source) = count == SHORT;
        if count < most && self.from().is_plain() {
            self.from().read = false;
        }
        self.written(written)
    }

    /// Gives what is held.
    fn write(&mut self, count: u64) -> bool {
        if !self.to().write {
            return false;
        }
        let Some(mut held) = self.held().take() else {
            return false;
        };
        let mut to = *self.streams.get(self.source.other());
        let written = match &held {
            Held::Pipe(pipe) => pipe.empty(to, usize::try_from(count).unwrap_or(usize::MAX)),
            Held::Bytes(bytes) => to.write(bytes),
        };
        let given = *written.as_ref().unwrap_or(&0);
        if (given as u64) < count {
            if let Held::Bytes(bytes) = &mut held {
                bytes.drain(..given);
            }
            *self.held() = Some(held);
        } else if let Held::Pipe(pipe) = held {
            self.tools.pipes.give_back(pipe);
        }
        self.written(written)
    }

    /// Reports what became of a write; whether it is worth going on.
    fn written(&mut self, written: io::Result<usize>) -> bool {
        match written {
            Ok(count) => {
                self.pump
                    .handle_written(self.source, count as u64, self.now);
                true
            }
            Err(error) => self.write_failed(&error),
        }
    }

    fn held(&mut self) -> &mut Option<Held> {
        self.carrier.held.get_mut(self.source)
    }

    fn finish(&mut self) -> bool {
        if self.pump.is_last_end(self.source) {
            self.pump.handle_finished(self.source, self.now);
            return true;
        }
        match self
            .streams
            .get(self.source.other())
            .shutdown(Shutdown::Write)
        {
            Ok(()) => self.pump.handle_finished(self.source, self.now),
            Err(error) => return self.write_failed(&error),
        }
        true
    }

    fn read_failed(&mut self, error: &io::Error) -> bool {
        match error.kind() {
            io::ErrorKind::WouldBlock => {
                self.from().read = false;
                false
            }
            io::ErrorKind::Interrupted => true,
            _ => {
                self.pump.handle_read_failed(self.source, self.now);
                true
            }
        }
    }

    fn write_failed(&mut self, error: &io::Error) -> bool {
        match error.kind() {
            io::ErrorKind::WouldBlock => {
                self.to().write = false;
                false
            }
            io::ErrorKind::Interrupted => true,
            kind => {
                let after_end = kind == io::ErrorKind::BrokenPipe;
                self.pump
                    .handle_write_failed(self.source.other(), after_end, self.now);
                true
            }
        }
    }
}
