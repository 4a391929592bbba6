//! What is offered, and what came of a transfer.

use std::path::PathBuf;

use super::entry::{EntryKind, Item};
use super::error::Error;

/// How many of the files that did not cross a [`Report`] names; it counts all.
pub const NAMED: usize = 1000;

/// What a sender offers, before anything of it moves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// One for each argument of the sender.
    pub items: Vec<Item>,
    /// Whether the sender proved that it knows the receiver's secret.
    pub verified: bool,
}

impl Offer {
    /// How many files there are, as far as counted.
    pub fn files(&self) -> u64 {
        let files = self.items.iter().map(|item| item.files);
        files.fold(0, u64::saturating_add)
    }

    /// How long all of it is, in bytes; `None` when that is not known.
    pub fn bytes(&self) -> Option<u64> {
        self.items.iter().try_fold(0_u64, |sum, item| {
            let bytes = item.bytes.filter(|_| item.complete)?;
            sum.checked_add(bytes)
        })
    }
}

/// What came of a transfer that was brought to its end. Some files may not have crossed even so.
#[derive(Debug, Default)]
pub struct Report {
    /// The version of the protocol: 1 or 2.
    pub version: u8,
    /// Whether both sides proved that they know the same secret.
    pub verified: bool,
    /// Files, streams and texts that are there now, those included that were before.
    pub files: u64,
    /// Folders that are there now.
    pub folders: u64,
    /// Length of those files, in bytes.
    pub bytes: u64,
    /// Files that were there before, whole and equal.
    pub already: u64,
    /// Bytes that an earlier attempt, or a connection that was lost, had brought already.
    pub resumed: u64,
    /// Bytes that crossed more than once.
    pub again: u64,
    /// How often the connection was lost and made anew.
    pub reconnects: u32,
    /// The items that were received; empty for a sender.
    pub received: Vec<Received>,
    /// Symbolic links and devices in the sender's folders, which are never sent.
    pub left_out: u64,
    /// How many files did not cross.
    pub skipped: u64,
    /// The first [`NAMED`] of them.
    pub skips: Vec<Skip>,
}

/// An item that was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The name that the sender gave: hostile, show it through [`super::Printable`].
    pub name: Vec<u8>,
    /// Length of the file, in bytes; 0 for a folder.
    pub length: u64,
    /// Where it is; `None` when it was written to standard output, or is a text.
    pub path: Option<PathBuf>,
    /// Whether the name it should have had was taken, so that it has another one.
    pub renamed: bool,
}

/// A file that did not cross while others did.
#[derive(Debug)]
pub struct Skip {
    /// Its path, `/` between its parts: hostile on the receiver's side, show it through
    /// [`super::Printable`]. Empty for all that a sender left out untold.
    pub path: Vec<u8>,
    /// Why.
    pub error: Error,
}

impl Report {
    /// Why not all of it crossed: the error of the first file that did not.
    pub fn failure(&self) -> Option<&Error> {
        self.skips.first().map(|skip| &skip.error)
    }

    /// The receiver has an entry.
    pub(crate) fn settled(&mut self, kind: EntryKind, length: u64, already: bool) {
        match kind {
            EntryKind::Folder => self.folders += 1,
            EntryKind::FolderEnd => {}
            EntryKind::File | EntryKind::Text | EntryKind::Stream => {
                self.files += 1;
                self.bytes = self.bytes.saturating_add(length);
                self.already += u64::from(already);
            }
        }
    }

    pub(crate) fn skip(&mut self, path: Vec<u8>, error: Error) {
        self.skipped = self.skipped.saturating_add(match error {
            Error::LeftOut { count } => count,
            _ => 1,
        });
        if self.skips.len() < NAMED {
            self.skips.push(Skip { path, error });
        }
    }

    /// Another sender begins: of what the one before brought nothing counts any more.
    pub(crate) fn begin(&mut self) {
        *self = Self {
            version: self.version,
            verified: self.verified,
            resumed: self.resumed,
            again: self.again,
            reconnects: self.reconnects,
            ..Self::default()
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(bytes: Option<u64>, complete: bool) -> Item {
        Item {
            kind: EntryKind::File,
            name: b"a".to_vec(),
            files: 1,
            bytes,
            complete,
        }
    }

    #[test]
    fn the_length_of_an_offer_is_known_only_when_that_of_all_its_items_is() {
        let offer = |items| Offer {
            items,
            verified: false,
        };
        let known = offer(vec![item(Some(3), true), item(Some(4), true)]);
        assert_eq!((known.files(), known.bytes()), (2, Some(7)));
        assert_eq!(offer(vec![item(Some(3), false)]).bytes(), None);
        assert_eq!(offer(vec![item(None, true)]).bytes(), None);
        let endless = offer(vec![item(Some(u64::MAX), true), item(Some(1), true)]);
        assert_eq!(endless.bytes(), None);
    }

    #[test]
    fn a_report_counts_all_skips_and_names_the_first_thousand() {
        let mut report = Report::default();
        for _ in 0..NAMED + 5 {
            report.skip(b"a".to_vec(), Error::Checksum);
        }
        assert_eq!(report.skipped, NAMED as u64 + 5);
        assert_eq!(report.skips.len(), NAMED);
        assert!(report.failure().is_some());
    }
}
