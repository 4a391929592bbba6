//! A folder that files are made, named and removed in.

mod entry;

use std::ffi::{OsStr, OsString, c_int};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::{AsFd, IntoRawFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{self, Component, Path, PathBuf};

pub use self::entry::{Private, boot_id, open_regular, sync_file_system};
pub use crate::sys::file::{Access, FileKind, Stat, set_executable};
pub use crate::sys::near::Near;

/// A folder. Names are single names. The standard library cannot hold a folder open, so one that is
/// exchanged for another meanwhile is not noticed.
#[derive(Debug)]
pub struct Dir {
    folder: PathBuf,
}

impl Dir {
    /// Opens the folder at `path`.
    ///
    /// # Errors
    /// When there is none.
    pub fn open(path: &Path) -> io::Result<Self> {
        if !fs::metadata(path)?.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        let folder = path::absolute(path)?;
        Ok(Self { folder })
    }

    /// Makes a file for writing, that nobody else may open (mode 0600).
    ///
    /// # Errors
    /// `AlreadyExists` when the name is taken, be it by a symbolic link.
    pub fn create_private(&self, name: &OsStr) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        options.open(self.at(name)?)
    }

    /// The standard library has no files without a name.
    ///
    /// # Errors
    /// `Unsupported`.
    pub fn create_nameless(&self) -> io::Result<Private> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Whether a file of [`Dir::create_nameless`] can be made here and named.
    pub fn takes_nameless(&self) -> bool {
        false
    }

    /// Gives a file of [`Dir::create_nameless`] its name.
    ///
    /// # Errors
    /// `Unsupported`.
    pub fn name(&self, _: &Private, _: &OsStr) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// An empty file without a name, with the permissions of one that a program makes in this folder
    /// without a thought. It is called `name` for a moment.
    ///
    /// # Errors
    /// When the folder takes no file.
    pub fn probe(&self, name: &OsStr) -> io::Result<File> {
        let file = File::create_new(self.at(name)?)?;
        self.remove(name)?;
        Ok(file)
    }

    /// Gives `file` the permissions of a file that a program makes in this folder without a thought.
    ///
    /// # Errors
    /// When `probe` cannot be made, or the permissions cannot be changed.
    pub fn share(&self, file: &File, probe: &OsStr) -> io::Result<()> {
        file.set_permissions(self.probe(probe)?.metadata()?.permissions())
    }

    /// Renames `from`, replacing a file or a link called `to`, never a folder.
    ///
    /// # Errors
    /// What the system says; `from` is left as it was.
    pub fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        fs::rename(self.at(from)?, self.at(to)?)
    }

    /// Renames `from` without replacing anything.
    ///
    /// # Errors
    /// `AlreadyExists` when `to` is taken; `from` is left as it was.
    pub fn rename_new(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        match fs::hard_link(self.at(from)?, self.at(to)?) {
            Ok(()) => {
                // The file has its name; that it may keep the other one too undoes nothing.
                let _ = self.remove(from);
                return Ok(());
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(error),
            Err(_) => {}
        }
        // Where files have no links, an empty file of ours takes the name first.
        drop(self.create_private(to)?);
        self.rename(from, to).inspect_err(|_| {
            let _ = self.remove(to);
        })
    }

    /// Removes a file or a link.
    ///
    /// # Errors
    /// What the system says.
    pub fn remove(&self, name: &OsStr) -> io::Result<()> {
        fs::remove_file(self.at(name)?)
    }

    /// The path of a name in the folder, and of nothing elsewhere.
    fn at(&self, name: &OsStr) -> io::Result<PathBuf> {
        let mut components = Path::new(name).components();
        match (components.next(), components.next()) {
            (Some(Component::Normal(only)), None) if only == name => Ok(self.folder.join(name)),
            _ => Err(io::ErrorKind::InvalidInput.into()),
        }
    }
}

/// Nothing can be done about that here.
pub fn reserve_descriptors(_: u16) {}

/// Closes a file, and says what a drop would not: that some of it could not be written.
///
/// # Errors
/// What the system says; the file is closed all the same.
pub fn close(file: File) -> io::Result<()> {
    // SAFETY: it is in every C library that Rust's own standard library links, with this type.
    unsafe extern "C" {
        fn close(descriptor: c_int) -> c_int;
    }
    // SAFETY: the descriptor was the file's alone, which gave it up.
    match unsafe { close(file.into_raw_fd()) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Waits until a file is on the disk, with what is known of it.
///
/// # Errors
/// What the system says.
pub fn sync(file: &File) -> io::Result<()> {
    file.sync_all()
}

/// Bytes from elsewhere as a file name of this system; `None` when it has no such names.
pub fn file_name(bytes: &[u8]) -> Option<OsString> {
    Some(OsString::from_vec(bytes.to_vec()))
}

/// Standard output without a buffer.
///
/// # Errors
/// When it is closed, or no descriptor can be had.
pub fn stdout() -> io::Result<File> {
    let file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    match stands_for_closed(&file)? {
        true => Err(io::Error::other("is closed")),
        false => Ok(file),
    }
}

/// Whether the standard library put this in the place of a descriptor that was closed when the
/// program began: that is `/dev/null`, open for reading too, which no shell's redirection is.
fn stands_for_closed(mut file: &File) -> io::Result<bool> {
    let metadata = file.metadata()?;
    let null = fs::metadata("/dev/null").is_ok_and(|null| null.rdev() == metadata.rdev());
    Ok(metadata.file_type().is_char_device() && null && file.read(&mut [0]).is_ok())
}

#[cfg(test)]
#[path = "../tests/fs.rs"]
mod tests;
