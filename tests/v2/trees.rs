//! Folders of files, made and compared.

use std::fs;
use std::path::Path;

/// So many bytes that look random and are the same each time.
pub(crate) fn content(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed ^ 0x9e37_79b9_7f4a_7c15;
    let words = std::iter::repeat_with(|| {
        // xorshift64 (Marsaglia 2003).
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.flatten().take(length).collect()
}

/// A small folder with folders in it, one of them empty.
pub(crate) fn plant(root: &Path) {
    for path in ["a/deep", "b", "empty", ".hidden"] {
        fs::create_dir_all(root.join(path)).expect("a folder of our own");
    }
    for (path, length) in [
        ("a/deep/one", 100_000),
        ("a/two", 0),
        ("b/three.txt", 5),
        (".hidden/.four", 70_000),
        ("run", 20),
        ("\u{d55c}\u{ae00}.txt", 300_000),
    ] {
        let content = content(length, length as u64);
        fs::write(root.join(path), content).expect("a file of our own");
    }
}

/// The names in a folder, sorted.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("an entry").file_name())
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// Both folders hold the same files, folders and times, and nothing else but links in the first.
#[track_caller]
pub(crate) fn assert_same(one: &Path, other: &Path) {
    let mut sent = names(one);
    sent.retain(|name| !one.join(name).is_symlink());
    assert_eq!(sent, names(other), "{one:?} {other:?}");
    let time = |path: &Path| path.metadata().and_then(|metadata| metadata.modified());
    assert_eq!(
        time(one).expect("a time"),
        time(other).expect("a time"),
        "{other:?}"
    );
    for name in sent {
        let (one, other) = (one.join(&name), other.join(&name));
        if one.is_dir() {
            assert_same(&one, &other);
            continue;
        }
        let same = fs::read(&one).expect("a file") == fs::read(&other).expect("a file");
        assert!(same, "{other:?} has other bytes");
        assert_eq!(
            time(&one).expect("a time"),
            time(&other).expect("a time"),
            "{other:?}"
        );
    }
}
