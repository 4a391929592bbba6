//! What the process was given: descriptors, files of its user, room on a disk.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// A descriptor that the process was started with, by its number; the file is a copy. To be called
/// before the process opens anything itself, which might have that number.
///
/// # Errors
/// When there is none.
pub fn inherited(number: u32) -> io::Result<File> {
    let number = i32::try_from(number).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: it is not -1, and is borrowed for one call, which says so when nothing is open there.
    let descriptor = unsafe { std::os::fd::BorrowedFd::borrow_raw(number) };
    Ok(File::from(descriptor.try_clone_to_owned()?))
}

/// Whether others than its owner may read or change a file. The standard
/// library does not tell whose process this is, so files of others are judged too.
///
/// # Errors
/// When the system does not tell.
pub fn others_may_read(file: &File) -> io::Result<bool> {
    let metadata = file.metadata()?;
    Ok(metadata.is_file() && metadata.mode() & 0o077 != 0)
}

/// `None`: the standard library does not tell.
pub fn free_space(_: &Path) -> Option<u64> {
    None
}

#[cfg(test)]
#[path = "../tests/given.rs"]
mod tests;
