//! Ending the waits of other threads.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How often a wait for bytes listens for the bell.
const LISTEN: Duration = Duration::from_millis(500);
/// How long the connection that ends a wait for connections may take.
const CONNECT: Duration = Duration::from_secs(1);

/// Heard by every thread that waits with it, until it is hushed. A wait for bytes hears it half a
/// second late.
#[derive(Debug, Default)]
pub struct Bell {
    rung: AtomicBool,
    /// Where a thread awaits connections: one of ours ends its wait.
    accepting: Mutex<Option<SocketAddr>>,
}

/// What ended a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// What was waited for, or an error to be found there.
    Ready,
    /// The bell.
    Rung,
    /// The time.
    TimedOut,
}

impl Bell {
    /// A silent bell.
    ///
    /// # Errors
    /// None on this platform.
    pub fn new() -> io::Result<Self> {
        Ok(Self::default())
    }

    /// Ends the waits, those of now and those to come.
    pub fn ring(&self) {
        self.rung.store(true, Ordering::SeqCst);
        let accepting = *self.accepting();
        if let Some(mut address) = accepting {
            if address.ip().is_unspecified() {
                address.set_ip(match address {
                    SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                    SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
                });
            }
            let _ = TcpStream::connect_timeout(&address, CONNECT);
        }
    }

    /// Lets threads wait again.
    pub fn hush(&self) {
        self.rung.store(false, Ordering::SeqCst);
    }

    fn accepting(&self) -> std::sync::MutexGuard<'_, Option<SocketAddr>> {
        self.accepting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The next connection; `None` when the bell rings.
    ///
    /// # Errors
    /// Those of the accept.
    pub fn accept(&self, listener: &TcpListener) -> io::Result<Option<(TcpStream, SocketAddr)>> {
        *self.accepting() = listener.local_addr().ok();
        let accepted = if self.rung.load(Ordering::SeqCst) {
            Ok(None)
        } else {
            listener.accept().map(Some)
        };
        *self.accepting() = None;
        // The connection that rang is taken for one, or a stranger's is lost beside it: both end here.
        accepted.map(|accepted| accepted.filter(|_| !self.rung.load(Ordering::SeqCst)))
    }

    /// Waits until there is something to read, or an end or an error to be found by reading.
    ///
    /// # Errors
    /// When the system cannot wait.
    pub fn await_bytes(&self, stream: &TcpStream, time: Duration) -> io::Result<Wait> {
        if self.rung.load(Ordering::SeqCst) {
            return Ok(Wait::Rung);
        }
        stream.set_read_timeout(Some(time.min(LISTEN)))?;
        let peeked = stream.peek(&mut [0]);
        stream.set_read_timeout(None)?;
        match peeked {
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock
                | io::ErrorKind::TimedOut
                | io::ErrorKind::Interrupted => Ok(Wait::TimedOut),
                _ => Err(error),
            },
            Ok(_) => Ok(Wait::Ready),
        }
    }
}
