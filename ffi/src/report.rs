//! What the last transfer came to.

use std::ffi::c_char;

use p2pxfer_core::client::Report;

use crate::boundary::{self, Buffer, Excess};
use crate::handle::{State, p2pxfer};
use crate::status::{P2PXFER_BAD_ARGUMENT, p2pxfer_status};

/// Numbers that a transfer comes to, for p2pxfer_report_get().
#[expect(non_camel_case_types, reason = "the names that C sees")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum p2pxfer_report_number {
    /// The version of the protocol that was spoken: 1 or 2; 0 when it did not come to that.
    P2PXFER_REPORT_VERSION = 1,
    /// 1 when both sides proved that they know the same secret, else 0.
    P2PXFER_REPORT_VERIFIED = 2,
    /// Files and texts that the receiver has, those included that it had before.
    P2PXFER_REPORT_FILES = 3,
    /// Folders that the receiver has.
    P2PXFER_REPORT_FOLDERS = 4,
    /// The length of those files, in bytes.
    P2PXFER_REPORT_BYTES = 5,
    /// Files that the receiver had before, whole and equal.
    P2PXFER_REPORT_ALREADY = 6,
    /// Bytes that did not have to cross because an earlier attempt, or a lost connection, had brought
    /// them.
    P2PXFER_REPORT_RESUMED = 7,
    /// How often the connection was lost and made anew.
    P2PXFER_REPORT_RECONNECTS = 8,
    /// Symbolic links and devices in the sender's folders, which are never sent.
    P2PXFER_REPORT_LEFT_OUT = 9,
    /// Files that did not cross while others did; then the transfer's status is not P2PXFER_OK.
    P2PXFER_REPORT_SKIPPED = 10,
    /// Items that p2pxfer_received_item() has the paths of; 0 for a sender.
    P2PXFER_REPORT_ITEMS = 11,
}

use p2pxfer_report_number::*;

/// Puts a number of what the last transfer on this handle came to, one of p2pxfer_report_number, into
/// `*out`. All are 0 when that was not brought to its end.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pxfer_report_get(
    handle: *const p2pxfer,
    number: u32,
    out: *mut u64,
) -> p2pxfer_status {
    boundary::status(|| {
        // SAFETY: the caller passes NULL or a handle.
        let state = unsafe { boundary::target(handle) }?.state()?;
        let report: &Report = &state.report;
        let value = match number {
            _ if number == P2PXFER_REPORT_VERSION as u32 => report.version.into(),
            _ if number == P2PXFER_REPORT_VERIFIED as u32 => report.verified.into(),
            _ if number == P2PXFER_REPORT_FILES as u32 => report.files,
            _ if number == P2PXFER_REPORT_FOLDERS as u32 => report.folders,
            _ if number == P2PXFER_REPORT_BYTES as u32 => report.bytes,
            _ if number == P2PXFER_REPORT_ALREADY as u32 => report.already,
            _ if number == P2PXFER_REPORT_RESUMED as u32 => report.resumed,
            _ if number == P2PXFER_REPORT_RECONNECTS as u32 => report.reconnects.into(),
            _ if number == P2PXFER_REPORT_LEFT_OUT as u32 => report.left_out,
            _ if number == P2PXFER_REPORT_SKIPPED as u32 => report.skipped,
            _ if number == P2PXFER_REPORT_ITEMS as u32 => report.received.len() as u64,
            _ => return Err(P2PXFER_BAD_ARGUMENT),
        };
        // SAFETY: the caller passes NULL or a number of its own.
        unsafe { boundary::give(out, value) }
    })
}

/// Fills `buffer` with the path of the first item that the last transfer on this handle received;
/// empty when there is none. When it does not fit, the buffer holds the empty string.
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
        let path = item_path(&state, 0).unwrap_or_default();
        Ok(buffer.fill(path, Excess::Refuse))
    })
}

/// Fills `buffer` with the path of an item that was received, a file or a folder, counted from 0 in
/// the order in which they were complete, up to P2PXFER_REPORT_ITEMS, which counts 1,000 at most; empty
/// for a text. When it does not fit, the
/// buffer holds the empty string. Returns the length of the path in bytes, without the NUL, or a
/// negative p2pxfer_status.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pxfer_received_item(
    handle: *const p2pxfer,
    index: usize,
    buffer: *mut c_char,
    size: usize,
) -> i32 {
    boundary::length(|| {
        // SAFETY: the caller passes NULL or a buffer of that size.
        let buffer = unsafe { Buffer::new(buffer, size) }?;
        // SAFETY: the caller passes NULL or a handle.
        let state = unsafe { boundary::target(handle) }?.state()?;
        let path = item_path(&state, index).ok_or(P2PXFER_BAD_ARGUMENT)?;
        Ok(buffer.fill(path, Excess::Refuse))
    })
}

/// Fills `buffer` with the text that came, in the sender's bytes: nothing in it is escaped, so show it
/// with care. Empty when the last transfer brought none. What does not fit is cut off. Returns the
/// length of the whole text in bytes, without the NUL, or a negative p2pxfer_status.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pxfer_received_text(
    handle: *const p2pxfer,
    buffer: *mut c_char,
    size: usize,
) -> i32 {
    boundary::length(|| {
        // SAFETY: the caller passes NULL or a buffer of that size.
        let buffer = unsafe { Buffer::new(buffer, size) }?;
        // SAFETY: the caller passes NULL or a handle.
        let state = unsafe { boundary::target(handle) }?.state()?;
        Ok(buffer.fill(&state.text, Excess::Cut))
    })
}

/// The path of an item that was received; empty when it is a text.
pub(crate) fn item_path(state: &State, index: usize) -> Option<&[u8]> {
    let item = state.report.received.get(index)?;
    let path = item.path.as_deref().unwrap_or("".as_ref());
    Some(path.as_os_str().as_encoded_bytes())
}
