//! What somebody planted in the place of a part, a journal or a folder is not written to.

use std::fs;
use std::path::Path;

use crate::sender::{GROUP, Session, bytes, check, file, folder, place, send};
use crate::temp::TempDir;

/// Whether sending `big.bin` is refused with this text, and the other file arrives.
fn refused(root: &Path, text: &str) {
    let all = [
        file("big.bin", bytes(1, 5 * GROUP)),
        file("other", bytes(2, 10)),
    ];
    let outcome = send(&place(root), &all, usize::MAX);
    let refusal = outcome
        .refused
        .get(&0)
        .expect("a refusal")
        .error
        .to_string();
    assert!(refusal.contains(text), "{refusal}");
    assert!(!root.join("big.bin").exists());
    assert_eq!(fs::read(root.join("other")).unwrap(), all[1].bytes);
}

#[cfg(unix)]
#[test]
fn a_part_or_a_journal_that_is_a_link_a_fifo_or_a_second_name_is_refused() {
    use std::os::unix::fs::symlink;
    for ending in ["part", "journal"] {
        let name = format!("big.bin.p2pxfer-{ending}");
        let temp = TempDir::new();
        let victim = TempDir::new();
        let precious = victim.path().join("precious");
        let at = temp.path().join(&name);
        fs::write(&precious, b"precious").unwrap();
        symlink(&precious, &at).unwrap();
        refused(temp.path(), "symbolic link");
        fs::remove_file(&at).unwrap();
        fs::remove_file(temp.path().join("other")).unwrap();

        fs::hard_link(&precious, &at).unwrap();
        refused(temp.path(), "hard link");
        fs::remove_file(&at).unwrap();
        fs::remove_file(temp.path().join("other")).unwrap();
        assert_eq!(fs::read(&precious).unwrap(), b"precious");

        let made = std::process::Command::new("mkfifo").arg(&at).status();
        if made.is_ok_and(|status| status.success()) {
            refused(temp.path(), "not a regular file");
        }
    }
}

#[cfg(all(unix, feature = "libc"))]
#[test]
fn a_part_of_another_user_is_refused() {
    let temp = TempDir::new();
    let at = temp.path().join("big.bin.p2pxfer-part");
    fs::write(&at, b"").unwrap();
    if std::os::unix::fs::chown(&at, Some(12345), None).is_err() {
        eprintln!("SKIP another-user: only root can give a file away");
        return;
    }
    refused(temp.path(), "another user");
}

#[test]
fn a_file_that_another_transfer_is_receiving_is_refused() {
    let temp = TempDir::new();
    let mut first = Session::open(&place(temp.path()));
    let big = file("big.bin", bytes(1, 5 * GROUP));
    first.tree.entry(&big.entry);
    first.tree.begin(0, 0).unwrap();
    first.tree.write(&big.bytes[..GROUP]).unwrap();
    refused(temp.path(), "in use by another transfer");
    fs::remove_file(temp.path().join("other")).unwrap();
    first.tree.write(&big.bytes[GROUP..]).unwrap();
    let hash = p2pxfer::crypto::blake3::hash(&big.bytes);
    first.tree.finish(big.bytes.len() as u64, &hash).unwrap();
    drop(first);
    check(temp.path(), &[big]);
}

#[cfg(unix)]
#[test]
fn a_folder_that_is_a_link_is_not_received_through() {
    let (temp, outside) = (TempDir::new(), TempDir::new());
    std::os::unix::fs::symlink(outside.path(), temp.path().join("a")).unwrap();
    let all = [
        folder("a"),
        file("a/x", bytes(1, 10)),
        file("b", bytes(2, 10)),
    ];
    let outcome = send(&place(temp.path()), &all, usize::MAX);
    assert_eq!(outcome.refused.len(), 2, "{outcome:?}");
    assert!(
        outcome.refused[&0]
            .error
            .to_string()
            .contains("symbolic link")
    );
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    assert!(temp.path().join("b").is_file());
}

#[cfg(unix)]
#[test]
fn a_link_under_the_final_name_is_neither_followed_nor_replaced() {
    let (temp, outside) = (TempDir::new(), TempDir::new());
    let precious = outside.path().join("precious");
    fs::write(&precious, b"precious").unwrap();
    std::os::unix::fs::symlink(&precious, temp.path().join("x")).unwrap();
    let outcome = send(&place(temp.path()), &[file("x", bytes(1, 8))], usize::MAX);
    assert!(outcome.committed[&0].renamed);
    assert_eq!(fs::read(&precious).unwrap(), b"precious");
    assert_eq!(fs::read(temp.path().join("x (1)")).unwrap(), bytes(1, 8));
}

#[test]
fn a_path_that_breaks_a_rule_is_refused_and_the_others_go_on() {
    let temp = TempDir::new();
    let inner = temp.path().join("inner");
    fs::create_dir(&inner).unwrap();
    let deep = vec!["d"; 65].join("/");
    let bad = [
        "../x",
        "a/../../x",
        "..",
        ".",
        ".bashrc",
        "a//x",
        "",
        "a/CON",
        "a/x.p2pxfer-part",
        "a/x.P2PXFER-JOURNAL",
        "a/b:c",
        "a/tail.",
        &deep,
    ];
    let mut all = vec![folder("a")];
    all.extend(bad.iter().map(|path| file(path, bytes(1, 10))));
    all.push(file("a/.hidden", bytes(2, 10)));
    let mut back = file("a/x", bytes(1, 10));
    back.entry.path = vec![b"a".to_vec(), b"..\\x".to_vec()];
    all.push(back);
    let outcome = send(&place(&inner), &all, usize::MAX);
    assert_eq!(
        outcome.refused.len(),
        bad.len() + 1,
        "{:?}",
        outcome.refused.keys()
    );
    let [a, hidden] = [0, bad.len() + 1].map(|at| all[at].clone());
    check(&inner, &[a, hidden]);
    assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 1);
}
