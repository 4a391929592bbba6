//! Sockets, as far as the standard library goes.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

/// A listening socket. Whether an unspecified IPv6 address takes IPv4 connections too is the
/// system's choice here.
///
/// # Errors
/// When the address is in use, not ours, or of a family that the system does not have.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address)
}

/// Connects; `give_up` is asked once, before.
///
/// # Errors
/// `TimedOut` after `timeout`, `Interrupted` when `give_up` said so, else what the system says.
pub fn connect(
    address: SocketAddr,
    timeout: Duration,
    give_up: &dyn Fn() -> bool,
) -> io::Result<TcpStream> {
    if give_up() {
        return Err(io::ErrorKind::Interrupted.into());
    }
    TcpStream::connect_timeout(&address, timeout)
}

/// Nothing: the standard library has no such option.
///
/// # Errors
/// None on this platform.
pub fn keep_alive(_: &TcpStream, _idle: Duration, _interval: Duration) -> io::Result<()> {
    Ok(())
}

/// Has a short message not wait for the acknowledgement of the one before; a vanished peer is left
/// to the system's own times.
///
/// # Errors
/// When the system refuses.
pub fn watch_peer(socket: &impl Socket) -> io::Result<()> {
    socket
        .stream()
        .map_or(Ok(()), |stream| stream.set_nodelay(true))
}

/// A listening or a connected socket.
pub trait Socket {
    /// It, if connected.
    fn stream(&self) -> Option<&TcpStream>;
}

impl Socket for TcpStream {
    fn stream(&self) -> Option<&TcpStream> {
        Some(self)
    }
}

impl Socket for TcpListener {
    fn stream(&self) -> Option<&TcpStream> {
        None
    }
}

/// `None`: the standard library cannot tell.
pub fn silence(_: &TcpStream) -> Option<Duration> {
    None
}

/// Whether the peer has ended or lost the connection. An end behind unread bytes is not seen here.
pub fn peer_gone(stream: &TcpStream) -> bool {
    if stream.set_nonblocking(true).is_err() {
        return true;
    }
    let gone = match stream.peek(&mut [0]) {
        Ok(count) => count == 0,
        Err(error) => !matches!(
            error.kind(),
            io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
        ),
    };
    gone || stream.set_nonblocking(false).is_err()
}

/// Whether a read would return at once: with bytes, at the end, or with an error.
///
/// # Errors
/// What the system says.
pub fn readable(stream: &TcpStream) -> io::Result<bool> {
    stream.set_nonblocking(true)?;
    let peeked = stream.peek(&mut [0]);
    stream.set_nonblocking(false)?;
    Ok(!peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock))
}

/// `None`: the standard library cannot tell.
pub fn unread(_: &TcpStream) -> Option<usize> {
    None
}

/// `None`: the standard library cannot tell.
pub fn is_settled(_: &TcpStream) -> Option<bool> {
    None
}

/// `None`: the standard library cannot tell.
pub fn unsent(_: &TcpStream) -> Option<usize> {
    None
}

/// Ends the connection at once, and wakes whoever is blocked on the socket. The standard library
/// has no reset, so the peer may take it for a clean end.
pub fn reset(stream: &TcpStream) {
    let _ = stream.shutdown(Shutdown::Both);
}

/// `None`: the limit cannot be asked for here.
pub fn raise_descriptor_limit() -> Option<u64> {
    None
}

#[cfg(test)]
#[path = "../tests/net.rs"]
mod tests;
