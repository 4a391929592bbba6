//! What can be wrong with the plaintext of a record.

use std::fmt;

/// Why the bytes are no record that this side may get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordError {
    /// No byte at all, so not even a type.
    Empty,
    /// A type that the peer may not send, or that none has.
    Type(u8),
    /// The body ends within a field.
    Cut,
    /// The body goes on behind its last field.
    Longer,
    /// An item or an entry of a kind that none has.
    Kind(u8),
    /// A reason that none has.
    Reason(u8),
    /// A name, or a component of a path, of 0 bytes or of more than [`super::NAME_MAX`].
    Name,
    /// A path without a component, or with more than [`super::DEPTH_MAX`].
    Depth,
    /// A time of 10^9 nanoseconds or more.
    Nanos,
    /// A stream of known size, or anything else of unknown size.
    Size,
    /// Data of 0 bytes, or of more than [`super::BODY_MAX`].
    Data,
    /// A text of more than [`super::TEXT_MAX`] bytes.
    Text,
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a record without a type"),
            Self::Type(byte) => write!(
                f,
                "a record of type 0x{byte:02x}, which is not the peer's to send"
            ),
            Self::Cut => f.write_str("a record that ends within a field"),
            Self::Longer => f.write_str("a record that goes on behind its last field"),
            Self::Kind(byte) => write!(f, "an entry of kind {byte}, which does not exist"),
            Self::Reason(byte) => write!(f, "a refusal with reason {byte}, which does not exist"),
            Self::Name => f.write_str("a name that is not 1 to 255 bytes long"),
            Self::Depth => f.write_str("a path that is not 1 to 64 components deep"),
            Self::Nanos => f.write_str("a time with a second or more of nanoseconds"),
            Self::Size => f.write_str("an entry whose size does not go with its kind"),
            Self::Data => f.write_str("data that is not 1 to 65536 bytes long"),
            Self::Text => f.write_str("a text of more than 255 bytes"),
        }?;
        f.write_str(": update both programs")
    }
}

impl std::error::Error for RecordError {}
