//! A file that has not got its name yet.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Stored;
use crate::sys::fs::{self as system, Dir};
use crate::sys::random;
use crate::transfer::name::{LONGEST, cut};

/// How many names `NAME (1)`, `NAME (2)`, ... are tried beside an existing one.
const ATTEMPTS: u32 = 9999;
/// Length of `.`, 8 hex digits and `.part`, in bytes.
const PART_SUFFIX: usize = 14;

/// Knows the part file of a transfer, and removes it for a process that ends without waiting for the
/// thread that writes it. Clones know the same.
#[derive(Clone, Debug, Default)]
pub struct PartGuard {
    guarded: Arc<Mutex<Guarded>>,
}

#[derive(Debug, Default)]
enum Guarded {
    #[default]
    Nothing,
    Part(Arc<Dir>, OsString),
    Abandoned,
}

impl PartGuard {
    /// Removes the part file, if there is one; none can be made any more.
    pub fn abandon(&self) {
        let mut guarded = self.lock();
        guarded.remove();
        *guarded = Guarded::Abandoned;
    }

    fn create(&self, dir: &Arc<Dir>, name: &OsStr) -> io::Result<File> {
        let mut guarded = self.lock();
        if matches!(*guarded, Guarded::Abandoned) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let file = dir.create_private(name)?;
        *guarded = Guarded::Part(Arc::clone(dir), name.to_os_string());
        Ok(file)
    }

    fn lock(&self) -> MutexGuard<'_, Guarded> {
        // What it guards is whole after every statement.
        self.guarded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Guarded {
    fn remove(&self) {
        if let Self::Part(dir, name) = self {
            let _ = dir.remove(name);
        }
    }
}

/// A file under its part name, which it has until it is dropped or named.
#[derive(Debug)]
pub(super) struct Part<'a> {
    guard: &'a PartGuard,
    dir: &'a Dir,
    folder: &'a Path,
    name: OsString,
    wanted: OsString,
    overwrite: bool,
}

impl<'a> Part<'a> {
    /// Makes the part of a file that will be called `wanted`.
    pub(super) fn create(
        guard: &'a PartGuard,
        dir: &'a Arc<Dir>,
        folder: &'a Path,
        wanted: OsString,
        overwrite: bool,
    ) -> io::Result<(Self, File)> {
        if overwrite {
            check_replaceable(&folder.join(&wanted))?;
        }
        let name = part_name(&wanted)?;
        let file = guard.create(dir, &name)?;
        let part = Self {
            guard,
            dir,
            folder,
            name,
            wanted,
            overwrite,
        };
        Ok((part, file))
    }

    /// Gives the file its name. It has another one than it should have when that is taken.
    pub(super) fn commit(self, file: File) -> io::Result<Stored> {
        self.share(&file);
        // Over a network, or within a quota, a write may fail as late as here.
        system::close(file)?;
        let name = self.take_name()?;
        *self.guard.lock() = Guarded::Nothing;
        Ok(Stored {
            renamed: name != self.wanted,
            path: Some(self.folder.join(name)),
        })
    }

    /// Fails on file systems without permissions, and a file that stays private is whole too.
    fn share(&self, file: &File) {
        let _ = part_name(&self.wanted).and_then(|probe| self.dir.share(file, &probe));
    }

    fn take_name(&self) -> io::Result<OsString> {
        let taken = |error: &io::Error| error.kind() == io::ErrorKind::AlreadyExists;
        let wanted = self.wanted.clone();
        if self.overwrite {
            check_replaceable(&self.folder.join(&wanted))?;
            return self.dir.rename(&self.name, &wanted).map(|()| wanted);
        }
        match self.dir.rename_new(&self.name, &wanted) {
            Err(error) if taken(&error) => {}
            done => return done.map(|()| wanted),
        }
        for number in 1..=ATTEMPTS {
            let name = numbered(&wanted, number)?;
            match self.dir.rename_new(&self.name, &name) {
                Err(error) if taken(&error) => {}
                done => return done.map(|()| name),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }
}

impl Drop for Part<'_> {
    fn drop(&mut self) {
        let mut guarded = self.guard.lock();
        guarded.remove();
        if matches!(*guarded, Guarded::Part(..)) {
            *guarded = Guarded::Nothing;
        }
    }
}

/// Fails early where the rename would fail late, or would replace more than a file.
fn check_replaceable(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Ok(metadata) if !metadata.is_file() && !metadata.is_symlink() => Err(io::Error::other(
            "is not a regular file and is not replaced",
        )),
        _ => Ok(()),
    }
}

/// A name that nobody else uses, beside the final one.
pub(super) fn part_name(wanted: &OsStr) -> io::Result<OsString> {
    let mut random = [0; 4];
    random::fill(&mut random)?;
    let mut name = shortened(wanted, LONGEST - PART_SUFFIX)?;
    name.push(format!(".{:08x}.part", u32::from_ne_bytes(random)));
    Ok(name)
}

/// `NAME (number).EXT`.
fn numbered(wanted: &OsStr, number: u32) -> io::Result<OsString> {
    let path = Path::new(wanted);
    let mut tail = OsString::from(format!(" ({number})"));
    if let Some(extension) = path.extension() {
        tail.push(".");
        tail.push(extension);
    }
    let room = LONGEST.saturating_sub(tail.as_encoded_bytes().len());
    let mut name = shortened(path.file_stem().unwrap_or(wanted), room)?;
    name.push(tail);
    Ok(name)
}

fn shortened(name: &OsStr, longest: usize) -> io::Result<OsString> {
    let bytes = name.as_encoded_bytes();
    if bytes.len() <= longest {
        return Ok(name.to_os_string());
    }
    system::file_name(cut(bytes, longest)).ok_or_else(|| io::ErrorKind::InvalidInput.into())
}
