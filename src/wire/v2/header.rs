//! The mark in the header of version 1, and the receiver's answer to it.

use crate::wire::codec::Reader;
use crate::wire::v1::{HEADER_SIZE, Header, NAME_WIDTH};

/// The version that the mark and its answer name.
pub const VERSION: u8 = 2;
/// First byte of the receiver's answer to a mark.
pub const YES2: u8 = b'2';
/// Size of that answer, in bytes.
pub const ANSWER_SIZE: usize = 19;

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

#[cfg(test)]
mod tests {
    use super::*;

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
