//! The setters for how a transfer is done, beside where.

use std::ffi::{c_int, c_void};
use std::slice;

use p2pxfer_core::transfer::{Offer, SECRET_MAX, Secret};

use crate::boundary::Failure;
use crate::handle::{ENDLESS, P2PXFER_FOREVER, State, duration, p2pxfer, set};
use crate::offer::p2pxfer_offer;
use crate::status::p2pxfer_status;

/// Longest secret, in bytes.
pub const P2PXFER_SECRET_MAX: usize = 1024;

const _: () = assert!(P2PXFER_SECRET_MAX == SECRET_MAX);

/// Judges what a sender offers, before any of it moves and in the thread that receives: anything but 0
/// takes it, with 0 the transfer ends with P2PXFER_REFUSED on both sides. It may take its time, and the
/// connection is kept alive meanwhile when the sender speaks version 2. The offer lives until it
/// returns. It is asked once for a transfer, not again when a lost connection is made anew. What it may
/// call is what p2pxfer_progress may, and p2pxfer_offer_...().
#[expect(non_camel_case_types, reason = "the name that C sees")]
pub type p2pxfer_accept =
    Option<unsafe extern "C" fn(user: *mut c_void, offer: *const p2pxfer_offer) -> c_int>;

/// A function of the caller's, and what it gets.
struct Judge {
    accept: unsafe extern "C" fn(*mut c_void, *const p2pxfer_offer) -> c_int,
    user: *mut c_void,
}

// SAFETY: the pointer is only passed on, in the thread that runs the transfer, and a handle serves one
// call at a time.
unsafe impl Send for Judge {}
// SAFETY: as above.
unsafe impl Sync for Judge {}

impl Judge {
    fn takes(&self, offer: &Offer) -> bool {
        let offer = p2pxfer_offer::new(offer);
        // SAFETY: the caller gave both for each other, and promised that the function returns.
        unsafe { (self.accept)(self.user, &raw const offer) != 0 }
    }
}

/// Sets what both sides know and nobody else: `length` bytes, 1 to P2PXFER_SECRET_MAX, copied, and
/// wiped from memory when another is set or the handle is freed. NULL and 0 remove it. With a secret
/// the transfer is encrypted and each side is sure of the other, or there is none: a peer that has no
/// secret, or a wrong one, or speaks only version 1, gets nothing. Without one, version 2 is encrypted
/// to whoever answers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pxfer_set_secret(
    handle: *mut p2pxfer,
    secret: *const u8,
    length: usize,
) -> p2pxfer_status {
    let setter = |state: &mut State| {
        if secret.is_null() && length == 0 {
            state.options.secret = None;
            return Ok(());
        }
        if secret.is_null() || !(1..=SECRET_MAX).contains(&length) {
            return Err(Failure::bad(
                "the secret has not 1 to 1024 bytes: give one that has, or NULL and 0 for none",
            ));
        }
        // SAFETY: it is not NULL, so there are `length` bytes.
        let bytes = unsafe { slice::from_raw_parts(secret, length) };
        let secret =
            Secret::new(bytes.to_vec()).map_err(|error| Failure::bad(error.to_string()))?;
        state.options.secret = Some(secret);
        Ok(())
    };
    // SAFETY: the caller passes NULL or a handle.
    unsafe { set(handle, setter) }
}

/// Sets whether a transfer without a secret is P2PXFER_BAD_ARGUMENT, before anybody is called: 0 for
/// no, as it is unless set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pxfer_set_require_secret(
    handle: *mut p2pxfer,
    require: c_int,
) -> p2pxfer_status {
    let setter = |state: &mut State| {
        state.require_secret = require != 0;
        Ok(())
    };
    // SAFETY: the caller passes NULL or a handle.
    unsafe { set(handle, setter) }
}

/// Sets for how long a connection that is lost in the middle of a transfer is made anew, in
/// milliseconds, or P2PXFER_FOREVER; 0 for not at all. 60,000 unless set. What has crossed is not sent
/// again. Version 1 cannot do that.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pxfer_set_reconnect(
    handle: *mut p2pxfer,
    milliseconds: u32,
) -> p2pxfer_status {
    let setter = |state: &mut State| {
        state.options.reconnect = match milliseconds {
            0 => None,
            P2PXFER_FOREVER => Some(ENDLESS),
            _ => Some(duration(milliseconds)),
        };
        Ok(())
    };
    // SAFETY: the caller passes NULL or a handle.
    unsafe { set(handle, setter) }
}

/// Sets whether only version 1 is spoken, the protocol of 2013: single files of 1 byte to 2047 MiB,
/// in clear text, without a secret. 0 for no, as it is unless set: a peer that speaks only version 1
/// is found out by itself.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pxfer_set_version1_only(
    handle: *mut p2pxfer,
    version1_only: c_int,
) -> p2pxfer_status {
    let setter = |state: &mut State| {
        state.options.version1_only = version1_only != 0;
        Ok(())
    };
    // SAFETY: the caller passes NULL or a handle.
    unsafe { set(handle, setter) }
}

/// Sets who judges what a sender offers, and what it gets as `user`, which is only passed on. NULL
/// takes everything, as it is unless set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pxfer_set_accept(
    handle: *mut p2pxfer,
    accept: p2pxfer_accept,
    user: *mut c_void,
) -> p2pxfer_status {
    let setter = |state: &mut State| {
        state.options.accept = accept.map(|accept| {
            let judge = Judge { accept, user };
            Box::new(move |offer: &Offer| judge.takes(offer)) as Box<_>
        });
        Ok(())
    };
    // SAFETY: the caller passes NULL or a handle.
    unsafe { set(handle, setter) }
}
