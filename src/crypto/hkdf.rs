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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_longer_output_begins_with_a_shorter_one_and_ends_at_255_digests() {
        let key = [5; DIGEST_SIZE];
        let mut longest = vec![0; MAX_OUTPUT];
        expand(&key, &[b"label"], &mut longest).expect("not too long");
        for length in (0..=1100).chain([MAX_OUTPUT - 1]) {
            let mut out = vec![0; length];
            expand(&key, &[b"label"], &mut out).expect("not too long");
            assert_eq!(out, longest[..length]);
        }
        let mut beyond = vec![7; MAX_OUTPUT + 1];
        assert_eq!(expand(&key, &[b"label"], &mut beyond), Err(TooLong));
        assert!(
            beyond.iter().all(|byte| *byte == 7),
            "written, and yet refused"
        );
    }

    #[test]
    fn info_may_come_in_parts() {
        let key = [6; DIGEST_SIZE];
        let out = |info: &[&[u8]]| {
            let mut out = [0; 100];
            expand(&key, info, &mut out).expect("not too long");
            out
        };
        assert_eq!(out(&[b"label", b"", b"hash"]), out(&[b"labelhash"]));
        assert_eq!(out(&[]), out(&[b""]));
        assert_ne!(out(&[b"label"]), out(&[b"hash"]));
    }
}
