//! The stream cipher ChaCha20 (RFC 8439, sections 2.1 to 2.4).

use super::ct::wipe;
use super::vector::Word;
#[cfg(target_arch = "x86_64")]
use super::vector::avx2;
#[cfg(avx512)]
use super::vector::avx512;

#[cfg(target_arch = "x86_64")]
mod x86;

/// Bytes of a key.
pub const KEY_SIZE: usize = 32;
/// Bytes of a nonce.
pub const NONCE_SIZE: usize = 12;
/// Bytes of one block of key stream.
pub const BLOCK_SIZE: usize = 64;

/// Words of a block.
const WORDS: usize = BLOCK_SIZE / 4;

/// The key stream of one key and one nonce. Wiped when dropped.
pub struct ChaCha20 {
    /// Section 2.3: constants, key, block counter (zero here), nonce.
    start: [u32; WORDS],
}

impl ChaCha20 {
    /// The key stream of a key and a nonce.
    pub fn new(key: &[u8; KEY_SIZE], nonce: &[u8; NONCE_SIZE]) -> Self {
        let mut start = [0; WORDS];
        for (word, bytes) in start.iter_mut().zip(b"expand 32-byte k".chunks_exact(4)) {
            *word = little_endian(bytes);
        }
        for (word, bytes) in start[4..].iter_mut().zip(key.chunks_exact(4)) {
            *word = little_endian(bytes);
        }
        for (word, bytes) in start[13..].iter_mut().zip(nonce.chunks_exact(4)) {
            *word = little_endian(bytes);
        }
        Self { start }
    }

    /// Adds the key stream from a block on to the text, modulo 2: encrypts, and decrypts.
    ///
    /// # Panics
    ///
    /// When the text goes beyond block 2^32 - 1, where the stream would repeat itself.
    pub fn apply(&self, counter: u32, text: &mut [u8]) {
        let blocks = text.len().div_ceil(BLOCK_SIZE) as u64;
        assert!(
            blocks <= (1 << 32) - u64::from(counter),
            "the key stream is used up"
        );
        #[cfg(avx512)]
        if let Some(unit) = avx512::Unit::detect() {
            return x86::apply_avx512(unit, &self.start, counter, text);
        }
        #[cfg(target_arch = "x86_64")]
        if let Some(unit) = avx2::Unit::detect() {
            return x86::apply_avx2(unit, &self.start, counter, text);
        }
        apply_portably(&self.start, counter, text);
    }
}

impl Drop for ChaCha20 {
    fn drop(&mut self) {
        wipe(&mut self.start);
    }
}

fn little_endian(bytes: &[u8]) -> u32 {
    u32::from_le_bytes(bytes.try_into().expect("a word"))
}

/// [`ChaCha20::apply`] without its check, on any machine.
fn apply_portably(start: &[u32; WORDS], mut counter: u32, text: &mut [u8]) {
    let mut stream = [0; WORDS];
    for block in text.chunks_mut(BLOCK_SIZE) {
        stream = *start;
        stream[12] = counter;
        rounds(&mut stream);
        for (bytes, word) in block.chunks_mut(4).zip(stream) {
            for (byte, key) in bytes.iter_mut().zip(word.to_le_bytes()) {
                *byte ^= key;
            }
        }
        // Wraps behind the last block only, where nothing is left to do.
        counter = counter.wrapping_add(1);
    }
    wipe(&mut stream);
}

/// Section 2.3.1: makes a block of key stream out of the state that it begins with.
#[inline(always)]
fn rounds<W: Word>(state: &mut [W; WORDS]) {
    let start = *state;
    let mut x = start;
    for _ in 0..10 {
        quarter_round(&mut x, 0, 4, 8, 12);
        quarter_round(&mut x, 1, 5, 9, 13);
        quarter_round(&mut x, 2, 6, 10, 14);
        quarter_round(&mut x, 3, 7, 11, 15);
        quarter_round(&mut x, 0, 5, 10, 15);
        quarter_round(&mut x, 1, 6, 11, 12);
        quarter_round(&mut x, 2, 7, 8, 13);
        quarter_round(&mut x, 3, 4, 9, 14);
    }
    for i in 0..WORDS {
        state[i] = x[i].plus(start[i]);
    }
}

/// Section 2.1.
#[inline(always)]
fn quarter_round<W: Word>(x: &mut [W; WORDS], a: usize, b: usize, c: usize, d: usize) {
    x[a] = x[a].plus(x[b]);
    x[d] = x[d].xor(x[a]).rotated_left(16);
    x[c] = x[c].plus(x[d]);
    x[b] = x[b].xor(x[c]).rotated_left(12);
    x[a] = x[a].plus(x[b]);
    x[d] = x[d].xor(x[a]).rotated_left(8);
    x[c] = x[c].plus(x[d]);
    x[b] = x[b].xor(x[c]).rotated_left(7);
}

#[cfg(test)]
mod tests {
    use super::super::hex;
    use super::*;
    #[cfg(target_arch = "x86_64")]
    use crate::crypto::skip::skip;

    type Apply = fn(&ChaCha20, u32, &mut [u8]);

    /// Every way to the key stream that this machine has, by name.
    fn ways() -> Vec<(&'static str, Apply)> {
        let mut ways: Vec<(_, Apply)> = vec![
            ("chosen", |cipher, counter, text| {
                cipher.apply(counter, text);
            }),
            ("portable", |cipher, counter, text| {
                apply_portably(&cipher.start, counter, text);
            }),
        ];
        #[cfg(target_arch = "x86_64")]
        match avx2::Unit::detect() {
            Some(_) => ways.push(("avx2", |cipher, counter, text| {
                let unit = avx2::Unit::detect().expect("it was there");
                x86::apply_avx2(unit, &cipher.start, counter, text);
            })),
            None => skip("chacha20-avx2: this processor has no AVX2"),
        }
        #[cfg(avx512)]
        match avx512::Unit::detect() {
            Some(_) => ways.push(("avx512", |cipher, counter, text| {
                let unit = avx512::Unit::detect().expect("it was there");
                x86::apply_avx512(unit, &cipher.start, counter, text);
            })),
            None => skip("chacha20-avx512: this processor has no AVX-512"),
        }
        #[cfg(all(target_arch = "x86_64", not(avx512)))]
        skip("chacha20-avx512: this compiler is too old for AVX-512");
        ways
    }

    fn cipher() -> ChaCha20 {
        let key = std::array::from_fn(|i| i as u8 * 5);
        let nonce = std::array::from_fn(|i| i as u8 * 9 + 1);
        ChaCha20::new(&key, &nonce)
    }

    #[test]
    fn a_quarter_round_is_that_of_section_2_1_1() {
        let mut x = [0; WORDS];
        x[..4].copy_from_slice(&[0x1111_1111, 0x0102_0304, 0x9b8d_6f43, 0x0123_4567]);
        quarter_round(&mut x, 0, 1, 2, 3);
        let expected = [0xea2a_92f4, 0xcb1c_f8ce, 0x4581_472e, 0x5881_c4bb];
        assert_eq!(x[..4], expected);
    }

    #[test]
    fn a_quarter_round_is_that_of_section_2_2_1_among_sixteen_words() {
        let mut x = [
            0x8795_31e0,
            0xc5ec_f37d,
            0x5164_61b1,
            0xc9a6_2f8a,
            0x44c2_0ef3,
            0x3390_af7f,
            0xd9fc_690b,
            0x2a5f_714c,
            0x5337_2767,
            0xb00a_5631,
            0x974c_541a,
            0x359e_9963,
            0x5c97_1061,
            0x3d63_1689,
            0x2098_d9d6,
            0x91db_d320,
        ];
        let mut expected = x;
        for (i, word) in [
            (2, 0xbdb8_86dc),
            (7, 0xcfac_afd2),
            (8, 0xe46b_ea80),
            (13, 0xccc0_7c79),
        ] {
            expected[i] = word;
        }
        quarter_round(&mut x, 2, 7, 8, 13);
        assert_eq!(x, expected);
    }

    #[test]
    fn every_way_gives_the_key_stream_of_section_2_3_2() {
        let key = std::array::from_fn(|i| i as u8);
        let cipher = ChaCha20::new(&key, &hex::array("000000090000004a00000000"));
        let expected = "10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4e
                        d2826446079faa0914c2d705d98b02a2b5129cd1de164eb9cbd083e8a2503c4e";
        for (name, apply) in ways() {
            let mut text = [0; BLOCK_SIZE];
            apply(&cipher, 1, &mut text);
            assert_eq!(text, hex::array(expected), "{name}");
        }
    }

    #[test]
    fn every_way_gives_the_same_key_stream_at_every_length_and_place() {
        let cipher = cipher();
        let text: Vec<u8> = (0..2200_usize).map(|i| (i * 7) as u8).collect();
        let mut whole = text.clone();
        for (block, bytes) in whole.chunks_mut(BLOCK_SIZE).enumerate() {
            apply_portably(&cipher.start, block as u32 + 7, bytes);
        }
        for (name, apply) in ways() {
            for length in 0..=text.len() {
                let mut part = text[..length].to_vec();
                apply(&cipher, 7, &mut part);
                assert_eq!(part, whole[..length], "{name}, {length} bytes");
            }
            for at in (0..text.len()).step_by(BLOCK_SIZE) {
                let mut part = text[at..].to_vec();
                apply(&cipher, 7 + (at / BLOCK_SIZE) as u32, &mut part);
                assert_eq!(part, whole[at..], "{name}, from {at}");
            }
            for offset in 0..64 {
                let mut text = [&vec![0; offset][..], &text].concat();
                apply(&cipher, 7, &mut text[offset..]);
                assert_eq!(text[offset..], whole, "{name}, {offset} bytes on");
            }
        }
    }

    #[test]
    fn the_stream_goes_to_its_last_block_and_not_beyond() {
        let cipher = cipher();
        for (name, apply) in ways() {
            let mut text = [0; 3 * BLOCK_SIZE];
            apply(&cipher, u32::MAX - 2, &mut text);
            let mut last = [0; BLOCK_SIZE];
            apply(&cipher, u32::MAX, &mut last);
            assert_eq!(text[2 * BLOCK_SIZE..], last, "{name}");
        }
        let beyond = std::panic::catch_unwind(|| cipher.apply(u32::MAX, &mut [0; BLOCK_SIZE + 1]));
        assert!(beyond.is_err(), "block 2^32 would be block 0 again");
    }
}
