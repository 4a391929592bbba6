//! Trees, names that are taken, and what goes on in memory.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use p2pxfer::crypto::blake3;
use p2pxfer::transfer::{Decision, EntryKind, Finished, RefusalReason};

use crate::sender::{
    GROUP, MTIME, Session, below, bytes, check, file, folder, folder_end, place, send, sent,
};
use crate::temp::TempDir;

#[test]
fn a_tree_arrives_with_its_times_and_bits_and_nothing_else() {
    let temp = TempDir::new();
    let all = [
        folder("a"),
        folder("a/b"),
        file("a/b/empty", Vec::new()),
        file("a/b/run.sh", bytes(1, 300)),
        folder_end("a/b"),
        file("a/big.bin", bytes(2, 9 * GROUP + 1)),
        folder("a/c"),
        folder_end("a/c"),
        file("a/one-mebi", bytes(3, 4 * GROUP)),
        folder_end("a"),
        file("z", bytes(4, 5000)),
    ];
    let outcome = send(&place(temp.path()), &all, usize::MAX);
    assert_eq!(outcome.committed.len(), all.len(), "{outcome:?}");
    for (index, committed) in &outcome.committed {
        let sent = &all[*index as usize];
        if sent.entry.kind == EntryKind::File {
            assert_eq!(committed.hash, blake3::hash(&sent.bytes));
        }
    }
    check(temp.path(), &all);
    // The same again: nothing crosses.
    let outcome = send(&place(temp.path()), &all, 0);
    assert!(outcome.wanted.is_empty());
    assert_eq!(outcome.had.len(), 5);
    assert!(outcome.committed.values().filter(|c| c.present).count() >= 5);
    check(temp.path(), &all);
}

#[test]
fn ten_thousand_small_files_are_settled_with_few_descriptors() {
    let temp = TempDir::new();
    let mut session = Session::open(&place(temp.path()));
    for part in 0..20 {
        let name = format!("f{part}");
        let mut all = vec![folder(&name)];
        all.extend((0..500).map(|n| file(&format!("{name}/{n}"), bytes(n + 1, 100))));
        all.push(folder_end(&name));
        for (at, sent) in all.iter_mut().enumerate() {
            sent.entry.index = part * 502 + at as u64;
        }
        for sent in &all {
            match session.tree.entry(&sent.entry) {
                Decision::Want { offset: 0, .. } => {}
                Decision::Later => continue,
                other => panic!("{other:?}"),
            }
            session.tree.begin(sent.entry.index, 0).unwrap();
            session.tree.write(&sent.bytes).unwrap();
            let hash = blake3::hash(&sent.bytes);
            let length = sent.bytes.len() as u64;
            assert_eq!(session.tree.finish(length, &hash).unwrap(), Finished::Later);
        }
        if cfg!(target_os = "linux") {
            let open = fs::read_dir("/proc/self/fd").unwrap().count();
            assert!(open < 900, "{open} descriptors");
        }
    }
    session.tree.interrupt();
    let settled: Vec<_> = session.settled.try_iter().collect();
    assert_eq!(settled.len(), 20 * 502);
    assert!(settled.iter().all(|settled| settled.result.is_ok()));
    assert_eq!(below(temp.path()).len(), 20 * 501);
}

#[test]
fn a_taken_name_gets_a_number_and_with_overwrite_is_replaced() {
    let temp = TempDir::new();
    let at = |name: &str| temp.path().join(name);
    fs::write(at("x.txt"), b"mine").unwrap();
    let first = file("x.txt", bytes(1, 100));
    let outcome = send(
        &place(temp.path()),
        std::slice::from_ref(&first),
        usize::MAX,
    );
    let committed = &outcome.committed[&0];
    assert!(committed.renamed);
    assert_eq!(committed.path.as_deref(), Some(at("x (1).txt").as_path()));
    assert_eq!(fs::read(at("x.txt")).unwrap(), b"mine");
    // The one with the number is found when it comes again.
    let outcome = send(&place(temp.path()), std::slice::from_ref(&first), 0);
    assert_eq!(outcome.had, [0]);
    // Of the same size and time, but other bytes: another one.
    let second = file("x.txt", bytes(2, 100));
    let outcome = send(
        &place(temp.path()),
        std::slice::from_ref(&second),
        usize::MAX,
    );
    assert_eq!(outcome.had, [0]);
    assert_eq!(fs::read(at("x (2).txt")).unwrap(), second.bytes);

    let mut over = place(temp.path());
    over.overwrite = true;
    send(&over, std::slice::from_ref(&second), usize::MAX);
    assert_eq!(fs::read(at("x.txt")).unwrap(), second.bytes);
    assert_eq!(below(temp.path()).len(), 3);
}

#[test]
fn a_folder_in_the_place_of_a_file_and_the_other_way_round_is_refused() {
    let temp = TempDir::new();
    fs::write(temp.path().join("a"), b"mine").unwrap();
    fs::create_dir(temp.path().join("b")).unwrap();
    let mut over = place(temp.path());
    over.overwrite = true;
    let all = [
        folder("a"),
        file("a/x", bytes(1, 1)),
        file("b", bytes(2, 2)),
    ];
    let outcome = send(&over, &all, usize::MAX);
    assert_eq!(outcome.refused.len(), 3, "{outcome:?}");
    assert_eq!(fs::read(temp.path().join("a")).unwrap(), b"mine");
}

#[test]
fn a_small_file_that_comes_from_two_senders_at_once_is_nowhere_until_it_is_whole_and_then_twice() {
    let (temp, name) = (TempDir::new(), "x");
    let found = || fs::read_dir(temp.path()).unwrap().count();
    if cfg!(not(all(target_os = "linux", feature = "libc"))) {
        // Elsewhere it has a part, and the second sender is refused.
        return;
    }
    let all = [file(name, bytes(1, 3000)), file(name, bytes(2, 3000))];
    let mut sessions = [(); 2].map(|()| Session::open(&place(temp.path())));
    for (session, sent) in sessions.iter_mut().zip(&all) {
        assert!(matches!(
            session.tree.entry(&sent.entry),
            Decision::Want { .. }
        ));
        session.tree.begin(0, 0).unwrap();
        session.tree.write(&sent.bytes[..2000]).unwrap();
        if found() > 0 {
            let why = "SKIP store-nameless: this file system has no files without a name";
            let _ = writeln!(std::io::stderr(), "{why}");
            return;
        }
    }
    for (session, sent) in sessions.iter_mut().zip(&all) {
        session.tree.write(&sent.bytes[2000..]).unwrap();
        let hash = blake3::hash(&sent.bytes);
        session.tree.finish(3000, &hash).unwrap();
        session.tree.interrupt();
    }
    for (name, sent) in ["x", "x (1)"].iter().zip(&all) {
        assert_eq!(fs::read(temp.path().join(name)).unwrap(), sent.bytes);
    }
    assert_eq!(found(), 2);
    // One that is not whole leaves nothing either.
    let third = file("y", bytes(3, 3000));
    let mut session = Session::open(&place(temp.path()));
    session.tree.entry(&third.entry);
    session.tree.begin(0, 0).unwrap();
    session.tree.write(&third.bytes[..2000]).unwrap();
    drop(session);
    assert_eq!(found(), 2);
}

#[test]
fn the_same_path_twice_in_one_session_becomes_two_files() {
    let temp = TempDir::new();
    let all = [
        file("x", bytes(1, 10)),
        file("x", bytes(2, 10)),
        file("x", bytes(3, 10)),
    ];
    let outcome = send(&place(temp.path()), &all, usize::MAX);
    assert_eq!(outcome.committed.len(), 3, "{outcome:?}");
    for (name, sent) in ["x", "x (1)", "x (2)"].iter().zip(&all) {
        assert_eq!(fs::read(temp.path().join(name)).unwrap(), sent.bytes);
    }
}

#[test]
fn a_hash_that_does_not_hold_is_asked_once_more_and_then_refused() {
    for size in [100, 5 * GROUP] {
        let temp = TempDir::new();
        let mut session = Session::open(&place(temp.path()));
        let sent = file("x", bytes(1, size));
        let wrong = [0; 32];
        session.tree.entry(&sent.entry);
        session.tree.begin(0, 0).unwrap();
        session.tree.write(&sent.bytes).unwrap();
        let finished = session.tree.finish(size as u64, &wrong).unwrap();
        assert_eq!(finished, Finished::Again);
        session.tree.begin(0, 0).unwrap();
        session.tree.write(&sent.bytes).unwrap();
        assert!(session.tree.finish(size as u64, &wrong).is_err());
        session.tree.interrupt();
        assert_eq!(below(temp.path()), [] as [&Path; 0]);
    }
}

#[test]
fn more_bytes_than_announced_are_refused_and_leave_nothing() {
    let temp = TempDir::new();
    let mut session = Session::open(&place(temp.path()));
    session.tree.entry(&file("x", bytes(1, 10)).entry);
    session.tree.begin(0, 0).unwrap();
    let refusal = session.tree.write(&[0; 11]).unwrap_err();
    assert_eq!(refusal.why, RefusalReason::File);
    session.tree.write(&[0; 5]).unwrap();
    assert_eq!(
        session.tree.finish(16, &[0; 32]).unwrap(),
        Finished::Refused
    );
    assert_eq!(below(temp.path()), [] as [&Path; 0]);
}

#[test]
fn a_stream_goes_on_at_any_byte_while_the_receiver_lives() {
    let temp = TempDir::new();
    let mut session = Session::open(&place(temp.path()));
    let sent = sent(EntryKind::Stream, "stdin", bytes(1, 3 * GROUP + 17));
    let cut = 2 * GROUP + 3;
    session.tree.entry(&sent.entry);
    session.tree.begin(0, 0).unwrap();
    session.tree.write(&sent.bytes[..cut]).unwrap();
    assert_eq!(session.tree.taken(), cut as u64);
    session.tree.interrupt();
    session.tree.offer([7; 16], &[]).unwrap();
    match session.tree.entry(&sent.entry) {
        Decision::Want { offset, prefix } => {
            assert_eq!(offset, cut as u64);
            assert_eq!(prefix, blake3::hash(&sent.bytes[..cut]));
        }
        other => panic!("{other:?}"),
    }
    session.tree.begin(0, cut as u64).unwrap();
    session.tree.write(&sent.bytes[cut..]).unwrap();
    let hash = blake3::hash(&sent.bytes);
    session.tree.finish(sent.bytes.len() as u64, &hash).unwrap();
    session.tree.interrupt();
    assert_eq!(fs::read(temp.path().join("stdin")).unwrap(), sent.bytes);
    // What was settled is known when its answer was lost.
    assert!(
        matches!(session.tree.entry(&sent.entry), Decision::Settled { hash: known } if known == hash)
    );
    assert_eq!(below(temp.path()).len(), 1);
}

#[test]
fn a_stream_of_a_receiver_that_ends_leaves_nothing() {
    let temp = TempDir::new();
    let mut session = Session::open(&place(temp.path()));
    session
        .tree
        .entry(&sent(EntryKind::Stream, "stdin", Vec::new()).entry);
    session.tree.begin(0, 0).unwrap();
    session.tree.write(&[1; 1000]).unwrap();
    session.tree.interrupt();
    drop(session);
    assert_eq!(below(temp.path()), [] as [&Path; 0]);
}

#[test]
fn a_text_is_handed_over_and_becomes_no_file() {
    let temp = TempDir::new();
    let text = sent(EntryKind::Text, "text", b"hello".to_vec());
    let outcome = send(&place(temp.path()), &[text], usize::MAX);
    assert_eq!(outcome.committed[&0].text.as_deref(), Some(&b"hello"[..]));
    assert_eq!(below(temp.path()), [] as [&Path; 0]);
}

#[test]
fn a_new_name_is_for_one_file_or_folder_whatever_the_sender_calls_it() {
    let temp = TempDir::new();
    let here = place(&temp.path().join("here"));
    let all = [
        folder(".there"),
        file(".there/x", bytes(1, 10)),
        folder_end(".there"),
    ];
    let outcome = send(&here, &all, usize::MAX);
    assert_eq!(outcome.committed.len(), 3, "{outcome:?}");
    assert_eq!(fs::read(temp.path().join("here/x")).unwrap(), all[1].bytes);
    let _ = MTIME;
}

#[test]
fn what_is_given_up_goes_when_it_changed_and_stays_else() {
    for (changed, left) in [(false, 2), (true, 0)] {
        let temp = TempDir::new();
        let mut session = Session::open(&place(temp.path()));
        let big = file("x", bytes(1, 5 * GROUP));
        session.tree.entry(&big.entry);
        session.tree.begin(0, 0).unwrap();
        session.tree.write(&big.bytes[..2 * GROUP]).unwrap();
        session.tree.give_up(0, changed);
        assert_eq!(below(temp.path()).len(), left);
    }
}
