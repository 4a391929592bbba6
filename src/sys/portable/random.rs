//! Random bytes without a call of our own.

use std::hash::{BuildHasher, RandomState};
use std::io;

/// Fills `bytes` with values that nobody repeats; good enough for names of files, and for nothing
/// that has to be secret.
///
/// # Errors
/// None on this platform.
pub fn fill(bytes: &mut [u8]) -> io::Result<()> {
    for chunk in bytes.chunks_mut(8) {
        // Every `RandomState` is keyed anew from the system's generator.
        let value = RandomState::new().hash_one(0).to_ne_bytes();
        for (to, from) in chunk.iter_mut().zip(value) {
            *to = from;
        }
    }
    Ok(())
}
