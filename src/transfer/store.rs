//! Where received bytes go.
//!
//! A file comes into being under another name, `NAME.<8 hex digits>.part`, readable for nobody else,
//! in the folder of its final name. It gets that name only when it is whole and its checksum held;
//! else it is removed. Nothing is synced to the disk: that is for version 2 to promise, whose store is
//! [`Tree`].

mod journal;
mod part;
mod settle;
mod tree;

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{self, Path, PathBuf};
use std::sync::Arc;

use self::part::Part;
pub use self::part::PartGuard;
pub use self::tree::{
    Committed, Decision, Finished, OnSettled, Refusal, RefusalReason, Settled, Tree,
};
use super::error::Error;
use super::given::Output;
use super::name::{NameError, safe_name};
use crate::sys::fs as system;
use crate::sys::fs::Dir;

/// What standard output is called in messages.
const STDOUT: &str = "standard output";
/// What the caller's writer is called.
const OUTPUT: &str = "the output";

/// What the user said about where to put a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Where.
    pub target: Target,
    /// Whether an existing file is replaced; else the new one becomes `NAME (1)`.
    pub overwrite: bool,
}

/// A folder, a file, standard output, or a writer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Into this folder under the sender's name, when it is a folder; else under exactly this name.
    /// What is neither file nor folder (a FIFO, `/dev/null`) is written into.
    Path(PathBuf),
    /// To standard output.
    Stdout,
    /// To a writer of the caller's: one file or stream.
    Output(Output),
}

impl Default for Place {
    /// The current folder, nothing replaced.
    fn default() -> Self {
        Self {
            target: Target::Path(PathBuf::from(".")),
            overwrite: false,
        }
    }
}

/// A place that was found to exist, before a sender is waited for.
#[derive(Debug)]
pub struct Store {
    kind: Kind,
    overwrite: bool,
    guard: PartGuard,
}

#[derive(Debug)]
enum Kind {
    /// The name comes from the sender, or is `fixed`.
    Folder {
        dir: Arc<Dir>,
        path: PathBuf,
        fixed: Option<OsString>,
    },
    Existing(PathBuf),
    Stdout,
    Output(Output),
}

impl Store {
    /// Opens a place.
    ///
    /// # Errors
    /// [`Error::File`] when there is no such folder, or it takes no file, or standard output is closed.
    pub fn open(place: &Place) -> Result<Self, Error> {
        Ok(Self {
            kind: Kind::of(&place.target)?,
            overwrite: place.overwrite,
            guard: PartGuard::default(),
        })
    }

    /// What removes the part files of this place when their owner hangs.
    pub fn guard(&self) -> PartGuard {
        self.guard.clone()
    }

    /// Makes ready to receive the file that the sender calls `name`.
    ///
    /// # Errors
    /// [`Error::UnsafeName`] when the name is to be used and must not be, [`Error::File`] when no
    /// file can be made.
    pub fn create(&self, name: &[u8]) -> Result<Sink<'_>, Error> {
        let (dir, folder, fixed) = match &self.kind {
            Kind::Stdout => return open_stdout(),
            Kind::Output(output) => {
                return Ok(Sink {
                    to: To::InPlace(Box::new(output.clone()), None),
                    path: PathBuf::from(OUTPUT),
                });
            }
            Kind::Existing(path) => return open_existing(path),
            Kind::Folder { dir, path, fixed } => (dir, path, fixed),
        };
        let wanted = match fixed {
            Some(fixed) => fixed.clone(),
            None => local_name(name).map_err(|error| Error::UnsafeName {
                name: name.to_vec(),
                error,
            })?,
        };
        let path = folder.join(&wanted);
        let failed = |error| Error::file(&path, error);
        let (part, file) =
            Part::create(&self.guard, dir, folder, wanted, self.overwrite).map_err(failed)?;
        let to = To::Part(file, part);
        Ok(Sink { to, path })
    }
}

impl Kind {
    fn of(target: &Target) -> Result<Self, Error> {
        match target {
            Target::Stdout => {
                open_stdout()?;
                Ok(Self::Stdout)
            }
            Target::Output(output) => Ok(Self::Output(output.clone())),
            Target::Path(path) => Self::open(path),
        }
    }

    fn open(path: &Path) -> Result<Self, Error> {
        let failed = |error| Error::file(path, error);
        let followed = follow(path).map_err(failed)?;
        let path = followed.as_deref().unwrap_or(path);
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => Ok(Self::Folder {
                dir: open_folder(path)?,
                path: path.to_path_buf(),
                fixed: None,
            }),
            Ok(metadata) if !metadata.is_file() => Ok(Self::Existing(path.to_path_buf())),
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(error)),
            Err(error) if ends_as_folder(path) => Err(failed(error)),
            _ => {
                let missing = || failed(io::ErrorKind::InvalidInput.into());
                let name = path.file_name().ok_or_else(missing)?.to_os_string();
                let folder = match path.parent() {
                    Some(folder) if folder != Path::new("") => folder,
                    _ => Path::new("."),
                };
                Ok(Self::Folder {
                    dir: open_folder(folder)?,
                    path: folder.to_path_buf(),
                    fixed: Some(name),
                })
            }
        }
    }
}

/// Where a link that the user named leads, when that is a file: it is what is meant, not the link.
fn follow(path: &Path) -> io::Result<Option<PathBuf>> {
    if !fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink()) {
        return Ok(None);
    }
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => fs::canonicalize(path).map(Some),
        Ok(_) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(io::Error::other(
            "is a link to a file that is not there: make that file, or remove the link",
        )),
        Err(error) => Err(error),
    }
}

/// Opens a folder that takes files, which only a file in it can tell: permissions are not all that
/// keeps one out.
fn open_folder(path: &Path) -> Result<Arc<Dir>, Error> {
    let open = || {
        let dir = Dir::open(path)?;
        let probe = part::part_name(OsStr::new("p2pxfer"))?;
        drop(dir.probe(&probe)?);
        Ok(Arc::new(dir))
    };
    open().map_err(|error| Error::file(path, error))
}

fn ends_as_folder(path: &Path) -> bool {
    let last = path.as_os_str().as_encoded_bytes().last();
    last.is_some_and(|&byte| path::is_separator(char::from(byte)))
}

fn open_existing(path: &Path) -> Result<Sink<'_>, Error> {
    let file = open_existing_file(path).map_err(|error| Error::file(path, error))?;
    Ok(Sink {
        to: To::InPlace(Box::new(file), Some(path.to_path_buf())),
        path: path.to_path_buf(),
    })
}

/// Opens a FIFO or a device for writing.
fn open_existing_file(path: &Path) -> io::Result<File> {
    let file = File::options().write(true).open(path)?;
    match file.metadata()?.is_file() {
        true => Err(io::Error::other(
            "was exchanged for a file meanwhile: try again",
        )),
        false => Ok(file),
    }
}

fn open_stdout() -> Result<Sink<'static>, Error> {
    let path = PathBuf::from(STDOUT);
    let file = system::stdout().map_err(|error| Error::file(&path, error))?;
    let to = To::InPlace(Box::new(file), None);
    Ok(Sink { to, path })
}

fn local_name(name: &[u8]) -> Result<OsString, NameError> {
    let name = safe_name(name)?;
    system::file_name(name.as_bytes()).ok_or(NameError::NotUnicode)
}

/// A file that is being received. Dropped before [`Sink::commit`], it leaves nothing behind.
pub struct Sink<'a> {
    to: To<'a>,
    path: PathBuf,
}

/// Where the bytes go.
enum To<'a> {
    /// The file in front, so that it is closed before the part is removed: Windows asks for that.
    Part(File, Part<'a>),
    /// Where they stay; and where that is, if it is a place.
    InPlace(Box<dyn Write + Send>, Option<PathBuf>),
}

impl fmt::Debug for Sink<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sink")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// A file that was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Where it is; `None` when it was written to standard output or a writer.
    pub path: Option<PathBuf>,
    /// Whether the name it should have had was taken, so that it has another one.
    pub renamed: bool,
}

impl Sink<'_> {
    /// Adds the next bytes.
    ///
    /// # Errors
    /// [`Error::File`], also when the disk is full.
    pub fn write_all(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let written = match &mut self.to {
            To::Part(file, _) => file.write_all(bytes),
            To::InPlace(writer, _) => writer.write_all(bytes),
        };
        written.map_err(|error| Error::file(&self.path, error))
    }

    /// Gives the file its name, which makes it final.
    ///
    /// # Errors
    /// [`Error::File`] when it cannot have one; then it is gone.
    pub fn commit(self) -> Result<Stored, Error> {
        let Self { to, path } = self;
        let failed = |error| Error::file(&path, error);
        match to {
            To::Part(file, part) => part.commit(file).map_err(failed),
            To::InPlace(mut writer, path) => {
                writer.flush().map_err(failed)?;
                Ok(Stored {
                    path,
                    renamed: false,
                })
            }
        }
    }
}
