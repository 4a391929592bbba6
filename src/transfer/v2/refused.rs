//! Which refusals are told.

use std::collections::BTreeSet;

use super::WINDOW;
use crate::crypto::blake3::{self, Hash};
use crate::transfer::entry::{Entry, EntryKind};

/// The folders that were refused and whose ends are still to come: those are refused with them, which nobody
/// has to be told a second time. An end that is refused by itself is told.
#[derive(Debug, Default)]
pub(super) struct RefusedFolders(BTreeSet<Hash>);

impl RefusedFolders {
    /// This entry is refused: whether to tell.
    pub(super) fn is_news(&mut self, entry: &Entry) -> bool {
        let path = || blake3::hash(&entry.shown());
        match entry.kind {
            // A sender that ends no folder has its refusals told twice, and costs no more memory.
            EntryKind::Folder if self.0.len() < WINDOW => {
                self.0.insert(path());
                true
            }
            EntryKind::FolderEnd => !self.0.remove(&path()),
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transfer::entry::Time;

    fn entry(kind: EntryKind, name: &str) -> Entry {
        Entry {
            index: 0,
            item: 0,
            kind,
            executable: false,
            size: Some(0),
            mtime: Time::default(),
            path: vec![b"tree".to_vec(), name.into()],
        }
    }

    #[test]
    fn the_end_of_a_folder_is_told_only_when_the_folder_was_not() {
        let mut refused = RefusedFolders::default();
        assert!(refused.is_news(&entry(EntryKind::Folder, "a")));
        assert!(refused.is_news(&entry(EntryKind::File, "a")));
        assert!(refused.is_news(&entry(EntryKind::FolderEnd, "b")));
        assert!(!refused.is_news(&entry(EntryKind::FolderEnd, "a")));
        assert!(refused.is_news(&entry(EntryKind::FolderEnd, "a")));
    }

    #[test]
    fn no_more_folders_are_remembered_than_may_be_open() {
        let mut refused = RefusedFolders::default();
        for folder in 0..2 * WINDOW {
            assert!(refused.is_news(&entry(EntryKind::Folder, &folder.to_string())));
        }
        assert_eq!(refused.0.len(), WINDOW);
    }
}
