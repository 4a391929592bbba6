//! What to answer to an entry: made, wanted from where on, already there, refused.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;

use super::{Decision, FOLDERS, JOURNALED, Refusal, Tree, TreeTarget};
use crate::crypto::blake3::{self, GROUP, Hasher};
use crate::sys::fs::{self as system, Access, FileKind, Private};
use crate::transfer::entry::{Entry, EntryKind, Time};
use crate::transfer::name::{JOURNAL_ENDING, LONGEST, NameError, PART_ENDING, safe_path};
use crate::transfer::store::journal::{Journal, Origin, Proved};
use crate::transfer::store::part::{candidates, check_replaceable, shortened};
use crate::transfer::store::settle::{Folder, What};

/// An entry that was announced and whose bytes may come.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    /// The folders that lead to it, as they are called here.
    pub(super) parents: Vec<OsString>,
    /// The name it should have.
    pub(super) wanted: OsString,
    pub(super) kind: EntryKind,
    pub(super) size: Option<u64>,
    pub(super) mtime: Time,
    pub(super) executable: bool,
    /// What is there of it, in bytes, and the hash of that.
    pub(super) offset: u64,
    pub(super) prefix: [u8; 32],
    /// Whether it already came once and was damaged.
    pub(super) again: bool,
    /// A file that may be the same, and its hash.
    pub(super) present: Option<(OsString, [u8; 32])>,
}

impl Waiting {
    /// Nothing is known of it yet.
    pub(super) fn plain(entry: &Entry) -> Self {
        Self {
            parents: Vec::new(),
            wanted: OsString::new(),
            kind: entry.kind,
            size: entry.size,
            mtime: entry.mtime,
            executable: entry.executable,
            offset: 0,
            prefix: [0; 32],
            again: false,
            present: None,
        }
    }

    /// Whether a later transfer can go on with it.
    pub(super) fn is_journaled(&self) -> bool {
        self.kind == EntryKind::File && self.size.is_some_and(|size| size >= JOURNALED)
    }

    pub(super) fn origin(&self) -> Origin {
        Origin {
            name: self.wanted.as_encoded_bytes().to_vec(),
            size: self.size.unwrap_or_default(),
            mtime: self.mtime,
        }
    }

    pub(super) fn part_name(&self) -> io::Result<OsString> {
        ours(&self.wanted, PART_ENDING)
    }

    pub(super) fn journal_name(&self) -> io::Result<OsString> {
        ours(&self.wanted, JOURNAL_ENDING)
    }

    /// Removes what an earlier transfer left of it, unless somebody is at it.
    pub(super) fn forget_part(&self, folder: &Folder) {
        if !self.is_journaled() {
            return;
        }
        let remove = |name: io::Result<OsString>| {
            let name = name?;
            // Kept open, and so locked, until it is gone, where that can be.
            let held = folder.dir.open_private(&name, Access::Existing)?;
            let _held = (!cfg!(windows)).then_some(held);
            folder.dir.remove(&name)
        };
        for name in [self.part_name(), self.journal_name()] {
            match remove(name) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                _ => {}
            }
        }
    }
}

/// The name of a file of ours beside `wanted`.
fn ours(wanted: &OsStr, ending: &str) -> io::Result<OsString> {
    let bytes = wanted.as_encoded_bytes();
    if bytes.len() + ending.len() <= LONGEST {
        let mut name = wanted.to_os_string();
        name.push(ending);
        return Ok(name);
    }
    // Two long names with the same front must not meet.
    let hash = blake3::hash(bytes);
    let digits: String = hash[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    let tail = format!(".{digits}{ending}");
    let mut name = shortened(wanted, LONGEST - tail.len())?;
    name.push(tail);
    Ok(name)
}

impl Tree {
    pub(super) fn folder_entry(&mut self, entry: &Entry) -> Result<Decision, Refusal> {
        let (parents, name) = self.local_path(entry)?;
        let parent = self.folder(&parents)?;
        let path = parent.path.join(&name);
        let refused = |error| Refusal::file(&path, error);
        let present = match parent.dir.make_folder(&name) {
            Ok(()) => false,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                match parent
                    .dir
                    .stat(&name)
                    .map_err(refused)?
                    .map(|stat| stat.kind)
                {
                    Some(FileKind::Folder) => true,
                    Some(FileKind::Link) => {
                        return Err(refused(io::Error::other(
                            "is a symbolic link, and nothing is received through one: move it away",
                        )));
                    }
                    _ => {
                        return Err(refused(io::Error::other(
                            "is there and is no folder, as the one that is offered: move it away",
                        )));
                    }
                }
            }
            Err(error) => return Err(refused(error)),
        };
        self.ready(entry.index, [0; 32], 0, What::Folder(parent, name, present));
        Ok(Decision::Later)
    }

    pub(super) fn folder_end(&mut self, entry: &Entry) -> Result<Decision, Refusal> {
        let (mut path, name) = self.local_path(entry)?;
        path.push(name);
        let folder = self.folder(&path)?;
        self.ends.push_back((entry.index, folder, entry.mtime));
        // Nothing may be open in front of it.
        self.closed(entry.index);
        Ok(Decision::Later)
    }

    pub(super) fn file_entry(&mut self, entry: &Entry) -> Result<Decision, Refusal> {
        let mut waiting = Waiting::plain(entry);
        if let Some(kept) = self.kept.take_if(|kept| kept.index == entry.index) {
            (waiting, self.kept) = kept.goes_on();
            return self.want(entry, waiting);
        }
        let TreeTarget::Folder { .. } = self.target else {
            return self.want(entry, waiting);
        };
        (waiting.parents, waiting.wanted) = self.local_path(entry)?;
        let folder = self.folder(&waiting.parents)?;
        let path = folder.path.join(&waiting.wanted);
        let refused = |error| Refusal::file(&path, error);
        if self.overwrite {
            check_replaceable(&folder.dir, &waiting.wanted).map_err(refused)?;
        }
        if let Some(name) = self.same_file(&folder, &waiting).map_err(refused)? {
            let opened = folder.dir.open_regular(&name);
            let hash = opened.and_then(|file| hash_file(file, &*self.goes_on));
            if is_interrupted(&hash) && !(self.goes_on)() {
                return Ok(Decision::Interrupted);
            }
            // One that cannot be read is not known to be the same.
            if let Ok(hash) = hash {
                waiting.present = Some((name, hash));
                self.open.insert(entry.index);
                self.waiting.insert(entry.index, waiting);
                return Ok(Decision::Have { hash });
            }
        }
        if waiting.is_journaled() {
            let proved = self.resume(&folder, &waiting);
            if is_interrupted(&proved) && !(self.goes_on)() {
                return Ok(Decision::Interrupted);
            }
            if let Some(proved) = proved.map_err(refused)? {
                waiting.offset = proved.groups * GROUP as u64;
                waiting.prefix = proved.hasher.finish();
            }
            let missing = waiting.size.unwrap_or_default() - waiting.offset;
            match folder.dir.free() {
                Some(free) if free < missing => {
                    let text =
                        format!("{missing} bytes are missing and {free} are free: make space");
                    let error = io::Error::new(io::ErrorKind::StorageFull, text);
                    return Err(refused(error));
                }
                _ => {}
            }
        }
        self.want(entry, waiting)
    }

    pub(super) fn want(&mut self, entry: &Entry, waiting: Waiting) -> Result<Decision, Refusal> {
        let (offset, prefix) = (waiting.offset, waiting.prefix);
        self.open.insert(entry.index);
        self.waiting.insert(entry.index, waiting);
        Ok(match offset {
            0 => Decision::Want {
                offset,
                prefix: [0; 32],
            },
            _ => Decision::Want { offset, prefix },
        })
    }

    /// What is there of the part of a file; `None` when that is nothing.
    fn resume(&self, folder: &Folder, waiting: &Waiting) -> io::Result<Option<Proved>> {
        let open = |name: OsString, access| {
            let opened = self.open_private(folder, &name, access);
            match opened {
                Ok(file) => Ok(Some(file)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(named(&name, error)),
            }
        };
        let part = open(waiting.part_name()?, Access::Existing)?;
        let journal = open(waiting.journal_name()?, Access::ExistingAppend)?;
        let (Some(part), Some(journal)) = (part, journal) else {
            return Ok(None);
        };
        let Some(journal) = Journal::open(journal, &waiting.origin())? else {
            return Ok(None);
        };
        let most = waiting.size.unwrap_or_default() / GROUP as u64;
        let proved = journal.prove(&part, self.boot, &*self.goes_on)?;
        Ok(Some(proved).filter(|proved| (1..=most).contains(&proved.groups)))
    }

    /// A file under one of the names this one may get, that has its size and its time.
    fn same_file(&self, folder: &Folder, waiting: &Waiting) -> io::Result<Option<OsString>> {
        if waiting.kind != EntryKind::File {
            return Ok(None);
        }
        let most = if self.overwrite { 1 } else { usize::MAX };
        for name in candidates(&waiting.wanted).take(most) {
            let name = name?;
            let Some(stat) = folder.dir.stat(&name)? else {
                return Ok(None);
            };
            let kept = waiting.mtime.is_kept_as(Time::of(stat.mtime));
            if stat.kind == FileKind::File && Some(stat.size) == waiting.size && kept {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }

    /// Opens a file of ours. What it fails for may be over when what is under way is final: the lock
    /// of a part, or a lack of descriptors.
    pub(super) fn open_private(
        &self,
        folder: &Folder,
        name: &OsStr,
        access: Access,
    ) -> io::Result<Private> {
        match folder.dir.open_private(name, access) {
            Err(error) if error.kind() != io::ErrorKind::NotFound && self.settler.has_work() => {
                self.settler.drain();
                folder.dir.open_private(name, access)
            }
            done => done,
        }
    }

    /// The folder at the end of this path below the place.
    pub(super) fn folder(&mut self, path: &[OsString]) -> Result<Arc<Folder>, Refusal> {
        let TreeTarget::Folder { root, .. } = &self.target else {
            return Err(Refusal::file(
                &self.place(),
                io::ErrorKind::NotADirectory.into(),
            ));
        };
        if path.is_empty() {
            return Ok(Arc::clone(root));
        }
        if let Some(at) = self.folders.iter().position(|known| known.0 == path) {
            let known = self.folders.remove(at);
            let folder = Arc::clone(&known.1);
            self.folders.insert(0, known);
            return Ok(folder);
        }
        let mut shown = root.path.clone();
        shown.extend(path);
        let dir = match root.dir.folder(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound && self.settler.has_work() => {
                self.settler.drain();
                root.dir.folder(path)
            }
            done => done,
        };
        let dir = dir.map_err(|error| Refusal::file(&shown, error))?;
        let folder = Arc::new(Folder {
            dir: Arc::new(dir),
            path: shown,
        });
        self.folders.truncate(FOLDERS - 1);
        self.folders.insert(0, (path.to_vec(), Arc::clone(&folder)));
        Ok(folder)
    }

    /// The folders that lead to an entry, and its name, as they are called here.
    fn local_path(&self, entry: &Entry) -> Result<(Vec<OsString>, OsString), Refusal> {
        let fixed = match &self.target {
            TreeTarget::Folder { fixed, .. } => fixed.as_ref(),
            _ => None,
        };
        let path = || {
            let mut path = Vec::with_capacity(entry.path.len());
            // The name that the user chose takes the place of the sender's, which then is not used.
            let (first, rest) = entry.path.split_first().ok_or(NameError::Depth)?;
            let standing = fixed.map_or(first.as_slice(), |_| b"x");
            let components: Vec<&[u8]> = std::iter::once(standing)
                .chain(rest.iter().map(Vec::as_slice))
                .collect();
            for name in safe_path(&components)? {
                let name = system::file_name(name.as_bytes());
                path.push(name.ok_or(NameError::NotUnicode)?);
            }
            if let (Some(fixed), Some(first)) = (fixed, path.first_mut()) {
                first.clone_from(fixed);
            }
            let last = path.pop().ok_or(NameError::Depth)?;
            Ok((path, last))
        };
        path().map_err(|error| Refusal::unsafe_name(entry, error))
    }
}

/// Says of which file of ours an error is.
fn named(name: &OsStr, error: io::Error) -> io::Error {
    let name = crate::wire::Printable(name.as_encoded_bytes()).to_string();
    let text = format!(
        "{name} beside it {}",
        crate::transfer::error::Reason(&error)
    );
    io::Error::new(error.kind(), text)
}

fn is_interrupted<T>(result: &io::Result<T>) -> bool {
    matches!(result, Err(error) if error.kind() == io::ErrorKind::Interrupted)
}

/// BLAKE3 of a file; `Interrupted` when it does not go on to its end.
fn hash_file(mut file: File, goes_on: &dyn Fn() -> bool) -> io::Result<[u8; 32]> {
    let mut hasher = Hasher::new();
    let mut buffer = vec![0; GROUP];
    loop {
        if !goes_on() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hasher.finish()),
            Ok(count) => hasher.update(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
