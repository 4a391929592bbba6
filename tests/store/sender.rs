//! A sender without a wire: it gives a store entries and bytes, and checks each claim of the store.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, UNIX_EPOCH};

use p2pxfer::crypto::blake3;
use p2pxfer::transfer::{
    Committed, Decision, Entry, EntryKind, Finished, Place, Refusal, Settled, Target, Time, Tree,
};

/// Bytes of a part that can be proved by themselves.
pub(crate) const GROUP: usize = 256 << 10;
/// What is written at once.
const PIECE: usize = 64 << 10;

/// An entry, and its bytes.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) entry: Entry,
    pub(crate) bytes: Vec<u8>,
}

/// What a session led to, by index.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// From which offset each file was wanted.
    pub(crate) wanted: BTreeMap<u64, u64>,
    pub(crate) had: Vec<u64>,
    pub(crate) committed: BTreeMap<u64, Committed>,
    pub(crate) refused: BTreeMap<u64, Refusal>,
}

/// Bytes that look random and are the same each time.
pub(crate) fn bytes(seed: u64, count: usize) -> Vec<u8> {
    let mut state = seed ^ 0x9e37_79b9_7f4a_7c15;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.flatten().take(count).collect()
}

pub(crate) const MTIME: Time = Time {
    seconds: 1_600_000_000,
    nanos: 123_456_789,
};

/// An entry of this kind; its index is set when it is sent.
pub(crate) fn sent(kind: EntryKind, path: &str, bytes: Vec<u8>) -> Sent {
    let size = (kind != EntryKind::Stream).then_some(bytes.len() as u64);
    let entry = Entry {
        index: 0,
        item: 0,
        kind,
        executable: path.ends_with(".sh"),
        size,
        mtime: MTIME,
        path: path
            .split('/')
            .map(|name| name.as_bytes().to_vec())
            .collect(),
    };
    Sent { entry, bytes }
}

pub(crate) fn file(path: &str, bytes: Vec<u8>) -> Sent {
    sent(EntryKind::File, path, bytes)
}

pub(crate) fn folder(path: &str) -> Sent {
    sent(EntryKind::Folder, path, Vec::new())
}

pub(crate) fn folder_end(path: &str) -> Sent {
    sent(EntryKind::FolderEnd, path, Vec::new())
}

/// A place that replaces nothing.
pub(crate) fn place(path: &Path) -> Place {
    Place {
        target: Target::Path(path.to_path_buf()),
        overwrite: false,
    }
}

/// A store and its answers.
pub(crate) struct Session {
    pub(crate) tree: Tree,
    pub(crate) settled: mpsc::Receiver<Settled>,
}

impl Session {
    pub(crate) fn open(place: &Place) -> Self {
        let (tell, settled) = mpsc::channel();
        let told = Box::new(move |outcomes: Vec<Settled>| {
            for outcome in outcomes {
                let _ = tell.send(outcome);
            }
        });
        let mut tree = Tree::open(place, told).unwrap();
        tree.offer([7; 16], &[]).unwrap();
        Self { tree, settled }
    }

    /// Sends it all, but at most `limit` bytes of data; then the connection is cut.
    pub(crate) fn send(&mut self, all: &[Sent], limit: usize) -> Outcome {
        let mut outcome = Outcome::default();
        let mut room = limit;
        // All are announced ahead, as a sender does.
        let mut data = Vec::new();
        for (index, sent) in (0..).zip(all) {
            let mut entry = sent.entry.clone();
            entry.index = index;
            match self.tree.entry(&entry) {
                Decision::Interrupted => panic!("nobody ends it"),
                Decision::Want { offset, prefix } => {
                    let front = &sent.bytes[..offset as usize];
                    outcome.wanted.insert(index, offset);
                    // A part of another source is begun anew; that is how a sender answers.
                    let same = offset == 0 || prefix == blake3::hash(front);
                    data.push((index, if same { offset } else { 0 }, sent));
                }
                Decision::Have { hash } => {
                    outcome.had.push(index);
                    match hash == blake3::hash(&sent.bytes) {
                        true => self.tree.same(index).unwrap(),
                        false => data.push((index, 0, sent)),
                    }
                }
                Decision::Later | Decision::Settled { .. } => {}
                Decision::Skip(refusal) => drop(outcome.refused.insert(index, refusal)),
            }
        }
        self.tree.last();
        for (index, offset, sent) in data {
            if let Err(refusal) = self.one(index, offset, sent, &mut room) {
                outcome.refused.insert(index, refusal);
            }
            if room == 0 {
                break;
            }
        }
        self.tree.interrupt();
        for settled in self.settled.try_iter() {
            match settled.result {
                Ok(committed) => drop(outcome.committed.insert(settled.index, committed)),
                Err(refusal) => drop(outcome.refused.insert(settled.index, refusal)),
            }
        }
        outcome
    }

    fn one(
        &mut self,
        index: u64,
        offset: u64,
        sent: &Sent,
        room: &mut usize,
    ) -> Result<(), Refusal> {
        self.tree.begin(index, offset)?;
        for piece in sent.bytes[offset as usize..].chunks(PIECE) {
            let piece = &piece[..piece.len().min(*room)];
            *room -= piece.len();
            self.tree.write(piece)?;
            if *room == 0 {
                return Ok(());
            }
        }
        let hash = blake3::hash(&sent.bytes);
        let finished = self.tree.finish(sent.bytes.len() as u64, &hash)?;
        assert_eq!(finished, Finished::Later);
        Ok(())
    }
}

/// One session in a store of its own.
pub(crate) fn send(place: &Place, all: &[Sent], limit: usize) -> Outcome {
    Session::open(place).send(all, limit)
}

/// Checks that all of it is below `root`, and nothing else.
pub(crate) fn check(root: &Path, all: &[Sent]) {
    let mut expected: Vec<PathBuf> = Vec::new();
    for sent in all {
        let path = root.join(String::from_utf8(sent.entry.shown()).unwrap());
        let metadata = std::fs::metadata(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        let since = metadata.modified().unwrap().duration_since(UNIX_EPOCH);
        match sent.entry.kind {
            EntryKind::File => {
                assert!(
                    std::fs::read(&path).unwrap() == sent.bytes,
                    "{path:?} differs"
                );
                let mtime = Duration::new(MTIME.seconds as u64, MTIME.nanos);
                assert_eq!(since.unwrap(), mtime, "{path:?}");
                #[cfg(unix)]
                {
                    use std::os::unix::fs::PermissionsExt;
                    let mode = metadata.permissions().mode();
                    assert_eq!(mode & 0o100 != 0, sent.entry.executable, "{path:?}");
                    assert_eq!(mode & 0o7022, 0, "{path:?} {mode:o}");
                }
                expected.push(path);
            }
            EntryKind::FolderEnd if cfg!(unix) => {
                let mtime = Duration::new(MTIME.seconds as u64, MTIME.nanos);
                assert_eq!(since.unwrap(), mtime, "{path:?}");
            }
            EntryKind::Folder => expected.push(path),
            _ => {}
        }
    }
    expected.sort();
    let mut found = below(root);
    found.sort();
    assert_eq!(found, expected);
}

/// All that is below a folder.
pub(crate) fn below(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        if std::fs::symlink_metadata(&path).unwrap().is_dir() {
            found.extend(below(&path));
        }
        found.push(path);
    }
    found
}
