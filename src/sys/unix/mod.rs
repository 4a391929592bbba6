//! Unix by way of the `libc` crate.

pub mod bell;
pub mod fs;
pub mod given;
pub mod handoff;
pub mod net;
pub mod random;
pub mod service;
pub mod signal;
pub mod term;

use std::io;

/// The result of a call that answers -1 and `errno` when it fails.
fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}
