//! The way through the arguments: sorted, a folder before what is in it and its end behind.

use std::ops::Range;

use super::*;
use crate::sys::fs as system;
use crate::transfer::entry::Time;
use crate::transfer::name::{DEPTH_MAX, safe_path};

/// What is called so in messages.
const STDIN: &str = "standard input";
const TEXT: &str = "the text";

/// A name that the caller gave to what has none, when a receiver takes it.
fn checked(name: &str) -> Result<&Path, Error> {
    let path = Path::new(name);
    match safe_path(&[name.as_bytes()]) {
        Ok(_) => Ok(path),
        Err(error) => Err(Error::file(path, io::Error::other(error.to_string()))),
    }
}

fn shown(name: &[u8]) -> PathBuf {
    PathBuf::from(String::from_utf8_lossy(name).into_owned())
}

/// An argument that was found to be there.
#[derive(Debug)]
pub(super) enum Root {
    Path {
        /// What a link led to.
        path: PathBuf,
        name: Vec<u8>,
        stat: Stat,
    },
    Stream {
        name: Vec<u8>,
        stream: Arc<Stream>,
    },
    Bytes {
        name: Vec<u8>,
        bytes: Arc<[u8]>,
        /// Since when they are there.
        time: Time,
    },
    Text(Arc<[u8]>),
}

impl Root {
    pub(super) fn open(argument: Argument) -> Result<Self, Error> {
        match argument {
            Argument::Path(path) => {
                let root = Self::open_path(&path);
                root.map_err(|error| Error::file(&path, error))
            }
            Argument::Stdin(name) => Ok(Self::Stream {
                name: name.into_bytes(),
                stream: Arc::new(Stream::new(Path::new(STDIN), Box::new(io::stdin()))),
            }),
            Argument::Stream(name, input) => {
                let shown = checked(&name)?;
                let again = || Error::file(shown, io::Error::other("was read before"));
                let input = input.take().ok_or_else(again)?;
                Ok(Self::Stream {
                    stream: Arc::new(Stream::new(shown, input)),
                    name: name.into_bytes(),
                })
            }
            Argument::Bytes(name, bytes) => {
                checked(&name)?;
                Ok(Self::Bytes {
                    name: name.into_bytes(),
                    bytes,
                    time: Time::of(std::time::SystemTime::now()),
                })
            }
            Argument::Text(text) if text.len() > TEXT_MAX => {
                let error = io::Error::other("is longer than 65536 bytes: send it as a file");
                Err(Error::file(Path::new(TEXT), error))
            }
            Argument::Text(text) => Ok(Self::Text(text.into_bytes().into())),
        }
    }

    fn open_path(path: &Path) -> io::Result<Self> {
        let metadata = fs::metadata(path)?;
        let stat = Stat::from_metadata(&metadata);
        match stat.kind {
            FileKind::File | FileKind::Folder => {}
            _ => {
                return Err(io::Error::other(
                    "is neither a file nor a folder: send what it gives through standard input",
                ));
            }
        }
        let is_link = fs::symlink_metadata(path)?.is_symlink();
        let given = path.file_name();
        // Asked for only where it is needed: not every disk of Windows can tell.
        let whole = (is_link || given.is_none()).then(|| fs::canonicalize(path));
        let whole = whole.transpose()?;
        // The name that the user gave, when it is one.
        let name = given
            .or(whole.as_deref().and_then(Path::file_name))
            .ok_or_else(|| {
                io::Error::other("has no name to be sent under: send what is in it one by one")
            })?;
        let name = name.as_encoded_bytes().to_vec();
        let path = whole
            .filter(|_| is_link)
            .unwrap_or_else(|| path.to_path_buf());
        Ok(Self::Path { path, name, stat })
    }

    pub(super) fn kind(&self) -> EntryKind {
        match self {
            Self::Path { stat, .. } if stat.kind == FileKind::Folder => EntryKind::Folder,
            Self::Path { .. } | Self::Bytes { .. } => EntryKind::File,
            Self::Stream { .. } => EntryKind::Stream,
            Self::Text(_) => EntryKind::Text,
        }
    }

    pub(super) fn name(&self) -> &[u8] {
        match self {
            Self::Path { name, .. } | Self::Stream { name, .. } | Self::Bytes { name, .. } => name,
            Self::Text(_) => b"text",
        }
    }

    pub(super) fn shown(&self) -> PathBuf {
        match self {
            Self::Path { path, .. } => path.clone(),
            Self::Stream { stream, .. } => stream.shown().to_path_buf(),
            Self::Bytes { name, .. } => shown(name),
            Self::Text(_) => PathBuf::from(TEXT),
        }
    }

    pub(super) fn regular(&self) -> Option<&Path> {
        match self {
            Self::Path { path, stat, .. } if stat.kind == FileKind::File => Some(path),
            _ => None,
        }
    }
}

/// A way through some of the arguments.
#[derive(Debug)]
pub(super) struct Walk {
    roots: Arc<[Root]>,
    rest: Range<usize>,
    /// The item that the folders below belong to.
    item: usize,
    index: u64,
    /// The folders on the way to the next entry, the argument first.
    levels: Vec<Level>,
    /// For what is looked at, and for what will be opened, later and in the same order.
    near: Near,
    near_opened: Near,
    /// What could not be told at once.
    skipped: Option<Skipped>,
}

/// A folder that is being walked through.
#[derive(Debug)]
struct Level {
    path: PathBuf,
    name: Vec<u8>,
    mtime: Time,
    /// The names in it that are still to come.
    names: Names,
}

/// Names in one piece of memory: there may be a million, and each of its own would take twice as much.
#[derive(Debug, Default)]
struct Names {
    bytes: Vec<u8>,
    /// Where each is, the last one first.
    places: Vec<Range<usize>>,
}

impl Names {
    fn push(&mut self, name: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(name);
        self.places.push(start..self.bytes.len());
    }

    fn sort(&mut self) {
        let bytes = &self.bytes;
        self.places
            .sort_unstable_by(|a, b| bytes[b.clone()].cmp(&bytes[a.clone()]));
    }

    fn pop(&mut self) -> Option<Vec<u8>> {
        self.places.pop().map(|place| self.bytes[place].to_vec())
    }
}

impl Walk {
    pub(super) fn new(roots: Arc<[Root]>, rest: Range<usize>) -> Self {
        Self {
            roots,
            rest,
            item: 0,
            index: 0,
            levels: Vec::new(),
            near: Near::default(),
            near_opened: Near::default(),
            skipped: None,
        }
    }

    fn next_root(&mut self) -> Option<Result<Found, Skipped>> {
        self.item = self.rest.next()?;
        let roots = Arc::clone(&self.roots);
        let now = |kind, size, origin| (kind, size, Time::of(std::time::SystemTime::now()), origin);
        let (kind, size, mtime, origin) = match &roots[self.item] {
            Root::Path { path, name, stat } => {
                return Some(self.path(path.clone(), name.clone(), *stat));
            }
            Root::Stream { stream, .. } => {
                now(EntryKind::Stream, None, Origin::Stream(Arc::clone(stream)))
            }
            Root::Text(text) => {
                let size = Some(text.len() as u64);
                let origin = Origin::Memory(PathBuf::from(TEXT), Arc::clone(text));
                now(EntryKind::Text, size, origin)
            }
            Root::Bytes { name, bytes, time } => {
                let size = Some(bytes.len() as u64);
                let origin = Origin::Memory(shown(name), Arc::clone(bytes));
                (EntryKind::File, size, *time, origin)
            }
        };
        let name = roots[self.item].name().to_vec();
        Some(Ok(self.found(Some(name), kind, false, size, mtime, origin)))
    }

    /// The next thing in the folder that is walked through, or its end.
    fn next_below(&mut self) -> Option<Result<Found, Skipped>> {
        let level = self.levels.last_mut()?;
        let Some(name) = level.names.pop() else {
            let found = |walk: &mut Self, mtime, path| {
                let origin = Origin::Folder(path);
                walk.found(None, EntryKind::FolderEnd, false, Some(0), mtime, origin)
            };
            let (mtime, path) = (level.mtime, level.path.clone());
            let end = found(self, mtime, path);
            self.levels.pop();
            return Some(Ok(end));
        };
        // A name that this system cannot have from its bytes is not sent, but shown.
        let local = system::file_name(&name)
            .unwrap_or_else(|| String::from_utf8_lossy(&name).into_owned().into());
        let path = level.path.join(local);
        let depth = self.levels.len() + 1;
        // The first name is for the receiver to judge: it may have chosen another one.
        let checked = match depth > DEPTH_MAX {
            true => Err(NameError::Depth),
            false => safe_path(&[&b"x"[..], &name]),
        };
        let skipped = |why| {
            Some(Err(Skipped {
                path: path.clone(),
                why,
            }))
        };
        if let Err(error) = checked {
            return skipped(SkipReason::Name(error));
        }
        match self.near.stat(&path) {
            Ok(stat) => Some(self.path(path, name, stat)),
            // It went while its folder was walked through: so it is not sent.
            Err(error) => skipped(SkipReason::Unreadable(error)),
        }
    }

    fn path(&mut self, path: PathBuf, name: Vec<u8>, stat: Stat) -> Result<Found, Skipped> {
        let mtime = Time::of(stat.mtime);
        let why = match stat.kind {
            FileKind::File => {
                let origin = Origin::File(path, stat, self.near_opened.clone());
                let size = Some(stat.size);
                return Ok(self.found(
                    Some(name),
                    EntryKind::File,
                    stat.executable,
                    size,
                    mtime,
                    origin,
                ));
            }
            FileKind::Folder => match sorted(&path) {
                Ok((names, error)) => {
                    self.skipped = error.map(|error| Skipped {
                        path: path.clone(),
                        why: SkipReason::Unreadable(error),
                    });
                    let origin = Origin::Folder(path.clone());
                    let name_of_level = name.clone();
                    let found =
                        self.found(Some(name), EntryKind::Folder, false, Some(0), mtime, origin);
                    self.levels.push(Level {
                        path,
                        name: name_of_level,
                        mtime,
                        names,
                    });
                    return Ok(found);
                }
                Err(error) => SkipReason::Unreadable(error),
            },
            FileKind::Link => SkipReason::Link,
            FileKind::Other => SkipReason::Special,
        };
        Err(Skipped { path, why })
    }

    /// An entry below the folders of the way; one without a name is the last of these itself.
    fn found(
        &mut self,
        name: Option<Vec<u8>>,
        kind: EntryKind,
        executable: bool,
        size: Option<u64>,
        mtime: Time,
        origin: Origin,
    ) -> Found {
        let folders = self.levels.iter().map(|level| level.name.clone());
        let index = self.index;
        self.index += 1;
        Found {
            entry: Entry {
                index,
                item: u32::try_from(self.item).unwrap_or(u32::MAX),
                kind,
                executable,
                size,
                mtime,
                path: folders.chain(name).collect(),
            },
            origin,
        }
    }
}

impl Iterator for Walk {
    type Item = Result<Found, Skipped>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(skipped) = self.skipped.take() {
            return Some(Err(skipped));
        }
        self.next_below().or_else(|| self.next_root())
    }
}

/// The names in a folder; and why they may not be all.
fn sorted(path: &Path) -> io::Result<(Names, Option<io::Error>)> {
    let mut names = Names::default();
    let mut failed = None;
    for entry in fs::read_dir(path)? {
        match entry {
            Ok(entry) => names.push(entry.file_name().as_encoded_bytes()),
            Err(error) => {
                failed = Some(error);
                break;
            }
        }
    }
    names.sort();
    Ok((names, failed))
}
