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
