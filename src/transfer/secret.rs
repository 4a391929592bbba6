//! What both sides know and nobody else.

use std::fmt;

use crate::crypto::ct::wipe;

/// Longest secret, in bytes.
pub const SECRET_MAX: usize = 1024;

/// The bytes of a secret. It is neither shown nor compared, and is wiped when dropped.
#[derive(Clone)]
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
        let secret = Self { bytes };
        match secret.bytes.len() {
            0 => Err(SecretError::Empty),
            1..=SECRET_MAX => Ok(secret),
            _ => Err(SecretError::TooLong),
        }
    }

    /// The bytes.
    pub fn expose(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        wipe(&mut self.bytes);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_has_1_to_1024_bytes() {
        let new = |length| Secret::new(vec![1; length]).map(|secret| secret.expose().len());
        assert_eq!(new(0), Err(SecretError::Empty));
        assert_eq!(new(1), Ok(1));
        assert_eq!(new(SECRET_MAX), Ok(SECRET_MAX));
        assert_eq!(new(SECRET_MAX + 1), Err(SecretError::TooLong));
    }
}
