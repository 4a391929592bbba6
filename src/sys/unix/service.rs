//! What a service manager passes to a process and hears from it (sd_notify(3), sd_listen_fds(3)).

use std::ffi::OsStr;
use std::io;
use std::net::TcpListener;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::net::{SocketAddr, UnixDatagram};

use super::check;

/// The first descriptor that a service manager passes.
const FIRST: libc::c_int = 3;

/// The listening socket that the service manager passed as the first of its descriptors. To be
/// called once, and only when the manager said that it passed one.
///
/// # Errors
/// When the descriptor is not there or not a listening TCP socket.
pub fn passed_listener() -> io::Result<TcpListener> {
    let option = |name: libc::c_int| -> io::Result<libc::c_int> {
        let mut value: libc::c_int = 0;
        let mut length = size_of::<libc::c_int>() as libc::socklen_t;
        // SAFETY: one int and its length are written, and both outlive the call.
        check(unsafe {
            libc::getsockopt(
                FIRST,
                libc::SOL_SOCKET,
                name,
                (&raw mut value).cast(),
                &raw mut length,
            )
        })?;
        Ok(value)
    };
    if option(libc::SO_TYPE)? != libc::SOCK_STREAM || option(libc::SO_ACCEPTCONN)? == 0 {
        return Err(io::Error::other("it is not a listening stream socket"));
    }
    // SAFETY: no memory is passed.
    check(unsafe { libc::fcntl(FIRST, libc::F_SETFD, libc::FD_CLOEXEC) })?;
    // SAFETY: the manager passed the descriptor for this use, it is open, and the caller asks once.
    let listener = TcpListener::from(unsafe { OwnedFd::from_raw_fd(FIRST) });
    // Fails for a Unix socket.
    listener
        .local_addr()
        .map_err(|_| io::Error::other("it is not a TCP socket"))?;
    Ok(listener)
}

/// Says `state` to the service manager at `address`: a path, or an abstract name behind `@`.
///
/// # Errors
/// When nobody hears it.
pub fn notify(address: &OsStr, state: &str) -> io::Result<()> {
    let address = match address.as_encoded_bytes() {
        #[cfg(target_os = "linux")]
        [b'@', name @ ..] => {
            use std::os::linux::net::SocketAddrExt;
            SocketAddr::from_abstract_name(name)?
        }
        _ => SocketAddr::from_pathname(address)?,
    };
    let socket = UnixDatagram::unbound()?;
    // A manager that does not read must not stop a service.
    socket.set_nonblocking(true)?;
    socket.send_to_addr(state.as_bytes(), &address).map(drop)
}

/// The system's monotonic time in microseconds, as the service manager counts it.
pub fn monotonic_microseconds() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the call writes one `timespec`. It cannot fail for this clock.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_sec as u64 * 1_000_000 + time.tv_nsec as u64 / 1_000
}
