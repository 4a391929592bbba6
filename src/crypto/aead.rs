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
const STRIDE: usize = 8192;

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

impl From<Secret<KEY_SIZE>> for Key {
    fn from(secret: Secret<KEY_SIZE>) -> Self {
        Self(secret)
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
        ct::on_wiped_stack(|| {
            let (cipher, mut tag) = self.begin(nonce, additional);
            let mut counter = 1;
            for part in text.chunks_mut(STRIDE) {
                cipher.apply(counter, part);
                tag.update(part);
                counter = counter.wrapping_add((STRIDE / chacha20::BLOCK_SIZE) as u32);
            }
            end(tag, additional.len(), text.len())
        })
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
        ct::on_wiped_stack(|| {
            let (cipher, mut expected) = self.begin(nonce, additional);
            expected.update(text);
            if !ct::eq(&end(expected, additional.len(), text.len()), tag) {
                return Err(Forged);
            }
            cipher.apply(1, text);
            Ok(())
        })
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

#[cfg(test)]
mod tests {
    #[cfg(target_os = "linux")]
    use std::{cell::RefCell, collections::HashSet, hint::black_box};

    #[cfg(target_os = "linux")]
    use super::super::stack;
    use super::*;
    #[cfg(target_os = "linux")]
    use crate::crypto::skip::skip;

    const NONCE: [u8; NONCE_SIZE] = [3; NONCE_SIZE];

    fn text(length: usize) -> Vec<u8> {
        (0..length).map(|i| (i * 11 / 3) as u8).collect()
    }

    /// Section 2.8 as it is written, without strides.
    fn written_out(key: &[u8; KEY_SIZE], additional: &[u8], text: &mut [u8]) -> [u8; TAG_SIZE] {
        let cipher = ChaCha20::new(key, &NONCE);
        let mut once = [0; poly1305::KEY_SIZE];
        cipher.apply(0, &mut once);
        cipher.apply(1, text);
        let mut all = additional.to_vec();
        all.resize(all.len().next_multiple_of(16), 0);
        all.extend_from_slice(text);
        all.resize(all.len().next_multiple_of(16), 0);
        all.extend((additional.len() as u64).to_le_bytes());
        all.extend((text.len() as u64).to_le_bytes());
        let mut tag = Poly1305::new(&once);
        tag.update(&all);
        tag.finish()
    }

    #[test]
    fn every_length_is_sealed_as_the_standard_is_written_and_opens_again() {
        let bytes = [8; KEY_SIZE];
        let key = Key::from(bytes);
        let lengths = (0..=1100).chain([STRIDE - 1, STRIDE, STRIDE + 1, 3 * STRIDE + 77, 65_536]);
        for length in lengths {
            let plain = text(length);
            let additional = text(length % 40);
            let mut expected = plain.clone();
            let expected_tag = written_out(&bytes, &additional, &mut expected);
            let mut sealed = plain.clone();
            let tag = key.seal(&NONCE, &additional, &mut sealed);
            assert_eq!((&sealed, tag), (&expected, expected_tag), "{length} bytes");
            assert_eq!(key.open(&NONCE, &additional, &mut sealed, &tag), Ok(()));
            assert_eq!(sealed, plain, "{length} bytes");
        }
    }

    #[test]
    fn nothing_that_was_changed_opens_and_nothing_of_it_is_decrypted() {
        let key = Key::from([8; KEY_SIZE]);
        let additional = *b"length";
        let mut sealed = text(100);
        let tag = key.seal(&NONCE, &additional, &mut sealed);
        let refused = |key: &Key, nonce, additional: &[u8], sealed: &[u8], tag| {
            let mut text = sealed.to_vec();
            assert_eq!(key.open(&nonce, additional, &mut text, &tag), Err(Forged));
            assert_eq!(text, sealed, "decrypted, and yet refused");
        };
        let flipped = |bytes: &[u8], bit: usize| {
            let mut bytes = bytes.to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            bytes
        };
        for bit in 0..8 * sealed.len() {
            refused(&key, NONCE, &additional, &flipped(&sealed, bit), tag);
        }
        for bit in 0..8 * TAG_SIZE {
            let tag = flipped(&tag, bit).try_into().expect("as long");
            refused(&key, NONCE, &additional, &sealed, tag);
        }
        for bit in 0..8 * additional.len() {
            refused(&key, NONCE, &flipped(&additional, bit), &sealed, tag);
        }
        for bit in 0..8 * NONCE_SIZE {
            let nonce = flipped(&NONCE, bit).try_into().expect("as long");
            refused(&key, nonce, &additional, &sealed, tag);
        }
        refused(&Key::from([9; KEY_SIZE]), NONCE, &additional, &sealed, tag);
        refused(&key, NONCE, &additional, &sealed[..99], tag);
        refused(&key, NONCE, &additional[..5], &sealed, tag);
        refused(&key, NONCE, &additional, &[&sealed[..], &[0]].concat(), tag);
        // What moves from one part to the other is not the same either.
        refused(&key, NONCE, b"", &[&additional[..], &sealed].concat(), tag);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn nothing_of_a_key_stays_on_the_stack() {
        // On the heap, as is all else that the search is for.
        let bytes: Vec<u8> = (0..KEY_SIZE).map(|i| (i * 37 + 11) as u8).collect();
        let key = Box::new(Key::from(*bytes.first_chunk().expect("a key")));
        let mut secrets: HashSet<[u8; 8]> = bytes
            .chunks_exact(8)
            .chain(bytes[4..28].chunks_exact(8))
            .map(|pair| *pair.first_chunk().expect("two words"))
            .collect();
        // As the lanes of a vector have them.
        secrets.extend(bytes.chunks_exact(4).map(|word| {
            let twice = word.repeat(2);
            *twice.first_chunk().expect("a word, twice")
        }));
        let mut once = [0; poly1305::KEY_SIZE];
        ChaCha20::new(bytes.first_chunk().expect("a key"), &NONCE).apply(0, &mut once);
        secrets.extend(Poly1305::new(&once).factors().map(u64::to_le_bytes));

        for length in [0, 100, 255, STRIDE, 3 * STRIDE + 77] {
            seal_and_open(&key, length, |name, call| {
                let Some(left) = stack::left_by(call) else {
                    return skip("aead-stack: this system does not show the stack");
                };
                let found = left
                    .windows(8)
                    .enumerate()
                    .filter(|(_, bytes)| secrets.contains(*bytes))
                    .map(|(at, _)| left.len() - at);
                let found: Vec<usize> = found.collect();
                assert_eq!(found, [], "{name}, {length} bytes: so far down");
            });
        }
    }

    /// Shows both calls, by name and in their order, to `look`, which makes them.
    #[cfg(target_os = "linux")]
    fn seal_and_open(key: &Key, length: usize, look: impl Fn(&str, &dyn Fn())) {
        let sealed = RefCell::new((text(length), [0; TAG_SIZE]));
        look("seal", &|| {
            let (text, tag) = &mut *sealed.borrow_mut();
            *tag = key.seal(&NONCE, b"length", text);
        });
        look("open", &|| {
            let (text, tag) = &mut *sealed.borrow_mut();
            assert_eq!(key.open(&NONCE, b"length", text, tag), Ok(()));
        });
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_wipe_reaches_deeper_than_sealing_and_opening() {
        const PAINT: u8 = 0xa5;
        const PAINTED: usize = 12_000;
        /// A call of the wipe itself stands below what it wipes.
        const CALL: usize = 8;
        /// Bytes that the wipe reaches deeper than need be.
        const SPARE: usize = 2048;
        let key = Key::from([3; KEY_SIZE]);
        seal_and_open(&key, 3 * STRIDE + 300, |name, call| {
            let painted = stack::left_by(&|| {
                black_box([PAINT; PAINTED]);
            });
            let left = stack::left_by(call);
            let (Some(painted), Some(left)) = (painted, left) else {
                return skip("aead-stack: this system does not show the stack");
            };
            assert_eq!(painted[painted.len() - PAINTED / 2], PAINT);
            let deepest = left
                .iter()
                .zip(&painted)
                .position(|(now, then)| now != then);
            let deepest = deepest.expect("it was there");
            assert!(left.len() - deepest < PAINTED, "{name}: below the paint");
            // In a frame there are gaps that nobody writes to.
            let spare = &left[deepest + CALL..][..SPARE];
            let is_clean = spare.iter().all(|byte| [0, PAINT].contains(byte));
            assert!(is_clean, "{name}, {} deep", left.len() - deepest);
        });
    }
}
