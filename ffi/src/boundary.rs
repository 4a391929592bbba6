//! What every call needs: no panic gets out, no NULL gets in, strings cross both ways.

use std::ffi::{CStr, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::ptr;

use p2pxfer_core::transfer::Error;

use crate::status::{P2PXFER_BAD_ARGUMENT, P2PXFER_INTERNAL, P2PXFER_OK, p2pxfer_status};

/// Why a call fails: its code, and the details for `p2pxfer_last_error`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) status: p2pxfer_status,
    pub(crate) details: String,
}

impl Failure {
    pub(crate) fn bad(details: impl Into<String>) -> Self {
        Self {
            status: P2PXFER_BAD_ARGUMENT,
            details: details.into(),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            status: error.kind().into(),
            details: error.to_string(),
        }
    }
}

/// Runs a job and ends its panic here: to unwind into C is undefined.
pub(crate) fn contain<T>(job: impl FnOnce() -> T) -> Result<T, Failure> {
    // What a panic may leave half done lies behind a handle's locks, and is whole after each step.
    catch_unwind(AssertUnwindSafe(job)).map_err(|_| Failure {
        status: P2PXFER_INTERNAL,
        details: "a fault in the library, please report it".into(),
    })
}

/// The body of a call that returns a status.
pub(crate) fn status(call: impl FnOnce() -> Result<(), p2pxfer_status>) -> p2pxfer_status {
    match contain(call) {
        Ok(Ok(())) => P2PXFER_OK,
        Ok(Err(status)) => status,
        Err(failure) => failure.status,
    }
}

/// The body of a call that returns a length, or a status where there is none.
pub(crate) fn length(call: impl FnOnce() -> Result<usize, p2pxfer_status>) -> i32 {
    match contain(call) {
        Ok(Ok(length)) => i32::try_from(length).unwrap_or(i32::MAX),
        Ok(Err(status)) => status as i32,
        Err(failure) => failure.status as i32,
    }
}

/// What a pointer from C points to.
///
/// # Safety
/// `pointer` is NULL or points to a `T` that outlives `'a`.
pub(crate) unsafe fn target<'a, T>(pointer: *const T) -> Result<&'a T, p2pxfer_status> {
    // SAFETY: as the caller promises.
    unsafe { pointer.as_ref() }.ok_or(P2PXFER_BAD_ARGUMENT)
}

/// Puts `value` where the caller wants it.
///
/// # Safety
/// `out` is NULL or points to a `T` that nobody else uses.
pub(crate) unsafe fn give<T>(out: *mut T, value: T) -> Result<(), p2pxfer_status> {
    if out.is_null() {
        return Err(P2PXFER_BAD_ARGUMENT);
    }
    // SAFETY: it is not NULL, and the rest is as the caller promises.
    unsafe { out.write(value) };
    Ok(())
}

/// The bytes of a string from C, which must not be empty; `what` names it to the user.
///
/// # Safety
/// `string` is NULL or points to a string that ends with a NUL and outlives `'a`.
pub(crate) unsafe fn bytes<'a>(string: *const c_char, what: &str) -> Result<&'a [u8], Failure> {
    if string.is_null() {
        return Err(Failure::bad(format!("{what} is NULL")));
    }
    // SAFETY: it is not NULL, and the rest is as the caller promises.
    let bytes = unsafe { CStr::from_ptr(string) }.to_bytes();
    match bytes {
        [] => Err(Failure::bad(format!("{what} is empty"))),
        bytes => Ok(bytes),
    }
}

/// A path from C: any bytes on Unix, UTF-8 elsewhere.
///
/// # Safety
/// As for [`bytes`].
pub(crate) unsafe fn path(string: *const c_char, what: &str) -> Result<PathBuf, Failure> {
    // SAFETY: as the caller promises.
    let bytes = unsafe { bytes(string, what) }?;
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        Ok(PathBuf::from(std::ffi::OsStr::from_bytes(bytes)))
    }
    #[cfg(not(unix))]
    text(bytes, what).map(PathBuf::from)
}

/// Text from C.
pub(crate) fn text<'a>(bytes: &'a [u8], what: &str) -> Result<&'a str, Failure> {
    std::str::from_utf8(bytes).map_err(|_| Failure::bad(format!("{what} is not UTF-8")))
}

/// What does not fit into a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Excess {
    /// Is cut off, between two characters.
    Cut,
    /// Leaves the buffer empty: a part of a path is another path.
    Refuse,
}

/// A caller's buffer; as the caller left it until something is filled in.
#[derive(Debug)]
pub(crate) struct Buffer {
    start: *mut u8,
    size: usize,
}

impl Buffer {
    /// # Safety
    /// `start` points to `size` bytes that nobody else uses while this lives, or is NULL.
    pub(crate) unsafe fn new(start: *mut c_char, size: usize) -> Result<Self, p2pxfer_status> {
        if start.is_null() && size > 0 {
            return Err(P2PXFER_BAD_ARGUMENT);
        }
        Ok(Self {
            start: start.cast(),
            size,
        })
    }

    /// Fills in `bytes`, and tells how many there are.
    pub(crate) fn fill(&self, bytes: &[u8], excess: Excess) -> usize {
        let room = self.size.saturating_sub(1);
        let begins = |&end: &usize| bytes[end] & 0xc0 != 0x80;
        let end = match excess {
            _ if bytes.len() <= room => bytes.len(),
            Excess::Cut => (0..=room).rev().find(begins).unwrap_or(0),
            Excess::Refuse => 0,
        };
        self.put(&bytes[..end]);
        bytes.len()
    }

    /// Leaves the empty string.
    pub(crate) fn clear(&self) {
        self.put(b"");
    }

    /// Puts `bytes` and a NUL where there is room for both; does nothing without any room.
    fn put(&self, bytes: &[u8]) {
        if self.size <= bytes.len() {
            return;
        }
        // SAFETY: there are `size` bytes, more than are written, and `bytes`, which is not a part of
        // them because nobody else uses them.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), self.start, bytes.len()) };
        // SAFETY: the offset is below `size`.
        let end = unsafe { self.start.add(bytes.len()) };
        // SAFETY: as above.
        unsafe { end.write(0) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_the_status_for_it() {
        assert_eq!(status(|| panic!("on purpose")), P2PXFER_INTERNAL);
        assert_eq!(length(|| panic!("on purpose")), P2PXFER_INTERNAL as i32);
        let contained: Result<(), Failure> = contain(|| panic!("on purpose"));
        assert_eq!(contained.unwrap_err().status, P2PXFER_INTERNAL);
    }

    #[test]
    fn text_is_cut_between_characters_and_a_path_never() {
        let fill = |text: &str, size: usize, excess| {
            let mut bytes = vec![b'?'; size + 1];
            // SAFETY: there are `size` bytes, and one more that must stay.
            let buffer = unsafe { Buffer::new(bytes.as_mut_ptr().cast(), size) }.unwrap();
            assert_eq!(buffer.fill(text.as_bytes(), excess), text.len());
            assert_eq!(bytes[size], b'?');
            let end = bytes.iter().position(|&byte| byte == 0);
            end.map(|end| String::from_utf8(bytes[..end].to_vec()).unwrap())
        };
        let some = |text: &str| Some(text.to_string());
        assert_eq!(fill("한글", 7, Excess::Cut), some("한글"));
        assert_eq!(fill("한글", 6, Excess::Cut), some("한"));
        assert_eq!(fill("한글", 3, Excess::Cut), some(""));
        assert_eq!(fill("한글", 1, Excess::Cut), some(""));
        assert_eq!(fill("한글", 0, Excess::Cut), None);
        assert_eq!(fill("/tmp/ab", 8, Excess::Refuse), some("/tmp/ab"));
        assert_eq!(fill("/tmp/ab", 7, Excess::Refuse), some(""));
    }
}
