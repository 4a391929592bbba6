//! A connected socket through the relay.

use std::net::TcpStream;

use p2pxfer_core::client::{Cancel, Endpoint, stream};
use p2pxfer_core::transfer::{Error, Observer};

use crate::boundary::{self, Failure};
use crate::handle::{State, p2pxfer};
use crate::status::{P2PXFER_BAD_ARGUMENT, p2pxfer_status};
use crate::transfer::run;

/// A socket of the system's.
#[cfg(not(windows))]
#[expect(non_camel_case_types, reason = "the name that C sees")]
pub type p2pxfer_socket = std::ffi::c_int;
/// A socket of the system's: a SOCKET.
#[cfg(windows)]
#[expect(non_camel_case_types, reason = "the name that C sees")]
pub type p2pxfer_socket = isize;

/// Calls whoever waits under the user id and puts a connected socket into `*out`, for any protocol.
/// Blocks until somebody is there, as p2pxfer_set_wait() says. Whatever goes into the socket comes out
/// of the other side's, and nothing else does. After shutdown() of one direction the other goes on,
/// until it ends too or is silent for the relay's half-close time: 30 seconds unless its operator has
/// set another one.
///
/// The socket is the caller's, to be closed with close(), or closesocket() on Windows; the handle and
/// the library have forgotten it. It blocks, has no timeout, TCP_NODELAY set, and is not inherited by
/// programs that are started. Nothing on the way encrypts it, so a handle that has a secret, or
/// requires one, gets P2PXFER_BAD_ARGUMENT: take p2pxfer_dial_sealed(), or run a protocol over it that
/// sees to that. Writing to it
/// when the other side is gone raises SIGPIPE, unless it is done by send() with MSG_NOSIGNAL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pxfer_dial(
    handle: *mut p2pxfer,
    out: *mut p2pxfer_socket,
) -> p2pxfer_status {
    // SAFETY: the caller passes NULL or a handle, and NULL or a socket's place.
    unsafe { connect(handle, out, stream::dial) }
}

/// Waits under the user id until a caller has come and spoken, as long as p2pxfer_set_wait() says, and
/// puts a connected socket into `*out`, from which what the caller said is still to be read. The relay
/// does not tell when a caller comes: where the protocol has the listener speak first and its caller
/// wait for that, take p2pxfer_register(). The socket is as that of p2pxfer_dial().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pxfer_listen(
    handle: *mut p2pxfer,
    out: *mut p2pxfer_socket,
) -> p2pxfer_status {
    // SAFETY: the caller passes NULL or a handle, and NULL or a socket's place.
    unsafe { connect(handle, out, stream::listen) }
}

/// Registers with the relay as the one who waits under the user id, and puts the socket into `*out`
/// without waiting for a caller: for poll(). It is readable when a caller has spoken, or when the relay
/// ended it; what is written before is kept for the caller. A relay that refuses says "X" and ends the
/// stream. The socket is as that of p2pxfer_dial().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pxfer_register(
    handle: *mut p2pxfer,
    out: *mut p2pxfer_socket,
) -> p2pxfer_status {
    // SAFETY: the caller passes NULL or a handle, and NULL or a socket's place.
    unsafe { connect(handle, out, stream::register) }
}

/// The body of a call that ends in a socket.
///
/// # Safety
/// `handle` is NULL or a handle, `out` is NULL or points to a place for a socket.
unsafe fn connect(
    handle: *mut p2pxfer,
    out: *mut p2pxfer_socket,
    job: impl FnOnce(&Endpoint, &Cancel, &mut Observer<'_>) -> Result<TcpStream, Error>,
) -> p2pxfer_status {
    boundary::status(|| {
        // SAFETY: as the caller promises.
        let handle = unsafe { boundary::target(handle) }?;
        if out.is_null() {
            return Err(P2PXFER_BAD_ARGUMENT);
        }
        handle.call(|state| {
            check_plain(state)?;
            let endpoint = state.endpoint()?;
            let mut observer = state.observer();
            let stream = run(handle, |cancel| Ok(job(&endpoint, cancel, &mut observer)?))?;
            // SAFETY: it is not NULL, and the rest is as the caller promises.
            unsafe { out.write(into_socket(stream)) };
            Ok(())
        })
    })
}

/// Nobody who has set a secret is to find that the stream went without.
fn check_plain(state: &State) -> Result<(), Failure> {
    match state.options.secret.is_some() || state.require_secret {
        true => Err(Failure::bad(
            "a stream is not encrypted, and there is a secret or one is required: take p2pxfer_dial_sealed() and p2pxfer_listen_sealed()",
        )),
        false => Ok(()),
    }
}

/// The number of a socket that stays where it is.
#[cfg(not(windows))]
pub(crate) fn socket_of(stream: &TcpStream) -> p2pxfer_socket {
    std::os::fd::AsRawFd::as_raw_fd(stream)
}

/// The number of a socket that stays where it is.
#[cfg(windows)]
pub(crate) fn socket_of(stream: &TcpStream) -> p2pxfer_socket {
    std::os::windows::io::AsRawSocket::as_raw_socket(stream) as p2pxfer_socket
}

#[cfg(not(windows))]
fn into_socket(stream: TcpStream) -> p2pxfer_socket {
    std::os::fd::IntoRawFd::into_raw_fd(stream)
}

#[cfg(windows)]
fn into_socket(stream: TcpStream) -> p2pxfer_socket {
    std::os::windows::io::IntoRawSocket::into_raw_socket(stream) as p2pxfer_socket
}
