//! A part and a journal that anything may stand in, written here by the words of `src/transfer/store/journal.rs`:
//! what is wanted is on the disk, and in the end the file is the sender's, byte for byte.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};

use p2pxfer::crypto::blake3::{self, GROUP, Group, Hash};
use p2pxfer::transfer::{Decision, Entry, EntryKind, Finished, Item, Place, Target, Time, Tree};

use super::disk::{Folder, files};
use super::script::Script;

const NAME: &[u8] = b"file";
/// Four groups and a part of one: from 1 MiB on a file has a journal.
const SIZE: usize = 4 * GROUP + 100;
const MTIME: Time = Time {
    seconds: 1_700_000_000,
    nanos: 5,
};

struct Content {
    bytes: Vec<u8>,
    hash: Hash,
    groups: Vec<Group>,
}

fn content() -> &'static Content {
    static CONTENT: OnceLock<Content> = OnceLock::new();
    CONTENT.get_or_init(|| {
        let bytes: Vec<u8> = (0..SIZE).map(|at| (at * 7 + at / 251) as u8).collect();
        let group = |(index, bytes)| blake3::group(index as u64, bytes).expect("a group");
        Content {
            hash: blake3::hash(&bytes),
            groups: bytes.chunks_exact(GROUP).enumerate().map(group).collect(),
            bytes,
        }
    })
}

pub(crate) fn run(bytes: &[u8]) {
    let mut script = Script::new(bytes);
    let folder = Folder::new();
    let planted = plant(&mut script, folder.path());
    let content = content();

    let settled = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&settled);
    let place = Place {
        target: Target::Path(folder.path().to_path_buf()),
        overwrite: false,
    };
    let on_settled = Box::new(move |more| told.lock().expect("no panic").extend(more));
    let mut tree = Tree::open(&place, on_settled).expect("a folder");
    let item = Item {
        kind: EntryKind::File,
        name: NAME.to_vec(),
        files: 1,
        bytes: Some(SIZE as u64),
        complete: true,
    };
    tree.offer([1; 16], &[item]).expect("one file");
    let decision = tree.entry(&Entry {
        index: 0,
        item: 0,
        kind: EntryKind::File,
        executable: false,
        size: Some(SIZE as u64),
        mtime: MTIME,
        path: vec![NAME.to_vec()],
    });
    let Decision::Want { offset, prefix } = decision else {
        panic!("it is not wanted: {decision:?}");
    };
    let offset = usize::try_from(offset).expect("an offset");
    assert_eq!(offset % GROUP, 0);
    assert!(offset <= planted.part.len().min(SIZE));
    if offset == 0 {
        assert_eq!(prefix, [0; 32]);
    } else if planted.is_read_again {
        assert_eq!(prefix, blake3::hash(&planted.part[..offset]));
    }
    // As a sender does: only what has the hash is gone on with.
    let begin = match prefix == blake3::hash(&content.bytes[..offset]) {
        true => offset,
        false => 0,
    };
    let mut finished = send(&mut tree, begin);
    if finished == Finished::Again {
        assert!(begin > 0 && !planted.is_honest);
        finished = send(&mut tree, 0);
    }
    assert_eq!(finished, Finished::Later);
    tree.last();
    drop(tree);
    let settled = settled.lock().expect("no panic");
    let [one] = settled.as_slice() else {
        panic!("settled {} times", settled.len());
    };
    let committed = one.result.as_ref().expect("it is committed");
    assert_eq!(committed.hash, content.hash);
    let [file] = &files(folder.path())[..] else {
        panic!("another number of files");
    };
    if !planted.is_trusted_though_changed {
        assert!(fs::read(file).expect("the file") == content.bytes);
    }
    let names = fs::read_dir(folder.path()).expect("the folder");
    assert_eq!(names.count(), 1, "a part or a journal is left");
}

fn send(tree: &mut Tree, from: usize) -> Finished {
    let content = content();
    tree.begin(0, from as u64).expect("it was wanted");
    for piece in content.bytes[from..].chunks(65_536) {
        tree.write(piece).expect("there is room");
    }
    tree.finish(SIZE as u64, &content.hash)
        .expect("it is whole")
}

struct Planted {
    part: Vec<u8>,
    /// Whether what the journal says of the part is so.
    is_honest: bool,
    /// Whether none of it may be believed unread.
    is_read_again: bool,
    /// Somebody else wrote to the part after the journal, within one start of the machine or behind a sync: nobody
    /// notices that, since what is written by us is not read again.
    is_trusted_though_changed: bool,
}

fn plant(script: &mut Script<'_>, folder: &Path) -> Planted {
    let content = content();
    let length = script.one_of(6) * GROUP + script.one_of(2) * 50;
    let mut part = content.bytes[..length.min(SIZE)].to_vec();
    let mut is_honest = true;
    let is_changed = script.byte() > 0xc0 && !part.is_empty();
    if is_changed {
        let at = script.one_of(256) * part.len() / 256;
        part[at] ^= 1;
        is_honest = false;
    }
    let salt = [script.byte(); 8];
    let ours = boot_id().filter(|_| script.yes());
    let mut is_read_again = ours.is_none();
    let mut journal = header(salt, ours.unwrap_or([9; 16]));
    let mut next = 0;
    for _ in 0..script.one_of(12) {
        match script.byte() {
            0..0xa0 => {
                let mut value = content.groups[next % content.groups.len()].to_bytes();
                if script.byte() > 0xf0 {
                    value[script.one_of(64)] ^= 1;
                    is_honest = false;
                }
                journal.extend(record(salt, b'G', next as u64, value));
                next += 1;
            }
            0xa0..0xc0 => {
                journal.extend(record(salt, b'S', script.number(), [0; 64]));
                is_read_again = false;
            }
            0xc0..0xd0 => {
                let mut value = [0; 64];
                value[..16].copy_from_slice(&boot_id().unwrap_or_default());
                journal.extend(record(salt, b'B', next as u64, value));
                is_read_again = false;
            }
            0xd0..0xe0 => journal.extend(record(salt, script.byte(), script.number(), [3; 64])),
            _ => journal.extend_from_slice(script.bytes(90)),
        }
    }
    while script.byte() > 0xf0 && !journal.is_empty() {
        let at = script.one_of(256) * journal.len() / 256;
        match script.yes() {
            true => journal[at] ^= 1 << script.one_of(8),
            false => journal.truncate(at),
        }
    }
    // What makes up a journal may stand in the bytes that come as they are.
    journal.extend_from_slice(script.rest());
    for (ending, bytes) in [("part", &part), ("journal", &journal)] {
        let path = folder.join(format!("file.p2pxfer-{ending}"));
        fs::write(&path, bytes).expect("a file of ours");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("a file of ours");
    }
    Planted {
        part,
        is_honest,
        is_read_again,
        is_trusted_though_changed: is_changed && !is_read_again,
    }
}

fn header(salt: [u8; 8], boot: [u8; 16]) -> Vec<u8> {
    let mut header = b"p2pxfer journal\n\x01".to_vec();
    header.extend(salt);
    header.extend(boot);
    header.extend((SIZE as u64).to_le_bytes());
    header.extend(MTIME.seconds.to_le_bytes());
    header.extend(MTIME.nanos.to_le_bytes());
    header.extend((NAME.len() as u16).to_le_bytes());
    header.extend(NAME);
    let check = blake3::hash(&header);
    header.extend(&check[..16]);
    header
}

fn record(salt: [u8; 8], kind: u8, number: u64, value: [u8; 64]) -> Vec<u8> {
    let mut salted = salt.to_vec();
    salted.push(kind);
    salted.extend(number.to_le_bytes());
    salted.extend(value);
    let check = blake3::hash(&salted);
    [&salted[8..], &check[..8]].concat()
}

fn boot_id() -> Option<[u8; 16]> {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let number = u128::from_str_radix(&text.trim().replace('-', ""), 16).ok()?;
    Some(number.to_be_bytes())
}
