//! Reaching the relay.

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use super::Cancel;
use super::hosts::Relay;
use crate::sys::net;
use crate::transfer::Error;

/// A listener may wait for days: after this silence, and three probes without an answer, a relay
/// that vanished counts as gone.
const PROBE_AFTER: Duration = Duration::from_secs(30);
const PROBE_INTERVAL: Duration = Duration::from_secs(10);

/// Connects to the first address of the relay that accepts within the time.
pub(super) fn dial(relay: &Relay, timeout: Duration, cancel: &Cancel) -> Result<TcpStream, Error> {
    let stream = resolve(relay).and_then(|addresses| {
        let stream = connect(&addresses, timeout, cancel)?;
        prepare(stream)
    });
    stream.map_err(|error| match cancel.is_cancelled() {
        true => Error::Cancelled,
        false => Error::Unreachable {
            relay: relay.to_string(),
            error,
        },
    })
}

fn connect(addresses: &[SocketAddr], time: Duration, cancel: &Cancel) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for &address in addresses {
        let give_up = || cancel.is_cancelled();
        match net::connect(address, time, &give_up) {
            Ok(stream) => return Ok(stream),
            Err(error) if give_up() => return Err(error),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn resolve(relay: &Relay) -> io::Result<Vec<SocketAddr>> {
    let addresses = (relay.host.as_str(), relay.port).to_socket_addrs();
    // The standard library adds words of its own to what the resolver says.
    let addresses = addresses.map_err(|_| {
        io::Error::new(io::ErrorKind::NotFound, "the host name cannot be looked up")
    })?;
    Ok(addresses.collect())
}

fn prepare(stream: TcpStream) -> io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    net::keep_alive(&stream, PROBE_AFTER, PROBE_INTERVAL)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[cfg(all(target_os = "linux", feature = "libc"))]
    fn relay(listener: &TcpListener) -> Relay {
        let address = listener.local_addr().unwrap();
        Relay {
            host: address.ip().to_string(),
            port: address.port(),
        }
    }

    #[test]
    fn each_address_is_tried_until_one_accepts() {
        let here = TcpListener::bind("127.0.0.1:0").unwrap();
        let gone = {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap()
        };
        let addresses = [gone, here.local_addr().unwrap()];
        let stream = connect(&addresses, Duration::from_secs(5), &Cancel::new()).unwrap();
        assert_eq!(stream.peer_addr().unwrap(), addresses[1]);
    }

    /// A listener whose queue is full, so that a call to it hangs, and what fills it.
    #[cfg(all(target_os = "linux", feature = "libc"))]
    fn silent() -> (TcpListener, Vec<TcpStream>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let call = || TcpStream::connect_timeout(&address, Duration::from_millis(300));
        let queue = std::iter::from_fn(|| call().ok()).take(10_000).collect();
        (listener, queue)
    }

    #[cfg(all(target_os = "linux", feature = "libc"))]
    #[test]
    fn a_call_that_hangs_is_ended_by_a_cancel() {
        let (listener, _queue) = silent();
        let relay = relay(&listener);
        let cancel = Cancel::new();
        let begin = std::time::Instant::now();
        std::thread::scope(|scope| {
            let call = scope.spawn(|| dial(&relay, Duration::from_secs(30), &cancel));
            // Before or within the call: both must end it.
            std::thread::sleep(Duration::from_millis(100));
            cancel.cancel();
            assert!(matches!(call.join().unwrap(), Err(Error::Cancelled)));
        });
        assert!(begin.elapsed() < Duration::from_secs(15));
    }

    #[cfg(all(target_os = "linux", feature = "libc"))]
    #[test]
    fn the_kernel_probes_a_relay_that_is_silent() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let relay = relay(&listener);
        let stream = dial(&relay, Duration::from_secs(5), &Cancel::new()).unwrap();
        let port = stream.local_addr().unwrap().port();
        // Our end of the connection, established; the kernel may pass it over in a table that changes
        // while it is read.
        let ours = format!(" 0100007F:{port:04X} 0100007F:{:04X} 01 ", relay.port);
        let begin = std::time::Instant::now();
        let line = loop {
            let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
            if let Some(line) = table.lines().find(|line| line.contains(&ours)) {
                break line.to_string();
            }
            assert!(begin.elapsed() < Duration::from_secs(10), "{table}");
        };
        // The kind of the timer that runs: 02 is that of the probes (Linux, proc_net_tcp).
        let timer = line.split_whitespace().nth(5).unwrap();
        assert!(timer.starts_with("02:"), "{line}");
    }

    #[test]
    fn addresses_of_both_families_need_no_look_up() {
        for (host, address) in [("::1", "[::1]:9000"), ("127.0.0.1", "127.0.0.1:9000")] {
            let host = host.to_string();
            let relay = Relay { host, port: 9000 };
            assert_eq!(resolve(&relay).unwrap(), [address.parse().unwrap()]);
        }
    }
}
