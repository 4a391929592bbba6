//! What can be wrong with bytes from outside.

use std::fmt;

use super::hello::ID_MAX;

/// Why some bytes are not a user id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdError {
    /// No byte at all.
    Empty,
    /// More than [`ID_MAX`] bytes.
    TooLong,
    /// A `$`, which ends the id on the wire.
    Dollar,
    /// A byte below 0x20, or 0x7f.
    Control,
}

impl fmt::Display for IdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the user id is empty: give one of 1 to 255 bytes"),
            Self::TooLong => write!(
                f,
                "the user id is longer than {ID_MAX} bytes: give a shorter one"
            ),
            Self::Dollar => {
                f.write_str("the user id holds a '$', which would end it: leave it out")
            }
            Self::Control => f.write_str("the user id holds a control character: leave it out"),
        }
    }
}

impl std::error::Error for IdError {}

/// Why the first bytes of a connection are not a hello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HelloError {
    /// The first byte names no role.
    UnknownRole,
    /// The id breaks a rule.
    Id(IdError),
}

impl fmt::Display for HelloError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownRole => f.write_str("the first byte is neither T nor C"),
            Self::Id(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for HelloError {}

/// Why the first bytes of a connection from a balancer are not a header of the PROXY protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyError {
    /// They are no header of its version 2.
    Signature,
    /// A version other than 2.
    Version,
    /// Neither LOCAL nor PROXY.
    Command,
    /// Neither TCP over IPv4 nor TCP over IPv6.
    Family,
    /// Too short for its addresses.
    TooShort,
    /// Longer than [`super::proxy::PROXY_MAX`].
    TooLong,
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Signature => "no header of the PROXY protocol, version 2: set send-proxy-v2",
            Self::Version => "the PROXY header is not of version 2: set send-proxy-v2",
            Self::Command => "the PROXY header's command is neither LOCAL nor PROXY",
            Self::Family => "the PROXY header is for neither TCP over IPv4 nor TCP over IPv6",
            Self::TooShort => "the PROXY header is too short for its addresses",
            Self::TooLong => "the PROXY header is longer than 536 bytes: send fewer extensions",
        })
    }
}

impl std::error::Error for ProxyError {}

/// Why 48 bytes are not a version-1 header, or 16 bytes not a checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderError {
    /// The name field holds no NUL, so the name has no end.
    NameWithoutEnd,
    /// The number field holds no NUL, so the number has no end.
    NumberWithoutEnd,
    /// The field holds something other than a decimal number.
    NotANumber,
    /// A length of 0, which version 1 cannot carry.
    LengthZero,
    /// A negative length, or one above [`super::v1::LENGTH_MAX`].
    LengthOutOfRange,
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NameWithoutEnd => "the file name has no end",
            Self::NumberWithoutEnd => "the number has no end",
            Self::NotANumber => "the number is not a decimal number",
            Self::LengthZero => "the file length is 0, which version 1 cannot carry",
            Self::LengthOutOfRange => "the file length is not between 1 byte and 2047 MiB",
        })
    }
}

impl std::error::Error for HeaderError {}
