//! A disk that is full, and a folder that may not be written to.

use std::process::Command;

use p2pxfer::transfer::{RefusalReason, Tree};

use crate::mount::Mount;
use crate::sender::{GROUP, below, bytes, file, folder, place, send};

#[test]
fn a_file_for_which_there_is_no_space_is_refused_at_once() {
    let Some(small) = Mount::new("store/no-space", "size=2m") else {
        return;
    };
    let all = [file("big", bytes(1, 9 << 20)), file("small", bytes(2, 10))];
    let outcome = send(&place(small.path()), &all, usize::MAX);
    let refusal = &outcome.refused[&0];
    if cfg!(feature = "libc") {
        assert!(!outcome.wanted.contains_key(&0));
        assert!(refusal.error.to_string().contains("make space"));
    }
    assert_eq!(refusal.why, RefusalReason::NoSpace);
    if cfg!(feature = "libc") {
        assert_eq!(below(small.path()), [small.path().join("small")]);
    }
}

#[test]
fn a_disk_that_fills_up_under_way_leaves_what_can_be_gone_on_with() {
    let Some(small) = Mount::new("store/disk-full", "size=4m") else {
        return;
    };
    let place = place(small.path());
    let ballast = small.path().join("ballast");
    let big = file("big", bytes(1, 12 * GROUP));
    let mut session = crate::sender::Session::open(&place);
    session.tree.entry(&big.entry);
    session.tree.begin(0, 0).unwrap();
    std::fs::write(&ballast, vec![1; 2 << 20]).unwrap();
    let written = big
        .bytes
        .chunks(64 << 10)
        .try_for_each(|piece| session.tree.write(piece));
    assert_eq!(written.unwrap_err().why, RefusalReason::NoSpace);
    drop(session);
    assert!(!small.path().join("big").exists());
    // Another test may be starting a program, which holds all our files open for a moment: what is removed
    // then keeps its space, and what is empty has none.
    std::fs::write(&ballast, []).unwrap();
    std::fs::remove_file(ballast).unwrap();
    let outcome = send(&place, std::slice::from_ref(&big), usize::MAX);
    let wanted = outcome.wanted.get(&0);
    assert!(
        wanted.is_some_and(|&offset| offset >= (4 * GROUP) as u64),
        "{outcome:?}"
    );
    crate::sender::check(small.path(), &[big]);
}

#[test]
fn small_files_on_a_full_disk_are_refused_one_by_one_and_leave_nothing() {
    let Some(small) = Mount::new("store/small-full", "size=1m") else {
        return;
    };
    let all: Vec<_> = (0..50)
        .map(|n| file(&format!("{n}"), bytes(n, 50_000)))
        .collect();
    let outcome = send(&place(small.path()), &all, usize::MAX);
    assert!(
        outcome
            .refused
            .values()
            .all(|r| r.why == RefusalReason::NoSpace)
    );
    assert!((15..=25).contains(&outcome.committed.len()), "{outcome:?}");
    assert_eq!(below(small.path()).len(), outcome.committed.len());
    assert_eq!(outcome.committed.len() + outcome.refused.len(), 50);
}

#[test]
fn a_folder_that_takes_nothing_is_refused_when_it_is_opened_or_when_it_is_met() {
    let Some(small) = Mount::new("store/read-only", "size=1m") else {
        return;
    };
    std::fs::create_dir(small.path().join("a")).unwrap();
    let all = [folder("a"), file("a/x", bytes(1, 10))];
    let mut session = crate::sender::Session::open(&place(small.path()));
    let remounted = Command::new("mount")
        .args(["-o", "remount,ro"])
        .arg(small.path())
        .status();
    assert!(remounted.unwrap().success());
    let outcome = session.send(&all, usize::MAX);
    assert_eq!(outcome.refused[&1].why, RefusalReason::File);
    let text = outcome.refused[&1].error.to_string();
    assert!(text.contains("read-only file system"), "{text}");
    drop(session);
    assert!(Tree::open(&place(small.path()), Box::new(|_| ())).is_err());
}
