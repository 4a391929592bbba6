//! A file that one process has for itself, on every Unix.

use std::ffi::c_int;
use std::fs::File;
use std::io;
use std::ops::Deref;
use std::os::fd::AsRawFd;

use super::file::in_use;

// The same on Linux, macOS and the BSDs.
const LOCK_EX: c_int = 2;
const LOCK_NB: c_int = 4;
const LOCK_UN: c_int = 8;

// SAFETY: it is in every C library that Rust's own standard library links, with this type.
unsafe extern "C" {
    fn flock(descriptor: c_int, operation: c_int) -> c_int;
}

/// A file of [`Dir::open_private`](super::fs::Dir::open_private): nobody else can open it so while this value
/// lives.
#[derive(Debug)]
pub struct Private {
    file: File,
    locked: bool,
}

impl Private {
    /// Locks a file.
    ///
    /// # Errors
    /// `WouldBlock` when another process has it.
    pub(super) fn lock(file: File) -> io::Result<Self> {
        // SAFETY: the descriptor is open.
        if unsafe { flock(file.as_raw_fd(), LOCK_EX | LOCK_NB) } == -1 {
            // Where there are no locks, nobody else has one.
            if io::Error::last_os_error().kind() == io::ErrorKind::WouldBlock {
                return Err(in_use());
            }
        }
        Ok(Self { file, locked: true })
    }

    /// A file without a name, which nobody else can find.
    #[cfg(all(target_os = "linux", feature = "libc"))]
    pub(super) fn nameless(file: File) -> Self {
        Self {
            file,
            locked: false,
        }
    }
}

impl Deref for Private {
    type Target = File;

    fn deref(&self) -> &File {
        &self.file
    }
}

#[cfg(test)]
impl From<File> for Private {
    /// A file that was not locked.
    fn from(file: File) -> Self {
        Self {
            file,
            locked: false,
        }
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        if !self.locked {
            return;
        }
        // The lock is the open file's, not the descriptor's: a process that is being started holds a copy
        // of the descriptor until its program is there, and with it the lock, unless it is let go here.
        // SAFETY: the descriptor is open.
        let _ = unsafe { flock(self.file.as_raw_fd(), LOCK_UN) };
    }
}
