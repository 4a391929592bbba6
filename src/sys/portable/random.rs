//! Random bytes without a call of our own.

use std::io;

/// Fills `bytes` from the system's generator.
///
/// # Errors
/// When the system gives none; nothing may be derived from `bytes` then.
#[cfg(unix)]
pub fn fill(bytes: &mut [u8]) -> io::Result<()> {
    io::Read::read_exact(&mut std::fs::File::open("/dev/urandom")?, bytes)
}

/// Fills `bytes` with values that nobody repeats; good enough for names of files, and for nothing
/// that has to be secret.
///
/// # Errors
/// None on this platform.
#[cfg(not(unix))]
pub fn fill(bytes: &mut [u8]) -> io::Result<()> {
    use std::hash::{BuildHasher, RandomState};
    for chunk in bytes.chunks_mut(8) {
        // Every `RandomState` is keyed anew from the system's generator.
        let value = RandomState::new().hash_one(0).to_ne_bytes();
        for (to, from) in chunk.iter_mut().zip(value) {
            *to = from;
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "../tests/random.rs"]
mod tests;
