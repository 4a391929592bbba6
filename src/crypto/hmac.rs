//! HMAC-SHA512 (RFC 2104, RFC 4231).

use super::ct::wipe;
use super::sha2::{BLOCK_SIZE, DIGEST_SIZE, Sha512, sha512};

/// A tag over what is fed piece by piece. A clone goes on from where its original is; both are wiped.
#[derive(Clone)]
pub struct HmacSha512 {
    /// Has begun with the key and the inner pad.
    inner: Sha512,
    /// Has begun with the key and the outer pad.
    outer: Sha512,
}

impl HmacSha512 {
    /// The tag of nothing yet, under a key of any length.
    pub fn new(key: &[u8]) -> Self {
        let mut block = [0; BLOCK_SIZE];
        if key.len() > BLOCK_SIZE {
            let mut digest = sha512(key);
            block[..DIGEST_SIZE].copy_from_slice(&digest);
            wipe(&mut digest);
        } else {
            block[..key.len()].copy_from_slice(key);
        }
        let mut begun = |pad: u8| {
            block.iter_mut().for_each(|byte| *byte ^= pad);
            let mut hash = Sha512::new();
            hash.update(&block);
            hash
        };
        let inner = begun(0x36);
        // The block still has the inner pad, which this takes out.
        let outer = begun(0x36 ^ 0x5c);
        wipe(&mut block);
        Self { inner, outer }
    }

    /// Adds bytes. Where they are cut into calls does not matter.
    pub fn update(&mut self, bytes: &[u8]) {
        self.inner.update(bytes);
    }

    /// The tag of all that was added; compare it with [`super::ct::eq`].
    pub fn finish(self) -> [u8; DIGEST_SIZE] {
        let Self { inner, mut outer } = self;
        let mut digest = inner.finish();
        outer.update(&digest);
        wipe(&mut digest);
        outer.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(key: &[u8], pieces: &[&[u8]]) -> [u8; DIGEST_SIZE] {
        let mut hmac = HmacSha512::new(key);
        pieces.iter().for_each(|piece| hmac.update(piece));
        hmac.finish()
    }

    #[test]
    fn a_key_is_filled_up_with_zeros_and_hashed_when_it_is_longer_than_a_block() {
        for length in 0..300 {
            let key = vec![0x6b; length];
            let same = match length {
                0..=BLOCK_SIZE => [&key[..], &vec![0; BLOCK_SIZE - length]].concat(),
                _ => sha512(&key).to_vec(),
            };
            // Section 2 of RFC 2104, word for word.
            let pad = |byte: u8| -> Vec<u8> {
                let zeros = vec![0; BLOCK_SIZE - same.len()];
                same.iter().chain(&zeros).map(|key| key ^ byte).collect()
            };
            let inner = sha512(&[&pad(0x36)[..], b"text"].concat());
            let outer = sha512(&[&pad(0x5c)[..], &inner].concat());
            assert_eq!(tag(&key, &[b"text"]), outer, "{length} bytes");
        }
    }

    #[test]
    fn every_split_gives_the_tag_of_the_whole() {
        let text: Vec<u8> = (0..1100_usize).map(|i| (i * i / 5) as u8).collect();
        let whole = tag(b"key", &[&text]);
        for at in 0..=text.len() {
            let (first, second) = text.split_at(at);
            assert_eq!(tag(b"key", &[first, second]), whole, "split at {at}");
        }
    }
}
