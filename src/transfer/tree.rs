//! What is sent: files, folders with all that is in them, streams, what is in memory, texts.
//!
//! In memory are the names of the folders on the way to the current entry, and nothing else of a tree:
//! a folder of 200,000 entries with names of 20 bytes takes some 8 MB while it is walked. Links below an
//! argument are not followed; a file is sent only if what is opened is what was announced.

mod read;
mod stream;
#[cfg(test)]
mod tests;
mod walk;

use std::collections::HashSet;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use self::read::Reader;
use self::stream::Stream;
use self::walk::{Root, Walk};
use super::entry::{Entry, EntryKind, Item};
use super::error::Error;
use super::given::Input;
use super::name::NameError;
use crate::sys::fs::{FileKind, Near, Stat};
use crate::wire::v2::{ITEM_NAMES_MAX, ITEMS_MAX};

/// Most bytes of standard input that were read and not yet taken over by the receiver.
pub const UNACKNOWLEDGED: u64 = 8 << 20;
/// Longest text, in bytes.
pub const TEXT_MAX: usize = 65_536;

/// One thing that the user wants sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Argument {
    /// A file, or a folder with all that is in it. A link named here is followed, one below is not.
    Path(PathBuf),
    /// Standard input until its end, under this name.
    Stdin(String),
    /// What a reader gives until its end, under this name: for the receiver a stream, as standard input is.
    Stream(String, Input),
    /// These bytes, under this name: for the receiver a file.
    Bytes(String, Arc<[u8]>),
    /// This text, at most [`TEXT_MAX`] bytes.
    Text(String),
}

/// How long the arguments are counted through for the offer.
const COUNTED: Duration = Duration::from_secs(1);

/// All that is to be sent, found to be there before anybody is called.
#[derive(Debug)]
pub struct Sources {
    items: Vec<Item>,
    roots: Arc<[Root]>,
    walk: Walk,
}

impl Sources {
    /// Opens all arguments, and counts what is in them for at most one second.
    ///
    /// # Errors
    /// [`Error::File`] when one is not there or is neither file nor folder, when two have the same
    /// name, when there are more than one offer holds, or when the text is too long.
    pub fn open(arguments: Vec<Argument>) -> Result<Self, Error> {
        let roots: Vec<Root> = arguments
            .into_iter()
            .map(Root::open)
            .collect::<Result<_, _>>()?;
        let mut names = HashSet::new();
        for root in roots.iter().filter(|root| root.kind() != EntryKind::Text) {
            if !names.insert(root.name()) {
                let error = io::Error::other(
                    "another argument has the same name: rename one, or send them one by one",
                );
                return Err(Error::file(&root.shown(), error));
            }
        }
        drop(names);
        let mut room = ITEM_NAMES_MAX;
        for (at, root) in roots.iter().enumerate() {
            let left = room.checked_sub(root.name().len());
            match left.filter(|_| at < ITEMS_MAX as usize) {
                Some(left) => room = left,
                None => {
                    let text = format!(
                        "is one too many: {at} arguments go at once, a folder with any number of files is one"
                    );
                    return Err(Error::file(&root.shown(), io::Error::other(text)));
                }
            }
        }
        let roots: Arc<[Root]> = roots.into();
        let deadline = Instant::now() + COUNTED;
        let items = (0..roots.len()).map(|at| item(&roots, at, deadline));
        Ok(Self {
            items: items.collect(),
            walk: Walk::new(Arc::clone(&roots), 0..roots.len()),
            roots,
        })
    }

    /// One item per argument, in their order.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// The one regular file there is to send: only such a one can go in version 1, by
    /// [`super::Source::open`].
    pub fn single(&self) -> Option<&Path> {
        match &*self.roots {
            [root] => root.regular(),
            _ => None,
        }
    }

    /// The next entry in the order of the walk: arguments as given, a folder's entries sorted by the
    /// bytes of their names, a folder before its entries and its end behind them. Indexes count from
    /// 0 without a gap. `None` at the end. Reads folders, so it may take its time.
    pub fn next_entry(&mut self) -> Option<Result<Found, Skipped>> {
        self.walk.next()
    }
}

/// An argument as it is offered, counted until the deadline.
fn item(roots: &Arc<[Root]>, at: usize, deadline: Instant) -> Item {
    let root = &roots[at];
    let mut item = Item {
        kind: root.kind(),
        name: root.name().to_vec(),
        files: 0,
        bytes: Some(0),
        complete: true,
    };
    for found in Walk::new(Arc::clone(roots), at..at + 1) {
        let Ok(found) = found else {
            continue;
        };
        if matches!(found.entry.kind, EntryKind::File | EntryKind::Stream) {
            item.files += 1;
        }
        if let (EntryKind::File | EntryKind::Text | EntryKind::Stream, Some(bytes)) =
            (found.entry.kind, item.bytes)
        {
            item.bytes = found.entry.size.map(|size| bytes.saturating_add(size));
        }
        if Instant::now() > deadline {
            item.complete = false;
            break;
        }
    }
    item.complete &= item.bytes.is_some();
    item
}

/// An entry, and where its bytes are.
#[derive(Clone, Debug)]
pub struct Found {
    /// What is announced.
    pub entry: Entry,
    origin: Origin,
}

#[derive(Clone, Debug)]
enum Origin {
    /// A file, what was known of it when it was announced, and how it is opened.
    File(PathBuf, Stat, Near),
    Stream(Arc<Stream>),
    /// Of a file or a text, and what it is called in messages.
    Memory(PathBuf, Arc<[u8]>),
    /// A folder or its end: no bytes.
    Folder(PathBuf),
}

impl Found {
    /// Opens a file, a stream or a text from its first byte. Of a stream there is one: a later reader
    /// finds what is not acknowledged, and what was not read.
    ///
    /// # Errors
    /// When it cannot be read, is gone, or is not the file that was announced.
    pub fn open(&self) -> Result<Reader, GiveUp> {
        Reader::open(&self.origin)
    }

    /// Hears that the receiver has taken over the first `offset` bytes of a stream. A reader may be at
    /// work on another thread.
    pub fn acknowledge(&self, offset: u64) {
        if let Origin::Stream(stream) = &self.origin {
            stream.acknowledge(offset);
        }
    }

    /// Where it is on this machine, for messages.
    pub fn shown(&self) -> PathBuf {
        match &self.origin {
            Origin::File(path, ..) | Origin::Folder(path) => path.clone(),
            Origin::Stream(stream) => stream.shown().to_path_buf(),
            Origin::Memory(shown, _) => shown.clone(),
        }
    }
}

/// Why a file that was announced does not come. The text is for both users.
#[derive(Debug)]
pub struct GiveUp {
    /// What kind of reason.
    pub why: GiveUpReason,
    /// Which file, and what is wrong with it.
    pub error: Error,
}

/// The kinds of reasons, with the numbers of the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum GiveUpReason {
    /// It cannot be read.
    Unreadable = 1,
    /// It was changed while it was sent, or since it was announced.
    Changed = 2,
    /// It is not there any more.
    Gone = 3,
}

/// Something in a folder that is not sent.
#[derive(Debug)]
pub struct Skipped {
    /// Where it is.
    pub path: PathBuf,
    /// Why it is not sent.
    pub why: SkipReason,
}

/// Why something in a folder is not sent.
#[derive(Debug)]
pub enum SkipReason {
    /// It is a symbolic link.
    Link,
    /// It is neither file nor folder.
    Special,
    /// Its name is not one that a receiver takes.
    Name(NameError),
    /// It cannot be read; of a folder, nothing of what is in it.
    Unreadable(io::Error),
}

impl GiveUp {
    fn new(path: &Path, error: io::Error) -> Self {
        let why = match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => GiveUpReason::Gone,
            _ => GiveUpReason::Unreadable,
        };
        let error = Error::file(path, error);
        Self { why, error }
    }

    fn changed(path: &Path) -> Self {
        let text = "was changed while it was sent: send it again";
        Self {
            why: GiveUpReason::Changed,
            error: Error::file(path, io::Error::other(text)),
        }
    }
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Link => f.write_str("is a symbolic link, which is not sent"),
            Self::Special => f.write_str("is neither a file nor a folder"),
            Self::Name(error) => write!(f, "has a name that no receiver takes: {error}"),
            Self::Unreadable(error) => super::error::Reason(error).fmt(f),
        }
    }
}
