//! What is in a folder: looked at, opened and made without following a link.

use std::ffi::{CStr, OsStr, OsString};
use std::fs::{File, Permissions};
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Dir, check, single};
use crate::sys::file::{Access, FileKind, Stat, in_use};
pub use crate::sys::private::Private;

impl Dir {
    /// What `name` stands for, a link being a link; `None` when it stands for nothing.
    ///
    /// # Errors
    /// What the system says.
    pub fn stat(&self, name: &OsStr) -> io::Result<Option<Stat>> {
        let name = single(name)?;
        // SAFETY: all bytes zero are a stat.
        let mut stat: libc::stat = unsafe { std::mem::zeroed() };
        // SAFETY: the name ends in a NUL, and both outlive the call.
        let result = check(unsafe {
            libc::fstatat(
                self.folder.as_raw_fd(),
                name.as_ptr(),
                &raw mut stat,
                libc::AT_SYMLINK_NOFOLLOW,
            )
        });
        match result {
            Ok(_) => Ok(Some(from_raw(&stat))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Opens the folder at the end of `path`, whose components lead from here; none of them may be a
    /// link.
    ///
    /// # Errors
    /// `NotADirectory` or `FilesystemLoop` when one is a link or a file, and what the system says.
    pub fn folder(&self, path: &[OsString]) -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        if path.len() > 1 {
            match self.folder_beneath(path) {
                Err(error) if !decides(&error) => {}
                done => return done,
            }
        }
        self.folder_by_steps(path)
    }

    /// Makes a folder with the permissions of one that a program makes without a thought.
    ///
    /// # Errors
    /// `AlreadyExists` when the name is taken, be it by a symbolic link.
    pub fn make_folder(&self, name: &OsStr) -> io::Result<()> {
        let name = single(name)?;
        // SAFETY: the name ends in a NUL and outlives the call.
        check(unsafe { libc::mkdirat(self.folder.as_raw_fd(), name.as_ptr(), 0o777) })?;
        Ok(())
    }

    /// Opens a file that is ours alone: regular, of our user, with this one name, and locked as long as
    /// the value lives. Its mode is 0600, whatever it was.
    ///
    /// # Errors
    /// `WouldBlock` when another process has it, others with the reason when it is not such a file.
    pub fn open_private(&self, name: &OsStr, access: Access) -> io::Result<Private> {
        let text = single(name)?;
        let made = match access {
            Access::Create | Access::CreateAppend => libc::O_CREAT,
            Access::Existing | Access::ExistingAppend => 0,
        };
        let append = match access {
            Access::CreateAppend | Access::ExistingAppend => libc::O_APPEND,
            Access::Create | Access::Existing => 0,
        };
        // Nothing that is planted there may keep the open waiting.
        let flags = libc::O_RDWR | libc::O_NOFOLLOW | libc::O_NONBLOCK;
        let file = self.open_at(&text, flags | made | append)?;
        let metadata = file.metadata()?;
        let wrong = |why| Err(io::Error::other(why));
        if !metadata.is_file() {
            return wrong("is not a regular file: remove it");
        }
        // SAFETY: the call has no conditions.
        if metadata.uid() != unsafe { libc::geteuid() } {
            return wrong("belongs to another user: remove it");
        }
        if metadata.nlink() > 1 {
            return wrong("has a second name, a hard link: remove it");
        }
        let file = Private::lock(file)?;
        // Who had the lock until now may have given the file its final name.
        let now = self.stat(name)?.and_then(|stat| stat.identity);
        if now != Some((metadata.dev(), metadata.ino())) {
            return Err(in_use());
        }
        if metadata.mode() & 0o7777 != 0o600 {
            file.set_permissions(Permissions::from_mode(0o600))?;
        }
        Ok(file)
    }

    /// Opens a regular file for reading.
    ///
    /// # Errors
    /// Also when it is a link, or not regular.
    pub fn open_regular(&self, name: &OsStr) -> io::Result<File> {
        self.open_regular_stat(name).map(|(file, _)| file)
    }

    pub(super) fn open_regular_stat(&self, name: &OsStr) -> io::Result<(File, Stat)> {
        let flags = libc::O_RDONLY | libc::O_NOFOLLOW | libc::O_NONBLOCK;
        regular(self.open_at(&single(name)?, flags)?)
    }

    /// Sets when the folder was last changed.
    ///
    /// # Errors
    /// What the system says.
    pub fn set_mtime(&self, time: SystemTime) -> io::Result<()> {
        let omit = libc::timespec {
            tv_sec: 0,
            tv_nsec: libc::UTIME_OMIT,
        };
        let times = [omit, timespec(time)?];
        // Through a name, because a folder that is open as a mere path takes no times.
        // SAFETY: the name ends in a NUL, there are two times, and all outlive the call.
        check(unsafe {
            libc::utimensat(self.folder.as_raw_fd(), c".".as_ptr(), times.as_ptr(), 0)
        })?;
        Ok(())
    }

    /// The folder itself, open so that it can be synced; `None` where the system has no such opens.
    ///
    /// # Errors
    /// `PermissionDenied` when the folder may not be listed, and what the system says.
    pub fn handle(&self) -> io::Result<Option<File>> {
        let flags = libc::O_RDONLY | libc::O_DIRECTORY;
        self.open_at(c".", flags).map(Some)
    }

    /// How many bytes an ordinary user may still write here; `None` when it cannot be told.
    pub fn free(&self) -> Option<u64> {
        // SAFETY: all bytes zero are a statvfs.
        let mut stat: libc::statvfs = unsafe { std::mem::zeroed() };
        // SAFETY: the descriptor is open and the place outlives the call.
        check(unsafe { libc::fstatvfs(self.folder.as_raw_fd(), &raw mut stat) }).ok()?;
        #[allow(clippy::unnecessary_cast, reason = "the types differ between systems")]
        (stat.f_bavail as u64).checked_mul(stat.f_frsize as u64)
    }

    fn open_at(&self, name: &CStr, flags: libc::c_int) -> io::Result<File> {
        let opened = self.create_at(name, flags, 0o600);
        opened.map_err(|error| match error.raw_os_error() {
            Some(libc::ELOOP) if flags & libc::O_NOFOLLOW != 0 => {
                io::Error::other("is a symbolic link: remove it")
            }
            _ => error,
        })
    }

    fn folder_by_steps(&self, path: &[OsString]) -> io::Result<Self> {
        let mut at = self.folder.try_clone()?;
        for name in path {
            let here = Self { folder: at };
            at = here.open_at(&single(name)?, FOLDER | libc::O_NOFOLLOW)?;
        }
        Ok(Self { folder: at })
    }

    /// The same in one call, which also sees to it that nobody moves a folder away meanwhile.
    #[cfg(target_os = "linux")]
    fn folder_beneath(&self, path: &[OsString]) -> io::Result<Self> {
        use std::ffi::CString;
        use std::os::fd::FromRawFd;

        /// `struct open_how` of `linux/openat2.h`.
        #[repr(C)]
        struct OpenHow {
            flags: u64,
            mode: u64,
            resolve: u64,
        }
        const RESOLVE_NO_SYMLINKS: u64 = 0x04;
        const RESOLVE_BENEATH: u64 = 0x08;
        let mut text = Vec::new();
        for name in path {
            if !text.is_empty() {
                text.push(b'/');
            }
            text.extend_from_slice(single(name)?.as_bytes());
        }
        let text = CString::new(text)?;
        let how = OpenHow {
            flags: FOLDER as u64,
            mode: 0,
            resolve: RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
        };
        // SAFETY: the path ends in a NUL, the size is that of the structure, and both outlive the call.
        let descriptor = unsafe {
            libc::syscall(
                libc::SYS_openat2,
                self.folder.as_raw_fd(),
                text.as_ptr(),
                &raw const how,
                size_of::<OpenHow>(),
            )
        };
        let descriptor = i32::try_from(descriptor).unwrap_or(-1);
        check(descriptor)?;
        // SAFETY: the descriptor is new and nobody else's.
        let folder = unsafe { File::from_raw_fd(descriptor) };
        Ok(Self { folder })
    }
}

/// How a folder is opened: one that may be written to and not listed will do, where the system has
/// such opens.
#[cfg(target_os = "linux")]
const FOLDER: libc::c_int = libc::O_DIRECTORY | libc::O_PATH | libc::O_CLOEXEC;
#[cfg(not(target_os = "linux"))]
const FOLDER: libc::c_int = libc::O_DIRECTORY | libc::O_CLOEXEC;

/// Whether an error of `openat2` speaks of the path, and not of a kernel or a sandbox without the call,
/// a path too long for one call, or a folder that was moved meanwhile.
#[cfg(target_os = "linux")]
fn decides(error: &io::Error) -> bool {
    !matches!(
        error.raw_os_error(),
        Some(libc::ENOSYS | libc::EPERM | libc::EINVAL | libc::ENAMETOOLONG | libc::EAGAIN)
    )
}

/// Opens a regular file for reading, be its last component no link; and what is known of it.
pub(super) fn open_regular_stat(path: &Path) -> io::Result<(File, Stat)> {
    use std::os::unix::fs::OpenOptionsExt;
    let file = File::options()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)?;
    regular(file)
}

/// Waits until all that was written to the file system of `file` is on the disk; `false` when the
/// system has no such call.
///
/// # Errors
/// When something of it could not be written.
#[cfg(target_os = "linux")]
pub fn sync_file_system(file: &File) -> io::Result<bool> {
    // SAFETY: the descriptor is open.
    check(unsafe { libc::syncfs(file.as_raw_fd()) })?;
    Ok(true)
}

/// Waits until all that was written to the file system of `file` is on the disk; `false` when the
/// system has no such call.
///
/// # Errors
/// None on this platform.
#[cfg(not(target_os = "linux"))]
pub fn sync_file_system(_: &File) -> io::Result<bool> {
    Ok(false)
}

/// What is the same until the machine starts anew; `None` when the system does not say.
pub fn boot_id() -> Option<[u8; 16]> {
    let mut text = [0; 36];
    let mut file = File::open("/proc/sys/kernel/random/boot_id").ok()?;
    file.read_exact(&mut text).ok()?;
    let mut digits = text.iter().filter(|&&byte| byte != b'-');
    let mut digit = || char::from(*digits.next()?).to_digit(16);
    let mut id = [0; 16];
    for byte in &mut id {
        *byte = u8::try_from(digit()? * 16 + digit()?).ok()?;
    }
    Some(id)
}

#[allow(clippy::unnecessary_cast, reason = "the types differ between systems")]
fn from_raw(stat: &libc::stat) -> Stat {
    let nanos = Duration::from_nanos(stat.st_mtime_nsec as u64);
    let seconds = stat.st_mtime as i64;
    let whole = Duration::from_secs(seconds.unsigned_abs());
    let second = match seconds {
        0.. => UNIX_EPOCH.checked_add(whole),
        _ => UNIX_EPOCH.checked_sub(whole),
    };
    let mtime = second.and_then(|second| second.checked_add(nanos));
    Stat {
        kind: match stat.st_mode & libc::S_IFMT {
            libc::S_IFREG => FileKind::File,
            libc::S_IFDIR => FileKind::Folder,
            libc::S_IFLNK => FileKind::Link,
            _ => FileKind::Other,
        },
        size: stat.st_size as u64,
        mtime: mtime.unwrap_or(UNIX_EPOCH),
        identity: Some((stat.st_dev as u64, stat.st_ino as u64)),
        executable: stat.st_mode & libc::S_IXUSR != 0,
    }
}

fn regular(file: File) -> io::Result<(File, Stat)> {
    let stat = Stat::of(&file)?;
    match stat.kind {
        FileKind::File => Ok((file, stat)),
        _ => Err(io::Error::other("is not a regular file")),
    }
}

#[allow(clippy::unnecessary_cast, reason = "the types differ between systems")]
fn timespec(time: SystemTime) -> io::Result<libc::timespec> {
    let invalid = |_| io::Error::from(io::ErrorKind::InvalidInput);
    let (seconds, nanos) = match time.duration_since(UNIX_EPOCH) {
        Ok(after) => (
            i64::try_from(after.as_secs()).map_err(invalid)?,
            after.subsec_nanos(),
        ),
        Err(before) => {
            let before = before.duration();
            let whole = i64::try_from(before.as_secs()).map_err(invalid)?;
            match before.subsec_nanos() {
                0 => (-whole, 0),
                nanos => (-whole - 1, 1_000_000_000 - nanos),
            }
        }
    };
    Ok(libc::timespec {
        tv_sec: seconds as _,
        tv_nsec: nanos as _,
    })
}
