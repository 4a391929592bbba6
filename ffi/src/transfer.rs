//! The calls that move files, and the one that stops them.

use std::ffi::c_char;
use std::ops::ControlFlow;

use p2pxfer_core::client::{Argument, Cancel, Report, receive, send};
use p2pxfer_core::transfer::{Event, Place};

use crate::boundary::{self, Buffer, Excess, Failure};
use crate::handle::{State, p2pxfer};
use crate::report::item_path;
use crate::status::{P2PXFER_IDLE, p2pxfer_status};

/// Sends the file, or the folder with all that is in it, at `path` to whoever waits under the user
/// id, in version 2 of the protocol, or in version 1 when the receiver speaks no other. That carries
/// a single file of 1 byte to 2047 MiB only, in clear text, and never follows where a secret is set.
/// Blocks until the receiver has it or something went wrong.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pxfer_send_file(
    handle: *mut p2pxfer,
    path: *const c_char,
) -> p2pxfer_status {
    let read = || {
        // SAFETY: the caller passes NULL or a string.
        let path = unsafe { boundary::path(path, "the path") }?;
        Ok(vec![Argument::Path(path)])
    };
    // SAFETY: the caller passes NULL or a handle.
    unsafe { send_all(handle, read, || ()) }
}

/// Sends several files and folders in one transfer: `count` paths, at least one. More than one needs
/// version 2. When some files could not be read or were not taken, and all others are there, this is
/// the status of the first of them, and P2PXFER_REPORT_SKIPPED counts them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pxfer_send_files(
    handle: *mut p2pxfer,
    paths: *const *const c_char,
    count: usize,
) -> p2pxfer_status {
    let read = || {
        if paths.is_null() || count == 0 {
            return Err(Failure::bad("there is no path: give one or more"));
        }
        let mut arguments = Vec::new();
        for index in 0..count {
            // SAFETY: there are `count` pointers, and none behind a NULL is looked at.
            let at = unsafe { paths.add(index) };
            // SAFETY: as above.
            let path = unsafe { at.read() };
            // SAFETY: the caller passes NULL or a string.
            let path = unsafe { boundary::path(path, "a path") }?;
            arguments.push(Argument::Path(path));
        }
        Ok(arguments)
    };
    // SAFETY: the caller passes NULL or a handle.
    unsafe { send_all(handle, read, || ()) }
}

/// Sends a text of 1 to 65,536 bytes of UTF-8, for a person to read. Needs version 2. The receiver has
/// it as p2pxfer_received_text().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pxfer_send_text(
    handle: *mut p2pxfer,
    text: *const c_char,
) -> p2pxfer_status {
    let read = || {
        // SAFETY: the caller passes NULL or a string.
        let bytes = unsafe { boundary::bytes(text, "the text") }?;
        let text = boundary::text(bytes, "the text")?;
        Ok(vec![Argument::Text(text.into())])
    };
    // SAFETY: the caller passes NULL or a handle.
    unsafe { send_all(handle, read, || ()) }
}

/// Waits under the user id for a sender and puts what it sends, files and folders, into the output
/// folder. Blocks until all is there or something went wrong. What was complete by then is kept; of a
/// file that was not, version 2 keeps a part beside it, from which the next transfer goes on, and
/// version 1 nothing. When some files could not be read or kept, and all others are there, this is the
/// status of the first of them.
///
/// Fills `buffer` with the path of the file or folder that was complete first. A path is never cut: when it does not
/// fit, the buffer holds the empty string, the file is there all the same, and p2pxfer_received_path()
/// has the path. p2pxfer_received_item() has those of the others.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pxfer_recv_file(
    handle: *mut p2pxfer,
    buffer: *mut c_char,
    size: usize,
) -> p2pxfer_status {
    // SAFETY: the caller passes NULL or a handle, and NULL or a buffer of that size.
    unsafe { receive_into(handle, None, buffer, size, || ()) }
}

/// The body of a call that receives, into the handle's place or another one, and does `then` before the handle is free.
///
/// # Safety
/// `handle` is NULL or a handle, `buffer` is NULL or has `size` bytes.
pub(crate) unsafe fn receive_into(
    handle: *mut p2pxfer,
    elsewhere: Option<Place>,
    buffer: *mut c_char,
    size: usize,
    then: impl FnOnce(),
) -> p2pxfer_status {
    boundary::status(|| {
        // SAFETY: the caller passes NULL or a buffer of that size.
        let buffer = unsafe { Buffer::new(buffer, size) }?;
        // SAFETY: the caller passes NULL or a handle.
        let handle = unsafe { boundary::target(handle) }?;
        handle.call(|state| {
            buffer.clear();
            forget(state);
            let endpoint = state.endpoint()?;
            check_secret(state)?;
            let mut text = Vec::new();
            let mut observer = observer(state, &mut text);
            let received = run(handle, |cancel| {
                let place = elsewhere.as_ref().unwrap_or(&state.place);
                Ok(receive(
                    &endpoint,
                    &state.options,
                    place,
                    cancel,
                    &mut observer,
                )?)
            });
            then();
            drop(observer);
            state.text = text;
            state.report = received?;
            buffer.fill(item_path(state, 0).unwrap_or_default(), Excess::Refuse);
            verdict(&state.report)
        })
    })
}

/// Ends what runs on the handle: it returns P2PXFER_CANCELLED soon, at the latest when the look-up of
/// the host's name is done, unless it was over already. From any thread, and from inside the
/// callbacks. P2PXFER_IDLE when nothing runs: what begins later is not affected. Must not run beside
/// p2pxfer_free().
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

/// The body of a call that sends what `read` takes from the caller, and does `then` before the handle is free.
///
/// # Safety
/// `handle` is NULL or a handle.
pub(crate) unsafe fn send_all(
    handle: *mut p2pxfer,
    read: impl FnOnce() -> Result<Vec<Argument>, Failure>,
    then: impl FnOnce(),
) -> p2pxfer_status {
    boundary::status(|| {
        // SAFETY: as the caller promises.
        let handle = unsafe { boundary::target(handle) }?;
        handle.call(|state| {
            forget(state);
            let arguments = read()?;
            let endpoint = state.endpoint()?;
            check_secret(state)?;
            let mut text = Vec::new();
            let mut observer = observer(state, &mut text);
            let sent = run(handle, |cancel| {
                let options = &state.options;
                Ok(send(&endpoint, options, &arguments, cancel, &mut observer)?)
            });
            then();
            state.report = sent?;
            verdict(&state.report)
        })
    })
}

/// Runs a job that `p2pxfer_cancel` can end.
pub(crate) fn run<T>(
    handle: &p2pxfer,
    job: impl FnOnce(&Cancel) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let cancel = Cancel::new();
    *handle.running() = Some(cancel.clone());
    let result = boundary::contain(|| job(&cancel));
    *handle.running() = None;
    result?
}

/// Nothing of an earlier transfer is taken for this one's.
fn forget(state: &mut State) {
    state.report = Report::default();
    state.text = Vec::new();
}

/// Nothing goes without the secret that one side counts on.
pub(crate) fn check_secret(state: &State) -> Result<(), Failure> {
    match &state.options.secret {
        None if state.require_secret => Err(Failure::bad(
            "there is no secret, and one is required: set one",
        )),
        Some(_) if state.options.version1_only => Err(Failure::bad(
            "version 1 knows no secret: remove it, or let version 2 be used",
        )),
        _ => Ok(()),
    }
}

/// A transfer that was brought to its end may have left files out.
fn verdict(report: &Report) -> Result<(), Failure> {
    match report.failure() {
        None => Ok(()),
        Some(error) => Err(Failure {
            status: error.kind().into(),
            details: error.to_string(),
        }),
    }
}

/// What tells the caller how far the transfer is, and keeps a text that comes.
fn observer<'t>(
    state: &State,
    text: &'t mut Vec<u8>,
) -> impl FnMut(Event<'_>) -> ControlFlow<()> + use<'t> {
    let teller = state.teller();
    let (mut now, mut all) = (0, 0);
    move |event| {
        teller.hear(&event);
        match event {
            Event::Header { length, .. } => all = length,
            Event::Progress { done, total } => {
                now = done;
                all = if total == u64::MAX { 0 } else { total };
            }
            Event::Text { text: bytes } => *text = bytes.to_vec(),
            _ => {}
        }
        match teller.tell(now, all) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }
}
