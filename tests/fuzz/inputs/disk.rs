//! A folder for one run, and what may be found there.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Is gone with its value.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("p2pxfer-fuzz-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        // One that crashed may have had the same number.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).expect("a folder of our own");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Every file below `folder` but those that are not complete, and asserts that nothing else is there.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let kind = fs::symlink_metadata(&path).expect("a file").file_type();
        let name = path.file_name().expect("a name").to_string_lossy();
        let unfinished = [".p2pxfer-part", ".p2pxfer-journal"];
        if kind.is_dir() {
            found.extend(files(&path));
        } else if !unfinished.iter().any(|ending| name.ends_with(ending)) {
            assert!(!name.ends_with(".part"), "{name} is left");
            found.push(path);
        }
    }
    found
}
