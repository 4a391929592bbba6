//! Sending and receiving what is no file: bytes in memory, and what functions of the caller's give and take.

use std::ffi::{c_char, c_int, c_void};
use std::io::{self, Read, Write};
use std::slice;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use p2pxfer_core::client::Argument;
use p2pxfer_core::transfer::{Input, Output, Place, Target, safe_name};

use crate::boundary::{self, Failure};
use crate::handle::p2pxfer;
use crate::status::{P2PXFER_BAD_ARGUMENT, p2pxfer_status};
use crate::transfer::{receive_into, send_all};

/// Gives what is to be sent: puts 1 to `size` bytes into `buffer` and returns how many; 0 at the end, and anything
/// negative when it cannot go on, which ends the transfer with P2PXFER_FILE. It is called in a thread of the library,
/// some megabytes ahead of what the receiver has, and never after the call that it was given to has returned. It may
/// wait for more as long as it likes, but however the transfer ends, also by p2pxfer_cancel(), p2pxfer_send_stream()
/// returns only when this has: close what it reads from to end it. What it may call is what p2pxfer_progress may.
#[expect(non_camel_case_types, reason = "the name that C sees")]
pub type p2pxfer_read =
    Option<unsafe extern "C" fn(user: *mut c_void, buffer: *mut u8, size: usize) -> i64>;

/// Takes what is received: `length` bytes, at least one, behind those before. Returns 0, or anything else when it
/// cannot take them, which ends the transfer with P2PXFER_FILE. It is called in the thread that called
/// p2pxfer_recv_stream(). One that takes longer than 30 seconds may cost the connection, and longer than the sender goes
/// on trying to reconnect the transfer. That all of it is right, and the end, only that call's P2PXFER_OK says. What it
/// may call is what p2pxfer_progress may.
#[expect(non_camel_case_types, reason = "the name that C sees")]
pub type p2pxfer_write =
    Option<unsafe extern "C" fn(user: *mut c_void, bytes: *const u8, length: usize) -> c_int>;

/// Sends `length` bytes of memory as a file called `name`, which must be one that a receiver takes: no path, no
/// control characters. `bytes` may be NULL when `length` is 0. They are copied first. Needs version 2.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pxfer_send_buffer(
    handle: *mut p2pxfer,
    name: *const c_char,
    bytes: *const u8,
    length: usize,
) -> p2pxfer_status {
    let read = || {
        // SAFETY: the caller passes NULL or a string.
        let name = unsafe { file_name(name) }?;
        let bytes = match (bytes.is_null(), length) {
            (true, 0) => &[],
            (false, ..=MEMORY_MAX) => {
                // SAFETY: it is not NULL, so there are `length` bytes, no more than memory can have.
                unsafe { slice::from_raw_parts(bytes, length) }
            }
            _ => {
                return Err(Failure::bad(
                    "the bytes are NULL, or more than there can be",
                ));
            }
        };
        Ok(vec![Argument::Bytes(name, bytes.into())])
    };
    // SAFETY: the caller passes NULL or a handle.
    unsafe { send_all(handle, read, || ()) }
}

/// Sends what `read` gives until its end, which it gets `user` for, as a file called `name`: as for
/// p2pxfer_send_buffer(). Nobody knows its length before, so the progress has no total. A connection that is lost is
/// made anew, but what an earlier call has sent is sent again. Needs version 2.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pxfer_send_stream(
    handle: *mut p2pxfer,
    name: *const c_char,
    read: p2pxfer_read,
    user: *mut c_void,
) -> p2pxfer_status {
    let Some(read) = read else {
        return P2PXFER_BAD_ARGUMENT;
    };
    let gate = Gate::new(Source { read, user });
    let input = Input::new(gate.clone());
    let arguments = || {
        // SAFETY: the caller passes NULL or a string.
        let name = unsafe { file_name(name) }?;
        Ok(vec![Argument::Stream(name, input)])
    };
    // SAFETY: the caller passes NULL or a handle.
    unsafe {
        send_all(handle, arguments, || {
            gate.close();
        })
    }
}

/// Waits under the user id for a sender and puts the file that it sends, no folder and not several, into `bytes`,
/// which has room for `size`; its length goes into `*length`. P2PXFER_NO_SPACE on both sides when it does not fit.
/// Unless this is P2PXFER_OK, what is in `bytes` is nothing that was sent.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pxfer_recv_buffer(
    handle: *mut p2pxfer,
    bytes: *mut u8,
    size: usize,
    length: *mut usize,
) -> p2pxfer_status {
    if length.is_null() || (bytes.is_null() && size > 0) {
        return P2PXFER_BAD_ARGUMENT;
    }
    let gate = Gate::new(Room {
        bytes,
        size,
        used: 0,
    });
    let mut used = 0;
    // SAFETY: the caller passes NULL or a handle.
    let status = unsafe { receive(handle, &gate, |room| used = room.used) };
    // SAFETY: it is not NULL, so it points to a number of the caller's.
    unsafe { length.write(used) };
    status
}

/// Waits under the user id for a sender and lets `write`, which gets `user`, have the file or stream that it sends, no
/// folder and not several.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pxfer_recv_stream(
    handle: *mut p2pxfer,
    write: p2pxfer_write,
    user: *mut c_void,
) -> p2pxfer_status {
    let Some(write) = write else {
        return P2PXFER_BAD_ARGUMENT;
    };
    let gate = Gate::new(Drain { write, user });
    // SAFETY: the caller passes NULL or a handle.
    unsafe { receive(handle, &gate, |_| ()) }
}

/// Most bytes that an object in memory has.
const MEMORY_MAX: usize = isize::MAX as usize;

/// # Safety
/// `name` is NULL or points to a string that ends with a NUL.
unsafe fn file_name(name: *const c_char) -> Result<String, Failure> {
    let what = "the name";
    // SAFETY: as the caller promises.
    let bytes = unsafe { boundary::bytes(name, what) }?;
    safe_name(bytes).map_err(|error| Failure::bad(format!("{what}: {error}")))?;
    boundary::text(bytes, what).map(String::from)
}

/// Receives through the gate, and lets `then` have what was behind it.
///
/// # Safety
/// `handle` is NULL or a handle.
unsafe fn receive<T>(handle: *mut p2pxfer, gate: &Gate<T>, then: impl FnOnce(T)) -> p2pxfer_status
where
    Gate<T>: Write + Send + 'static,
{
    let place = Place {
        target: Target::Output(Output::new(gate.clone())),
        overwrite: false,
    };
    let then = || {
        if let Some(inside) = gate.close() {
            then(inside);
        }
    };
    // SAFETY: as the caller promises, and there is no buffer.
    unsafe { receive_into(handle, Some(place), std::ptr::null_mut(), 0, then) }
}

/// What is the caller's, for a thread of ours, until the call that it came with is over.
struct Gate<T>(Arc<Mutex<Option<T>>>);

impl<T> Gate<T> {
    fn new(inside: T) -> Self {
        Self(Arc::new(Mutex::new(Some(inside))))
    }

    /// Waits until nobody uses it, and lets nobody use it any more.
    fn close(&self) -> Option<T> {
        self.lock().take()
    }

    fn lock(&self) -> MutexGuard<'_, Option<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Clone for Gate<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

fn over() -> io::Error {
    io::Error::other("the call is over")
}

/// A function that gives, and what it gets.
struct Source {
    read: unsafe extern "C" fn(*mut c_void, *mut u8, usize) -> i64,
    user: *mut c_void,
}

// SAFETY: the pointer is only passed on, under the gate's lock; that the function runs in another thread is what its
// type says.
unsafe impl Send for Source {}

impl Read for Gate<Source> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let gate = self.lock();
        let source = gate.as_ref().ok_or_else(over)?;
        // SAFETY: the caller gave both for each other, and the buffer has that size.
        let count = unsafe { (source.read)(source.user, buffer.as_mut_ptr(), buffer.len()) };
        let count = usize::try_from(count).map_err(|_| io::Error::other("the reader gave up"))?;
        match count > buffer.len() {
            true => Err(io::Error::other(
                "the reader says that it gave more than fits",
            )),
            false => Ok(count),
        }
    }
}

/// A function that takes, and what it gets.
struct Drain {
    write: unsafe extern "C" fn(*mut c_void, *const u8, usize) -> c_int,
    user: *mut c_void,
}

// SAFETY: as for `Source`.
unsafe impl Send for Drain {}

impl Write for Gate<Drain> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let gate = self.lock();
        let drain = gate.as_ref().ok_or_else(over)?;
        if bytes.is_empty() {
            return Ok(0);
        }
        // SAFETY: the caller gave both for each other, and there are so many bytes.
        match unsafe { (drain.write)(drain.user, bytes.as_ptr(), bytes.len()) } {
            0 => Ok(bytes.len()),
            _ => Err(io::Error::other("the writer gave up")),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A buffer of the caller's, and how much of it is filled.
struct Room {
    bytes: *mut u8,
    size: usize,
    used: usize,
}

// SAFETY: nobody else uses the buffer while the call lasts.
unsafe impl Send for Room {}

impl Write for Gate<Room> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut gate = self.lock();
        let room = gate.as_mut().ok_or_else(over)?;
        if bytes.len() > room.size - room.used {
            let text = "the buffer is too small";
            return Err(io::Error::new(io::ErrorKind::StorageFull, text));
        }
        // SAFETY: there are `size` bytes, and no more than that are used.
        let to = unsafe { room.bytes.add(room.used) };
        // SAFETY: there is room for so many, and the caller has no part of `bytes`, which is ours.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) };
        room.used += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
