//! Version 2: the mark in the header of version 1, the receiver's answer to it, and the records.
//!
//! Integers are little-endian. A record is decoded from its plaintext, `type u8 || body`, by the side
//! that it is sent to: what the other side alone may send is no record there.

use std::fmt;

use super::codec::Reader;
use super::v1::{HEADER_SIZE, Header, NAME_WIDTH};

/// The version that the mark and its answer name.
pub const VERSION: u8 = 2;
/// First byte of the receiver's answer to a mark.
pub const YES2: u8 = b'2';
/// Size of that answer, in bytes.
pub const ANSWER_SIZE: usize = 19;
/// Most bytes of a record's body.
pub const BODY_MAX: usize = 65_536;
/// Most bytes of a name, and of a component of a path.
pub const NAME_MAX: usize = 255;
/// Most components of a path.
pub const DEPTH_MAX: usize = 64;
/// Most items of an offer.
pub const ITEMS_MAX: u32 = 65_536;
/// Most bytes of the text of a record; a longer one is cut when it is encoded.
pub const TEXT_MAX: usize = 255;

/// What a sender of version 2 adds to the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Version of the sender's protocol.
    pub version: u8,
    /// Whether the sender has a secret.
    pub secret: bool,
}

impl Mark {
    /// A header with this mark behind the NUL of its length. `None` stands for a header without a name,
    /// of length 0, which says nothing and which no program of 2013 takes.
    pub fn encode(self, header: Option<&Header>) -> [u8; HEADER_SIZE] {
        let mut bytes = match header {
            Some(header) => header.encode(),
            None => {
                let mut bytes = [0; HEADER_SIZE];
                bytes[NAME_WIDTH] = b'0';
                bytes
            }
        };
        let mark = [b'P', b'2', self.version, u8::from(self.secret)];
        // A length has at most 10 digits, so there is room behind its NUL.
        let end = bytes[NAME_WIDTH..].iter().position(|&byte| byte == 0);
        let place = NAME_WIDTH + end.unwrap_or_default() + 1;
        bytes[place..place + mark.len()].copy_from_slice(&mark);
        bytes
    }

    /// The mark of a header that has one.
    pub fn find(header: &[u8; HEADER_SIZE]) -> Option<Self> {
        let (_, field) = header.split_at(NAME_WIDTH);
        let end = field.iter().position(|&byte| byte == 0)?;
        let mut reader = Reader::new(field);
        reader.take(end + 1)?;
        match reader.array()? {
            [b'P', b'2', version, flags] if version >= VERSION => Some(Self {
                version,
                secret: flags & 1 != 0,
            }),
            _ => None,
        }
    }
}

/// What a receiver of version 2 answers to a marked header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Whether the receiver has a secret.
    pub secret: bool,
    /// Random.
    pub nonce: [u8; 16],
}

impl Answer {
    /// The answer as it goes on the wire.
    pub fn encode(&self) -> [u8; ANSWER_SIZE] {
        let mut bytes = [0; ANSWER_SIZE];
        bytes[..3].copy_from_slice(&[YES2, VERSION, u8::from(self.secret)]);
        bytes[3..].copy_from_slice(&self.nonce);
        bytes
    }

    /// Reads an answer; `None` when it is none, or of another version.
    pub fn decode(bytes: &[u8; ANSWER_SIZE]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        match reader.array()? {
            [YES2, VERSION, flags] => Some(Self {
                secret: flags & 1 != 0,
                nonce: reader.array()?,
            }),
            _ => None,
        }
    }
}

/// An entry as it is announced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number.
    pub index: u64,
    /// The item that it belongs to.
    pub item: u32,
    /// 1 file, 2 folder, 3 text, 4 stream, 5 end of a folder.
    pub kind: u8,
    /// Whether its owner may execute it.
    pub executable: bool,
    /// Its size in bytes; `None` when nobody knows.
    pub size: Option<u64>,
    /// When it was changed: seconds since 1970.
    pub seconds: i64,
    /// Nanoseconds after them, below 10^9.
    pub nanos: u32,
    /// 1 to [`DEPTH_MAX`] components of 1 to [`NAME_MAX`] bytes.
    pub path: Vec<Vec<u8>>,
}

/// A record of the sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromSender<'a> {
    /// A part of the offer.
    Item {
        /// 1 file, 2 folder, 3 text, 4 stream.
        kind: u8,
        /// Whether the two counts are all of it.
        complete: bool,
        /// How many files.
        files: u64,
        /// How many bytes; `None` when nobody knows.
        bytes: Option<u64>,
        /// Its name: 1 to [`NAME_MAX`] bytes.
        name: &'a [u8],
    },
    /// The end of the offer.
    Offer {
        /// Random, one for each sender's process.
        run: [u8; 16],
        /// How many items there were.
        items: u32,
    },
    /// An entry is announced.
    Entry(Entry),
    /// The data of this entry follows.
    Begin {
        /// Which.
        index: u64,
        /// From where on, in bytes.
        offset: u64,
    },
    /// The next bytes of the entry begun; at least one.
    Data(&'a [u8]),
    /// The end of the entry begun.
    End {
        /// Length of all of it, in bytes.
        length: u64,
        /// BLAKE3 of all of it.
        hash: [u8; 32],
    },
    /// The sender's file is the one that the receiver has.
    Same {
        /// Which.
        index: u64,
    },
    /// This entry will not come.
    GiveUp {
        /// Which.
        index: u64,
        /// 1 cannot be read, 2 changed, 3 gone.
        reason: u8,
        /// In the sender's words.
        text: &'a [u8],
    },
    /// No more entries.
    Last {
        /// How many there were, lost ones included: above the index of each.
        entries: u64,
    },
    /// Everything announced is settled.
    Final {
        /// As in [`FromSender::Last`].
        entries: u64,
    },
    /// Nothing; the sender is still there.
    Nop,
    /// The sender ends it.
    Abort {
        /// 1 refused, 2 no space, 3 protocol, 4 cancelled, 5 file, 6 other.
        code: u8,
        /// In the sender's words.
        text: &'a [u8],
    },
}

/// A record of the receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromReceiver<'a> {
    /// The offer is taken.
    Accept,
    /// This entry's data is to come.
    Want {
        /// Which.
        index: u64,
        /// From where on, in bytes.
        offset: u64,
        /// BLAKE3 of what is there; zeros when that is nothing.
        prefix: [u8; 32],
    },
    /// A file of that name, size and time is there.
    Have {
        /// Which.
        index: u64,
        /// BLAKE3 of it.
        hash: [u8; 32],
    },
    /// This entry is not taken.
    Skip {
        /// Which.
        index: u64,
        /// 1 unsafe name, 2 file, 3 no space, 4 not wanted.
        reason: u8,
        /// In the receiver's words.
        text: &'a [u8],
    },
    /// This entry is where it should be.
    Committed {
        /// Which.
        index: u64,
        /// BLAKE3 of it; zeros for folders and texts.
        hash: [u8; 32],
    },
    /// So much of a stream is taken over.
    Ack {
        /// Which.
        index: u64,
        /// In bytes.
        offset: u64,
    },
    /// The end.
    Final {
        /// Entries that are where they should be.
        committed: u64,
        /// Entries that are not.
        skipped: u64,
    },
    /// Nothing; the receiver is still there.
    Nop,
    /// The receiver ends it.
    Abort {
        /// As in [`FromSender::Abort`].
        code: u8,
        /// In the receiver's words.
        text: &'a [u8],
    },
}

/// The bytes are no record that this side may get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordError;

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record that is none: update both programs")
    }
}

impl std::error::Error for RecordError {}

/// Type of a DATA record: its plaintext is this byte and the data.
pub const DATA: u8 = 0x05;
const NOP: u8 = 0x0b;
const ABORT: u8 = 0x0c;

impl<'a> FromSender<'a> {
    /// Appends type and body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Item {
                kind,
                complete,
                files,
                bytes,
                name,
            } => {
                out.extend([0x01, *kind, u8::from(*complete)]);
                put(out, &[*files, bytes.unwrap_or(u64::MAX)]);
                out.extend_from_slice(name);
            }
            Self::Offer { run, items } => {
                out.push(0x02);
                out.extend_from_slice(run);
                out.extend(items.to_le_bytes());
            }
            Self::Entry(entry) => entry.encode(out),
            Self::Begin { index, offset } => {
                out.push(0x04);
                put(out, &[*index, *offset]);
            }
            Self::Data(data) => {
                out.push(DATA);
                out.extend_from_slice(data);
            }
            Self::End { length, hash } => {
                out.push(0x06);
                put(out, &[*length]);
                out.extend_from_slice(hash);
            }
            Self::Same { index } => {
                out.push(0x07);
                put(out, &[*index]);
            }
            Self::GiveUp {
                index,
                reason,
                text,
            } => {
                out.push(0x08);
                put(out, &[*index]);
                out.push(*reason);
                out.extend_from_slice(cut(text));
            }
            Self::Last { entries } => {
                out.push(0x09);
                put(out, &[*entries]);
            }
            Self::Final { entries } => {
                out.push(0x0a);
                put(out, &[*entries]);
            }
            Self::Nop => out.push(NOP),
            Self::Abort { code, text } => {
                out.extend([ABORT, *code]);
                out.extend_from_slice(cut(text));
            }
        }
    }

    /// Reads a record that a receiver got.
    ///
    /// # Errors
    /// When it is none, or a field is out of its range.
    pub fn decode(plain: &'a [u8]) -> Result<Self, RecordError> {
        let mut reader = Reader::new(plain);
        let record = Self::read(&mut reader).ok_or(RecordError)?;
        reader.finish().ok_or(RecordError)?;
        Ok(record)
    }

    fn read(reader: &mut Reader<'a>) -> Option<Self> {
        let [kind] = reader.array()?;
        Some(match kind {
            0x01 => {
                let [kind, flags] = reader.array()?;
                let (files, bytes) = (number(reader)?, known(number(reader)?));
                let name = reader.rest();
                let holds = (1..=4).contains(&kind) && (1..=NAME_MAX).contains(&name.len());
                holds.then_some(Self::Item {
                    kind,
                    complete: flags & 1 != 0,
                    files,
                    bytes,
                    name,
                })?
            }
            0x02 => {
                let run = reader.array()?;
                let items = u32::from_le_bytes(reader.array()?);
                Self::Offer { run, items }
            }
            0x03 => Self::Entry(Entry::read(reader)?),
            0x04 => Self::Begin {
                index: number(reader)?,
                offset: number(reader)?,
            },
            DATA => {
                let data = reader.rest();
                let holds = (1..=BODY_MAX).contains(&data.len());
                holds.then_some(Self::Data(data))?
            }
            0x06 => Self::End {
                length: number(reader)?,
                hash: reader.array()?,
            },
            0x07 => Self::Same {
                index: number(reader)?,
            },
            0x08 => {
                let index = number(reader)?;
                let [reason] = reader.array()?;
                let text = text(reader)?;
                (1..=3).contains(&reason).then_some(Self::GiveUp {
                    index,
                    reason,
                    text,
                })?
            }
            0x09 => Self::Last {
                entries: number(reader)?,
            },
            0x0a => Self::Final {
                entries: number(reader)?,
            },
            NOP => Self::Nop,
            ABORT => {
                let [code] = reader.array()?;
                let text = text(reader)?;
                Self::Abort { code, text }
            }
            _ => return None,
        })
    }
}

impl<'a> FromReceiver<'a> {
    /// Appends type and body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Accept => out.push(0x21),
            Self::Want {
                index,
                offset,
                prefix,
            } => {
                out.push(0x23);
                put(out, &[*index, *offset]);
                out.extend_from_slice(prefix);
            }
            Self::Have { index, hash } => {
                out.push(0x24);
                put(out, &[*index]);
                out.extend_from_slice(hash);
            }
            Self::Skip {
                index,
                reason,
                text,
            } => {
                out.push(0x25);
                put(out, &[*index]);
                out.push(*reason);
                out.extend_from_slice(cut(text));
            }
            Self::Committed { index, hash } => {
                out.push(0x26);
                put(out, &[*index]);
                out.extend_from_slice(hash);
            }
            Self::Ack { index, offset } => {
                out.push(0x28);
                put(out, &[*index, *offset]);
            }
            Self::Final { committed, skipped } => {
                out.push(0x29);
                put(out, &[*committed, *skipped]);
            }
            Self::Nop => out.push(NOP),
            Self::Abort { code, text } => {
                out.extend([ABORT, *code]);
                out.extend_from_slice(cut(text));
            }
        }
    }

    /// Reads a record that a sender got.
    ///
    /// # Errors
    /// When it is none, or a field is out of its range.
    pub fn decode(plain: &'a [u8]) -> Result<Self, RecordError> {
        let mut reader = Reader::new(plain);
        let record = Self::read(&mut reader).ok_or(RecordError)?;
        reader.finish().ok_or(RecordError)?;
        Ok(record)
    }

    fn read(reader: &mut Reader<'a>) -> Option<Self> {
        let [kind] = reader.array()?;
        Some(match kind {
            0x21 => Self::Accept,
            0x23 => Self::Want {
                index: number(reader)?,
                offset: number(reader)?,
                prefix: reader.array()?,
            },
            0x24 => Self::Have {
                index: number(reader)?,
                hash: reader.array()?,
            },
            0x25 => {
                let index = number(reader)?;
                let [reason] = reader.array()?;
                let text = text(reader)?;
                (1..=4).contains(&reason).then_some(Self::Skip {
                    index,
                    reason,
                    text,
                })?
            }
            0x26 => Self::Committed {
                index: number(reader)?,
                hash: reader.array()?,
            },
            0x28 => Self::Ack {
                index: number(reader)?,
                offset: number(reader)?,
            },
            0x29 => Self::Final {
                committed: number(reader)?,
                skipped: number(reader)?,
            },
            NOP => Self::Nop,
            ABORT => {
                let [code] = reader.array()?;
                let text = text(reader)?;
                Self::Abort { code, text }
            }
            _ => return None,
        })
    }
}

impl Entry {
    /// Bytes of all components together: what counts against the window.
    pub fn path_bytes(&self) -> usize {
        self.path.iter().map(Vec::len).sum()
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.push(0x03);
        put(out, &[self.index]);
        out.extend(self.item.to_le_bytes());
        out.extend([self.kind, u8::from(self.executable)]);
        put(out, &[self.size.unwrap_or(u64::MAX)]);
        out.extend(self.seconds.to_le_bytes());
        out.extend(self.nanos.to_le_bytes());
        out.extend((self.path.len() as u16).to_le_bytes());
        for component in &self.path {
            out.extend((component.len() as u16).to_le_bytes());
            out.extend_from_slice(component);
        }
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let index = number(reader)?;
        let item = u32::from_le_bytes(reader.array()?);
        let [kind, flags] = reader.array()?;
        let size = known(number(reader)?);
        let seconds = i64::from_le_bytes(reader.array()?);
        let nanos = u32::from_le_bytes(reader.array()?);
        let count = usize::from(u16::from_le_bytes(reader.array()?));
        let holds = (1..=5).contains(&kind)
            && nanos < 1_000_000_000
            && (1..=DEPTH_MAX).contains(&count)
            && size.is_none() == (kind == 4);
        if !holds {
            return None;
        }
        let path = (0..count).map(|_| {
            let length = usize::from(u16::from_le_bytes(reader.array()?));
            let component = reader.take(length)?;
            (1..=NAME_MAX).contains(&length).then(|| component.to_vec())
        });
        Some(Self {
            index,
            item,
            kind,
            executable: flags & 1 != 0,
            size,
            seconds,
            nanos,
            path: path.collect::<Option<_>>()?,
        })
    }
}

fn put(out: &mut Vec<u8>, numbers: &[u64]) {
    for number in numbers {
        out.extend(number.to_le_bytes());
    }
}

fn number(reader: &mut Reader<'_>) -> Option<u64> {
    reader.array().map(u64::from_le_bytes)
}

fn known(number: u64) -> Option<u64> {
    (number != u64::MAX).then_some(number)
}

fn text<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    let text = reader.rest();
    (text.len() <= TEXT_MAX).then_some(text)
}

fn cut(text: &[u8]) -> &[u8] {
    &text[..text.len().min(TEXT_MAX)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        Entry {
            index: 7,
            item: 1,
            kind: 1,
            executable: true,
            size: Some(5),
            seconds: -3,
            nanos: 999_999_999,
            path: vec![b"a".to_vec(), vec![b'b'; NAME_MAX]],
        }
    }

    fn from_sender() -> Vec<FromSender<'static>> {
        vec![
            FromSender::Item {
                kind: 2,
                complete: true,
                files: 3,
                bytes: None,
                name: b"folder",
            },
            FromSender::Offer {
                run: [9; 16],
                items: 1,
            },
            FromSender::Entry(entry()),
            FromSender::Begin {
                index: 7,
                offset: 1 << 40,
            },
            FromSender::Data(b"data"),
            FromSender::End {
                length: 4,
                hash: [1; 32],
            },
            FromSender::Same { index: 7 },
            FromSender::GiveUp {
                index: 7,
                reason: 2,
                text: b"changed",
            },
            FromSender::Last { entries: 8 },
            FromSender::Final { entries: 8 },
            FromSender::Nop,
            FromSender::Abort { code: 4, text: b"" },
        ]
    }

    fn from_receiver() -> Vec<FromReceiver<'static>> {
        vec![
            FromReceiver::Accept,
            FromReceiver::Want {
                index: 7,
                offset: 262_144,
                prefix: [2; 32],
            },
            FromReceiver::Have {
                index: 7,
                hash: [3; 32],
            },
            FromReceiver::Skip {
                index: 7,
                reason: 1,
                text: b"no",
            },
            FromReceiver::Committed {
                index: 7,
                hash: [4; 32],
            },
            FromReceiver::Ack {
                index: 7,
                offset: 9,
            },
            FromReceiver::Final {
                committed: 7,
                skipped: 1,
            },
            FromReceiver::Nop,
            FromReceiver::Abort {
                code: 1,
                text: b"no",
            },
        ]
    }

    #[test]
    fn what_is_encoded_is_read_back_by_the_other_side_alone() {
        for record in from_sender() {
            let mut plain = Vec::new();
            record.encode(&mut plain);
            assert_eq!(FromSender::decode(&plain), Ok(record.clone()));
            let shared = matches!(record, FromSender::Nop | FromSender::Abort { .. });
            assert_eq!(FromReceiver::decode(&plain).is_ok(), shared, "{record:?}");
        }
        for record in from_receiver() {
            let mut plain = Vec::new();
            record.encode(&mut plain);
            assert_eq!(FromReceiver::decode(&plain), Ok(record.clone()));
            let shared = matches!(record, FromReceiver::Nop | FromReceiver::Abort { .. });
            assert_eq!(FromSender::decode(&plain).is_ok(), shared, "{record:?}");
        }
    }

    #[test]
    fn a_record_of_fixed_size_that_is_cut_or_longer_is_none() {
        let texts = |plain: &[u8]| matches!(plain[0], 0x01 | DATA | 0x08 | ABORT | 0x25);
        let mut plains = Vec::new();
        for record in from_sender() {
            let mut plain = Vec::new();
            record.encode(&mut plain);
            plains.push((plain, true));
        }
        for record in from_receiver() {
            let mut plain = Vec::new();
            record.encode(&mut plain);
            plains.push((plain, false));
        }
        for (mut plain, sender) in plains {
            let decodes = |plain: &[u8]| match sender {
                true => FromSender::decode(plain).is_ok(),
                false => FromReceiver::decode(plain).is_ok(),
            };
            if texts(&plain) {
                continue;
            }
            for cut in 0..plain.len() {
                assert!(!decodes(&plain[..cut]), "{plain:?} {cut}");
            }
            plain.push(0);
            assert!(!decodes(&plain), "{plain:?}");
        }
    }

    #[test]
    fn a_field_out_of_its_range_makes_no_record() {
        let wrong: [fn(&mut Entry); 7] = [
            |entry| entry.kind = 0,
            |entry| entry.kind = 6,
            |entry| entry.nanos = 1_000_000_000,
            |entry| entry.path = Vec::new(),
            |entry| entry.path = vec![b"a".to_vec(); DEPTH_MAX + 1],
            |entry| entry.path[1] = Vec::new(),
            |entry| entry.path[1] = vec![b'b'; NAME_MAX + 1],
        ];
        for change in wrong {
            let mut entry = entry();
            change(&mut entry);
            let mut plain = Vec::new();
            FromSender::Entry(entry).encode(&mut plain);
            assert_eq!(FromSender::decode(&plain), Err(RecordError));
        }
        for kind in [1, 4] {
            let mut entry = entry();
            (entry.kind, entry.size) = (kind, (kind == 4).then_some(5));
            let mut plain = Vec::new();
            FromSender::Entry(entry).encode(&mut plain);
            assert_eq!(FromSender::decode(&plain), Err(RecordError));
        }
        assert!(FromSender::decode(&[DATA]).is_err());
        assert!(FromSender::decode(&vec![DATA; BODY_MAX + 2]).is_err());
        assert!(FromSender::decode(&[ABORT; TEXT_MAX + 3]).is_err());
        assert!(FromSender::decode(&[]).is_err());
    }

    #[test]
    fn a_mark_stands_behind_the_length_and_an_old_receiver_reads_the_same_header() {
        let mark = Mark {
            version: VERSION,
            secret: true,
        };
        let header = Header::new(b"hello.txt", 2_146_435_072).unwrap();
        let marked = mark.encode(Some(&header));
        assert_eq!(&marked[NAME_WIDTH..], b"2146435072\0P2\x02\x01\0");
        assert_eq!(Header::decode(&marked), Ok(header.clone()));
        assert_eq!(Mark::find(&marked), Some(mark));
        assert_eq!(Mark::find(&header.encode()), None);
        let unnamed = mark.encode(None);
        assert_eq!(&unnamed[NAME_WIDTH..][..6], b"0\0P2\x02\x01");
        assert!(Header::decode(&unnamed).is_err());
        assert_eq!(Mark::find(&unnamed), Some(mark));
    }

    #[test]
    fn an_answer_is_read_back_and_another_versions_is_not() {
        let answer = Answer {
            secret: true,
            nonce: [5; 16],
        };
        let mut bytes = answer.encode();
        assert_eq!(Answer::decode(&bytes), Some(answer));
        bytes[1] = 3;
        assert_eq!(Answer::decode(&bytes), None);
    }
}
