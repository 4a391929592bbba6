//! A file system of a test's own.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use super::temp::TempDir;

/// An empty file system in memory, with nothing of the disk's; unmounted with its value.
pub(crate) struct Mount(TempDir);

impl Mount {
    /// With these options of mount(8), such as `size=1m`; where this user may not mount, `None`, and a line
    /// that says that `test` is skipped.
    pub(crate) fn new(test: &str, options: &str) -> Option<Self> {
        let folder = TempDir::new();
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", options, "p2pxfer-test"])
            .arg(folder.path())
            .stderr(Stdio::null());
        if mount.status().is_ok_and(|status| status.success()) {
            return Some(Self(folder));
        }
        // Past the capture of a test's output.
        let _ = writeln!(
            std::io::stderr(),
            "SKIP {test}: only root can mount a file system"
        );
        None
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.path()).status();
    }
}
