//! The question whether an offer is taken.

use std::fmt::Write;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use super::progress::{Counted, Summary, bytes};
use crate::sys::{given, term};
use crate::transfer::{EntryKind, Item, Offer, Place, Printable, Target};

/// Longest answer that is read, in bytes.
const ANSWER: usize = 64;

/// Whether there is somebody to ask: a person at a terminal, who started this in the foreground.
/// Elsewhere nobody answers, and a question would be an end without a word.
pub(super) fn is_possible() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal() && term::is_ours()
}

/// Asks at the terminal whether `offer` is taken into `place`; all but a yes is a no. `stop` ends it.
pub(super) fn ask(offer: &Offer, place: &Place, stop: &dyn Fn() -> bool) -> bool {
    let room = folder(place).and_then(|folder| given::free_space(&folder));
    let mut answer = Vec::with_capacity(ANSWER);
    match term::ask(&question(offer, room), false, &mut answer, stop) {
        Ok(()) => is_yes(&answer),
        Err(_) => false,
    }
}

fn is_yes(answer: &[u8]) -> bool {
    let answer = answer.trim_ascii();
    answer.eq_ignore_ascii_case(b"y") || answer.eq_ignore_ascii_case(b"yes")
}

/// The folder that the files go to.
fn folder(place: &Place) -> Option<PathBuf> {
    match &place.target {
        Target::Stdout | Target::Output(_) => None,
        Target::Path(path) if path.is_dir() => Some(path.clone()),
        Target::Path(path) => {
            let parent = path.parent()?;
            let here = parent.as_os_str().is_empty();
            Some(if here { Path::new(".") } else { parent }.to_path_buf())
        }
    }
}

fn question(offer: &Offer, room: Option<u64>) -> String {
    let mut text = String::from("offered by a sender that no secret verifies:\n");
    for item in &offer.items {
        // A `String` takes everything.
        let _ = writeln!(text, "  {}", Line(item));
    }
    let _ = write!(text, "in all {}", Total(offer));
    if let Some(room) = room {
        let _ = write!(text, "; {} free", bytes(room));
        if offer.bytes().is_some_and(|length| length > room) {
            text.push_str(", which is too little");
        }
    }
    text.push_str("\ntake it? [y/N] ");
    text
}

/// One item, as a line.
struct Line<'a>(&'a Item);

impl std::fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let item = self.0;
        let name = Printable(&item.name);
        match item.kind {
            EntryKind::File | EntryKind::FolderEnd => write!(f, "{name}")?,
            EntryKind::Folder => {
                let files = Counted(item.files, "file", item.complete);
                write!(f, "{name}/  folder, {files}")?;
            }
            EntryKind::Text => f.write_str("a text")?,
            EntryKind::Stream => return write!(f, "{name}  stream of unknown length"),
        }
        match item.bytes {
            Some(length) => write!(f, "  {}", bytes(length)),
            None => Ok(()),
        }
    }
}

/// The whole, however many items it has.
struct Total<'a>(&'a Offer);

impl std::fmt::Display for Total<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0.items[..] {
            [_] => {
                let files = Counted(self.0.files(), "file", self.0.items[0].complete);
                match self.0.bytes() {
                    Some(length) => write!(f, "{files}, {}", bytes(length)),
                    None => write!(f, "{files}"),
                }
            }
            _ => Summary(self.0).fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(kind: EntryKind, name: &[u8], files: u64, bytes: Option<u64>) -> Item {
        Item {
            kind,
            name: name.to_vec(),
            files,
            bytes,
            complete: bytes.is_some(),
        }
    }

    #[test]
    fn the_question_shows_all_names_sizes_and_the_room_and_nothing_that_steers_the_terminal() {
        let offer = Offer {
            items: vec![
                item(EntryKind::Folder, b"photos", 120, Some(2_000_000)),
                item(EntryKind::File, b"a\x1b[2J\nb", 1, Some(13)),
                item(EntryKind::Stream, b"s", 1, None),
            ],
            ..Offer::default()
        };
        let text = "offered by a sender that no secret verifies:\n  \
            photos/  folder, 120 files  2.0 MB\n  \
            a\\x1b[2J\\nb  13 B\n  \
            s  stream of unknown length\n\
            in all at least 122 files, 2.0 MB or more; 5.0 GB free\n\
            take it? [y/N] ";
        assert_eq!(question(&offer, Some(5_000_000_000)), text);
        let offer = Offer {
            items: vec![item(EntryKind::File, b"a", 1, Some(13))],
            ..Offer::default()
        };
        let text = question(&offer, Some(12));
        assert!(text.contains("in all 1 file, 13 B; 12 B free, which is too little\n"));
        assert!(!question(&offer, None).contains("free"));
    }

    #[test]
    fn only_a_yes_is_a_yes() {
        for yes in [&b"y"[..], b"Y", b"yes", b" YES \r"] {
            assert!(is_yes(yes));
        }
        for no in [&b""[..], b"n", b"no", b"yy", b"ye", b"\xff"] {
            assert!(!is_yes(no));
        }
    }
}
