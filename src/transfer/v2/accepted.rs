//! What a yes to a folder was a yes to.
//!
//! A folder may grow between the moment it was counted and the one it is sent, so a bit more is taken than
//! was offered. A sender that counts little and sends without end is held to what its receiver's user saw.

use crate::transfer::entry::{Entry, EntryKind};
use crate::transfer::report::Offer;

/// How many more files than twice those that were offered.
const MORE_FILES: u64 = 1000;
/// How many more bytes than twice those that were offered.
const MORE_BYTES: u64 = 16 << 20;
/// Folders are not counted in an offer: so many for each file, for that is the depth of a path...
const FOLDERS: u64 = crate::wire::v2::DEPTH_MAX as u64;
/// ... and so many more that are empty.
const MORE_FOLDERS: u64 = 1_000_000;

/// How much of each item of an offer may still come.
#[derive(Debug, Default)]
pub(super) struct Accepted {
    items: Vec<Option<Left>>,
}

#[derive(Debug)]
struct Left {
    files: u64,
    bytes: u64,
    folders: u64,
}

impl Accepted {
    /// All of it. What is no folder is held to its size elsewhere, and one whose sender said that there is
    /// more than it has counted may have any.
    pub(super) fn new(offer: &Offer) -> Self {
        let items = offer.items.iter().map(|item| {
            let bound = item.kind == EntryKind::Folder && item.complete;
            let bytes = item.bytes.filter(|_| bound)?;
            Some(Left {
                files: item.files.saturating_mul(2).saturating_add(MORE_FILES),
                bytes: bytes.saturating_mul(2).saturating_add(MORE_BYTES),
                folders: (item.files.saturating_mul(FOLDERS)).saturating_add(MORE_FOLDERS),
            })
        });
        Self {
            items: items.collect(),
        }
    }

    /// Takes an entry, if that much may still come.
    pub(super) fn take(&mut self, entry: &Entry) -> bool {
        let Some(Some(left)) = self.items.get_mut(entry.item as usize) else {
            return true;
        };
        match entry.kind {
            EntryKind::FolderEnd => true,
            EntryKind::Folder => subtract(&mut left.folders, 1),
            _ => {
                let size = entry.size.unwrap_or(u64::MAX);
                size <= left.bytes
                    && subtract(&mut left.files, 1)
                    && subtract(&mut left.bytes, size)
            }
        }
    }
}

fn subtract(left: &mut u64, count: u64) -> bool {
    let less = left.checked_sub(count);
    *left = less.unwrap_or(*left);
    less.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transfer::entry::{Item, Time};

    fn accepted(complete: bool) -> Accepted {
        let item = Item {
            kind: EntryKind::Folder,
            name: b"a".to_vec(),
            files: 3,
            bytes: Some(1_000_000),
            complete,
        };
        Accepted::new(&Offer {
            items: vec![item],
            verified: false,
        })
    }

    fn entry(kind: EntryKind, size: u64) -> Entry {
        Entry {
            index: 0,
            item: 0,
            kind,
            executable: false,
            size: Some(size),
            mtime: Time::default(),
            path: vec![b"a".to_vec(), b"b".to_vec()],
        }
    }

    fn taken(accepted: &mut Accepted, entry: &Entry) -> u64 {
        (0..2_000_000).take_while(|_| accepted.take(entry)).count() as u64
    }

    #[test]
    fn a_folder_may_grow_and_a_lie_is_bounded() {
        let mut folder = accepted(true);
        assert!(folder.take(&entry(EntryKind::File, 2_000_000)));
        assert!(!folder.take(&entry(EntryKind::File, MORE_BYTES + 1)));
        assert!(folder.take(&entry(EntryKind::File, MORE_BYTES)));
        assert!(!folder.take(&entry(EntryKind::File, 1)));
        assert_eq!(
            taken(&mut folder, &entry(EntryKind::File, 0)),
            4 + MORE_FILES
        );
        assert!(folder.take(&entry(EntryKind::FolderEnd, 0)));
        let folders = taken(&mut folder, &entry(EntryKind::Folder, 0));
        assert_eq!(folders, 3 * FOLDERS + MORE_FOLDERS);
    }

    #[test]
    fn a_folder_that_was_not_counted_to_its_end_has_no_bound() {
        let mut folder = accepted(false);
        assert!(folder.take(&entry(EntryKind::File, u64::MAX - 1)));
        assert_eq!(
            taken(&mut folder, &entry(EntryKind::File, 1 << 60)),
            2_000_000
        );
    }
}
