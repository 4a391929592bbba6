//! Looking at many files of one folder, where a folder that is open is of no use for that.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use super::file::Stat;
use super::platform::fs::open_regular;

/// Looks at files and opens them by their paths.
#[derive(Clone, Debug, Default)]
pub struct Near(());

impl Near {
    /// What is at the end of `path`, a link being a link.
    ///
    /// # Errors
    /// What the system says.
    pub fn stat(&self, path: &Path) -> io::Result<Stat> {
        let metadata = fs::symlink_metadata(path)?;
        Ok(Stat::from_metadata(&metadata))
    }

    /// Opens a regular file for reading, be its last component no link; and what is known of it.
    ///
    /// # Errors
    /// Also when it is a link, or not regular.
    pub fn open_regular(&self, path: &Path) -> io::Result<(File, Stat)> {
        let file = open_regular(path)?;
        let stat = Stat::of(&file)?;
        Ok((file, stat))
    }
}
