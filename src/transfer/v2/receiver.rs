//! The receiver's side of one connection.

use std::collections::{BTreeMap, BTreeSet};

use super::{Broken, WINDOW, WINDOW_BYTES};
use crate::crypto::blake3::{Hash, Hasher};
use crate::transfer::entry::{Entry, EntryKind, Item, Time};
use crate::wire::v2::{self, FromSender, ITEM_NAMES_MAX, ITEMS_MAX, REFUSED};

/// What was announced and is not settled, and what comes at the moment.
#[derive(Debug, Default)]
pub struct Receiver {
    items: Vec<Item>,
    /// Of each item that is no folder, whether its one entry was announced.
    announced: Vec<bool>,
    names: usize,
    offered: bool,
    /// The lowest index that the next entry may have.
    next: u64,
    open: BTreeMap<u64, Open>,
    open_bytes: usize,
    /// Refused after they were wanted: they may be on their way.
    refused: BTreeSet<u64>,
    begun: Option<Begun>,
    last: Option<u64>,
    finished: bool,
    committed: u64,
    skipped: u64,
}

#[derive(Debug)]
struct Open {
    size: Option<u64>,
    path_bytes: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// This side has still to answer.
    Announced,
    Wanted {
        offset: u64,
    },
    Had,
    Begun,
    /// All of it is here: this side has still to say what came of it.
    Ended,
}

/// The entry whose data comes.
#[derive(Debug)]
struct Begun {
    index: u64,
    reached: u64,
    size: Option<u64>,
    refused: bool,
}

/// What a record means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard<'a> {
    /// Nothing to be done.
    Nothing,
    /// The offer is whole: see [`Receiver::items`].
    Offer {
        /// The sender's process.
        run: [u8; 16],
    },
    /// An entry to be answered.
    Entry(Entry),
    /// The data of an entry begins.
    Begin {
        /// Which.
        index: u64,
        /// From where on, in bytes.
        offset: u64,
    },
    /// Data of the entry begun.
    Data {
        /// Which.
        index: u64,
        /// Where it belongs, in bytes.
        offset: u64,
        /// The bytes.
        data: &'a [u8],
    },
    /// All of the entry begun has come.
    End {
        /// Which.
        index: u64,
        /// Its length, in bytes.
        length: u64,
        /// BLAKE3 of it.
        hash: Hash,
    },
    /// The file that is here is the sender's.
    Same {
        /// Which.
        index: u64,
    },
    /// An entry will not come.
    GaveUp {
        /// Which.
        index: u64,
        /// Whether it changed.
        changed: bool,
        /// In the sender's words.
        text: &'a [u8],
    },
    /// An entry that this side refused will not come in any case, for the sender has given it up too: that side
    /// counts it among those it left out.
    GaveUpToo,
    /// No more entries.
    Last {
        /// How many the sender left out against its will, in all connections.
        missing: u64,
    },
    /// All is settled: answer with [`Receiver::counts`].
    Final,
    /// The sender ended it.
    Aborted {
        /// See [`FromSender::Abort`].
        code: u8,
        /// In the sender's words.
        text: &'a [u8],
    },
}

impl Receiver {
    /// What is offered, as far as it was said.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// BLAKE3 of the offer: its user is not asked again for the same one.
    pub fn digest(&self) -> Hash {
        let mut hasher = Hasher::new();
        let mut bytes = Vec::new();
        for item in &self.items {
            bytes.clear();
            let record = FromSender::Item {
                kind: item.kind as u8,
                complete: item.complete,
                files: item.files,
                bytes: item.bytes,
                name: &item.name,
            };
            record.encode(&mut bytes);
            hasher.update(&(bytes.len() as u64).to_le_bytes());
            hasher.update(&bytes);
        }
        hasher.finish()
    }

    /// Whether the sender has announced all it will.
    pub fn is_last_heard(&self) -> bool {
        self.last.is_some()
    }

    /// This side says WANT.
    pub fn want(&mut self, index: u64, offset: u64) {
        self.set(index, State::Wanted { offset });
    }

    /// This side says HAVE.
    pub fn have(&mut self, index: u64) {
        self.set(index, State::Had);
    }

    /// This side says COMMITTED.
    pub fn commit(&mut self, index: u64) {
        self.committed += u64::from(self.settle(index).is_some());
    }

    /// This side says SKIP; `false` when the entry is settled, so that it must not.
    pub fn skip(&mut self, index: u64) -> bool {
        let Some(open) = self.settle(index) else {
            return false;
        };
        self.skipped += 1;
        match open.state {
            State::Wanted { .. } | State::Had => {
                self.refused.insert(index);
            }
            State::Begun => {
                if let Some(begun) = &mut self.begun {
                    begun.refused = true;
                }
            }
            State::Announced | State::Ended => {}
        }
        true
    }

    /// Entries committed and skipped, for FINAL.
    pub fn counts(&self) -> (u64, u64) {
        (self.committed, self.skipped)
    }

    /// Takes a record of the sender.
    ///
    /// # Errors
    /// The rule that it breaks: the transfer is over.
    pub fn handle<'a>(&mut self, record: FromSender<'a>) -> Result<Heard<'a>, Broken> {
        if self.finished {
            return Err(Broken("a record behind the last one"));
        }
        match record {
            FromSender::Nop => Ok(Heard::Nothing),
            FromSender::Abort { code, text } => Ok(Heard::Aborted { code, text }),
            FromSender::Item {
                kind,
                complete,
                files,
                bytes,
                name,
            } if !self.offered => {
                let kind = EntryKind::from_number(kind).ok_or(Broken("an item of no kind"))?;
                self.names += name.len();
                if self.items.len() >= ITEMS_MAX as usize || self.names > ITEM_NAMES_MAX {
                    return Err(Broken("an offer of too many items"));
                }
                self.announced.push(false);
                self.items.push(Item {
                    kind,
                    name: name.to_vec(),
                    files,
                    bytes,
                    complete,
                });
                Ok(Heard::Nothing)
            }
            FromSender::Offer { run, items } if !self.offered => {
                if items == 0 || items as usize != self.items.len() {
                    return Err(Broken("an offer of another number of items"));
                }
                self.offered = true;
                Ok(Heard::Offer { run })
            }
            FromSender::Item { .. } | FromSender::Offer { .. } => {
                Err(Broken("a second offer in one connection"))
            }
            _ if !self.offered => Err(Broken("a record before the offer")),
            FromSender::Entry(entry) => self.entry(entry),
            FromSender::Begin { index, offset } => self.begin(index, offset),
            FromSender::Data(data) => self.data(data),
            FromSender::End { length, hash } => self.end(length, hash),
            FromSender::Same { index } => self.same(index),
            FromSender::GiveUp {
                index,
                reason,
                text,
            } => self.give_up(index, reason, text),
            FromSender::Last { entries, missing } => {
                if self.last.is_some() || entries < self.next {
                    return Err(Broken("an end of the entries that is not due"));
                }
                self.last = Some(entries);
                Ok(Heard::Last { missing })
            }
            FromSender::Final { entries } => {
                if self.last != Some(entries) || !self.open.is_empty() || self.begun.is_some() {
                    return Err(Broken("an end that is not due"));
                }
                self.finished = true;
                Ok(Heard::Final)
            }
        }
    }

    fn entry<'a>(&mut self, entry: v2::Entry) -> Result<Heard<'a>, Broken> {
        if self.last.is_some() || entry.index < self.next || entry.index == u64::MAX {
            return Err(Broken("an entry that is out of its turn"));
        }
        let path_bytes = entry.path_bytes();
        if self.open.len() >= WINDOW || self.open_bytes + path_bytes > WINDOW_BYTES {
            return Err(Broken("more entries at once than are allowed"));
        }
        let kind = EntryKind::from_number(entry.kind).ok_or(Broken("an entry of no kind"))?;
        let number = entry.item as usize;
        let items = self.items.get(number).zip(self.announced.get_mut(number));
        let belongs = items.is_some_and(|(item, announced)| {
            let inside = match item.kind {
                EntryKind::Folder => match (entry.path.len(), kind) {
                    (_, EntryKind::Text | EntryKind::Stream) => false,
                    (1, EntryKind::Folder) => !std::mem::replace(announced, true),
                    (1, _) => kind == EntryKind::FolderEnd,
                    _ => true,
                },
                // What its user said yes to is one of this size.
                whole => {
                    let one = kind == whole && entry.path.len() == 1 && entry.size == item.bytes;
                    one && !std::mem::replace(announced, true)
                }
            };
            inside && entry.path.first() == Some(&item.name)
        });
        if !belongs {
            return Err(Broken("an entry that was not offered"));
        }
        self.next = entry.index + 1;
        self.open_bytes += path_bytes;
        let open = Open {
            size: entry.size,
            path_bytes,
            state: State::Announced,
        };
        self.open.insert(entry.index, open);
        Ok(Heard::Entry(Entry {
            index: entry.index,
            item: entry.item,
            kind,
            executable: entry.executable,
            size: entry.size,
            mtime: Time {
                seconds: entry.seconds,
                nanos: entry.nanos,
            },
            path: entry.path,
        }))
    }

    fn begin<'a>(&mut self, index: u64, offset: u64) -> Result<Heard<'a>, Broken> {
        if self.begun.is_some() {
            return Err(Broken("data of two entries at once"));
        }
        let mut begun = Begun {
            index,
            reached: offset,
            size: None,
            refused: false,
        };
        match self.open.get_mut(&index) {
            Some(open) => {
                let due = match open.state {
                    State::Wanted { offset: wanted } => offset == wanted || offset == 0,
                    State::Had => offset == 0,
                    _ => false,
                };
                if !due {
                    return Err(Broken("data that nobody wanted"));
                }
                open.state = State::Begun;
                begun.size = open.size;
                self.begun = Some(begun);
                Ok(Heard::Begin { index, offset })
            }
            None if self.refused.remove(&index) => {
                begun.refused = true;
                self.begun = Some(begun);
                Ok(Heard::Nothing)
            }
            None => Err(Broken("data of an entry that is settled")),
        }
    }

    fn data<'a>(&mut self, data: &'a [u8]) -> Result<Heard<'a>, Broken> {
        let begun = self.begun.as_mut().ok_or(Broken("data of no entry"))?;
        let offset = begun.reached;
        let reached = offset.checked_add(data.len() as u64);
        let reached = reached.filter(|&reached| begun.size.is_none_or(|size| reached <= size));
        begun.reached = reached.ok_or(Broken("more data than was announced"))?;
        match begun.refused {
            true => Ok(Heard::Nothing),
            false => Ok(Heard::Data {
                index: begun.index,
                offset,
                data,
            }),
        }
    }

    fn end<'a>(&mut self, length: u64, hash: Hash) -> Result<Heard<'a>, Broken> {
        let begun = self.begun.take().ok_or(Broken("an end of no entry"))?;
        if length != begun.reached || begun.size.is_some_and(|size| size != length) {
            return Err(Broken("an entry of another length than was announced"));
        }
        if begun.refused {
            return Ok(Heard::Nothing);
        }
        let index = begun.index;
        self.set(index, State::Ended);
        Ok(Heard::End {
            index,
            length,
            hash,
        })
    }

    fn same<'a>(&mut self, index: u64) -> Result<Heard<'a>, Broken> {
        match self.open.get_mut(&index) {
            Some(open) if open.state == State::Had => {
                open.state = State::Ended;
                Ok(Heard::Same { index })
            }
            None if self.refused.remove(&index) => Ok(Heard::Nothing),
            _ => Err(Broken("a comparison that nobody asked for")),
        }
    }

    fn give_up<'a>(&mut self, index: u64, reason: u8, text: &'a [u8]) -> Result<Heard<'a>, Broken> {
        let current = self.begun.take_if(|begun| begun.index == index);
        if self.begun.is_some() {
            return Err(Broken("an entry given up within another"));
        }
        let known = self.refused.remove(&index) || current.is_some_and(|begun| begun.refused);
        match self.open.get(&index) {
            Some(open) if open.state != State::Ended && reason != REFUSED => {
                self.settle(index);
                self.skipped += 1;
                Ok(Heard::GaveUp {
                    index,
                    changed: reason == 2,
                    text,
                })
            }
            None if known && reason == REFUSED => Ok(Heard::Nothing),
            None if known => Ok(Heard::GaveUpToo),
            _ => Err(Broken("an entry given up that is settled")),
        }
    }

    fn set(&mut self, index: u64, state: State) {
        if let Some(open) = self.open.get_mut(&index) {
            open.state = state;
        }
    }

    fn settle(&mut self, index: u64) -> Option<Open> {
        let open = self.open.remove(&index)?;
        self.open_bytes -= open.path_bytes;
        Some(open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: Hash = [7; 32];

    fn item(kind: u8, name: &[u8]) -> FromSender<'_> {
        FromSender::Item {
            kind,
            complete: true,
            files: 1,
            bytes: (kind != 4).then_some(4),
            name,
        }
    }

    fn offer(items: u32) -> FromSender<'static> {
        FromSender::Offer {
            run: [1; 16],
            items,
        }
    }

    fn entry(index: u64, kind: u8, path: &[&[u8]]) -> FromSender<'static> {
        FromSender::Entry(v2::Entry {
            index,
            item: 0,
            kind,
            executable: false,
            size: (kind != 4).then_some(4),
            seconds: 0,
            nanos: 0,
            path: path.iter().map(|part| part.to_vec()).collect(),
        })
    }

    fn begin(index: u64, offset: u64) -> FromSender<'static> {
        FromSender::Begin { index, offset }
    }

    fn end(length: u64) -> FromSender<'static> {
        FromSender::End { length, hash: HASH }
    }

    fn last(entries: u64) -> FromSender<'static> {
        FromSender::Last {
            entries,
            missing: 0,
        }
    }

    fn give_up(index: u64) -> FromSender<'static> {
        FromSender::GiveUp {
            index,
            reason: 2,
            text: b"",
        }
    }

    /// The sender has heard that it is refused.
    fn bow(index: u64) -> FromSender<'static> {
        FromSender::GiveUp {
            index,
            reason: REFUSED,
            text: b"",
        }
    }

    /// A receiver of one offered item.
    fn offered(kind: u8) -> Receiver {
        let mut receiver = Receiver::default();
        receiver.handle(item(kind, b"a")).unwrap();
        receiver.handle(offer(1)).unwrap();
        receiver
    }

    /// A receiver that has wanted all of file 0.
    fn wanted() -> Receiver {
        let mut receiver = offered(1);
        receiver.handle(entry(0, 1, &[b"a"])).unwrap();
        receiver.want(0, 0);
        receiver
    }

    #[test]
    fn a_file_is_announced_wanted_received_and_committed() {
        let mut receiver = wanted();
        assert!(receiver.handle(begin(0, 0)).is_ok());
        for (offset, data) in [(0, b"ab"), (2, b"cd")] {
            let heard = receiver.handle(FromSender::Data(data));
            let data = &data[..];
            assert_eq!(
                heard,
                Ok(Heard::Data {
                    index: 0,
                    offset,
                    data
                })
            );
        }
        assert!(matches!(
            receiver.handle(end(4)),
            Ok(Heard::End { length: 4, .. })
        ));
        assert!(receiver.handle(last(1)).is_ok());
        assert!(receiver.handle(FromSender::Final { entries: 1 }).is_err());
        receiver.commit(0);
        let last = receiver.handle(FromSender::Final { entries: 1 });
        assert_eq!(last, Ok(Heard::Final));
        assert_eq!(receiver.counts(), (1, 0));
        assert!(receiver.handle(FromSender::Nop).is_err());
    }

    #[test]
    fn nothing_comes_before_the_offer_and_there_is_one_offer() {
        for record in [
            entry(0, 1, &[b"a"]),
            begin(0, 0),
            FromSender::Data(b"a"),
            end(0),
            FromSender::Same { index: 0 },
            give_up(0),
            last(0),
            FromSender::Final { entries: 0 },
            offer(0),
            offer(1),
        ] {
            let heard = Receiver::default().handle(record.clone());
            assert!(heard.is_err(), "{record:?}");
        }
        assert!(offered(1).handle(item(1, b"b")).is_err());
        assert!(offered(1).handle(offer(1)).is_err());
        assert!(Receiver::default().handle(FromSender::Nop).is_ok());
    }

    #[test]
    fn the_names_of_an_offer_are_bounded() {
        let mut receiver = Receiver::default();
        let name = [b'a'; 255];
        let taken = (0..ITEMS_MAX).take_while(|_| receiver.handle(item(1, &name)).is_ok());
        assert_eq!(taken.count(), ITEM_NAMES_MAX / 255);
    }

    #[test]
    fn an_entry_belongs_to_its_item() {
        let legal = |item, entry| offered(item).handle(entry).is_ok();
        assert!(legal(1, entry(0, 1, &[b"a"])));
        assert!(!legal(1, entry(0, 1, &[b"b"])));
        assert!(!legal(1, entry(0, 1, &[b"a", b"b"])));
        assert!(!legal(1, entry(0, 2, &[b"a"])));
        assert!(legal(2, entry(0, 2, &[b"a"])));
        assert!(legal(2, entry(0, 1, &[b"a", b"b"])));
        assert!(legal(2, entry(0, 5, &[b"a"])));
        assert!(!legal(2, entry(0, 1, &[b"a"])));
        assert!(!legal(2, entry(0, 3, &[b"a"])));
        assert!(!legal(2, entry(0, 4, &[b"a", b"b"])));
        assert!(legal(4, entry(0, 4, &[b"a"])));
    }

    #[test]
    fn a_folder_of_the_offer_comes_once() {
        let mut receiver = offered(2);
        receiver.handle(entry(0, 2, &[b"a"])).unwrap();
        assert!(receiver.handle(entry(1, 2, &[b"a"])).is_err());
    }

    #[test]
    fn a_file_of_the_offer_comes_once_and_has_the_size_that_was_offered() {
        let mut receiver = offered(1);
        receiver.handle(entry(0, 1, &[b"a"])).unwrap();
        assert!(receiver.handle(entry(1, 1, &[b"a"])).is_err());
        let mut longer = entry(0, 1, &[b"a"]);
        if let FromSender::Entry(entry) = &mut longer {
            entry.size = Some(5);
        }
        assert!(offered(1).handle(longer).is_err());
    }

    #[test]
    fn indexes_grow_and_end_at_the_last() {
        let mut receiver = offered(2);
        assert!(receiver.handle(entry(5, 2, &[b"a", b"b"])).is_ok());
        assert!(receiver.handle(entry(5, 2, &[b"a", b"b"])).is_err());
        assert!(receiver.handle(entry(4, 2, &[b"a", b"b"])).is_err());
        assert!(receiver.handle(entry(u64::MAX, 2, &[b"a", b"b"])).is_err());
        assert!(receiver.handle(last(5)).is_err());
        assert!(receiver.handle(last(6)).is_ok());
        assert!(receiver.handle(last(6)).is_err());
        assert!(receiver.handle(entry(6, 2, &[b"a", b"b"])).is_err());
    }

    #[test]
    fn the_window_holds_so_many_entries_and_so_many_bytes() {
        let mut receiver = offered(2);
        for index in 0..WINDOW as u64 {
            receiver.handle(entry(index, 2, &[b"a", b"b"])).unwrap();
        }
        let next = WINDOW as u64;
        assert!(receiver.handle(entry(next, 2, &[b"a", b"b"])).is_err());
        receiver.commit(7);
        assert!(receiver.handle(entry(next, 2, &[b"a", b"b"])).is_ok());
        let mut receiver = offered(2);
        let long = [b'b'; 255];
        let path: Vec<&[u8]> = std::iter::once(&b"a"[..])
            .chain(std::iter::repeat_n(&long[..], 63))
            .collect();
        let taken = (0..).take_while(|&index| receiver.handle(entry(index, 2, &path)).is_ok());
        assert_eq!(taken.count(), WINDOW_BYTES / (1 + 63 * 255));
    }

    #[test]
    fn data_begins_only_where_it_was_wanted_or_at_0() {
        let mut receiver = offered(1);
        receiver.handle(entry(0, 1, &[b"a"])).unwrap();
        assert!(receiver.handle(begin(0, 0)).is_err());
        receiver.want(0, 3);
        assert!(receiver.handle(begin(0, 2)).is_err());
        assert!(receiver.handle(begin(1, 0)).is_err());
        assert!(receiver.handle(begin(0, 3)).is_ok());
        assert!(receiver.handle(begin(0, 3)).is_err());
        let mut receiver = offered(1);
        receiver.handle(entry(0, 1, &[b"a"])).unwrap();
        receiver.want(0, 3);
        assert!(receiver.handle(begin(0, 0)).is_ok());
        let mut receiver = offered(1);
        receiver.handle(entry(0, 1, &[b"a"])).unwrap();
        receiver.have(0);
        assert!(receiver.handle(begin(0, 3)).is_err());
        assert!(receiver.handle(begin(0, 0)).is_ok());
    }

    #[test]
    fn data_stays_within_what_was_announced_and_ends_exactly_there() {
        assert!(wanted().handle(FromSender::Data(b"a")).is_err());
        assert!(wanted().handle(end(0)).is_err());
        let begun = || {
            let mut receiver = wanted();
            receiver.handle(begin(0, 0)).unwrap();
            receiver
        };
        assert!(begun().handle(FromSender::Data(b"abcde")).is_err());
        let mut receiver = begun();
        receiver.handle(FromSender::Data(b"abc")).unwrap();
        assert!(receiver.handle(end(4)).is_err());
        let mut receiver = begun();
        receiver.handle(FromSender::Data(b"abc")).unwrap();
        assert!(receiver.handle(end(3)).is_err());
        let mut stream = offered(4);
        stream.handle(entry(0, 4, &[b"a"])).unwrap();
        stream.want(0, 0);
        stream.handle(begin(0, 0)).unwrap();
        stream.handle(FromSender::Data(b"abcdefgh")).unwrap();
        assert!(stream.handle(end(8)).is_ok());
    }

    #[test]
    fn same_answers_have_alone() {
        assert!(wanted().handle(FromSender::Same { index: 0 }).is_err());
        let mut receiver = offered(1);
        receiver.handle(entry(0, 1, &[b"a"])).unwrap();
        receiver.have(0);
        let heard = receiver.handle(FromSender::Same { index: 0 });
        assert_eq!(heard, Ok(Heard::Same { index: 0 }));
        assert!(receiver.handle(FromSender::Same { index: 0 }).is_err());
    }

    #[test]
    fn an_entry_is_given_up_before_its_end_and_not_within_another() {
        let mut receiver = wanted();
        receiver.handle(begin(0, 0)).unwrap();
        assert!(matches!(
            receiver.handle(give_up(0)),
            Ok(Heard::GaveUp { changed: true, .. })
        ));
        assert_eq!(receiver.counts(), (0, 1));
        assert!(receiver.handle(give_up(0)).is_err());
        let mut receiver = wanted();
        receiver.handle(begin(0, 0)).unwrap();
        receiver.handle(FromSender::Data(b"abcd")).unwrap();
        receiver.handle(end(4)).unwrap();
        assert!(receiver.handle(give_up(0)).is_err());
        let mut receiver = offered(2);
        receiver.handle(entry(0, 1, &[b"a", b"b"])).unwrap();
        receiver.handle(entry(1, 1, &[b"a", b"c"])).unwrap();
        receiver.want(0, 0);
        receiver.handle(begin(0, 0)).unwrap();
        assert!(receiver.handle(give_up(1)).is_err());
    }

    #[test]
    fn what_crosses_a_skip_is_overlooked_once() {
        let mut receiver = wanted();
        assert!(receiver.skip(0) && !receiver.skip(0));
        assert_eq!(receiver.handle(begin(0, 0)), Ok(Heard::Nothing));
        let data = FromSender::Data(b"abcd");
        assert_eq!(receiver.handle(data), Ok(Heard::Nothing));
        assert_eq!(receiver.handle(end(4)), Ok(Heard::Nothing));
        assert!(receiver.handle(begin(0, 0)).is_err());
        let mut receiver = wanted();
        receiver.handle(begin(0, 0)).unwrap();
        receiver.skip(0);
        assert_eq!(receiver.handle(bow(0)), Ok(Heard::Nothing));
        let mut receiver = wanted();
        receiver.skip(0);
        assert_eq!(receiver.handle(bow(0)), Ok(Heard::Nothing));
        assert!(receiver.handle(bow(0)).is_err());
    }

    #[test]
    fn what_the_sender_gives_up_by_itself_counts_though_a_skip_crossed_it() {
        let mut receiver = wanted();
        receiver.skip(0);
        assert_eq!(receiver.handle(give_up(0)), Ok(Heard::GaveUpToo));
        assert!(receiver.handle(give_up(0)).is_err());
        let mut receiver = wanted();
        receiver.handle(begin(0, 0)).unwrap();
        receiver.skip(0);
        assert_eq!(receiver.handle(give_up(0)), Ok(Heard::GaveUpToo));
        assert_eq!(receiver.counts(), (0, 1));
    }

    #[test]
    fn nothing_is_given_up_for_a_skip_that_was_not_said() {
        assert!(wanted().handle(bow(0)).is_err());
        let mut receiver = wanted();
        receiver.handle(begin(0, 0)).unwrap();
        assert!(receiver.handle(bow(0)).is_err());
    }
}
