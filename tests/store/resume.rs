//! A transfer that was cut goes on where it was, and never from what is not proved.

use std::fs;
use std::path::{Path, PathBuf};

use p2pxfer::transfer::{Decision, EntryKind, Item, Output, Place, Target, Tree};

use crate::sender::{GROUP, bytes, check, file, place, send};
use crate::temp::TempDir;

/// A file that fills three groups and a bit.
fn three() -> crate::sender::Sent {
    file("big.bin", bytes(1, 5 * GROUP + 1000))
}

fn part(root: &Path) -> PathBuf {
    root.join("big.bin.p2pxfer-part")
}

fn journal(root: &Path) -> PathBuf {
    root.join("big.bin.p2pxfer-journal")
}

/// A folder with what a cut behind three whole groups leaves: the part and its journal.
fn cut(temp: &TempDir) -> (Vec<u8>, Vec<u8>) {
    let outcome = send(&place(temp.path()), &[three()], 3 * GROUP + 100);
    assert!(outcome.committed.is_empty() && outcome.refused.is_empty());
    let read = |path: PathBuf| fs::read(path).unwrap();
    (read(part(temp.path())), read(journal(temp.path())))
}

/// Plants a part and a journal, and answers from where on the rest is wanted; the end is checked.
fn wanted_of(part_bytes: &[u8], journal_bytes: &[u8]) -> u64 {
    let temp = TempDir::new();
    fs::write(part(temp.path()), part_bytes).unwrap();
    fs::write(journal(temp.path()), journal_bytes).unwrap();
    let outcome = send(&place(temp.path()), &[three()], usize::MAX);
    assert!(outcome.refused.is_empty(), "{outcome:?}");
    check(temp.path(), &[three()]);
    outcome.wanted[&0]
}

#[test]
fn a_cut_after_any_number_of_bytes_asks_at_most_one_group_again() {
    for limit in [
        1,
        GROUP - 1,
        GROUP,
        GROUP + 1,
        2 * GROUP + 7,
        5 * GROUP,
        5 * GROUP + 999,
    ] {
        let temp = TempDir::new();
        let place = place(temp.path());
        let outcome = send(&place, &[three()], limit);
        assert!(outcome.committed.is_empty());
        assert!(!temp.path().join("big.bin").exists());
        let outcome = send(&place, &[three()], usize::MAX);
        let wanted = outcome.wanted[&0] as usize;
        assert_eq!(wanted, limit / GROUP * GROUP, "{limit}");
        check(temp.path(), &[three()]);
    }
}

#[test]
fn many_cuts_in_a_row_add_up() {
    let temp = TempDir::new();
    let place = place(temp.path());
    let mut had = 0;
    while !temp.path().join("big.bin").exists() {
        let outcome = send(&place, &[three()], GROUP + 1);
        let wanted = outcome.wanted[&0];
        assert_eq!(wanted, had);
        had += GROUP as u64;
    }
    check(temp.path(), &[three()]);
}

#[test]
fn a_part_is_private_until_it_is_complete() {
    let temp = TempDir::new();
    cut(&temp);
    #[cfg(unix)]
    for path in [part(temp.path()), journal(temp.path())] {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
    }
}

#[test]
fn a_journal_torn_at_any_byte_proves_what_is_whole_in_it() {
    let temp = TempDir::new();
    let (part, journal) = cut(&temp);
    let record = 81;
    let header = journal.len() - 3 * record;
    // Every byte around each border, and every seventh else: each is a transfer of its own.
    let near = |at: usize| (0..=3).any(|n| at.abs_diff(header + n * record) <= 2);
    for at in (0..=journal.len()).filter(|&at| at % 7 == 0 || near(at)) {
        let whole = at.checked_sub(header).map_or(0, |records| records / record);
        let wanted = wanted_of(&part, &journal[..at]);
        assert_eq!(wanted as usize, whole * GROUP, "torn at {at}");
    }
}

#[test]
fn a_journal_with_a_flipped_bit_is_not_believed_from_there_on() {
    let temp = TempDir::new();
    let (part, journal) = cut(&temp);
    let record = 81;
    let header = journal.len() - 3 * record;
    for at in (0..journal.len()).step_by(5) {
        let mut lies = journal.clone();
        lies[at] ^= 1 << (at % 8);
        let wanted = wanted_of(&part, &lies) as usize;
        let whole = at.checked_sub(header).map_or(0, |records| records / record);
        assert_eq!(wanted, whole * GROUP, "flipped at {at}");
    }
}

#[test]
fn a_part_that_is_shorter_than_its_journal_counts() {
    let temp = TempDir::new();
    let (part, journal) = cut(&temp);
    for (length, groups) in [
        (0, 0),
        (1, 0),
        (GROUP, 1),
        (2 * GROUP - 1, 1),
        (2 * GROUP, 2),
    ] {
        let wanted = wanted_of(&part[..length], &journal);
        assert_eq!(wanted as usize, groups * GROUP, "{length}");
    }
}

#[test]
fn after_another_start_of_the_machine_what_was_not_synced_is_read_again() {
    if !Path::new("/proc/sys/kernel/random/boot_id").exists() || cfg!(not(feature = "libc")) {
        // Without an id that is so each time, which the other tests show.
        return;
    }
    let temp = TempDir::new();
    let (part, journal) = cut(&temp);
    // The header of another start: its check is over all before it.
    let check_at = journal.len() - 3 * 81 - 16;
    let mut other = journal.clone();
    other[25] ^= 1;
    let check = p2pxfer::crypto::blake3::hash(&other[..check_at]);
    other[check_at..check_at + 16].copy_from_slice(&check[..16]);
    assert_eq!(wanted_of(&part, &other) as usize, 3 * GROUP);
    // A group that never reached the disk.
    let mut lost = part.clone();
    lost[GROUP + 5] ^= 1;
    assert_eq!(wanted_of(&lost, &other) as usize, GROUP);
}

#[test]
fn what_was_proved_after_another_start_is_proved_once() {
    let temp = TempDir::new();
    let (_, journal_bytes) = cut(&temp);
    let check_at = journal_bytes.len() - 3 * 81 - 16;
    let mut other = journal_bytes.clone();
    other[25] ^= 1;
    let check = p2pxfer::crypto::blake3::hash(&other[..check_at]);
    other[check_at..check_at + 16].copy_from_slice(&check[..16]);
    fs::write(journal(temp.path()), other).unwrap();
    let place = place(temp.path());
    let outcome = send(&place, &[three()], 1);
    assert_eq!(outcome.wanted[&0] as usize, 3 * GROUP);
    let outcome = send(&place, &[three()], usize::MAX);
    assert_eq!(outcome.wanted[&0] as usize, 3 * GROUP);
    check_end(temp.path());
}

fn check_end(root: &Path) {
    check(root, &[three()]);
}

#[test]
fn a_source_of_another_size_or_time_is_begun_anew() {
    for (size, seconds) in [(5 * GROUP + 1001, 0), (5 * GROUP + 1000, 1)] {
        let temp = TempDir::new();
        cut(&temp);
        let mut other = file("big.bin", bytes(1, size));
        other.entry.mtime.seconds += seconds;
        let outcome = send(&place(temp.path()), &[other], usize::MAX);
        assert_eq!(outcome.wanted[&0], 0);
        assert_eq!(outcome.committed.len(), 1);
    }
}

#[test]
fn a_source_that_was_changed_behind_its_time_is_begun_anew() {
    let temp = TempDir::new();
    cut(&temp);
    let other = file("big.bin", bytes(2, 5 * GROUP + 1000));
    let outcome = send(
        &place(temp.path()),
        std::slice::from_ref(&other),
        usize::MAX,
    );
    assert_eq!(outcome.wanted[&0] as usize, 3 * GROUP);
    check(temp.path(), &[other]);
}

#[test]
fn a_file_with_the_longest_name_is_resumed_too_and_apart_from_its_like() {
    let temp = TempDir::new();
    let place = place(temp.path());
    let a = file(&("n".repeat(254) + "a"), bytes(1, 8 * GROUP));
    let b = file(&("n".repeat(254) + "b"), bytes(2, 8 * GROUP));
    for sent in [&a, &b] {
        send(&place, std::slice::from_ref(sent), 2 * GROUP);
    }
    let outcome = send(&place, &[a.clone(), b.clone()], usize::MAX);
    assert_eq!(outcome.wanted[&0] as usize, 2 * GROUP);
    assert_eq!(outcome.wanted[&1] as usize, 2 * GROUP);
    check(temp.path(), &[a, b]);
}

#[test]
fn what_one_sender_has_written_to_a_writer_is_not_followed_by_what_another_sends() {
    let place = Place {
        target: Target::Output(Output::new(Vec::new())),
        overwrite: false,
    };
    let mut tree = Tree::open(&place, Box::new(|_| ())).unwrap();
    let sent = file("a", bytes(1, 10));
    let item = |kind| Item {
        kind,
        name: b"a".to_vec(),
        files: 1,
        bytes: Some(10),
        complete: true,
    };
    assert!(tree.offer([1; 16], &[item(EntryKind::Text)]).is_err());
    // Nothing has come of the first one.
    tree.offer([2; 16], &[item(EntryKind::File)]).unwrap();
    tree.offer([3; 16], &[item(EntryKind::File)]).unwrap();
    assert!(matches!(tree.entry(&sent.entry), Decision::Want { .. }));
    tree.begin(0, 0).unwrap();
    tree.write(&sent.bytes[..5]).unwrap();
    tree.interrupt();
    tree.offer([3; 16], &[item(EntryKind::File)]).unwrap();
    let error = tree.offer([4; 16], &[item(EntryKind::File)]).unwrap_err();
    assert!(error.to_string().contains("stays written"), "{error}");
}
