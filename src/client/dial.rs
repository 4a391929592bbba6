//! Reaching the relay.

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use super::{Cancel, Endpoint};
use crate::sys::net;
use crate::transfer::Error;

/// A listener may wait for days: after this silence, and three probes without an answer, a relay
/// that vanished counts as gone.
const PROBE_AFTER: Duration = Duration::from_secs(30);
const PROBE_INTERVAL: Duration = Duration::from_secs(10);

/// The relay as it is shown: `host:port`, with brackets around an IPv6 address.
pub(super) fn shown(endpoint: &Endpoint) -> String {
    let host = bare(&endpoint.host);
    match host.contains(':') {
        true => format!("[{host}]:{}", endpoint.port),
        false => format!("{host}:{}", endpoint.port),
    }
}

/// Connects to the first address of the relay that accepts.
pub(super) fn dial(endpoint: &Endpoint, cancel: &Cancel) -> Result<TcpStream, Error> {
    connect(endpoint, cancel).map_err(|error| match cancel.is_cancelled() {
        true => Error::Cancelled,
        false => Error::Unreachable {
            relay: shown(endpoint),
            error,
        },
    })
}

fn connect(endpoint: &Endpoint, cancel: &Cancel) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in resolve(endpoint)? {
        let give_up = || cancel.is_cancelled();
        match net::connect(address, endpoint.connect_timeout, &give_up) {
            Ok(stream) => return prepare(stream),
            Err(error) if give_up() => return Err(error),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn resolve(endpoint: &Endpoint) -> io::Result<Vec<SocketAddr>> {
    let addresses = (bare(&endpoint.host), endpoint.port).to_socket_addrs();
    // The standard library adds words of its own to what the resolver says.
    let addresses = addresses.map_err(|_| {
        io::Error::new(io::ErrorKind::NotFound, "the host name cannot be looked up")
    })?;
    Ok(addresses.collect())
}

/// The host without the brackets that an IPv6 address may come in.
fn bare(host: &str) -> &str {
    host.strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host)
}

fn prepare(stream: TcpStream) -> io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    net::keep_alive(&stream, PROBE_AFTER, PROBE_INTERVAL)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transfer::UserId;

    fn endpoint(host: &str) -> Endpoint {
        Endpoint::new(UserId::new(b"a").unwrap(), host, 9000)
    }

    #[test]
    fn names_and_addresses_are_shown_and_resolved_with_or_without_brackets() {
        assert_eq!(shown(&endpoint("relay.example")), "relay.example:9000");
        assert_eq!(shown(&endpoint("::1")), "[::1]:9000");
        assert_eq!(shown(&endpoint("[::1]")), "[::1]:9000");
        for (host, address) in [
            ("::1", "[::1]:9000"),
            ("[::1]", "[::1]:9000"),
            ("127.0.0.1", "127.0.0.1:9000"),
        ] {
            assert_eq!(
                resolve(&endpoint(host)).unwrap(),
                [address.parse().unwrap()]
            );
        }
    }
}
