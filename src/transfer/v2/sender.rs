//! The sender's side of one connection.

use std::collections::{BTreeMap, VecDeque};

use super::{Broken, WINDOW, WINDOW_BYTES};
use crate::crypto::blake3::{GROUP, Hash};
use crate::transfer::entry::EntryKind;
use crate::wire::v2::{DEPTH_MAX, FromReceiver, NAME_MAX};

/// Most bytes of one path.
const PATH_MAX: usize = DEPTH_MAX * NAME_MAX;

/// What is announced and not settled, and what the receiver asked for.
#[derive(Debug, Default)]
pub struct Sender {
    accepted: bool,
    open: BTreeMap<u64, Open>,
    open_bytes: usize,
    jobs: VecDeque<Job>,
    last: Option<u64>,
    /// The receiver has answered what was said behind LAST, and so has that too.
    last_heard: bool,
    ending: Ending,
    /// Above the index of each entry that was announced.
    announced: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Ending {
    #[default]
    No,
    /// FINAL was said, the receiver's is awaited.
    Said,
    Heard,
}

#[derive(Debug)]
struct Open {
    kind: EntryKind,
    size: Option<u64>,
    path_bytes: usize,
    state: State,
    /// All of it went, and behind LAST.
    behind_last: bool,
    /// Bytes of a stream that went, or went in an earlier connection.
    sent: u64,
    acknowledged: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The receiver's answer is awaited. All of it may have gone in an earlier connection: its hash.
    Answer(Option<Hash>),
    /// It was wanted, or is to be compared.
    Due { again: bool },
    /// All of it went: the receiver's word is awaited.
    Word { hash: Hash, again: bool },
}

/// What the receiver asked for; to be done in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    /// Send an entry from `offset` on if its bytes in front of that have the hash `prefix`, else from 0.
    Send {
        /// Which.
        index: u64,
        /// In bytes.
        offset: u64,
        /// BLAKE3; of no meaning when `offset` is 0.
        prefix: Hash,
    },
    /// Say SAME if the entry has this hash, else send it from 0.
    Compare {
        /// Which.
        index: u64,
        /// BLAKE3 of what the receiver has.
        hash: Hash,
    },
}

/// What a record means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard<'a> {
    /// Nothing to be done.
    Nothing,
    /// The offer is taken.
    Accepted,
    /// There is a new [`Job`].
    Asked,
    /// Room in a stream.
    Acknowledged {
        /// Which.
        index: u64,
        /// In bytes.
        offset: u64,
    },
    /// The receiver has an entry.
    Committed {
        /// Which.
        index: u64,
    },
    /// The receiver does not take an entry. It may be the one that is being sent.
    Skipped {
        /// Which.
        index: u64,
        /// See [`FromReceiver::Skip`].
        reason: u8,
        /// In the receiver's words.
        text: &'a [u8],
    },
    /// The receiver has all it takes.
    Finished,
    /// The receiver ended it.
    Aborted {
        /// See [`FromReceiver::Abort`].
        code: u8,
        /// In the receiver's words.
        text: &'a [u8],
    },
}

impl Sender {
    /// Whether one more entry may be announced.
    pub fn has_room(&self) -> bool {
        self.last.is_none()
            && self.open.len() < WINDOW
            && self.open_bytes + PATH_MAX <= WINDOW_BYTES
    }

    /// An entry is announced. `sent` is the hash of all of it if it went already, in an earlier connection.
    pub fn announce(
        &mut self,
        index: u64,
        kind: EntryKind,
        size: Option<u64>,
        path_bytes: usize,
        sent: Option<Hash>,
    ) {
        let open = Open {
            kind,
            size,
            path_bytes,
            state: State::Answer(sent),
            behind_last: false,
            sent: 0,
            acknowledged: 0,
        };
        self.open_bytes += path_bytes;
        self.announced = self.announced.max(index + 1);
        self.open.insert(index, open);
    }

    /// No entry will be announced any more; `entries` is above the index of each.
    pub fn last(&mut self, entries: u64) {
        self.last = Some(entries);
    }

    /// The next thing to do for the receiver. Whose entry was refused meanwhile is left out.
    pub fn poll_job(&mut self) -> Option<Job> {
        loop {
            let job = self.jobs.pop_front()?;
            let (Job::Send { index, .. } | Job::Compare { index, .. }) = job;
            if self.is_open(index) {
                return Some(job);
            }
        }
    }

    /// Whether the receiver still waits for an entry.
    pub fn is_open(&self, index: u64) -> bool {
        self.open.contains_key(&index)
    }

    /// So much of an entry went, in bytes from its beginning.
    pub fn sent(&mut self, index: u64, until: u64) {
        if let Some(open) = self.open.get_mut(&index) {
            open.sent = open.sent.max(until);
        }
    }

    /// All of an entry went, or is there already: END or SAME.
    pub fn end(&mut self, index: u64, hash: Hash) {
        if let Some(open) = self.open.get_mut(&index) {
            let again = matches!(open.state, State::Due { again: true });
            open.state = State::Word { hash, again };
            open.behind_last = self.last.is_some();
        }
    }

    /// An entry will not come: GIVE_UP; `false` when the receiver has refused it before.
    pub fn give_up(&mut self, index: u64) -> bool {
        self.settle(index)
    }

    /// Whether the receiver's word is all that is missing.
    pub fn is_all_sent(&self) -> bool {
        let went = |open: &Open| match open.state {
            State::Word { .. } | State::Answer(Some(_)) => true,
            State::Answer(None) => {
                matches!(open.kind, EntryKind::Folder | EntryKind::FolderEnd)
            }
            State::Due { .. } => false,
        };
        self.accepted && self.last.is_some() && self.open.values().all(went)
    }

    /// Whether the receiver has said of everything what became of it, and knows that this is all: nothing but
    /// its last word is missing.
    pub fn is_done(&self) -> bool {
        self.last_heard && self.is_settled()
    }

    fn is_settled(&self) -> bool {
        self.accepted && self.last.is_some() && self.open.is_empty()
    }

    /// What FINAL is to say, once, when everything is settled.
    pub fn poll_final(&mut self) -> Option<u64> {
        let due = self.is_settled() && self.ending == Ending::No;
        let entries = self.last.filter(|_| due)?;
        self.ending = Ending::Said;
        Some(entries)
    }

    /// Takes a record of the receiver.
    ///
    /// # Errors
    /// The rule that it breaks: the transfer is over.
    pub fn handle<'a>(&mut self, record: FromReceiver<'a>) -> Result<Heard<'a>, Broken> {
        if self.ending == Ending::Heard {
            return Err(Broken("a record behind the last one"));
        }
        match record {
            FromReceiver::Nop => return Ok(Heard::Nothing),
            FromReceiver::Abort { code, text } => return Ok(Heard::Aborted { code, text }),
            FromReceiver::Accept => {
                let before = std::mem::replace(&mut self.accepted, true);
                return match before {
                    false => Ok(Heard::Accepted),
                    true => Err(Broken("an offer accepted twice")),
                };
            }
            _ if !self.accepted => return Err(Broken("an answer before the offer was accepted")),
            _ => {}
        }
        match record {
            FromReceiver::Want {
                index,
                offset,
                prefix,
            } => self.want(index, offset, prefix),
            FromReceiver::Have { index, hash } => self.have(index, hash),
            FromReceiver::Skip {
                index,
                reason,
                text,
            } => match self.settle(index) {
                true => Ok(Heard::Skipped {
                    index,
                    reason,
                    text,
                }),
                false => self.late(index, Heard::Nothing),
            },
            FromReceiver::Committed { index, hash } => self.committed(index, hash),
            FromReceiver::Ack { index, offset } => self.acknowledged(index, offset),
            FromReceiver::Final { committed, skipped } => self.finished(committed, skipped),
            FromReceiver::Accept | FromReceiver::Nop | FromReceiver::Abort { .. } => {
                Ok(Heard::Nothing)
            }
        }
    }

    fn want<'a>(&mut self, index: u64, offset: u64, prefix: Hash) -> Result<Heard<'a>, Broken> {
        let Some(open) = self.open.get_mut(&index) else {
            return self.late(index, Heard::Nothing);
        };
        let again = match open.state {
            State::Answer(_) => false,
            State::Word { again: false, .. } if offset == 0 => true,
            State::Word { .. } => return Err(Broken("an entry wanted too often")),
            State::Due { .. } => return Err(Broken("an entry wanted that is on its way")),
        };
        let holds = match open.kind {
            EntryKind::File => {
                offset % GROUP as u64 == 0 && open.size.is_some_and(|size| offset <= size)
            }
            EntryKind::Text => offset == 0,
            EntryKind::Stream => !again,
            EntryKind::Folder | EntryKind::FolderEnd => false,
        };
        if !holds {
            return Err(Broken("bytes wanted that there are not"));
        }
        open.state = State::Due { again };
        open.sent = offset;
        open.acknowledged = offset;
        self.jobs.push_back(Job::Send {
            index,
            offset,
            prefix,
        });
        Ok(Heard::Asked)
    }

    fn have<'a>(&mut self, index: u64, hash: Hash) -> Result<Heard<'a>, Broken> {
        let Some(open) = self.open.get_mut(&index) else {
            return self.late(index, Heard::Nothing);
        };
        if open.kind != EntryKind::File || !matches!(open.state, State::Answer(_)) {
            return Err(Broken("a file had that was not asked for"));
        }
        open.state = State::Due { again: false };
        self.jobs.push_back(Job::Compare { index, hash });
        Ok(Heard::Asked)
    }

    fn committed<'a>(&mut self, index: u64, hash: Hash) -> Result<Heard<'a>, Broken> {
        let Some(open) = self.open.get(&index) else {
            return self.late(index, Heard::Nothing);
        };
        let due = match (open.kind, open.state) {
            (EntryKind::Folder | EntryKind::FolderEnd, State::Answer(_)) => Some([0; 32]),
            (EntryKind::Text, State::Word { .. } | State::Answer(Some(_))) => Some([0; 32]),
            (_, State::Word { hash, .. } | State::Answer(Some(hash))) => Some(hash),
            _ => None,
        };
        match due {
            Some(due) if due == hash => {
                self.settle(index);
                Ok(Heard::Committed { index })
            }
            Some(_) => Err(Broken("a file committed with another hash")),
            None => Err(Broken("an entry committed that was not sent")),
        }
    }

    fn acknowledged<'a>(&mut self, index: u64, offset: u64) -> Result<Heard<'a>, Broken> {
        let Some(open) = self.open.get_mut(&index) else {
            return self.late(index, Heard::Nothing);
        };
        let begun = matches!(open.state, State::Due { .. } | State::Word { .. });
        let holds = (open.acknowledged..=open.sent).contains(&offset);
        if open.kind != EntryKind::Stream || !begun || !holds {
            return Err(Broken("bytes of a stream taken over that were not sent"));
        }
        open.acknowledged = offset;
        Ok(Heard::Acknowledged { index, offset })
    }

    fn finished<'a>(&mut self, committed: u64, skipped: u64) -> Result<Heard<'a>, Broken> {
        let entries = self.last.unwrap_or_default();
        let counted = committed.checked_add(skipped);
        if self.ending != Ending::Said || counted.is_none_or(|counted| counted > entries) {
            return Err(Broken("an end that is not due"));
        }
        self.ending = Ending::Heard;
        Ok(Heard::Finished)
    }

    /// What is said of an entry that is settled crossed the give-up of this side. Of one that was never
    /// announced nothing may be said.
    fn late<'a>(&self, index: u64, heard: Heard<'a>) -> Result<Heard<'a>, Broken> {
        match index < self.announced {
            true => Ok(heard),
            false => Err(Broken("an entry that was never announced")),
        }
    }

    fn settle(&mut self, index: u64) -> bool {
        let open = self.open.remove(&index);
        if let Some(open) = &open {
            self.open_bytes -= open.path_bytes;
            self.last_heard |= open.behind_last;
        }
        open.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: Hash = [7; 32];
    const SIZE: u64 = 3 * GROUP as u64;

    fn want(index: u64, offset: u64) -> FromReceiver<'static> {
        FromReceiver::Want {
            index,
            offset,
            prefix: [0; 32],
        }
    }

    fn committed(index: u64, hash: Hash) -> FromReceiver<'static> {
        FromReceiver::Committed { index, hash }
    }

    fn accepted() -> Sender {
        let mut sender = Sender::default();
        assert_eq!(sender.handle(FromReceiver::Accept), Ok(Heard::Accepted));
        sender
    }

    /// A sender that has announced one entry of each kind: its index is the number of the kind.
    fn announced() -> Sender {
        let mut sender = accepted();
        for number in 1..=5 {
            let kind = EntryKind::from_number(number).unwrap();
            let size = (kind != EntryKind::Stream).then_some(SIZE);
            sender.announce(number.into(), kind, size, 10, None);
        }
        sender
    }

    #[test]
    fn a_file_is_wanted_sent_and_committed_and_then_the_end_comes() {
        let mut sender = accepted();
        sender.announce(0, EntryKind::File, Some(SIZE), 1, None);
        sender.last(1);
        assert_eq!(sender.poll_final(), None);
        assert_eq!(sender.handle(want(0, 0)), Ok(Heard::Asked));
        assert!(matches!(
            sender.poll_job(),
            Some(Job::Send { index: 0, .. })
        ));
        assert_eq!(sender.poll_job(), None);
        sender.end(0, HASH);
        assert_eq!(
            sender.handle(committed(0, HASH)),
            Ok(Heard::Committed { index: 0 })
        );
        assert_eq!(sender.poll_final(), Some(1));
        assert_eq!(sender.poll_final(), None);
        let end = FromReceiver::Final {
            committed: 1,
            skipped: 0,
        };
        assert_eq!(sender.handle(end), Ok(Heard::Finished));
        assert!(sender.handle(FromReceiver::Nop).is_err());
    }

    #[test]
    fn nothing_but_a_last_word_is_missing_when_what_came_behind_last_is_answered() {
        let mut sender = accepted();
        sender.announce(0, EntryKind::Folder, Some(0), 1, None);
        sender.last(1);
        sender.handle(committed(0, [0; 32])).unwrap();
        assert!(!sender.is_done(), "the receiver may wait for more entries");
        for (before, done) in [(true, false), (false, true)] {
            let mut sender = accepted();
            sender.announce(0, EntryKind::File, Some(SIZE), 1, None);
            sender.handle(want(0, 0)).unwrap();
            if before {
                sender.end(0, HASH);
            }
            sender.last(1);
            if !before {
                sender.end(0, HASH);
            }
            assert!(!sender.is_done());
            sender.handle(committed(0, HASH)).unwrap();
            assert_eq!(sender.is_done(), done);
        }
    }

    #[test]
    fn nothing_is_answered_before_the_offer_is_accepted_and_that_only_once() {
        let mut sender = Sender::default();
        sender.announce(0, EntryKind::File, Some(SIZE), 1, None);
        assert!(sender.handle(want(0, 0)).is_err());
        assert_eq!(sender.handle(FromReceiver::Nop), Ok(Heard::Nothing));
        let abort = FromReceiver::Abort { code: 1, text: b"" };
        assert!(matches!(sender.handle(abort), Ok(Heard::Aborted { .. })));
        assert!(accepted().handle(FromReceiver::Accept).is_err());
    }

    #[test]
    fn what_may_be_said_of_an_entry_depends_on_its_kind() {
        let group = GROUP as u64;
        let have = |index| FromReceiver::Have { index, hash: HASH };
        // By kind: from 0, in the middle, at no group's border, behind the end, have, committed at once.
        let table = [
            (1, [true, true, false, false, true, false]),
            (2, [false, false, false, false, false, true]),
            (3, [true, false, false, false, false, false]),
            (4, [true, true, true, true, false, false]),
            (5, [false, false, false, false, false, true]),
        ];
        for (index, legal) in table {
            let records = [
                want(index, 0),
                want(index, group),
                want(index, group + 1),
                want(index, SIZE + group),
                have(index),
                committed(index, [0; 32]),
            ];
            for (record, legal) in records.into_iter().zip(legal) {
                let heard = announced().handle(record.clone());
                assert_eq!(heard.is_ok(), legal, "{index} {record:?}");
            }
        }
    }

    #[test]
    fn a_file_may_be_wanted_once_more_from_0_and_no_third_time() {
        let mut sender = announced();
        sender.handle(want(1, 0)).unwrap();
        assert!(sender.handle(want(1, 0)).is_err());
        let mut sender = announced();
        sender.handle(want(1, 0)).unwrap();
        sender.end(1, HASH);
        assert!(sender.handle(want(1, GROUP as u64)).is_err());
        let mut sender = announced();
        sender.handle(want(1, 0)).unwrap();
        sender.end(1, HASH);
        assert_eq!(sender.handle(want(1, 0)), Ok(Heard::Asked));
        sender.end(1, HASH);
        assert!(sender.handle(want(1, 0)).is_err());
    }

    #[test]
    fn a_commit_needs_the_hash_that_was_sent_in_this_connection_or_before() {
        let mut sender = announced();
        sender.handle(want(1, 0)).unwrap();
        assert!(sender.handle(committed(1, HASH)).is_err());
        sender.end(1, HASH);
        assert!(sender.handle(committed(1, [8; 32])).is_err());
        assert!(sender.handle(committed(1, HASH)).is_ok());
        let mut sender = accepted();
        sender.announce(9, EntryKind::File, Some(SIZE), 1, Some(HASH));
        assert!(sender.handle(committed(9, [8; 32])).is_err());
        assert!(sender.handle(committed(9, HASH)).is_ok());
    }

    #[test]
    fn an_acknowledgement_lies_between_the_last_and_what_was_sent() {
        let ack = |index, offset| FromReceiver::Ack { index, offset };
        let mut sender = announced();
        assert!(sender.handle(ack(4, 0)).is_err());
        sender.handle(want(4, 100)).unwrap();
        sender.sent(4, 200);
        assert!(sender.handle(ack(4, 99)).is_err());
        assert!(sender.handle(ack(4, 201)).is_err());
        assert!(sender.handle(ack(4, 150)).is_ok());
        assert!(sender.handle(ack(4, 149)).is_err());
        sender.handle(want(1, 0)).unwrap();
        assert!(sender.handle(ack(1, 0)).is_err());
    }

    #[test]
    fn a_skip_settles_an_entry_in_any_state_and_drops_its_job() {
        let skip = FromReceiver::Skip {
            index: 1,
            reason: 3,
            text: b"full",
        };
        let mut sender = announced();
        sender.handle(want(1, 0)).unwrap();
        assert!(matches!(
            sender.handle(skip.clone()),
            Ok(Heard::Skipped {
                index: 1,
                reason: 3,
                ..
            })
        ));
        assert_eq!(sender.poll_job(), None);
        assert!(!sender.is_open(1));
        assert!(!sender.give_up(1), "it is not this side's any more");
        let mut sender = announced();
        sender.handle(want(1, 0)).unwrap();
        sender.end(1, HASH);
        assert!(matches!(sender.handle(skip), Ok(Heard::Skipped { .. })));
    }

    #[test]
    fn what_crosses_a_give_up_is_overlooked_and_the_unknown_is_not() {
        let mut sender = announced();
        sender.last(6);
        assert!(sender.give_up(1));
        assert_eq!(sender.handle(want(1, 0)), Ok(Heard::Nothing));
        assert!(sender.handle(want(6, 0)).is_err());
        assert!(announced().handle(want(9, 0)).is_err());
    }

    #[test]
    fn the_window_closes_at_its_entries_or_its_bytes_and_opens_again() {
        let mut sender = accepted();
        for index in 0..WINDOW as u64 {
            assert!(sender.has_room());
            sender.announce(index, EntryKind::Folder, Some(0), 1, None);
        }
        assert!(!sender.has_room());
        sender.handle(committed(3, [0; 32])).unwrap();
        assert!(sender.has_room());
        let mut sender = accepted();
        let mut index = 0;
        while sender.has_room() {
            sender.announce(index, EntryKind::Folder, Some(0), PATH_MAX, None);
            index += 1;
        }
        assert_eq!(index, (WINDOW_BYTES / PATH_MAX) as u64);
        assert!(sender.open_bytes <= WINDOW_BYTES);
    }

    #[test]
    fn an_end_that_is_not_due_or_counts_more_than_there_was_is_refused() {
        let end = |committed, skipped| FromReceiver::Final { committed, skipped };
        assert!(announced().handle(end(0, 0)).is_err());
        let mut sender = accepted();
        sender.last(0);
        assert_eq!(sender.poll_final(), Some(0));
        assert!(sender.handle(end(1, 0)).is_err());
        assert!(sender.handle(end(u64::MAX, 1)).is_err());
        assert_eq!(sender.handle(end(0, 0)), Ok(Heard::Finished));
    }
}
