//! HKDF over SHA-512 (RFC 5869).

use std::error;
use std::fmt;

use super::ct::{Secret, wipe};
use super::hmac::HmacSha512;
use super::sha2::DIGEST_SIZE;

/// Bytes that one key can be expanded to at most.
pub const MAX_OUTPUT: usize = 255 * DIGEST_SIZE;

/// More was asked for than [`MAX_OUTPUT`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong;

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a key cannot be expanded to more than {MAX_OUTPUT} bytes: ask for fewer"
        )
    }
}

impl error::Error for TooLong {}

/// Section 2.2: a pseudorandom key from input that is secret, but neither uniform nor of a fixed length.
pub fn extract(salt: &[u8], input: &[u8]) -> Secret<DIGEST_SIZE> {
    let mut hmac = HmacSha512::new(salt);
    hmac.update(input);
    secret(hmac)
}

/// Section 2.3: fills `out` with bytes that belong to the key and to `info`, whose parts are joined without
/// a sign between them. `out` is left as it was when it is too long.
pub fn expand(key: &[u8; DIGEST_SIZE], info: &[&[u8]], out: &mut [u8]) -> Result<(), TooLong> {
    if out.len() > MAX_OUTPUT {
        return Err(TooLong);
    }
    let keyed = HmacSha512::new(key);
    let mut before: Option<Secret<DIGEST_SIZE>> = None;
    for (piece, number) in out.chunks_mut(DIGEST_SIZE).zip(1..=u8::MAX) {
        let mut hmac = keyed.clone();
        if let Some(before) = &before {
            hmac.update(before.expose());
        }
        for part in info {
            hmac.update(part);
        }
        hmac.update(&[number]);
        let block = before.insert(secret(hmac));
        piece.copy_from_slice(&block.expose()[..piece.len()]);
    }
    Ok(())
}

fn secret(hmac: HmacSha512) -> Secret<DIGEST_SIZE> {
    let mut tag = hmac.finish();
    let secret = Secret::new(tag);
    wipe(&mut tag);
    secret
}
