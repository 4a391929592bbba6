//! What a sender offers, as the accept callback sees it.

use std::ffi::c_char;

use p2pxfer_core::transfer::{EntryKind, Offer, Printable};

use crate::boundary::{self, Buffer, Excess};
use crate::status::{P2PXFER_BAD_ARGUMENT, p2pxfer_status};

/// What a sender offers: one item for each path that it was given. Lives inside the accept callback.
#[expect(non_camel_case_types, reason = "the name that C sees")]
#[derive(Debug)]
pub struct p2pxfer_offer(Offer);

/// Numbers that an offer has, for p2pxfer_offer_get().
#[expect(non_camel_case_types, reason = "the names that C sees")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum p2pxfer_offer_number {
    /// The items.
    P2PXFER_OFFER_ITEMS = 1,
    /// The files in all of them, as far as the sender has counted.
    P2PXFER_OFFER_FILES = 2,
    /// The length of all of it, in bytes; UINT64_MAX when the sender has not counted to the end.
    P2PXFER_OFFER_BYTES = 3,
    /// The items that are folders.
    P2PXFER_OFFER_FOLDERS = 4,
    /// 1 when the sender proved that it knows the secret, else 0.
    P2PXFER_OFFER_VERIFIED = 5,
}

use p2pxfer_offer_number::*;

impl p2pxfer_offer {
    /// The same, for C.
    pub(crate) fn new(offer: &Offer) -> Self {
        Self(offer.clone())
    }
}

/// Puts a number of the offer, one of p2pxfer_offer_number, into `*out`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pxfer_offer_get(
    offer: *const p2pxfer_offer,
    number: u32,
    out: *mut u64,
) -> p2pxfer_status {
    boundary::status(|| {
        // SAFETY: the caller passes NULL or the offer that it got.
        let p2pxfer_offer(offer) = unsafe { boundary::target(offer) }?;
        let folders = offer.items.iter();
        let folders = folders.filter(|item| item.kind == EntryKind::Folder);
        let value = match number {
            _ if number == P2PXFER_OFFER_ITEMS as u32 => offer.items.len() as u64,
            _ if number == P2PXFER_OFFER_FILES as u32 => offer.files(),
            _ if number == P2PXFER_OFFER_BYTES as u32 => offer.bytes().unwrap_or(u64::MAX),
            _ if number == P2PXFER_OFFER_FOLDERS as u32 => folders.count() as u64,
            _ if number == P2PXFER_OFFER_VERIFIED as u32 => offer.verified.into(),
            _ => return Err(P2PXFER_BAD_ARGUMENT),
        };
        // SAFETY: the caller passes NULL or a number of its own.
        unsafe { boundary::give(out, value) }
    })
}

/// Fills `buffer` with the name of an item, counted from 0: the sender's words, with what is not safe
/// to show escaped. What does not fit is cut off. Returns the length of the whole name in bytes,
/// without the NUL, or a negative p2pxfer_status.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pxfer_offer_name(
    offer: *const p2pxfer_offer,
    index: usize,
    buffer: *mut c_char,
    size: usize,
) -> i32 {
    boundary::length(|| {
        // SAFETY: the caller passes NULL or a buffer of that size.
        let buffer = unsafe { Buffer::new(buffer, size) }?;
        // SAFETY: the caller passes NULL or the offer that it got.
        let p2pxfer_offer(offer) = unsafe { boundary::target(offer) }?;
        let item = offer.items.get(index).ok_or(P2PXFER_BAD_ARGUMENT)?;
        let name = Printable(&item.name).to_string();
        Ok(buffer.fill(name.as_bytes(), Excess::Cut))
    })
}
