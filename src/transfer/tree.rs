//! What is sent: files, folders with all that is in them, standard input, texts.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::entry::{Entry, Item};
use super::error::Error;
use super::name::NameError;

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
    /// This text, at most [`TEXT_MAX`] bytes.
    Text(String),
}

/// All that is to be sent, found to be there before anybody is called.
#[derive(Debug)]
pub struct Sources {
    items: Vec<Item>,
}

impl Sources {
    /// Opens all arguments, and counts what is in them for at most one second.
    ///
    /// # Errors
    /// [`Error::File`] when one is not there or is neither file nor folder, when two have the same
    /// name, or when the text is too long.
    pub fn open(arguments: Vec<Argument>) -> Result<Self, Error> {
        let _ = arguments;
        unimplemented!()
    }

    /// One item per argument, in their order.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// The one regular file there is to send: only such a one can go in version 1, by
    /// [`super::Source::open`].
    pub fn single(&self) -> Option<&Path> {
        unimplemented!()
    }

    /// The next entry in the order of the walk: arguments as given, a folder's entries sorted by the
    /// bytes of their names, a folder before its entries and its end behind them. Indexes count from
    /// 0 without a gap. `None` at the end. Reads folders, so it may take its time.
    pub fn next_entry(&mut self) -> Option<Result<Found, Skipped>> {
        unimplemented!()
    }
}

/// An entry, and where its bytes are.
#[derive(Clone, Debug)]
pub struct Found {
    /// What is announced.
    pub entry: Entry,
}

impl Found {
    /// Opens a file, a stream or a text from its first byte. Of a stream there is one; a later call
    /// goes on where an earlier reader is.
    ///
    /// # Errors
    /// When it cannot be read, is gone, or is not the file that was announced.
    pub fn open(&self) -> Result<Reader, GiveUp> {
        unimplemented!()
    }
}

/// Reads an entry's bytes, and hashes them.
#[derive(Debug)]
pub struct Reader {}

impl Reader {
    /// Goes to `offset` and answers with the BLAKE3 of all bytes in front of it. Of a file they are
    /// read; of a stream they must be among those that are not acknowledged, or be none.
    ///
    /// # Errors
    /// When the file cannot be read, ends before `offset`, or the stream does not have the bytes any
    /// more.
    pub fn seek(&mut self, offset: u64) -> Result<[u8; 32], GiveUp> {
        let _ = offset;
        unimplemented!()
    }

    /// The next bytes, as many as fit and are there; 0 at the end. Blocks on a stream.
    ///
    /// # Errors
    /// When it cannot be read, or is longer or shorter than announced.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize, GiveUp> {
        let _ = buffer;
        unimplemented!()
    }

    /// How many bytes may be read before more of a stream must be acknowledged; `u64::MAX` of a file.
    /// [`Reader::read`] must not be called while it is 0.
    pub fn room(&self) -> u64 {
        unimplemented!()
    }

    /// Hears that the receiver has taken over the first `offset` bytes of a stream.
    pub fn acknowledge(&mut self, offset: u64) {
        let _ = offset;
        unimplemented!()
    }

    /// After the last byte: the length and the BLAKE3 of the whole file.
    ///
    /// # Errors
    /// When the file was changed while it was read: its size, its time or what its name stands for.
    pub fn finish(&mut self) -> Result<(u64, [u8; 32]), GiveUp> {
        unimplemented!()
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
