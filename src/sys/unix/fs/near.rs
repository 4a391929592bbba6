//! Looking at many files of one folder.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::{Dir, entry};
use crate::sys::file::Stat;

/// Looks at files and opens them by their paths. The folder of the last one stays open, so that the way to the next
/// one in it is a single step. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Near(Arc<Mutex<Option<(PathBuf, Dir)>>>);

impl Near {
    /// What is at the end of `path`, a link being a link.
    ///
    /// # Errors
    /// What the system says.
    pub fn stat(&self, path: &Path) -> io::Result<Stat> {
        let near = self.within(path, |dir, name| dir.stat(name).ok().flatten());
        near.map_or_else(
            || fs::symlink_metadata(path).map(|metadata| Stat::from_metadata(&metadata)),
            Ok,
        )
    }

    /// Opens a regular file for reading, be its last component no link; and what is known of it.
    ///
    /// # Errors
    /// Also when it is a link, or not regular.
    pub fn open_regular(&self, path: &Path) -> io::Result<(File, Stat)> {
        let near = self.within(path, |dir, name| dir.open_regular_stat(name).ok());
        near.map_or_else(|| entry::open_regular_stat(path), Ok)
    }

    /// Asks the folder that the path ends in; `None` where that does not answer, so that the path itself has to
    /// be asked, and to say what is wrong.
    fn within<T>(&self, path: &Path, ask: impl Fn(&Dir, &OsStr) -> Option<T>) -> Option<T> {
        let bytes = path.as_os_str().as_bytes();
        let at = bytes.iter().rposition(|&byte| byte == b'/')?;
        let (folder, name) = (&bytes[..at], OsStr::from_bytes(&bytes[at + 1..]));
        let mut near = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = near.as_ref();
        if known.is_none_or(|(known, _)| known.as_os_str().as_bytes() != folder) {
            let folder = Path::new(OsStr::from_bytes(folder));
            let dir = Dir::open(folder).ok();
            *near = dir.map(|dir| (folder.to_path_buf(), dir));
        }
        ask(&near.as_ref()?.1, name)
    }
}
