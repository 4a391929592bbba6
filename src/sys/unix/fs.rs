//! A folder that files are made, named and removed in.

mod entry;
mod near;

use std::ffi::{CStr, CString, OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, IntoRawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

pub use self::entry::{Private, boot_id, sync_file_system};
pub use self::near::Near;
use super::check;
pub use crate::sys::file::{Access, FileKind, Stat, set_executable};

/// An open folder. Names are single names: nothing reaches out of the folder, whatever happens to
/// the path it was opened by.
#[derive(Debug)]
pub struct Dir {
    folder: File,
}

impl Dir {
    /// Opens the folder at `path`.
    ///
    /// # Errors
    /// When there is none, or it may not be opened.
    pub fn open(path: &Path) -> io::Result<Self> {
        // A folder that may be written to and not listed will do, where the system has such opens.
        #[cfg(target_os = "linux")]
        const FLAGS: libc::c_int = libc::O_DIRECTORY | libc::O_PATH;
        #[cfg(not(target_os = "linux"))]
        const FLAGS: libc::c_int = libc::O_DIRECTORY;
        let folder = OpenOptions::new()
            .read(true)
            .custom_flags(FLAGS)
            .open(path)?;
        Ok(Self { folder })
    }

    /// Makes a file that nobody else may open (mode 0600), for writing.
    ///
    /// # Errors
    /// `AlreadyExists` when the name is taken, be it by a symbolic link.
    pub fn create_private(&self, name: &OsStr) -> io::Result<File> {
        self.create(name, 0o600)
    }

    /// Makes a file that has no name until [`Dir::name`] gives it one: nobody else can open it, and with its last
    /// descriptor it is gone. It has the permissions of one that a program makes in this folder without a
    /// thought.
    ///
    /// # Errors
    /// What the system says; `Unsupported` where no system has such files.
    #[cfg(target_os = "linux")]
    pub fn create_nameless(&self) -> io::Result<Private> {
        let file = self.create_at(c".", libc::O_RDWR | libc::O_TMPFILE, 0o666)?;
        Ok(Private::nameless(file))
    }

    /// Makes a file that has no name.
    ///
    /// # Errors
    /// `Unsupported`.
    #[cfg(not(target_os = "linux"))]
    pub fn create_nameless(&self) -> io::Result<Private> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Whether a file of [`Dir::create_nameless`] can be made here and named.
    pub fn takes_nameless(&self) -> bool {
        // The system looks at this name, which is taken, after it has seen that it can name files like this one, and
        // before it asks the file system, which may still refuse.
        let named = self.create_nameless();
        let named = named.and_then(|file| self.name_at(&file, c"."));
        named.is_err_and(|error| error.kind() == io::ErrorKind::AlreadyExists)
    }

    /// Gives a file of [`Dir::create_nameless`] its name, replacing nothing.
    ///
    /// # Errors
    /// `AlreadyExists` when the name is taken; the file is as it was.
    pub fn name(&self, file: &Private, name: &OsStr) -> io::Result<()> {
        self.name_at(file, &single(name)?)
    }

    /// An empty file without a name, with the permissions of one that a program makes in this folder
    /// without a thought. Where files need names it is called `name` for a moment.
    ///
    /// # Errors
    /// When the folder takes no file.
    pub fn probe(&self, name: &OsStr) -> io::Result<File> {
        #[cfg(target_os = "linux")]
        if let Ok(file) = self.create_at(c".", libc::O_WRONLY | libc::O_TMPFILE, 0o666) {
            return Ok(file);
        }
        let file = self.create(name, 0o666)?;
        self.remove(name)?;
        Ok(file)
    }

    /// Gives `file` the permissions of a file that a program makes in this folder without a thought.
    /// They are read off a [`Dir::probe`]: asking the umask means to change it for the whole process.
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
        let (from, to) = (single(from)?, single(to)?);
        let folder = self.folder.as_raw_fd();
        // SAFETY: both names end in a NUL and outlive the call.
        check(unsafe { libc::renameat(folder, from.as_ptr(), folder, to.as_ptr()) })?;
        Ok(())
    }

    /// Renames `from` without replacing anything.
    ///
    /// # Errors
    /// `AlreadyExists` when `to` is taken; `from` is left as it was.
    pub fn rename_new(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        match self.rename_exclusively(from, to) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {}
            done => return done,
        }
        // Some file systems know no such rename, but links,
        match self.link(from, to) {
            Ok(()) => {
                // The file has its name; that it may keep the other one too undoes nothing.
                let _ = self.remove(from);
                return Ok(());
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(error),
            Err(_) => {}
        }
        // and some know neither: then an empty file of ours takes the name first.
        drop(self.create(to, 0o600)?);
        self.rename(from, to).inspect_err(|_| {
            let _ = self.remove(to);
        })
    }

    /// Removes a file or a link.
    ///
    /// # Errors
    /// What the system says.
    pub fn remove(&self, name: &OsStr) -> io::Result<()> {
        let name = single(name)?;
        // SAFETY: the name ends in a NUL and outlives the call.
        check(unsafe { libc::unlinkat(self.folder.as_raw_fd(), name.as_ptr(), 0) })?;
        Ok(())
    }

    fn create(&self, name: &OsStr, mode: libc::c_uint) -> io::Result<File> {
        let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL | libc::O_NOFOLLOW;
        self.create_at(&single(name)?, flags, mode)
    }

    fn create_at(&self, name: &CStr, flags: libc::c_int, mode: libc::c_uint) -> io::Result<File> {
        let flags = flags | libc::O_CLOEXEC;
        // SAFETY: the name ends in a NUL and outlives the call.
        let descriptor =
            check(unsafe { libc::openat(self.folder.as_raw_fd(), name.as_ptr(), flags, mode) })?;
        // SAFETY: the descriptor is new and nobody else's.
        Ok(unsafe { File::from_raw_fd(descriptor) })
    }

    #[cfg(target_os = "linux")]
    fn name_at(&self, file: &File, name: &CStr) -> io::Result<()> {
        let folder = self.folder.as_raw_fd();
        let link = |from: libc::c_int, path: &CStr, flags| {
            // SAFETY: both paths end in a NUL and outlive the call.
            check(unsafe { libc::linkat(from, path.as_ptr(), folder, name.as_ptr(), flags) })
        };
        match link(file.as_raw_fd(), c"", libc::AT_EMPTY_PATH) {
            // Before Linux 6.10 that was for the superuser alone.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let path = CString::new(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
                link(libc::AT_FDCWD, &path, libc::AT_SYMLINK_FOLLOW)?;
            }
            done => drop(done?),
        }
        Ok(())
    }

    #[cfg(not(target_os = "linux"))]
    fn name_at(&self, _: &File, _: &CStr) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn link(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        let (from, to) = (single(from)?, single(to)?);
        let folder = self.folder.as_raw_fd();
        // SAFETY: both names end in a NUL and outlive the call.
        check(unsafe { libc::linkat(folder, from.as_ptr(), folder, to.as_ptr(), 0) })?;
        Ok(())
    }

    #[cfg(target_os = "linux")]
    fn rename_exclusively(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        let (from, to) = (single(from)?, single(to)?);
        let folder = self.folder.as_raw_fd();
        // By number, because older C libraries have no function for it.
        // SAFETY: both names end in a NUL and outlive the call.
        let result = unsafe {
            libc::syscall(
                libc::SYS_renameat2,
                folder,
                from.as_ptr(),
                folder,
                to.as_ptr(),
                libc::RENAME_NOREPLACE,
            )
        };
        if result == -1 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }

    #[cfg(not(target_os = "linux"))]
    fn rename_exclusively(&self, _: &OsStr, _: &OsStr) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// A name as the system takes it: one that names something in the folder and nothing elsewhere.
fn single(name: &OsStr) -> io::Result<CString> {
    let bytes = name.as_bytes();
    if matches!(bytes, b"" | b"." | b"..") || bytes.contains(&b'/') {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    Ok(CString::new(bytes)?)
}

/// Makes room for so many descriptors, counted with those that there are. A process with threads waits for all of
/// its processors, tens of milliseconds, whenever the system's table of its descriptors becomes too small: so
/// the wait is had at once, and where it keeps nobody from anything.
pub fn reserve_descriptors(count: u16) {
    // SAFETY: the call takes numbers only, and says so when the first is no descriptor.
    let last = unsafe { libc::fcntl(0, libc::F_DUPFD_CLOEXEC, libc::c_int::from(count) - 1) };
    if last != -1 {
        // SAFETY: the descriptor is new and nobody else's.
        drop(unsafe { File::from_raw_fd(last) });
    }
}

/// Closes a file, and says what a drop would not: that some of it could not be written.
///
/// # Errors
/// What the system says; the file is closed all the same.
pub fn close(file: File) -> io::Result<()> {
    // SAFETY: the descriptor was the file's alone, which gave it up.
    check(unsafe { libc::close(file.into_raw_fd()) })?;
    Ok(())
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
    let null = std::fs::metadata("/dev/null").is_ok_and(|null| null.rdev() == metadata.rdev());
    Ok(metadata.file_type().is_char_device() && null && file.read(&mut [0]).is_ok())
}

#[cfg(test)]
#[path = "../tests/fs.rs"]
mod tests;
