//! A connection through the relay, as the transfer sees it.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Cancel;
use crate::sys::net;
use crate::transfer::{Error, Link, v2};

/// How long, and over how many bytes, the peer's end is awaited after the last answer.
pub(super) const DRAIN_TIME: Duration = Duration::from_secs(3);
const DRAIN_BYTES: usize = 64 << 20;
/// A write that moves nothing for so long looks whether the job is cancelled.
const STALL: Duration = Duration::from_secs(1);
/// How many times the idle timeout the verdict may take: megabytes may lie in the relay and in the
/// kernels between, and on a slow line they take minutes that look like silence from here.
const VERDICT_PATIENCE: u32 = 10;

/// The socket, with a limit to its silence.
#[derive(Debug)]
pub(super) struct Connection<'a> {
    stream: Arc<TcpStream>,
    cancel: &'a Cancel,
    idle: Option<Duration>,
    /// When reading ends, whatever comes.
    deadline: Option<Instant>,
}

impl<'a> Connection<'a> {
    /// A connection that [`Cancel::cancel`] ends.
    pub(super) fn new(stream: TcpStream, cancel: &'a Cancel) -> Self {
        let stream = Arc::new(stream);
        cancel.watch(Arc::clone(&stream));
        Self {
            stream,
            cancel,
            idle: None,
            deadline: None,
        }
    }

    /// From now on a silence of `idle` is an error of the kind `TimedOut`; `None` for never.
    pub(super) fn limit(&mut self, idle: Option<Duration>) -> io::Result<()> {
        // The system takes 0 for no limit.
        let idle = idle.map(|idle| idle.max(Duration::from_millis(1)));
        self.stream.set_read_timeout(idle)?;
        self.stream.set_write_timeout(idle)?;
        self.idle = idle;
        Ok(())
    }

    /// From now on reading ends `within` that time, whatever comes, and not only after a silence.
    pub(super) fn expire(&mut self, within: Duration) {
        // A time beyond all clocks is none.
        self.deadline = Instant::now().checked_add(within);
    }

    /// From now on nothing but a silence ends reading.
    pub(super) fn endure(&mut self) -> io::Result<()> {
        self.deadline = None;
        // Reading against the clock has shortened it.
        self.limit(self.idle)
    }

    /// The socket, which nothing of ours touches any more: without a timeout, and [`Cancel::cancel`]
    /// does not end it.
    pub(super) fn into_stream(mut self) -> Result<TcpStream, Error> {
        self.limit(None).map_err(Error::Lost)?;
        if !self.cancel.settle() {
            return Err(Error::Cancelled);
        }
        let stream = Arc::clone(&self.stream);
        // It and the cancel let go of theirs.
        drop(self);
        Arc::into_inner(stream).ok_or_else(|| Error::Lost(io::ErrorKind::ResourceBusy.into()))
    }

    /// Waits until there is something to read, and leaves it there; `false` for the end.
    pub(super) fn await_readable(&self) -> io::Result<bool> {
        loop {
            match self.stream.peek(&mut [0]) {
                Ok(count) => return Ok(count > 0),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.timed_out(error)),
            }
        }
    }

    fn timed_out(&self, error: io::Error) -> io::Error {
        match (is_timeout(&error), self.idle) {
            (true, Some(idle)) => {
                let message = format!("nothing moved for {} s", idle.as_secs_f64());
                io::Error::new(io::ErrorKind::TimedOut, message)
            }
            _ => error,
        }
    }

    /// Version 2 begins: its peer is never silent for long.
    pub(super) fn begin_session(&mut self) -> io::Result<()> {
        let silence = self
            .idle
            .map_or(v2::SILENCE, |idle| idle.clamp(v2::SILENCE_MIN, v2::SILENCE));
        self.limit(Some(silence))?;
        self.stream.set_write_timeout(Some(STALL.min(silence)))
    }

    fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let last = self.look_at_the_clock()?;
            match (&*self.stream).read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if last && is_timeout(&error) => return Err(expired()),
                Err(error) => return Err(self.timed_out(error)),
                Ok(count) => return Ok(count),
            }
        }
    }

    /// Lets the next read wait no longer than there is time; whether it ends by the deadline when nothing comes.
    fn look_at_the_clock(&self) -> io::Result<bool> {
        let Some(deadline) = self.deadline else {
            return Ok(false);
        };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(expired());
        }
        let limit = self.idle.map_or(left, |idle| idle.min(left));
        self.stream.set_read_timeout(Some(limit))?;
        Ok(limit == left)
    }

    fn end(&self) {
        end(
            &self.stream,
            match self.cancel.is_cancelled() {
                true => STALL,
                false => DRAIN_TIME,
            },
        );
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

fn expired() -> io::Error {
    let message = "the peer took too long to say who it is";
    io::Error::new(io::ErrorKind::TimedOut, message)
}

/// Ends what is written, and awaits the peer's end: a socket that is closed while something is there to be read takes
/// back what was written and has not arrived.
pub(super) fn end(stream: &TcpStream, within: Duration) {
    // Whatever fails here, the transfer has had its result.
    if stream.shutdown(Shutdown::Write).is_ok() {
        let _ = drain(stream, within);
    }
}

fn drain(mut stream: &TcpStream, within: Duration) -> io::Result<()> {
    let deadline = Instant::now() + within;
    let mut scratch = vec![0; 64 * 1024];
    let mut drained = 0;
    while drained < DRAIN_BYTES {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut scratch) {
            Ok(0) => break,
            Ok(count) => drained += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

impl Link for Connection<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.receive(buffer)
    }

    fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let before = net::unsent(&self.stream);
            match (&*self.stream).write(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let error = self.timed_out(error);
                    // The kernel takes no more before a good part of its buffer has left, which on a
                    // slow line is long: what counts is whether anything has.
                    let moved = net::unsent(&self.stream) < before;
                    if error.kind() != io::ErrorKind::TimedOut || !moved {
                        return Err(error);
                    }
                }
            }
        }
        Ok(())
    }

    fn readable(&mut self) -> io::Result<bool> {
        net::readable(&self.stream)
    }

    fn settle(&mut self) -> bool {
        self.cancel.settle()
    }

    fn all_written(&mut self) {
        let _ = self.limit(self.idle.map(|idle| idle.saturating_mul(VERDICT_PATIENCE)));
    }

    fn finish(&mut self) {
        self.end();
    }
}

impl v2::Stream for Connection<'_> {
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.receive(buffer)
    }

    fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        let mut moved_at = Instant::now();
        while !bytes.is_empty() {
            let before = net::unsent(&self.stream);
            let error = match (&*self.stream).write(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    bytes = &bytes[count..];
                    moved_at = Instant::now();
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => self.timed_out(error),
            };
            if net::unsent(&self.stream) < before {
                moved_at = Instant::now();
            }
            let patient = self.idle.is_none_or(|idle| moved_at.elapsed() < idle);
            if error.kind() != io::ErrorKind::TimedOut || !patient || self.cancel.is_cancelled() {
                return Err(error);
            }
        }
        Ok(())
    }

    fn settle(&self) -> bool {
        self.cancel.settle()
    }

    fn finish(&self) {
        self.end();
    }

    fn shutdown(&self) {
        // Fails only when the peer ended the connection before.
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

impl Drop for Connection<'_> {
    fn drop(&mut self) {
        self.cancel.unwatch();
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_cancel_after_the_settlement_does_not_cut_off_the_answer() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut theirs, _) = listener.accept().unwrap();
        let cancel = Cancel::new();
        let mut connection = Connection::new(ours, &cancel);
        assert!(connection.settle());
        cancel.cancel();
        connection.write_all(b"O").unwrap();
        drop(connection);
        let mut answer = Vec::new();
        theirs.read_to_end(&mut answer).unwrap();
        assert_eq!(answer, b"O");
    }
}
