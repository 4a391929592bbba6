//! The calls that move a file, and the one that stops them.

use std::ffi::c_char;
use std::ops::ControlFlow;

use p2pxfer_core::client::{Cancel, recv_file, send_file};
use p2pxfer_core::transfer::Event;

use crate::boundary::{self, Buffer, Excess, Failure};
use crate::handle::{State, p2pxfer};
use crate::status::{P2PXFER_IDLE, p2pxfer_status};

/// Sends the file at `path`, of 1 byte to 2047 MiB, to whoever waits under the user id. Blocks until
/// the receiver has it or something went wrong.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pxfer_send_file(
    handle: *mut p2pxfer,
    path: *const c_char,
) -> p2pxfer_status {
    boundary::status(|| {
        // SAFETY: the caller passes NULL or a handle.
        let handle = unsafe { boundary::target(handle) }?;
        handle.call(|state| {
            // SAFETY: the caller passes NULL or a string.
            let path = unsafe { boundary::path(path, "the path") }?;
            let endpoint = state.endpoint()?;
            let mut observer = observer(state);
            run(handle, |cancel| {
                send_file(&endpoint, &path, cancel, &mut observer)?;
                Ok(())
            })
        })
    })
}

/// Waits under the user id for a sender and puts its file into the output folder. Blocks until the
/// file is there or something went wrong; then nothing is left of it.
///
/// Fills `buffer` with the path of the file. A path is never cut: when it does not fit, the buffer
/// holds the empty string, the file is there all the same, this is P2PXFER_OK, and
/// p2pxfer_received_path() has the path.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pxfer_recv_file(
    handle: *mut p2pxfer,
    buffer: *mut c_char,
    size: usize,
) -> p2pxfer_status {
    boundary::status(|| {
        // SAFETY: the caller passes NULL or a buffer of that size.
        let buffer = unsafe { Buffer::new(buffer, size) }?;
        // SAFETY: the caller passes NULL or a handle.
        let handle = unsafe { boundary::target(handle) }?;
        handle.call(|state| {
            buffer.clear();
            state.received = None;
            let endpoint = state.endpoint()?;
            let mut observer = observer(state);
            let received = run(handle, |cancel| {
                Ok(recv_file(&endpoint, &state.place, cancel, &mut observer)?)
            })?;
            state.received = received.path;
            buffer.fill(path_bytes(state), Excess::Refuse);
            Ok(())
        })
    })
}

/// Fills `buffer` with the path of the file that the last p2pxfer_recv_file() on this handle
/// received; empty when there is none. When it does not fit, the buffer holds the empty string.
/// Returns the length of the path in bytes, without the NUL, or a negative p2pxfer_status.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pxfer_received_path(
    handle: *const p2pxfer,
    buffer: *mut c_char,
    size: usize,
) -> i32 {
    boundary::length(|| {
        // SAFETY: the caller passes NULL or a buffer of that size.
        let buffer = unsafe { Buffer::new(buffer, size) }?;
        // SAFETY: the caller passes NULL or a handle.
        let state = unsafe { boundary::target(handle) }?.state()?;
        Ok(buffer.fill(path_bytes(&state), Excess::Refuse))
    })
}

/// Ends the transfer that runs on the handle: it returns P2PXFER_CANCELLED soon, at the latest when
/// the look-up of the host's name is done, unless it was over already. From any thread, and from
/// inside the progress callback. P2PXFER_IDLE when no transfer runs: one that begins later is not
/// affected. Must not run beside p2pxfer_free().
///
/// To end a transfer that another thread is about to begin, have a flag of your own, atomic or under
/// a lock, that the progress callback returns. Set the flag, then call this, and take P2PXFER_IDLE
/// for success: a transfer that this came too early for asks the callback before it calls anybody.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pxfer_cancel(handle: *mut p2pxfer) -> p2pxfer_status {
    boundary::status(|| {
        // SAFETY: the caller passes NULL or a handle.
        let handle = unsafe { boundary::target(handle) }?;
        let cancel = handle.running().clone().ok_or(P2PXFER_IDLE)?;
        cancel.cancel();
        Ok(())
    })
}

/// Runs a job that `p2pxfer_cancel` can end.
fn run<T>(handle: &p2pxfer, job: impl FnOnce(&Cancel) -> Result<T, Failure>) -> Result<T, Failure> {
    let cancel = Cancel::new();
    *handle.running() = Some(cancel.clone());
    let result = boundary::contain(|| job(&cancel));
    *handle.running() = None;
    result?
}

/// What tells the caller how far the file is.
fn observer(state: &State) -> impl FnMut(Event<'_>) -> ControlFlow<()> + use<> {
    let tell = state.teller();
    let (mut now, mut all) = (0, 0);
    move |event| {
        match event {
            Event::Header { length, .. } => all = length,
            Event::Progress { done, total } => (now, all) = (done, total),
            _ => {}
        }
        match tell(now, all) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }
}

fn path_bytes(state: &State) -> &[u8] {
    let path = state.received.as_deref().unwrap_or("".as_ref());
    path.as_os_str().as_encoded_bytes()
}
