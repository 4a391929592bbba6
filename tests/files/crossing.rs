//! A transfer that is held in its middle, with all three programs running.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::common::{Relay, wait_until};
use super::gate::Gate;
use super::program::{Program, receive, send};
use super::temp::TempDir;

/// More than all the buffers between a sender and a receiver hold, in bytes.
pub(crate) const LONG: u64 = 160_000_000;
/// How much of it passes before it is held, in bytes.
const HELD_AT: u64 = 1_000_000;

/// Of [`LONG`] bytes, [`HELD_AT`] have passed and the receiver has written what it got of them.
pub(crate) struct Held {
    pub(crate) relay: Relay,
    pub(crate) gate: Gate,
    pub(crate) sender: Program,
    pub(crate) receiver: Program,
    pub(crate) source: PathBuf,
    pub(crate) to: TempDir,
    _from: TempDir,
}

impl Held {
    /// Starts the three, both clients with `options`.
    pub(crate) fn start(backend: &str, options: &[&str]) -> Self {
        let relay = Relay::start(backend, &[]);
        let (from, to) = (TempDir::new(), TempDir::new());
        let source = from.path().join("long.bin");
        File::create(&source)
            .and_then(|file| file.set_len(LONG))
            .expect("a file without blocks");
        let receiver = receive(&relay, to.path(), options);
        let gate = Gate::start(relay.address, HELD_AT);
        let sender = send(&source, gate.address, options);
        wait_until("the receiver writes", || part_length(to.path()) > 0);
        Self {
            relay,
            gate,
            sender,
            receiver,
            source,
            to,
            _from: from,
        }
    }
}

/// The names in a folder, sorted.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder of our own");
    let mut names: Vec<_> = entries
        .map(|entry| entry.expect("an entry").file_name())
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// How much the part file in a folder holds, in bytes; 0 while there is none.
pub(crate) fn part_length(folder: &Path) -> u64 {
    let names = names(folder);
    let part = names.iter().find(|name| name.ends_with(".part"));
    part.and_then(|name| std::fs::metadata(folder.join(name)).ok())
        .map_or(0, |metadata| metadata.len())
}
