//! The sender's machine against a receiver that says anything: it is asked only for bytes that there are, of
//! entries that were announced, and believes only what can be so.

use std::collections::BTreeMap;

use p2pxfer::crypto::blake3::{GROUP, Hash};
use p2pxfer::transfer::EntryKind;
use p2pxfer::transfer::v2::sender::{Heard, Job, Sender};
use p2pxfer::wire::v2::FromReceiver;

use super::script::Script;

struct Open {
    kind: EntryKind,
    size: Option<u64>,
    /// What END said, or SAME.
    went: Option<Hash>,
    sent: u64,
    times: u32,
}

pub(crate) fn run(bytes: &[u8]) {
    let mut script = Script::new(bytes);
    let mut machine = Sender::default();
    let mut open: BTreeMap<u64, Open> = BTreeMap::new();
    let (mut next, mut last, mut said_final) = (0, None, false);
    let mut accepted = false;
    let mut plain = Vec::new();
    while !script.is_over() {
        match script.one_of(8) {
            0 if last.is_none() && machine.has_room() => {
                let kind = EntryKind::from_number(1 + script.byte() % 5).expect("a kind");
                let size = (kind != EntryKind::Stream).then(|| script.number());
                next += u64::from(script.byte() % 3);
                machine.announce(next, kind, size, 1 + script.one_of(255), None);
                let entry = Open {
                    kind,
                    size,
                    went: None,
                    sent: 0,
                    times: 0,
                };
                open.insert(next, entry);
                next += 1;
            }
            1 if last.is_none() && script.yes() => {
                last = Some(next);
                machine.last(next);
            }
            2 => {
                if let Some(job) = machine.poll_job() {
                    does(job, &mut script, &mut machine, &mut open);
                }
            }
            3 => {
                if let Some(entries) = machine.poll_final() {
                    assert!(!said_final && open.is_empty() && Some(entries) == last);
                    said_final = true;
                }
            }
            _ => {
                plain.clear();
                says(&mut script, &mut plain);
                let Ok(record) = FromReceiver::decode(&plain) else {
                    return;
                };
                let Ok(heard) = machine.handle(record.clone()) else {
                    return;
                };
                match heard {
                    Heard::Accepted => {
                        assert!(!accepted);
                        accepted = true;
                    }
                    Heard::Committed { index } => {
                        let entry = open.remove(&index).expect("it was open");
                        let FromReceiver::Committed { hash, .. } = record else {
                            panic!("committed without a word");
                        };
                        match entry.kind {
                            EntryKind::File | EntryKind::Stream => {
                                assert_eq!(entry.went, Some(hash))
                            }
                            EntryKind::Text => assert!(entry.went.is_some()),
                            EntryKind::Folder | EntryKind::FolderEnd => {}
                        }
                    }
                    Heard::Skipped { index, .. } => {
                        open.remove(&index).expect("it was open");
                    }
                    Heard::Acknowledged { index, offset } => {
                        let entry = &open[&index];
                        assert!(entry.kind == EntryKind::Stream && offset <= entry.sent);
                    }
                    Heard::Finished => {
                        assert!(said_final);
                        assert!(machine.handle(FromReceiver::Nop).is_err());
                        return;
                    }
                    Heard::Asked => {
                        assert!(accepted);
                        // Whether a stream still has these bytes shows when it is read.
                        if let FromReceiver::Want { index, offset, .. } = record {
                            let entry = open.get_mut(&index).expect("it is open");
                            entry.sent = entry.sent.max(offset);
                        }
                    }
                    Heard::Nothing | Heard::Aborted { .. } => {}
                }
            }
        }
        assert!(open.keys().all(|&index| machine.is_open(index)));
        if machine.is_all_sent() {
            assert!(accepted && last.is_some());
        }
    }
}

/// The receiver asked for something: it is there, and is asked for twice at most.
fn does(job: Job, script: &mut Script<'_>, machine: &mut Sender, open: &mut BTreeMap<u64, Open>) {
    let (Job::Send { index, .. } | Job::Compare { index, .. }) = job;
    let entry = open.get_mut(&index).expect("it is open");
    entry.times += 1;
    assert!(entry.times <= 2);
    match job {
        Job::Send { offset, .. } => {
            assert!(!matches!(
                entry.kind,
                EntryKind::Folder | EntryKind::FolderEnd
            ));
            if entry.kind != EntryKind::Stream {
                assert!(offset % GROUP as u64 == 0 && Some(offset) <= entry.size);
                assert!(entry.times == 1 || offset == 0);
            }
            entry.sent = entry.sent.max(offset);
        }
        Job::Compare { .. } => assert_eq!(entry.kind, EntryKind::File),
    }
    match script.one_of(4) {
        0 => {
            machine.give_up(index);
            open.remove(&index);
        }
        1 => {
            entry.sent = entry.sent.saturating_add(script.number());
            machine.sent(index, entry.sent);
        }
        _ => {
            let hash = [script.byte() % 2; 32];
            entry.went = Some(hash);
            machine.end(index, hash);
        }
    }
}

fn says(script: &mut Script<'_>, plain: &mut Vec<u8>) {
    let hash = [script.byte() % 2; 32];
    let record = match script.one_of(10) {
        0 => FromReceiver::Accept,
        1 | 2 => FromReceiver::Want {
            index: script.number(),
            offset: script.number(),
            prefix: hash,
        },
        3 => FromReceiver::Have {
            index: script.number(),
            hash,
        },
        4 => FromReceiver::Skip {
            index: script.number(),
            reason: 1 + script.byte() % 5,
            text: b"text",
        },
        5 | 6 => FromReceiver::Committed {
            index: script.number(),
            hash,
        },
        7 => FromReceiver::Ack {
            index: script.number(),
            offset: script.number(),
        },
        8 => FromReceiver::Final {
            committed: script.number(),
            skipped: script.number(),
        },
        _ => return plain.extend_from_slice(script.bytes(50)),
    };
    record.encode(plain);
}
