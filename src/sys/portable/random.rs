//! Random bytes from the kernel.

use std::fs::File;
use std::io::{self, Read};

/// Fills `bytes` from the system's generator.
///
/// # Errors
/// When the system gives none; nothing may be derived from `bytes` then.
pub fn fill(bytes: &mut [u8]) -> io::Result<()> {
    File::open("/dev/urandom")?.read_exact(bytes)
}

#[cfg(test)]
#[path = "../tests/random.rs"]
mod tests;
