//! The receiver's machine against a sender that says anything, and a disk that answers anything. Beside it runs a
//! model of what was announced, and what the machine lets through must fit that.

use std::collections::BTreeMap;

use p2pxfer::crypto::blake3::GROUP;
use p2pxfer::transfer::EntryKind;
use p2pxfer::transfer::v2::receiver::{Heard, Receiver};
use p2pxfer::transfer::v2::{WINDOW, WINDOW_BYTES};
use p2pxfer::wire::v2::{Entry, FromSender};

use super::script::Script;

#[derive(Default)]
struct Model {
    open: BTreeMap<u64, Open>,
    next: u64,
    begun: Option<Begun>,
    committed: u64,
    skipped: u64,
}

struct Open {
    size: Option<u64>,
    path_bytes: usize,
    /// From where it was wanted last; 0 for one that was compared.
    wanted: Option<u64>,
    /// All of it came, or is there.
    is_here: bool,
}

struct Begun {
    index: u64,
    reached: u64,
}

pub(crate) fn run(bytes: &[u8]) {
    let mut script = Script::new(bytes);
    let mut machine = Receiver::default();
    let mut model = Model::default();
    let mut plain = Vec::new();
    if script.byte() < 0xf0 {
        offer(&mut machine);
    }
    while !script.is_over() {
        if script.one_of(4) == 0 {
            act(&mut script, &mut machine, &mut model);
            continue;
        }
        plain.clear();
        says(&mut script, &mut plain);
        // What is made here may be none: then the session is over, as it is for the machine.
        let Ok(record) = FromSender::decode(&plain) else {
            return;
        };
        let Ok(heard) = machine.handle(record) else {
            return;
        };
        let over = matches!(heard, Heard::Final);
        model.hears(heard, machine.counts());
        if over {
            assert!(machine.handle(FromSender::Nop).is_err());
            return;
        }
        let bytes: usize = model.open.values().map(|open| open.path_bytes).sum();
        assert!(model.open.len() <= WINDOW && bytes <= WINDOW_BYTES);
    }
}

fn offer(machine: &mut Receiver) {
    for (kind, name) in [(1, "file"), (2, "folder"), (3, "text"), (4, "stream")] {
        let item = FromSender::Item {
            kind,
            complete: true,
            files: 1,
            bytes: None,
            name: name.as_bytes(),
        };
        assert_eq!(machine.handle(item), Ok(Heard::Nothing));
    }
    let run = [1; 16];
    let offered = machine.handle(FromSender::Offer { run, items: 4 });
    assert_eq!(offered, Ok(Heard::Offer { run }));
}

fn says(script: &mut Script<'_>, plain: &mut Vec<u8>) {
    let hash = [script.byte(); 32];
    let record = match script.one_of(16) {
        0..5 => {
            let kind = 1 + script.byte() % 5;
            let name: &[u8] = [&b"file"[..], b"folder", b"text", b"stream"][script.one_of(4)];
            let mut path = vec![name.to_vec()];
            path.extend((0..script.one_of(3)).map(|_| vec![b'x'; 1 + script.one_of(255)]));
            FromSender::Entry(Entry {
                index: script.number(),
                item: u32::from(script.byte() % 5),
                kind,
                executable: script.yes(),
                size: (kind != 4).then(|| script.number() % u64::MAX),
                seconds: script.number() as i64,
                nanos: script.byte().into(),
                path,
            })
        }
        5 | 6 => FromSender::Begin {
            index: script.number(),
            offset: script.number(),
        },
        7..9 => FromSender::Data(&[7; 300][..1 + script.one_of(256)]),
        9 => FromSender::End {
            length: script.number(),
            hash,
        },
        10 => FromSender::Same {
            index: script.number(),
        },
        11 => FromSender::GiveUp {
            index: script.number(),
            reason: 1 + script.byte() % 4,
            text: b"text",
        },
        12 => FromSender::Last {
            entries: script.number(),
            missing: script.number(),
        },
        13 => FromSender::Final {
            entries: script.number(),
        },
        14 => FromSender::Nop,
        _ => return plain.extend_from_slice(script.bytes(40)),
    };
    record.encode(plain);
}

/// This side says something: what it may say of an entry, and of ones that it has not.
fn act(script: &mut Script<'_>, machine: &mut Receiver, model: &mut Model) {
    let index = script.number();
    let Some(open) = model.open.get_mut(&index) else {
        assert!(
            !machine.skip(index),
            "of one that is settled nothing is said"
        );
        return;
    };
    let is_begun = model
        .begun
        .as_ref()
        .is_some_and(|begun| begun.index == index);
    match script.one_of(4) {
        0 if open.wanted.is_none() || open.is_here => {
            let offset = match open.is_here {
                true => 0,
                false => script.number() % 4 * GROUP as u64,
            };
            machine.want(index, offset);
            open.wanted = Some(offset);
            open.is_here = false;
        }
        1 if open.wanted.is_none() => {
            machine.have(index);
            open.wanted = Some(0);
        }
        2 if open.is_here || (open.wanted.is_none() && !is_begun) => {
            machine.commit(index);
            model.open.remove(&index);
            model.committed += 1;
        }
        3 => {
            assert!(machine.skip(index));
            model.open.remove(&index);
            model.skipped += 1;
            if is_begun {
                model.begun = None;
            }
        }
        _ => {}
    }
}

impl Model {
    fn hears(&mut self, heard: Heard<'_>, counts: (u64, u64)) {
        match heard {
            Heard::Entry(entry) => {
                assert!(entry.index >= self.next && entry.index < u64::MAX);
                assert!((entry.kind == EntryKind::Stream) == entry.size.is_none());
                self.next = entry.index + 1;
                let open = Open {
                    size: entry.size,
                    path_bytes: entry.path.iter().map(Vec::len).sum(),
                    wanted: None,
                    is_here: false,
                };
                assert!(self.open.insert(entry.index, open).is_none());
            }
            Heard::Begin { index, offset } => {
                assert!(self.begun.is_none(), "two at once");
                let open = &self.open[&index];
                assert!(!open.is_here && (offset == 0 || open.wanted == Some(offset)));
                assert!(open.wanted.is_some(), "nobody wanted it");
                self.begun = Some(Begun {
                    index,
                    reached: offset,
                });
            }
            Heard::Data {
                index,
                offset,
                data,
            } => {
                let begun = self.begun.as_mut().expect("one was begun");
                assert_eq!((index, offset), (begun.index, begun.reached));
                begun.reached += data.len() as u64;
                let size = self.open[&index].size;
                assert!(size.is_none_or(|size| begun.reached <= size));
            }
            Heard::End { index, length, .. } => {
                let begun = self.begun.take().expect("one was begun");
                assert_eq!((index, length), (begun.index, begun.reached));
                let open = self.open.get_mut(&index).expect("it is open");
                assert!(open.size.is_none_or(|size| size == length));
                open.is_here = true;
            }
            Heard::Same { index } => {
                let open = self.open.get_mut(&index).expect("it is open");
                assert!(!open.is_here && open.wanted == Some(0));
                open.is_here = true;
            }
            Heard::GaveUp { index, .. } => {
                let open = self.open.remove(&index).expect("it is open");
                assert!(!open.is_here);
                self.begun.take_if(|begun| begun.index == index);
                self.skipped += 1;
            }
            Heard::Final => assert!(self.open.is_empty() && self.begun.is_none()),
            _ => {}
        }
        assert_eq!(counts, (self.committed, self.skipped));
    }
}
