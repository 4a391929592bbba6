//! A whole session: the real receiver, with its threads and its folder, and a sender that says what the fuzzer
//! wants. Whatever it says, under a final name stands only what it sent to its end, in the chosen folder, and what
//! was there before is as it was.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use p2pxfer::crypto::blake3::{self, Hash};
use p2pxfer::transfer::channel::{Channel, Opener, Sealer, frame};
use p2pxfer::transfer::v2::{Ended, Receiving, Stream};
use p2pxfer::transfer::{Event, Place, Target};
use p2pxfer::wire::v2::{Entry, FromReceiver, FromSender};

use super::disk::{Folder, files};
use super::pair::channels;
use super::script::Script;

const KEPT: &[u8] = b"kept as it is";

pub(crate) fn run(bytes: &[u8]) {
    let mut script = Script::new(bytes);
    let folder = Folder::new();
    let [inside, outside] = ["in", "out"].map(|name| folder.path().join(name));
    for path in [&inside, &outside] {
        fs::create_dir(path).expect("a folder");
        fs::write(path.join("kept"), KEPT).expect("a file");
    }
    symlink(&outside, inside.join("link")).expect("a link");
    symlink(outside.join("kept"), inside.join("kept (1)")).expect("a link");

    let place = Place {
        target: Target::Path(inside.clone()),
        overwrite: false,
    };
    let mut job = Receiving::new(&place).expect("a folder");
    let mut whole: BTreeSet<Hash> = BTreeSet::new();
    // Lost and made anew, by a sender that need not go on where it was.
    for _ in 0..=script.one_of(3) {
        let [sender, receiver] = channels();
        let Channel {
            mut sealer, opener, ..
        } = sender;
        let said = Said::by(&mut script, &mut sealer);
        whole.extend(&said.whole);
        let stream = Scripted::new(&said, opener);
        let mut told_wrong = None;
        let ended = job.run(&stream, receiver, &|_| true, &mut |event| {
            if let Event::Finished {
                path,
                local: Some(local),
                ..
            } = event
            {
                let name = path.rsplit(|&byte| byte == b'/').next().expect("a name");
                let got = local.file_name().expect("a name").as_encoded_bytes();
                let is_it = local.starts_with(&inside) && local.exists();
                // A panic in here would leave the job's threads waiting.
                if !is_it || !got.starts_with(stem(name)) {
                    told_wrong = Some((path.to_vec(), local.to_path_buf()));
                }
            }
            ControlFlow::Continue(())
        });
        assert_eq!(told_wrong, None, "told of as another one");
        let heard = stream.heard.into_inner().expect("no panic");
        let is_told = |hash: &Hash| *hash == [0; 32] || whole.contains(hash);
        assert!(heard.committed.iter().all(is_told));
        match ended {
            Ok(()) => {
                assert!(heard.is_over && said.ends, "an end without FINAL");
                break;
            }
            Err(Ended::Lost { .. }) => {}
            Err(Ended::Failed(_)) => break,
        }
    }
    drop(job);

    let kept = |path: &std::path::Path| fs::read(path).expect("a file") == KEPT;
    assert!(kept(&inside.join("kept")) && kept(&outside.join("kept")));
    assert_eq!(files(&outside).len(), 1, "something came out");
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 2);
    for path in files(&inside) {
        let metadata = fs::symlink_metadata(&path).expect("a file");
        if metadata.is_symlink() {
            assert!(path.ends_with("link") || path.ends_with("kept (1)"));
            continue;
        }
        assert!(metadata.is_file() && metadata.permissions().mode() & 0o7022 == 0);
        let found = fs::read(&path).expect("a file");
        assert!(found == KEPT || whole.contains(&blake3::hash(&found)));
    }
}

/// What a number is put behind when the name is taken.
fn stem(name: &[u8]) -> &[u8] {
    match name.iter().rposition(|&byte| byte == b'.') {
        Some(dot) if dot > 0 => &name[..dot],
        _ => name,
    }
}

/// What the sender says in one connection, sealed.
struct Said {
    bytes: Vec<u8>,
    /// In front of FINAL everything has to be settled, which takes the receiver its time.
    before_final: usize,
    entries: usize,
    ends: bool,
    /// The hashes of what it sent from the first byte to the last.
    whole: BTreeSet<Hash>,
}

impl Said {
    fn by(script: &mut Script<'_>, sealer: &mut Sealer) -> Self {
        let mut said = Self {
            bytes: Vec::new(),
            before_final: usize::MAX,
            entries: 0,
            ends: false,
            whole: BTreeSet::new(),
        };
        said.offer(script);
        let mut next = 0;
        while !script.is_over() {
            match script.one_of(10) {
                0..6 => {
                    let kind = [1, 1, 1, 2, 3, 4, 5][script.one_of(7)];
                    said.entry(script, next, kind);
                    next += 1;
                }
                // The end of the connection.
                6 if script.byte() > 0xe0 => break,
                6 if script.yes() => {
                    said.put(&FromSender::Last {
                        entries: next,
                        missing: 0,
                    });
                    said.before_final = said.bytes.len();
                    said.put(&FromSender::Final { entries: next });
                    said.ends = true;
                    break;
                }
                7 => said.put(&FromSender::GiveUp {
                    index: script.number(),
                    reason: 1 + script.byte() % 4,
                    text: script.bytes(20),
                }),
                8 => said.put(&FromSender::Same {
                    index: script.number(),
                }),
                9 if script.yes() => {
                    let plain = script.bytes(60);
                    if !plain.is_empty() {
                        frame(&mut said.bytes, |out| out.extend_from_slice(plain));
                    }
                }
                _ => said.put(&FromSender::Nop),
            }
        }
        sealer.seal(&mut said.bytes);
        if script.byte() == 0xff {
            said.bytes.truncate(said.bytes.len() / 2);
        }
        said
    }

    fn put(&mut self, record: &FromSender<'_>) {
        frame(&mut self.bytes, |out| record.encode(out));
    }

    fn offer(&mut self, script: &mut Script<'_>) {
        let names: [&[u8]; 6] = [b"f", b"kept", b"link", b"d", b"..", b"CON"];
        let count = 6;
        for (number, name) in names.iter().enumerate() {
            let kind = match number {
                3 => 2,
                _ if script.yes() => [2, 3, 4][script.one_of(3)],
                _ => 1,
            };
            self.put(&FromSender::Item {
                kind,
                complete: true,
                files: 1,
                bytes: Some(script.number()),
                name,
            });
        }
        self.put(&FromSender::Offer {
            run: [1; 16],
            items: count,
        });
    }

    /// An entry, and mostly what belongs to it.
    fn entry(&mut self, script: &mut Script<'_>, index: u64, kind: u8) {
        let names: [&[u8]; 6] = [b"f", b"kept", b"link", b"d", b"..", b"CON"];
        let item = script.one_of(6);
        let mut path = vec![names[item].to_vec()];
        for _ in 0..script.one_of(4) {
            let pool: [&[u8]; 8] = [
                b"x",
                b"y",
                b"..",
                b"a/b",
                b"link",
                b".h",
                b"x.p2pxfer-part",
                b"",
            ];
            let mut name = pool[script.one_of(8)].to_vec();
            if name.is_empty() {
                name = script.bytes(6).to_vec();
            }
            if name.is_empty() {
                name.push(b'z');
            }
            path.push(name);
        }
        let length = match script.byte() {
            // From 1 MiB on a file has a journal.
            0xff => (1 << 20) + script.one_of(256),
            few => usize::from(few),
        };
        let data = vec![script.byte(); length];
        let hash = blake3::hash(&data);
        self.entries += 1;
        self.put(&FromSender::Entry(Entry {
            index,
            item: item as u32,
            kind,
            executable: script.yes(),
            size: (kind != 4).then_some(length as u64),
            seconds: script.number() as i64,
            nanos: script.byte().into(),
            path,
        }));
        if kind == 2 || kind == 5 || script.byte() > 0xf0 {
            return;
        }
        self.put(&FromSender::Begin { index, offset: 0 });
        let cut = match script.byte() > 0xf0 {
            true => length / 2,
            false => length,
        };
        for piece in data[..cut].chunks(65_536) {
            self.put(&FromSender::Data(piece));
        }
        match script.byte() {
            0xff => {}
            0xf0.. => self.put(&FromSender::GiveUp {
                index,
                reason: 1 + script.byte() % 4,
                text: b"gone",
            }),
            0xe0.. => self.put(&FromSender::End {
                length: length as u64,
                hash: [script.byte(); 32],
            }),
            _ => {
                self.put(&FromSender::End {
                    length: length as u64,
                    hash,
                });
                if cut == length {
                    self.whole.insert(hash);
                }
            }
        }
    }
}

/// A connection in memory. It gives what was said, and understands the answers.
struct Scripted<'a> {
    said: &'a Said,
    heard: Mutex<Heard>,
    changed: Condvar,
}

struct Heard {
    at: usize,
    opener: Opener,
    waiting: Vec<u8>,
    settled: usize,
    committed: Vec<Hash>,
    is_over: bool,
    is_shut: bool,
}

impl<'a> Scripted<'a> {
    fn new(said: &'a Said, opener: Opener) -> Self {
        Self {
            said,
            heard: Mutex::new(Heard {
                at: 0,
                opener,
                waiting: Vec::new(),
                settled: 0,
                committed: Vec::new(),
                is_over: false,
                is_shut: false,
            }),
            changed: Condvar::new(),
        }
    }
}

impl Stream for Scripted<'_> {
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut heard = self.heard.lock().expect("no panic");
        let ends = [self.said.before_final, self.said.bytes.len()];
        let end = ends
            .into_iter()
            .find(|&end| end > heard.at && end <= self.said.bytes.len());
        let Some(end) = end else {
            return Ok(0);
        };
        if heard.at == self.said.before_final {
            // What never gets settled does not hold it up for long: FINAL is not due then.
            let due = |heard: &mut Heard| heard.settled < self.said.entries && !heard.is_shut;
            let waited = self
                .changed
                .wait_timeout_while(heard, Duration::from_millis(50), due);
            heard = waited.expect("no panic").0;
        }
        let bytes = &self.said.bytes[heard.at..end];
        let count = bytes.len().min(buffer.len());
        buffer[..count].copy_from_slice(&bytes[..count]);
        heard.at += count;
        Ok(count)
    }

    fn write_all(&self, bytes: &[u8]) -> io::Result<()> {
        let mut guard = self.heard.lock().expect("no panic");
        let heard = &mut *guard;
        heard.waiting.extend_from_slice(bytes);
        while let Some((used, text)) = heard.opener.open(&mut heard.waiting).expect("sealed") {
            let record = FromReceiver::decode(&heard.waiting[text.clone()]);
            // An ABORT has the same bytes from both.
            match record.expect("a record of a receiver") {
                FromReceiver::Committed { hash, .. } => {
                    heard.committed.push(hash);
                    heard.settled += 1;
                }
                FromReceiver::Skip { .. } => heard.settled += 1,
                FromReceiver::Final { .. } => heard.is_over = true,
                _ => {}
            }
            heard.waiting.drain(..used);
        }
        self.changed.notify_all();
        Ok(())
    }

    fn settle(&self) -> bool {
        true
    }

    fn finish(&self) {}

    fn shutdown(&self) {
        self.heard.lock().expect("no panic").is_shut = true;
        self.changed.notify_all();
    }
}
