//! A connection until its hello is whole.
//!
//! A machine without I/O: the backend peeks at what has arrived, hands it in, and takes exactly
//! what belonged to the hello off the socket, so that the peer's bytes never enter the relay's memory.
//! Behind balancers a header that says whose connection it is comes before the hello.

use std::net::SocketAddr;
use std::time::Instant;

use super::config::Config;
use super::event::Refusal;
use crate::wire::proxy::{ProxyProgress, ProxyReader};
use crate::wire::{Hello, HelloReader, Progress};

/// Awaits the hello of one connection.
#[derive(Debug)]
pub(super) struct Session {
    /// While the balancer's header is awaited.
    proxy: Option<ProxyReader>,
    /// What the header told, until it is asked for.
    source: Option<SocketAddr>,
    reader: HelloReader,
    deadline: Instant,
}

/// What a connection turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The hello is not whole: more bytes are needed.
    Await,
    /// It is whole.
    Serve(Hello),
    /// There will be none: answer `X`.
    Refuse(Refusal),
}

impl Session {
    /// A connection accepted at `now`. The deadline is absolute: bytes do not move it, and it covers
    /// the balancer's header too.
    pub(super) fn new(now: Instant, config: &Config, from: SocketAddr) -> Result<Self, Refusal> {
        let balancers = &config.proxy_from;
        let is_balancer = balancers.iter().any(|range| range.contains(from.ip()));
        if !balancers.is_empty() && !is_balancer {
            return Err(Refusal::NotFromProxy);
        }
        Ok(Self {
            proxy: is_balancer.then(ProxyReader::new),
            source: None,
            reader: HelloReader::new(),
            deadline: now + config.hello_timeout,
        })
    }

    /// Whether the address that it was accepted from is not known to be its true one.
    pub(super) fn awaits_source(&self) -> bool {
        self.proxy.is_some()
    }

    /// The true address, once, when the balancer's header has told it.
    pub(super) fn take_source(&mut self) -> Option<SocketAddr> {
        self.source.take()
    }

    /// A connection of which `said` was taken before, and what it has come to.
    pub(super) fn resume(said: &[u8], proxied: bool, deadline: Instant) -> (Self, Verdict) {
        let mut session = Self {
            proxy: proxied.then(ProxyReader::new),
            source: None,
            reader: HelloReader::new(),
            deadline,
        };
        let (_, verdict) = session.handle_bytes(said);
        (session, verdict)
    }

    /// What was taken so far, to be resumed from.
    pub(super) fn said(&self) -> Vec<u8> {
        self.proxy
            .as_ref()
            .map_or_else(|| self.reader.taken(), ProxyReader::taken)
    }

    /// When [`Self::handle_time`] has to be called at the latest.
    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Takes the next bytes; how many of them belonged to the hello, and what it came to.
    pub(super) fn handle_bytes(&mut self, bytes: &[u8]) -> (usize, Verdict) {
        let mut before = 0;
        if let Some(proxy) = &mut self.proxy {
            match proxy.push(bytes) {
                Ok(ProxyProgress::More) => return (bytes.len(), Verdict::Await),
                Ok(ProxyProgress::Done { source, used }) => {
                    self.source = source;
                    self.proxy = None;
                    before = used;
                }
                Err(error) => return (0, Verdict::Refuse(Refusal::NoProxyHeader(error))),
            }
        }
        match self.reader.push(bytes.get(before..).unwrap_or_default()) {
            Ok(Progress::More) => (bytes.len(), Verdict::Await),
            Ok(Progress::Done { hello, used }) => (before + used, Verdict::Serve(hello)),
            Err(error) => (0, Verdict::Refuse(Refusal::NotHello(error))),
        }
    }

    /// What it comes to at `now` if nothing arrived.
    pub(super) fn handle_time(&self, now: Instant) -> Verdict {
        if now < self.deadline {
            Verdict::Await
        } else {
            Verdict::Refuse(Refusal::HelloTimeout)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::wire::{HelloError, ProxyError, Role, UserId};

    const PROXIED: &[u8] =
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc6\x33\x64\x07\x7f\0\0\x01\x9c\x40\x23\x28";

    fn session(now: Instant, balancers: &[&str], from: &str) -> Result<Session, Refusal> {
        let config = Config {
            proxy_from: balancers.iter().map(|text| text.parse().unwrap()).collect(),
            ..Config::default()
        };
        Session::new(now, &config, from.parse().unwrap())
    }

    fn direct(now: Instant) -> Session {
        session(now, &[], "203.0.113.9:51514").unwrap()
    }

    #[test]
    fn a_hello_in_pieces_is_served_and_the_rest_left_alone() {
        let mut session = direct(Instant::now());
        assert_eq!(session.handle_bytes(b"Ta"), (2, Verdict::Await));
        let hello = Hello {
            role: Role::Listener,
            id: UserId::new(b"ab").unwrap(),
        };
        assert_eq!(
            session.handle_bytes(b"b$SSH-2.0"),
            (2, Verdict::Serve(hello))
        );
    }

    #[test]
    fn what_is_no_hello_is_refused() {
        let mut session = direct(Instant::now());
        let refusal = Refusal::NotHello(HelloError::UnknownRole);
        assert_eq!(
            session.handle_bytes(b"GET / HTTP/1.1"),
            (0, Verdict::Refuse(refusal))
        );
    }

    #[test]
    fn behind_a_balancer_the_header_tells_the_address_whatever_the_split() {
        let hello = Hello {
            role: Role::Listener,
            id: UserId::new(b"ab").unwrap(),
        };
        let bytes = [PROXIED, b"Tab$SSH-2.0"].concat();
        let whole = PROXIED.len() + b"Tab$".len();
        for cut in 0..whole {
            let mut session = session(Instant::now(), &["10.0.0.0/8"], "10.1.2.3:1").unwrap();
            assert!(session.awaits_source());
            assert_eq!(session.handle_bytes(&bytes[..cut]), (cut, Verdict::Await));
            let (proxied, source) = (session.awaits_source(), session.source);
            let (said, deadline) = (session.said(), session.deadline());
            let (mut session, verdict) = Session::resume(&said, proxied, deadline);
            assert_eq!(verdict, Verdict::Await);
            session.source = source;
            let early = session.take_source();
            let done = (whole - cut, Verdict::Serve(hello.clone()));
            assert_eq!(session.handle_bytes(&bytes[cut..]), done);
            let late = session.take_source();
            let source = Some("198.51.100.7:40000".parse().unwrap());
            let is_told = match cut < PROXIED.len() {
                true => [None, source],
                false => [source, None],
            };
            assert_eq!([early, late], is_told, "cut at {cut}");
            assert!(!session.awaits_source());
        }
    }

    #[test]
    fn only_balancers_may_send_a_header_and_they_must() {
        let now = Instant::now();
        let refused = session(now, &["10.0.0.0/8"], "203.0.113.9:1").map(drop);
        assert_eq!(refused, Err(Refusal::NotFromProxy));
        let mut session = session(now, &["10.0.0.0/8"], "10.1.2.3:1").unwrap();
        let refusal = Refusal::NoProxyHeader(ProxyError::Signature);
        let refused = (0, Verdict::Refuse(refusal));
        assert_eq!(session.handle_bytes(b"Tab$"), refused);
        let refusal = Refusal::NotHello(HelloError::UnknownRole);
        let refused = (0, Verdict::Refuse(refusal));
        assert_eq!(direct(now).handle_bytes(PROXIED), refused);
    }

    #[test]
    fn bytes_do_not_move_the_deadline() {
        let (start, timeout) = (Instant::now(), Config::default().hello_timeout);
        let mut session = direct(start);
        session.handle_bytes(b"Ta");
        assert_eq!(session.deadline(), start + timeout);
        assert_eq!(
            session.handle_time(start + timeout - Duration::from_millis(1)),
            Verdict::Await
        );
        assert_eq!(
            session.handle_time(start + timeout),
            Verdict::Refuse(Refusal::HelloTimeout)
        );
    }
}
