//! Windows: the standard library, and calls declared by hand where it has none.

#[path = "../portable/bell.rs"]
pub mod bell;
pub mod fs;
pub mod given;
#[path = "../portable/handoff.rs"]
pub mod handoff;
pub mod net;
pub mod random;
#[path = "../portable/service.rs"]
pub mod service;
pub mod signal;
pub mod term;

use std::ffi::OsStr;
use std::io;
use std::os::windows::ffi::OsStrExt;

/// Windows' truth value: 0 is a failure.
type Bool = i32;

/// The result of a call that answers 0 and `GetLastError` when it fails.
fn check(result: Bool) -> io::Result<()> {
    match result {
        0 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// A text as the system takes it: UTF-16 with a NUL behind it.
///
/// # Errors
/// `InvalidInput` when there is a NUL in it.
fn wide(text: &OsStr) -> io::Result<Vec<u16>> {
    let mut units: Vec<u16> = text.encode_wide().collect();
    if units.contains(&0) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    units.push(0);
    Ok(units)
}
