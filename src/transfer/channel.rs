//! Sealed records over a stream: `length u24 || ciphertext || tag`, one counter a direction.
//!
//! Only a finished handshake makes a [`Channel`], so nothing can be sent in the clear by mistake. A record is
//! built in the place that it is sent from and opened in the place that it was read to.

use std::ops::Range;

pub use crate::crypto::aead::TAG_SIZE;
use crate::crypto::aead::{Forged, KEY_SIZE, Key, NONCE_SIZE};
use crate::crypto::ct::Secret;
use crate::crypto::hkdf;
use crate::crypto::sha2::DIGEST_SIZE;
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
    let start = out.len();
    out.extend([0; LENGTH_SIZE]);
    build(out);
    let plain = out.len() - start - LENGTH_SIZE;
    out.extend([0; TAG_SIZE]);
    write_length(&mut out[start..], plain);
}

/// As [`frame`], where there is memory already, to be filled but for [`OVERHEAD`] and the type. `fill` says how
/// many bytes it wrote; for none there is no record.
///
/// # Errors
/// That of `fill`.
pub fn frame_in_place<E>(
    memory: &mut [u8],
    kind: u8,
    fill: impl FnOnce(&mut [u8]) -> Result<usize, E>,
) -> Result<usize, E> {
    let end = memory.len() - TAG_SIZE;
    memory[LENGTH_SIZE] = kind;
    let count = fill(&mut memory[LENGTH_SIZE + 1..end])?;
    write_length(memory, 1 + count);
    Ok(count)
}

fn write_length(record: &mut [u8], plain: usize) {
    debug_assert!((1..=1 + BODY_MAX).contains(&plain));
    let length = ((plain + TAG_SIZE) as u32).to_le_bytes();
    record[..LENGTH_SIZE].copy_from_slice(&length[..LENGTH_SIZE]);
}

/// One direction's key, and how many records it has had.
struct Direction {
    secret: Secret<DIGEST_SIZE>,
    key: Key,
    records: u64,
    rekey_after: u64,
}

impl Direction {
    fn new(secret: &Secret<KEY_SIZE>, rekey_after: u64) -> Self {
        // HMAC pads a key with zeros to its block of 128 bytes, so the 32 bytes and the same with 32 zeros
        // behind them are one key to it.
        let mut padded = Secret::zeroed();
        padded.expose_mut()[..KEY_SIZE].copy_from_slice(secret.expose());
        Self {
            secret: padded,
            key: secret.clone().into(),
            records: 0,
            rekey_after,
        }
    }

    /// The nonce of the next record: a counter that no rekey sets back, and that ends long before 2^64.
    fn next(&mut self) -> [u8; NONCE_SIZE] {
        if self.records > 0 && self.records % self.rekey_after == 0 {
            let mut next = Secret::zeroed();
            expand(&self.secret, &[b"rekey"], &mut next);
            *self = Self {
                records: self.records,
                ..Self::new(&next, self.rekey_after)
            };
        }
        let mut nonce = [0; NONCE_SIZE];
        nonce[4..].copy_from_slice(&self.records.to_le_bytes());
        self.records += 1;
        nonce
    }
}

/// HKDF-Expand to the key of a direction.
pub(super) fn expand(key: &Secret<DIGEST_SIZE>, info: &[&[u8]], out: &mut Secret<KEY_SIZE>) {
    let expanded = hkdf::expand(key.expose(), info, out.expose_mut());
    expanded.expect("32 bytes are fewer than 255 digests");
}

/// Seals what is sent.
pub struct Sealer(Direction);

impl Sealer {
    /// With the key of this direction.
    pub(super) fn new(key: &Secret<KEY_SIZE>) -> Self {
        Self(Direction::new(key, REKEY_AFTER))
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

/// Opens what is received, up to the first record that was changed on its way.
pub struct Opener(Option<Direction>);

impl Opener {
    /// With the key of this direction.
    pub(super) fn new(key: &Secret<KEY_SIZE>) -> Self {
        Self(Some(Direction::new(key, REKEY_AFTER)))
    }

    /// Opens the record that `buffer` begins with, where it stands: how many bytes it takes, and where in
    /// them its plaintext is. `None` while it is not whole.
    ///
    /// # Errors
    /// When it was changed on its way, or has a length that none has, which is found as soon as the length is
    /// there. The key is wiped then, and nothing after it opens: what was left out is never passed over.
    pub fn open(&mut self, buffer: &mut [u8]) -> Result<Option<(usize, Range<usize>)>, Forged> {
        let direction = self.0.as_mut().ok_or(Forged)?;
        let opened = open(direction, buffer);
        if opened.is_err() {
            self.0 = None;
        }
        opened
    }
}

fn open(
    direction: &mut Direction,
    buffer: &mut [u8],
) -> Result<Option<(usize, Range<usize>)>, Forged> {
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
    let nonce = direction.next();
    direction.key.open(&nonce, length, text, tag)?;
    Ok(Some((
        LENGTH_SIZE + size,
        LENGTH_SIZE..LENGTH_SIZE + text.len(),
    )))
}

fn size(length: &[u8; LENGTH_SIZE]) -> usize {
    let [low, middle, high] = *length;
    u32::from_le_bytes([low, middle, high, 0]) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; KEY_SIZE] = [7; KEY_SIZE];

    fn sealer() -> Sealer {
        Sealer::new(&Secret::new(KEY))
    }

    fn opener() -> Opener {
        Opener::new(&Secret::new(KEY))
    }

    fn sealed_by(sealer: &mut Sealer, texts: &[&[u8]]) -> Vec<u8> {
        let mut frames = Vec::new();
        for text in texts {
            frame(&mut frames, |out| out.extend_from_slice(text));
        }
        sealer.seal(&mut frames);
        frames
    }

    fn sealed(texts: &[&[u8]]) -> Vec<u8> {
        sealed_by(&mut sealer(), texts)
    }

    /// The texts that can be opened when the bytes come in pieces of this size, and whether all could.
    fn opened(bytes: &[u8], piece: usize) -> (Vec<Vec<u8>>, bool) {
        let mut opener = opener();
        let mut buffer = Vec::new();
        let mut texts = Vec::new();
        for piece in bytes.chunks(piece) {
            buffer.extend_from_slice(piece);
            loop {
                match opener.open(&mut buffer) {
                    Ok(Some((used, text))) => {
                        texts.push(buffer[text].to_vec());
                        buffer.drain(..used);
                    }
                    Ok(None) => break,
                    Err(Forged) => return (texts, false),
                }
            }
        }
        (texts, buffer.is_empty())
    }

    #[test]
    fn records_are_opened_in_their_order_from_any_pieces() {
        let long = vec![9; 1 + BODY_MAX];
        let texts = [&b"a"[..], b"bcd", &long];
        let bytes = sealed(&texts);
        for piece in [1, 2, 3, 11, 1000, bytes.len()] {
            let (opened, whole) = opened(&bytes, piece);
            assert_eq!(opened, texts);
            assert!(whole);
        }
    }

    #[test]
    fn of_a_stream_with_a_changed_bit_only_what_stood_before_it_opens() {
        let texts = [&b"first"[..], b"second", b"third"];
        let bytes = sealed(&texts);
        let ends = [24, 49, 73];
        assert_eq!(bytes.len(), ends[2]);
        for bit in 0..8 * bytes.len() {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let before = ends.iter().filter(|&&end| end <= bit / 8).count();
            let (opened, whole) = opened(&changed, 1000);
            assert_eq!(opened, texts[..before], "bit {bit}");
            assert!(!whole, "bit {bit}");
        }
    }

    #[test]
    fn a_stream_that_is_cut_opens_up_to_its_last_whole_record() {
        let texts = [&b"first"[..], b"second"];
        let bytes = sealed(&texts);
        let first = sealed(&texts[..1]).len();
        for cut in 0..bytes.len() {
            let (opened, _) = opened(&bytes[..cut], 1000);
            assert_eq!(opened, texts[..usize::from(cut >= first)], "{cut}");
        }
    }

    #[test]
    fn a_record_that_is_left_out_repeated_or_swapped_does_not_open() {
        let all = sealed(&[b"one", b"two", b"six"]);
        let [one, two, six] = [0, 1, 2].map(|index| &all[22 * index..22 * (index + 1)]);
        for (order, good) in [
            (vec![two, one], 0),
            (vec![one, one, two], 1),
            (vec![one, six, two], 1),
            (vec![one, two, two], 2),
        ] {
            let (opened, whole) = opened(&order.concat(), 1000);
            assert_eq!((opened.len(), whole), (good, false));
        }
    }

    #[test]
    fn after_a_changed_record_nothing_opens_not_even_a_good_one() {
        let mut bytes = sealed(&[b"one", b"two"]);
        bytes[10] ^= 1;
        let mut opener = opener();
        let (one, two) = bytes.split_at_mut(22);
        assert_eq!(opener.open(one), Err(Forged));
        one[10] ^= 1;
        assert_eq!(opener.open(one), Err(Forged));
        assert_eq!(opener.open(two), Err(Forged));
    }

    #[test]
    fn a_length_that_no_record_has_is_refused_before_its_bytes_come() {
        for size in [0, 1, TAG_SIZE, RECORD_MAX - LENGTH_SIZE + 1, 0x00ff_ffff] {
            let mut bytes = (size as u32).to_le_bytes();
            assert_eq!(opener().open(&mut bytes[..3]), Err(Forged), "{size}");
        }
        for size in [TAG_SIZE + 1, RECORD_MAX - LENGTH_SIZE] {
            let mut bytes = (size as u32).to_le_bytes();
            assert_eq!(opener().open(&mut bytes[..3]), Ok(None), "{size}");
        }
    }

    #[test]
    fn the_key_changes_at_each_border_and_the_counter_goes_on() {
        let mut sealer = Sealer(Direction::new(&Secret::new(KEY), 3));
        let mut opener = Opener(Some(Direction::new(&Secret::new(KEY), 3)));
        let mut key = Secret::new(KEY);
        for record in 0_u64..10 {
            if record > 0 && record % 3 == 0 {
                // As the document has it, from the 32 bytes alone.
                let mut mac = crate::crypto::hmac::HmacSha512::new(key.expose());
                mac.update(b"rekey\x01");
                key.expose_mut().copy_from_slice(&mac.finish()[..KEY_SIZE]);
            }
            let mut bytes = sealed_by(&mut sealer, &[b"text"]);
            let (mut text, tag) = (bytes[3..7].to_vec(), bytes[7..].try_into().unwrap());
            let mut nonce = [0; NONCE_SIZE];
            nonce[4] = record as u8;
            let by_hand = Key::from(key.clone());
            assert_eq!(by_hand.open(&nonce, &bytes[..3], &mut text, tag), Ok(()));
            assert_eq!(text, b"text", "record {record}");
            let end = bytes.len();
            assert_eq!(opener.open(&mut bytes), Ok(Some((end, 3..7))));
        }
    }

    #[test]
    fn a_key_is_for_a_million_records_and_no_more() {
        let (mut sealer, mut opener) = (sealer(), opener());
        sealer.0.records = REKEY_AFTER - 1;
        opener.0.as_mut().unwrap().records = REKEY_AFTER - 1;
        for rekeyed in [false, true, true] {
            let mut bytes = sealed_by(&mut sealer, &[b"text"]);
            assert!(opener.open(&mut bytes).unwrap().is_some());
            assert_eq!(sealer.0.secret.expose()[..KEY_SIZE] != KEY, rekeyed);
        }
        assert_eq!(sealer.0.records, (1 << 20) + 2);
    }
}
