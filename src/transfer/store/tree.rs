//! Where the entries of version 2 go: folders, files that can be resumed, many small files at once.

mod incoming;
mod plan;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::OsString;
use std::fs::Permissions;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use self::incoming::Incoming;
use self::plan::Waiting;
use super::settle::{Folder, Ready, Settler, What};
use super::{Kind, OUTPUT, Place, STDOUT};
use crate::sys::fs as system;
use crate::transfer::entry::{Entry, EntryKind, Item, Time};
use crate::transfer::error::Error;
use crate::transfer::given::Output;
use crate::transfer::name::NameError;

/// From this size on a file has a journal, in bytes.
const JOURNALED: u64 = 1 << 20;
/// How many entries that are settled are remembered: a sender has no more that it has not heard of.
const REMEMBERED: usize = 1024;
/// How many folders are kept open for the next entry.
const FOLDERS: usize = 8;

/// A place that was found to exist, and what is under way there.
///
/// One thread drives it, entry by entry and byte by byte. What it began it settles in its own time,
/// on a thread of its own, which calls `settled`: a file is then whole, verified, on the disk and
/// under its final name. Dropped, it first settles what is complete; what is not stays as a part that
/// a later transfer of the same file goes on with.
pub struct Tree {
    current: Option<Incoming>,
    /// What was begun when the connection was lost, and can be gone on with only in memory.
    kept: Option<Incoming>,
    settler: Settler,
    target: TreeTarget,
    overwrite: bool,
    permissions: Option<Permissions>,
    /// Whether small files need no part: they have no name until they have their own.
    nameless: bool,
    boot: Option<[u8; 16]>,
    run: Option<[u8; 16]>,
    waiting: BTreeMap<u64, Waiting>,
    /// Announced, and not handed to the thread yet.
    open: BTreeSet<u64>,
    /// No entry will come any more.
    last: bool,
    /// Ends of folders that wait for what is in front of them.
    ends: VecDeque<(u64, Arc<Folder>, Time)>,
    /// Folders opened lately, the last one first.
    folders: Vec<(Vec<OsString>, Arc<Folder>)>,
    remembered: Arc<Mutex<Remembered>>,
    goes_on: Box<dyn Fn() -> bool + Send>,
    /// Bytes of a file go where nothing can be taken back.
    poured: bool,
}

/// What was settled lately.
#[derive(Debug, Default)]
struct Remembered {
    /// Indexes and hashes, the last one first.
    entries: VecDeque<(u64, [u8; 32])>,
    /// Above all indexes that were ever here: no need to look for another one.
    end: u64,
}

impl Remembered {
    fn push(&mut self, index: u64, hash: [u8; 32]) {
        self.entries.truncate(REMEMBERED - 1);
        self.entries.push_front((index, hash));
        self.end = self.end.max(index.saturating_add(1));
    }

    fn find(&self, index: u64) -> Option<[u8; 32]> {
        if index >= self.end {
            return None;
        }
        let known = self.entries.iter().find(|known| known.0 == index);
        known.map(|&(_, hash)| hash)
    }
}

#[derive(Debug)]
enum TreeTarget {
    Folder {
        root: Arc<Folder>,
        fixed: Option<OsString>,
    },
    /// A FIFO, a device.
    Existing(PathBuf),
    Stdout,
    Output(Output),
}

/// Hears from the store's own thread what became of entries, as many at once as were settled together: once of
/// each that was neither refused nor answered [`Decision::Settled`].
pub type OnSettled = Box<dyn FnMut(Vec<Settled>) + Send>;

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
    /// Where it is; `None` for a text, and when it was written to standard output or a writer.
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
    /// Nothing: nobody waits for the answer any more. See [`Tree::ask`].
    Interrupted,
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
    /// It is there, whole, but the disk does not confirm its name.
    Unconfirmed = 5,
}

impl Refusal {
    pub(super) fn file(path: &Path, error: io::Error) -> Self {
        let why = match error.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => RefusalReason::NoSpace,
            _ => RefusalReason::File,
        };
        let error = Error::file(path, error);
        Self { why, error }
    }

    pub(super) fn unconfirmed(path: &Path, error: io::Error) -> Self {
        Self {
            why: RefusalReason::Unconfirmed,
            error: Error::Unconfirmed {
                path: path.to_path_buf(),
                error,
            },
        }
    }

    fn unsafe_name(entry: &Entry, error: NameError) -> Self {
        let name = entry.shown();
        Self {
            why: RefusalReason::UnsafeName,
            error: Error::UnsafeName { name, error },
        }
    }
}

impl std::fmt::Debug for Tree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tree")
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}

impl Tree {
    /// Opens a place.
    ///
    /// # Errors
    /// [`Error::File`] when there is no such folder, it takes no file, or standard output is closed.
    pub fn open(place: &Place, mut settled: OnSettled) -> Result<Self, Error> {
        let target = match Kind::of(&place.target)? {
            Kind::Stdout => TreeTarget::Stdout,
            Kind::Output(output) => TreeTarget::Output(output),
            Kind::Existing(path) => TreeTarget::Existing(path),
            Kind::Folder { dir, path, fixed } => {
                let root = Arc::new(Folder { dir, path });
                TreeTarget::Folder { root, fixed }
            }
        };
        let (permissions, nameless) = match &target {
            // The name of what is replaced is not free.
            TreeTarget::Folder { root, .. } => (
                ordinary_permissions(&root.dir),
                !place.overwrite && root.dir.takes_nameless(),
            ),
            _ => (None, false),
        };
        let remembered = Arc::new(Mutex::new(Remembered::default()));
        let of_thread = Arc::clone(&remembered);
        let settler = Settler::start(Box::new(move |outcomes: Vec<Settled>| {
            let mut remembered = of_thread.lock().unwrap_or_else(PoisonError::into_inner);
            for outcome in &outcomes {
                if let Ok(committed) = &outcome.result {
                    remembered.push(outcome.index, committed.hash);
                }
            }
            drop(remembered);
            settled(outcomes);
        }));
        let failed = |error| Error::file(Path::new(STDOUT), error);
        Ok(Self {
            current: None,
            kept: None,
            settler: settler.map_err(failed)?,
            target,
            overwrite: place.overwrite,
            permissions,
            nameless,
            boot: system::boot_id(),
            run: None,
            waiting: BTreeMap::new(),
            open: BTreeSet::new(),
            last: false,
            ends: VecDeque::new(),
            folders: Vec::new(),
            remembered,
            goes_on: Box::new(|| true),
            poured: false,
        })
    }

    /// Asks this while a file is read whole: at `false` that ends, and the answer is
    /// [`Decision::Interrupted`].
    pub fn ask(&mut self, goes_on: Box<dyn Fn() -> bool + Send>) {
        self.goes_on = goes_on;
    }

    /// Hears what will come, before the first entry of a session. `run` is the sender's: the same
    /// again means that it goes on, another one that indexes begin anew.
    ///
    /// # Errors
    /// [`Error::File`] when the place takes one file only and this is none or more, or another one begun
    /// before.
    pub fn offer(&mut self, run: [u8; 16], items: &[Item]) -> Result<(), Error> {
        let refused = |path: &Path, why| Err(Error::file(path, io::Error::other(why)));
        if self.run != Some(run) {
            if self.poured {
                return refused(
                    &self.place(),
                    "has what another sender sent, which stays written: receive once more",
                );
            }
            self.interrupt();
            self.kept.take().into_iter().for_each(Incoming::leave);
            *self.lock_remembered() = Remembered::default();
            self.run = Some(run);
        }
        let things = || items.iter().filter(|item| item.kind != EntryKind::Text);
        let only_files = things().all(|item| item.kind != EntryKind::Folder);
        match &self.target {
            TreeTarget::Output(_) if things().count() == 0 => refused(
                &self.place(),
                "takes one file, and none is offered: receive into a folder",
            ),
            TreeTarget::Stdout | TreeTarget::Output(_) | TreeTarget::Existing(_)
                if things().count() > 1 || !only_files =>
            {
                refused(
                    &self.place(),
                    "takes one file, and more is offered: receive into a folder",
                )
            }
            TreeTarget::Folder {
                root,
                fixed: Some(fixed),
            } if things().count() > 1 => refused(
                &root.path.join(fixed),
                "is a name for one file or folder, and more is offered: make it a folder",
            ),
            _ => Ok(()),
        }
    }

    /// What was told of an entry that was settled lately.
    pub fn settled(&self, index: u64) -> Option<[u8; 32]> {
        self.lock_remembered().find(index)
    }

    /// Decides on an entry. Makes the folder, when it is one. Reads the whole of a file that may be
    /// the one that is sent, which takes its time. After [`Tree::interrupt`] an entry may come again,
    /// under the index it had.
    pub fn entry(&mut self, entry: &Entry) -> Decision {
        if let Some(hash) = self.settled(entry.index) {
            return Decision::Settled { hash };
        }
        let decided = match entry.kind {
            EntryKind::Text => self.want(entry, Waiting::plain(entry)),
            EntryKind::Folder => self.folder_entry(entry),
            EntryKind::FolderEnd => self.folder_end(entry),
            EntryKind::File | EntryKind::Stream => self.file_entry(entry),
        };
        decided.unwrap_or_else(Decision::Skip)
    }

    /// The sender has the same file: answers HAVE.
    ///
    /// # Errors
    /// A [`Refusal`]: SKIP.
    pub fn same(&mut self, index: u64) -> Result<(), Refusal> {
        let Some(waiting) = self.waiting.remove(&index) else {
            return Ok(());
        };
        let Some((name, hash)) = waiting.present.clone() else {
            self.closed(index);
            return Ok(());
        };
        let made = self.folder(&waiting.parents).and_then(|folder| {
            let path = folder.path.join(&name);
            let file = folder.dir.open_regular(&name);
            let file = file.map_err(|error| Refusal::file(&path, error))?;
            waiting.forget_part(&folder);
            Ok(What::Present(file, folder, path))
        });
        match made {
            Ok(what) => {
                self.ready(index, hash, 0, what);
                Ok(())
            }
            Err(refusal) => {
                self.closed(index);
                Err(refusal)
            }
        }
    }

    /// The bytes of an entry follow, from `offset` on: as wanted, or from 0.
    ///
    /// # Errors
    /// A [`Refusal`]: SKIP. What still comes of the entry is ignored.
    pub fn begin(&mut self, index: u64, offset: u64) -> Result<(), Refusal> {
        self.put_aside();
        let Some(waiting) = self.waiting.remove(&index) else {
            return Err(Refusal {
                why: RefusalReason::NotWanted,
                error: Error::file(&self.place(), io::ErrorKind::InvalidInput.into()),
            });
        };
        let begun = self.incoming(index, waiting, offset);
        self.current = Some(begun.inspect_err(|_| self.closed(index))?);
        Ok(())
    }

    /// The next bytes of the entry that was begun. Nothing, when it was refused.
    ///
    /// # Errors
    /// A [`Refusal`]: SKIP. What still comes of the entry is ignored.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        let Some(current) = &mut self.current else {
            return Ok(());
        };
        let written = current.write(bytes, &self.settler);
        written.inspect_err(|_| self.refuse_current())
    }

    /// How many bytes of the entry that was begun are taken over: what ACK says of a stream.
    pub fn taken(&self) -> u64 {
        self.current.as_ref().map_or(0, Incoming::taken)
    }

    /// All bytes of the entry that was begun have come: END.
    ///
    /// # Errors
    /// A [`Refusal`]: SKIP.
    pub fn finish(&mut self, length: u64, hash: &[u8; 32]) -> Result<Finished, Refusal> {
        let Some(current) = self.current.take() else {
            return Ok(Finished::Refused);
        };
        let index = current.index;
        if !current.is_whole(length, hash) {
            let (waiting, refusal) = current.damaged();
            return match waiting {
                Some(waiting) => {
                    self.waiting.insert(index, waiting);
                    Ok(Finished::Again)
                }
                None => {
                    self.closed(index);
                    Err(refusal)
                }
            };
        }
        let bytes = current.unsynced();
        match current.complete(self.permissions.as_ref(), self.overwrite) {
            Ok(what) => {
                let hash = match what {
                    What::Text(_) => [0; 32],
                    _ => *hash,
                };
                self.ready(index, hash, bytes, what);
                Ok(Finished::Later)
            }
            Err(refusal) => {
                self.closed(index);
                Err(refusal)
            }
        }
    }

    /// The sender gave an entry up. `changed`: what is here of it is of no use any more.
    pub fn give_up(&mut self, index: u64, changed: bool) {
        let is_it = |current: &mut Incoming| current.index == index;
        for incoming in [self.current.take_if(is_it), self.kept.take_if(is_it)] {
            match incoming {
                Some(incoming) if changed => incoming.remove(),
                Some(incoming) => incoming.leave(),
                None => {}
            }
        }
        let waiting = self.waiting.remove(&index);
        if let Some(waiting) = waiting.filter(|waiting| changed && waiting.is_journaled()) {
            if let Ok(folder) = self.folder(&waiting.parents) {
                waiting.forget_part(&folder);
            }
        }
        self.closed(index);
    }

    /// No entry will come any more: LAST. The last that is complete is settled without waiting for company.
    pub fn last(&mut self) {
        self.last = true;
        self.hurry_at_the_end();
    }

    /// Company may come as long as anything is open: a wait for the disk for each of the last thousand files would be
    /// longer than the one for company.
    fn hurry_at_the_end(&self) {
        if self.last && self.open.is_empty() {
            self.settler.hurry(true);
        }
    }

    /// The connection is lost. What is complete is settled before this returns; the rest is forgotten
    /// and comes again, and goes on where it is.
    pub fn interrupt(&mut self) {
        self.put_aside();
        self.waiting.clear();
        self.open.clear();
        self.ends.clear();
        self.last = false;
        self.settler.hurry(false);
        self.settler.drain();
    }

    /// Ends what is begun as a lost connection does. What could not be had again is kept in memory.
    fn put_aside(&mut self) {
        match self.current.take() {
            Some(current) if current.is_kept_in_memory() => self.kept = Some(current),
            Some(current) => current.leave(),
            None => {}
        }
    }

    fn refuse_current(&mut self) {
        if let Some(current) = self.current.take() {
            self.closed(current.index);
            current.leave();
        }
    }

    /// Hands something to the thread that makes it final.
    fn ready(&mut self, index: u64, hash: [u8; 32], bytes: u64, what: What) {
        self.settler.push(Ready {
            index,
            hash,
            bytes,
            what,
        });
        self.closed(index);
    }

    /// An entry is out of our hands: ends of folders may have waited for that.
    fn closed(&mut self, index: u64) {
        self.open.remove(&index);
        let first = self.open.first().copied().unwrap_or(u64::MAX);
        while self.ends.front().is_some_and(|end| end.0 < first) {
            let Some((index, folder, mtime)) = self.ends.pop_front() else {
                break;
            };
            self.settler.push(Ready {
                index,
                hash: [0; 32],
                bytes: 0,
                what: What::FolderEnd(folder, mtime),
            });
        }
        self.hurry_at_the_end();
    }

    fn lock_remembered(&self) -> std::sync::MutexGuard<'_, Remembered> {
        self.remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// What is received into, for messages.
    fn place(&self) -> PathBuf {
        match &self.target {
            TreeTarget::Folder { root, .. } => root.path.clone(),
            TreeTarget::Existing(path) => path.clone(),
            TreeTarget::Stdout => PathBuf::from(STDOUT),
            TreeTarget::Output(_) => PathBuf::from(OUTPUT),
        }
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let begun = [self.current.take(), self.kept.take()];
        begun.into_iter().flatten().for_each(Incoming::leave);
    }
}

/// The permissions of a file that a program makes in this folder without a thought. They are read off
/// an empty file: asking the umask means to change it for the whole process.
fn ordinary_permissions(dir: &system::Dir) -> Option<Permissions> {
    let probe = super::part::part_name("p2pxfer".as_ref()).ok()?;
    Some(dir.probe(&probe).ok()?.metadata().ok()?.permissions())
}
