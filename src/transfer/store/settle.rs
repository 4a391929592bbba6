//! The thread that makes things final: data to the disk, names, names to the disk, and only then the
//! word that it is so.
//!
//! It takes all that is ready at once, so that one wait for the disk serves many small files. A file
//! stays open, and with it locked, until it has its name.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Seek};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::journal::Journal;
use super::part::{part_name, take_free_name, take_name};
use super::tree::{Committed, OnSettled, Refusal, Settled};
use crate::sys::fs::{self as system, Access, Dir, Private};
use crate::transfer::entry::Time;

/// Most that is made final at once. Each file holds up to two descriptors, of which a process often
/// has only 1024, and the next batch grows meanwhile.
const BATCH: usize = 128;
/// As many descriptors as two batches may have, and the process besides.
const DESCRIPTORS: u16 = 5 * BATCH as u16;
/// Most bytes that are made final at once, but for a single file that has more.
const BATCH_BYTES: u64 = 8 << 20;
/// How long the first of a batch waits for company.
const GATHER: Duration = Duration::from_millis(100);
/// From so many files on, one call for their whole file system is cheaper than one for each.
const MANY: usize = 3;

/// A folder that files are made in.
#[derive(Debug)]
pub(super) struct Folder {
    pub(super) dir: Arc<Dir>,
    /// Where it is, for messages and reports only.
    pub(super) path: PathBuf,
}

/// Something that only has to be made final.
pub(super) struct Ready {
    pub(super) index: u64,
    pub(super) hash: [u8; 32],
    /// Bytes that may not be on the disk yet.
    pub(super) bytes: u64,
    pub(super) what: What,
}

pub(super) enum What {
    /// A complete part.
    Part(Complete),
    /// A file that was there before.
    Present(File, Arc<Folder>, PathBuf),
    /// A folder, in this one; whether it was there before.
    Folder(Arc<Folder>, OsString, bool),
    /// All that is in the folder is there, so it may get its time.
    FolderEnd(Arc<Folder>, Time),
    Text(Vec<u8>),
    /// It was written to where it stays.
    Written,
}

/// A part that holds its whole file.
pub(super) struct Complete {
    pub(super) file: Arc<Private>,
    pub(super) folder: Arc<Folder>,
    /// What it is called until then; `None` when it has no name.
    pub(super) part: Option<OsString>,
    pub(super) journal: Option<OsString>,
    pub(super) wanted: OsString,
    pub(super) overwrite: bool,
    pub(super) damaged: Damaged,
}

/// Whether some of a file could not be written to the disk. The system says so once, to whoever asks
/// first.
pub(super) type Damaged = Arc<AtomicBool>;

/// A part that is being written, and how many of its groups were when this was made.
pub(super) struct Mark {
    pub(super) part: Arc<Private>,
    pub(super) journal: Journal,
    pub(super) groups: u64,
    pub(super) damaged: Damaged,
}

/// The thread, and what it is given.
pub(super) struct Settler {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    ready: Vec<Ready>,
    bytes: u64,
    since: Option<Instant>,
    mark: Option<Mark>,
    busy: bool,
    /// Nothing waits for company.
    hurry: bool,
    closed: bool,
}

impl Settler {
    /// Starts the thread.
    pub(super) fn start(settled: OnSettled) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("settler".into())
            .spawn(move || run(&of_thread, settled))?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Hands something over; waits while the batch that grows is full.
    pub(super) fn push(&self, ready: Ready) {
        let mut queue = self.shared.lock();
        while queue.is_full() && !queue.closed {
            queue = self.shared.wait(queue);
        }
        queue.bytes = queue.bytes.saturating_add(ready.bytes);
        queue.since.get_or_insert_with(Instant::now);
        queue.ready.push(ready);
        if queue.ready.len() == 1 || queue.is_full() || queue.hurry {
            self.shared.changed.notify_all();
        }
    }

    /// Wants a part's groups on the disk; the last wish counts.
    pub(super) fn mark(&self, mark: Mark) {
        self.shared.lock().mark = Some(mark);
        self.shared.changed.notify_all();
    }

    /// Whether something is not final yet.
    pub(super) fn has_work(&self) -> bool {
        let queue = self.shared.lock();
        queue.busy || !queue.ready.is_empty()
    }

    /// From now on nothing waits for company, or does again.
    pub(super) fn hurry(&self, hurry: bool) {
        self.shared.lock().hurry = hurry;
        self.shared.changed.notify_all();
    }

    /// Waits until everything is final, and no mark is wanted.
    pub(super) fn drain(&self) {
        let mut queue = self.shared.lock();
        let hurry = queue.hurry;
        queue.hurry = true;
        queue.mark = None;
        self.shared.changed.notify_all();
        while queue.busy || !queue.ready.is_empty() {
            queue = self.shared.wait(queue);
        }
        queue.hurry = hurry;
    }
}

impl Drop for Settler {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // It ended by a panic of the caller's function: that was reported where it was.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // What it guards is whole after every statement.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, queue: MutexGuard<'a, Queue>) -> MutexGuard<'a, Queue> {
        let waited = self.changed.wait(queue);
        waited.unwrap_or_else(PoisonError::into_inner)
    }

    /// The next batch, or wish for a mark; `None` at the end.
    fn next(&self) -> Option<(Vec<Ready>, Option<Mark>)> {
        let mut queue = self.lock();
        queue.busy = false;
        self.changed.notify_all();
        loop {
            let waited = queue.since.map(|since| since.elapsed());
            let due = waited.is_some_and(|waited| waited >= GATHER);
            if queue.is_full() || due || queue.hurry || queue.closed || queue.mark.is_some() {
                let whole = queue.is_full() || due || queue.hurry || queue.closed;
                let ready = match whole {
                    true => queue.take(),
                    false => Vec::new(),
                };
                let mark = queue.mark.take();
                if !ready.is_empty() || mark.is_some() {
                    queue.busy = true;
                    self.changed.notify_all();
                    return Some((ready, mark));
                }
                if queue.closed {
                    return None;
                }
            }
            queue = match waited {
                None => self.wait(queue),
                Some(waited) => {
                    let rest = GATHER.saturating_sub(waited);
                    let waited = self.changed.wait_timeout(queue, rest);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }
}

impl Queue {
    fn is_full(&self) -> bool {
        self.ready.len() >= BATCH || self.bytes >= BATCH_BYTES
    }

    fn take(&mut self) -> Vec<Ready> {
        self.bytes = 0;
        self.since = None;
        std::mem::take(&mut self.ready)
    }
}

/// Ends `wait`s for a batch of which nobody will tell.
struct Gone<'a>(&'a Shared);

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        let mut queue = self.0.lock();
        queue.closed = true;
        queue.busy = false;
        queue.take();
        self.0.changed.notify_all();
    }
}

fn run(shared: &Shared, mut settled: OnSettled) {
    let _gone = Gone(shared);
    system::reserve_descriptors(DESCRIPTORS);
    while let Some((batch, mark)) = shared.next() {
        if let Some(mark) = mark {
            mark.make();
        }
        settled(commit(batch));
    }
}

impl Mark {
    /// Without it a resumption after a crash of the machine reads more; so a failure is none, but for
    /// that it must not be forgotten when the file is complete: neither by this connection nor by a later
    /// one, which knows the part by its journal alone.
    fn make(self) {
        match self.part.sync_data() {
            Ok(()) => drop(self.journal.synced(self.groups)),
            Err(_) => {
                self.damaged.store(true, Ordering::Release);
                let _ = self.journal.discard();
            }
        }
    }
}

/// Makes a batch final, in its order.
fn commit(batch: Vec<Ready>) -> Vec<Settled> {
    let (failed, whole) = sync_data(&batch);
    let mut named = Vec::with_capacity(batch.len());
    for (ready, failed) in batch.into_iter().zip(failed) {
        let result = match failed {
            Some(error) => {
                if let What::Part(complete) = &ready.what {
                    complete.remove();
                }
                Err(Refusal::file(&ready.what.path(), error))
            }
            None => ready.what.name(ready.hash),
        };
        named.push((ready.index, result));
    }
    sync_names(&mut named, whole);
    let settled = named.into_iter().map(|(index, result)| Settled {
        index,
        result: result.map(|named| named.committed),
    });
    settled.collect()
}

/// Brings the bytes of all files to the disk; says of each what failed, and whether all of their file systems was
/// brought there.
fn sync_data(batch: &[Ready]) -> (Vec<Option<io::Error>>, bool) {
    let files = batch.iter().filter(|ready| ready.what.file().is_some());
    let whole = files.count() >= MANY && sync_devices(batch).unwrap_or(false);
    let failed = batch.iter().map(|ready| {
        let file = ready.what.file()?;
        let damaged = match &ready.what {
            What::Part(complete) => complete.damaged.load(Ordering::Acquire),
            _ => false,
        };
        match damaged {
            true => Some(io::Error::other("could not be written to the disk")),
            false if whole => None,
            false => system::sync(file).err(),
        }
    });
    (failed.collect(), whole)
}

/// Brings all file systems that the files are on to the disk; `false` where there is no such call.
fn sync_devices(batch: &[Ready]) -> io::Result<bool> {
    let mut done = BTreeSet::new();
    let mut folders = BTreeSet::new();
    for ready in batch {
        let Some(file) = ready.what.file() else {
            continue;
        };
        // What has no name is where its folder is; a name may stand for a file from elsewhere.
        let nameless = match &ready.what {
            What::Part(complete) if complete.part.is_none() => Some(&complete.folder),
            _ => None,
        };
        if nameless.is_some_and(|folder| !folders.insert(Arc::as_ptr(folder))) {
            continue;
        }
        let device = system::Stat::of(file)?.identity.map(|(device, _)| device);
        if done.insert(device) && !system::sync_file_system(file)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Something that has its name, and what must be on the disk before that is told.
struct Named {
    committed: Committed,
    folder: Option<Arc<Folder>>,
    file: Option<Open>,
}

/// The file that has the name, still open.
enum Open {
    Part(Arc<Private>),
    /// It had no name when its bytes were brought to the disk.
    Nameless(Arc<Private>),
    Plain(File),
}

impl Open {
    fn file(&self) -> &File {
        match self {
            Self::Part(file) | Self::Nameless(file) => file,
            Self::Plain(file) => file,
        }
    }
}

impl What {
    fn file(&self) -> Option<&File> {
        let file: &File = match self {
            Self::Part(complete) => &complete.file,
            Self::Present(file, ..) => file,
            _ => return None,
        };
        Some(file)
    }

    fn path(&self) -> PathBuf {
        match self {
            Self::Part(complete) => complete.folder.path.join(&complete.wanted),
            Self::Present(.., path) => path.clone(),
            Self::Folder(folder, name, _) => folder.path.join(name),
            Self::FolderEnd(folder, _) => folder.path.clone(),
            Self::Text(_) | Self::Written => PathBuf::from(super::STDOUT),
        }
    }

    fn name(self, hash: [u8; 32]) -> Result<Named, Refusal> {
        let path = self.path();
        let mut committed = Committed {
            hash,
            path: None,
            renamed: false,
            present: false,
            text: None,
        };
        let (mut folder, mut file) = (None, None);
        match self {
            Self::Part(complete) => {
                let of = Arc::clone(&complete.folder);
                let wanted = complete.wanted.clone();
                let (name, kept) = complete
                    .take_name()
                    .map_err(|error| Refusal::file(&path, error))?;
                committed.renamed = name != wanted;
                committed.path = Some(of.path.join(name));
                folder = Some(of);
                file = kept;
            }
            Self::Present(present, of, _) => {
                committed.present = true;
                committed.path = Some(path);
                // Whoever gave it its name may not have lived to see it on the disk.
                folder = Some(of);
                file = Some(Open::Plain(present));
            }
            Self::Folder(parent, _, present) => {
                committed.present = present;
                committed.path = Some(path);
                folder = (!present).then_some(parent);
            }
            Self::FolderEnd(of, mtime) => {
                // A folder with another time is whole too.
                let _ = mtime.system().map(|time| of.dir.set_mtime(time));
                committed.path = Some(path);
                folder = Some(of);
            }
            Self::Text(text) => committed.text = Some(text),
            Self::Written => {}
        }
        Ok(Named {
            committed,
            folder,
            file,
        })
    }
}

impl Complete {
    /// Gives the file its name; it stays open, and locked, where an open file can be renamed.
    fn take_name(self) -> io::Result<(OsString, Option<Open>)> {
        let dir = &self.folder.dir;
        let Some(part) = &self.part else {
            let named = take_free_name(&self.wanted, |name| dir.name(&self.file, name));
            return match named {
                Ok(name) => Ok((name, Some(Open::Nameless(self.file)))),
                // A file system may make files without names, and let none get one.
                Err(error) => self.copy().map_err(|_| error),
            };
        };
        let file = (!cfg!(windows)).then_some(Open::Part(self.file));
        let named = take_name(dir, part, &self.wanted, self.overwrite);
        match (&named, &self.journal) {
            (Ok(_), Some(journal)) => drop(dir.remove(journal)),
            // Without a journal nothing goes on with it.
            (Err(_), None) => drop(dir.remove(part)),
            _ => {}
        }
        Ok((named?, file))
    }

    /// Gives the name to a copy, made in a part.
    fn copy(&self) -> io::Result<(OsString, Option<Open>)> {
        let dir = &self.folder.dir;
        let part = part_name(&self.wanted)?;
        let copy = dir.open_private(&part, Access::Create)?;
        let fill = || {
            let (mut bytes, mut into): (&File, &File) = (&self.file, &copy);
            bytes.rewind()?;
            io::copy(&mut bytes, &mut into)?;
            let metadata = bytes.metadata()?;
            copy.set_permissions(metadata.permissions())?;
            copy.set_modified(metadata.modified()?)?;
            system::sync(&copy)?;
            take_name(dir, &part, &self.wanted, self.overwrite)
        };
        let name = fill().inspect_err(|_| drop(dir.remove(&part)))?;
        Ok((name, Some(Open::Part(Arc::new(copy)))))
    }

    /// What the disk did not take is not gone on with.
    fn remove(&self) {
        for name in self.part.iter().chain(&self.journal) {
            let _ = self.folder.dir.remove(name);
        }
    }
}

/// Brings the names to the disk. One that fails there is told of as it is: it cannot be taken back, and what it may
/// have replaced is gone. Unless the file systems were brought there `whole`, files that had no name go once more:
/// there are some (Btrfs before Linux 6.17) that keep no bytes of such a file when it is synced by itself.
fn sync_names(named: &mut [(u64, Result<Named, Refusal>)], whole: bool) {
    let folder = |named: &Named| named.folder.as_ref().map(Arc::as_ptr);
    let all = named.iter().filter_map(|(_, named)| named.as_ref().ok());
    let folders: BTreeSet<_> = all.filter_map(folder).collect();
    let mut devices = (folders.len() >= MANY).then(BTreeMap::new);
    // Of each folder those come first that have an open file: without one it may not be possible.
    let mut order: Vec<_> = named.iter_mut().map(|(_, result)| result).collect();
    order.sort_by_key(|result| !result.as_ref().is_ok_and(|named| named.file.is_some()));
    let mut synced = BTreeMap::new();
    for result in order {
        let Ok(named) = result else {
            continue;
        };
        let Some(folder) = &named.folder else {
            continue;
        };
        let again_too = match &named.file {
            Some(Open::Nameless(file)) if !whole => system::sync(file),
            _ => Ok(()),
        };
        let file = named.file.as_ref().map(Open::file);
        let done = synced
            .entry(Arc::as_ptr(folder))
            .or_insert_with(|| sync_folder(folder, file, devices.as_mut()));
        if let Err(error) = again_too.as_ref().and(done.as_ref()) {
            let path = named.committed.path.as_ref().unwrap_or(&folder.path);
            *result = Err(Refusal::unconfirmed(path, again(error)));
        }
    }
}

/// An error for one more file: the system tells of it once, to whoever asks first.
fn again(error: &io::Error) -> io::Error {
    let code = error.raw_os_error().map(io::Error::from_raw_os_error);
    code.unwrap_or_else(|| error.kind().into())
}

/// Brings the names in a folder to the disk; with `devices` all of its file system, once for each.
fn sync_folder(
    folder: &Folder,
    file: Option<&File>,
    devices: Option<&mut BTreeMap<Option<u64>, io::Result<bool>>>,
) -> io::Result<()> {
    let handle = match folder.dir.handle() {
        Ok(Some(handle)) => handle,
        Ok(None) => return Ok(()),
        // It may be written to and not listed: then only its file system can be synced.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            return file.map_or(Ok(()), |file| system::sync_file_system(file).map(drop));
        }
        Err(error) => return Err(error),
    };
    if let Some(devices) = devices {
        let device = system::Stat::of(&handle)?
            .identity
            .map(|(device, _)| device);
        let done = devices
            .entry(device)
            .or_insert_with(|| system::sync_file_system(&handle));
        match done {
            Ok(true) => return Ok(()),
            // There is no such call.
            Ok(false) => {}
            Err(error) => return Err(again(error)),
        }
    }
    handle.sync_all()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::crypto::blake3::{GROUP, Hasher};
    use crate::transfer::store::journal::Origin;

    #[test]
    fn a_part_that_the_disk_did_not_take_is_proved_by_no_journal_later() {
        let origin = Origin {
            name: b"a".to_vec(),
            size: 4 * GROUP as u64,
            mtime: Time::default(),
        };
        let path = std::env::temp_dir().join(format!("p2pxfer-mark-{}", std::process::id()));
        let open = || {
            let mut options = File::options();
            options.read(true).append(true).create(true);
            Private::from(options.open(&path).unwrap())
        };
        let journal = Journal::begin(open(), &origin, None).unwrap();
        let mut hasher = Hasher::new();
        let record = |index, group| journal.group(index, group).unwrap();
        hasher.update_with(&vec![1; 2 * GROUP], record);
        assert!(Journal::open(open(), &origin).unwrap().is_some());
        let damaged = Damaged::default();
        let mark = Mark {
            // It takes everything and can be synced never.
            part: Arc::new(Private::from(File::open("/dev/null").unwrap())),
            journal: journal.clone(),
            groups: 1,
            damaged: Arc::clone(&damaged),
        };
        mark.make();
        assert!(damaged.load(Ordering::Acquire));
        hasher.update_with(&vec![1; 2 * GROUP], |index, group| {
            journal.group(index, group).unwrap();
        });
        assert!(Journal::open(open(), &origin).unwrap().is_none());
        std::fs::remove_file(&path).unwrap();
    }
}
