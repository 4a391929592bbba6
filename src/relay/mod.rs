//! The relay: two connections that name one user id are spliced into one stream.
//!
//! - [`config`](Config): what an operator can set
//! - [`control`](Control): what a running relay is asked from outside
//! - [`event`](Event): what happened, for the log
//! - [`stats`](Stats): how much of what happened, for who watches
//! - [`network`](Network): a range of addresses
//! - `session`: a connection until its hello is whole; no I/O
//! - `pump`: a pair, its two directions and its end; no I/O
//! - `registry`: who waits under which id, and who owns a waiting socket
//! - `places`: how many connections there may be, in all and from one source; no I/O
//! - `source`: whom that counts as one, and what each has; no I/O
//! - `throttle`, `bucket`: how fast bytes and connections may come; no I/O
//! - [`takeover`]: a new relay takes the place of an old one
//! - `epoll` and `threads`: the two backends, which do the I/O for the above
//!
//! Nothing here looks at a byte behind the hello.

mod bucket;
mod config;
mod control;
#[cfg(all(target_os = "linux", feature = "libc"))]
mod epoll;
mod event;
mod guest;
mod network;
mod places;
mod pump;
mod registry;
mod session;
mod source;
mod stats;
pub mod takeover;
mod threads;
mod throttle;

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use config::{Backend, Config, Limits};
pub use control::Control;
pub use event::{Event, Field, Reason, Refusal};
pub use network::{Network, NetworkError};
pub use stats::{Snapshot, Stats, TURN_BOUNDS, Turns};

pub use crate::sys::handoff::Door;
pub use crate::wire::UserId;

use self::places::{Place, Vacancy};
use self::pump::{Pump, Side, Sides};
use self::session::Session;
use crate::io::Receiver;
use crate::sys::net;
use crate::wire::{HELLO_MAX, NO};

/// How long a refused connection may go on sending before it is closed.
const LINGER: Duration = Duration::from_secs(2);
/// How often the survivor of a broken pair is asked whether all was delivered.
const DELIVERY: Duration = Duration::from_millis(100);

/// Takes the relay's events as they happen, on the thread that they happen on: it must not block.
pub type Log<'a> = dyn Fn(&Event<'_>) + Sync + 'a;

/// A relay that listens but does not serve yet.
pub struct Relay {
    start: Start,
    config: Config,
    stats: Arc<Stats>,
}

/// What a backend begins with.
struct Start {
    listener: TcpListener,
    control: Control,
    commands: Receiver<control::Command>,
    /// Makes those ours that an old relay has handed over.
    claim: Claim,
}

type Claim = Box<dyn FnOnce() -> io::Result<Vec<guest::Guest>> + Send>;

impl Relay {
    /// Listens on `port` of the configured address; port 0 picks a free one.
    ///
    /// # Errors
    /// When the port is in use or the address is not this machine's.
    pub fn bind(port: u16, config: Config) -> io::Result<Self> {
        let listen = |ip: IpAddr| net::listen(SocketAddr::new(ip, port));
        let listener = match config.bind {
            Some(ip) => listen(ip)?,
            // A machine without IPv6 has no such address family; any other error would come again.
            None => match listen(Ipv6Addr::UNSPECIFIED.into()) {
                Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
                    listen(Ipv4Addr::UNSPECIFIED.into())?
                }
                listening => listening?,
            },
        };
        Self::with(listener, config)
    }

    /// Serves on a socket that listens already.
    ///
    /// # Errors
    /// When the system refuses an option of the socket.
    pub fn with(listener: TcpListener, config: Config) -> io::Result<Self> {
        // What it accepts inherits this where the system works so; where not, the backend repeats it.
        net::watch_peer(&listener)?;
        Ok(Self::new(listener, config, Box::new(|| Ok(Vec::new()))))
    }

    /// Takes the place of the relay that left this, once it runs; that one does not end before `tell` has
    /// told who watches it.
    pub fn take_over(
        inheritance: takeover::Inheritance,
        config: Config,
        tell: impl FnOnce() + Send + 'static,
    ) -> (Self, Door) {
        let (listener, door, claim) = inheritance.into_parts(tell);
        (Self::new(listener, config, Box::new(claim)), door)
    }

    fn new(listener: TcpListener, config: Config, claim: Claim) -> Self {
        let (control, commands) = Control::new();
        let start = Start {
            listener,
            control,
            commands,
            claim,
        };
        Self {
            start,
            stats: Arc::new(Stats::new(config.backend)),
            config,
        }
    }

    /// What steers the relay while it runs.
    pub fn control(&self) -> Control {
        self.start.control.clone()
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.start.listener.local_addr()
    }

    /// Its numbers, to be read while it serves and after.
    pub fn stats(&self) -> Arc<Stats> {
        Arc::clone(&self.stats)
    }

    /// Serves until it was asked through its [`Control`] to end, or another relay has taken its
    /// place, and its pairs have ended.
    ///
    /// # Errors
    /// When the machine leaves it no way to go on, or the old relay did not give up its place.
    pub fn run(self, log: &Log<'_>) -> io::Result<()> {
        let stats = &*self.stats;
        let log = &|event: &Event<'_>| {
            stats.note(event);
            log(event);
        };
        match self.config.backend {
            #[cfg(all(target_os = "linux", feature = "libc"))]
            Backend::Epoll => epoll::run(self.start, &self.config, stats, log),
            Backend::Threads => threads::run(self.start, &self.config, stats, log),
        }
    }
}

/// Tells a pump what the kernel knows of its two connections.
fn look(pump: &mut Pump, streams: Sides<&TcpStream>, now: Instant) {
    let unsent = |side| net::unsent(streams.get(side)).unwrap_or(0) as u64;
    pump.handle_queued(Side::BOTH.into_iter().map(unsent).sum(), now);
    for side in Side::BOTH {
        let stream = streams.get(side);
        pump.handle_unread(side, net::unread(stream).is_some_and(|count| count > 0));
        if let Some(silence) = net::silence(stream) {
            pump.handle_silence(side, silence, now);
        }
    }
}

/// The address as its owner knows it: a socket that takes both families shows IPv4 addresses mapped
/// into IPv6 (RFC 4291, section 2.5.5.2).
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// What a new connection needs, unless it is refused at once. Behind a balancer its place is charged to
/// its source when the session knows that.
fn admit(
    vacancy: Vacancy,
    config: &Config,
    from: SocketAddr,
    now: Instant,
) -> Result<(Place, Session), Refusal> {
    let session = Session::new(now, config, from)?;
    let place = match session.awaits_source() {
        true => vacancy.occupy_uncharged(),
        false => vacancy.occupy(from.ip(), now)?,
    };
    Ok((place, session))
}

/// Answers a connection that is over a limit, without waiting for anything of it: it has no place.
fn turn_away(mut stream: &TcpStream) {
    let _ = stream.set_nonblocking(true);
    let _ = stream.write(&[NO]);
    let _ = stream.shutdown(Shutdown::Write);
    // What has arrived is taken in, so that the close is not a reset that destroys the answer.
    let _ = stream.read(&mut [0; HELLO_MAX]);
}
