//! Sealed records over a stream: `length u24 || ciphertext || tag`, one counter a direction.
//!
//! Only a finished handshake makes a [`Channel`], so nothing can be sent in the clear by mistake. A record is
//! built in the place that it is sent from and opened in the place that it was read to.

use std::ops::Range;

use crate::crypto::aead::{Forged, KEY_SIZE, Key, NONCE_SIZE, TAG_SIZE};
use crate::crypto::ct::{Secret, wipe};
use crate::crypto::hkdf;
use crate::wire::v2::BODY_MAX;

/// Bytes of a record in front of its ciphertext.
pub const LENGTH_SIZE: usize = 3;
/// Bytes of a record beside its plaintext.
pub const OVERHEAD: usize = LENGTH_SIZE + TAG_SIZE;
/// Most bytes of a record.
pub const RECORD_MAX: usize = OVERHEAD + 1 + BODY_MAX;
/// Records under one key.
const REKEY_AFTER: u64 = 1 << 20;

/// What a handshake leads to.
pub struct Channel {
    /// For what is sent.
    pub sealer: Sealer,
    /// For what is received.
    pub opener: Opener,
    /// Whether both sides proved that they know the same secret; else nobody knows who the peer is.
    pub verified: bool,
}

/// Appends a record that [`Sealer::seal`] has still to seal: `build` appends its plaintext, the type first.
pub fn frame(out: &mut Vec<u8>, build: impl FnOnce(&mut Vec<u8>)) {
    try_frame(out, |out| {
        build(out);
        Ok::<_, std::convert::Infallible>(())
    })
    .unwrap_or_else(|never| match never {});
}

/// As [`frame`], with a plaintext that may fail: nothing is appended then.
///
/// # Errors
/// That of `build`.
pub fn try_frame<T, E>(
    out: &mut Vec<u8>,
    build: impl FnOnce(&mut Vec<u8>) -> Result<T, E>,
) -> Result<T, E> {
    let start = out.len();
    out.extend([0; LENGTH_SIZE]);
    let built = build(out).inspect_err(|_| out.truncate(start))?;
    let plain = out.len() - start - LENGTH_SIZE;
    debug_assert!((1..=1 + BODY_MAX).contains(&plain));
    out.extend([0; TAG_SIZE]);
    let length = ((plain + TAG_SIZE) as u32).to_le_bytes();
    out[start..start + LENGTH_SIZE].copy_from_slice(&length[..LENGTH_SIZE]);
    Ok(built)
}

/// One direction's key, and how many records it has had.
struct Direction {
    secret: Secret<64>,
    key: Key,
    records: u64,
}

impl Direction {
    fn new(secret: [u8; 32]) -> Self {
        let mut wide = Secret::zeroed();
        wide.expose_mut()[..32].copy_from_slice(&secret);
        Self {
            secret: wide,
            key: secret.into(),
            records: 0,
        }
    }

    /// The nonce of the next record: a counter that no rekey sets back.
    fn next(&mut self) -> [u8; NONCE_SIZE] {
        if self.records > 0 && self.records % REKEY_AFTER == 0 {
            self.rekey();
        }
        let mut nonce = [0; NONCE_SIZE];
        nonce[4..].copy_from_slice(&self.records.to_le_bytes());
        self.records += 1;
        nonce
    }

    /// `k <- HKDF-Expand(k, "rekey", 32)`. HMAC pads a key with zeros to its block, so the 32 bytes and the
    /// same with 32 zeros behind them are one key.
    fn rekey(&mut self) {
        let mut next = [0; KEY_SIZE];
        let expanded = hkdf::expand(self.secret.expose(), &[b"rekey"], &mut next);
        debug_assert!(expanded.is_ok());
        *self = Self {
            records: self.records,
            ..Self::new(next)
        };
        wipe(&mut next);
    }
}

/// Seals what is sent.
pub struct Sealer(Direction);

impl Sealer {
    /// With the key of this direction.
    pub fn new(key: [u8; 32]) -> Self {
        Self(Direction::new(key))
    }

    /// Seals every record of `frames`, which [`frame`] built. The order is that of the wire.
    pub fn seal(&mut self, frames: &mut [u8]) {
        let mut rest = frames;
        while let Some((length, after)) = rest.split_first_chunk_mut::<LENGTH_SIZE>() {
            let (record, after) = after.split_at_mut(size(length));
            let (text, tag) = record.split_at_mut(record.len() - TAG_SIZE);
            let nonce = self.0.next();
            tag.copy_from_slice(&self.0.key.seal(&nonce, length, text));
            rest = after;
        }
    }
}

/// Opens what is received.
pub struct Opener(Direction);

impl Opener {
    /// With the key of this direction.
    pub fn new(key: [u8; 32]) -> Self {
        Self(Direction::new(key))
    }

    /// Opens the record that `buffer` begins with, where it stands: how many bytes it takes, and where in
    /// them its plaintext is. `None` while it is not whole.
    ///
    /// # Errors
    /// When it was changed on its way, or has a length that none has. Nothing after it can be opened.
    pub fn open(&mut self, buffer: &mut [u8]) -> Result<Option<(usize, Range<usize>)>, Forged> {
        let Some((length, rest)) = buffer.split_first_chunk_mut::<LENGTH_SIZE>() else {
            return Ok(None);
        };
        let size = size(length);
        if !(TAG_SIZE + 1..=RECORD_MAX - LENGTH_SIZE).contains(&size) {
            return Err(Forged);
        }
        let Some(record) = rest.get_mut(..size) else {
            return Ok(None);
        };
        let Some((text, tag)) = record.split_last_chunk_mut::<TAG_SIZE>() else {
            return Err(Forged);
        };
        let nonce = self.0.next();
        self.0.key.open(&nonce, length, text, tag)?;
        Ok(Some((
            LENGTH_SIZE + size,
            LENGTH_SIZE..LENGTH_SIZE + text.len(),
        )))
    }
}

fn size(length: &[u8; LENGTH_SIZE]) -> usize {
    let [low, middle, high] = *length;
    u32::from_le_bytes([low, middle, high, 0]) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(texts: &[&[u8]]) -> Vec<u8> {
        let mut frames = Vec::new();
        for text in texts {
            frame(&mut frames, |out| out.extend_from_slice(text));
        }
        Sealer::new([7; 32]).seal(&mut frames);
        frames
    }

    #[test]
    fn records_are_opened_in_their_order_from_any_pieces() {
        let long = vec![9; 1 + BODY_MAX];
        let texts = [&b"a"[..], b"bcd", &long];
        let bytes = sealed(&texts);
        let mut opener = Opener::new([7; 32]);
        let mut buffer = Vec::new();
        let mut opened = Vec::new();
        for piece in bytes.chunks(11) {
            buffer.extend_from_slice(piece);
            while let Some((used, text)) = opener.open(&mut buffer).unwrap() {
                opened.push(buffer[text].to_vec());
                buffer.drain(..used);
            }
        }
        assert_eq!(opened, texts);
        assert!(buffer.is_empty());
    }

    #[test]
    fn a_record_that_is_changed_left_out_repeated_or_swapped_is_forged() {
        let bytes = sealed(&[b"first", b"second"]);
        let whole = sealed(&[b"first"]).len();
        for index in 0..whole {
            let mut bytes = bytes.clone();
            bytes[index] ^= 1;
            let mut opener = Opener::new([7; 32]);
            // A longer length may ask for bytes that never come.
            assert!(!matches!(opener.open(&mut bytes), Ok(Some(_))), "{index}");
        }
        assert!(
            Opener::new([7; 32])
                .open(&mut bytes[whole..].to_vec())
                .is_err()
        );
        let mut opener = Opener::new([7; 32]);
        assert!(opener.open(&mut bytes[..whole].to_vec()).is_ok());
        assert!(opener.open(&mut bytes[..whole].to_vec()).is_err());
    }

    #[test]
    fn a_length_that_no_record_has_is_refused_before_its_bytes_come() {
        for size in [0, TAG_SIZE, RECORD_MAX - LENGTH_SIZE + 1, 0x00ff_ffff] {
            let mut bytes = (size as u32).to_le_bytes();
            assert!(Opener::new([7; 32]).open(&mut bytes[..3]).is_err());
        }
    }

    #[test]
    fn after_a_million_records_both_sides_go_on_with_the_next_key() {
        let (mut sealer, mut opener) = (Sealer::new([7; 32]), Opener::new([7; 32]));
        sealer.0.records = REKEY_AFTER - 1;
        opener.0.records = REKEY_AFTER - 1;
        for _ in 0..3 {
            let mut frames = Vec::new();
            frame(&mut frames, |out| out.push(1));
            sealer.seal(&mut frames);
            assert!(opener.open(&mut frames).unwrap().is_some());
        }
        assert_ne!(sealer.0.secret.expose()[..32], [7; 32]);
        assert_eq!(sealer.0.records, REKEY_AFTER + 2);
    }

    #[test]
    fn a_frame_that_fails_leaves_nothing() {
        let mut out = vec![1];
        assert_eq!(
            try_frame(&mut out, |out| {
                out.push(2);
                Err::<(), _>("no")
            }),
            Err("no")
        );
        assert_eq!(out, [1]);
    }
}
