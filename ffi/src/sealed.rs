//! A stream through the relay that the secret seals.

use std::ffi::c_void;
use std::slice;

use p2pxfer_core::client::sealed::{self, Sealed};
use p2pxfer_core::client::{Cancel, Endpoint};
use p2pxfer_core::transfer::{Error, Observer, Secret};

use crate::boundary::{self, Failure};
use crate::handle::p2pxfer;
use crate::status::{P2PXFER_BAD_ARGUMENT, p2pxfer_status};
use crate::stream::{p2pxfer_socket, socket_of};
use crate::transfer::{check_secret, run};

/// A stream that a secret seals: whoever is between the two sides can read and change nothing, and each side is sure
/// of the other. One thread may read and another one write at the same time.
///
/// Reads and writes wait without an end: p2pxfer_set_idle_timeout() is for transfers, and there is no other timeout. A
/// write waits while the other side does not read, so two sides that both write much before they read wait for each
/// other for ever. Leave the flags and timeouts of its socket alone: a read or write that it ends early loses its place,
/// and the stream is of no more use.
#[expect(non_camel_case_types, reason = "the name that C sees")]
#[derive(Debug)]
pub struct p2pxfer_stream(Sealed);

/// Calls whoever waits under the user id with p2pxfer_listen_sealed() and the same secret, as long as
/// p2pxfer_set_wait() says, and puts a stream into `*out`, to be given back to p2pxfer_stream_free(); NULL is put
/// there when this fails. The handle must have a secret; P2PXFER_WRONG_SECRET when the other side has another one. One that
/// begins to answer has 30 seconds to prove that it knows it. The stream has nothing to do with the handle any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pxfer_dial_sealed(
    handle: *mut p2pxfer,
    out: *mut *mut p2pxfer_stream,
) -> p2pxfer_status {
    // SAFETY: the caller passes NULL or a handle, and NULL or a pointer's place.
    unsafe { connect(handle, out, sealed::dial) }
}

/// Waits under the user id until a caller has proved that it knows the secret, as long as p2pxfer_set_wait() says, and
/// puts a stream into `*out`: as that of p2pxfer_dial_sealed(). Whoever calls and does not prove it ends the wait, with
/// P2PXFER_WRONG_SECRET, P2PXFER_PROTOCOL, P2PXFER_CONNECTION_LOST or whatever it is: call this again. Who tries another
/// secret does so after a pause of a second, and learns no more than that it was another one. Who says nothing more has
/// 30 seconds, or what is left of the wait when that is less.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pxfer_listen_sealed(
    handle: *mut p2pxfer,
    out: *mut *mut p2pxfer_stream,
) -> p2pxfer_status {
    // SAFETY: the caller passes NULL or a handle, and NULL or a pointer's place.
    unsafe { connect(handle, out, sealed::listen) }
}

/// Reads 1 to `size` bytes into `buffer` and returns how many; waits until there are any. 0 at the end, when the other
/// side has finished. Negative: P2PXFER_TRUNCATED when the connection ended before that, P2PXFER_PROTOCOL when
/// something was changed on the way or the other side is no such stream, P2PXFER_CONNECTION_LOST otherwise. After
/// one of those nothing more comes, and each later call returns the same.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pxfer_stream_read(
    stream: *mut p2pxfer_stream,
    buffer: *mut c_void,
    size: usize,
) -> i32 {
    boundary::length(|| {
        // SAFETY: the caller passes NULL or a stream.
        let p2pxfer_stream(stream) = unsafe { boundary::target(stream) }?;
        if buffer.is_null() || size == 0 {
            return Err(P2PXFER_BAD_ARGUMENT);
        }
        // SAFETY: it is not NULL, so there are `size` bytes that nobody else uses; of a size that fits the result.
        let buffer = unsafe { slice::from_raw_parts_mut(buffer.cast(), size.min(READ_MAX)) };
        stream.receive(buffer).map_err(status_of)
    })
}

/// Writes `length` bytes, all of them. P2PXFER_CONNECTION_LOST when the connection is lost, or this side has finished.
/// `bytes` may be NULL when `length` is 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pxfer_stream_write(
    stream: *mut p2pxfer_stream,
    bytes: *const c_void,
    length: usize,
) -> p2pxfer_status {
    boundary::status(|| {
        // SAFETY: the caller passes NULL or a stream.
        let p2pxfer_stream(stream) = unsafe { boundary::target(stream) }?;
        if length == 0 {
            return Ok(());
        }
        if bytes.is_null() || length > isize::MAX as usize {
            return Err(P2PXFER_BAD_ARGUMENT);
        }
        // SAFETY: it is not NULL, so there are `length` bytes, no more than memory can have.
        let bytes = unsafe { slice::from_raw_parts(bytes.cast(), length) };
        stream.send(bytes).map_err(status_of)
    })
}

/// Says that this side writes no more: the other side reads 0 once it has read all. The other direction goes on, and
/// may be silent for as long as it likes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pxfer_stream_finish(stream: *mut p2pxfer_stream) -> p2pxfer_status {
    boundary::status(|| {
        // SAFETY: the caller passes NULL or a stream.
        let p2pxfer_stream(stream) = unsafe { boundary::target(stream) }?;
        stream.finish().map_err(status_of)
    })
}

/// Puts the stream's socket into `*out`, for poll(): it stays the stream's. When it is readable, something is about to
/// come, and p2pxfer_stream_read() waits no longer than the other side takes to say it whole; while
/// p2pxfer_stream_pending() is not 0, read without asking the socket. shutdown() of both directions ends a read or
/// write that waits in another thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pxfer_stream_socket(
    stream: *const p2pxfer_stream,
    out: *mut p2pxfer_socket,
) -> p2pxfer_status {
    boundary::status(|| {
        // SAFETY: the caller passes NULL or a stream.
        let p2pxfer_stream(stream) = unsafe { boundary::target(stream) }?;
        // SAFETY: the caller passes NULL or a place for a socket.
        unsafe { boundary::give(out, socket_of(stream.socket())) }
    })
}

/// How many bytes can be read at once, whatever the socket says, or a negative p2pxfer_status. It does not wait: 0 while
/// another thread reads.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pxfer_stream_pending(stream: *const p2pxfer_stream) -> i32 {
    boundary::length(|| {
        // SAFETY: the caller passes NULL or a stream.
        let p2pxfer_stream(stream) = unsafe { boundary::target(stream) }?;
        Ok(stream.pending())
    })
}

/// Ends the connection and frees the stream; NULL is fine. Where p2pxfer_stream_finish() was not called before, the
/// other side finds P2PXFER_TRUNCATED or P2PXFER_CONNECTION_LOST, and may lose what was written last. Where it was, and
/// the other side's end was not read, this throws away what still comes until the other side has freed its stream, for
/// 3 seconds at most: a connection that is closed while something is there to be read takes back what is on its way.
/// Only the other side's answer, or its end when it finishes behind all that it reads, says that it has everything. No
/// other thread may be inside a call on this stream.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pxfer_stream_free(stream: *mut p2pxfer_stream) -> p2pxfer_status {
    boundary::status(|| {
        if !stream.is_null() {
            // SAFETY: it is not NULL, so `connect` made it from a box, and no call has it.
            drop(unsafe { Box::from_raw(stream) });
        }
        Ok(())
    })
}

const READ_MAX: usize = i32::MAX as usize;

fn status_of(error: Error) -> p2pxfer_status {
    error.kind().into()
}

/// The body of a call that ends in a stream.
///
/// # Safety
/// `handle` is NULL or a handle, `out` is NULL or points to a place for a pointer.
unsafe fn connect(
    handle: *mut p2pxfer,
    out: *mut *mut p2pxfer_stream,
    job: impl FnOnce(&Endpoint, &Secret, &Cancel, &mut Observer<'_>) -> Result<Sealed, Error>,
) -> p2pxfer_status {
    boundary::status(|| {
        // SAFETY: the caller passes NULL or a pointer's place.
        unsafe { boundary::give(out, std::ptr::null_mut()) }?;
        // SAFETY: as the caller promises.
        let handle = unsafe { boundary::target(handle) }?;
        handle.call(|state| {
            let endpoint = state.endpoint()?;
            check_secret(state)?;
            let missing = || Failure::bad("a sealed stream needs a secret: set one");
            let secret = state.options.secret.as_ref().ok_or_else(missing)?;
            let mut observer = state.observer();
            let stream = run(handle, |cancel| {
                Ok(job(&endpoint, secret, cancel, &mut observer)?)
            })?;
            // SAFETY: it is not NULL, or `give` had failed.
            unsafe { out.write(Box::into_raw(Box::new(p2pxfer_stream(stream)))) };
            Ok(())
        })
    })
}
