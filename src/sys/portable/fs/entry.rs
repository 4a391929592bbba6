//! What is in a folder: looked at, opened and made without following a link, as far as the standard
//! library can. It looks first and opens then: who exchanges a name in between on this machine can lead
//! it elsewhere, which the `unix` platform rules out. Nor can it tell whose a file is, how much space is
//! left, or which start of the machine this is.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::SystemTime;

use super::Dir;
use crate::sys::file::{Access, FileKind, Stat, in_use};
pub use crate::sys::private::Private;

impl Dir {
    /// What `name` stands for, a link being a link; `None` when it stands for nothing.
    ///
    /// # Errors
    /// What the system says.
    pub fn stat(&self, name: &OsStr) -> io::Result<Option<Stat>> {
        match fs::symlink_metadata(self.at(name)?) {
            Ok(metadata) => Ok(Some(Stat::from_metadata(&metadata))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Opens the folder at the end of `path`, whose components lead from here; none of them may be a
    /// link.
    ///
    /// # Errors
    /// `NotADirectory` when one is a link or a file, and what the system says.
    pub fn folder(&self, path: &[OsString]) -> io::Result<Self> {
        let mut here = Self {
            folder: self.folder.clone(),
        };
        for name in path {
            let folder = here.at(name)?;
            if !fs::symlink_metadata(&folder)?.is_dir() {
                return Err(io::ErrorKind::NotADirectory.into());
            }
            here = Self { folder };
        }
        Ok(here)
    }

    /// Makes a folder with the permissions of one that a program makes without a thought.
    ///
    /// # Errors
    /// `AlreadyExists` when the name is taken, be it by a symbolic link.
    pub fn make_folder(&self, name: &OsStr) -> io::Result<()> {
        fs::create_dir(self.at(name)?)
    }

    /// Opens a file that is ours alone: regular, with this one name, and locked until it is closed.
    /// Its mode is 0600, whatever it was.
    ///
    /// # Errors
    /// `WouldBlock` when another process has it, others with the reason when it is not such a file.
    pub fn open_private(&self, name: &OsStr, access: Access) -> io::Result<Private> {
        let wrong = |why| Err(io::Error::other(why));
        let mut known = None;
        if let Some(stat) = self.stat(name)? {
            match stat.kind {
                FileKind::File => known = stat.identity,
                FileKind::Link => return wrong("is a symbolic link: remove it"),
                _ => return wrong("is not a regular file: remove it"),
            }
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        options.create(matches!(access, Access::Create | Access::CreateAppend));
        options.append(matches!(
            access,
            Access::CreateAppend | Access::ExistingAppend
        ));
        let file = options.mode(0o600).open(self.at(name)?)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return wrong("is not a regular file: remove it");
        }
        if metadata.nlink() > 1 {
            return wrong("has a second name, a hard link: remove it");
        }
        let file = Private::lock(file)?;
        let opened = Some((metadata.dev(), metadata.ino()));
        let now = self.stat(name)?.and_then(|stat| stat.identity);
        if now != opened || (known.is_some() && known != opened) {
            return Err(in_use());
        }
        if metadata.mode() & 0o7777 != 0o600 {
            file.set_permissions(fs::Permissions::from_mode(0o600))?;
        }
        Ok(file)
    }

    /// Opens a regular file for reading.
    ///
    /// # Errors
    /// Also when it is a link, or not regular.
    pub fn open_regular(&self, name: &OsStr) -> io::Result<File> {
        open_regular(&self.at(name)?)
    }

    /// Sets when the folder was last changed.
    ///
    /// # Errors
    /// What the system says.
    pub fn set_mtime(&self, time: SystemTime) -> io::Result<()> {
        File::open(&self.folder)?.set_times(fs::FileTimes::new().set_modified(time))
    }

    /// The folder itself, open so that it can be synced; never `None` here.
    ///
    /// # Errors
    /// `PermissionDenied` when the folder may not be listed, and what the system says.
    pub fn handle(&self) -> io::Result<Option<File>> {
        File::open(&self.folder).map(Some)
    }

    /// How many bytes may still be written here: the standard library does not know.
    pub fn free(&self) -> Option<u64> {
        None
    }
}

/// Opens a regular file for reading, be its last component no link.
///
/// # Errors
/// Also when it is a link, or not regular.
pub fn open_regular(path: &Path) -> io::Result<File> {
    // Looked at before the open, which would block on a FIFO.
    if !fs::symlink_metadata(path)?.is_file() {
        return Err(io::Error::other("is not a regular file"));
    }
    File::open(path)
}

/// Waits until all that was written to the file system of `file` is on the disk; `false` when the
/// system has no such call.
///
/// # Errors
/// None on this platform.
pub fn sync_file_system(_: &File) -> io::Result<bool> {
    Ok(false)
}

/// What is the same until the machine starts anew; `None` when the system does not say.
pub fn boot_id() -> Option<[u8; 16]> {
    None
}
