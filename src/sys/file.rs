//! What is known of files on every platform.

use std::fs::{File, Metadata, Permissions};
use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

/// What a name in a folder stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// A FIFO, a socket, a device.
    Other,
}

/// What is known of a name without opening it.
#[derive(Clone, Copy, Debug)]
pub struct Stat {
    /// What it is.
    pub kind: FileKind,
    /// Size in bytes.
    pub size: u64,
    /// When it was last changed.
    pub mtime: SystemTime,
    /// Which file it is; equal for two names of one file. `None` where the system has no numbers.
    pub identity: Option<(u64, u64)>,
    /// Whether its owner may execute it.
    pub executable: bool,
}

/// How a private file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// For reading and writing; made when it is not there.
    Create,
    /// For reading and for writing at its end, whoever else writes; made when it is not there.
    CreateAppend,
    /// As `Create`, but `NotFound` when it is not there.
    Existing,
    /// As `CreateAppend`, but `NotFound` when it is not there.
    ExistingAppend,
}

impl Stat {
    /// What is known of an open file.
    ///
    /// # Errors
    /// What the system says.
    pub fn of(file: &File) -> io::Result<Self> {
        Ok(Self::from_metadata(&file.metadata()?))
    }

    /// What the standard library knows of a file.
    pub fn from_metadata(metadata: &Metadata) -> Self {
        let kind = metadata.file_type();
        #[cfg(unix)]
        let (identity, executable) = {
            use std::os::unix::fs::MetadataExt;
            let identity = Some((metadata.dev(), metadata.ino()));
            (identity, metadata.mode() & 0o100 != 0)
        };
        #[cfg(not(unix))]
        let (identity, executable) = (None, false);
        Self {
            kind: match kind {
                kind if kind.is_file() => FileKind::File,
                kind if kind.is_dir() => FileKind::Folder,
                kind if kind.is_symlink() => FileKind::Link,
                _ => FileKind::Other,
            },
            size: metadata.len(),
            mtime: metadata.modified().unwrap_or(UNIX_EPOCH),
            identity,
            executable,
        }
    }
}

/// Lets the owner of a file execute it, where files have modes.
pub fn set_executable(permissions: &mut Permissions) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        permissions.set_mode(permissions.mode() | 0o100);
    }
    #[cfg(not(unix))]
    let _ = permissions;
}

/// The error of [`Access`] when another process has the file.
pub(super) fn in_use() -> io::Error {
    let text = "is in use by another transfer: wait for its end, or end it";
    io::Error::new(io::ErrorKind::WouldBlock, text)
}
