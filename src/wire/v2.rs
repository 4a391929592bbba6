//! Version 2: the mark in the header of version 1, the receiver's answer to it, and the records.
//!
//! Integers are little-endian. A record is decoded from its plaintext, `type u8 || body`, by the side
//! that it is sent to: what the other side alone may send is no record there. Decoding borrows: of a record's
//! bytes only the path of an entry is copied, and nothing is allocated by a length that the peer names.

mod error;
mod header;
mod record;

pub use self::error::RecordError;
pub use self::header::{ANSWER_SIZE, Answer, Mark, VERSION, YES2};
pub use self::record::{
    BODY_MAX, DATA, DEPTH_MAX, Entry, FromReceiver, FromSender, ITEM_NAMES_MAX, ITEMS_MAX,
    NAME_MAX, REFUSED, STREAM_DATA, STREAM_END, TEXT_MAX,
};
