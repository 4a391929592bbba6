//! Sockets: what the standard library has no call for.

use std::io;
use std::mem::size_of;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

use super::check;

/// How many connections may await their accept; the kernel cuts it to its own limit.
const BACKLOG: libc::c_int = 4096;
/// How often a waiting connect asks whether to give up.
const GIVE_UP_POLL: Duration = Duration::from_millis(50);
/// How many bytes that it cannot send yet the kernel takes for a peer that is watched.
#[cfg(target_os = "linux")]
pub const UNSENT: usize = 128 << 10;

/// A listening socket. On an unspecified IPv6 address it takes IPv4 connections too.
///
/// # Errors
/// When the address is in use, not ours, or of a family that the system does not have.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = stream_socket(address)?;
    set_option(&socket, libc::SOL_SOCKET, libc::SO_REUSEADDR, 1)?;
    if address.is_ipv6() {
        let only = libc::c_int::from(!address.ip().is_unspecified());
        set_option(&socket, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, only)?;
    }
    let (raw, length) = raw_address(address);
    // SAFETY: `raw` is a socket address of `length` bytes that outlives the call.
    check(unsafe { libc::bind(socket.as_raw_fd(), (&raw const raw).cast(), length) })?;
    // SAFETY: no memory is passed.
    check(unsafe { libc::listen(socket.as_raw_fd(), BACKLOG) })?;
    Ok(TcpListener::from(socket))
}

/// Connects, asking `give_up` some 20 times a second whether to go on.
///
/// # Errors
/// `TimedOut` after `timeout`, `Interrupted` when `give_up` said so, else what the system says.
pub fn connect(
    address: SocketAddr,
    timeout: Duration,
    give_up: &dyn Fn() -> bool,
) -> io::Result<TcpStream> {
    let deadline = Instant::now() + timeout;
    let socket = stream_socket(address)?;
    let stream = TcpStream::from(socket);
    stream.set_nonblocking(true)?;
    let (raw, length) = raw_address(address);
    // SAFETY: `raw` is a socket address of `length` bytes that outlives the call.
    match check(unsafe { libc::connect(stream.as_raw_fd(), (&raw const raw).cast(), length) }) {
        Ok(_) => {}
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {
            loop {
                if give_up() {
                    return Err(io::ErrorKind::Interrupted.into());
                }
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                if poll(&stream, libc::POLLOUT, left.min(GIVE_UP_POLL))? != 0 {
                    break;
                }
            }
            if let Some(error) = stream.take_error()? {
                return Err(error);
            }
        }
        Err(error) => return Err(error),
    }
    stream.set_nonblocking(false)?;
    Ok(stream)
}

/// Has the kernel probe a silent peer after `idle`, then every `interval`, and end the connection
/// after three probes without an answer.
///
/// # Errors
/// When the system refuses the option.
pub fn keep_alive(stream: &TcpStream, idle: Duration, interval: Duration) -> io::Result<()> {
    set_keep_alive(stream, idle, interval)
}

fn set_keep_alive(stream: &impl AsRawFd, idle: Duration, interval: Duration) -> io::Result<()> {
    let seconds =
        |time: Duration| libc::c_int::try_from(time.as_secs().max(1)).unwrap_or(libc::c_int::MAX);
    set_option(stream, libc::SOL_SOCKET, libc::SO_KEEPALIVE, 1)?;
    #[cfg(not(any(target_os = "macos", target_os = "ios")))]
    set_option(stream, libc::IPPROTO_TCP, libc::TCP_KEEPIDLE, seconds(idle))?;
    #[cfg(any(target_os = "macos", target_os = "ios"))]
    set_option(
        stream,
        libc::IPPROTO_TCP,
        libc::TCP_KEEPALIVE,
        seconds(idle),
    )?;
    set_option(
        stream,
        libc::IPPROTO_TCP,
        libc::TCP_KEEPINTVL,
        seconds(interval),
    )?;
    set_option(stream, libc::IPPROTO_TCP, libc::TCP_KEEPCNT, 3)
}

/// Has the kernel find out about a peer that has vanished, and keeps what it holds for a slow one
/// small. On Linux a listening socket hands all of it down to what it accepts.
///
/// - keepalive: probes after 25 s of silence, every 10 s, three times (tcp(7))
/// - no delay: a short message does not wait for the acknowledgement of the one before
/// - at most 128 KiB that were not sent yet (`TCP_NOTSENT_LOWAT`)
/// - retransmissions and window probes at least every 10 s (`TCP_RTO_MAX_MS`, Linux 6.15): without
///   it a peer that reads nothing for long answers only every two minutes, as a vanished one does
///
/// # Errors
/// When the system refuses one of the first three; the last is new and its refusal is no error.
pub fn watch_peer(socket: &impl AsRawFd) -> io::Result<()> {
    set_keep_alive(socket, Duration::from_secs(25), Duration::from_secs(10))?;
    set_option(socket, libc::IPPROTO_TCP, libc::TCP_NODELAY, 1)?;
    #[cfg(target_os = "linux")]
    {
        const TCP_RTO_MAX_MS: libc::c_int = 44;
        limit_unsent(socket, true)?;
        let _ = set_option(socket, libc::IPPROTO_TCP, TCP_RTO_MAX_MS, 10_000);
    }
    Ok(())
}

/// Has the kernel take no more of what it cannot send yet than [`UNSENT`], or as much as its send
/// buffer may grow to. Whoever waits for room is woken (`TCP_NOTSENT_LOWAT`, tcp(7)).
///
/// # Errors
/// When the system refuses.
#[cfg(target_os = "linux")]
pub fn limit_unsent(socket: &impl AsRawFd, limited: bool) -> io::Result<()> {
    let most = if limited {
        UNSENT as libc::c_int
    } else {
        libc::c_int::MAX
    };
    set_option(socket, libc::IPPROTO_TCP, libc::TCP_NOTSENT_LOWAT, most)
}

/// For how long the peer has acknowledged nothing although it has something to acknowledge; `None`
/// when it has nothing, or where the system cannot tell.
pub fn silence(stream: &TcpStream) -> Option<Duration> {
    #[cfg(target_os = "linux")]
    {
        if unsent(stream)? == 0 {
            return None;
        }
        let info = info(stream)?;
        Some(Duration::from_millis(u64::from(info.tcpi_last_ack_recv)))
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = stream;
        None
    }
}

/// Whether the peer has ended or lost the connection, told without reading.
pub fn peer_gone(stream: &TcpStream) -> bool {
    #[cfg(target_os = "linux")]
    const ENDED: libc::c_short = libc::POLLRDHUP;
    #[cfg(not(target_os = "linux"))]
    const ENDED: libc::c_short = 0;
    let gone = ENDED | libc::POLLHUP | libc::POLLERR;
    poll(stream, ENDED, Duration::ZERO).is_ok_and(|events| events & gone != 0)
}

/// Bytes that the peer has sent and nobody has read; `None` where the system cannot tell.
pub fn unread(stream: &TcpStream) -> Option<usize> {
    let mut count: libc::c_int = 0;
    // SAFETY: FIONREAD writes one int that outlives the call.
    let result = unsafe { libc::ioctl(stream.as_raw_fd(), libc::FIONREAD, &raw mut count) };
    (result == 0).then(|| usize::try_from(count).unwrap_or(0))
}

/// Whether the peer has acknowledged all that was given to the kernel, or never will because the
/// connection is no more; `None` where the system cannot tell.
pub fn is_settled(stream: &TcpStream) -> Option<bool> {
    let acknowledged = unsent(stream)? == 0;
    #[cfg(target_os = "linux")]
    {
        const TCP_CLOSE: u8 = 7;
        Some(acknowledged || info(stream).is_some_and(|info| info.tcpi_state == TCP_CLOSE))
    }
    #[cfg(not(target_os = "linux"))]
    Some(acknowledged)
}

/// Whether a read would return at once: with bytes, at the end, or with an error.
///
/// # Errors
/// What the system says.
pub fn readable(stream: &TcpStream) -> io::Result<bool> {
    Ok(poll(stream, libc::POLLIN, Duration::ZERO)? != 0)
}

/// Bytes given to the kernel that the peer has not acknowledged; `None` where the system cannot tell.
pub fn unsent(stream: &TcpStream) -> Option<usize> {
    #[cfg(target_os = "linux")]
    const QUESTION: libc::Ioctl = libc::TIOCOUTQ; // which sockets know as SIOCOUTQ
    #[cfg(target_os = "freebsd")]
    const QUESTION: libc::c_ulong = 0x4004_6677; // FIONWRITE: _IOR('f', 119, int)
    #[cfg(any(target_os = "linux", target_os = "freebsd"))]
    {
        let mut count: libc::c_int = 0;
        // SAFETY: the call writes one int that outlives it.
        let result = unsafe { libc::ioctl(stream.as_raw_fd(), QUESTION, &raw mut count) };
        (result == 0).then(|| usize::try_from(count).unwrap_or(0))
    }
    #[cfg(any(target_os = "macos", target_os = "ios"))]
    {
        let mut count: libc::c_int = 0;
        let mut length = size_of::<libc::c_int>() as libc::socklen_t;
        // SAFETY: the call writes at most `length` bytes to `count`, and both outlive it.
        let result = unsafe {
            libc::getsockopt(
                stream.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_NWRITE,
                (&raw mut count).cast(),
                &raw mut length,
            )
        };
        (result == 0).then(|| usize::try_from(count).unwrap_or(0))
    }
    #[cfg(not(any(
        target_os = "linux",
        target_os = "freebsd",
        target_os = "macos",
        target_os = "ios"
    )))]
    {
        let _ = stream;
        None
    }
}

/// Ends the connection at once with a reset, so that the peer sees an error and no clean end;
/// whoever is blocked on the socket wakes up.
pub fn reset(stream: &TcpStream) {
    if dissolve(stream) {
        return;
    }
    let linger = libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    // SAFETY: `linger` outlives the call. A failure leaves an orderly close, which is the fallback.
    unsafe {
        libc::setsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_LINGER,
            (&raw const linger).cast(),
            size_of::<libc::linger>() as libc::socklen_t,
        )
    };
    let _ = stream.shutdown(std::net::Shutdown::Both);
}

/// Connects to no address, at which Linux sends RST and wakes every waiter. Linux 6.4 to 6.6 refuse
/// it while a thread is blocked on the socket.
fn dissolve(stream: &TcpStream) -> bool {
    // SAFETY: an all-zero socket address is valid; its family is AF_UNSPEC.
    let none: libc::sockaddr = unsafe { std::mem::zeroed() };
    let length = size_of::<libc::sockaddr>() as libc::socklen_t;
    // SAFETY: `none` is `length` bytes and outlives the call.
    let result = unsafe { libc::connect(stream.as_raw_fd(), &raw const none, length) };
    cfg!(target_os = "linux") && result == 0
}

/// Raises the number of descriptors that the process may hold as far as the system lets it; the
/// number, or `None` where there is no such limit.
pub fn raise_descriptor_limit() -> Option<u64> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the call writes one `rlimit`.
    check(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) }).ok()?;
    let wanted = libc::rlimit {
        rlim_cur: limit.rlim_max,
        rlim_max: limit.rlim_max,
    };
    // SAFETY: the call reads one `rlimit`. macOS refuses an unlimited number: then the old one stays.
    match check(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const wanted) }) {
        // Signed on FreeBSD, where it is never negative.
        Ok(_) => Some(wanted.rlim_cur as _),
        Err(_) => Some(limit.rlim_cur as _),
    }
}

#[cfg(target_os = "linux")]
fn info(stream: &TcpStream) -> Option<libc::tcp_info> {
    // SAFETY: `tcp_info` is plain data for which zero is a valid value.
    let mut info: libc::tcp_info = unsafe { std::mem::zeroed() };
    let mut length = size_of::<libc::tcp_info>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes to `info`, and both outlive the call.
    let result = unsafe {
        libc::getsockopt(
            stream.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            (&raw mut info).cast(),
            &raw mut length,
        )
    };
    check(result).ok().map(|_| info)
}

fn stream_socket(address: SocketAddr) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() {
        libc::AF_INET
    } else {
        libc::AF_INET6
    };
    #[cfg(any(target_os = "linux", target_os = "freebsd"))]
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC;
    #[cfg(not(any(target_os = "linux", target_os = "freebsd")))]
    let kind = libc::SOCK_STREAM;
    // SAFETY: no memory is passed.
    let descriptor = check(unsafe { libc::socket(family, kind, 0) })?;
    // SAFETY: the descriptor is new and nobody else's.
    let socket = unsafe { OwnedFd::from_raw_fd(descriptor) };
    #[cfg(not(any(target_os = "linux", target_os = "freebsd")))]
    // SAFETY: no memory is passed.
    check(unsafe { libc::fcntl(socket.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) })?;
    #[cfg(any(target_os = "macos", target_os = "ios"))]
    set_option(&socket, libc::SOL_SOCKET, libc::SO_NOSIGPIPE, 1)?;
    Ok(socket)
}

fn set_option(
    socket: &impl AsRawFd,
    level: libc::c_int,
    name: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    let length = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the value is one int of `length` bytes that outlives the call.
    check(unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            (&raw const value).cast(),
            length,
        )
    })?;
    Ok(())
}

/// The events of `wanted` (and errors) that came within `timeout`; 0 for none.
fn poll(stream: &TcpStream, wanted: libc::c_short, timeout: Duration) -> io::Result<libc::c_short> {
    let mut entry = libc::pollfd {
        fd: stream.as_raw_fd(),
        events: wanted,
        revents: 0,
    };
    let milliseconds = libc::c_int::try_from(timeout.as_millis()).unwrap_or(libc::c_int::MAX);
    // SAFETY: one entry is passed, and it outlives the call.
    match check(unsafe { libc::poll(&raw mut entry, 1, milliseconds) }) {
        Ok(_) => Ok(entry.revents),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(0),
        Err(error) => Err(error),
    }
}

/// A socket address as the kernel takes it, and its length in bytes.
fn raw_address(address: SocketAddr) -> (libc::sockaddr_storage, libc::socklen_t) {
    // SAFETY: `sockaddr_storage` is plain data for which zero is a valid value.
    let mut storage: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
    let length = match address {
        SocketAddr::V4(v4) => {
            // SAFETY: `storage` is larger than and aligned for every socket address.
            let raw = unsafe { &mut *(&raw mut storage).cast::<libc::sockaddr_in>() };
            raw.sin_family = libc::AF_INET as libc::sa_family_t;
            raw.sin_port = v4.port().to_be();
            raw.sin_addr.s_addr = u32::from_ne_bytes(v4.ip().octets());
            size_of::<libc::sockaddr_in>()
        }
        SocketAddr::V6(v6) => {
            // SAFETY: as above.
            let raw = unsafe { &mut *(&raw mut storage).cast::<libc::sockaddr_in6>() };
            raw.sin6_family = libc::AF_INET6 as libc::sa_family_t;
            raw.sin6_port = v6.port().to_be();
            raw.sin6_addr.s6_addr = v6.ip().octets();
            raw.sin6_flowinfo = v6.flowinfo();
            raw.sin6_scope_id = v6.scope_id();
            size_of::<libc::sockaddr_in6>()
        }
    };
    (storage, length as libc::socklen_t)
}

#[cfg(test)]
#[path = "../tests/net.rs"]
mod shared_tests;

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::Ipv4Addr;

    use super::*;

    fn couple() -> (TcpStream, TcpStream) {
        let listener = listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let address = listener.local_addr().unwrap();
        let caller = connect(address, Duration::from_secs(5), &|| false).unwrap();
        (caller, listener.accept().unwrap().0)
    }

    #[test]
    fn a_reset_is_seen_as_an_error_and_wakes_a_blocked_reader() {
        let (ours, mut theirs) = couple();
        std::thread::scope(|scope| {
            let blocked = scope.spawn(|| (&ours).read(&mut [0]));
            theirs.write_all(b"x").unwrap();
            assert_eq!(blocked.join().unwrap().unwrap(), 1);
            let blocked = scope.spawn(|| (&ours).read(&mut [0]));
            reset(&ours);
            // Whatever it returned, it returned.
            let _ = blocked.join().unwrap();
        });
        let error = theirs.read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }

    #[test]
    fn a_peer_that_spoke_and_left_is_gone_though_its_bytes_are_unread() {
        let (ours, mut theirs) = couple();
        theirs.write_all(b"early").unwrap();
        while ours.peek(&mut [0; 8]).unwrap() < 5 {}
        assert!(!peer_gone(&ours));
        drop(theirs);
        let deadline = Instant::now() + Duration::from_secs(5);
        while !peer_gone(&ours) {
            assert!(Instant::now() < deadline, "the end was not seen");
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_connect_can_be_given_up() {
        // Nobody answers in TEST-NET-1 (RFC 5737); where the system has no route, it says so at once.
        let nowhere = SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), 9));
        let error = connect(nowhere, Duration::from_secs(30), &|| true).unwrap_err();
        assert_ne!(error.kind(), io::ErrorKind::TimedOut);
    }
}
