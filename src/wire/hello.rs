//! The first bytes of a connection to the relay: `T<userid>$` or `C<userid>$`.

use std::fmt;

use super::error::{HelloError, IdError};
use super::text::Printable;

/// Longest user id, in bytes.
pub const ID_MAX: usize = 255;
/// Longest hello, in bytes: role, id and `$`.
pub const HELLO_MAX: usize = 1 + ID_MAX + 1;

const END: u8 = b'$';

/// The name under which two hosts meet: 1 to [`ID_MAX`] bytes, no `$`, no control character.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct UserId(Box<[u8]>);

impl UserId {
    /// Checks the rules of a user id.
    ///
    /// # Errors
    /// The rule that `bytes` break.
    pub fn new(bytes: &[u8]) -> Result<Self, IdError> {
        match bytes.len() {
            0 => return Err(IdError::Empty),
            1..=ID_MAX => {}
            _ => return Err(IdError::TooLong),
        }
        for &byte in bytes {
            check_id_byte(byte)?;
        }
        Ok(Self(bytes.into()))
    }

    /// The id as it stands on the wire.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Printable(&self.0).fmt(f)
    }
}

impl fmt::Debug for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UserId({self})")
    }
}

fn check_id_byte(byte: u8) -> Result<(), IdError> {
    match byte {
        END => Err(IdError::Dollar),
        0..=0x1f | 0x7f => Err(IdError::Control),
        _ => Ok(()),
    }
}

/// What a connection wants of the relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// `T`: waits under its id.
    Listener,
    /// `C`: calls the id.
    Caller,
}

impl Role {
    fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            b'T' => Some(Self::Listener),
            b'C' => Some(Self::Caller),
            _ => None,
        }
    }

    fn byte(self) -> u8 {
        match self {
            Self::Listener => b'T',
            Self::Caller => b'C',
        }
    }
}

/// A whole hello.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Waits or calls.
    pub role: Role,
    /// Under which name.
    pub id: UserId,
}

impl Hello {
    /// The hello as it goes on the wire; all of it belongs into one write, because the relay of
    /// 2013 takes a hello only in one packet.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.id.as_bytes().len() + 2);
        bytes.push(self.role.byte());
        bytes.extend_from_slice(self.id.as_bytes());
        bytes.push(END);
        bytes
    }
}

/// What came of some bytes given to a [`HelloReader`].
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    /// All of them belong to a hello that has not ended yet.
    More,
    /// The hello is whole; the first `used` of the bytes belonged to it, the others to the peer.
    Done {
        /// The hello.
        hello: Hello,
        /// How many of the bytes belonged to it.
        used: usize,
    },
}

/// Collects a hello that may come in any number of pieces; holds at most [`HELLO_MAX`] bytes.
#[derive(Debug, Default)]
pub struct HelloReader {
    role: Option<Role>,
    id: Vec<u8>,
}

impl HelloReader {
    /// A reader that awaits the first byte.
    pub fn new() -> Self {
        Self::default()
    }

    /// The bytes that were pushed so far, of a hello that is not whole.
    pub fn taken(&self) -> Vec<u8> {
        let role = self.role.map(Role::byte);
        role.into_iter().chain(self.id.iter().copied()).collect()
    }

    /// Takes the next bytes of the connection.
    ///
    /// # Errors
    /// At the first byte that no hello can have in this place; the reader is of no use after it.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Progress, HelloError> {
        for (index, &byte) in bytes.iter().enumerate() {
            let Some(role) = self.role else {
                self.role = Some(Role::from_byte(byte).ok_or(HelloError::UnknownRole)?);
                continue;
            };
            if byte == END {
                let id = UserId::new(&self.id).map_err(HelloError::Id)?;
                return Ok(Progress::Done {
                    hello: Hello { role, id },
                    used: index + 1,
                });
            }
            check_id_byte(byte).map_err(HelloError::Id)?;
            if self.id.len() == ID_MAX {
                return Err(HelloError::Id(IdError::TooLong));
            }
            self.id.push(byte);
        }
        Ok(Progress::More)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(role: Role, id: &[u8]) -> Hello {
        Hello {
            role,
            id: UserId::new(id).unwrap(),
        }
    }

    #[test]
    fn what_is_encoded_is_read_back_whatever_the_split() {
        for role in [Role::Listener, Role::Caller] {
            for id in [
                &b"a"[..],
                b"CF:E7:11:101",
                &[b'x'; ID_MAX],
                "\u{d55c}".as_bytes(),
            ] {
                let bytes = hello(role, id).encode();
                assert!(bytes.len() <= HELLO_MAX);
                for cut in 0..bytes.len() {
                    let mut reader = HelloReader::new();
                    assert_eq!(reader.push(&bytes[..cut]), Ok(Progress::More));
                    assert_eq!(reader.taken(), bytes[..cut]);
                    let rest = bytes.len() - cut;
                    let done = Progress::Done {
                        hello: hello(role, id),
                        used: rest,
                    };
                    assert_eq!(reader.push(&bytes[cut..]), Ok(done));
                }
            }
        }
    }

    #[test]
    fn bytes_after_the_dollar_are_left_to_the_peer() {
        let done = Progress::Done {
            hello: hello(Role::Caller, b"ab"),
            used: 4,
        };
        assert_eq!(HelloReader::new().push(b"Cab$payload$"), Ok(done));
    }

    #[test]
    fn each_broken_rule_has_its_error() {
        let push = |bytes: &[u8]| HelloReader::new().push(bytes).unwrap_err();
        assert_eq!(push(b"GET /"), HelloError::UnknownRole);
        assert_eq!(push(b"T$"), HelloError::Id(IdError::Empty));
        assert_eq!(push(b"Ta\nb$"), HelloError::Id(IdError::Control));
        assert_eq!(push(b"Ta\x7f$"), HelloError::Id(IdError::Control));
        let mut long = vec![b'T'];
        long.extend([b'x'; ID_MAX + 1]);
        assert_eq!(push(&long), HelloError::Id(IdError::TooLong));
        assert_eq!(UserId::new(b"a$"), Err(IdError::Dollar));
    }
}
