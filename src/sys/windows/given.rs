//! What the process was given: descriptors, files of its user, room on a disk.

use std::fs::File;
use std::io;
use std::path::Path;

use super::{Bool, check, wide};

// SAFETY: `fileapi.h` declares it so; each number may be left out.
#[link(name = "kernel32")]
unsafe extern "system" {
    fn GetDiskFreeSpaceExW(
        folder: *const u16,
        for_this_user: *mut u64,
        in_all: *mut u64,
        free: *mut u64,
    ) -> Bool;
}

/// Fails: descriptors have no numbers here.
///
/// # Errors
/// Always.
pub fn inherited(_: u32) -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

/// `false`: files have lists of who may read them, which what a user makes at home inherits.
///
/// # Errors
/// None on this platform.
pub fn others_may_read(_: &File) -> io::Result<bool> {
    Ok(false)
}

/// How much this user may still write to the disk that the folder `path` is on, in bytes; `None` when
/// the system does not tell.
pub fn free_space(path: &Path) -> Option<u64> {
    let path = wide(path.as_os_str()).ok()?;
    let mut room = 0;
    let (none, no_more) = (std::ptr::null_mut(), std::ptr::null_mut());
    // SAFETY: reads a string with its NUL, and writes one number; the others are left out.
    check(unsafe { GetDiskFreeSpaceExW(path.as_ptr(), &raw mut room, none, no_more) }).ok()?;
    Some(room)
}

#[cfg(test)]
#[path = "../tests/given.rs"]
mod tests;
