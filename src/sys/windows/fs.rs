//! A folder that files are made, named and removed in.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, FileTimes, OpenOptions};
use std::io;
use std::os::windows::fs::{MetadataExt, OpenOptionsExt};
use std::os::windows::io::{AsHandle, AsRawHandle, RawHandle};
use std::path::{self, Component, Path, PathBuf, Prefix};
use std::sync::Arc;
use std::time::SystemTime;

use super::{Bool, check, wide};
use crate::sys::file::in_use;
pub use crate::sys::file::{Access, FileKind, Stat, set_executable};
pub use crate::sys::near::Near;

/// A file of [`Dir::open_private`]: nobody else opens it until it is closed.
pub type Private = File;

// Rights (`winnt.h`).
const FILE_TRAVERSE: u32 = 0x20;
const FILE_READ_ATTRIBUTES: u32 = 0x80;
const FILE_WRITE_ATTRIBUTES: u32 = 0x100;
const SYNCHRONIZE: u32 = 0x0010_0000;
const GENERIC_WRITE: u32 = 0x4000_0000;
/// To read and to write; that it may be moved or deleted is missing.
const SHARE_IN_PLACE: u32 = 1 | 2;

/// What an open of a folder asks for.
const BACKUP_SEMANTICS: u32 = 0x0200_0000;
/// A link is opened itself, and not what it leads to.
const OPEN_REPARSE_POINT: u32 = 0x0020_0000;

/// Of a file's attributes: it is a link, a junction, or stands for something elsewhere.
const ATTRIBUTE_REPARSE_POINT: u32 = 0x400;

// Error codes (`winerror.h`).
const ERROR_SHARING_VIOLATION: i32 = 32;

/// `BY_HANDLE_FILE_INFORMATION`.
#[repr(C)]
#[derive(Default)]
struct Information {
    attributes: u32,
    times: [u32; 6],
    volume: u32,
    size: [u32; 2],
    links: u32,
    index: [u32; 2],
}

// SAFETY: `fileapi.h` and `winbase.h` declare them so.
#[link(name = "kernel32")]
unsafe extern "system" {
    fn GetFileInformationByHandle(file: RawHandle, information: *mut Information) -> Bool;
    fn MoveFileExW(from: *const u16, to: *const u16, flags: u32) -> Bool;
}

/// An open folder. Names are single names, and are taken as they are: none is a device, a stream or
/// another spelling. While the folder is open the system lets nobody move or remove it, nor a folder
/// above it, so that its path stays true.
#[derive(Debug)]
pub struct Dir {
    /// Absolute, and in the form that the system does not read anything into (`\\?\`), of any length.
    folder: PathBuf,
    _held: Arc<File>,
}

impl Dir {
    /// Opens the folder at `path`.
    ///
    /// # Errors
    /// When there is none, or it may not be opened.
    pub fn open(path: &Path) -> io::Result<Self> {
        let held = hold(path, 0)?;
        // Some disks cannot say where a file is.
        let folder = fs::canonicalize(path).or_else(|_| verbatim(path))?;
        let held = Arc::new(held);
        Ok(Self {
            folder,
            _held: held,
        })
    }

    /// Makes a file for writing.
    ///
    /// # Errors
    /// `AlreadyExists` when the name is taken, be it by a symbolic link.
    pub fn create_private(&self, name: &OsStr) -> io::Result<File> {
        File::create_new(self.at(name)?)
    }

    /// The system has no files without a name.
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

    /// An empty file without a name; it is called `name` for a moment.
    ///
    /// # Errors
    /// When the folder takes no file.
    pub fn probe(&self, name: &OsStr) -> io::Result<File> {
        let file = File::create_new(self.at(name)?)?;
        self.remove(name)?;
        Ok(file)
    }

    /// Does nothing: a file has the permissions of its folder from the start.
    ///
    /// # Errors
    /// None on this platform.
    pub fn share(&self, _: &File, _probe: &OsStr) -> io::Result<()> {
        Ok(())
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
        let from = wide(self.at(from)?.as_os_str())?;
        let to = wide(self.at(to)?.as_os_str())?;
        // SAFETY: both names end in a NUL and outlive the call.
        check(unsafe { MoveFileExW(from.as_ptr(), to.as_ptr(), 0) })
    }

    /// Removes a file or a link.
    ///
    /// # Errors
    /// What the system says.
    pub fn remove(&self, name: &OsStr) -> io::Result<()> {
        fs::remove_file(self.at(name)?)
    }

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
            _held: Arc::clone(&self._held),
        };
        for name in path {
            // The folder above is held, and with it the way here.
            let folder = here.at(name)?;
            let held = Arc::new(hold(&folder, OPEN_REPARSE_POINT)?);
            here = Self {
                folder,
                _held: held,
            };
        }
        Ok(here)
    }

    /// Makes a folder with the permissions of the one that it is in.
    ///
    /// # Errors
    /// `AlreadyExists` when the name is taken, be it by a symbolic link.
    pub fn make_folder(&self, name: &OsStr) -> io::Result<()> {
        fs::create_dir(self.at(name)?)
    }

    /// Opens a file that is ours alone: regular, with this one name, and open to nobody else until it
    /// is closed.
    ///
    /// # Errors
    /// `WouldBlock` when another process has it, others with the reason when it is not such a file.
    pub fn open_private(&self, name: &OsStr, access: Access) -> io::Result<Private> {
        let append = matches!(access, Access::CreateAppend | Access::ExistingAppend);
        let create = matches!(access, Access::Create | Access::CreateAppend);
        let opened = OpenOptions::new()
            .read(true)
            .write(!append)
            .append(append)
            .create(create)
            .share_mode(0)
            .custom_flags(OPEN_REPARSE_POINT)
            .open(self.at(name)?);
        let file = opened.map_err(|error| match error.raw_os_error() {
            Some(ERROR_SHARING_VIOLATION) => in_use(),
            _ => error,
        })?;
        let wrong = |why| Err(io::Error::other(why));
        let metadata = file.metadata()?;
        if metadata.file_attributes() & ATTRIBUTE_REPARSE_POINT != 0 {
            return wrong("is a symbolic link: remove it");
        }
        if !metadata.is_file() {
            return wrong("is not a regular file: remove it");
        }
        if links(&file)? > 1 {
            return wrong("has a second name, a hard link: remove it");
        }
        Ok(file)
    }

    /// Opens a regular file for reading; so that it can be synced, if it may be changed.
    ///
    /// # Errors
    /// Also when it is a link, or not regular.
    pub fn open_regular(&self, name: &OsStr) -> io::Result<File> {
        let path = self.at(name)?;
        let mut options = OpenOptions::new();
        options.read(true);
        open_as(&path, options.clone().write(true)).or_else(|_| open_as(&path, &options))
    }

    /// Sets when the folder was last changed.
    ///
    /// # Errors
    /// What the system says.
    pub fn set_mtime(&self, time: SystemTime) -> io::Result<()> {
        self.open_itself(FILE_WRITE_ATTRIBUTES)?
            .set_times(FileTimes::new().set_modified(time))
    }

    /// The folder itself, open so that it can be synced; `None` where its file system cannot do that:
    /// then names come to the disk in their order, whenever that is.
    ///
    /// # Errors
    /// None on this platform.
    pub fn handle(&self) -> io::Result<Option<File>> {
        let folder = self.open_itself(GENERIC_WRITE);
        Ok(folder.ok().filter(|folder| folder.sync_all().is_ok()))
    }

    /// How many bytes may still be written here; `None` when the system does not say.
    pub fn free(&self) -> Option<u64> {
        super::given::free_space(&self.folder)
    }

    fn open_itself(&self, access: u32) -> io::Result<File> {
        OpenOptions::new()
            .access_mode(access)
            .custom_flags(BACKUP_SEMANTICS)
            .open(&self.folder)
    }

    /// The path of a name in the folder, and of nothing elsewhere.
    fn at(&self, name: &OsStr) -> io::Result<PathBuf> {
        match is_plain(name) {
            true => Ok(self.folder.join(name)),
            false => Err(io::ErrorKind::InvalidInput.into()),
        }
    }
}

/// Whether the system takes `name` for a file of this name wherever it is: for no path, no device, no
/// stream of a file, and not for the name without its dots or spaces at the end.
fn is_plain(name: &OsStr) -> bool {
    let mut components = Path::new(name).components();
    match (components.next(), components.next()) {
        (Some(Component::Normal(only)), None) if only == name => {}
        _ => return false,
    }
    if name.as_encoded_bytes().contains(&b':') {
        return false;
    }
    // The system itself says what it makes of it.
    path::absolute(name).is_ok_and(|path| {
        let device = match path.components().next() {
            Some(Component::Prefix(prefix)) => matches!(prefix.kind(), Prefix::DeviceNS(_)),
            _ => true,
        };
        !device && path.file_name() == Some(name)
    })
}

/// A path in the form that the system takes as it is, at any length; one on a share of another
/// machine stays as it was.
fn verbatim(path: &Path) -> io::Result<PathBuf> {
    let absolute = path::absolute(path)?;
    let on_disk = match absolute.components().next() {
        Some(Component::Prefix(prefix)) => matches!(prefix.kind(), Prefix::Disk(_)),
        _ => false,
    };
    if !on_disk {
        return Ok(absolute);
    }
    let mut whole = OsString::from(r"\\?\");
    whole.push(absolute);
    Ok(whole.into())
}

/// Opens a folder so that nobody moves or removes it.
fn hold(path: &Path, flags: u32) -> io::Result<File> {
    let held = OpenOptions::new()
        .access_mode(FILE_TRAVERSE | FILE_READ_ATTRIBUTES | SYNCHRONIZE)
        .share_mode(SHARE_IN_PLACE)
        .custom_flags(BACKUP_SEMANTICS | flags)
        .open(path)?;
    let metadata = held.metadata()?;
    let link = flags & OPEN_REPARSE_POINT != 0
        && metadata.file_attributes() & ATTRIBUTE_REPARSE_POINT != 0
        && metadata.file_type().is_symlink();
    match metadata.is_dir() && !link {
        true => Ok(held),
        false => Err(io::ErrorKind::NotADirectory.into()),
    }
}

/// How many names a file has.
fn links(file: &File) -> io::Result<u32> {
    let mut information = Information::default();
    // SAFETY: the handle is open, and the call writes one `Information`.
    check(unsafe { GetFileInformationByHandle(file.as_raw_handle(), &raw mut information) })?;
    Ok(information.links)
}

/// Nothing can be done about that here.
pub fn reserve_descriptors(_: u16) {}

/// Opens a regular file for reading, be its last component no link.
///
/// # Errors
/// Also when it is a link, or not regular.
pub fn open_regular(path: &Path) -> io::Result<File> {
    open_as(path, OpenOptions::new().read(true))
}

fn open_as(path: &Path, options: &OpenOptions) -> io::Result<File> {
    let irregular = || io::Error::other("is not a regular file");
    // Looked at before the open, which would wait on a pipe.
    if !fs::symlink_metadata(path)?.is_file() {
        return Err(irregular());
    }
    let file = options.open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(irregular()),
    }
}

/// Does nothing, and says so: there is no such call for everybody.
///
/// # Errors
/// None on this platform.
pub fn sync_file_system(_: &File) -> io::Result<bool> {
    Ok(false)
}

/// `None`: the system does not say which start of the machine this is.
pub fn boot_id() -> Option<[u8; 16]> {
    None
}

/// Closes a file.
///
/// # Errors
/// None on this platform.
pub fn close(file: File) -> io::Result<()> {
    drop(file);
    Ok(())
}

/// Waits until a file is on the disk, with what is known of it; not for one that is open for reading
/// only, which the system refuses.
///
/// # Errors
/// What the system says.
pub fn sync(file: &File) -> io::Result<()> {
    match file.sync_all() {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        done => done,
    }
}

/// Bytes from elsewhere as a file name of this system; `None` when they are not UTF-8.
pub fn file_name(bytes: &[u8]) -> Option<OsString> {
    std::str::from_utf8(bytes).ok().map(OsString::from)
}

/// Standard output without a buffer.
///
/// # Errors
/// When it is closed, or no handle can be had.
pub fn stdout() -> io::Result<File> {
    Ok(File::from(io::stdout().as_handle().try_clone_to_owned()?))
}

#[cfg(test)]
#[path = "../tests/fs.rs"]
mod tests;

#[cfg(test)]
mod windows_tests {
    use super::*;

    #[test]
    fn what_windows_reads_something_else_into_is_no_name() {
        for name in [
            "NUL", "nul", "CON", "com1", "LPT9", "a:b", "a.", "a ", "a\\b", "a/b", "..", "",
        ] {
            assert!(!is_plain(OsStr::new(name)), "{name}");
        }
        for name in ["a", "Ünï-한글.txt", ".hidden", "console", "com10"] {
            assert!(is_plain(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    fn a_path_may_be_longer_than_260_characters() {
        let root = std::env::temp_dir().join(format!("p2pxfer-long-{}", std::process::id()));
        fs::create_dir(&root).unwrap();
        let mut here = Dir::open(&root).unwrap();
        let name = OsString::from("n".repeat(100));
        for _ in 0..4 {
            here.make_folder(&name).unwrap();
            here = here.folder(std::slice::from_ref(&name)).unwrap();
        }
        drop(here.create_private(OsStr::new("a")).unwrap());
        here.rename_new(OsStr::new("a"), OsStr::new("b")).unwrap();
        assert_eq!(here.stat(OsStr::new("b")).unwrap().unwrap().size, 0);
        assert!(here.free().is_some());
        drop(here);
        let all = fs::canonicalize(&root).unwrap();
        fs::remove_dir_all(all).unwrap();
    }

    #[test]
    fn a_file_that_may_only_be_read_is_opened_and_taken_for_synced() {
        let root = std::env::temp_dir().join(format!("p2pxfer-read-{}", std::process::id()));
        fs::create_dir(&root).unwrap();
        let dir = Dir::open(&root).unwrap();
        let at = root.join("a");
        fs::write(&at, b"x").unwrap();
        let open = || dir.open_regular(OsStr::new("a")).unwrap();
        open().sync_all().unwrap();
        for read_only in [true, false] {
            let mut permissions = fs::metadata(&at).unwrap().permissions();
            permissions.set_readonly(read_only);
            fs::set_permissions(&at, permissions).unwrap();
            sync(&open()).unwrap();
        }
        drop(dir);
        fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn a_private_file_is_open_to_nobody_else_and_has_one_name() {
        let root = std::env::temp_dir().join(format!("p2pxfer-own-{}", std::process::id()));
        fs::create_dir(&root).unwrap();
        let dir = Dir::open(&root).unwrap();
        let open = |access| dir.open_private(OsStr::new("p"), access);
        assert_eq!(
            open(Access::Existing).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
        let held = open(Access::Create).unwrap();
        assert_eq!(
            open(Access::Create).unwrap_err().kind(),
            io::ErrorKind::WouldBlock
        );
        drop(held);
        drop(open(Access::ExistingAppend).unwrap());
        fs::hard_link(root.join("p"), root.join("second")).unwrap();
        let error = open(Access::Existing).unwrap_err().to_string();
        assert!(error.contains("hard link"), "{error}");
        drop(dir);
        fs::remove_dir_all(&root).unwrap();
    }
}
