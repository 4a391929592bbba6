//! What the process was given: descriptors, files of its user, room on a disk.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{BorrowedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// A descriptor that the process was started with, by its number; the file is a copy. To be called
/// before the process opens anything itself, which might have that number.
///
/// # Errors
/// When there is none.
pub fn inherited(number: u32) -> io::Result<File> {
    let number = RawFd::try_from(number).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: it is not -1, and is borrowed for one call, which says so when nothing is open there.
    let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
    Ok(File::from(descriptor.try_clone_to_owned()?))
}

/// Whether others than its owner may read or change a file that belongs to this process's user, as
/// ssh judges a private key. A pipe or a device is not judged.
///
/// # Errors
/// When the system does not tell.
pub fn others_may_read(file: &File) -> io::Result<bool> {
    let metadata = file.metadata()?;
    // SAFETY: takes nothing and cannot fail.
    let ours = metadata.uid() == unsafe { libc::geteuid() };
    Ok(ours && metadata.is_file() && metadata.mode() & 0o077 != 0)
}

/// How much this user may still write to the disk that `path` is on, in bytes; `None` when the system
/// does not tell.
pub fn free_space(path: &Path) -> Option<u64> {
    let path = CString::new(path.as_os_str().as_bytes()).ok()?;
    let mut disk = std::mem::MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: reads a string with its NUL, and writes one `statvfs` or fails.
    if unsafe { libc::statvfs(path.as_ptr(), disk.as_mut_ptr()) } != 0 {
        return None;
    }
    // SAFETY: the call above succeeded.
    let disk = unsafe { disk.assume_init() };
    #[allow(
        clippy::unnecessary_cast,
        reason = "the fields' width depends on the system"
    )]
    (disk.f_bavail as u64).checked_mul(disk.f_frsize as u64)
}

#[cfg(test)]
#[path = "../tests/given.rs"]
mod tests;
