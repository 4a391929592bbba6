//! A new relay takes the place of an old one.
//!
//! ```text
//! new -> old   'R' version
//! old -> new   'H' ...    with the listening socket and the door that the new one came through
//!              'M'        with the socket that its metrics are asked at, if there is one
//!              'G' ...    with a connection: one that waits, or one before its hello is whole
//!              'D'        that was all
//! new -> old   'A'        the new one has it all
//! old -> new   'C'        and may serve, for the old one will not; or, at any time before,
//!              'N'        the old one goes on serving
//! ```
//! Each message of the old one is its letter, the length of the rest (two bytes, the higher first),
//! and the rest. Until 'C' the old one accepts nothing but keeps what it sends, so that it can go on
//! when the new one fails; meanwhile connections queue at the listening socket, which both have. An
//! end instead of 'C' or 'N' means that the old one is no more: then the new one has all there is.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::canonical;
use super::control::{Cleared, Command, Control};
use super::guest::Guest;
use crate::sys::handoff::{Channel, Descriptor, Door};

/// Of the messages above.
const VERSION: u8 = 1;
/// How long either side waits for the other.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the door rests when the system has no descriptor left for who asks.
const REST: Duration = Duration::from_millis(100);
/// Bytes of a message before its rest.
const HEAD: usize = 3;
/// Bytes of a guest before what it said: milliseconds left, IPv6 address, port, and 1 if that is of
/// a balancer's header.
const GUEST: usize = 4 + 16 + 2 + 1;

/// What the old relay was asked and what came of it, for whoever tells others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// A new relay asks: nothing is accepted for the moment.
    Asked,
    /// It failed: this relay serves as before.
    Resumed,
    /// It serves in this one's place.
    HandedOver,
}

/// What a new relay gets besides the listening socket and the connections.
#[derive(Clone, Debug, Default)]
pub struct Estate {
    /// Where the metrics are asked for.
    pub metrics: Option<Arc<TcpListener>>,
    /// Within which time the service manager wants to hear of the relay.
    pub watchdog: Option<Duration>,
}

/// Lets a new relay take the place of the one behind `control`; returns when one has, which then has
/// the `estate` too.
pub fn serve(door: &Door, control: &Control, estate: &Estate, told: &dyn Fn(Stage)) {
    loop {
        let Ok(channel) = door.accept() else {
            std::thread::sleep(REST);
            continue;
        };
        if !asks(&channel) {
            continue;
        }
        let Some(cleared) = control.clear() else {
            let _ = channel.send(b"N\0\0", &[]);
            continue;
        };
        told(Stage::Asked);
        let handed = hand_over(&channel, door, &cleared, estate);
        let Cleared { listener, guests } = cleared;
        // The socket stops listening for this process when its last descriptor here is closed.
        drop(listener);
        if handed.is_ok() {
            told(Stage::HandedOver);
            return control.send(Command::Release(guests));
        }
        let _ = channel.send(b"N\0\0", &[]);
        control.send(Command::Restore(guests));
        told(Stage::Resumed);
    }
}

/// Whether a new relay is at the other end that understands this one.
fn asks(channel: &Channel) -> bool {
    let next = |wanted| matches!(channel.receive_byte(), Ok(Some(byte)) if byte == wanted);
    let asks = channel.set_timeout(PATIENCE).is_ok() && next(b'R') && next(VERSION);
    if !asks {
        let _ = channel.send(b"N\0\0", &[]);
    }
    asks
}

fn hand_over(channel: &Channel, door: &Door, cleared: &Cleared, estate: &Estate) -> io::Result<()> {
    let watchdog = estate
        .watchdog
        .map_or(0, |time| u64::try_from(time.as_micros()).unwrap_or(0));
    let parcels = [(&*cleared.listener).into(), door.into()];
    channel.send(&message(b'H', &watchdog.to_be_bytes()), &parcels)?;
    if let Some(metrics) = &estate.metrics {
        channel.send(&message(b'M', &[]), &[(&**metrics).into()])?;
    }
    let now = Instant::now();
    for guest in &cleared.guests {
        let bytes = message(b'G', &encode(guest, now));
        channel.send(&bytes, &[(&guest.stream).into()])?;
    }
    channel.send(&message(b'D', &[]), &[])?;
    match channel.receive_byte()? {
        Some(b'A') => channel.send(&message(b'C', &[]), &[]),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

fn message(letter: u8, rest: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(rest.len()).unwrap_or(u16::MAX).to_be_bytes();
    [&[letter, high, low], rest].concat()
}

fn encode(guest: &Guest, now: Instant) -> Vec<u8> {
    let left = guest.deadline.saturating_duration_since(now).as_millis();
    let left = u32::try_from(left).unwrap_or(u32::MAX);
    let ip = match guest.from.ip() {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    };
    [
        &left.to_be_bytes()[..],
        &ip.octets(),
        &guest.from.port().to_be_bytes(),
        &[u8::from(guest.proxied)],
        &guest.said,
    ]
    .concat()
}

/// Until when the hello must be whole, from where it came, whether through a balancer that has not
/// told its source, and what was said.
fn decode(rest: &[u8], now: Instant) -> Option<(Instant, SocketAddr, bool, &[u8])> {
    let (fixed, said) = rest.split_at_checked(GUEST)?;
    let left = u32::from_be_bytes(fixed[..4].try_into().ok()?);
    let ip: [u8; 16] = fixed[4..20].try_into().ok()?;
    let port = u16::from_be_bytes(fixed[20..22].try_into().ok()?);
    let from = canonical(SocketAddr::new(Ipv6Addr::from(ip).into(), port));
    let deadline = now + Duration::from_millis(left.into());
    Some((deadline, from, fixed[22] != 0, said))
}

/// What an old relay has handed over, until its new one serves.
#[derive(Debug)]
pub struct Inheritance {
    pub(super) listener: TcpListener,
    guests: Vec<Guest>,
    channel: Channel,
    /// Where the next relay will ask.
    door: Door,
    /// What else there was.
    pub estate: Estate,
}

/// Asks the relay behind the door at `path` for its place; `None` when there is none.
///
/// # Errors
/// When it refuses, or what is there is no door or no relay.
pub fn ask(path: &Path) -> io::Result<Option<Inheritance>> {
    let Some(channel) = Channel::connect(path)? else {
        return Ok(None);
    };
    channel.set_timeout(PATIENCE)?;
    channel.send(&[b'R', VERSION], &[])?;
    let mut received = Received::default();
    let whole = received.run(&channel);
    let broken =
        || io::Error::other("the running relay broke off: look at what it says, try again");
    match (whole, received.head) {
        // An old relay that died in the middle has left us its listening socket.
        (Ok(_), Some((listener, door))) => Ok(Some(Inheritance {
            listener,
            guests: received.guests,
            channel,
            door,
            estate: received.estate,
        })),
        (Ok(_), None) => Err(broken()),
        (Err(error), _) => Err(error),
    }
}

impl Inheritance {
    /// Where the old relay listens.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Makes it ours: from here on the old relay does not serve.
    pub(super) fn claim(channel: &Channel, guests: Vec<Guest>) -> io::Result<Vec<Guest>> {
        // When this fails the old relay is gone, or has said before why not.
        let _ = channel.send(b"A", &[]);
        match channel.receive_byte() {
            Ok(Some(b'C') | None) => Ok(guests),
            Ok(Some(_)) => Err(refused()),
            Err(error) => Err(error),
        }
    }

    pub(super) fn into_parts(
        self,
    ) -> (
        TcpListener,
        Door,
        impl FnOnce() -> io::Result<Vec<Guest>> + Send,
    ) {
        let Self {
            listener,
            guests,
            channel,
            door,
            ..
        } = self;
        (listener, door, move || Self::claim(&channel, guests))
    }
}

fn refused() -> io::Error {
    io::Error::other("the running relay goes on serving, as it is ending or speaks another version")
}

/// What has come from an old relay so far.
#[derive(Default)]
struct Received {
    bytes: Vec<u8>,
    descriptors: std::collections::VecDeque<Descriptor>,
    head: Option<(TcpListener, Door)>,
    estate: Estate,
    guests: Vec<Guest>,
}

impl Received {
    /// Takes everything; whether it was complete.
    fn run(&mut self, channel: &Channel) -> io::Result<bool> {
        let mut buffer = [0; 16 << 10];
        let mut new = Vec::new();
        loop {
            let count = match channel.receive(&mut buffer, &mut new) {
                Ok(0) => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(false),
                received => received?,
            };
            self.descriptors.extend(new.drain(..));
            self.bytes.extend_from_slice(&buffer[..count]);
            if self.take_messages()? {
                return Ok(true);
            }
        }
    }

    /// Takes the messages that are whole; whether the last of all was among them.
    fn take_messages(&mut self) -> io::Result<bool> {
        let mut at = 0;
        let mut last = false;
        while let Some([letter, high, low]) = self.bytes[at..].first_chunk::<HEAD>() {
            let (letter, end) = (
                *letter,
                at + HEAD + usize::from(u16::from_be_bytes([*high, *low])),
            );
            if end > self.bytes.len() {
                break;
            }
            let rest = self.bytes[at + HEAD..end].to_vec();
            last = self.take(letter, &rest)?;
            at = end;
        }
        self.bytes.drain(..at);
        Ok(last)
    }

    fn take(&mut self, letter: u8, rest: &[u8]) -> io::Result<bool> {
        let broken = || io::Error::other("what the running relay says makes no sense");
        let now = Instant::now();
        match letter {
            b'H' => {
                let watchdog = u64::from_be_bytes(rest.try_into().map_err(|_| broken())?);
                let listener = self.descriptors.pop_front().ok_or_else(broken)?;
                let door = self.descriptors.pop_front().ok_or_else(broken)?;
                let watchdog = Some(Duration::from_micros(watchdog)).filter(|time| !time.is_zero());
                self.estate.watchdog = watchdog;
                self.head = Some((listener.into_listener(), door.into_door()));
            }
            b'M' => {
                let metrics = self.descriptors.pop_front().ok_or_else(broken)?;
                self.estate.metrics = Some(Arc::new(metrics.into_listener()));
            }
            b'G' => {
                let (deadline, from, proxied, said) = decode(rest, now).ok_or_else(broken)?;
                let stream = self.descriptors.pop_front().ok_or_else(broken)?;
                self.guests.push(Guest {
                    stream: stream.into_stream(),
                    from,
                    said: said.to_vec(),
                    deadline,
                    proxied,
                    known: false,
                });
            }
            b'D' => return Ok(true),
            b'N' => return Err(refused()),
            _ => return Err(broken()),
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn a_guest_is_read_back_as_it_was_sent() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let now = Instant::now();
        for (from, said) in [
            ("192.0.2.7:1", &b""[..]),
            ("[2001:db8::7]:65535", b"T"),
            ("198.51.100.1:443", b"Talice$"),
        ] {
            let guest = Guest {
                stream: TcpStream::connect(listener.local_addr().unwrap()).unwrap(),
                from: from.parse().unwrap(),
                said: said.to_vec(),
                deadline: now + Duration::from_secs(3),
                proxied: said.is_empty(),
                known: false,
            };
            let bytes = encode(&guest, now);
            assert_eq!(
                decode(&bytes, now),
                Some((guest.deadline, guest.from, guest.proxied, said))
            );
            assert_eq!(decode(&bytes[..GUEST - 1], now), None);
        }
    }

    #[test]
    fn messages_are_read_whatever_the_split_and_nonsense_is_an_error() {
        let mut received = Received::default();
        for byte in message(b'D', b"later") {
            assert!(received.bytes.len() < HEAD + 5);
            received.bytes.push(byte);
            assert_eq!(
                received.take_messages().unwrap(),
                received.bytes.is_empty(),
                "after {byte}"
            );
        }
        for nonsense in [
            message(b'Z', b""),
            message(b'H', b"1234567"),
            // Without the descriptors that belong to them.
            message(b'H', b"12345678"),
            message(b'M', b""),
            message(b'G', &[0; GUEST]),
            message(b'G', b"short"),
            message(b'N', b""),
        ] {
            let mut received = Received {
                bytes: nonsense,
                ..Received::default()
            };
            assert!(received.take_messages().is_err());
        }
    }
}
