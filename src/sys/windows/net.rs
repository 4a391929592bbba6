//! Sockets: what the standard library has no call for.

#[path = "../portable/net.rs"]
#[expect(dead_code, unreachable_pub, reason = "some of it is done better below")]
mod standard;

use std::io;
use std::mem::size_of;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::windows::io::{AsRawSocket, FromRawSocket, OwnedSocket, RawSocket};
use std::sync::OnceLock;
use std::time::Duration;

pub use self::standard::{
    connect, is_settled, peer_gone, raise_descriptor_limit, readable, reset, silence, unread,
    unsent,
};

/// How many connections may await their accept (`SOMAXCONN`: as many as is reasonable).
const BACKLOG: i32 = 0x7fff_ffff;

const AF_INET: u16 = 2;
const AF_INET6: u16 = 23;
const SOCK_STREAM: i32 = 1;
const INVALID_SOCKET: RawSocket = RawSocket::MAX;
/// Overlapped, and not inherited by child processes.
const FLAGS: u32 = 0x01 | 0x80;

const SOL_SOCKET: i32 = 0xffff;
const SO_KEEPALIVE: i32 = 0x0008;
const IPPROTO_TCP: i32 = 6;
const TCP_NODELAY: i32 = 1;
const TCP_KEEPIDLE: i32 = 3;
const TCP_KEEPCNT: i32 = 16;
const TCP_KEEPINTVL: i32 = 17;
const IPPROTO_IPV6: i32 = 41;
const IPV6_V6ONLY: i32 = 27;

/// `sockaddr_in6`, which is larger than `sockaddr_in` and begins with the same three fields' places.
#[repr(C)]
struct Address {
    family: u16,
    port: [u8; 2],
    /// `sin_addr`, or `sin6_flowinfo`.
    second: [u8; 4],
    six: [u8; 16],
    scope: u32,
}

// SAFETY: `winsock2.h` declares them so. `WSADATA` has 408 bytes.
#[link(name = "ws2_32")]
unsafe extern "system" {
    fn WSAStartup(version: u16, data: *mut [u64; 51]) -> i32;
    fn WSAGetLastError() -> i32;
    fn WSASocketW(
        family: i32,
        kind: i32,
        protocol: i32,
        info: *const u8,
        group: u32,
        flags: u32,
    ) -> RawSocket;
    fn bind(socket: RawSocket, address: *const Address, length: i32) -> i32;
    #[link_name = "listen"]
    fn begin_listening(socket: RawSocket, backlog: i32) -> i32;
    fn setsockopt(socket: RawSocket, level: i32, name: i32, value: *const i32, length: i32) -> i32;
}

/// A listening socket. On an unspecified IPv6 address it takes IPv4 connections too.
///
/// # Errors
/// When the address is in use, not ours, or of a family that the system does not have.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    begin()?;
    let (raw, length) = raw_address(address);
    // SAFETY: no memory is passed but a null pointer, which stands for no template.
    let socket = unsafe {
        WSASocketW(
            raw.family.into(),
            SOCK_STREAM,
            IPPROTO_TCP,
            std::ptr::null(),
            0,
            FLAGS,
        )
    };
    if socket == INVALID_SOCKET {
        return Err(last_error());
    }
    // SAFETY: the socket is new and nobody else's.
    let socket = unsafe { OwnedSocket::from_raw_socket(socket) };
    if address.is_ipv6() {
        let only = i32::from(!address.ip().is_unspecified());
        set_option(&socket, IPPROTO_IPV6, IPV6_V6ONLY, only)?;
    }
    // SAFETY: `raw` is a socket address of at least `length` bytes that outlives the call.
    check(unsafe { bind(socket.as_raw_socket(), &raw const raw, length) })?;
    // SAFETY: no memory is passed.
    check(unsafe { begin_listening(socket.as_raw_socket(), BACKLOG) })?;
    Ok(TcpListener::from(socket))
}

/// Has the system probe a silent peer after `idle`, then every `interval`, and end the connection
/// after three probes without an answer.
///
/// # Errors
/// When the system refuses.
pub fn keep_alive(stream: &TcpStream, idle: Duration, interval: Duration) -> io::Result<()> {
    set_keep_alive(stream, idle, interval)
}

fn set_keep_alive(socket: &impl AsRawSocket, idle: Duration, interval: Duration) -> io::Result<()> {
    let seconds = |time: Duration| i32::try_from(time.as_secs().max(1)).unwrap_or(i32::MAX);
    set_option(socket, SOL_SOCKET, SO_KEEPALIVE, 1)?;
    // Windows before 10 (1709) has its own times, which find a vanished peer in hours.
    let _ = set_option(socket, IPPROTO_TCP, TCP_KEEPIDLE, seconds(idle));
    let _ = set_option(socket, IPPROTO_TCP, TCP_KEEPINTVL, seconds(interval));
    let _ = set_option(socket, IPPROTO_TCP, TCP_KEEPCNT, 3);
    Ok(())
}

/// Has the system find out about a peer that has vanished (probes after 25 s of silence, every 10 s,
/// three times), and a short message not wait for the acknowledgement of the one before. What a
/// listening socket accepts has the same options.
///
/// # Errors
/// When the system refuses.
pub fn watch_peer(socket: &impl AsRawSocket) -> io::Result<()> {
    set_keep_alive(socket, Duration::from_secs(25), Duration::from_secs(10))?;
    set_option(socket, IPPROTO_TCP, TCP_NODELAY, 1)
}

/// Has the library of sockets begin; the standard library does so too, at its own first socket.
fn begin() -> io::Result<()> {
    static BEGUN: OnceLock<i32> = OnceLock::new();
    let begun = BEGUN.get_or_init(|| {
        let mut data = [0; 51];
        // SAFETY: writes 408 bytes, which are there. 0x0202 is version 2.2.
        unsafe { WSAStartup(0x0202, &raw mut data) }
    });
    match begun {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(*error)),
    }
}

fn set_option(socket: &impl AsRawSocket, level: i32, name: i32, value: i32) -> io::Result<()> {
    let length = size_of::<i32>() as i32;
    // SAFETY: the value has `length` bytes and outlives the call.
    check(unsafe {
        setsockopt(
            socket.as_raw_socket(),
            level,
            name,
            &raw const value,
            length,
        )
    })
}

fn check(result: i32) -> io::Result<()> {
    match result {
        0 => Ok(()),
        _ => Err(last_error()),
    }
}

fn last_error() -> io::Error {
    // SAFETY: takes nothing and cannot fail.
    io::Error::from_raw_os_error(unsafe { WSAGetLastError() })
}

/// A socket address as the system takes it, and its length in bytes.
fn raw_address(address: SocketAddr) -> (Address, i32) {
    let port = address.port().to_be_bytes();
    match address {
        SocketAddr::V4(v4) => {
            let raw = Address {
                family: AF_INET,
                port,
                second: v4.ip().octets(),
                six: [0; 16],
                scope: 0,
            };
            (raw, 16)
        }
        SocketAddr::V6(v6) => {
            let raw = Address {
                family: AF_INET6,
                port,
                second: v6.flowinfo().to_ne_bytes(),
                six: v6.ip().octets(),
                scope: v6.scope_id(),
            };
            (raw, size_of::<Address>() as i32)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    #[test]
    fn a_socket_for_all_addresses_takes_both_families() {
        let Ok(listener) = listen(SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0))) else {
            // There is no IPv6 here.
            return;
        };
        watch_peer(&listener).unwrap();
        let port = listener.local_addr().unwrap().port();
        let at = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let caller = connect(at, Duration::from_secs(5), &|| false).unwrap();
        let (_accepted, from) = listener.accept().unwrap();
        assert_eq!(from.port(), caller.local_addr().unwrap().port());
    }
}
