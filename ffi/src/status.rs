//! How a call ended.

use std::ffi::{CStr, c_char};

use p2pxfer_core::transfer::Kind;

/// How a call ended. The numbers never change, and more may come. -1 to -9 mean what the exit
/// statuses 1 to 9 of send_r and recv_r mean, and -14 to -19 what 11 to 16 mean; the others are of
/// this library alone.
#[expect(non_camel_case_types, reason = "the names that C sees")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum p2pxfer_status {
    /// Done. For a transfer: the receiver has all of it under its final name.
    P2PXFER_OK = 0,
    /// Failed in a way that has no number of its own.
    P2PXFER_FAILED = -1,
    /// An argument is NULL, malformed or out of range, or a setting is missing.
    P2PXFER_BAD_ARGUMENT = -2,
    /// Nobody waits under that user id; for a receiver: no sender came in time.
    P2PXFER_NOBODY_WAITS = -3,
    /// The connection was lost, nothing moved for too long, or the relay cannot be reached or
    /// refused us.
    P2PXFER_CONNECTION_LOST = -4,
    /// The receiver refused the transfer, or the accept callback did.
    P2PXFER_REFUSED = -5,
    /// The checksum differed; for a sender also: the receiver could not keep the file.
    P2PXFER_CHECKSUM = -6,
    /// A local file or folder: missing, not permitted; empty or too large for version 1.
    P2PXFER_FILE = -7,
    /// The peer broke the protocol.
    P2PXFER_PROTOCOL = -8,
    /// The name that the sender gave its file is not safe to use.
    P2PXFER_UNSAFE_NAME = -9,
    /// Ended by p2pxfer_cancel() or by the progress callback.
    P2PXFER_CANCELLED = -10,
    /// Another call on this handle runs, maybe the one that this one was made from the inside of.
    P2PXFER_BUSY = -11,
    /// A fault in the library, caught. The handle can be used on.
    P2PXFER_INTERNAL = -12,
    /// There is nothing to cancel: nothing runs on this handle.
    P2PXFER_IDLE = -13,
    /// The secrets differ, or only one side has one.
    P2PXFER_WRONG_SECRET = -14,
    /// It needs version 2 of the protocol, which one side cannot or must not speak.
    P2PXFER_NEEDS_VERSION_2 = -15,
    /// A file changed while it was sent.
    P2PXFER_CHANGED = -16,
    /// All was sent, but the receiver did not confirm that it has it, or its disk that it stays.
    P2PXFER_NOT_CONFIRMED = -17,
    /// The receiver's disk is full.
    P2PXFER_NO_SPACE = -18,
    /// The transfer ended before its end; what is complete is kept.
    P2PXFER_TRUNCATED = -19,
}

pub(crate) use p2pxfer_status::*;

/// Every code and its text.
const TEXTS: [(p2pxfer_status, &CStr); 20] = [
    (P2PXFER_OK, c"done"),
    (P2PXFER_FAILED, c"failed"),
    (
        P2PXFER_BAD_ARGUMENT,
        c"an argument is malformed or out of range, or a setting is missing",
    ),
    (P2PXFER_NOBODY_WAITS, c"nobody waits under that user id"),
    (
        P2PXFER_CONNECTION_LOST,
        c"the connection was lost, or the relay cannot be reached",
    ),
    (P2PXFER_REFUSED, c"the receiver refused it"),
    (
        P2PXFER_CHECKSUM,
        c"the checksum differed, or the receiver could not keep the file",
    ),
    (P2PXFER_FILE, c"a local file or folder cannot be used"),
    (P2PXFER_PROTOCOL, c"the peer broke the protocol"),
    (
        P2PXFER_UNSAFE_NAME,
        c"the sender's file name is not safe to use",
    ),
    (P2PXFER_CANCELLED, c"cancelled"),
    (P2PXFER_BUSY, c"another call on this handle runs"),
    (P2PXFER_INTERNAL, c"a fault in the library"),
    (P2PXFER_IDLE, c"nothing runs on this handle"),
    (
        P2PXFER_WRONG_SECRET,
        c"the secrets differ, or only one side has one",
    ),
    (
        P2PXFER_NEEDS_VERSION_2,
        c"it needs version 2, which one side cannot or must not speak",
    ),
    (P2PXFER_CHANGED, c"a file changed while it was sent"),
    (
        P2PXFER_NOT_CONFIRMED,
        c"all was sent, but the receiver did not confirm that it has it",
    ),
    (P2PXFER_NO_SPACE, c"the receiver's disk is full"),
    (P2PXFER_TRUNCATED, c"the transfer ended before its end"),
];

/// What a status means, in a few words. Never NULL, also for numbers that are no status; the string
/// lives for ever. From any thread, at any time.
#[unsafe(no_mangle)]
pub extern "C" fn p2pxfer_strerror(status: i32) -> *const c_char {
    let text = TEXTS.iter().find(|(code, _)| *code as i32 == status);
    text.map_or(c"unknown status", |(_, text)| text).as_ptr()
}

impl From<Kind> for p2pxfer_status {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::NobodyWaits => P2PXFER_NOBODY_WAITS,
            Kind::Lost => P2PXFER_CONNECTION_LOST,
            Kind::Refused => P2PXFER_REFUSED,
            Kind::Checksum => P2PXFER_CHECKSUM,
            Kind::File => P2PXFER_FILE,
            Kind::Protocol => P2PXFER_PROTOCOL,
            Kind::UnsafeName => P2PXFER_UNSAFE_NAME,
            Kind::Cancelled => P2PXFER_CANCELLED,
            Kind::Secret => P2PXFER_WRONG_SECRET,
            Kind::Version => P2PXFER_NEEDS_VERSION_2,
            Kind::Changed => P2PXFER_CHANGED,
            Kind::NotConfirmed => P2PXFER_NOT_CONFIRMED,
            Kind::NoSpace => P2PXFER_NO_SPACE,
            Kind::Truncated => P2PXFER_TRUNCATED,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers that follow 10 were taken when the kinds from 11 on came.
    #[test]
    fn a_status_is_the_number_of_its_kind_with_a_minus_and_from_11_on_three_less() {
        for kind in [
            Kind::NobodyWaits,
            Kind::Lost,
            Kind::Refused,
            Kind::Checksum,
            Kind::File,
            Kind::Protocol,
            Kind::UnsafeName,
            Kind::Cancelled,
            Kind::Secret,
            Kind::Version,
            Kind::Changed,
            Kind::NotConfirmed,
            Kind::NoSpace,
            Kind::Truncated,
        ] {
            let status = p2pxfer_status::from(kind) as i32;
            let number = i32::from(kind.number());
            let wanted = if number > 10 { -number - 3 } else { -number };
            assert_eq!(status, wanted, "{kind:?}");
        }
    }
}
