//! Where the entries of version 2 go: folders, files that can be resumed, many small files at once.

use std::path::PathBuf;

use super::Place;
use crate::transfer::entry::{Entry, Item};
use crate::transfer::error::Error;

/// A place that was found to exist, and what is under way there.
///
/// One thread drives it, entry by entry and byte by byte. What it began it settles in its own time,
/// on a thread of its own, which calls `settled`: a file is then whole, verified, on the disk and
/// under its final name. Dropped, it first settles what is complete; what is not stays as a part that
/// a later transfer of the same file goes on with.
#[derive(Debug)]
pub struct Tree {}

/// Hears from the store's own thread what became of an entry, once for each that was neither refused
/// nor answered [`Decision::Settled`].
pub type OnSettled = Box<dyn FnMut(Settled) + Send>;

/// What became of an entry.
#[derive(Debug)]
pub struct Settled {
    /// Which.
    pub index: u64,
    /// The answer to the sender: COMMITTED or SKIP.
    pub result: Result<Committed, Refusal>,
}

/// An entry that is where it should be, and will be there after a power cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// BLAKE3 of the file or the stream; zeros for a folder, its end, and a text.
    pub hash: [u8; 32],
    /// Where it is; `None` for a text and for standard output.
    pub path: Option<PathBuf>,
    /// Whether the name it should have had was taken, so that it has another one.
    pub renamed: bool,
    /// Whether it was there before, and nothing had to cross.
    pub present: bool,
    /// A text, hostile: to be shown through [`crate::wire::Printable`].
    pub text: Option<Vec<u8>>,
}

/// What to answer to an ENTRY.
#[derive(Debug)]
pub enum Decision {
    /// WANT from `offset` on; `prefix` is the BLAKE3 of what is there, zeros when `offset` is 0.
    Want {
        /// In bytes; a multiple of 256 KiB, but for a stream.
        offset: u64,
        /// Proof of the first `offset` bytes.
        prefix: [u8; 32],
    },
    /// HAVE: a file of that name, size and time, with this hash. [`Tree::same`] or [`Tree::begin`]
    /// at 0 is next.
    Have {
        /// BLAKE3 of the file.
        hash: [u8; 32],
    },
    /// Nothing yet: [`OnSettled`] is called in its time. That is so for folders and their ends.
    Later,
    /// COMMITTED at once: it was settled before the connection was lost.
    Settled {
        /// As it was told then.
        hash: [u8; 32],
    },
    /// SKIP; the others go on.
    Skip(Refusal),
}

/// What [`Tree::finish`] leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finished {
    /// [`OnSettled`] is called in its time.
    Later,
    /// The hash does not hold: WANT once more, from 0. A second time it is a [`Refusal`].
    Again,
    /// It was refused before: nothing.
    Refused,
}

/// Why an entry is not taken. The text of the error is for both users.
#[derive(Debug)]
pub struct Refusal {
    /// What kind of reason.
    pub why: RefusalReason,
    /// What is wrong, and with which file.
    pub error: Error,
}

/// The kinds of reasons, with the numbers of the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum RefusalReason {
    /// The name is not safe to use.
    UnsafeName = 1,
    /// A local file or folder.
    File = 2,
    /// There is no space for it.
    NoSpace = 3,
    /// It is not wanted.
    NotWanted = 4,
}

impl Tree {
    /// Opens a place.
    ///
    /// # Errors
    /// [`Error::File`] when there is no such folder, it takes no file, or standard output is closed.
    pub fn open(place: &Place, settled: OnSettled) -> Result<Self, Error> {
        let _ = (place, settled);
        unimplemented!()
    }

    /// Hears what will come, before the first entry of a session. The same again changes nothing.
    ///
    /// # Errors
    /// [`Error::File`] when the place takes one file only and this is more, [`Error::UnsafeName`] when
    /// no item has a name that can be used.
    pub fn offer(&mut self, items: &[Item]) -> Result<(), Error> {
        let _ = items;
        unimplemented!()
    }

    /// Decides on an entry. Makes the folder, when it is one. Reads the whole of a file that may be
    /// the one that is sent, which takes its time. After [`Tree::interrupt`] an entry may come again,
    /// under the index it had.
    pub fn entry(&mut self, entry: &Entry) -> Decision {
        let _ = entry;
        unimplemented!()
    }

    /// The sender has the same file: answers HAVE.
    pub fn same(&mut self, index: u64) {
        let _ = index;
        unimplemented!()
    }

    /// The bytes of an entry follow, from `offset` on: as wanted, or from 0.
    ///
    /// # Errors
    /// A [`Refusal`]: SKIP. What still comes of the entry is ignored.
    pub fn begin(&mut self, index: u64, offset: u64) -> Result<(), Refusal> {
        let _ = (index, offset);
        unimplemented!()
    }

    /// The next bytes of the entry that was begun. Nothing, when it was refused.
    ///
    /// # Errors
    /// A [`Refusal`]: SKIP. What still comes of the entry is ignored.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        let _ = bytes;
        unimplemented!()
    }

    /// How many bytes of the entry that was begun are taken over: what ACK says of a stream.
    pub fn taken(&self) -> u64 {
        unimplemented!()
    }

    /// All bytes of the entry that was begun have come: END.
    ///
    /// # Errors
    /// A [`Refusal`]: SKIP.
    pub fn finish(&mut self, length: u64, hash: &[u8; 32]) -> Result<Finished, Refusal> {
        let _ = (length, hash);
        unimplemented!()
    }

    /// The sender gave an entry up. `changed`: what is here of it is of no use any more.
    pub fn give_up(&mut self, index: u64, changed: bool) {
        let _ = (index, changed);
        unimplemented!()
    }

    /// No entry will come any more: LAST. What is complete is settled without waiting for company.
    pub fn last(&mut self) {
        unimplemented!()
    }

    /// The connection is lost. What is complete is settled before this returns; the rest is forgotten
    /// and comes again, and goes on where it is.
    pub fn interrupt(&mut self) {
        unimplemented!()
    }
}
