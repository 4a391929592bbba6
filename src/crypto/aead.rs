//! Authenticated encryption, ChaCha20-Poly1305 (RFC 8439, section 2.8).

use std::error;
use std::fmt;

use super::chacha20::{self, ChaCha20};
use super::ct::{self, Secret};
use super::poly1305::{self, Poly1305};

/// Bytes of a tag.
pub const TAG_SIZE: usize = poly1305::TAG_SIZE;
/// Bytes of a nonce.
pub const NONCE_SIZE: usize = chacha20::NONCE_SIZE;
/// Bytes of a key.
pub const KEY_SIZE: usize = chacha20::KEY_SIZE;

/// Bytes between two changes from cipher to authenticator: a whole number of blocks, and few enough that the
/// second finds them where the first left them, next to the processor.
const STRIDE: usize = 4096;

/// A text, its additional data, nonce or tag is not what was sealed with this key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forged;

impl fmt::Display for Forged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sealed record was changed on its way: transfer again, over another relay if it stays")
    }
}

impl error::Error for Forged {}

/// A key to seal and open with. Wiped when dropped.
pub struct Key(Secret<KEY_SIZE>);

impl From<[u8; KEY_SIZE]> for Key {
    fn from(mut bytes: [u8; KEY_SIZE]) -> Self {
        let key = Self(Secret::new(bytes));
        ct::wipe(&mut bytes);
        key
    }
}

impl Key {
    /// Encrypts a text where it stands, and returns the tag over it and the additional data. A nonce must not
    /// come twice with one key.
    ///
    /// # Panics
    ///
    /// When the text is longer than 2^38 - 64 bytes, as far as the key stream goes.
    pub fn seal(
        &self,
        nonce: &[u8; NONCE_SIZE],
        additional: &[u8],
        text: &mut [u8],
    ) -> [u8; TAG_SIZE] {
        let (cipher, mut tag) = self.begin(nonce, additional);
        let mut counter = 1;
        for part in text.chunks_mut(STRIDE) {
            cipher.apply(counter, part);
            tag.update(part);
            counter = counter.wrapping_add((STRIDE / chacha20::BLOCK_SIZE) as u32);
        }
        end(tag, additional.len(), text.len())
    }

    /// Decrypts a text where it stands, if the tag is the one over it and the additional data; otherwise the
    /// text stays as it was.
    ///
    /// # Panics
    ///
    /// When the text is longer than 2^38 - 64 bytes, as far as the key stream goes.
    pub fn open(
        &self,
        nonce: &[u8; NONCE_SIZE],
        additional: &[u8],
        text: &mut [u8],
        tag: &[u8; TAG_SIZE],
    ) -> Result<(), Forged> {
        let (cipher, mut expected) = self.begin(nonce, additional);
        expected.update(text);
        if !ct::eq(&end(expected, additional.len(), text.len()), tag) {
            return Err(Forged);
        }
        cipher.apply(1, text);
        Ok(())
    }

    /// The cipher, and the authenticator under its one-time key (section 2.6), which has had the additional
    /// data.
    fn begin(&self, nonce: &[u8; NONCE_SIZE], additional: &[u8]) -> (ChaCha20, Poly1305) {
        let cipher = ChaCha20::new(self.0.expose(), nonce);
        let mut once = Secret::<{ poly1305::KEY_SIZE }>::zeroed();
        cipher.apply(0, once.expose_mut());
        let mut tag = Poly1305::new(once.expose());
        tag.update(additional);
        tag.pad();
        (cipher, tag)
    }
}

/// What follows the text: padding, and both lengths in bytes.
fn end(mut tag: Poly1305, additional: usize, text: usize) -> [u8; TAG_SIZE] {
    tag.pad();
    tag.update(&(additional as u64).to_le_bytes());
    tag.update(&(text as u64).to_le_bytes());
    tag.finish()
}
