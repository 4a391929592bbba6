//! What an old relay tells a new one, as bytes and descriptors.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{BATCH, Estate};
use crate::relay::canonical;
use crate::relay::guest::Guest;
use crate::sys::handoff::{Channel, Descriptor, Door};

/// Bytes of a message before its rest.
const HEAD: usize = 3;
/// Bytes of a guest before what it said: milliseconds left, IPv6 address, port, and the sum of
/// [`PROXIED`] and [`CHARGED`] as far as they hold.
const GUEST: usize = 4 + 16 + 2 + 1;
/// What it said is of a balancer's header.
const PROXIED: u8 = 1;
/// Its place is charged to its source.
const CHARGED: u8 = 2;

pub(super) fn message(letter: u8, rest: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(rest.len()).unwrap_or(u16::MAX).to_be_bytes();
    [&[letter, high, low], rest].concat()
}

pub(super) fn encode(guest: &Guest, now: Instant) -> Vec<u8> {
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
        &[flag(guest.proxied, PROXIED) | flag(guest.charged, CHARGED)],
        &guest.said,
    ]
    .concat()
}

fn flag(holds: bool, flag: u8) -> u8 {
    if holds { flag } else { 0 }
}

/// The guest whose connection came with these bytes.
fn decode(rest: &[u8], stream: TcpStream, now: Instant) -> Option<Guest> {
    let (fixed, said) = rest.split_at_checked(GUEST)?;
    let left = u32::from_be_bytes(fixed[..4].try_into().ok()?);
    let ip: [u8; 16] = fixed[4..20].try_into().ok()?;
    let port = u16::from_be_bytes(fixed[20..22].try_into().ok()?);
    Some(Guest {
        stream,
        from: canonical(SocketAddr::new(Ipv6Addr::from(ip).into(), port)),
        said: said.to_vec(),
        deadline: now + Duration::from_millis(left.into()),
        proxied: fixed[22] & PROXIED != 0,
        charged: fixed[22] & CHARGED != 0,
        known: false,
    })
}

pub(super) fn refused() -> io::Error {
    io::Error::other("the running relay goes on serving, as it is ending or speaks another version")
}

/// What has come from an old relay so far.
#[derive(Default)]
pub(super) struct Received {
    bytes: Vec<u8>,
    descriptors: VecDeque<Descriptor>,
    pub(super) head: Option<(TcpListener, Door)>,
    pub(super) estate: Estate,
    pub(super) guests: Vec<Guest>,
    /// Of the guests, as far as that was said.
    confirmed: usize,
}

impl Received {
    /// Takes everything; whether it was complete.
    pub(super) fn run(&mut self, channel: &Channel) -> io::Result<bool> {
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
            while self.confirmed + BATCH <= self.guests.len() {
                self.confirmed += BATCH;
                // When this fails the old relay is gone, or has said before why not.
                let _ = channel.send(b"K", &[]);
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
                let stream = self.descriptors.pop_front().ok_or_else(broken)?;
                let guest =
                    decode(rest, stream.into_stream(), Instant::now()).ok_or_else(broken)?;
                self.guests.push(guest);
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
                charged: said.len() > 1,
                known: false,
            };
            let bytes = encode(&guest, now);
            let again = || guest.stream.try_clone().unwrap();
            let read = decode(&bytes, again(), now).unwrap();
            assert_eq!(read.deadline, guest.deadline);
            assert_eq!((read.from, &read.said), (guest.from, &guest.said));
            assert_eq!((read.proxied, read.charged), (guest.proxied, guest.charged));
            assert!(decode(&bytes[..GUEST - 1], again(), now).is_none());
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
