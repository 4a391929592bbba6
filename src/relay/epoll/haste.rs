//! Which directions may fill the kernel's send buffers.
//!
//! A small limit on unsent bytes keeps what stalled readers cost small, but a stream in full flow pays
//! for it with more wakes. So a few directions at a time go without: those that have just moved a
//! megabyte at once. A direction whose reader stalls then keeps its permit until its bytes are gone, so that
//! all of a loop together hold no more than [`PERMITS`] full buffers.

use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::sys::net;

/// How many directions of a loop go without the limit at a time: with the 4 MB that Linux lets a send
/// buffer grow to, 32 MB. More would be more bytes under way than caches hold.
const PERMITS: usize = 8;
/// A direction that has moved no megabyte at once for so long is in full flow no more.
const CALM: Duration = Duration::from_secs(1);

/// The permits of a loop.
#[derive(Debug, Default)]
pub(super) struct Permits(Arc<()>);

/// One direction's permit; given back when dropped.
#[derive(Debug)]
pub(super) struct Permit {
    _counted: Arc<()>,
    used: Instant,
}

impl Permits {
    /// A direction to `sink` has moved a megabyte at once: it goes on without the limit if it may.
    pub(super) fn flowing(&self, permit: &mut Option<Permit>, sink: &TcpStream, now: Instant) {
        match permit {
            Some(permit) => permit.used = now,
            None if Arc::strong_count(&self.0) <= PERMITS => {
                *permit = net::limit_unsent(sink, false).ok().map(|()| Permit {
                    _counted: Arc::clone(&self.0),
                    used: now,
                });
            }
            None => {}
        }
    }

    /// Takes the permit of a direction back that is in full flow no more.
    pub(super) fn calm(permit: &mut Option<Permit>, sink: &TcpStream, now: Instant) {
        if permit
            .as_ref()
            .is_some_and(|permit| now >= permit.used + CALM)
            && net::unsent(sink).is_none_or(|bytes| bytes <= net::UNSENT)
            && net::limit_unsent(sink, true).is_ok()
        {
            *permit = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Write};
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;

    fn couple() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let caller = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (caller, listener.accept().unwrap().0)
    }

    #[test]
    fn so_many_go_without_the_limit_and_one_that_is_calm_makes_room() {
        let (permits, now) = (Permits::default(), Instant::now());
        let (sink, _peer) = couple();
        let mut held: Vec<Option<Permit>> = (0..=PERMITS).map(|_| None).collect();
        for permit in &mut held {
            permits.flowing(permit, &sink, now);
        }
        assert_eq!(held.iter().flatten().count(), PERMITS);
        let last = PERMITS;
        assert!(held[last].is_none());
        Permits::calm(&mut held[0], &sink, now);
        assert!(held[0].is_some(), "it has flowed just now");
        Permits::calm(&mut held[0], &sink, now + CALM);
        assert!(held[0].is_none());
        permits.flowing(&mut held[last], &sink, now);
        assert!(held[last].is_some());
    }

    #[test]
    fn a_direction_whose_reader_stalls_keeps_its_permit() {
        let (permits, now) = (Permits::default(), Instant::now());
        let (mut sink, _peer) = couple();
        sink.set_nonblocking(true).unwrap();
        let mut permit = None;
        permits.flowing(&mut permit, &sink, now);
        let chunk = vec![0; 1 << 20];
        let full = loop {
            if let Err(error) = sink.write(&chunk) {
                break error;
            }
        };
        assert_eq!(full.kind(), ErrorKind::WouldBlock);
        assert!(net::unsent(&sink).unwrap() > net::UNSENT);
        Permits::calm(&mut permit, &sink, now + CALM);
        assert!(permit.is_some());
    }
}
