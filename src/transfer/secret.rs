//! What both sides know and nobody else.

use std::fmt;

/// Longest secret, in bytes.
pub const SECRET_MAX: usize = 1024;

/// The bytes of a secret. It is neither shown nor compared.
pub struct Secret {
    bytes: Vec<u8>,
}

/// Why bytes are no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretError {
    /// There are none.
    Empty,
    /// There are more than [`SECRET_MAX`].
    TooLong,
}

impl Secret {
    /// A secret of 1 to [`SECRET_MAX`] bytes.
    ///
    /// # Errors
    /// When there are fewer or more.
    pub fn new(bytes: Vec<u8>) -> Result<Self, SecretError> {
        match bytes.len() {
            0 => Err(SecretError::Empty),
            1..=SECRET_MAX => Ok(Self { bytes }),
            _ => Err(SecretError::TooLong),
        }
    }

    /// The bytes.
    pub fn expose(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Display for SecretError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the secret is empty: give one of 1 to 1024 bytes"),
            Self::TooLong => f.write_str("the secret is too long: give one of 1 to 1024 bytes"),
        }
    }
}

impl std::error::Error for SecretError {}
