//! Random bytes from the system.

use std::io;

// SAFETY: `ntsecapi.h` declares it so, as `RtlGenRandom`; 0 is a failure.
#[link(name = "advapi32")]
unsafe extern "system" {
    #[link_name = "SystemFunction036"]
    fn rtl_gen_random(bytes: *mut u8, count: u32) -> u8;
}

/// Fills `bytes` from the system's generator.
///
/// # Errors
/// When the system gives none; nothing may be derived from `bytes` then.
pub fn fill(bytes: &mut [u8]) -> io::Result<()> {
    for chunk in bytes.chunks_mut(1 << 20) {
        // SAFETY: the call writes as many bytes as are there; no chunk has more than a `u32` holds.
        if unsafe { rtl_gen_random(chunk.as_mut_ptr(), chunk.len() as u32) } == 0 {
            return Err(io::Error::other("the system's generator failed"));
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "../tests/random.rs"]
mod tests;
