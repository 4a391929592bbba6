//! A file that has not got its name yet.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Stored;
use crate::sys::fs::{self as system, Dir, FileKind};
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
            check_replaceable(dir, &wanted)?;
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
        let name = take_name(self.dir, &self.name, &self.wanted, self.overwrite)?;
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

/// Gives the file `part` its name in `dir`: `wanted` when `overwrite` is set or nothing has it, else
/// the first of `NAME (1)`, `NAME (2)`, ... that is free. Answers with the name.
pub(super) fn take_name(
    dir: &Dir,
    part: &OsStr,
    wanted: &OsStr,
    overwrite: bool,
) -> io::Result<OsString> {
    if overwrite {
        check_replaceable(dir, wanted)?;
        return dir.rename(part, wanted).map(|()| wanted.to_os_string());
    }
    take_free_name(wanted, |name| dir.rename_new(part, name))
}

/// Gives a file the first of the names `wanted`, `NAME (1)`, ... that is free, by a call that replaces nothing.
pub(super) fn take_free_name(
    wanted: &OsStr,
    give: impl Fn(&OsStr) -> io::Result<()>,
) -> io::Result<OsString> {
    for name in candidates(wanted) {
        let name = name?;
        match give(&name) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            done => return done.map(|()| name),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// The names that a file may get when nothing is replaced, in their order.
pub(super) fn candidates(wanted: &OsStr) -> impl Iterator<Item = io::Result<OsString>> {
    (0..=ATTEMPTS).map(move |number| match number {
        0 => Ok(wanted.to_os_string()),
        _ => numbered(wanted, number),
    })
}

/// Fails early where the rename would fail late, or would replace more than a file.
pub(super) fn check_replaceable(dir: &Dir, name: &OsStr) -> io::Result<()> {
    match dir.stat(name)?.map(|stat| stat.kind) {
        Some(FileKind::Folder) => Err(io::ErrorKind::IsADirectory.into()),
        Some(FileKind::Other) => Err(io::Error::other(
            "is not a regular file and is not replaced",
        )),
        Some(FileKind::File | FileKind::Link) | None => Ok(()),
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

pub(super) fn shortened(name: &OsStr, longest: usize) -> io::Result<OsString> {
    let bytes = name.as_encoded_bytes();
    if bytes.len() <= longest {
        return Ok(name.to_os_string());
    }
    system::file_name(cut(bytes, longest)).ok_or_else(|| io::ErrorKind::InvalidInput.into())
}
