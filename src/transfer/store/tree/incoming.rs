//! The entry whose bytes are coming.

use std::ffi::OsString;
use std::fs::{File, FileTimes, Permissions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::plan::Waiting;
use super::{Refusal, RefusalReason, Tree, TreeTarget};
use crate::crypto::blake3::{GROUP, Hasher};
use crate::sys::fs::{self as system, Access, Private};
use crate::transfer::entry::EntryKind;
use crate::transfer::error::Error;
use crate::transfer::store::journal::Journal;
use crate::transfer::store::open_existing_file;
use crate::transfer::store::settle::{Complete, Damaged, Folder, Mark, Settler, What};
use crate::transfer::tree::TEXT_MAX;

/// How much is written before it is wanted on the disk: groups, and time.
const MARK_GROUPS: u64 = (32 << 20) / GROUP as u64;
const MARK_TIME: Duration = Duration::from_secs(2);

/// An entry that was begun.
pub(super) struct Incoming {
    pub(super) index: u64,
    waiting: Waiting,
    sink: Sink,
    path: PathBuf,
    hasher: Hasher,
    /// Bytes taken, and hashed.
    count: u64,
    /// Bytes that come once more, and were taken before.
    skip: u64,
}

pub(super) enum Sink {
    Part(Part),
    /// What cannot be taken back; and the hash up to its last whole group, from where on it may be
    /// wanted again.
    Output(Box<dyn Write + Send>, Box<Hasher>),
    Text(Vec<u8>),
}

/// A part that is being written. Dropped, it stays when it has a journal.
pub(super) struct Part {
    file: Arc<Private>,
    folder: Arc<Folder>,
    /// `None` when it has no name.
    name: Option<OsString>,
    journal: Option<(OsString, Journal)>,
    /// Groups that are in the journal, and how many were when a mark was wanted last, and when.
    groups: u64,
    marked: u64,
    marked_at: Instant,
    damaged: Damaged,
}

impl Tree {
    /// Opens where the bytes of an entry go.
    pub(super) fn incoming(
        &mut self,
        index: u64,
        waiting: Waiting,
        offset: u64,
    ) -> Result<Incoming, Refusal> {
        if let Some(kept) = self.kept.take_if(|kept| kept.index == index) {
            return kept.resumed(offset, waiting.offset);
        }
        let path = match &self.target {
            TreeTarget::Folder { .. } if waiting.kind != EntryKind::Text => {
                return self.incoming_part(index, waiting, offset);
            }
            _ => self.place(),
        };
        let refused = |error| Refusal::file(&path, error);
        let output = |writer| Sink::Output(writer, Box::default());
        let sink = match &self.target {
            _ if waiting.kind == EntryKind::Text => Sink::Text(Vec::new()),
            TreeTarget::Existing(path) => {
                output(Box::new(open_existing_file(path).map_err(refused)?))
            }
            TreeTarget::Output(to) => output(Box::new(to.clone())),
            _ => output(Box::new(system::stdout().map_err(refused)?)),
        };
        self.poured |= matches!(sink, Sink::Output(..));
        Ok(Incoming {
            index,
            waiting,
            sink,
            path,
            hasher: Hasher::new(),
            count: 0,
            skip: 0,
        })
    }

    fn incoming_part(
        &mut self,
        index: u64,
        waiting: Waiting,
        offset: u64,
    ) -> Result<Incoming, Refusal> {
        let folder = self.folder(&waiting.parents)?;
        let path = folder.path.join(&waiting.wanted);
        let opened = self.open_part(folder, &waiting, offset);
        let (part, hasher) = opened.map_err(|error| Refusal::file(&path, error))?;
        Ok(Incoming {
            index,
            waiting,
            sink: Sink::Part(part),
            path,
            hasher,
            count: offset,
            skip: 0,
        })
    }

    fn open_part(
        &self,
        folder: Arc<Folder>,
        waiting: &Waiting,
        offset: u64,
    ) -> io::Result<(Part, Hasher)> {
        if offset != 0 && offset != waiting.offset {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        // Small, it begins anew after a cut, so nobody needs to find it. If this fails, it is for the part to
        // say why.
        let small = waiting.kind == EntryKind::File && !waiting.is_journaled();
        if small && self.nameless {
            if let Ok(file) = folder.dir.create_nameless() {
                return Ok((Part::new(file, folder, None, None, 0), Hasher::new()));
            }
        }
        let name = waiting.part_name()?;
        let file = self.open_private(&folder, &name, Access::Create)?;
        let mut hasher = Hasher::new();
        let mut journal = None;
        if waiting.is_journaled() {
            let name = waiting.journal_name()?;
            let records = self.open_private(&folder, &name, Access::CreateAppend)?;
            let opened = match offset {
                0 => Journal::begin(records, &waiting.origin(), self.boot)?,
                _ => {
                    let changed = || io::Error::other("its part was changed meanwhile: try again");
                    let opened = Journal::open(records, &waiting.origin())?.ok_or_else(changed)?;
                    let proved = opened.prove(&file, self.boot, &|| true)?;
                    hasher = proved.hasher;
                    let held = proved.groups * GROUP as u64;
                    if (held, hasher.finish()) != (offset, waiting.prefix) {
                        return Err(changed());
                    }
                    opened
                }
            };
            journal = Some((name, opened));
        }
        if file.metadata()?.len() != offset {
            file.set_len(offset)?;
        }
        if offset > 0 {
            let mut at: &File = &file;
            at.seek(SeekFrom::Start(offset))?;
        }
        let part = Part::new(file, folder, Some(name), journal, offset / GROUP as u64);
        Ok((part, hasher))
    }
}

impl Incoming {
    /// How many bytes were taken over.
    pub(super) fn taken(&self) -> u64 {
        self.count
    }

    /// Takes the next bytes.
    pub(super) fn write(&mut self, bytes: &[u8], settler: &Settler) -> Result<(), Refusal> {
        let again = self.skip.min(bytes.len() as u64);
        self.skip -= again;
        let mut bytes = &bytes[again as usize..];
        let longer = self.waiting.size.is_some_and(|size| {
            size.checked_sub(self.count)
                .is_none_or(|rest| rest < bytes.len() as u64)
        });
        if longer {
            return Err(self.refused("more bytes came than were announced"));
        }
        let path = &self.path;
        let failed = |error| Refusal::file(path, error);
        match &mut self.sink {
            Sink::Text(text) if text.len() + bytes.len() > TEXT_MAX => {
                return Err(self.refused("the text is longer than 65536 bytes"));
            }
            Sink::Text(text) => {
                text.extend_from_slice(bytes);
                self.hasher.update(bytes);
                self.count += bytes.len() as u64;
            }
            Sink::Output(writer, at_group) => {
                while !bytes.is_empty() {
                    let room = GROUP - (self.count % GROUP as u64) as usize;
                    let (now, later) = bytes.split_at(room.min(bytes.len()));
                    // Counted piece by piece: what a failed write wrote can be had no more.
                    writer.write_all(now).map_err(failed)?;
                    self.hasher.update(now);
                    self.count += now.len() as u64;
                    bytes = later;
                    if self.count % GROUP as u64 == 0 {
                        **at_group = self.hasher.clone();
                    }
                }
            }
            Sink::Part(part) => {
                part.file().write_all(bytes).map_err(failed)?;
                let mut recorded = Ok(());
                self.hasher.update_with(bytes, |index, group| {
                    if let (Some((_, journal)), true) = (&part.journal, recorded.is_ok()) {
                        recorded = journal.group(index, group);
                        part.groups = index + 1;
                    }
                });
                self.count += bytes.len() as u64;
                recorded.map_err(failed)?;
                part.mark(settler).map_err(failed)?;
            }
        }
        Ok(())
    }

    /// Whether these are the length and the hash of what was taken.
    pub(super) fn is_whole(&self, length: u64, hash: &[u8; 32]) -> bool {
        let announced = self.waiting.size.is_none_or(|size| size == length);
        announced && length == self.count && self.skip == 0 && self.hasher.finish() == *hash
    }

    /// What to do when it is not whole: want it once more, if it can be taken back and was not already.
    pub(super) fn damaged(self) -> (Option<Waiting>, Refusal) {
        let text = "was damaged on its way, or changed while it was sent: send it again";
        let refusal = self.refused(text);
        let again = self.waiting.kind == EntryKind::File
            && matches!(self.sink, Sink::Part(_))
            && !self.waiting.again;
        let waiting = again.then(|| Waiting {
            again: true,
            offset: 0,
            prefix: [0; 32],
            present: None,
            ..self.waiting.clone()
        });
        self.remove();
        (waiting, refusal)
    }

    /// Bytes that may not be on the disk yet.
    pub(super) fn unsynced(&self) -> u64 {
        match &self.sink {
            Sink::Part(part) => self.count - part.marked * GROUP as u64,
            _ => 0,
        }
    }

    /// It holds all its bytes: gives it its time and its permissions, and ends the writing.
    pub(super) fn complete(
        self,
        permissions: Option<&Permissions>,
        overwrite: bool,
    ) -> Result<What, Refusal> {
        let (path, waiting) = (self.path, self.waiting);
        let part = match self.sink {
            Sink::Text(text) => return Ok(What::Text(text)),
            Sink::Output(mut writer, _) => {
                writer
                    .flush()
                    .map_err(|error| Refusal::file(&path, error))?;
                return Ok(What::Written);
            }
            Sink::Part(part) => part,
        };
        // Without its time or with too strict permissions a file is whole too. One without a name has them
        // from the start.
        let needed = part.name.is_some() || waiting.executable;
        if let Some(mut permissions) = permissions.filter(|_| needed).cloned() {
            if waiting.executable {
                system::set_executable(&mut permissions);
            }
            let _ = part.file.set_permissions(permissions);
        }
        if waiting.kind == EntryKind::File {
            if let Some(time) = waiting.mtime.system() {
                let _ = part.file.set_times(FileTimes::new().set_modified(time));
            }
        }
        Ok(What::Part(Complete {
            file: part.file,
            folder: part.folder,
            part: part.name,
            journal: part.journal.map(|(name, _)| name),
            wanted: waiting.wanted,
            overwrite,
            damaged: part.damaged,
        }))
    }

    /// Removes what is there of it.
    pub(super) fn remove(self) {
        if let Sink::Part(part) = self.sink {
            part.remove();
        }
    }

    /// Ends it here: it stays when a later transfer can go on with it.
    pub(super) fn leave(self) {
        if let Sink::Part(Part { journal: None, .. }) = self.sink {
            self.remove();
        }
    }

    /// Whether it can be gone on with only as long as this process lives.
    pub(super) fn is_kept_in_memory(&self) -> bool {
        match &self.sink {
            Sink::Part(part) => self.waiting.kind == EntryKind::Stream && part.journal.is_none(),
            Sink::Output(..) => true,
            Sink::Text(_) => false,
        }
    }

    /// What is wanted of it now; and it, again.
    pub(super) fn goes_on(self) -> (Waiting, Option<Self>) {
        let mut waiting = self.waiting.clone();
        (waiting.offset, waiting.prefix) = match (&self.sink, waiting.kind) {
            (Sink::Output(_, at_group), EntryKind::File) => {
                (self.count - self.count % GROUP as u64, at_group.finish())
            }
            _ => (self.count, self.hasher.finish()),
        };
        (waiting, Some(self))
    }

    /// Goes on from `offset` when that is what was wanted, or can be taken back.
    fn resumed(mut self, offset: u64, wanted: u64) -> Result<Self, Refusal> {
        if offset == wanted {
            self.skip = self.count - offset;
            return Ok(self);
        }
        match &mut self.sink {
            Sink::Part(part) if offset == 0 => {
                let begun = part.file.set_len(0).and_then(|()| part.file().rewind());
                begun.map_err(|error| Refusal::file(&self.path, error))?;
                self.hasher = Hasher::new();
                self.count = 0;
                Ok(self)
            }
            _ => Err(self.refused(
                "the sender cannot go on where the connection was lost, and what is written stays written: send it again",
            )),
        }
    }

    fn refused(&self, text: &str) -> Refusal {
        Refusal {
            why: RefusalReason::File,
            error: Error::file(&self.path, io::Error::other(text)),
        }
    }
}

impl Part {
    fn new(
        file: Private,
        folder: Arc<Folder>,
        name: Option<OsString>,
        journal: Option<(OsString, Journal)>,
        groups: u64,
    ) -> Self {
        Self {
            file: Arc::new(file),
            folder,
            name,
            journal,
            groups,
            marked: groups,
            marked_at: Instant::now(),
            damaged: Damaged::default(),
        }
    }

    fn file(&self) -> &File {
        &self.file
    }

    /// Wants what is written on the disk, from time to time.
    fn mark(&mut self, settler: &Settler) -> io::Result<()> {
        let Some((_, journal)) = &self.journal else {
            return Ok(());
        };
        let groups = self.groups - self.marked;
        if groups == 0 || (groups < MARK_GROUPS && self.marked_at.elapsed() < MARK_TIME) {
            return Ok(());
        }
        settler.mark(Mark {
            part: Arc::clone(&self.file),
            journal: journal.clone(),
            groups: self.groups,
            damaged: Arc::clone(&self.damaged),
        });
        self.marked = self.groups;
        self.marked_at = Instant::now();
        Ok(())
    }

    fn remove(&self) {
        let journal = self.journal.iter().map(|(name, _)| name);
        for name in self.name.iter().chain(journal) {
            let _ = self.folder.dir.remove(name);
        }
    }
}
