//! The records of version 2.

use super::error::RecordError;
use crate::wire::codec::Reader;

/// Most bytes of a record's body.
pub const BODY_MAX: usize = 65_536;
/// Most bytes of a name, and of a component of a path.
pub const NAME_MAX: usize = 255;
/// Most components of a path.
pub const DEPTH_MAX: usize = 64;
/// Most items of an offer.
pub const ITEMS_MAX: u32 = 65_536;
/// Most bytes of the names of all items together.
pub const ITEM_NAMES_MAX: usize = 4 << 20;
/// Most bytes of the text of a record; a longer one is cut when it is encoded.
pub const TEXT_MAX: usize = 255;
/// Why an entry is given up of which its receiver has said SKIP while it was on its way.
pub const REFUSED: u8 = 4;

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
        /// 1 cannot be read, 2 changed, 3 gone, 4 [`REFUSED`].
        reason: u8,
        /// In the sender's words.
        text: &'a [u8],
    },
    /// No more entries.
    Last {
        /// How many there were, lost ones included: above the index of each.
        entries: u64,
        /// How many the sender left out against its will: those it gave up, and those it could not
        /// announce.
        missing: u64,
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
        /// 1 unsafe name, 2 file, 3 no space, 4 not wanted, 5 there and not confirmed by the disk.
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

/// Type of a DATA record: its plaintext is this byte and the data.
pub const DATA: u8 = 0x05;
/// Type of a record of a sealed stream that has some of its bytes. No transfer has it.
pub const STREAM_DATA: u8 = 0x31;
/// Type of the last record of a sealed stream.
pub const STREAM_END: u8 = 0x32;
/// Kind of an entry whose size nobody knows.
const STREAM: u8 = 4;
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
            Self::Last { entries, missing } => {
                out.push(0x09);
                put(out, &[*entries, *missing]);
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
    /// Why it is none.
    pub fn decode(plain: &'a [u8]) -> Result<Self, RecordError> {
        let mut reader = Reader::new(plain);
        let [kind] = reader.array().ok_or(RecordError::Empty)?;
        let record = Self::read(kind, &mut reader)?;
        reader.finish().ok_or(RecordError::Longer)?;
        Ok(record)
    }

    fn read(kind: u8, reader: &mut Reader<'a>) -> Result<Self, RecordError> {
        Ok(match kind {
            0x01 => {
                let [kind, flags] = array(reader)?;
                let (files, bytes) = (number(reader)?, known(number(reader)?));
                Self::Item {
                    kind: within(kind, 4, RecordError::Kind)?,
                    complete: flags & 1 != 0,
                    files,
                    bytes,
                    name: sized(reader.rest(), NAME_MAX, RecordError::Name)?,
                }
            }
            0x02 => {
                let run = array(reader)?;
                let items = u32::from_le_bytes(array(reader)?);
                Self::Offer { run, items }
            }
            0x03 => Self::Entry(Entry::read(reader)?),
            0x04 => Self::Begin {
                index: number(reader)?,
                offset: number(reader)?,
            },
            DATA => Self::Data(sized(reader.rest(), BODY_MAX, RecordError::Data)?),
            0x06 => Self::End {
                length: number(reader)?,
                hash: array(reader)?,
            },
            0x07 => Self::Same {
                index: number(reader)?,
            },
            0x08 => {
                let index = number(reader)?;
                let [reason] = array(reader)?;
                Self::GiveUp {
                    index,
                    reason: within(reason, REFUSED, RecordError::Reason)?,
                    text: text(reader)?,
                }
            }
            0x09 => Self::Last {
                entries: number(reader)?,
                missing: number(reader)?,
            },
            0x0a => Self::Final {
                entries: number(reader)?,
            },
            NOP => Self::Nop,
            ABORT => {
                let [code] = array(reader)?;
                let text = text(reader)?;
                Self::Abort { code, text }
            }
            other => return Err(RecordError::Type(other)),
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
    /// Why it is none.
    pub fn decode(plain: &'a [u8]) -> Result<Self, RecordError> {
        let mut reader = Reader::new(plain);
        let [kind] = reader.array().ok_or(RecordError::Empty)?;
        let record = Self::read(kind, &mut reader)?;
        reader.finish().ok_or(RecordError::Longer)?;
        Ok(record)
    }

    fn read(kind: u8, reader: &mut Reader<'a>) -> Result<Self, RecordError> {
        Ok(match kind {
            0x21 => Self::Accept,
            0x23 => Self::Want {
                index: number(reader)?,
                offset: number(reader)?,
                prefix: array(reader)?,
            },
            0x24 => Self::Have {
                index: number(reader)?,
                hash: array(reader)?,
            },
            0x25 => {
                let index = number(reader)?;
                let [reason] = array(reader)?;
                Self::Skip {
                    index,
                    reason: within(reason, 5, RecordError::Reason)?,
                    text: text(reader)?,
                }
            }
            0x26 => Self::Committed {
                index: number(reader)?,
                hash: array(reader)?,
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
                let [code] = array(reader)?;
                let text = text(reader)?;
                Self::Abort { code, text }
            }
            other => return Err(RecordError::Type(other)),
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

    fn read(reader: &mut Reader<'_>) -> Result<Self, RecordError> {
        let index = number(reader)?;
        let item = u32::from_le_bytes(array(reader)?);
        let [kind, flags] = array(reader)?;
        let kind = within(kind, 5, RecordError::Kind)?;
        let size = known(number(reader)?);
        let seconds = i64::from_le_bytes(array(reader)?);
        let nanos = u32::from_le_bytes(array(reader)?);
        let count = usize::from(u16::from_le_bytes(array(reader)?));
        if size.is_none() != (kind == STREAM) {
            return Err(RecordError::Size);
        }
        if nanos >= 1_000_000_000 {
            return Err(RecordError::Nanos);
        }
        if !(1..=DEPTH_MAX).contains(&count) {
            return Err(RecordError::Depth);
        }
        let path = (0..count).map(|_| {
            let length = usize::from(u16::from_le_bytes(array(reader)?));
            let component = reader.take(length).ok_or(RecordError::Cut)?;
            sized(component, NAME_MAX, RecordError::Name).map(<[u8]>::to_vec)
        });
        Ok(Self {
            index,
            item,
            kind,
            executable: flags & 1 != 0,
            size,
            seconds,
            nanos,
            path: path.collect::<Result<_, _>>()?,
        })
    }
}

fn put(out: &mut Vec<u8>, numbers: &[u64]) {
    for number in numbers {
        out.extend(number.to_le_bytes());
    }
}

fn array<const N: usize>(reader: &mut Reader<'_>) -> Result<[u8; N], RecordError> {
    reader.array().ok_or(RecordError::Cut)
}

fn number(reader: &mut Reader<'_>) -> Result<u64, RecordError> {
    array(reader).map(u64::from_le_bytes)
}

fn known(number: u64) -> Option<u64> {
    (number != u64::MAX).then_some(number)
}

/// A number of `1..=most`.
fn within(byte: u8, most: u8, error: fn(u8) -> RecordError) -> Result<u8, RecordError> {
    let holds = (1..=most).contains(&byte);
    holds.then_some(byte).ok_or(error(byte))
}

/// Bytes of which there are `1..=most`.
fn sized(bytes: &[u8], most: usize, error: RecordError) -> Result<&[u8], RecordError> {
    let holds = (1..=most).contains(&bytes.len());
    holds.then_some(bytes).ok_or(error)
}

fn text<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], RecordError> {
    let text = reader.rest();
    let holds = text.len() <= TEXT_MAX;
    holds.then_some(text).ok_or(RecordError::Text)
}

fn cut(text: &[u8]) -> &[u8] {
    &text[..text.len().min(TEXT_MAX)]
}

#[cfg(test)]
mod tests;
